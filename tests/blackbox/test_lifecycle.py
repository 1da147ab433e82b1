"""Every word of a case's way, over the wire: what it does, what it is refused for, and that it counts once."""
import pytest

import whistle_pb2 as pb
import wl
from world import (COMMUNITY, COMMUNITY_DESK, DAY, DISTRICT, GRID, GRID_LEADER, GRID_WORKER, HOUR, OTHER_GRID,
                   OTHER_STREET, RUBBISH, STREET, STREET_DESK, accept, answer, at_cursor, awaited, dispatch, done,
                   events_of, report, story_kinds, timer)

DISTRICT_DESK, SANITATION = f"district-desk@{DISTRICT}", f"dept-sanitation@{STREET}"
REPORTER = GRID_WORKER
GAS_LEAK = "E0403"


class Office:
    """A client that says everything twice, as one does whose replies get lost: it must count once."""

    def __init__(self, broker):
        self.broker, self.front = broker, broker.client()

    def do(self, command, **more):
        e = wl.envelope(command, **more)
        first = self.front.ask(e)
        if first.WhichOneof("reply") == "done":
            assert self.front.ask(e) == first, "the first reply again"
        return wl.answer_of(first)

    def show(self, case_or_id):
        return self.front.show(getattr(case_or_id, "case_id", case_or_id))[0]

    def story(self, case):
        return self.front.show(case.case_id)[1]

    def then(self, case, command, **more):
        """The case after that command."""
        self.do(command, **more)
        return self.show(case)

    def refused(self, name, command, **more):
        with pytest.raises(wl.Refusal) as why:
            self.front.call(command, **more)
        assert why.value.name == name, why.value
        return why.value.field

    def reported(self, **more):
        return self.show(self.do(report(**more)).case_id)

    def dispatched(self, *parties, **more):
        case = self.reported(**more)
        return self.then(case, dispatch(case, *(parties or (GRID_WORKER,))))

    def handling(self, *parties, **more):
        case = self.dispatched(*parties, **more)
        return self.then(case, accept(case, [a for a in case.asks if a.lead][0]))

    def resolved(self, **more):
        case = self.handling(**more)
        return self.then(case, done(case))

    def closed(self, **more):
        case = self.resolved(**more)
        return self.then(case, done(case))


@pytest.fixture
def at(office):
    return Office(office)


def returned(case, proposed, text="不是我们的"):
    return answer(case, pb.ANSWER_RETURN, proposed=proposed, text=text)


# ---- the desk's ------------------------------------------------------------------------------------------------------

def test_who_was_rejected_may_appeal_once_to_the_next_level(at):
    case = at.reported(reporter=REPORTER)
    case = at.then(case, pb.Reject(cause=pb.CAUSE_OUT_OF_SCOPE, text="不归我们", **at_cursor(case)))
    assert case.state == pb.STATE_REJECTED and case.closed_at_ms
    assert at.refused("NOT_THE_REPORTER", pb.Appeal(case_id=case.case_id, party=GRID_LEADER)) == "party"
    case = at.then(case, pb.Appeal(case_id=case.case_id, party=REPORTER, text="归你们"))
    assert (case.state, case.level, case.stage) == (pb.STATE_ACCEPTED, pb.LEVEL_STREET, 2)
    assert case.waiting_for == STREET_DESK and not case.closed_at_ms
    case = at.then(case, pb.Reject(cause=pb.CAUSE_OUT_OF_SCOPE, **at_cursor(case)))
    assert at.refused("SPENT", pb.Appeal(case_id=case.case_id, party=REPORTER))
    assert list(at.front.call(pb.ShowCase(case_id=case.case_id)).texts) == ["", "不归我们", "归你们", ""]


