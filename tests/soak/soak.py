"""Weeks of a district in minutes, on real programs: what grows that should not?

    make soak MINUTES=10                 # a virtual day takes two seconds: MINUTES=10 are 43 weeks

The broker lives by a wall clock that this program turns (tests/blackbox/skew.c): deadlines fire, receipts expire, cases
are archived, as over weeks. Publishers report, answer and close; three real workers dispatch; one console watches all
the time, another comes, catches up and goes. Every second the heap in use (heap.c), the memory (without the state's
map), descriptors, threads and pages of the broker and the workers are noted. At the end a straight line is laid through
the floor of the second half of each: what grows by more than its bound fails. The store is then verified, and started
once more.

LEAK=n makes the broker and the workers lose n bytes a second: then something must grow. SAMPLES=file keeps what was
noted, as JSON."""
import json
import os
import struct
import sys
import threading
import time
from collections import Counter, deque
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/blackbox"))

import wl  # noqa: E402
import whistle_pb2 as pb  # noqa: E402
from conftest import CTL, WORKER, Broker, Process, Skew, library, run, scratch  # noqa: E402
from world import DAY, DISTRICT, GRID_WORKER, accept, done, report  # noqa: E402

DAY_TAKES_S = 2.0
TICK_S = 0.02
PUBLISHERS = 2
PENDING, TRIES_MAX = 64, 6
# What may grow over the half that is judged, in percent of its mean. What is not given back shows in the heap, all the
# time; by a step it grows when a queue, or LMDB's list of pages, has once been longer than ever, and keeps its room.
# How much of that there may be is the bound of the memory.
BOUNDS = {"heap": 1.0, "large": 0.0, "memory": 10.0, "descriptors": 0.0, "threads": 0.0, "pages for a case": 2.0}


class Clock(threading.Thread):
    """Turns the broker's wall clock, a little at a time."""

    def __init__(self, skew):
        super().__init__(daemon=True)
        self.skew, self.ahead_ms, self.over = skew, 0, threading.Event()
        skew(0, synchronised=True)

    def run(self):
        began = time.monotonic()
        while not self.over.wait(TICK_S):
            self.ahead_ms = int((time.monotonic() - began) / DAY_TAKES_S * DAY)
            self.skew(self.ahead_ms, synchronised=True)

    def now_ms(self):
        return wl.now_ms() + self.ahead_ms


class Publisher(threading.Thread):
    """Reports; what it reported a while ago it answers and closes, whoever was asked."""

    def __init__(self, broker, clock):
        super().__init__(daemon=True)
        self.front, self.clock, self.did = wl.Front(broker.front), clock, Counter()
        self.pending, self.over = deque(), threading.Event()

    def call(self, command):
        now = self.clock.now_ms()
        self.did["commands"] += 1
        return wl.answer_of(self.front.ask(wl.envelope(command, id=wl.uuid7(now), sent=now), patient=True))

    def answer(self, case_id, tries):
        case, _ = self.front.show(case_id)
        here = [a for a in case.asks if (a.stage, a.attempt) == (case.stage, case.attempt)]
        waiting = [a for a in here if a.status in ("asked", "accepted")]
        if case.state in (pb.STATE_CLOSED, pb.STATE_ARCHIVED, pb.STATE_REJECTED):
            self.did["closed"] += 1
        elif tries == TRIES_MAX:
            self.did["left open"] += 1
        else:
            for ask in waiting[:1]:
                self.call((accept if ask.status == "asked" else done)(case, ask))
            self.pending.append((case_id, tries + (not waiting)))

    def run(self):
        turn = 0
        while not self.over.is_set():
            turn += 1
            try:
                if len(self.pending) >= PENDING:
                    self.answer(*self.pending.popleft())
                elif turn % 3:
                    self.call(pb.SelfHandle(report=report(text="swept"), party=GRID_WORKER))
                else:
                    self.pending.append((self.call(report(text="a pipe")).case_id, 0))
            except wl.Refusal as refused:
                self.did[f"refused {refused.name}"] += 1
        self.front.close()


class Visitor(threading.Thread):
    """A console that comes, catches up from where it stood, and goes."""

    def __init__(self, broker, stays):
        super().__init__(daemon=True)
        self.feed, self.stays, self.seq, self.told, self.over = broker.feed, stays, 0, 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            with wl.Console(self.feed) as console:
                console.subscribe(DISTRICT, from_seq=self.seq)
                until = time.monotonic() + (1e9 if self.stays else 2)
                while not self.over.is_set() and time.monotonic() < until:
                    self.listen(console)

    def listen(self, console):
        try:
            told = console.next(0.2)
        except wl.Silence:
            return
        if told.kind == pb.FEED_UPDATE:
            self.told += 1
            self.seq = max(self.seq, told.seq)
            if self.told % 1024 == 0:
                console.credit(1024)


class Watched:
    """A program under watch: its heap by what it writes itself (heap.c), the rest by what the system knows."""

    def __init__(self, folder, name, preloaded=None):
        self.heap, self.pid = folder / f"{name}.heap", None
        self.heap.write_bytes(bytes(16))
        preloaded = preloaded or {}
        libraries = [preloaded.get("LD_PRELOAD"), str(library(folder, "heap", "soak"))]
        self.environment = dict(preloaded, LD_PRELOAD=":".join(filter(None, libraries)), HEAP=str(self.heap))

    def heap_kib(self):
        """(in arenas, in blocks of their own)"""
        return [bytes / 1024 for bytes in struct.unpack("<2Q", self.heap.read_bytes())]


