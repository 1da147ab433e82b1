"""A broker that is killed, cut off, filled up and set ahead, and what its clients were told meanwhile. Then the judge's own
test: the same history, changed a little, is never believed."""
import copy
import random
import time

import pytest

import history
import whistle_pb2 as pb
import wl
from conftest import Broker, Skew, fill, scratch, small_disk
from world import COMMUNITY, DISTRICT, GRID, GRID_WORKER, HOUR, OTHER_GRID, OTHER_STREET, report

ROUNDS = 20
WINDOW = 3
AHEAD_MS = 5 * HOUR


class App:
    """Keeps some commands in flight, writes down what it sends and hears, sends again what has no answer."""

    def __init__(self, h, endpoint, seed):
        self.h, self.endpoint, self.chance = h, endpoint, random.Random(seed)
        self.name, self.made, self.flying, self.cases = f"a{seed}", 0, {}, []
        self.front = wl.Front(endpoint)

    def command(self):
        self.made += 1
        if self.cases and self.chance.random() < 0.5:
            case = self.chance.choice(self.cases)
            if self.chance.random() < 0.5:
                return pb.Note(case_id=case, text=f"{self.name} {self.made}")
            kind = self.chance.choice([pb.ANSWER_ACCEPT, pb.ANSWER_DONE, pb.ANSWER_DECLINE])
            return pb.Answer(case_id=case, stage=1, attempt=1, party=GRID_WORKER, kind=kind)
        return report(self.chance.choice([GRID, OTHER_GRID]), external_id=f"{self.name}-{self.made}")

    def act(self):
        while len(self.flying) < WINDOW:
            e = wl.envelope(self.command())
            self.flying[e.command_id] = e.SerializeToString()
            self.h.sent(e.command_id, self.flying[e.command_id])
            self.front.send(self.flying[e.command_id])
        self.hear()

    def hear(self, wait_s=0.0):
        while (r := self.front.reply(wait_s)) is not None:
            self.h.replied(r)
            if r.HasField("refused") and r.refused.code in wl.LATER:
                continue
            self.flying.pop(r.command_id, None)
            if r.HasField("done"):
                self.cases = (self.cases + [r.done.case_id])[-20:]

    def again(self):
        """Everything that has no answer, and now and then what has one."""
        self.front.close()
        self.front = wl.Front(self.endpoint)
        old = self.chance.sample(sorted(self.h.commands), min(3, len(self.h.commands)))
        for data in [*self.flying.values(), *(self.h.commands[id][0] for id in old)]:
            self.front.send(data)

    def finish(self):
        until = time.monotonic() + 30
        while self.flying and time.monotonic() < until:
            for data in self.flying.values():
                self.front.send(data)
            self.hear(0.5)
        assert not self.flying


class Watcher:
    """A console that writes down every numbered frame, and resumes at the last seq it has."""

    def __init__(self, h, endpoint, clock, *prefixes):
        self.endpoint, self.clock, self.prefixes, self.sessions = endpoint, clock, prefixes, []
        self.at, self.console = 0, None
        h.consoles.append([prefixes, self.sessions])

    def connect(self):
        if self.console:
            self.hear()
            self.console.close()
        self.sessions.append([self.at, []])
        self.console = wl.Console(self.endpoint).subscribe(*self.prefixes, from_seq=self.at)

    def hear(self, until_live=False):
        try:
            while True:
                told = self.console.next(10 if until_live else 0)
                frame = history.Frame(told.session_seq, told.kind, told.seq, told.bytes, self.clock())
                self.sessions[-1][1].append(frame)
                if told.update is not None:
                    self.at = told.seq
                if until_live and told.kind == pb.FEED_LIVE:
                    return
        except wl.Silence:
            assert not until_live


def whole_journal(broker):
    with wl.Console(broker.feed) as console:
        told = console.subscribe(DISTRICT).until_live(60)
    return [(t.seq, t.bytes) for t in told if t.update is not None]


class Trouble:
    """What happens to a broker, by name, in turn."""

    def __init__(self, broker, disk, skew):
        self.broker, self.disk, self.skew, self.ahead_ms = broker, disk, skew, 0

    def clock(self):
        return wl.now_ms() + self.ahead_ms

    def kill(self):
        self.broker.kill()
        self.broker.start()

    def cut(self):
        """Links only: whoever calls connects anew."""

    def fill(self):
        fill(self.disk)
        time.sleep(0.05)
        (self.disk / "ballast").unlink()

    def ahead(self):
        self.ahead_ms += AHEAD_MS
        self.skew(self.ahead_ms, synchronised=True)