def test_a_merged_case_follows_its_master_until_it_is_split_off(at):
    master, case = at.reported(), at.reported()
    assert at.refused("FIELD_RANGE", pb.Merge(case_id=case.case_id, master=case.case_id)) == "master"
    assert at.refused("NO_SUCH_CASE", pb.Merge(case_id=case.case_id, master=1 << 40)) == "master"
    case = at.then(case, pb.Merge(case_id=case.case_id, master=master.case_id, party=COMMUNITY_DESK))
    assert case.state == pb.STATE_MERGED and (case.master, case.master_number) == (master.case_id, master.number)
    assert at.show(master).followers == 1 and not case.timers and not case.waiting_for
    assert at.refused("HAS_FOLLOWERS", pb.Withdraw(case_id=master.case_id)) == "case_id"
    assert at.refused("HAS_FOLLOWERS", pb.VoidCase(case_id=master.case_id), by="0417") == "case_id"
    case = at.then(case, pb.Split(case_id=case.case_id))
    assert case.state == pb.STATE_ACCEPTED and not case.master and at.show(master).followers == 0
    at.do(pb.Reject(cause=pb.CAUSE_NOT_A_FACT, **at_cursor(master)))
    assert at.refused("MASTER_ENDED", pb.Merge(case_id=case.case_id, master=master.case_id)) == "master"


def test_the_reporter_withdraws_what_nobody_has_taken_up(at):
    case = at.reported(reporter=REPORTER)
    assert at.refused("NOT_THE_REPORTER", pb.Withdraw(case_id=case.case_id, party=GRID_LEADER)) == "party"
    case = at.then(case, pb.Withdraw(case_id=case.case_id, party=REPORTER, text="已解决"))
    assert case.state == pb.STATE_WITHDRAWN and story_kinds(at.story(case)) == ["reported", "withdrawn"]
    assert at.refused("CASE_CLOSED", pb.Withdraw(case_id=case.case_id)) is not None
    danger = at.reported(category=GAS_LEAK)
    assert at.refused("DANGER", pb.Withdraw(case_id=danger.case_id)) == "case_id"
    taken = at.dispatched()
    assert at.refused("WRONG_STATE", pb.Withdraw(case_id=taken.case_id)) is not None


def test_others_are_asked_without_a_return(at):
    case = at.dispatched()
    parties = [pb.AskedParty(party=GRID_LEADER)]
    after = at.then(case, pb.Reassign(parties=parties, **at_cursor(case)))
    assert after.state == pb.STATE_DISPATCHED and awaited(after).party == GRID_LEADER and after.attempt == 2
    assert [a.status for a in after.asks] == ["ended", "asked"] and story_kinds(at.story(after))[-1] == "reassigned"
    assert at.refused("WRONG_STAGE", pb.Reassign(parties=parties, **at_cursor(case))) == "attempt"
    assert timer(after, pb.TIMER_HANDLING).due_ms == timer(case, pb.TIMER_HANDLING).due_ms, "its clock runs on"


def test_it_is_sent_up_past_a_level_and_down_again(at):
    case = at.dispatched()
    case = at.then(case, pb.Escalate(to_level=pb.LEVEL_DISTRICT, party=GRID_WORKER, **at_cursor(case)))
    assert case.level == pb.LEVEL_DISTRICT and case.waiting_for == DISTRICT_DESK
    down = dict(to_level=pb.LEVEL_COMMUNITY, **at_cursor(case))
    case = at.then(case, pb.Delegate(party=DISTRICT_DESK, text="请社区办理", **down))
    assert (case.level, case.delegations, case.state) == (pb.LEVEL_COMMUNITY, 1, pb.STATE_ACCEPTED)
    streets = at.reported(category="E0101")
    streets = at.then(streets, pb.Escalate(**at_cursor(streets)))
    assert at.refused("NOT_ADMITTED", pb.Delegate(to_level=pb.LEVEL_COMMUNITY, **at_cursor(streets))) == "to_level"
    assert at.refused("FIELD_RANGE", pb.Delegate(to_level=pb.LEVEL_STREET, **at_cursor(streets))) == "to_level"


