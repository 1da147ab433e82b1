"""What clients were told, and whether it can be true: a judge that shares no code with the broker or with wl.py.

A History is written down while brokers are killed, links cut, disks filled, clocks turned: each command's bytes and each
reply to it, each console's subscriptions and frames, with the time when they were heard. check() takes it and docs/lifecycle.md,
and answers with what breaks one of the five promises of docs/design.md, each line beginning with the promise's name:

  P1  what was acknowledged is in the journal at that seq, as that command, of that case, at that instant
  P2  every answer to a command is the first answer; no two commands share a seq; what was reported once is there once
  P3  a clock fires when it is due and not before, once; an open case has a clock at all times
  P4  the journal told twice is the same bytes, in order
  P5  a console is told every update of its divisions, in order, without a gap or a repeat, none from outside

A case's state is followed along the arrows of docs/lifecycle.md, by its table; where no arrow leads, that is P4: the same
journal does not give a state. All is judged from docs/protocol.md and docs/lifecycle.md.
"""
import re
from collections import Counter, namedtuple
from itertools import dropwhile
from pathlib import Path

import whistle_pb2 as pb

LIFECYCLE = Path(__file__).resolve().parents[2] / "docs/lifecycle.md"
OPEN = {"reported", "accepted", "dispatched", "handling", "resolved", "suspended", "followup", "transferred"}
EFFECTS = {"report": "reported", "note": "noted", "self_handle": "self_handled"}
NOT_NOW = (pb.REFUSED_BUSY, pb.REFUSED_RETRY_LATER, pb.REFUSED_STOPPING)
CLOCK_MS = 2000                                          # what two clocks of one machine may differ by

# Which clocks run in a state ("clocks that run", and the timers' own table, in docs/lifecycle.md). A reminder goes
# with any limit; on the last level there is supervision.
ANYWHERE = {pb.TIMER_REMIND, pb.TIMER_SUPERVISE}
RUNS = {
    "reported": {pb.TIMER_DESK, pb.TIMER_PROMISE} | ANYWHERE,
    "accepted": {pb.TIMER_DESK, pb.TIMER_PROMISE, pb.TIMER_HANDLING} | ANYWHERE,
    "dispatched": {pb.TIMER_ACCEPT, pb.TIMER_HANDLING, pb.TIMER_PROMISE} | ANYWHERE,
    "handling": {pb.TIMER_HANDLING, pb.TIMER_PROMISE} | ANYWHERE,
    "resolved": {pb.TIMER_VERIFY} | ANYWHERE,
    "suspended": set(pb.TimerKind.values()),
    "followup": {pb.TIMER_FOLLOWUP} | ANYWHERE,
    "transferred": {pb.TIMER_TRANSFER} | ANYWHERE,
}

Frame = namedtuple("Frame", "session_seq kind seq body heard_ms")


class History:
    def __init__(self):
        self.commands = {}                               # id -> [bytes sent, [bytes of each Reply]]
        self.consoles = []                               # [prefixes, [[from_seq, [Frame]]]]
        self.journal, self.again = [], []                # the whole district's updates, told twice: [(seq, body)]

    def sent(self, id, data):
        self.commands.setdefault(id, [data, []])

    def replied(self, reply):
        if reply.command_id in self.commands:
            self.commands[reply.command_id][1].append(reply.SerializeToString())


def arrows(path=LIFECYCLE):
    """event -> [(from states or {None} for a new case, to states or None: as it was)], from the page's own table."""
    found = {}
    for line in path.read_text().splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) < 6 or not re.fullmatch(r"\d+", cells[0]):
            continue
        come = {None} if cells[3] == "(new)" else set(cells[3].split(", "))
        go = None if cells[4] == "-" else set(cells[4].split(", "))
        found.setdefault(cells[2].replace("-", "_"), []).append((come, go))
    return found


def covers(prefix, division):
    return str(division).startswith(str(prefix))


def last_of(update):
    return update.first_seq + len(update.events) - 1


def event_of(e):
    kind = e.WhichOneof("event")
    return kind, getattr(e, kind)


# ---- P3 and the arrows -----------------------------------------------------------------------------------------------

