"""Memory that is refused and a disk that says no, call by call, under a broker that starts, serves, adopts rules,
recomputes and makes checkpoints. It may refuse and it may end, with a word; nothing that it acknowledged is lost or
doubled."""
import mmap
import os
import re
import signal
import struct
import time
from collections import Counter

import pytest

import whistle_pb2 as pb
import wl
from conftest import CTL, Broker, library, run
from test_reload import INCIDENT, Office
from world import COMMUNITY, report

N = int(os.environ.get("N", "8"))                       # faults a sweep; 0 (make faults): every call
MEMORY, DISK = 1, 2
EIO, ENOSPC = 5, 28
NEVER = (1 << 32) - 1
QUICK_S = 2
ENDS = {                                                # exit code, what was said: whose end it was
    (None, "store.no_space"): "questions only",
    (75, "<3>(journal|state|slots|drill)[.]"): "final fault",
    (1, "whistled: "): "could not start", (2, "whistled: "): "bad config",
    (-signal.SIGABRT, "[(]src/[a-z_]+[.][ch]pp:[0-9]+[)]|bad_alloc"): "libzmq aborts",
    (-signal.SIGILL, 'bug.check .*what="memory"'): "memory_or_die",
}


class Faults:
    """What faults.c reads."""

    def __init__(self, path):
        path.write_bytes(bytes(20))
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 20)

    def arm(self, what, at, from_then_on=False, error=0):
        self.at = at
        struct.pack_into("<5I", self.map, 0, 0, at, from_then_on, error, 0)
        struct.pack_into("<I", self.map, 0, what)

    def mend(self):
        """How many calls there were."""
        struct.pack_into("<I", self.map, 0, 0)
        return struct.unpack_from("<I", self.map, 16)[0]


class Ledger:
    """What was sent, and what was answered: the same again for ever."""

    def __init__(self, broker):
        self.broker, self.sent, self.told = broker, {}, {}
        self.reports = 0

    def say(self, front, command):
        """Done, or None: refused, or no answer while the broker lived or for QUICK_S."""
        e = wl.envelope(command, by="1001") if isinstance(command, (pb.Reload, pb.Recompute)) else wl.envelope(command)
        self.sent[e.command_id] = e.SerializeToString()
        self.reports += e.WhichOneof("command") == "report"
        front.send(self.sent[e.command_id])
        until = time.monotonic() + QUICK_S
        while time.monotonic() < until and self.broker.alive():
            r = front.reply(0.05)
            if r is not None and r.command_id == e.command_id:
                return self.remember(e.command_id, r)
        return None

    def remember(self, id, r):
        """What changed nothing is decided afresh when it comes again."""
        if r.HasField("refused") or (r.HasField("reloaded") and not r.reloaded.adopted):
            return None
        assert self.told.setdefault(id, r) == r, "the first reply, and no other"
        return wl.answer_of(r)

    def settle(self, last=0):
        """Every command, or the last few, again; and each counts once."""
        with wl.Front(self.broker.front) as front:
            for id, data in list(self.sent.items())[-last:]:
                r = front.ask(data, wait_s=30, patient=True)
                assert self.remember(id, r) or id not in self.told, f"{self.told[id]} became {r}"
            assert front.status().cases_all == self.reports