def test_what_is_corrected_keeps_what_it_was(at):
    case = at.reported()
    assert at.refused("NO_CHANGE", pb.Correct(case_id=case.case_id, category=RUBBISH)) is not None
    assert at.refused("UNKNOWN_CATEGORY", pb.Correct(case_id=case.case_id, category="nothing")) == "category"
    elsewhere = pb.Place(division=STREET)
    assert at.refused("BAD_DIVISION", pb.Correct(case_id=case.case_id, place=elsewhere)) is not None
    fix = pb.Correct(case_id=case.case_id, urgency=pb.URGENCY_I, category="E0103", party=COMMUNITY_DESK, text="看错了")
    case = at.then(case, fix, by="0417")
    assert (case.category, case.urgency) == ("E0103", pb.URGENCY_I)
    last = at.story(case)[-1]
    changed = last.events[0].corrected
    assert (changed.before.category, changed.before.urgency) == (RUBBISH, pb.URGENCY_III) and last.by == "0417"


def test_a_party_that_goes_hands_its_asks_over(at):
    case = at.handling()
    assert at.refused("NOT_ASKED", pb.HandOver(**{"case_id": case.case_id, "from": GRID_LEADER, "to": GRID_WORKER}))
    case = at.then(case, pb.HandOver(**{"case_id": case.case_id, "from": GRID_WORKER, "to": GRID_LEADER}))
    assert awaited(case).party == GRID_LEADER and case.state == pb.STATE_HANDLING
    case = at.then(case, done(case))
    assert case.state == pb.STATE_RESOLVED and awaited(case).party == COMMUNITY_DESK
    taken = pb.HandOver(**{"case_id": case.case_id, "from": COMMUNITY_DESK, "to": GRID_LEADER})
    assert at.refused("SAME_PARTY", taken) == "to", "who did it does not verify it"


# ---- leaders' --------------------------------------------------------------------------------------------------------

def test_more_time_is_asked_for_and_granted_by_who_does_not_handle_it(at):
    case = at.handling()
    due = timer(case, pb.TIMER_HANDLING).due_ms
    ask = pb.AskExtension(case_id=case.case_id, party=GRID_WORKER, limit=pb.Limit(unit=pb.UNIT_WORK_HOURS, amount=2))
    assert at.refused("NOT_ASKED", pb.AskExtension(case_id=case.case_id, party=GRID_LEADER)) == "party"
    case = at.then(case, ask)
    assert case.extension_asked and at.refused("PENDING", ask)
    grant = dict(case_id=case.case_id, grant=True)
    assert at.refused("NOT_APPROVER", pb.DecideExtension(party=GRID_WORKER, **grant)) == "party"
    case = at.then(case, pb.DecideExtension(party=COMMUNITY_DESK, text="可以", **grant))
    assert case.extensions == 1 and not case.extension_asked and timer(case, pb.TIMER_HANDLING).due_ms > due
    assert at.refused("NOTHING_PENDING", pb.DecideExtension(party=STREET_DESK, **grant)) == "case_id"
    case = at.then(case, ask)
    assert at.refused("NOT_APPROVER", pb.DecideExtension(party=COMMUNITY_DESK, **grant)), "the second: one level up"
    case = at.then(case, pb.DecideExtension(party=STREET_DESK, case_id=case.case_id, grant=False, text="不行"))
    assert not case.extension_asked and case.extensions == 1


def test_suspended_its_timers_stand_still_until_the_review(at):
    case = at.handling()
    review = at.front.hello().now_ms + 10 * DAY
    pause = dict(case_id=case.case_id, cause=pb.CAUSE_FUNDING)
    assert at.refused("NOT_APPROVER", pb.Suspend(party=GRID_WORKER, review_ms=review, **pause)) == "party"
    assert at.refused("FIELD_RANGE", pb.Suspend(party=COMMUNITY_DESK, review_ms=review + 400 * DAY, **pause))
    case = at.then(case, pb.Suspend(party=COMMUNITY_DESK, review_ms=review, text="等资金", **pause))
    assert case.state == pb.STATE_SUSPENDED and case.suspensions == 1 and case.waiting_for == GRID_WORKER
    assert timer(case, pb.TIMER_REVIEW).due_ms == review and timer(case, pb.TIMER_HANDLING).stopped
    case = at.then(case, pb.Resume(case_id=case.case_id, party=STREET_DESK))
    assert case.state == pb.STATE_HANDLING and not any(t.stopped for t in case.timers)


