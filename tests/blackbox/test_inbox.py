"""What waits for whom, soonest first; what may be the same case; what nobody decided."""
import pytest

import whistle_pb2 as pb
import wl
from conftest import QINDU
from world import (COMMUNITY, COMMUNITY_DESK, DAY, DISTRICT, GRID, GRID_LEADER, GRID_WORKER, HOUR, MINUTE, MONDAY,
                   OTHER_GRID, STREET, STREET_DESK, Clock, accept, at_cursor, dispatch, done, report, timer)

BY_ROAD = dict(lon_e7=1087500000, lat_e7=343500000)


@pytest.fixture
def clock(make_broker):
    """A drill on Qindu's own rules, from a Monday at nine, without workers."""
    return Clock(make_broker(config=QINDU, drill=True, drill_start_ms=MONDAY).client())


def inbox(front, party=None, division=None, level=None, **more):
    return front.call(pb.ShowInbox(party=party, division=division, level=level, **more))


def ids(box):
    return [i.case_view.case_id for i in box.items]


def refused(front, command):
    with pytest.raises(wl.Refusal) as why:
        front.call(command)
    return why.value.name, why.value.field


def reported(clock, **more):
    return clock.case(clock.do(report(**more)).case_id)


# ---- inboxes ---------------------------------------------------------------------------------------------------------

def test_an_inbox_is_by_due_soonest_first_with_how_much_of_the_time_is_used(clock):
    front = clock.front
    slow, quick = reported(clock, category="C0401"), reported(clock, category="E0109")
    for case in slow, quick:
        clock.do(dispatch(case, GRID_WORKER))
    box = inbox(front, GRID_WORKER)
    assert ids(box) == [quick.case_id, slow.case_id] and (box.waiting, box.overdue, box.more) == (2, 0, False)
    first = box.items[0]
    assert (first.waits_for, first.lead, first.party) == (pb.TIMER_ACCEPT, True, GRID_WORKER)
    assert first.due_ms == timer(clock.case(quick.case_id), pb.TIMER_ACCEPT).due_ms and first.budget_percent == 0
    clock.do(accept(clock.case(quick.case_id)))
    clock.on(HOUR)
    first = inbox(front, GRID_WORKER).items[0]
    assert first.waits_for == pb.TIMER_HANDLING and first.due_ms == MONDAY + 2 * HOUR and first.budget_percent == 50
    clock.on(59 * MINUTE)
    assert inbox(front, GRID_WORKER).items[0].budget_percent == 99
    clock.do(done(clock.case(quick.case_id)))
    assert ids(inbox(front, GRID_WORKER)) == [slow.case_id]
    assert not inbox(front, GRID_LEADER).items


def test_a_working_limit_uses_nothing_overnight(clock):
    case = reported(clock, category="C0102")                                # accept 2wh
    clock.do(dispatch(case, GRID_WORKER))
    clock.do(accept(clock.case(case.case_id)))
    clock.to(MONDAY + 9 * HOUR)                                              # 18:00, closed until the next morning
    evening = inbox(clock.front, GRID_WORKER).items[0]
    clock.to(MONDAY + DAY - 30 * MINUTE)
    morning = inbox(clock.front, GRID_WORKER).items[0]
    assert evening.due_ms == morning.due_ms and 0 < evening.budget_percent == morning.budget_percent < 100


def test_an_ask_left_open_below_is_over_its_time(clock):
    case = reported(clock)
    clock.do(dispatch(case, GRID_WORKER))
    clock.do(accept(clock.case(case.case_id)))
    due = timer(clock.case(case.case_id), pb.TIMER_HANDLING).due_ms
    clock.to(due + 10 * MINUTE)
    case = clock.case(case.case_id)
    assert case.level == pb.LEVEL_STREET and case.overdue
    box = inbox(clock.front, GRID_WORKER)
    assert (box.items[0].waits_for, box.items[0].due_ms) == (pb.TIMER_HANDLING, due)
    assert box.items[0].budget_percent >= 100 and box.overdue == 1
    box = inbox(clock.front, division=STREET, level=pb.LEVEL_STREET)
    assert ids(box) == [case.case_id] and box.items[0].waits_for == pb.TIMER_DESK and box.items[0].party == STREET_DESK
    assert box.items[0].budget_percent < 100 and box.overdue == 1, "the case is, its desk is not"


