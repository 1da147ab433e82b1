"""The power is cut, again and again, of a real broker under load, on a disk that forgets what was not synced
(forgetful.c). What clients were told stays true, and the tool that looks at the files themselves agrees.

A life is a fresh disk and CUTS_A_LIFE cuts, each of a kind that the dice choose; then it is judged. CUTS=n SEED=s."""
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "blackbox"))

import history  # noqa: E402
import whistle_pb2 as pb  # noqa: E402
import wl  # noqa: E402
from conftest import BUILD, CTL, WORKER, Broker, Process, run, scratch  # noqa: E402
from test_history import App, Watcher, whole_journal  # noqa: E402
from world import COMMUNITY, DISTRICT, GRID  # noqa: E402

CUTS, SEED = int(os.environ.get("CUTS", "50")), int(os.environ.get("SEED", "1"))
CUTS_A_LIFE, LYING_CUTS = 10, 12
FORGETFUL = BUILD / "forgetful"
DEVICE = "/dev/fuse"

pytestmark = pytest.mark.skipif(not os.access(DEVICE, os.R_OK | os.W_OK),
                                reason=f"{DEVICE} is not there, or not ours: run as root where the kernel has FUSE")


class Disk:
    """What stands in `kept` is what a restart finds; programs work on `seen`."""

    def __init__(self, folder):
        self.kept, self.seen, self.process = folder / "kept", folder / "seen", None
        self.kept.mkdir()
        self.seen.mkdir()

    @contextmanager
    def mounted(self, seed, steps=0, lies=False):
        flags = [f"-s{seed}", f"-n{steps}", *(["-l"] if lies else [])]
        self.process = subprocess.Popen([FORGETFUL, *flags, self.kept, self.seen], stdout=subprocess.PIPE, text=True)
        try:
            assert self.process.stdout.readline() == "mounted\n"
            yield self
        finally:
            subprocess.run(["fusermount3", "-u", "-z", self.seen], check=True)
            assert self.process.wait(30) == 0

    def lost_power(self, wait_s=2):
        """Whoever meets the end of it may be quicker than we are."""
        try:
            return self.process.wait(wait_s) == 0
        except subprocess.TimeoutExpired:
            return False

    def has_power(self):
        return self.process.poll() is None

    def cut(self):
        """What was waiting then: {"step": ..., "waiting": ..., ...}."""
        if self.has_power():
            self.process.send_signal(signal.SIGUSR1)
        return self.remains()

    def remains(self):
        word, *figures = self.process.stdout.readline().split()
        assert word == "cut"
        return {name: int(value) for name, value in (f.split("=") for f in figures)}


class Refuses(Exception):
    """A broker that has its disk, and does not serve what is on it."""