def test_a_leader_reminds_and_supervises(at):
    case = at.handling()
    assert at.refused("NOT_APPROVER", pb.Remind(case_id=case.case_id, party=GRID_WORKER)) == "party"
    case = at.then(case, pb.Remind(case_id=case.case_id, party=COMMUNITY_DESK, text="请抓紧"))
    case = at.then(case, pb.Supervise(case_id=case.case_id, party=STREET_DESK, text="督办"))
    assert (case.reminders, case.supervised) == (1, 1)
    assert [e.party for _, e in events_of(at.story(case), "supervised")] == [STREET_DESK]


# ---- returns ---------------------------------------------------------------------------------------------------------

def test_what_is_returned_goes_to_whom_the_return_named_and_the_second_time_the_next_level_rules(make_broker):
    broker = make_broker()
    at = Office(broker)
    community, street = broker.worker(pb.LEVEL_COMMUNITY), broker.worker(pb.LEVEL_STREET)
    case = at.reported()
    community.done(community.offer())
    case = at.show(case)
    assert at.refused("FIELD_MISSING", returned(case, None)) == "proposed"
    assert at.refused("FIELD_MISSING", returned(case, GRID_LEADER, text=None)) == "text"
    case = at.then(case, returned(case, GRID_LEADER))
    assert case.state == pb.STATE_ACCEPTED and case.returns == 1 and case.asks[0].status == "returned"

    offer = community.offer()
    assert (offer.returned_by, offer.proposed, offer.arbitrating) == (GRID_WORKER, GRID_LEADER, False)
    assert offer.case_view.returns == 1 and [c.party for c in offer.candidates if c.tried] == [GRID_WORKER]
    community.done(offer, pb.Dispatch(parties=[pb.AskedParty(party=GRID_LEADER)], **at_cursor(case)))
    case = at.then(case, returned(at.show(case), SANITATION))
    assert (case.level, case.returns) == (pb.LEVEL_STREET, 2)
    assert story_kinds(at.story(case))[-4:] == ["returned", "reassigned", "returned", "escalated"]

    offer = street.offer()
    assert (offer.returned_by, offer.proposed, offer.arbitrating) == (GRID_LEADER, SANITATION, True)
    named = [c.party for c in offer.candidates]
    assert SANITATION in named and COMMUNITY_DESK in named and not any(p.startswith("district") for p in named)
    street.done(offer, pb.Dispatch(parties=[pb.AskedParty(party=SANITATION)], **at_cursor(case)))
    case = at.show(case)
    assert case.arbitrated and case.state == pb.STATE_DISPATCHED and story_kinds(at.story(case))[-1] == "arbitrated"
    assert at.refused("ARBITRATED", returned(case, GRID_WORKER)) == "kind"


def test_a_street_is_offered_no_department_of_the_district(broker):
    front, street = broker.client(), broker.worker(pb.LEVEL_STREET)
    case = front.show(front.call(report(category="E0101", wall=pb.WALL_OUTSIDE)).case_id)[0]
    front.call(pb.Escalate(**at_cursor(case)))
    offer = street.offer()
    assert "dept-land" in offer.duty_roles, offer.duty_roles
    levels = {wl.party_digits(c.party) for c in offer.candidates}
    assert levels and min(levels) == 9, offer.candidates


# ---- the end, and after ----------------------------------------------------------------------------------------------

def test_the_reporter_is_asked_and_says_what_he_thinks(at):
    case = at.resolved(reporter=REPORTER, ask_me=True)
    case = at.then(case, done(case))
    assert case.state == pb.STATE_FOLLOWUP and case.waiting_for == REPORTER
    assert at.refused("FIELD_MISSING", pb.FollowUp(case_id=case.case_id)) == "solved"
    assert at.refused("NOT_THE_REPORTER", pb.FollowUp(case_id=case.case_id, solved=pb.OPINION_YES, party=GRID_LEADER))
    said = pb.FollowUp(case_id=case.case_id, solved=pb.OPINION_YES, satisfied=pb.OPINION_NO, party=REPORTER, text="慢")
    case = at.then(case, said)
    assert case.state == pb.STATE_CLOSED and (case.solved, case.satisfied) == (pb.OPINION_YES, pb.OPINION_NO)
    assert story_kinds(at.story(case))[-4:] == ["verified", "followup_begun", "followed_up", "closed"]


