"""An office changes its files while the broker serves: adopted whole or not at all, and who goes by what."""
import re
import shutil
import signal
import time

import pytest

import whistle_pb2 as pb
import wl
from conftest import CTL, QINDU, run, until
from world import BUILDING, DAY, GRID, HOUR, MONDAY, RUBBISH, Clock, at_cursor, dispatch, report, story_kinds, timer

INCIDENT, CHINA = "playbooks/incident.yaml", "calendars/china-2024-2026.yaml"
OPEN_ALWAYS = [(r'(monday|tuesday|wednesday|thursday|friday):( *)\[.*\]', r'\1:\2["00:00-24:00"]'),
               (r"(saturday|sunday):( *)\[\]", r'\1:\2["00:00-24:00"]')]


class Office:
    """A copy of config/qindu that a broker reads and a test changes."""

    def __init__(self, folder):
        self.config = folder / "config"
        shutil.copytree(QINDU, self.config)

    def change(self, file, *changes):
        """Regular expressions; each must be found. The line of the first."""
        path = self.config / file
        text, line = path.read_text(), None
        for pattern, to in changes:
            found = re.search(pattern, text)
            assert found, pattern
            line = line or text[:found.start()].count("\n") + 1
            text = re.sub(pattern, to, text)
        path.write_text(text)
        return line


@pytest.fixture
def office(folder):
    return Office(folder)


@pytest.fixture
def broker(make_broker, office):
    return make_broker(config=office.config)


def reload(front, dry_run=False, by="1001", **more):
    """Patiently: one set is read at a time, and on a busy machine that takes more than the second after which a client
    asks again; a dry run that is asked for again behind its answer is read once more, and the next one is told BUSY."""
    return front.call(pb.Reload(dry_run=dry_run), patient=True, **({} if dry_run else {"by": by}), **more)


def recompute(front, dry_run=False, by="1001", **more):
    return front.call(pb.Recompute(dry_run=dry_run), **({} if dry_run else {"by": by}), **more)


def resident(broker):
    """Bytes of its own: without the pages of the state, which are the kernel's to keep or drop."""
    status = open(f"/proc/{broker.process.child.pid}/status").read()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) << 10


def dispatched(front, category=BUILDING):
    """A case of the street's, asked of somebody; its handling limits run."""
    case = front.show(front.call(report(category=category, wall=pb.WALL_OUTSIDE)).case_id)[0]
    while case.level < pb.LEVEL_STREET:
        front.call(pb.Escalate(**at_cursor(case), cause=pb.CAUSE_OUTSIDE_WALL))
        case = front.show(case.case_id)[0]
    front.call(dispatch(case, "dept-enforcement@610402006"))
    return front.show(case.case_id)[0]


# ---- reload ----------------------------------------------------------------------------------------------------------

def test_a_right_set_is_adopted_with_what_is_different_and_who_said_so(broker, office):
    front = broker.client()
    before = front.status()
    office.change(INCIDENT, (r"handling: 10wd", "handling: 8wd"))
    id = wl.uuid7()
    told = reload(front, id=id)
    assert told.adopted and told.rules == before.rules + 1 and not told.problems and not told.calendars_changed
    assert list(told.lines) == ["~ playbook incident: stages.street.handling 10wd -> 8wd"] and not told.lines_left_off
    assert told.hash_before == before.rules_hash and told.hash_after == front.status().rules_hash != before.rules_hash
    seq = front.status().broker.durable_seq
    assert reload(front, id=id) == told and front.status().broker.durable_seq == seq, "the same again, once"
    with pytest.raises(wl.Refusal, match="CONFLICT"):
        reload(front, id=id, by="1002")
    again = reload(front)
    assert not again.adopted and not again.lines and again.hash_before == again.hash_after
    assert front.counters()["rules.reloads"] == 1
    broker.restart()
    assert reload(broker.client(), id=id) == told and broker.client().status().rules == told.rules


def test_a_wrong_set_leaves_the_old_one_serving_and_is_told_by_file_line_and_key(broker, office):
    front = broker.client()
    before = front.status()
    line = office.change(INCIDENT, (r"handling: 10wd", "handling: 10 days"))
    told = reload(front)
    assert not told.adopted and told.rules == before.rules and not told.lines
    assert len(told.problems) == 1
    assert told.problems[0].startswith(f"{office.config}/{INCIDENT}:{line}: handling: must be a limit such as")
    after = front.status()
    assert after.rules_hash == before.rules_hash and after.broker.durable_seq == before.broker.durable_seq
    front.call(report())
    assert front.counters()["rules.wrong"] == 1 and "rules.wrong" in broker.said()
    office.change(INCIDENT, (r"handling: 10 days", "handling: 10wd"))
    (office.config / "roles.yaml").rename(office.config / "gone.yaml")
    assert reload(front).problems[0].startswith(f"{office.config}/roles.yaml: cannot be opened: No such file")