def test_a_desk_sees_what_it_is_to_decide_and_to_verify(clock):
    front = clock.front
    decide, verify, elsewhere = reported(clock), reported(clock), reported(clock, division=OTHER_GRID)
    clock.do(dispatch(verify, GRID_WORKER))
    assert ids(inbox(front, division=COMMUNITY)) == [decide.case_id], "the level is the division's own"
    clock.do(done(clock.case(verify.case_id)))
    box = inbox(front, division=COMMUNITY, level=pb.LEVEL_COMMUNITY)
    assert set(ids(box)) == {decide.case_id, verify.case_id} and elsewhere.case_id not in ids(box)
    kinds = {i.case_view.case_id: i.waits_for for i in box.items}
    assert kinds == {decide.case_id: pb.TIMER_DESK, verify.case_id: pb.TIMER_VERIFY}
    assert ids(inbox(front, COMMUNITY_DESK)) == [verify.case_id], "as a party it is asked to verify"
    assert not inbox(front, division=STREET).items and not inbox(front, division=DISTRICT).items
    clock.do(pb.Escalate(**at_cursor(decide)))
    assert ids(inbox(front, division=STREET)) == [decide.case_id]


def test_a_suspended_case_waits_for_its_review(clock):
    case = reported(clock)
    clock.do(dispatch(case, GRID_WORKER))
    clock.do(accept(clock.case(case.case_id)))
    review = clock.now + 8 * DAY
    clock.do(pb.Suspend(case_id=case.case_id, party=COMMUNITY_DESK, cause=pb.CAUSE_SEASON, review_ms=review))
    clock.on(2 * DAY)
    item, = inbox(clock.front, GRID_WORKER).items
    assert (item.waits_for, item.due_ms, item.budget_percent) == (pb.TIMER_REVIEW, review, 25)


def test_pages_of_an_inbox_miss_nothing_and_repeat_nothing(office):
    front = office.client()
    party = f"grid-worker@{OTHER_GRID}"
    mine = []
    for i in range(25):
        case = front.show(front.call(report(division=OTHER_GRID, category=("E0109", "E0102")[i % 2])).case_id)[0]
        front.call(dispatch(case, party))
        mine.append(case.case_id)
    whole = inbox(front, party)
    assert set(ids(whole)) == set(mine) and whole.waiting == 25 and not whole.more
    keys = [(i.due_ms, i.case_view.case_id) for i in whole.items]
    assert keys == sorted(keys)
    seen, after = [], {}
    while True:
        page = inbox(front, party, count=4, **after)
        assert page.waiting == 25
        seen += [(i.due_ms, i.case_view.case_id) for i in page.items]
        if not page.more:
            break
        after = dict(after_due_ms=seen[-1][0], after_case_id=seen[-1][1])
    assert seen == keys


def test_many_questions_at_once_keep_no_report_waiting(make_broker):
    front = make_broker(segment_bytes="16MiB").client()
    for _ in range(2):
        sent = [wl.envelope(report()) for _ in range(1000)]
        for e in sent:
            front.send(e)
        for _ in sent:
            assert front.reply().done.seq
    asked = [wl.envelope(pb.ShowInbox(division=COMMUNITY, count=1)) for _ in range(60)]
    for e in asked:
        front.send(e)
    replies = [front.reply() for _ in asked]
    told = [r for r in replies if r.WhichOneof("reply") == "inbox"]
    assert told and all(r.inbox.waiting == 2000 for r in told)
    assert {r.refused.name for r in replies if r.WhichOneof("reply") == "refused"} <= {"BUSY"}
    assert inbox(front, division=COMMUNITY, count=1).waiting == 2000, "asked again"