def live_through(broker, trouble):
    h, chance = history.History(), random.Random(5)
    apps = [App(h, broker.front, seed) for seed in (1, 2)]
    watchers = [Watcher(h, broker.feed, trouble.clock, *p) for p in ((DISTRICT,), (COMMUNITY,), (OTHER_STREET, GRID))]
    troubles = [trouble.kill, trouble.cut, trouble.ahead, trouble.fill]
    for turn in range(ROUNDS):
        desk = broker.worker(pb.LEVEL_COMMUNITY, COMMUNITY)
        for w in watchers:
            w.connect()
        until = time.monotonic() + chance.uniform(0.05, 0.15)
        while time.monotonic() < until:
            for one in apps:
                one.act()
            desk.serve(0.002)
            for w in watchers:
                w.hear()
        desk.close()
        troubles[turn % len(troubles)]()
        for one in apps:
            one.again()
    for one in apps:
        one.finish()
        one.front.close()
    time.sleep(1.5)                                      # deadlines that the last turn of the clock made due
    h.journal, h.again = whole_journal(broker), whole_journal(broker)
    for w in watchers:
        w.connect()
        w.hear(until_live=True)
        w.console.close()
    return h


@pytest.fixture(scope="module")
def lived():
    """One history, for all that follows."""
    with scratch() as folder, small_disk(folder, 64) as disk:
        skew = Skew(folder)
        broker = Broker(folder / "b", data=disk / "store", environment=skew.environment, map_bytes="32MiB",
                        checkpoint_idle_ms="50ms")
        try:
            yield live_through(broker.start(), Trouble(broker, disk, skew))
            assert "bug.check" not in broker.said(), broker.said()[-2000:]
        finally:
            broker.close()


def test_what_clients_were_told_through_kills_cuts_full_disks_and_turned_clocks_is_true(lived):
    assert history.check(lived) == []
    done = sum(any(pb.Reply.FromString(r).HasField("done") for r in replies) for _, replies in lived.commands.values())
    again = sum(len(replies) > 1 for _, replies in lived.commands.values())
    fired = [history.event_of(e)[0] for _, body in lived.journal for e in pb.Update.FromString(body).events
             if history.fired_by(*history.event_of(e))]
    assert done > 100 and again > 10 and len(fired) > 10, (done, again, len(fired))
    print(f"\n{done} commands acknowledged, {again} answered again, {len(lived.journal)} updates, {len(fired)} clocks")


# ---- the judge's own test: each change must be noticed, by the promise it breaks -------------------------------------

def change(body, edit):
    u = pb.Update.FromString(body)
    edit(u)
    return u.SerializeToString()


def everywhere(h, seq, edit):
    """The same lie told to everybody."""
    h.journal[:] = [(s, change(b, edit) if s == seq else b) for s, b in h.journal]
    h.again = list(h.journal)
    for _, sessions in h.consoles:
        for session in sessions:
            session[1] = [f._replace(body=change(f.body, edit)) if f.seq == seq and f.body else f for f in session[1]]


def forget(h, seq):
    h.journal[:] = [(s, b) for s, b in h.journal if s != seq]
    h.again = list(h.journal)


def first(h, wanted):
    """The first update that has such an event, whole."""
    for seq, body in h.journal:
        for e in pb.Update.FromString(body).events:
            if wanted(*history.event_of(e)):
                return seq
    raise AssertionError("the history has no such event")


def longest(h, number=0):
    return max(h.consoles[number][1], key=lambda session: len(session[1]))[1]


def updates_in(frames):
    return [i for i, f in enumerate(frames) if f.kind == pb.FEED_UPDATE]


def acknowledged_and_gone(h):
    seq = first(h, lambda kind, _: kind == "noted")
    forget(h, seq)


def acknowledged_with_another_seq(h):
    for entry in h.commands.values():
        for i, data in enumerate(entry[1]):
            r = pb.Reply.FromString(data)
            if r.HasField("done"):
                r.done.seq = r.done.seq + 1
                entry[1][:] = [r.SerializeToString()]
                return


def repeat_with_another_answer(h):
    for entry in h.commands.values():
        r = pb.Reply.FromString(entry[1][0]) if entry[1] else pb.Reply()
        if r.HasField("done"):
            r.done.at_ms += 1
            entry[1].append(r.SerializeToString())
            return


