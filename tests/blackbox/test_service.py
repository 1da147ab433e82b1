"""What systemd hears, and the units that it reads."""
import os
import re
import select
import signal
import socket
import time

import pytest
import wl
from conftest import ROOT, WHISTLED, Process, run
from web import address_of, answer, ask
from world import report


class Systemd:
    """Starts a broker as systemd does, and hears what it says; its disk can be stalled."""

    def __init__(self, broker, library, watchdog_s=0):
        self.broker, self.heard = broker, []
        self.stalled = broker.folder / "stall"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = broker.folder / "systemd"
        self.socket.bind(str(path))
        self.environment = {**os.environ, "NOTIFY_SOCKET": str(path), "STALL": str(self.stalled),
                            "LD_PRELOAD": str(library), "WATCHDOG_USEC": str(int(watchdog_s * 1e6))}

    def start(self, *more):
        command = [WHISTLED, *self.broker.arguments(), *more]
        self.broker.process = Process(command, self.broker.folder / "log", env=self.environment)
        return self

    def hear(self, for_s):
        """Lines that come within that time."""
        came, until = [], time.monotonic() + for_s
        while (left := until - time.monotonic()) > 0 and select.select([self.socket], [], [], left)[0]:
            came += self.socket.recv(4096).decode().splitlines()
        self.heard += came
        return came

    def until(self, wanted, wait_s=20):
        until = time.monotonic() + wait_s
        while wanted not in self.heard:
            assert time.monotonic() < until, f"no {wanted}: {self.heard}\n{self.broker.said()[-2000:]}"
            self.hear(0.1)

    def stall(self, yes=True):
        self.stalled.touch() if yes else self.stalled.unlink()


@pytest.fixture
def make_service(make_broker, stall_library):
    made = []

    def make(**more):
        options = {k: more.pop(k) for k in list(more) if k != "watchdog_s"}
        made.append(Systemd(make_broker(start=False, **options), stall_library, **more))
        return made[-1]

    yield make
    for service in made:
        service.stalled.unlink(missing_ok=True)
        service.socket.close()


# ---- what systemd hears ----------------------------------------------------------------------------------------------

def test_it_is_ready_when_it_serves_and_says_when_it_stops(make_service):
    service = make_service().start()
    service.until("READY=1")
    assert "STATUS=serving" in service.heard
    service.broker.client().call(report())
    service.broker.process.child.send_signal(signal.SIGTERM)
    service.until("STOPPING=1")
    assert service.broker.process.child.wait(20) == 0


def test_the_watchdog_is_petted_while_the_turn_comes_round_and_no_longer(make_service):
    service = make_service(watchdog_s=1, watchdog_ms="1s").start()
    service.until("READY=1")
    assert 2 <= service.hear(2).count("WATCHDOG=1") <= 5
    service.stall()
    service.broker.client().send(wl.envelope(report()))
    assert service.hear(2).count("WATCHDOG=1") >= 2, "a slow disk is no dead process"
    service.until("STATUS=a turn has taken 1 s so far: slow disk?")
    service.hear(2)
    assert "WATCHDOG=1" not in service.hear(2), "but not for ever"
    service.stall(False)
    service.until("STATUS=serving")
    assert "WATCHDOG=1" in service.hear(1.5)
    assert "turn.slow" in service.broker.said()


def test_a_start_that_takes_long_asks_for_time(make_service):
    service = make_service(checkpoint_age_ms="10min", checkpoint_idle_ms="1min").start()
    service.until("READY=1")
    for _ in range(20):
        service.broker.client().call(report())
    service.broker.kill()
    service.hear(0.1)
    service.heard.clear()
    service.stall()
    service.start()
    service.hear(3)
    assert service.heard.count("EXTEND_TIMEOUT_USEC=30000000") >= 3 and "READY=1" not in service.heard
    service.stall(False)
    service.until("READY=1")


def test_a_stop_that_takes_long_asks_for_time(make_service):
    service = make_service(checkpoint_age_ms="10min", checkpoint_idle_ms="1min").start()
    service.until("READY=1")
    service.broker.client().call(report())
    time.sleep(1)                                       # nothing is left to sync but what the stop will
    service.stall()
    service.broker.process.child.send_signal(signal.SIGTERM)
    service.until("STOPPING=1")
    assert service.hear(2).count("EXTEND_TIMEOUT_USEC=30000000") >= 2
    service.stall(False)
    assert service.broker.process.child.wait(20) == 0


def test_whoever_looks_in_while_it_stops_is_told_so(make_service):
    service = make_service(http="127.0.0.1:0").start()
    service.until("READY=1")
    with socket.create_connection(address_of(service.broker), 5) as s:
        ask(service.broker, "/readyz")                  # by now the visit before it has been let in, too
        service.stall()
        service.broker.client().send(wl.envelope(report()))
        time.sleep(0.3)                                 # the turn waits for the disk
        s.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        service.broker.process.child.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        service.stall(False)
        assert answer(s)[::2] == (503, "stopping\n")
    assert service.broker.process.child.wait(20) == 0


def test_after_a_slow_turn_healthz_says_so_once(make_service):
    service = make_service(http="127.0.0.1:0", watchdog_ms="1s").start()
    service.until("READY=1")
    with socket.create_connection(address_of(service.broker), 5) as s:
        ask(service.broker, "/healthz")
        service.stall()
        service.broker.client().send(wl.envelope(report()))
        time.sleep(0.2)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.5)
        service.stall(False)
        status, _, why = answer(s)
        assert status == 503 and why.startswith("slow: the last turn took ")
    assert ask(service.broker, "/healthz")[0] == 200


# ---- the units -------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed") / "usr"
    done = run("make", "-s", "install", f"PREFIX={prefix}", cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    return prefix


def test_what_is_installed_is_what_systemd_can_read(installed):
    units = installed / "lib/systemd/system"
    names = ["whistled.service", "whistle-worker@community.service", "whistled.target"]
    done = run("systemd-analyze", "verify", *(units / name for name in names))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert (installed / "lib/sysusers.d/whistled.conf").exists()
    for unit in units.iterdir():
        assert "/usr/bin/" not in unit.read_text().replace(f"{installed}/bin/", ""), "programs are where they were put"


def test_the_units_leave_little_open():
    for unit, most in ("whistled.service", 2.0), ("whistle-worker@.service", 1.0):
        done = run("systemd-analyze", "security", "--offline=yes", "--no-pager", ROOT / "systemd" / unit)
        assert float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1]) <= most, done.stdout


def test_the_broker_may_what_it_needs():
    """Each was found by leaving it out: the process ended, a clock was never believed, all peers were one."""
    unit = (ROOT / "systemd/whistled.service").read_text()
    allowed = re.findall(r"^SystemCallFilter=(?!~)(.*)$", unit, re.M)
    assert {"sched_setscheduler", "clock_adjtime"} <= set(" ".join(allowed).split())
    assert not re.search(r"^(ProtectClock|PrivateUsers|PrivateNetwork)=yes", unit, re.M)
