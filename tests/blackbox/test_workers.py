"""Desks' workers come and go. What they were offered is decided once, whatever becomes of them."""
import random
import time

import pytest

import whistle_pb2 as pb
import wl
from conftest import QINDU
from world import (COMMUNITY, COMMUNITY_DESK, DISTRICT, GRID_WORKER, HOUR, MONDAY, OTHER_GRID, Clock, dispatch,
                   events_of, report, story_kinds)


def failures(front, case_id):
    return [(f.how, f.tries, f.dead) for _, f in events_of(front.show(case_id)[1], "offer_failed")]


def test_a_worker_is_offered_its_level_and_divisions_only_and_no_more_than_its_credit(broker):
    front = broker.client()
    here = broker.worker(pb.LEVEL_COMMUNITY, COMMUNITY, credit=2)
    street = broker.worker(pb.LEVEL_STREET, DISTRICT)
    front.call(report(division=OTHER_GRID))
    cases = [front.call(report()).case_id for _ in range(5)]
    offers = [here.offer(), here.offer()]
    assert [o.token.case_id for o in offers] == cases[:2]
    assert here.nothing("offer", 0.15) and street.nothing("offer", 0)
    for o in offers:
        here.done(o)
    assert [here.offer().token.case_id for _ in range(2)] == cases[2:4]
    here.credit(1)
    assert here.offer().token.case_id == cases[4]


def test_a_case_is_offered_to_one_worker_at_a_time(broker):
    front = broker.client()
    workers = [broker.worker(pb.LEVEL_COMMUNITY, credit=100) for _ in range(3)]
    cases = {front.call(report()).case_id for _ in range(60)}
    until = time.monotonic() + 10
    while time.monotonic() < until and sum(len(w.taken) for w in workers) < len(cases):
        for w in workers:
            w.serve(0.05)
    offered = [o.token.case_id for w in workers for o in w.offered]
    assert sorted(offered) == sorted(cases) and front.status().offers_open == 0
    assert all(c.state == pb.STATE_DISPATCHED for c in front.cases(DISTRICT))