def test_whose_inbox_must_be_said(office):
    front = office.client()
    assert refused(front, pb.ShowInbox()) == ("FIELD_MISSING", "party")
    for party in "nobody", "x" * 100 + "@61", f"{'x' * 60}@{DISTRICT}":
        assert refused(front, pb.ShowInbox(party=party)) == ("UNKNOWN_PARTY", "party")
    assert refused(front, pb.ShowInbox(division=12345)) == ("BAD_DIVISION", "division")
    assert refused(front, pb.ShowInbox(division=110101)) == ("UNKNOWN_DIVISION", "division")
    assert refused(front, pb.ShowInbox(division=STREET, level=pb.LEVEL_DISTRICT)) == ("FIELD_RANGE", "level")
    assert refused(front, pb.ShowInbox(division=GRID)) == ("FIELD_RANGE", "level"), "a grid has no desk"
    assert not inbox(front, "somebody@610402").items


# ---- the same case ---------------------------------------------------------------------------------------------------

def similar(front, case_id):
    return [c.case_id for c in front.call(pb.FindSimilar(case_id=case_id)).cases]


def at(division=GRID, category="E0102", north_m=0, east_m=0):
    lat = BY_ROAD["lat_e7"] + round(north_m / 0.0111195)
    lon = BY_ROAD["lon_e7"] + round(east_m / 0.0111195 / 0.8257)              # cos 34.35°
    return pb.Report(place=pb.Place(division=division, lat_e7=lat, lon_e7=lon), category=category)


def test_similar_cases_are_of_one_class_close_by_and_not_long_apart(clock):
    here = clock.do(at()).case_id
    near = [clock.do(at(north_m=49)).case_id, clock.do(at(east_m=-49)).case_id, clock.do(at(OTHER_GRID, east_m=30)).case_id]
    far = [clock.do(at(north_m=51)).case_id, clock.do(at(east_m=51)).case_id, clock.do(at(category="E0103")).case_id]
    assert sorted(similar(clock.front, here)) == sorted(near) and here not in near + far
    assert near[1] not in similar(clock.front, near[0]), "49 m each way are more than 50 m"
    nowhere = clock.do(report()).case_id
    assert set(similar(clock.front, nowhere)) == {here, *near[:2], *far[:2]}, "without a point, its community"
    clock.do(pb.Reject(cause=pb.CAUSE_DUPLICATE, **at_cursor(clock.case(near[0]))))
    assert near[0] not in similar(clock.front, here), "only open ones"
    late = clock.do(at(), after=72 * HOUR + 1000).case_id
    assert here not in similar(clock.front, late)
    with pytest.raises(wl.Refusal, match="NO_SUCH_CASE case_id"):
        clock.front.call(pb.FindSimilar(case_id=1 << 40))


# ---- dead letters ----------------------------------------------------------------------------------------------------

def test_dead_letters_are_listed_page_by_page(make_broker):
    broker = make_broker()
    front, desk = broker.client(), broker.worker(pb.LEVEL_COMMUNITY)
    cases = [front.call(report(division=(GRID, OTHER_GRID)[i % 2])).case_id for i in range(5)]
    for _ in cases:
        desk.failed(desk.offer(), pb.OFFER_REJECTED)
    found, after = [], 0
    while True:
        page = front.call(pb.ListDead(count=2, after_case_id=after))
        found += [c.case_id for c in page.cases]
        if not page.more:
            break
        after = page.next_after
    assert sorted(found) == cases and all(c.work_dead for c in page.cases)
    assert refused(front, pb.ListDead(prefix=1)) == ("BAD_DIVISION", "prefix")
    assert refused(front, pb.ListDead(after_case_id=1 << 40)) == ("NO_SUCH_CASE", "after_case_id")
    front.call(dispatch(front.show(cases[0])[0], GRID_WORKER))
    assert cases[0] not in [c.case_id for c in front.call(pb.ListDead()).cases], "a person has decided it"
