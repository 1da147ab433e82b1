"""Clocks that jump while deadlines are waited for: nothing early, nothing twice, order kept."""
import random
import time

import whistle_pb2 as pb
import wl
from test_bad_world import events_of_a_day
from world import COMMUNITY, DAY, DISTRICT, HOUR, OTHER_GRID, events_of, report


def due_of(front, case_id):
    return front.show(case_id)[0].timers[0].due_ms


def until_escalated(front, *cases, wait_s=8):
    """(when it was, the event) of each."""
    end = time.monotonic() + wait_s
    while not all("escalated" in events_of_a_day(front, id) for id in cases):
        assert time.monotonic() < end, "a deadline did not fire"
        time.sleep(0.02)
    return [events_of(front.show(id)[1], "escalated")[0] for id in cases]


def near(due, before_ms):
    """How far to turn the clock so that it stands so long before `due`: skew.c knows whole seconds."""
    return (due - before_ms - wl.now_ms()) // 1000 * 1000


def test_a_clock_that_goes_back_while_a_deadline_is_waited_for_makes_it_neither_early_nor_late(skewed):
    front = skewed.broker.client()
    case_id = front.call(report()).case_id
    due = due_of(front, case_id)
    ahead = near(due, 2000)
    skewed(ahead, synchronised=True)
    time.sleep(0.3)
    at = front.call(pb.Note(case_id=case_id, text="soon")).at_ms
    assert due - 4000 < at < due and "escalated" not in events_of_a_day(front, case_id)
    skewed(ahead - HOUR, synchronised=True)
    (fired, up), = until_escalated(front, case_id)
    assert due <= fired < due + 1000 and up.late_ms == fired - due, "by the time that passed, not by the clock"
    assert front.counters()["clock.doubted"] == 2 and front.counters()["deadlines.fired"] == 1


def test_a_jump_over_many_deadlines_fires_each_once_in_their_order(skewed):
    front = skewed.broker.client()
    cases = []
    for _ in range(5):
        cases.append(front.call(report()).case_id)
        time.sleep(0.02)
    dues = [due_of(front, id) for id in cases]
    skewed(max(dues) - wl.now_ms() + HOUR // 2, synchronised=True)
    fired = until_escalated(front, *cases)
    assert all(at >= due and up.late_ms == at - due for (at, up), due in zip(fired, dues))
    seqs = [next(u.first_seq for u in front.show(id)[1] if "escalated" in wl.kinds(u)) for id in cases]
    assert [s for _, s in sorted(zip(dues, seqs))] == sorted(seqs) and front.counters()["deadlines.fired"] == 5
    skewed(0, synchronised=True)
    time.sleep(0.5)
    assert front.counters()["deadlines.fired"] == 5, "nor again when the clock is set right"


def test_a_machine_that_slept_fires_at_once_what_became_due_and_doubts_nothing(skewed):
    front, desk = skewed.broker.client(), skewed.broker.worker(pb.LEVEL_COMMUNITY, COMMUNITY, credit=1)
    other = front.call(report(division=OTHER_GRID)).case_id
    case_id = front.call(report()).case_id
    offer, due = desk.offer(), due_of(front, other)
    skewed(0, slept_ms=4 * DAY)
    (fired, up), = until_escalated(front, other)
    assert fired >= due and up.late_ms == fired - due > DAY // 2
    assert front.counters()["clock.doubted"] == 0, "both clocks agree"
    assert desk.done(offer).token.case_id == case_id
    assert front.counters()["offers.expired"] == 0, "leases run on a clock that stands still in sleep"


def test_a_clock_that_does_not_know_what_it_wants_moves_time_only_forwards(skewed):
    front, chance, at = skewed.broker.client(), random.Random(4), []
    for _ in range(20):
        skewed(chance.choice([-DAY, -HOUR, HOUR, DAY, 0]))
        time.sleep(0.03)
        at.append(front.call(report()).at_ms)
    assert at == sorted(at) and at[-1] - at[0] < 10_000 and front.counters()["deadlines.fired"] == 0
    assert 1 <= front.counters()["clock.doubted"] <= 20
    with wl.Console(skewed.broker.feed) as console:
        told = [t.update for t in console.subscribe(DISTRICT).until_live() if t.update]
    assert [u.at_ms for u in told] == at
