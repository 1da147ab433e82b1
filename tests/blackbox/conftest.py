"""Real brokers on fresh stores. What a test starts ends with it, by its own process id; nothing else is touched."""
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BUILD", ROOT / "build/release"))
sys.path.insert(0, str(ROOT / "build/gen"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import wl  # noqa: E402

# Whoever is run in the background by a shell has SIGINT ignored, children inherit that, and no script can undo it.
signal.signal(signal.SIGINT, signal.default_int_handler)

WHISTLED, WORKER, CTL = (BUILD / "bin" / name for name in ("whistled", "whistle-worker", "whistlectl"))
QINDU, DRILL = ROOT / "config/qindu", ROOT / "config/drill"
SMALL = {"segment-bytes": "1MiB", "slots-ahead": "1024", "map-bytes": "1GiB"}


def run(program, *arguments, timeout=60, **more):
    """A program that ends by itself; its code and what it said are in the result."""
    return subprocess.run([str(program), *map(str, arguments)], text=True, capture_output=True, timeout=timeout, **more)


class Process:
    """One child. stop() asks, kill() does not; both wait."""

    def __init__(self, command, log, **more):
        self.log = Path(log)
        with open(self.log, "ab") as out:
            words = [str(word) for word in command]
            self.child = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL, **more)

    def running(self):
        return self.child.poll() is None

    def said(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        if self.running():
            self.child.send_signal(signal.SIGKILL)
        return self.child.wait(30)

    def stop(self, wait_s=30):
        if self.running():
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Broker:
    """A broker on a store of its own. The store and the endpoints outlive kill(), stop() and start()."""

    def __init__(self, folder, config=QINDU, drill=False, data=None, environment=None, **options):
        self.folder, self.config, self.drill = Path(folder), Path(config), drill
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = Path(data) if data else self.folder / "store"
        self.front, self.pool, self.feed = (f"ipc://{self.folder}/{gate}" for gate in "fpe")
        self.options = {**SMALL, **{k.replace("_", "-"): v for k, v in options.items()}}
        self.environment = environment or {}
        self.process, self.peers = None, ExitStack()

    def arguments(self):
        named = {name: getattr(self, name) for name in ("data", "config", "front", "pool", "feed")}
        flags = [str(x) for name, value in {**named, **self.options}.items() for x in (f"--{name}", value)]
        return flags + (["--drill"] if self.drill else [])

    def start(self, wait_s=60):
        """Returns when it says READY."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            path = self.folder / "notify"
            path.unlink(missing_ok=True)
            ready.bind(str(path))
            environment = {**os.environ, **self.environment, "NOTIFY_SOCKET": str(path)}
            self.process = Process([WHISTLED, *self.arguments()], self.folder / "log", env=environment)
            ended = os.pidfd_open(self.process.child.pid)
            try:
                while True:
                    came, _, _ = select.select([ready, ended], [], [], wait_s)
                    if ready in came and b"READY=1" in ready.recv(4096):
                        return self
                    if ended in came or not came:
                        raise AssertionError(f"the broker did not start:\n{self.process.said()[-2000:]}")
            finally:
                os.close(ended)

    def alive(self):
        return self.process is not None and self.process.running()

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.stop()

    def restart(self):
        self.kill()
        return self.start()

    def said(self):
        return self.process.said() if self.process else ""

    # ---- peers that are closed with the broker -----------------------------------------------------------------------

    def client(self):
        return self.peers.enter_context(wl.Front(self.front))

    def console(self, **more):
        return self.peers.enter_context(wl.Console(self.feed, **more))

    def worker(self, level, *divisions, **more):
        return self.peers.enter_context(wl.Worker(self.pool, level, divisions or (610402,), **more))

    def close(self):
        self.peers.close()
        if self.alive():
            self.kill()


@contextmanager
def scratch(prefix="wb.", at=None):
    """A short path, because that of an ipc socket has 107 bytes at most."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=at or os.environ.get("TMPDIR", "/tmp"))
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def needs(root=False, programs=()):
    """Skips, and says why, where this machine cannot; make test counts that as a failure unless ALLOW_SKIP=1."""
    if root and os.geteuid() != 0:
        pytest.skip("needs root: namespaces and mounts of its own")
    for program in programs:
        if shutil.which(program) is None and shutil.which(program, path="/usr/sbin:/sbin") is None:
            pytest.skip(f"needs {program}: make deps")


def before_mount():
    """The words to put there where we are not root but may act as root without being asked for a password."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None or run("sudo", "-n", "true").returncode != 0:
        needs(root=True)
    return ["sudo", "-n"]


@contextmanager
def small_disk(folder, mebibytes):
    """A filesystem of its own where we may mount one."""
    become, at = before_mount(), folder / "disk"
    at.mkdir()
    options = f"size={mebibytes}m,mode=0777"
    subprocess.run([*become, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run([*become, "umount", "-l", str(at)], check=True)


def until(what, wait_s=20):
    """What it gives once it gives anything."""
    end = time.monotonic() + wait_s
    while not (found := what()):
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)
    return found


def fill(disk):
    """Not a byte is left."""
    with open(disk / "ballast", "wb", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    f.write(bytes(size))
            except OSError:
                pass


@pytest.fixture
def folder():
    with scratch() as path:
        yield path


@pytest.fixture
def make_broker(folder):
    """make_broker(lease_ms="1s", drill=True, ...): started; ended with the test. A check that failed in it fails it."""
    with ExitStack() as made:
        brokers = []

        def make(name="b", start=True, **more):
            broker = Broker(folder / name, **more)
            made.callback(broker.close)
            brokers.append(broker)
            return broker.start() if start else broker

        yield make
        for broker in brokers:
            assert "bug.check" not in broker.said(), broker.said()[-2000:]


@pytest.fixture
def broker(make_broker):
    return make_broker()


@pytest.fixture
def drill(make_broker):
    return make_broker(config=DRILL, drill=True)


@pytest.fixture
def free_port():
    with socket.socket() as any:
        any.bind(("127.0.0.1", 0))
        return any.getsockname()[1]


def library(folder, name, part="blackbox"):
    """tests/PART/NAME.c, to be preloaded."""
    to, source = folder / f"{name}.so", ROOT / f"tests/{part}/{name}.c"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", to, source, "-ldl"], check=True)
    return to


class Skew:
    """What skew.c adds to the clock of the broker that has it preloaded; it maps the file that this writes."""

    def __init__(self, folder):
        self.path = folder / "skew"
        self.path.write_bytes(bytes(24))
        self.environment = {"LD_PRELOAD": str(library(folder, "skew")), "SKEW": str(self.path)}

    def __call__(self, ms, synchronised=False, slept_ms=0):
        with self.path.open("r+b") as file:
            file.write(struct.pack("<3q", synchronised, slept_ms, ms))


@pytest.fixture(scope="module")
def stall_library(tmp_path_factory):
    return library(tmp_path_factory.mktemp("stall"), "stall")


@pytest.fixture
def skewed(make_broker, folder):
    """A broker whose wall clock we turn, and whose machine slept: skewed(ms, synchronised, slept_ms)."""
    turn = Skew(folder)
    turn.broker = make_broker(environment=turn.environment)
    return turn


@pytest.fixture(scope="module")
def office():
    """One ordinary broker for many tests, that each leave it running."""
    with scratch() as path:
        broker = Broker(path).start()
        try:
            yield broker
            assert "bug.check" not in broker.said(), broker.said()[-2000:]
        finally:
            broker.close()