def test_what_is_not_solved_goes_back_once_and_is_verified_by_another(at):
    case = at.resolved(ask_me=True)
    first = awaited(case).party
    case = at.then(case, done(case))
    case = at.then(case, pb.FollowUp(case_id=case.case_id, solved=pb.OPINION_NO, text="还在"))
    assert case.state == pb.STATE_HANDLING and case.reopens == 1 and awaited(case).party == GRID_WORKER
    case = at.then(case, done(case))
    assert awaited(case).party != first
    case = at.then(case, done(case))
    case = at.then(case, pb.FollowUp(case_id=case.case_id, solved=pb.OPINION_NO))
    assert case.state == pb.STATE_CLOSED, "the second time a supervising desk may reopen it"
    assert at.refused("SPENT", pb.Reopen(case_id=case.case_id, reporter=True)) == "reporter"
    case = at.then(case, pb.Reopen(case_id=case.case_id, party=STREET_DESK, text="复查"))
    assert case.state == pb.STATE_HANDLING and case.reopens == 2


def test_it_goes_to_another_authority_which_says_that_it_has_it(at):
    case = at.dispatched()
    assert at.refused("FIELD_RANGE", pb.Transfer(case_id=case.case_id)) == "authority"
    case = at.then(case, pb.Transfer(case_id=case.case_id, authority=pb.AUTHORITY_POLICE, text="报警"))
    assert case.state == pb.STATE_TRANSFERRED and case.waiting_for == "police" and timer(case, pb.TIMER_TRANSFER)
    assert case.case_id in {c.case_id for c in at.front.cases(COMMUNITY, open_only=True)}, "open until they have it"
    assert at.refused("FIELD_MISSING", pb.AcknowledgeTransfer(case_id=case.case_id)) == "external_id"
    case = at.then(case, pb.AcknowledgeTransfer(case_id=case.case_id, external_id="110-7"))
    assert not case.timers and case.authority == pb.AUTHORITY_POLICE and not case.waiting_for
    assert at.refused("CASE_CLOSED", pb.AcknowledgeTransfer(case_id=case.case_id, external_id="110-8")) == "case_id"
    case = at.then(case, pb.Reopen(case_id=case.case_id, party=STREET_DESK))
    assert case.state == pb.STATE_ACCEPTED and not case.authority


def test_two_persons_void_a_case(at):
    case = at.dispatched()
    assert at.refused("FIELD_MISSING", pb.VoidCase(case_id=case.case_id)) == "by"
    case = at.then(case, pb.VoidCase(case_id=case.case_id, text="重复测试"), by="0417")
    assert case.void_asked and case.state == pb.STATE_DISPATCHED
    assert at.refused("SAME_PERSON", pb.VoidCase(case_id=case.case_id), by="0417") == "by"
    case = at.then(case, pb.VoidCase(case_id=case.case_id), by="0502")
    assert case.state == pb.STATE_VOID and not case.void_asked
    assert [e.by for _, e in events_of(at.story(case), "voided")] == ["0502"]


def test_anybody_writes_a_note_even_after_the_end(at):
    case = at.closed()
    assert at.refused("FIELD_MISSING", pb.Note(case_id=case.case_id)) == "text"
    at.do(pb.Note(case_id=case.case_id, party=GRID_LEADER, text="后续"), origin="hotline")
    assert at.story(case)[-1].origin == "hotline" and at.front.call(pb.ShowCase(case_id=case.case_id)).texts[-1] == "后续"


# ---- another system's, another version's -----------------------------------------------------------------------------

