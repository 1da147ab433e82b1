"""Many cases, one decision, two persons; and a broker that takes nothing new."""
import hashlib
import struct

import pytest

import whistle_pb2 as pb
import wl
from world import (DAY, GRID, GRID_LEADER, GRID_WORKER, MONDAY, OTHER_GRID, OTHER_STREET, Clock, accept,
                   at_cursor, awaited, dispatch, done, events_of, report)

LI, WANG = "0417", "0502"


def digest_of(*cases):
    ids = b"".join(struct.pack("<Q", id) for id in sorted(cases))
    return hashlib.blake2b(ids, digest_size=32).digest()


def ask(verb, *cases, **more):
    return pb.AskBatch(**{**dict(verb=verb, cases=len(cases), digest=digest_of(*cases)), **more})


def confirm(batch, *cases, **more):
    return pb.ConfirmBatch(**{**dict(batch=batch, digest=digest_of(*cases)), **more})


def two_persons(front, verb, *cases):
    """A batch that both have said yes to; its id."""
    batch = wl.uuid7()
    front.call(ask(verb, *cases), id=batch, by=LI)
    front.call(confirm(batch, *cases), by=WANG)
    return batch


def refused(front, name, command, **more):
    with pytest.raises(wl.Refusal) as why:
        front.call(command, **more)
    assert why.value.name == name, why.value
    return why.value.field


def cases_of(front, count=3, **more):
    return [front.call(report(**more)).case_id for _ in range(count)]


# ---- two persons -----------------------------------------------------------------------------------------------------

def test_what_two_persons_confirm_is_carried_out_on_so_many_cases(make_broker):
    broker = make_broker()
    front, batch = broker.client(), wl.uuid7()
    cases = cases_of(front)
    asked = wl.envelope(ask(pb.BATCH_CLOSE, *cases), id=batch, by=LI)
    first = front.ask(asked)
    assert (first.done.case_id, first.done.number) == (0, "") and front.ask(asked) == first
    assert refused(front, "BATCH_NOT_CONFIRMED", pb.CloseCase(case_id=cases[0]), by=LI, batch=batch) == "batch"
    view = front.call(pb.ShowBatch(batch=batch))
    assert (view.verb, view.cases, view.done, view.by, view.confirmed_by) == (pb.BATCH_CLOSE, 3, 0, LI, "")
    assert view.asked_at_ms == first.done.at_ms and view.expires_at_ms == view.asked_at_ms + 7 * DAY
    broker.restart()

    yes = wl.envelope(confirm(batch, *cases), by=WANG)
    first = front.ask(yes, wait_s=20)
    assert first.WhichOneof("reply") == "done" and front.ask(yes) == first
    for case in cases:
        e = wl.envelope(pb.CloseCase(case_id=case, text="清理积案"), by=LI, batch=batch)
        first = front.ask(e)
        assert front.ask(e) == first and first.done.case_id == case, "it counts once"
    broker.restart()
    view = wl.Front(broker.front).call(pb.ShowBatch(batch=batch), wait_s=20)
    assert (view.done, view.confirmed_by) == (3, WANG) and view.confirmed_at_ms
    case, story = front.show(cases[0])
    assert case.state == pb.STATE_CLOSED and (story[-1].by, story[-1].batch) == (LI, batch)
    assert [e.cause for _, e in events_of(story, "closed")] == [pb.CAUSE_BATCH]
    assert refused(front, "BATCH_SPENT", pb.CloseCase(case_id=cases_of(front, 1)[0]), by=LI, batch=batch) == "batch"