def test_a_dry_run_says_the_same_and_does_nothing(broker, office):
    front = broker.client()
    before = front.status()
    office.change("categories.csv", (r"\nE0104,", "\nE0198,"))
    told = reload(front, dry_run=True)
    assert not told.adopted and told.rules == before.rules
    assert [line.split()[:3] for line in told.lines] == [["-", "category", "E0104"], ["+", "category", "E0198"]]
    assert front.status().broker.durable_seq == before.broker.durable_seq
    assert reload(front, dry_run=True) == told


def test_many_differences_are_bounded_and_counted(broker, office):
    office.change("office.yaml", (r"each: 17", "each: 18"))
    told = reload(broker.client(), dry_run=True)
    assert len(told.lines) == 200 and told.lines_left_off == 162


def test_who_reloads_must_say_who_he_is(broker):
    with pytest.raises(wl.Refusal, match="FIELD_MISSING by"):
        broker.client().call(pb.Reload())
    with pytest.raises(wl.Refusal, match="FIELD_MISSING by"):
        broker.client().call(pb.Recompute())


def test_a_hangup_reloads_too(broker, office):
    front = broker.client()
    rules = front.status().rules
    office.change(INCIDENT, (r"handling: 10wd", "handling: 9wd"))
    broker.process.child.send_signal(signal.SIGHUP)
    until(lambda: front.status().rules == rules + 1)
    office.change(INCIDENT, (r"handling: 9wd", "handling: nine"))
    broker.process.child.send_signal(signal.SIGHUP)
    until(lambda: "rules.wrong" in broker.said())
    assert front.status().rules == rules + 1 and "must be a limit" in broker.said()


def test_a_case_stays_with_its_rules_until_it_is_moved(broker, office):
    front = broker.client()
    old = front.show(front.call(report()).case_id)[0]
    office.change(INCIDENT, (r"appeal_within: 15cd", "appeal_within: 16cd"))
    now = reload(front).rules
    new = front.show(front.call(report()).case_id)[0]
    assert (old.rules, new.rules) == (now - 1, now)
    assert front.show(old.case_id)[0].rules == now - 1
    moved = front.call(pb.MoveCase(case_id=old.case_id), by="1001")
    case, story = front.show(old.case_id)
    assert case.rules == now and story_kinds(story)[-1] == "case_moved" and case.last_seq == moved.seq
    with pytest.raises(wl.Refusal, match="NO_CHANGE"):
        front.call(pb.MoveCase(case_id=old.case_id), by="1001")
    broker.restart()
    assert broker.client().show(old.case_id)[0].rules == now


def test_two_at_once_are_one_and_the_other_is_asked_to_wait(broker, office):
    front, other = broker.client(), broker.client()
    office.change(INCIDENT, (r"handling: 10wd", "handling: 8wd"))
    first, second = (wl.envelope(pb.Reload(), by=by) for by in ("1001", "1002"))
    front.send(first)
    other.send(second)
    told = [wl.answer_of(front.ask(first, patient=True)), wl.answer_of(other.ask(second, patient=True))]
    assert [t.adopted for t in told].count(True) == 1 and len({t.hash_after for t in told}) == 1


def test_a_hundred_reloads_do_not_grow_the_memory(make_broker, office):
    """Each leaves nothing behind in memory but what the next checkpoint takes."""
    broker = make_broker(config=office.config, checkpoint_bytes="4MiB")
    front = broker.client()

    def rounds(count):
        for i in range(count):
            office.change(INCIDENT, (r"follow_up: \d+cd", f"follow_up: {7 + i % 2}cd"))
            reload(front)
    rounds(30)
    before, rules = resident(broker), front.status().rules
    rounds(100)
    assert front.status().rules >= rules + 99
    until(lambda: resident(broker) < before + (16 << 20))