class Life:
    def __init__(self, folder, seed):
        self.seed, self.chance, self.disk, self.h = seed, random.Random(seed), Disk(folder), history.History()
        self.broker = Broker(folder / "b", data=self.disk.seen / "store", checkpoint_idle_ms="20ms",
                             checkpoint_changes="200")
        self.apps = [App(self.h, self.broker.front, n) for n in (1, 2)]
        self.watchers = [Watcher(self.h, self.broker.feed, wl.now_ms, *p) for p in ((DISTRICT,), (COMMUNITY, GRID))]
        desk = ["--level", "community", "--divisions", DISTRICT, "--endpoint", self.broker.pool]
        self.desk = Process([WORKER, *desk], folder / "desk")
        self.cuts, self.served = Counter(), False

    def close(self):
        for one in self.apps:
            one.front.close()
        self.desk.kill()
        self.broker.close()

    # ---- what happens before a cut -----------------------------------------------------------------------------------

    def start(self):
        """Whether it came to serve. One that does not, and has its disk, refuses what a power cut left."""
        try:
            self.broker.start()
        except AssertionError:
            if not self.disk.lost_power():
                raise Refuses(f"BAD seed {self.seed}: it does not start:\n{self.broker.said()[-2000:]}") from None
            return False
        self.served = True
        for one in self.apps:
            one.again()
        return True

    def load(self, for_s, watched=False):
        """While there is power."""
        for w in self.watchers if watched else []:
            w.connect()
        until = time.monotonic() + for_s
        while time.monotonic() < until and self.disk.has_power():
            for one in self.apps:
                one.act()
            for w in self.watchers if watched else []:
                w.hear()
            self.apps[0].hear(0.001)

    def working(self):
        """In the middle of a turn, or of speaking of one."""
        if self.start():
            self.load(self.chance.uniform(0, 0.2), watched=True)

    def resting(self):
        """Behind some load: in a checkpoint, a witness, a segment or keys made ahead."""
        if self.start():
            self.load(0.05, watched=True)
            time.sleep(self.chance.uniform(0, 0.15))

    def stepping(self):
        """At one change of the disk or one sync among the hundreds of a start and some load; beginning with the first."""
        if self.start():
            self.load(2.0)

    # ---- cuts --------------------------------------------------------------------------------------------------------

    def cut(self, kind, steps=0, lies=False):
        with self.disk.mounted(self.chance.randrange(1 << 32), steps, lies):
            kind()
            if self.chance.random() < 0.2:
                self.broker.kill()                       # a crash first; else it sees its disk go
            remains = self.disk.cut()
            self.broker.kill()
        if remains["waiting"]:
            self.cuts["forgot something"] += 1

    def cut_by_the_dice(self):
        """Until it serves for the first time: in the making of the store. Later: in work, at rest, at a restart."""
        chance = self.chance.random()
        if not self.served:
            self.cuts["creating"] += 1
            self.cut(self.stepping, steps=self.chance.randint(1, 260))
        elif chance < 0.3:
            self.cuts["starting"] += 1
            self.cut(self.stepping, steps=self.chance.randint(1, 30))
        elif chance < 0.6:
            self.cuts["at a step"] += 1
            self.cut(self.stepping, steps=self.chance.randint(30, 400))
        elif chance < 0.8:
            self.cuts["working"] += 1
            self.cut(self.working)
        else:
            self.cuts["resting"] += 1
            self.cut(self.resting)

    def judge(self):
        """Every broken promise, one a line."""
        with self.disk.mounted(self.seed):
            assert self.start()
            for one in self.apps:
                one.finish()
            self.desk.stop()                             # from here on nothing is decided any more
            time.sleep(0.1)
            self.h.journal, self.h.again = whole_journal(self.broker), whole_journal(self.broker)
            for w in self.watchers:
                w.connect()
                w.hear(until_live=True)
                w.console.close()
            self.broker.stop()
        verified = run(CTL, "verify", self.disk.kept / "store")
        wrong = history.check(self.h)
        wrong += [] if verified.returncode == 0 else [f"verify: {verified.stdout}{verified.stderr}"]
        return wrong + [line for line in self.broker.said().splitlines() if "bug.check" in line]


@contextmanager
def life(seed):
    with scratch("wp.") as folder, ExitStack() as ends:
        one = Life(folder, seed)
        ends.callback(one.close)
        yield one


def answered(h):
    told = [[pb.Reply.FromString(r) for r in replies] for _, replies in h.commands.values()]
    return Counter(acknowledged=sum(any(r.HasField("done") for r in replies) for replies in told),
                   again=sum(len(replies) > 1 for replies in told), updates=len(h.journal))


def test_no_power_cut_loses_or_doubles_what_was_acknowledged():
    cuts, answers, began, left = Counter(), Counter(), time.monotonic(), CUTS
    for number in range(-(-CUTS // CUTS_A_LIFE)):
        with life(SEED * 1000 + number) as one:
            for _ in range(min(left, CUTS_A_LIFE)):
                one.cut_by_the_dice()
            left -= CUTS_A_LIFE
            wrong = one.judge()
            assert wrong == [], f"BAD seed {one.seed}: {wrong[:10]}\n{one.broker.said()[-3000:]}"
            cuts, answers = cuts + one.cuts, answers + answered(one.h)
    assert cuts["forgot something"] > CUTS // 4 and answers["acknowledged"] > 5 * CUTS, (cuts, answers)
    for name, count in [*cuts.items(), *answers.items()]:
        print(f"\n{name} {count}", end="")
    print(f"\n{CUTS} cuts, {(time.monotonic() - began) / CUTS * 1000:.0f} ms each: 0 lost, 0 doubled")


def test_a_disk_that_lies_about_its_syncs_is_found_out():
    """The proof that the test above can fail: what was synced is forgotten as well, and somebody notices."""
    with life(SEED) as one:
        one.cut(one.working)
        try:
            for _ in range(LYING_CUTS):
                one.cut(one.working, lies=True)
            noticed = one.judge()
        except Refuses as e:
            noticed = str(e).splitlines()
    assert noticed, f"{LYING_CUTS} times what was synced was lost, and nobody noticed"
    print(f"\nnoticed: {noticed[-1]}")