def test_what_a_batch_is_refused_for(office):
    front, batch = office.client(), wl.uuid7()
    cases = cases_of(front)
    assert refused(front, "FIELD_MISSING", ask(pb.BATCH_VOID, *cases)) == "by"
    assert refused(front, "FIELD_MISSING", ask(pb.BATCH_NONE, *cases), by=LI) == "verb"
    assert refused(front, "FIELD_RANGE", ask(pb.BATCH_VOID), by=LI) == "cases"
    assert refused(front, "FIELD_RANGE", ask(pb.BATCH_VOID, *cases, cases=100001), by=LI) == "cases"
    assert refused(front, "FIELD_RANGE", ask(pb.BATCH_VOID, *cases, digest=b"x"), by=LI) == "digest"
    assert refused(front, "BATCH_SPENT", ask(pb.BATCH_VOID, *cases), by=LI, batch=batch) == "batch"
    assert refused(front, "NO_SUCH_BATCH", confirm(batch, *cases), by=WANG) == "batch"
    assert refused(front, "FIELD_RANGE", confirm(b"x", *cases), by=WANG) == "batch"
    assert refused(front, "NO_SUCH_BATCH", pb.ShowBatch(batch=batch)) == "batch"
    assert refused(front, "FIELD_RANGE", pb.ShowBatch(batch=b"x")) == "batch"
    assert refused(front, "NO_SUCH_BATCH", pb.VoidCase(case_id=cases[0]), by=LI, batch=batch) == "batch"

    front.call(ask(pb.BATCH_VOID, *cases), id=batch, by=LI)
    assert refused(front, "CONFLICT", ask(pb.BATCH_VOID, *cases[:1]), id=batch, by=LI) == "command_id"
    assert refused(front, "FIELD_MISSING", confirm(batch, *cases)) == "by"
    assert refused(front, "SAME_PERSON", confirm(batch, *cases), by=LI) == "by"
    assert refused(front, "FIELD_RANGE", confirm(batch, *cases[:2]), by=WANG) == "digest"
    front.call(confirm(batch, *cases), by=WANG)
    assert refused(front, "NOTHING_PENDING", confirm(batch, *cases), by="0603") == "batch"
    assert refused(front, "BATCH_SPENT", pb.CloseCase(case_id=cases[0]), by=LI, batch=batch) == "batch"
    assert refused(front, "BATCH_SPENT", pb.Note(case_id=cases[0], text="x"), by=LI, batch=batch) == "batch"
    assert refused(front, "NO_SUCH_CASE", pb.VoidCase(case_id=1 << 40), by=LI, batch=batch) == "case_id"
    assert front.call(pb.ShowBatch(batch=batch)).done == 0, "a refusal counts nothing"
    assert refused(front, "BATCH_NOT_CONFIRMED", pb.CloseCase(case_id=cases[0]), by=LI) == "batch"


def test_every_verb_of_a_batch_does_what_it_says(office):
    front = office.client()
    a, b = cases_of(front, 2)
    batch = two_persons(front, pb.BATCH_CORRECT, a, b)
    for case in a, b:
        front.call(pb.Correct(case_id=case, category="E0103"), by=LI, batch=batch)
        assert front.show(case)[0].category == "E0103"
        front.call(dispatch(front.show(case)[0], GRID_WORKER))
    batch = two_persons(front, pb.BATCH_HAND_OVER, a, b)
    for case in a, b:
        front.call(pb.HandOver(**{"case_id": case, "from": GRID_WORKER, "to": GRID_LEADER}), by=LI, batch=batch)
        assert awaited(front.show(case)[0]).party == GRID_LEADER
    batch = two_persons(front, pb.BATCH_REASSIGN, a, b)
    for case in a, b:
        again = [pb.AskedParty(party=GRID_WORKER)]
        front.call(pb.Reassign(parties=again, **at_cursor(front.show(case)[0])), by=LI, batch=batch)
        assert awaited(front.show(case)[0]).party == GRID_WORKER
    batch = two_persons(front, pb.BATCH_MOVE, a, b)
    assert refused(front, "NO_CHANGE", pb.MoveCase(case_id=a), by=LI, batch=batch) == "case_id"
    batch = two_persons(front, pb.BATCH_VOID, a, b)
    assert refused(front, "FIELD_MISSING", pb.VoidCase(case_id=a), batch=batch) == "by"
    for case in a, b:
        front.call(pb.VoidCase(case_id=case), by=LI, batch=batch)
        assert front.show(case)[0].state == pb.STATE_VOID, "the two have said so already"