def test_an_open_case_of_another_system_comes_with_its_instants(at):
    opened = at.front.hello().now_ms - 3 * DAY
    known = report(external_id="H-1", text="路面有坑", category=RUBBISH)
    dispatched = dict(opened_at_ms=opened, state=pb.STATE_HANDLING, asked_at_ms=opened + HOUR,
                      handling_due_ms=opened + 9 * DAY, parties=[pb.AskedParty(party=GRID_WORKER, lead=True)])
    assert at.refused("FIELD_MISSING", pb.Import(report=known, **dispatched)) == "origin"
    case = at.show(at.do(pb.Import(report=known, **dispatched), origin="old-grid").case_id)
    assert case.state == pb.STATE_HANDLING and case.opened_at_ms == opened and case.origin == "old-grid"
    assert timer(case, pb.TIMER_HANDLING).due_ms == opened + 9 * DAY and awaited(case).asked_at_ms == opened + HOUR
    assert case.text == "路面有坑"
    assert at.refused("ALREADY_KNOWN", pb.Import(report=known, **dispatched), origin="old-grid") is not None
    again = report(external_id="H-1")
    assert at.refused("ALREADY_KNOWN", again, origin="old-grid") == "external_id"
    assert at.do(again, origin="hotline").case_id != case.case_id, "another system's number is another"
    longest = dict(command=report(external_id="9" * 63), origin="o" * 15)
    assert at.do(**longest) and at.refused("ALREADY_KNOWN", longest["command"], origin="o" * 15)
    case = at.then(case, done(case))
    assert case.state == pb.STATE_RESOLVED


def test_a_case_is_moved_only_to_other_rules(at):
    case = at.reported()
    assert at.refused("NO_CHANGE", pb.MoveCase(case_id=case.case_id)) == "case_id" and case.rules == 1


def test_words_of_a_version_to_come_are_refused(at):
    case = at.dispatched()
    assert at.refused("NOT_YET", pb.Later(case_id=case.case_id, verb="vote")) is not None
    assert at.refused("NOT_YET", answer(case, pb.ANSWER_VOTE)) == "kind"


def test_a_dead_letter_is_listed_offered_again_or_taken_off_the_list(make_broker):
    broker = make_broker()
    at, desk = Office(broker), broker.worker(pb.LEVEL_COMMUNITY)
    case = at.reported()
    assert at.refused("NOTHING_PENDING", pb.RetryDead(case_id=case.case_id)) == "case_id"
    desk.failed(desk.offer(), pb.OFFER_REJECTED)
    assert [c.case_id for c in at.front.call(pb.ListDead(prefix=STREET)).cases] == [case.case_id]
    assert not at.front.call(pb.ListDead(prefix=OTHER_STREET)).cases and at.show(case).work_dead
    assert not at.then(case, pb.RetryDead(case_id=case.case_id)).work_dead
    assert not at.front.call(pb.ListDead()).cases
    desk.failed(desk.offer(), pb.OFFER_REJECTED)
    assert at.then(case, pb.DropDead(case_id=case.case_id)).work_dead and not at.front.call(pb.ListDead()).cases
    assert at.refused("NOTHING_PENDING", pb.DropDead(case_id=case.case_id)) == "case_id"


# ---- who may, and what survives --------------------------------------------------------------------------------------

def test_an_operator_is_root_or_the_stores_owner_over_ipc(make_broker, free_port):
    address = f"tcp://127.0.0.1:{free_port}"
    broker = make_broker(start=False)
    broker.front = address
    broker.start()
    front = broker.client()
    case = front.show(front.call(report()).case_id)[0]
    verbs = [pb.VoidCase(case_id=case.case_id), pb.CloseCase(case_id=case.case_id), pb.MoveCase(case_id=case.case_id),
             pb.Import(report=report(external_id="1")), pb.AskBatch(verb=pb.BATCH_VOID, cases=1, digest=bytes(32)),
             pb.ConfirmBatch(batch=bytes(16)), pb.Drain(on=True), pb.RetryDead(case_id=case.case_id)]
    for verb in verbs:
        with pytest.raises(wl.Refusal, match="NOT_PERMITTED"):
            front.call(verb, by="0417", origin="x")
    with pytest.raises(wl.Refusal, match="NOT_PERMITTED"):
        front.call(pb.HandOver(case_id=case.case_id, to=GRID_WORKER), batch=bytes(16))
    assert front.counters()["guard.not_operators"] == len(verbs) + 1
    front.call(dispatch(case, GRID_WORKER))
    broker.stop()
    broker.options["loopback-operates"] = "true"
    broker.start()
    assert broker.client().call(pb.VoidCase(case_id=case.case_id), by="0417").case_id == case.case_id