def memory_kib(pid):
    """Resident, without the state's map: its pages are the file's."""
    kib, ours = 0, True
    with open(f"/proc/{pid}/smaps") as smaps:
        for line in smaps:
            if "-" in line.split(" ", 1)[0]:
                ours = not line.rstrip().endswith("state.mdb")
            elif ours and line.startswith("Rss:"):
                kib += int(line.split()[1])
    return kib


def sample(watched, front):
    now = {}
    for name, program in watched.items():
        now[f"heap in use of {name}, KiB"], now[f"large blocks of {name}, KiB"] = program.heap_kib()
        now[f"memory of {name}, KiB"] = memory_kib(program.pid)
        now[f"descriptors of {name}"] = len(os.listdir(f"/proc/{program.pid}/fd"))
        now[f"threads of {name}"] = len(os.listdir(f"/proc/{program.pid}/task"))
    status = front.status()
    now["pages for a case, bytes"] = status.state_bytes / max(status.cases_all, 1)
    return now, status


def growth(values):
    """(mean, percent of it by which the line through the values rises from its first to its last)."""
    n, mean = len(values), sum(values) / len(values)
    middle = (n - 1) / 2
    slope = sum((i - middle) * (v - mean) for i, v in enumerate(values)) / sum((i - middle) ** 2 for i in range(n))
    return mean, 100 * slope * (n - 1) / mean if mean else 0.0


def creep(values):
    """(mean, percent of it by which the values rise when every step of theirs is like the middle one)."""
    mean, steps = sum(values) / len(values), sorted(b - a for a, b in zip(values, values[1:]))
    return mean, 100 * steps[len(steps) // 2] * len(steps) / mean if mean else 0.0


def floors(values):
    """The least of every ten: what is taken for a moment is not held, and what is held lifts the floor."""
    return [min(values[i:i + 10]) for i in range(0, len(values) - 9, 10)]


def judge(samples):
    half, good = samples[len(samples) // 2:], True
    print(f"{'over the second half':44} {'mean':>12} {'grows by':>10}")
    for name in half[0]:
        rise = creep if name.startswith("heap") else growth
        mean, percent = rise(floors([s[name] for s in half]))
        bound = next(b for kind, b in BOUNDS.items() if name.startswith(kind))
        fits = percent <= bound + 1e-9
        good = good and fits
        print(f"{name:44} {mean:12.1f} {percent:9.2f}% {'' if fits else f'more than {bound} %'}")
    return good


def worker_of(folder, broker, level, watched):
    """A worker of the whole district, watched from its start."""
    watched[level] = w = Watched(folder, level)
    command = [WORKER, "--level", level, "--divisions", "610402", "--pool", broker.pool]
    process = Process(command, folder / f"{level}.log", env={**os.environ, **w.environment})
    w.pid = process.child.pid
    return process


def live(folder, broker, clock, minutes, watched):
    workers = [worker_of(folder, broker, level, watched) for level in ("community", "street", "district")]
    lives = [Publisher(broker, clock) for _ in range(PUBLISHERS)] + [Visitor(broker, True), Visitor(broker, False)]
    samples, status = [], None
    try:
        for thread in [clock, *lives]:
            thread.start()
        ends = time.monotonic() + 60 * minutes
        with wl.Front(broker.front) as front:
            while time.monotonic() < ends:
                time.sleep(1)
                taken, status = sample(watched, front)
                samples.append(taken)
        for thread in lives:
            thread.over.set()
        for thread in lives:
            thread.join(30)
        assert not any(thread.is_alive() for thread in lives), "a client hangs"
    finally:
        clock.over.set()
        for p in workers:
            p.stop()
    if os.environ.get("SAMPLES"):
        Path(os.environ["SAMPLES"]).write_text(json.dumps(samples))
    tell(lives, status, samples, clock)
    return judge(samples)


def tell(lives, status, samples, clock):
    did = sum((p.did for p in lives[:PUBLISHERS]), Counter())
    counted = {c.name: c.value for c in status.counters}
    print(f"{len(samples)} s, {clock.ahead_ms / DAY / 7:.1f} weeks of broker time; {status.cases_all} cases, "
          f"{status.cases_open} open; " + ", ".join(f"{v} {k}" for k, v in sorted(did.items())))
    print(", ".join(f"{name} {counted[name]}" for name in
                    ("deadlines.fired", "receipts.expired", "cases.archived", "clock.doubted", "feed.updates")))
    assert counted["deadlines.fired"] and counted["cases.archived"], "time did not pass"


def main():
    minutes = float(os.environ.get("MINUTES") or 10)
    assert minutes >= 1.5, "MINUTES must be 1.5 at least: a receipt lives 30 days"
    with scratch("ws.") as folder:
        clock = Clock(Skew(folder))
        watched = {"broker": Watched(folder, "broker", clock.skew.environment)}
        broker = Broker(folder / "b", environment=watched["broker"].environment, archive_after_days=14,
                        clock_step_ms="1h", segment_bytes="16MiB")
        try:
            watched["broker"].pid = broker.start().process.child.pid
            good = live(folder, broker, clock, minutes, watched)
            assert "bug.check" not in broker.said() and broker.stop() == 0, broker.said()[-2000:]
            verified = run(CTL, "verify", broker.data, timeout=600)
            print(verified.stdout.strip().splitlines()[-1] if verified.returncode == 0 else verified.stderr)
            broker.start(600)
        finally:
            broker.close()
    print("soak: nothing grows" if good else "soak: something grows")
    return 0 if good and verified.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