def test_a_set_that_is_adopted_in_the_middle_of_a_kill_is_old_or_new(make_broker, office):
    broker = make_broker(config=office.config)
    rules = broker.client().status().rules
    for i in range(6):
        office.change(INCIDENT, (r"suspensions_max: \d", f"suspensions_max: {i}"))
        front = broker.client()
        front.send(wl.envelope(pb.Reload(), by="1001"))
        time.sleep(0.01 * i)
        broker.restart()
        now = broker.client().status().rules
        assert now == rules + 1, "adopted then, or at the start"
        rules = now


def test_a_new_grid_is_known_after_a_reload_and_not_before(broker, office):
    front = broker.client()
    with pytest.raises(wl.Refusal, match="UNKNOWN_DIVISION"):
        front.call(report(division=610402006001019))
    office.change("office.yaml", (r"610402006001: 18", "610402006001: 19"))
    told = reload(front)
    assert any(line.startswith("+ division 610402006001019") for line in told.lines)
    front.call(report(division=610402006001019))


# ---- recompute -------------------------------------------------------------------------------------------------------

def dues(front, ids):
    return {id: {t.kind: t.due_ms for t in front.show(id)[0].timers} for id in ids}


def settled(front):
    return until(lambda: (s := front.status()) and not s.recomputing and s)


def test_another_calendar_moves_open_deadlines_when_it_is_told_to(broker, office):
    front = broker.client()
    case, closed = dispatched(front), front.call(pb.SelfHandle(report=report(), party=f"grid-worker@{GRID}"))
    ids = [case.case_id]
    before = dues(front, ids)
    office.change(CHINA, *OPEN_ALWAYS)
    told = reload(front)
    assert told.calendars_changed and all(line.startswith("~ calendar china: week.") for line in told.lines)
    assert dues(front, ids) == before, "a reload moves nothing"

    would = recompute(front, dry_run=True)
    assert would.cases == 1 and not would.moved_left_off and dues(front, ids) == before
    assert {m.kind: m.due_before_ms for m in would.moved}.items() <= before[case.case_id].items()
    assert {m.number for m in would.moved} == {case.number}

    id = wl.uuid7()
    told = recompute(front, id=id)
    assert told.rules == front.status().rules
    status = settled(front)
    after = dues(front, ids)
    assert after[case.case_id] == {**before[case.case_id], **{m.kind: m.due_after_ms for m in would.moved}} != before
    handling = timer(front.show(case.case_id)[0], pb.TIMER_HANDLING)
    assert handling.due_ms == handling.start_ms + 4 * HOUR, "four working hours, day and night"
    assert status.recompute_looked == 1 and status.recompute_moved == 1
    assert story_kinds(front.show(case.case_id)[1])[-1] == "due_moved"
    assert story_kinds(front.show(closed.case_id)[1]) == ["self_handled"]

    assert recompute(front, id=id) == told
    seq = front.status().broker.durable_seq
    assert recompute(front, dry_run=True).cases == 0
    recompute(front)
    settled(front)
    assert front.status().broker.durable_seq == seq + 2, "begun and ended: nothing moves twice"


def test_rules_that_leave_the_calendar_alone_move_nothing(broker, office):
    front = broker.client()
    case = dispatched(front)
    office.change(INCIDENT, (r"follow_up: 7cd", "follow_up: 6cd"))
    reload(front)
    recompute(front)
    assert settled(front).recompute_moved == 0
    assert story_kinds(front.show(case.case_id)[1])[-1] == "dispatched"


def test_a_kill_in_the_middle_of_a_recomputing_ends_nothing(make_broker, office):
    broker = make_broker(config=office.config)
    front = broker.client()
    envelopes = [wl.envelope(report()) for _ in range(1500)]
    for e in envelopes:
        front.send(e)
    ids = sorted(wl.answer_of(front.reply()).case_id for _ in envelopes)
    before = dues(front, ids[:3] + ids[-3:])
    office.change(CHINA, *OPEN_ALWAYS)
    reload(front)
    told = recompute(front)
    with pytest.raises(wl.Refusal, match="PENDING"):
        recompute(front)
    for _ in range(3):
        broker.restart()
        front = broker.client()
    settled(front)
    after = dues(front, before)
    for id in before:
        desk = timer(front.show(id)[0], pb.TIMER_DESK)
        assert desk.due_ms == desk.start_ms + 2 * HOUR, (id, before[id], after[id])
        assert story_kinds(front.show(id)[1]) == ["reported", "due_moved"]
    assert recompute(front, dry_run=True).cases == 0 and front.status().rules == told.rules
    would = recompute(front, dry_run=True)
    assert not would.moved


