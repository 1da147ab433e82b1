"""Memory that is refused and a disk that says no, call by call, under a broker that starts, serves, adopts rules, recomputes
and makes checkpoints. It may refuse and it may end, with a word; nothing that it acknowledged is lost or doubled."""
import mmap
import os
import re
import signal
import struct
import time

import pytest

import whistle_pb2 as pb
import wl
from conftest import CTL, QINDU, Broker, library, run
from test_reload import CHINA, INCIDENT, OPEN_ALWAYS, Office
from world import COMMUNITY, GRID_WORKER, dispatch, report

N = int(os.environ.get("N", "8"))                       # faults a sweep; 0 (make faults): every call
MEMORY, DISK = 1, 2
EIO, ENOSPC = 5, 28
FINAL_FAULT = 75
QUICK_S = 2


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

    def settle(self):
        """Every command again, and each counts once."""
        with wl.Front(self.broker.front) as front:
            for id, data in self.sent.items():
                told = self.remember(id, front.ask(data, wait_s=30, patient=True))
                assert told or id not in self.told
            assert front.status().cases_all == self.reports


class World:
    """One store that lives through one fault after the other."""

    def __init__(self, folder, faults_library):
        self.office = Office(folder)
        self.faults = Faults(folder / "faults")
        environment = {"LD_PRELOAD": str(faults_library), "FAULTS": str(folder / "faults")}
        self.broker = Broker(folder / "b", config=self.office.config, environment=environment, segment_bytes="1MiB",
                             checkpoint_idle_ms="20ms", slots_ahead="1024")
        self.ledger, self.days, self.ends = Ledger(self.broker), 8, {}

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

    def ended(self):
        """How, when it has; only ends that are meant to be."""
        if self.broker.alive():
            return "served"
        code, said = self.broker.process.child.returncode, self.broker.said()[-3000:]
        return f"{code}: {said.strip().splitlines()[-1][:200]}"


@pytest.fixture(scope="module")
def faults_library(tmp_path_factory):
    return library(tmp_path_factory, "faults")


def test_explore(folder, faults_library):
    w = World(folder, faults_library)
    what = int(os.environ["WHAT"])
    t = time.monotonic()
    w.broker.start()
    print("start", time.monotonic() - t)
    t = time.monotonic()
    w.day()
    print("day", time.monotonic() - t, len(w.ledger.told), len(w.ledger.sent))
    w.faults.arm(what, 1 << 30)
    w.day()
    print("calls", w.faults.mend())
    for at in map(int, os.environ["AT"].split()):
        t = time.monotonic()
        w.faults.arm(what, at, at % 2, ENOSPC if at % 3 else EIO)
        w.day()
        n = w.faults.mend()
        print(at, n, w.ended(), end=" ")
        if not w.broker.alive():
            w.broker.start()
        print(time.monotonic() - t)
    t = time.monotonic()
    w.ledger.settle()
    print("settled", time.monotonic() - t)
    w.broker.stop()
    r = run(CTL, "verify", w.broker.data)
    print(r)