def test_a_result_sent_twice_counts_once_and_is_taken_twice(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case_id = front.call(report()).case_id
    offer = desk.offer()
    first = desk.done(offer)
    assert desk.done(offer) == first
    broker.restart()
    again = broker.worker(pb.LEVEL_COMMUNITY, credit=0)
    assert again.done(offer, again=False) == first, "also under an older epoch"
    assert story_kinds(front.show(case_id)[1]) == ["reported", "accepted", "dispatched"]


def test_a_result_after_a_restart_is_late_it_is_recorded_and_changes_nothing(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case_id = front.call(report()).case_id
    offer = desk.offer()
    before = front.show(case_id)[0]
    broker.restart()
    desk = broker.worker(pb.LEVEL_COMMUNITY, credit=0)
    for times in (1, 2):
        desk.done(offer, again=False)
        assert failures(front, case_id) == [(pb.OFFER_LATE, 0, False)] * times
    desk.failed(offer, pb.OFFER_REJECTED)
    assert failures(front, case_id)[-1] == (pb.OFFER_LATE, 0, False), "a failure is late, too"
    after = front.show(case_id)[0]
    before.last_seq = after.last_seq
    assert before == after
    again = desk.offer()
    assert again.token.epoch == offer.token.epoch + 1 and again.token.tries == 0
    assert not desk.done(again).HasField("refusal")
    assert front.counters()["offers.late"] == 3


def test_given_back_it_is_offered_again_later(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case_id = front.call(report()).case_id
    began = time.monotonic()
    desk.failed(desk.offer(), pb.OFFER_RETRY, retry_ms=300)
    again = desk.offer()
    assert 0.25 < time.monotonic() - began < 3 and again.token.tries == 1
    desk.done(again)
    assert failures(front, case_id) == [(pb.OFFER_RETRY, 1, False)]


def test_given_back_too_often_it_is_a_dead_letter(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case_id = front.call(report()).case_id
    for _ in range(5):
        desk.failed(desk.offer(), pb.OFFER_RETRY)
    assert desk.nothing("offer", 0.15) and front.show(case_id)[0].work_dead
    assert failures(front, case_id)[-1] == (pb.OFFER_RETRY, 5, True) and front.counters()["offers.dead"] == 1
    front.call(dispatch(front.show(case_id)[0], GRID_WORKER))          # people still can


def test_a_dead_letter_is_moved_on_by_its_deadline(make_broker):
    broker = make_broker(config=QINDU, drill=True, drill_start_ms=MONDAY)
    clock, reject = Clock(broker.client()), broker.worker(pb.LEVEL_COMMUNITY, credit=1)
    id = clock.front.hold(report(), MONDAY)
    e = wl.envelope(pb.DrillGo(until_ms=MONDAY + HOUR))
    clock.front.send(e)
    reject.failed(reject.offer(), pb.OFFER_REJECTED)
    replies = [clock.front.reply(), clock.front.reply()]
    case_id = next(r.done.case_id for r in replies if r.command_id == id)
    assert clock.case(case_id).work_dead and failures(clock.front, case_id) == [(pb.OFFER_REJECTED, 1, True)]
    street = broker.worker(pb.LEVEL_STREET)
    clock.workers.append(street)
    clock.to(MONDAY + 3 * HOUR)
    case, story = clock.front.show(case_id)
    assert case.state == pb.STATE_DISPATCHED and case.level == pb.LEVEL_STREET and not case.work_dead
    assert events_of(story, "escalated")[0][1].cause == pb.CAUSE_DESK_SILENT


def test_a_lease_runs_out_unless_it_is_extended(make_broker):
    broker = make_broker(lease_ms="1s")
    front = broker.client()
    desk, other = (broker.worker(pb.LEVEL_COMMUNITY, credit=credit) for credit in (1, 0))
    case_id = front.call(report()).case_id
    offer = desk.offer()
    other.credit(1)
    for _ in range(4):
        time.sleep(0.4)
        desk.say(extend=pb.WorkerExtend(token=offer.token))
    assert other.nothing("offer", 0) and failures(front, case_id) == []
    began = time.monotonic()
    again = other.offer()
    assert 0.7 < time.monotonic() - began < 3
    assert again.token.tries == 1 and failures(front, case_id) == [(pb.OFFER_EXPIRED, 1, False)]
    desk.done(offer)
    assert failures(front, case_id)[-1] == (pb.OFFER_LATE, 0, False)
    assert not other.done(again).HasField("refusal")
    assert story_kinds(front.show(case_id)[1]).count("dispatched") == 1


def test_who_lets_a_lease_run_out_is_offered_nothing_until_it_is_heard(make_broker):
    broker = make_broker(lease_ms="1s")
    front, still = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case_id = front.call(report()).case_id
    still.offer()
    assert still.nothing("offer", 2.5) and failures(front, case_id) == [(pb.OFFER_EXPIRED, 1, False)]
    still.say(heartbeat=pb.Heartbeat())
    assert still.offer(1).token.tries == 1
    other = broker.worker(pb.LEVEL_COMMUNITY)
    again = other.offer(2)
    assert again.token.tries == 2 and not other.done(again).HasField("refusal")
    assert [how for how, _, _ in failures(front, case_id)] == [pb.OFFER_EXPIRED] * 2


def test_goodbye_frees_what_a_worker_held_and_is_no_failure(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case_id = front.call(report()).case_id
    desk.offer()
    desk.goodbye()
    other = broker.worker(pb.LEVEL_COMMUNITY)
    again = other.offer(2)
    assert again.token.case_id == case_id and again.token.tries == 0 and failures(front, case_id) == []


def test_tokens_shown_again_are_kept_or_said_to_be_lost(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    front.call(report())
    offer = desk.offer()
    desk.close()
    stale = pb.LeaseToken()
    stale.CopyFrom(offer.token)
    stale.number += 7
    desk = broker.worker(pb.LEVEL_COMMUNITY, tokens=[offer.token, stale])
    assert desk.expect("lease_lost") == stale
    assert not desk.done(offer).HasField("refusal")
    front.call(report())
    offer = desk.offer()
    broker.restart()
    desk = broker.worker(pb.LEVEL_COMMUNITY, credit=0, tokens=[offer.token])
    assert desk.expect("lease_lost") == offer.token, "of an older epoch"


@pytest.mark.parametrize("what", ["unknown party", "not a decision", "another case", "noise", "a conflict"])
def test_a_decision_that_is_refused_is_a_failed_offer(broker, what):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY, credit=1)
    other = front.show(front.call(report(division=OTHER_GRID)).case_id)[0]
    desk.done(desk.offer(), again=False)
    case_id = front.call(report()).case_id
    desk.credit(1)
    offer = desk.offer()
    at = dict(case_id=case_id, stage=1, attempt=1)
    elsewhere = dict(case_id=other.case_id, stage=1, attempt=1)
    used, nobody = wl.work_id(pb.LeaseToken(**elsewhere)), [pb.AskedParty(party="x@1")]
    decision, name = {
        "unknown party": (wl.decision_of(offer, pb.Dispatch(parties=nobody, **at)), "UNKNOWN_PARTY"),
        "not a decision": (wl.decision_of(offer, pb.Note(case_id=case_id, text="hm")), "NOT_PERMITTED"),
        "another case": (wl.decision_of(offer, pb.Escalate(**elsewhere)), "NOT_PERMITTED"),
        "noise": (None, "BAD_PROTOBUF"),
        "a conflict": (wl.envelope(pb.Escalate(**at), id=used), "CONFLICT"),
    }[what]
    data = decision.SerializeToString() if decision else b"\xff\xff\xff"
    desk.say(result=pb.WorkerResult(token=offer.token, decision=data))
    assert pb.Refusal.Name(desk.expect("taken").refusal) == f"REFUSED_{name}"
    assert failures(front, case_id) == [(pb.OFFER_REFUSED, 1, False)]
    ready = events_of(front.show(case_id)[1], "offer_failed")[0]
    assert 0 < ready[1].ready_at_ms - ready[0] <= 60_000, "it will be offered again"
    assert front.show(case_id)[0].state == pb.STATE_REPORTED


@pytest.mark.parametrize("how", [pb.OFFER_EXPIRED, pb.OFFER_REFUSED, pb.OFFER_LATE])
def test_how_an_offer_ended_is_for_the_broker_to_say(broker, how):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case_id = front.call(report()).case_id
    offer = desk.offer()
    desk.say(result=pb.WorkerResult(token=offer.token, failed=how))
    assert desk.expect("refused").name == "FIELD_RANGE"
    assert failures(front, case_id) == [] and front.counters()["refused.FIELD_RANGE"] == 1
    assert not desk.done(offer).HasField("refusal"), "the lease stands"


def test_a_result_without_a_token_or_without_a_word_is_refused(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    front.call(report())
    offer = desk.offer()
    for result in (pb.WorkerResult(failed=pb.OFFER_RETRY), pb.WorkerResult(token=offer.token)):
        desk.say(result=result)
        assert desk.expect("refused").name == "FIELD_MISSING"
    assert not desk.done(offer).HasField("refusal")


def test_when_people_decided_meanwhile_the_worker_is_told(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = front.show(front.call(report()).case_id)[0]
    offer = desk.offer()
    front.call(dispatch(case, COMMUNITY_DESK))
    assert desk.done(offer).refusal in (pb.REFUSED_WRONG_STATE, pb.REFUSED_WRONG_STAGE)
    assert story_kinds(front.show(case.case_id)[1]).count("dispatched") == 1


def test_killed_at_any_moment_nothing_is_lost_and_nothing_doubled(make_broker):
    """Workers that vanish without a word: before the offer is read, before the result, before it is taken, after."""
    broker = make_broker(lease_ms="1s")
    front, chance = broker.client(), random.Random(7)
    waiting = [front.call(report()).case_id for _ in range(80)]
    for _ in range(40):
        desk = wl.Worker(broker.pool, pb.LEVEL_COMMUNITY, [DISTRICT], credit=chance.randint(1, 6))
        try:
            for _ in range(chance.randint(0, 3)):
                offer = desk.offer(0.02)
                if chance.random() < 0.5:
                    e = wl.decision_of(offer, wl.desk(offer))
                    desk.say(result=pb.WorkerResult(token=offer.token, decision=e.SerializeToString()))
                    if chance.random() < 0.5:
                        desk.expect("taken", 1)
        except wl.Silence:
            pass
        desk.socket.setsockopt(wl.zmq.LINGER, chance.choice([0, 50]))
        desk.close()
    steady = broker.worker(pb.LEVEL_COMMUNITY, credit=200)
    until = time.monotonic() + 20
    while time.monotonic() < until and any(front.show(id)[0].state == pb.STATE_REPORTED for id in waiting):
        steady.serve(0.1)
    for id in waiting:
        case, story = front.show(id)
        assert story_kinds(story).count("dispatched") == 1 and case.state == pb.STATE_DISPATCHED, story


def test_who_is_silent_for_fifteen_seconds_is_gone_and_who_beats_stays(broker):
    front = broker.client()
    deaf, alive = (broker.worker(pb.LEVEL_COMMUNITY, credit=credit) for credit in (1, 0))
    gone, console = broker.console().subscribe(DISTRICT), broker.console().subscribe(DISTRICT)
    case_id = front.call(report()).case_id
    deaf.offer()
    alive.credit(1)
    beats, until = 0, time.monotonic() + 17
    while time.monotonic() < until and not any(k == "offer" for k, _ in alive.queue):
        if alive._read(0.5):
            if alive.queue[-1][0] == "heartbeat":
                beats += 1
                alive.say(heartbeat=pb.Heartbeat())
        try:
            console.next(0.01)
        except wl.Silence:
            pass
    assert beats >= 2
    assert alive.offer(1).token.tries == 1 and failures(front, case_id) == [(pb.OFFER_EXPIRED, 1, False)]
    s = front.status()
    assert (s.workers, s.consoles) == (1, 1)
    gone.subscribe(DISTRICT)
    with pytest.raises(wl.Refusal, match="NO_SESSION"):
        while True:
            gone.next(2)
