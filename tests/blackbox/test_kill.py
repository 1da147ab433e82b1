"""kill -9, again and again, under load. What was acknowledged is there, and everything is there once."""
import json
import os
import random
import signal
import time
from collections import Counter

import whistle_pb2 as pb
import wl
from conftest import CTL, WHISTLED, Process, run
from world import COMMUNITY, DISTRICT, GRID, OTHER_GRID, report

KILLS = int(os.environ.get("KILLS", "200"))
WINDOWS = (1, 16, 64)                                   # one publisher each


class Publisher:
    """Keeps a window of commands in flight, and every command's bytes until it is answered."""

    def __init__(self, endpoint, window, seed):
        self.endpoint, self.window, self.chance = endpoint, window, random.Random(seed)
        self.name, self.front, self.flying = f"p{seed}", wl.Front(endpoint), {}
        self.made, self.done, self.refused, self.cases = 0, {}, Counter(), []

    def make(self):
        self.made += 1
        if self.cases and self.chance.random() < 0.4:
            command = pb.Note(case_id=self.chance.choice(self.cases), text=f"{self.name} {self.made}")
        else:
            command = report(self.chance.choice([GRID, OTHER_GRID]), external_id=f"{self.name}-{self.made}",
                             text="t" * self.chance.randint(1, 400))
        e = wl.envelope(command)
        self.flying[e.command_id] = (e.SerializeToString(), e.WhichOneof("command"), command)
        self.front.send(self.flying[e.command_id][0])

    def fill(self):
        while len(self.flying) < self.window:
            self.make()

    def hear(self, wait_s=0.0):
        while (r := self.front.reply(wait_s)) is not None:
            wait_s = 0
            kind = r.WhichOneof("reply")
            if kind == "refused":
                assert r.refused.code in wl.LATER, r
                self.refused[r.refused.name] += 1
                continue
            data = self.flying.pop(r.command_id, None)
            if data is None:
                assert self.done[r.command_id][0] == r.done, "the first reply again, and no other"
                continue
            self.done[r.command_id] = (r.done, data[1], data[2])
            if data[1] == "report":
                self.cases.append(r.done.case_id)

    def again(self):
        """A new connection, as after a crash of our own: everything unanswered is sent again."""
        self.front.close()
        self.front = wl.Front(self.endpoint)
        self.resend()

    def resend(self):
        for data, _, _ in self.flying.values():
            self.front.send(data)

    def finish(self, wait_s=30):
        until = time.monotonic() + wait_s
        while self.flying and time.monotonic() < until:
            self.hear(0.3)
            if self.flying:
                self.resend()
        assert not self.flying, f"{len(self.flying)} commands were never answered"


def check_once(publishers, replayed):
    """Each command's effect is in the journal exactly once, at the seq that was acknowledged."""
    at = {wl.last_seq(u): u for u in replayed}
    outside = Counter(e.reported.external_id for u in replayed for e in u.events if e.HasField("reported"))
    noted = sum(e.HasField("noted") for u in replayed for e in u.events)
    reports = notes = 0
    for p in publishers:
        for done, kind, command in p.done.values():
            u = at[done.seq]
            assert u.case_id == done.case_id and u.at_ms == done.at_ms
            if kind == "report":
                reports += 1
                assert u.events[0].reported.external_id == command.external_id and done.seq == done.case_id
            else:
                notes += 1
                assert wl.kinds(u) == ["noted"] and u.case_id == command.case_id
    assert all(n == 1 for n in outside.values()) and sum(outside.values()) == reports, "doubled or lost reports"
    assert noted == notes, "doubled or lost notes"
    assert len({done.seq for p in publishers for done, _, _ in p.done.values()}) == reports + notes
    return reports, notes


def check_resting(broker, replayed):
    """The tool that looks at the files themselves agrees: every byte, and every record."""
    verified = run(CTL, "verify", broker.data)
    assert verified.returncode == 0, verified
    printed = run(CTL, "--json", "replay", broker.data)
    assert printed.returncode == 0, printed.stderr
    records = [json.loads(line) for line in printed.stdout.splitlines()]
    ends = [0] + [int(r["first_seq"]) + len(r["events"]) - 1 for r in records]
    assert all(int(r["first_seq"]) == end + 1 for r, end in zip(records, ends)), "a gap in the journal"
    assert [end for r, end in zip(records, ends[1:]) if int(r.get("case_id", 0))] == [t.seq for t in replayed]


def updates(told):
    return [t for t in told if t.kind == pb.FEED_UPDATE]


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(make_broker):
    broker, chance = make_broker(segment_bytes="4MiB", checkpoint_idle_ms="50ms"), random.Random(20260214)
    publishers = [Publisher(broker.front, w, i) for i, w in enumerate(WINDOWS)]
    seen, position, began = [], 0, time.monotonic()
    for kill in range(KILLS):
        desk = broker.worker(pb.LEVEL_COMMUNITY, COMMUNITY)
        console = broker.console().subscribe(DISTRICT, from_seq=position)
        for p in publishers:
            p.again() if chance.random() < 0.3 else p.resend()
        until = time.monotonic() + chance.uniform(0.0, 0.05)
        while time.monotonic() < until:
            for p in publishers:
                p.fill()
                p.hear()
            desk.serve()
            publishers[0].hear(0.001)
        broker.kill()
        try:
            while True:
                seen += updates([console.next(0)])
        except wl.Silence:
            pass
        position = console.seq
        desk.close()
        console.close()
        broker.start()
    cycle_ms = (time.monotonic() - began) / max(1, KILLS) * 1000
    for p in publishers:
        p.finish()
    desk = broker.worker(pb.LEVEL_COMMUNITY, DISTRICT, credit=500)
    until = time.monotonic() + 30 + KILLS / 2
    while any(c.state == pb.STATE_REPORTED for c in publishers[0].front.cases(DISTRICT)):
        assert time.monotonic() < until, "the desk has not decided them all: what follows would not be at rest"
        desk.serve(0.2)

    status = publishers[0].front.status()
    with wl.Console(broker.feed) as console:
        replayed = updates(console.subscribe(DISTRICT).until_live(60))
    with wl.Console(broker.feed) as console:
        seen += updates(console.subscribe(DISTRICT, from_seq=position).until_live(60))
    told, journaled = ([(t.seq, t.bytes) for t in them] for them in (seen, replayed))
    assert told == journaled, "the console that lived through it all was told all of it, once"
    reports, notes = check_once(publishers, [t.update for t in replayed])
    dispatched = Counter(t.update.case_id for t in replayed for k in wl.kinds(t.update) if k == "dispatched")
    assert len(dispatched) == reports == status.cases_all
    assert set(dispatched.values()) == {1}, "each offered case was decided once"
    assert status.broker.epoch == KILLS + 1
    for p in publishers:
        p.front.close()
    broker.kill()
    check_resting(broker, replayed)
    print(f"\n{KILLS} kills, {cycle_ms:.0f} ms a cycle; {reports} reports, {notes} notes, {len(replayed)} records: "
          "0 lost, 0 doubled")


def test_a_broker_killed_before_it_ever_served_starts_again(make_broker):
    """At a random moment of its first start, when the store is being made."""
    chance = random.Random(3)
    for i in range(25):
        broker = make_broker(f"k{i}", start=False)
        process = Process([WHISTLED, *broker.arguments()], broker.folder / "log")
        time.sleep(chance.uniform(0, 0.06))
        process.child.send_signal(signal.SIGKILL)
        process.child.wait()
        broker.start()
        assert broker.client().call(report()).case_id
        broker.close()