def refused_after_it_was_taken(h):
    for entry in h.commands.values():
        r = pb.Reply.FromString(entry[1][0]) if entry[1] else pb.Reply()
        if r.HasField("done"):
            entry[1].append(pb.Reply(command_id=r.command_id,
                                     refused=pb.Refused(code=pb.REFUSED_CASE_CLOSED)).SerializeToString())
            return


def noted_twice(h):
    seq = first(h, lambda kind, _: kind == "noted")
    twin = pb.Update.FromString(dict(h.journal)[seq])
    twin.first_seq = h.journal[-1][0] + 1
    h.journal.append((twin.first_seq, twin.SerializeToString()))
    h.again = list(h.journal)


def reported_twice(h):
    seq, body = h.journal[-1]
    twin = next(pb.Update.FromString(b) for _, b in h.journal
                if history.event_of(pb.Update.FromString(b).events[0])[0] == "reported")
    twin.first_seq = twin.case_id = seq + 1
    h.journal.append((seq + 1, twin.SerializeToString()))
    h.again = list(h.journal)


def fires_early(h):
    def earlier(u):
        u.at_ms -= 12 * HOUR
    everywhere(h, first(h, lambda kind, body: history.fired_by(kind, body) != 0), earlier)


def fires_twice(h):
    seq = first(h, lambda kind, body: kind == "escalated" and history.fired_by(kind, body) != 0)
    at = [s for s, _ in h.journal].index(seq)
    twin = pb.Update.FromString(h.journal[at][1])
    del twin.events[:-1]
    twin.first_seq = seq + 1
    h.journal.insert(at + 1, (seq + 1, twin.SerializeToString()))
    h.again = list(h.journal)


def without_a_clock(h):
    def silent(u):
        for e in u.events:
            history.event_of(e)[1].ClearField("timers")
    everywhere(h, first(h, lambda kind, body: kind == "reported"), silent)


def no_such_arrow(h):
    def closed(u):
        u.events[0].closed.SetInParent()
    everywhere(h, first(h, lambda kind, _: kind == "dispatched"), closed)


def journal_told_otherwise(h):
    h.again[-1] = (h.again[-1][0], h.again[-2][1])


def frame_dropped(h):
    frames = longest(h)
    del frames[updates_in(frames)[len(frames) // 3]]


def frame_dropped_and_renumbered(h):
    frames = longest(h)
    del frames[updates_in(frames)[len(frames) // 3]]
    frames[:] = [f._replace(session_seq=n) for n, f in enumerate(frames, 1)]


def frame_repeated(h):
    frames = longest(h)
    at = updates_in(frames)[1]
    frames.insert(at, frames[at])
    frames[:] = [f._replace(session_seq=n) for n, f in enumerate(frames, 1)]


def frames_swapped(h):
    frames = longest(h)
    a, b = updates_in(frames)[:2]
    frames[a], frames[b] = frames[b]._replace(session_seq=a + 1), frames[a]._replace(session_seq=b + 1)


def heard_before_it_was(h):
    frames = longest(h)
    at = updates_in(frames)[0]
    frames[at] = frames[at]._replace(heard_ms=frames[at].heard_ms - HOUR)


def from_outside(h):
    outside = next((s, b) for s, b in h.journal if not str(pb.Update.FromString(b).division).startswith(str(COMMUNITY)))
    h.consoles[1][1].insert(0, [0, [history.Frame(1, pb.FEED_UPDATE, *outside, wl.now_ms() * 2)]])


MUTATIONS = {
    acknowledged_and_gone: "P1", acknowledged_with_another_seq: "P1",
    repeat_with_another_answer: "P2", refused_after_it_was_taken: "P2", noted_twice: "P2", reported_twice: "P2",
    fires_early: "P3", fires_twice: "P3", without_a_clock: "P3", heard_before_it_was: "P3",
    no_such_arrow: "P4", journal_told_otherwise: "P4",
    frame_dropped: "P5", frame_dropped_and_renumbered: "P5", frame_repeated: "P5", frames_swapped: "P5", from_outside: "P5",
}


@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda f: f.__name__)
def test_a_changed_history_is_not_believed(lived, mutate):
    changed = copy.deepcopy(lived)
    mutate(changed)
    named = {line.split()[0] for line in history.check(changed)}
    assert MUTATIONS[mutate] in named, named
