"""What becomes of a report, told from outside."""
import re

import pytest

import whistle_pb2 as pb
import wl
from conftest import QINDU, ROOT
from world import (BUILDING, COMMUNITY, COMMUNITY_DESK, DAY, DISTRICT, GRID, GRID_LEADER, GRID_WORKER, HOUR, MINUTE,
                   MONDAY, OTHER_GRID, STREET, STREET_DESK, Clock, accept, at_cursor, awaited, close, decline, dispatch,
                   done, events_of, report, story_kinds, timer, work)


@pytest.fixture
def clock(make_broker):
    """A drill on Qindu's own rules, from a Monday at nine, without workers."""
    broker = make_broker(config=QINDU, drill=True, drill_start_ms=MONDAY)
    clock = Clock(broker.client())
    clock.broker = broker
    return clock


# ---- the way of an ordinary case -------------------------------------------------------------------------------------

def test_a_report_is_offered_dispatched_accepted_done_verified_and_closed(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    begun = front.call(report(text="井盖旁有一堆垃圾", address="珠泉路3号", external_id="A-17"))
    assert begun.case_id == begun.seq and begun.number.startswith("610402-") and begun.number.endswith("-00001")

    offer = desk.offer()
    assert offer.token.case_id == begun.case_id and offer.desk_level == pb.LEVEL_COMMUNITY
    assert not offer.case_view.text, "a worker decides without the text"
    assert [c.party for c in offer.candidates] == [GRID_WORKER, GRID_LEADER, COMMUNITY_DESK]
    taken = desk.done(offer)
    assert not taken.HasField("refusal") and taken.seq > begun.seq

    case = front.show(begun.case_id)[0]
    assert case.state == pb.STATE_DISPATCHED and awaited(case).party == GRID_WORKER and awaited(case).lead
    front.call(accept(case))
    case = front.show(case.case_id)[0]
    assert case.state == pb.STATE_HANDLING and awaited(case).status == "accepted"
    photo = pb.Evidence(sha256=bytes(32), type="image/jpeg", url="https://e/1")
    front.call(done(case, text="已清理", evidence=[photo]))
    case = front.show(case.case_id)[0]
    assert case.state == pb.STATE_RESOLVED and awaited(case).party == COMMUNITY_DESK, "never who handled it"
    end = front.call(done(case))

    case, story = front.show(case.case_id)
    assert case.state == pb.STATE_CLOSED and not case.timers and case.last_seq == end.seq and not case.overdue
    assert (case.text, case.address, case.external_id) == ("井盖旁有一堆垃圾", "珠泉路3号", "A-17")
    assert story_kinds(story) == ["reported", "accepted", "dispatched", "signed", "resolved", "verified", "closed"]
    assert [u.first_seq for u in story] == sorted(u.first_seq for u in story) and wl.last_seq(story[-1]) == end.seq
    page = front.call(pb.ShowCase(case_id=case.case_id))
    assert list(page.texts) == ["", "", "", "已清理", ""], "the report's own is in the case"
    plain = b"".join(u.SerializeToString() for u in story)
    assert "垃圾".encode() not in plain and "珠泉路".encode() not in plain and "清理".encode() not in plain


def test_done_without_accepting_first_is_signed_and_resolved(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = work(front, desk, front.call(report()).case_id)
    front.call(done(case))
    assert story_kinds(front.show(case.case_id)[1])[-2:] == ["signed", "resolved"]


def test_what_is_found_and_fixed_on_the_spot_is_one_record(broker):
    front = broker.client()
    end = front.call(pb.SelfHandle(report=report(), party=GRID_WORKER, text="当场清走"))
    case, story = front.show(end.case_id)
    assert case.state == pb.STATE_CLOSED and case.self_handled and not case.timers
    assert len(story) == 1 and story_kinds(story) == ["self_handled"] and end.seq == end.case_id


def test_nobody_handles_on_the_spot_outside_his_own_grid(broker):
    front = broker.client()
    with pytest.raises(wl.Refusal, match="NOT_SELF_HANDLED"):
        front.call(pb.SelfHandle(report=report(division=OTHER_GRID), party=GRID_WORKER))
    with pytest.raises(wl.Refusal, match="NOT_SELF_HANDLED"):
        front.call(pb.SelfHandle(report=report(category="E0403"), party=GRID_WORKER))      # a gas leak
    assert front.status().cases_all == 0


def test_who_declines_is_followed_by_the_next_candidate(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = work(front, desk, front.call(report()).case_id)
    assert awaited(case).party == GRID_WORKER
    front.call(decline(case, text="不在我的网格"))
    offer = desk.offer()
    assert offer.token.attempt == 2 and [c.party for c in offer.candidates if c.tried] == [GRID_WORKER]
    desk.done(offer)
    case = front.show(case.case_id)[0]
    assert case.state == pb.STATE_DISPATCHED and case.attempt == 2 and awaited(case).party == GRID_LEADER
    case, story = close(front, case)
    assert case.state == pb.STATE_CLOSED and events_of(story, "answered")[0][1].reopens_desk


def test_when_everybody_has_declined_it_climbs_at_once(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = work(front, desk, front.call(report()).case_id)
    for _ in range(2):
        front.call(decline(case))
        case = work(front, desk, case.case_id)
    front.call(decline(case))
    case, story = front.show(case.case_id)
    assert case.level == pb.LEVEL_STREET and events_of(story, "escalated")[0][1].cause == pb.CAUSE_DECLINED


def test_outside_the_wall_it_goes_up_at_once_and_says_why(broker):
    front, community, street = broker.client(), broker.worker(pb.LEVEL_COMMUNITY), broker.worker(pb.LEVEL_STREET)
    case = work(front, community, front.call(report(wall=pb.WALL_OUTSIDE)).case_id)
    assert case.level == pb.LEVEL_STREET and case.state == pb.STATE_ACCEPTED
    offer = street.offer()
    assert offer.token.stage == 2 and list(offer.duty_roles) == ["dept-sanitation"]
    street.done(offer)
    case, story = front.show(case.case_id)
    assert awaited(case).party == f"dept-sanitation@{STREET}"
    (at, up), = events_of(story, "escalated")
    assert up.cause == pb.CAUSE_OUTSIDE_WALL and (up.from_level, up.level) == (pb.LEVEL_COMMUNITY, pb.LEVEL_STREET)
    assert at - case.opened_at_ms < 5000


def test_what_is_not_the_communitys_duty_goes_up_at_once_and_says_why(broker):
    front, community = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = work(front, community, front.call(report(category=BUILDING)).case_id)
    assert events_of(front.show(case.case_id)[1], "escalated")[0][1].cause == pb.CAUSE_NOT_OUR_DUTY


def test_a_place_known_only_as_a_street_starts_at_the_streets_desk(broker):
    front, street = broker.client(), broker.worker(pb.LEVEL_STREET, STREET)
    case = front.call(report(division=STREET))
    assert street.offer().token.case_id == case.case_id


# ---- desks, by hand --------------------------------------------------------------------------------------------------

def test_several_are_asked_and_one_leads(broker):
    front = broker.client()
    case = front.show(front.call(report()).case_id)[0]
    named = [pb.AskedParty(party=GRID_WORKER), pb.AskedParty(party=GRID_LEADER, lead=True)]
    front.call(pb.Dispatch(parties=named, **at_cursor(case)))
    case = front.show(case.case_id)[0]
    assert [(a.party, a.lead) for a in case.asks] == [(GRID_WORKER, False), (GRID_LEADER, True)]
    assert case.waiting_for == GRID_LEADER


def test_a_desk_rejects_with_a_cause_and_the_case_is_over(broker):
    front = broker.client()
    case = front.show(front.call(report()).case_id)[0]
    front.call(pb.Reject(cause=pb.CAUSE_DUPLICATE, text="同一处昨天已报", **at_cursor(case)))
    case, story = front.show(case.case_id)
    assert case.state == pb.STATE_REJECTED and not case.timers
    assert events_of(story, "rejected")[0][1].cause == pb.CAUSE_DUPLICATE


def test_a_note_may_be_written_at_any_time_and_is_sealed(broker):
    front = broker.client()
    case_id = front.call(report()).case_id
    front.call(pb.Accept(case_id=case_id, party=COMMUNITY_DESK))
    assert front.show(case_id)[0].state == pb.STATE_ACCEPTED
    front.call(pb.Note(case_id=case_id, party=COMMUNITY_DESK, text="打过电话"))
    case = front.show(case_id)[0]
    front.call(pb.Reject(cause=pb.CAUSE_NOT_A_FACT, **at_cursor(case)))
    front.call(pb.Note(case_id=case_id, text="after the end"))
    case, story = front.show(case_id)
    assert story_kinds(story) == ["reported", "accepted", "noted", "rejected", "noted"]
    assert case.state == pb.STATE_REJECTED
    assert all("打过电话".encode() not in u.SerializeToString() for u in story)


def test_asking_for_help_never_counts_against_anyone(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = work(front, desk, front.call(report()).case_id)
    front.call(accept(case))
    front.call(pb.Escalate(party=GRID_WORKER, **at_cursor(case)))
    case, story = front.show(case.case_id)
    (_, up), = events_of(story, "escalated")
    assert up.cause == pb.CAUSE_ASKED_FOR_HELP and up.party == GRID_WORKER and not up.HasField("fired")
    assert case.level == pb.LEVEL_STREET and not case.overdue


def test_after_it_climbed_the_lower_rungs_done_still_counts(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = work(front, desk, front.call(report()).case_id)
    below = awaited(case)
    front.call(pb.Escalate(**at_cursor(case)))
    front.call(done(case, below))
    case, story = front.show(case.case_id)
    assert case.state == pb.STATE_RESOLVED and events_of(story, "resolved")[0][1].level == pb.LEVEL_COMMUNITY


def test_the_last_rung_has_nobody_above(broker):
    front = broker.client()
    case_id = front.call(report()).case_id
    for _ in range(2):
        front.call(pb.Escalate(**at_cursor(front.show(case_id)[0])))
    with pytest.raises(wl.Refusal, match="NO_HIGHER_LEVEL"):
        front.call(pb.Escalate(**at_cursor(front.show(case_id)[0])))


def test_milestones_are_done_in_order_and_the_last_is_the_end(broker):
    front = broker.client()
    case_id = front.call(report(category=BUILDING)).case_id
    front.call(pb.Escalate(cause=pb.CAUSE_NOT_OUR_DUTY, **at_cursor(front.show(case_id)[0])))
    front.call(dispatch(front.show(case_id)[0], f"dept-enforcement@{STREET}"))
    case = front.show(case_id)[0]
    assert timer(case, pb.TIMER_HANDLING).milestone == "stop"
    with pytest.raises(wl.Refusal, match="MILESTONE_ORDER"):
        front.call(done(case, milestone="penalise"))
    with pytest.raises(wl.Refusal, match="MILESTONE_ORDER"):
        front.call(done(case, milestone="sing"))
    front.call(done(case, milestone="stop"))
    assert timer(front.show(case_id)[0], pb.TIMER_HANDLING).milestone == "penalise"
    front.call(done(case, milestone="penalise"))
    front.call(done(case, milestone="demolish"))
    case, story = front.show(case_id)
    assert case.state == pb.STATE_RESOLVED
    assert [m.milestone for _, m in events_of(story, "milestone_done")] == ["stop", "penalise"]


def test_what_was_not_good_enough_goes_back_to_who_did_it_and_at_last_up(broker):
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    case = work(front, desk, front.call(report()).case_id)
    handler = awaited(case).party
    for times in range(1, 4):
        front.call(done(case))
        verifying = front.show(case.case_id)[0]
        assert awaited(verifying).party != handler
        front.call(decline(verifying, text="还在"))
        case = front.show(case.case_id)[0]
        assert (case.state, case.reworks, awaited(case).party) == (pb.STATE_HANDLING, times, handler)
    front.call(done(case))
    front.call(decline(front.show(case.case_id)[0]))
    case, story = front.show(case.case_id)
    assert case.level == pb.LEVEL_STREET and case.state == pb.STATE_ACCEPTED
    assert events_of(story, "escalated")[-1][1].cause == pb.CAUSE_ATTEMPTS_SPENT


# ---- once ------------------------------------------------------------------------------------------------------------

def test_the_same_command_again_gets_the_first_reply_even_after_a_restart(broker):
    front = broker.client()
    e = wl.envelope(report(), sent=wl.now_ms())
    first = front.ask(e)
    front.call(report())
    for _ in range(3):
        assert front.ask(e) == first
    broker.restart()
    assert front.ask(e) == first
    assert front.status().cases_all == 2 and front.counters()["repeated"] == 1


def test_a_broker_that_stops_ends_well_and_goes_on_where_it_was(broker):
    front = broker.client()
    before = front.show(front.call(report(text="x")).case_id)
    assert broker.stop() == 0
    broker.start()
    assert front.show(before[0].case_id) == before


# ---- questions -------------------------------------------------------------------------------------------------------

def test_a_case_is_found_by_its_number_and_its_story_comes_in_pages(broker):
    front = broker.client()
    begun = front.call(report())
    for i in range(230):
        front.send(wl.envelope(pb.Note(case_id=begun.case_id, text=f"note {i}")))
    for _ in range(230):
        assert front.reply().WhichOneof("reply") == "done"
    first = front.call(pb.ShowCase(number=begun.number))
    assert first.more and len(first.story) == 100 and first.case_view.case_id == begun.case_id
    story = front.show(number=begun.number)[1]
    assert story_kinds(story) == ["reported"] + ["noted"] * 230


def test_a_page_is_never_too_large_to_be_sent(broker):
    """As many of the largest texts as a page could hold."""
    front = broker.client()
    case_id = front.call(report(text="字" * 666, address="址" * 666)).case_id
    for _ in range(120):
        front.call(pb.Note(case_id=case_id, text="字" * 666))
    assert len(story_kinds(front.show(case_id)[1])) == 121
    for _ in range(250):
        case = front.show(front.call(report(external_id="x" * 63)).case_id)[0]
        front.call(dispatch(case, GRID_WORKER, GRID_LEADER, COMMUNITY_DESK, STREET_DESK))
    assert len(front.cases(DISTRICT)) == 251


def test_lists_show_what_lies_under_a_prefix_open_or_all(broker):
    front = broker.client()
    here = [front.call(report()).case_id for _ in range(7)]
    there = [front.call(report(division=OTHER_GRID)).case_id for _ in range(3)]
    over = front.call(pb.SelfHandle(report=report(), party=GRID_WORKER)).case_id
    assert [c.case_id for c in front.cases(COMMUNITY, count=3)] == here + [over]
    assert [c.case_id for c in front.cases(GRID, open_only=True, count=2)] == here
    assert {c.case_id for c in front.cases(61, open_only=True, count=4)} == {*here, *there}
    assert {c.case_id for c in front.cases(open_only=True)} == {*here, *there}, "no prefix is everywhere"
    assert {c.case_id for c in front.cases(count=3)} == {*here, *there, over}
    assert front.cases(610402002) == front.cases(610402002, open_only=True) == []
    assert all(not c.text for c in front.cases(DISTRICT)), "lists have no text"


def test_status_tells_what_there_is(broker):
    front, _, _ = broker.client(), broker.worker(pb.LEVEL_COMMUNITY), broker.console()
    front.call(report())
    front.call(pb.SelfHandle(report=report(), party=GRID_WORKER))
    s = front.status()
    assert (s.cases_all, s.cases_open, s.workers, s.consoles) == (2, 1, 1, 1)
    assert s.broker.version == 1 and not s.broker.drill and len(s.rules_hash) == 32 and s.journal_bytes > 0
    counters = {c.name: c.value for c in s.counters}
    assert counters["acknowledged"] == 2 and counters["refused"] == 0 and s.next_due_ms > s.broker.now_ms


# ---- time ------------------------------------------------------------------------------------------------------------

def test_when_nobody_accepts_in_time_the_next_level_is_told_at_that_very_instant(clock):
    case_id = clock.do(report()).case_id
    clock.do(dispatch(clock.case(case_id), GRID_WORKER))
    due = timer(clock.case(case_id), pb.TIMER_ACCEPT).due_ms
    assert due == MONDAY + 2 * HOUR
    clock.to(due - 1)
    assert clock.case(case_id).state == pb.STATE_DISPATCHED, "never early"
    clock.to(due)
    case, story = clock.front.show(case_id)
    (at, up), = events_of(story, "escalated")
    assert (at, up.cause, up.fired) == (due, pb.CAUSE_ACCEPT_OVERDUE, pb.TIMER_ACCEPT) and not up.late_ms
    assert case.level == pb.LEVEL_STREET and not case.overdue, "only handling and the promise make it overdue"
    clock.do(done(case, next(a for a in case.asks if a.party == GRID_WORKER)))
    assert clock.case(case_id).state == pb.STATE_RESOLVED, "the lower ask stayed open"


def test_without_any_worker_a_case_climbs_to_the_top_and_stays_supervised_for_ever(clock):
    case_id = clock.do(report()).case_id
    end = clock.on(60 * DAY)
    case, story = clock.front.show(case_id)
    assert [(u.cause, u.level) for _, u in events_of(story, "escalated")] == [
        (pb.CAUSE_DESK_SILENT, pb.LEVEL_STREET), (pb.CAUSE_DESK_SILENT, pb.LEVEL_DISTRICT)]
    climbed = [at for at, _ in events_of(story, "escalated")]
    assert climbed == [MONDAY + 2 * HOUR, MONDAY + 6 * HOUR], "one rung per limit, in office hours"
    supervised = events_of(story, "supervised")
    assert [s.times for _, s in supervised] == list(range(1, len(supervised) + 1)) and len(supervised) >= 4
    assert case.timers and end.next_due_ms > clock.now


def test_reminded_at_80_percent_escalated_at_due_and_overdue_from_then_on(clock):
    case_id = clock.do(report()).case_id
    clock.do(dispatch(clock.case(case_id), GRID_WORKER))
    clock.do(accept(clock.case(case_id)), after=MINUTE)
    clock.on(DAY)
    case, story = clock.front.show(case_id)
    (reminded, _), (climbed, up) = events_of(story, "reminded")[0], events_of(story, "escalated")[0]
    assert reminded == MONDAY + 5 * HOUR + 12 * MINUTE, "80 % of 4 working hours: 12 minutes after the noon break"
    assert climbed == MONDAY + 6 * HOUR and up.cause == pb.CAUSE_HANDLING_OVERDUE and case.overdue
    clock.do(done(case, next(a for a in case.asks if a.party == GRID_WORKER)))
    assert not events_of(clock.front.show(case_id)[1], "resolved")[0][1].on_time


def test_a_verifier_who_is_silent_is_passed_over_too(clock):
    case_id = clock.do(report()).case_id
    clock.do(dispatch(clock.case(case_id), GRID_WORKER))
    clock.do(done(clock.case(case_id)))
    clock.on(3 * DAY)                                      # the limit is two working days
    case, story = clock.front.show(case_id)
    assert case.state == pb.STATE_RESOLVED and awaited(case).party == STREET_DESK
    assert [u.cause for _, u in events_of(story, "escalated")] == [pb.CAUSE_VERIFY_OVERDUE]
    clock.do(done(case, next(a for a in case.asks if a.party == COMMUNITY_DESK)))
    assert clock.case(case_id).state == pb.STATE_CLOSED, "the first verifier may still say so"


def test_a_drill_decides_each_command_at_its_instant_in_the_order_of_time(clock):
    at = [MONDAY + i * MINUTE for i in (5, 3, 9, 1)]
    ids = [clock.front.hold(report(), t) for t in at]
    assert clock.front.reply(0.1) is None, "held"
    end, replies = clock.front.go(MONDAY + 10 * MINUTE)
    assert [replies[i].done.at_ms for i in ids] == at and end.until_ms == MONDAY + 10 * MINUTE
    assert sorted(ids, key=lambda i: replies[i].done.case_id) == sorted(ids, key=lambda i: replies[i].done.at_ms)
    assert end.seq == max(r.done.seq for r in replies.values())
    with pytest.raises(wl.Refusal, match="DRILL_ORDER"):
        clock.front.go(MONDAY)
    with pytest.raises(wl.Refusal, match="DRILL_ORDER"):
        clock.front.call(report(), at=MONDAY, sent=MONDAY)
    with pytest.raises(wl.Refusal, match="FIELD_MISSING"):
        clock.front.call(report())


def test_what_is_held_may_be_sent_again_and_counts_once(clock):
    e = wl.envelope(report(), at=MONDAY + MINUTE, sent=MONDAY)
    for _ in range(3):
        clock.front.send(e)
    _, replies = clock.front.go(MONDAY + HOUR)
    assert clock.front.status().cases_all == 1
    assert clock.front.ask(e) == replies[e.command_id], "nor is it too late to ask"
    for far in (1 << 62, (1 << 63) - 1):
        with pytest.raises(wl.Refusal, match="FIELD_RANGE"):
            clock.front.call(report(), at=far)
        with pytest.raises(wl.Refusal, match="FIELD_RANGE"):
            clock.front.go(far)


def test_in_a_drill_time_waits_for_the_desks(clock):
    desk = clock.broker.worker(pb.LEVEL_COMMUNITY)
    clock.workers.append(desk)
    ids = [clock.front.hold(report(), MONDAY + i * MINUTE) for i in range(30)]
    _, replies = clock.front.go(MONDAY + 8 * DAY, clock.workers)
    cases = clock.front.cases(DISTRICT)
    assert len(cases) == 30 and len(desk.offered) >= 30
    for id in ids:
        story = clock.front.show(replies[id].done.case_id)[1]
        assert story_kinds(story)[:3] == ["reported", "accepted", "dispatched"]
        assert events_of(story, "dispatched")[0][0] < MONDAY + HOUR


def test_two_drills_of_the_same_day_end_in_the_same_digest(make_broker):
    def one(name):
        broker = make_broker(name, config=QINDU, drill=True, drill_start_ms=MONDAY)
        clock = Clock(broker.client(), broker.worker(pb.LEVEL_COMMUNITY), broker.worker(pb.LEVEL_STREET))
        for i in range(40):
            at = MONDAY + i * MINUTE
            clock.front.hold(report(wall=1 + i % 2, text=f"text {i}"), at, id=wl.uuid7(at, i))
        clock.to(MONDAY + 3 * DAY)
        return clock.front.call(pb.AskStatus(digest=True))

    a, b = one("a"), one("b")
    assert a.digest == b.digest and a.digest_seq == b.digest_seq and len(a.digest) == 32


# ---- the page itself ---------------------------------------------------------------------------------------------------

def test_the_examples_of_the_protocol_are_true(broker):
    page = (ROOT / "docs/protocol.md").read_text()
    hello, smallest = (bytes.fromhex("".join(re.findall(r"^ {4,}((?:[0-9a-f]{2} ?)+)", block, re.M)))
                       for block in re.findall(r"(?:^    .*\n)+", page, re.M) if block.startswith("    08 01"))
    front = broker.client()
    assert front.raw(hello).WhichOneof("reply") == "welcome"
    assert front.show(front.raw(smallest).done.case_id)[0].place.division == GRID
    assert f"`{wl.work_id(pb.LeaseToken(case_id=7, stage=1, attempt=1)).hex()}`" in page
    named = dict(re.findall(r"^\| (\d+) \| ([A-Z_]+) \|", page, re.M))
    missing = {v.number: v.name[8:] for v in pb.Refusal.DESCRIPTOR.values if v.number and v.name[8:] not in page}
    assert missing == {} and all(pb.Refusal.Value(f"REFUSED_{name}") == int(code) for code, name in named.items())