def test_a_whole_way_survives_being_killed_at_every_step(make_broker):
    broker = make_broker()
    at = Office(broker)
    steps = [lambda c: dispatch(c, GRID_WORKER), lambda c: returned(c, GRID_LEADER),
             lambda c: dispatch(c, GRID_LEADER), accept,
             lambda c: pb.Suspend(case_id=c.case_id, party=COMMUNITY_DESK, cause=pb.CAUSE_SEASON,
                                  review_ms=at.front.hello().now_ms + DAY),
             lambda c: pb.Resume(case_id=c.case_id, party=COMMUNITY_DESK),
             lambda c: pb.Escalate(**at_cursor(c)),
             lambda c: pb.Delegate(to_level=pb.LEVEL_COMMUNITY, **at_cursor(c)),
             lambda c: dispatch(c, GRID_WORKER), done, done,
             lambda c: pb.FollowUp(case_id=c.case_id, solved=pb.OPINION_NO), done, done,
             lambda c: pb.FollowUp(case_id=c.case_id, solved=pb.OPINION_YES),
             lambda c: pb.Reopen(case_id=c.case_id, party=STREET_DESK),
             lambda c: pb.Transfer(case_id=c.case_id, authority=pb.AUTHORITY_COURT)]
    case = at.reported(ask_me=True)
    for step in steps:
        case = at.then(case, step(case))
        broker.restart()
        assert at.show(case) == case
    assert story_kinds(at.story(case))[-1] == "transferred" and case.followers == 0
    assert len(at.story(case)) == len(steps) + 1


# ---- what consoles see -----------------------------------------------------------------------------------------------

def test_a_console_is_told_who_did_it_in_which_batch_and_where_from(at):
    console = at.broker.console().subscribe(STREET, from_seq=at.front.hello().durable_seq)
    console.until_live()
    at.do(report(), by="0417", origin="hotline")
    update = console.next().update
    assert (update.by, update.origin, update.batch) == ("0417", "hotline", b"")


def test_the_last_that_a_console_is_told_of_a_case_that_went_elsewhere_is_that_it_left(at):
    since = at.front.hello().durable_seq
    here, there, above, grid = (at.broker.console().subscribe(p, from_seq=since) for p in
                                (STREET, OTHER_STREET, DISTRICT, GRID))
    for console in here, there, above, grid:
        console.until_live()
    case = at.reported()
    moved = at.do(pb.Correct(case_id=case.case_id, place=pb.Place(division=OTHER_GRID)))
    at.do(pb.Note(case_id=case.case_id, text="x"))
    back = at.do(pb.Correct(case_id=case.case_id, place=pb.Place(division=GRID)))

    def told(console, count):
        return [(pb.FeedKind.Name(t.kind)[5:], wl.kinds(t.update)) for t in (console.next() for _ in range(count))]

    was = [("UPDATE", ["reported"]), ("LEFT", ["corrected"]), ("UPDATE", ["corrected"])]
    assert told(here, 3) == was and told(grid, 3) == was
    assert told(there, 3) == [("UPDATE", ["corrected"]), ("UPDATE", ["noted"]), ("LEFT", ["corrected"])]
    assert [kind for kind, _ in told(above, 4)] == ["UPDATE"] * 4
    assert moved.seq < back.seq == here.seq == there.seq and all(c.silent(0.05) for c in (here, there, above, grid))