class Case:
    """What the page says of a case that has come this far: in which states it may be, and which clocks run."""

    def __init__(self):
        self.states, self.clocks, self.division, self.asked = {None}, {}, 0, set()

    def step(self, table, kind, body):
        to = set()
        for come, go in table.get(kind, []):
            here = self.states & come
            to |= (here if go is None else go) if here else set()
        self.states = to
        return bool(to)

    def settle(self, kind, body):
        """Clocks that the event sets, and those that do not run where the case is now."""
        if kind in ("escalated", "dispatched", "delegated"):
            self.clocks = {k: d for k, d in self.clocks.items() if k == pb.TIMER_PROMISE}
        for t in getattr(body, "timers", []):
            self.clocks[t.kind] = None if t.stopped else t.due_ms
        may_run = set().union(*(RUNS.get(s, set()) for s in self.states))
        self.clocks = {k: d for k, d in self.clocks.items() if k in may_run}


def fired_by(kind, body):
    """The clock that an event says has run out; NONE: a person's doing."""
    if kind == "reminded":
        return pb.TIMER_NONE if body.party else pb.TIMER_REMIND
    if kind == "resumed":
        return pb.TIMER_NONE if body.party or not body.HasField("late_ms") else pb.TIMER_REVIEW
    return getattr(body, "fired", pb.TIMER_NONE) if kind in ("escalated", "supervised") else pb.TIMER_NONE


def check_clock(case, u, kind, body):
    clock = fired_by(kind, body)
    if clock == pb.TIMER_NONE:
        return []
    name, due = pb.TimerKind.Name(clock), case.clocks.pop(clock, None)
    where = f"case {u.case_id}, seq {last_of(u)}"
    if due is None:
        return [f"P3 {where}: {name} fires and does not run, or fired before"]
    if u.at_ms < due:
        return [f"P3 {where}: {name} fires {due - u.at_ms} ms early"]
    if body.HasField("late_ms") and body.late_ms != u.at_ms - due:
        return [f"P3 {where}: {name} says it is {body.late_ms} ms late, and is {u.at_ms - due}"]
    return []


def check_update(case, table, u):
    wrong = []
    for e in u.events:
        kind, body = event_of(e)
        wrong += check_clock(case, u, kind, body)
        came = case.states
        if not case.step(table, kind, body):
            wrong.append(f"P4 case {u.case_id}, seq {last_of(u)}: no arrow {kind} leads from {sorted(map(str, came))}")
            case.states = set().union(*(go or set() for _, go in table.get(kind, []))) or came
        case.settle(kind, body)
        case.asked |= {int(a.party.partition("@")[2] or 0) for a in getattr(body, "asks", [])}
    case.division = u.division
    if case.states <= OPEN and not any(due is not None for due in case.clocks.values()):
        if not any(event_of(e)[0] == "transfer_acknowledged" for e in u.events):
            wrong.append(f"P3 case {u.case_id}, seq {last_of(u)}: open ({sorted(case.states)}), and no clock runs")
    return wrong


def check_journal(h, table):
    wrong, cases, last = [], {}, 0
    for (seq, body), twin in zip(h.journal, h.again):
        u = pb.Update.FromString(body)
        if (seq, body) != twin:
            wrong.append(f"P4 seq {seq}: told again, it is another")
        if u.first_seq <= last or last_of(u) != seq:
            wrong.append(f"P4 seq {seq}: out of order behind {last}")
        last = seq
        wrong += check_update(cases.setdefault(u.case_id, Case()), table, u)
    if len(h.journal) != len(h.again):
        wrong.append(f"P4 told again, the journal has {len(h.again)} updates and not {len(h.journal)}")
    return wrong, cases


# ---- P1 and P2 -------------------------------------------------------------------------------------------------------

def check_command(id, data, done, at):
    envelope = pb.Envelope.FromString(data)
    verb, u = envelope.WhichOneof("command"), at.get(done.seq)
    name = f"{verb} {id.hex()}, acknowledged at seq {done.seq}"
    if u is None:
        return [f"P1 {name}: is not in the journal"]
    kind, body = event_of(u.events[0])
    if (u.case_id, u.at_ms) != (done.case_id, done.at_ms):
        return [f"P1 {name}: the journal has another case or instant there"]
    if verb in EFFECTS and kind != EFFECTS[verb]:
        return [f"P1 {name}: the journal has {kind} there"]
    if verb == "report" and body.external_id != envelope.report.external_id:
        return [f"P1 {name}: another report stands there"]
    return []