class World:
    """One store that lives through one fault after the other."""

    def __init__(self, folder, faults_library):
        self.office = Office(folder)
        self.faults = Faults(folder / "faults")
        environment = {"LD_PRELOAD": str(faults_library), "FAULTS": str(folder / "faults")}
        self.broker = Broker(folder / "b", config=self.office.config, environment=environment, segment_bytes="1MiB",
                             checkpoint_idle_ms="20ms", slots_ahead="1024")
        self.ledger, self.days, self.ends, self.heard = Ledger(self.broker), 8, Counter(), 0

    def day(self):
        """A bit of everything: reports, a desk's decision, an answer, other rules, other deadlines, checkpoints."""
        front, say = wl.Front(self.broker.front), self.ledger.say
        with front:
            made = [done for _ in range(2) if (done := say(front, report(text="x" * 200)))]
            if made:
                say(front, pb.Note(case_id=made[-1].case_id, text="noted"))
            self.desk()
            self.days = 17 - self.days
            self.office.change(INCIDENT, (r"handling: \d+wd", f"handling: {self.days}wd"))
            say(front, pb.Reload())
            say(front, pb.Recompute())
            time.sleep(0.03)

    def desk(self):
        if not self.broker.alive():
            return
        try:
            with wl.Worker(self.broker.pool, pb.LEVEL_COMMUNITY, [COMMUNITY], credit=1, wait_s=0.5) as desk:
                desk.done(desk.offer(0.3), wait_s=0.3, again=False)
        except wl.Silence:
            pass

    def settled(self):
        """It may be about to end: after an answer, and the rest that follows, it is not."""
        until = time.monotonic() + wl.WAIT_S
        with wl.Front(self.broker.front) as front:
            for _ in range(2):
                front.send(wl.envelope(pb.Hello(program="stranger")))
                while self.broker.alive() and front.reply(0.05) is None:
                    assert time.monotonic() < until, "it neither answers nor ends"
                time.sleep(0.06)

    def over(self):
        """Disarmed; only ends that are meant to be, and then it serves again. How many calls it made."""
        calls = self.faults.mend()
        self.settled()
        said, self.heard = self.broker.said()[self.heard:], len(self.broker.said())
        if self.broker.alive() and "store.no_space" not in said:
            self.ends["served"] += 1
            return calls
        code = None if self.broker.alive() else self.broker.process.child.wait()
        how = next((how for (ended, word), how in ENDS.items() if ended == code and re.search(word, said)), None)
        assert how, f"ended with {code}:\n{said[-2000:]}"
        self.ends[how] += 1
        self.broker.restart()
        return calls

    def serving(self, what, at, **how):
        self.faults.arm(what, at, **how)
        self.day()
        return self.over()

    def starting(self, what, at, **how):
        self.broker.kill()
        self.faults.arm(what, at, **how)
        try:
            self.broker.start()
        except AssertionError:
            assert not self.broker.alive(), "it neither serves nor ends"
        return self.over()


# ---- sweeps ----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def faults_library(tmp_path_factory):
    return library(tmp_path_factory.mktemp("faults"), "faults")


@pytest.fixture
def world(folder, faults_library):
    w = World(folder, faults_library)
    try:
        w.broker.start()
        w.day()
        yield w
        w.ledger.settle()
        w.broker.stop()
        verified = run(CTL, "verify", w.broker.data)
        assert verified.returncode == 0, verified.stderr
    finally:
        w.broker.close()


def points(calls):
    """Which calls fail: each, or N of them, the first and the last among them and more of the early ones."""
    if N == 0:
        return range(1, calls + 1)
    return sorted({round(calls ** (i / (N - 1))) for i in range(N)})


def sweep(world, live, what):
    for i, at in enumerate(points(live(what, NEVER))):
        live(what, at, from_then_on=i % 2, error=(EIO, ENOSPC)[i // 2 % 2])
        world.ledger.settle(last=6)
    print(f"\n{sum(world.ends.values())} lives: {dict(world.ends)}")


def test_a_broker_that_serves_and_is_refused_memory_loses_nothing(world):
    sweep(world, world.serving, MEMORY)


def test_a_broker_that_serves_and_whose_disk_says_no_loses_nothing(world):
    sweep(world, world.serving, DISK)


def test_a_broker_that_starts_and_is_refused_memory_loses_nothing(world):
    sweep(world, world.starting, MEMORY)


def test_a_broker_that_starts_and_whose_disk_says_no_loses_nothing(world):
    sweep(world, world.starting, DISK)