def test_a_batch_is_over_after_a_week(make_broker):
    front = make_broker(drill=True, drill_start_ms=MONDAY).client()
    clock = Clock(front)
    case = clock.do(report()).case_id
    late, timely = wl.uuid7(MONDAY, "late"), wl.uuid7(MONDAY, "timely")
    for batch in late, timely:
        clock.do(ask(pb.BATCH_CLOSE, case), id=batch, by=LI)
    clock.do(confirm(timely, case), after=7 * DAY, by=WANG)
    with pytest.raises(wl.Refusal, match="TOO_LATE batch"):
        clock.do(confirm(late, case), after=1, by=WANG)
    with pytest.raises(wl.Refusal, match="TOO_LATE batch"):
        clock.do(pb.CloseCase(case_id=case), after=7 * DAY, by=LI, batch=timely)


def test_a_batch_moves_cases_between_divisions_and_live_is_what_is_replayed(broker):
    front = broker.client()
    consoles = [broker.console().subscribe(p) for p in (610402006, OTHER_STREET, 610402)]
    for console in consoles:
        console.until_live()
    cases = cases_of(front, 20)
    batch, last = two_persons(front, pb.BATCH_CORRECT, *cases), 0
    for case in cases:
        last = front.call(pb.Correct(case_id=case, place=pb.Place(division=OTHER_GRID)), by=LI, batch=batch).seq
        front.call(dispatch(front.show(case)[0], f"grid-worker@{OTHER_GRID}"))
        if case % 2:
            last = front.call(pb.Correct(case_id=case, place=pb.Place(division=GRID)), by=LI).seq
    for console, prefix in zip(consoles, (610402006, OTHER_STREET, 610402)):
        live = [(t.kind, t.seq, t.bytes) for t in console.until_seq(last)]
        with wl.Console(broker.feed) as again:
            replayed = again.subscribe(prefix).until_live()
        told = [(t.kind, t.seq, t.bytes) for t in replayed if t.update]
        assert told[:len(live)] == live and {t.update.case_id for t in replayed if t.update} == set(cases)
        mine, left = {c.case_id for c in front.cases(prefix)}, {}
        for t in replayed:
            if t.update:
                left[t.update.case_id] = t.left
        asked = set(cases) if prefix == OTHER_STREET else set()
        assert {c for c in cases if not left[c]} == mine | asked, "left, unless it is here or its party is asked"


# ---- draining --------------------------------------------------------------------------------------------------------

def test_a_draining_broker_takes_nothing_new_and_finishes_what_it_has(make_broker):
    broker = make_broker()
    front = broker.client()
    first = wl.envelope(report())
    told = front.ask(first)
    case = front.show(told.done.case_id)[0]
    assert refused(front, "FIELD_MISSING", pb.Drain(on=True)) == "by"
    assert refused(front, "FIELD_MISSING", pb.Drain(), by=LI) == "on"
    assert refused(front, "NO_CHANGE", pb.Drain(on=False), by=LI) == "on"
    on = wl.envelope(pb.Drain(on=True), by=LI)
    reply = front.ask(on)
    assert reply.done.case_id == 0 and front.ask(on) == reply and front.status().draining

    new = wl.envelope(report())
    assert front.ask(new).refused.name == "DRAINING"
    assert refused(front, "DRAINING", pb.SelfHandle(report=report(), party=GRID_WORKER)) == ""
    assert refused(front, "DRAINING", pb.Import(report=report()), origin="x") == ""
    assert front.ask(first) == told, "what counted already is told again"
    front.call(dispatch(case, GRID_WORKER))
    front.call(accept(front.show(case.case_id)[0]))
    front.call(done(front.show(case.case_id)[0]))
    front.call(done(front.show(case.case_id)[0]))
    assert front.show(case.case_id)[0].state == pb.STATE_CLOSED
    assert refused(front, "NO_CHANGE", pb.Drain(on=True), by=LI) == "on"
    assert "drain.on" in broker.said()

    front.call(pb.Drain(on=False), by=WANG)
    assert front.ask(new).done.case_id and not front.status().draining
    front.call(pb.Drain(on=True), by=LI)
    broker.restart()
    assert not front.call(pb.AskStatus(), wait_s=20).draining, "a restart ends it"
    front.call(report())