def test_a_dry_run_lists_so_many_and_counts_the_rest(broker, office):
    front = broker.client()
    for _ in range(250):
        front.call(report())
    office.change(CHINA, *OPEN_ALWAYS)
    reload(front)
    would = recompute(front, dry_run=True)
    assert would.cases == 250 and len(would.moved) == 200 and would.moved_left_off == 50


def test_a_drill_is_recomputed_at_its_own_instant(make_broker, office):
    """A holiday on the day that the answer is due: two drills of the same write the same."""
    digests = set()
    for name in "xy":
        broker = make_broker(name, config=office.config, drill=True, drill_start_ms=MONDAY)
        clock = Clock(broker.client())
        case_id = clock.do(report(category=RUBBISH), id=wl.uuid7(MONDAY, 1)).case_id
        clock.on(HOUR)
        due = timer(clock.case(case_id), pb.TIMER_DESK).due_ms
        office.change(CHINA, (r"  - {date: 2026-04-04", "  - {date: 2026-03-02, name: 雪, kind: off}\n"
                                                       "  - {date: 2026-04-04"))
        assert clock.do(pb.Reload(), by="1001", id=wl.uuid7(MONDAY, 2)).adopted
        assert clock.do(pb.Recompute(), by="1001", id=wl.uuid7(MONDAY, 3)).rules == 2
        clock.on(1)
        moved = timer(clock.case(case_id), pb.TIMER_DESK).due_ms
        assert moved > due
        digests.add(broker.client().call(pb.AskStatus(digest=True)).digest)
        office.change(CHINA, (r"  - {date: 2026-03-02, name: 雪, kind: off}\n", ""))
    assert len(digests) == 1


def test_the_end_of_the_calendar_is_told_in_time(make_broker, office):
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 20 * DAY / 1000))
    text = (office.config / CHINA).read_text()
    text = re.sub(r"last_date: \S+", f"last_date: {today}", text)
    days = [line for line in text.split("\n") if not (m := re.search(r"date: (\d{4}-\d\d-\d\d), name", line)) or m[1] <= today]
    (office.config / CHINA).write_text("\n".join(days))
    broker = make_broker(config=office.config)
    status = broker.client().status()
    assert status.calendar_ends == "china" and 19 <= status.calendar_days <= 21
    assert str(status.calendar_last_date) == today.replace("-", "")
    until(lambda: "calendar.ends name=china" in broker.said())


# ---- whistlectl ------------------------------------------------------------------------------------------------------

def ctl(broker, *words):
    return run(CTL, *words, "--front", broker.front, "--by", "1001", "--lang", "en")


def test_an_operator_reloads_recomputes_and_moves_from_the_command_line(broker, office):
    front = broker.client()
    case = dispatched(front)
    office.change(CHINA, *OPEN_ALWAYS)
    said = ctl(broker, "reload", "--dry-run")
    assert said.returncode == 0 and "~ calendar china: week.1.windows 08:30-12:00,14:00-18:00 -> 00:00-24:00" in said.stdout
    assert "not adopted (--dry-run)" in said.stdout and front.status().rules == 1
    said = ctl(broker, "reload")
    assert said.returncode == 0 and "adopted: rules 2" in said.stdout and "calendar recompute" in said.stdout
    assert "nothing is different" in ctl(broker, "reload").stdout

    said = ctl(broker, "calendar", "recompute", "--dry-run")
    assert said.returncode == 0 and case.number in said.stdout and "1 cases would have" in said.stdout
    said = ctl(broker, "calendar", "recompute")
    assert said.returncode == 0 and "it has begun" in said.stdout
    settled(front)
    assert "over; 1 cases looked at, 1 moved" in ctl(broker, "status").stdout

    assert front.show(case.case_id)[0].rules == 1
    assert ctl(broker, "case", "move", case.number).returncode == 0
    assert front.show(case.case_id)[0].rules == 2
    assert ctl(broker, "case", "move", case.number).returncode == 1


def test_a_wrong_set_is_told_to_the_operator_and_ends_with_one(broker, office):
    line = office.change(INCIDENT, (r"on_overdue: district", "on_overdue: city"))
    said = ctl(broker, "reload")
    assert said.returncode == 1 and f"{INCIDENT}:{line}: on_overdue: must be the name of a stage" in said.stderr
    assert "still in force: rules 1" in said.stderr and not said.stdout