def refused_after_done(told):
    """For good: "not now" is no answer, and what was refused first may be taken later."""
    since = dropwhile(lambda r: not r.HasField("done"), told)
    return any(r.HasField("refused") and r.refused.code not in NOT_NOW for r in since)


def check_commands(h):
    """Every command has had its answer by now, so what was not acknowledged has no effect either."""
    wrong, taken, notes = [], Counter(), 0
    at = {seq: pb.Update.FromString(body) for seq, body in h.journal}
    for id, (data, replies) in h.commands.items():
        told = [pb.Reply.FromString(r) for r in replies]
        done = [r.done for r in told if r.HasField("done")]
        if any(d != done[0] for d in done) or refused_after_done(told):
            wrong.append(f"P2 {id.hex()}: a repeat was answered otherwise than the first")
        if done:
            taken[done[0].seq] += 1
            notes += pb.Envelope.FromString(data).HasField("note")
            wrong += check_command(id, data, done[0], at)
    wrong += [f"P2 seq {seq}: {n} commands were acknowledged with it" for seq, n in taken.items() if n > 1]
    noted = sum(event_of(e)[0] == "noted" for u in at.values() for e in u.events)
    if noted != notes:
        wrong.append(f"P2 {notes} notes were acknowledged, and {noted} are in the journal")
    reported = Counter(event_of(u.events[0])[1].external_id for u in at.values()
                       if event_of(u.events[0])[0] == "reported" and event_of(u.events[0])[1].external_id)
    return wrong + [f"P2 {x}: reported once, and {n} times in the journal" for x, n in reported.items() if n > 1]


# ---- P5 --------------------------------------------------------------------------------------------------------------

def check_session(name, from_seq, frames, truth):
    """Within one subscription: counted without a gap, forward, and what the journal has."""
    wrong, last = [], from_seq
    for n, f in enumerate(frames, 1):
        if f.session_seq != n:
            return wrong + [f"P5 {name}: session_seq {f.session_seq} where {n} was due"]
        if f.kind not in (pb.FEED_UPDATE, pb.FEED_LEFT):
            continue
        if f.seq <= last:
            wrong.append(f"P5 {name}: seq {f.seq} behind {last}: a repeat, or out of order")
        last = f.seq
        if truth.get(f.seq) != f.body:
            wrong.append(f"P5 {name}: seq {f.seq} is not what the journal has")
        at_ms = pb.Update.FromString(f.body).at_ms
        if at_ms > f.heard_ms + CLOCK_MS:
            wrong.append(f"P3 {name}: seq {f.seq} was heard {at_ms - f.heard_ms} ms before its instant")
    return wrong


def check_console(number, prefixes, sessions, truth, cases):
    name, wrong, seen, at = f"console {number}", [], set(), 0
    for from_seq, frames in sessions:
        if from_seq < at:
            wrong.append(f"P5 {name}: resumed at {from_seq} and had {at}")
        wrong += check_session(name, from_seq, frames, truth)
        told = [f.seq for f in frames if f.kind in (pb.FEED_UPDATE, pb.FEED_LEFT)]
        seen |= set(told)
        at = max([at, *told])
    for seq, body in truth.items():
        u = pb.Update.FromString(body)
        case = cases[u.case_id]
        here = any(covers(p, u.division) for p in prefixes)
        asked = any(covers(p, d) for p in prefixes for d in case.asked)
        if here and seq <= at and seq not in seen:
            wrong.append(f"P5 {name}: seq {seq} was never told")
        if seq in seen and not here and not asked:
            wrong.append(f"P5 {name}: seq {seq} is from outside")
    return wrong


def check(h, table=None):
    """Every line is a broken promise; none: it may have been so."""
    wrong, cases = check_journal(h, table or arrows())
    wrong += check_commands(h)
    truth = dict(h.journal)
    for number, (prefixes, sessions) in enumerate(h.consoles):
        wrong += check_console(number, prefixes, sessions, truth, cases)
    return wrong
