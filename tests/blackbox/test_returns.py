"""Daily and monthly returns: the same as-of is the same bytes, from a broker, from a resting store, for ever."""
import csv
import io
import subprocess
from collections import Counter
from datetime import datetime

import pytest
import whistle_pb2 as pb

from conftest import CTL, run
from test_drill import DATA, DRILL, desks, play
from world import (DAY, GRID, GRID_WORKER, HOUR, MINUTE, MONDAY, OTHER_GRID, OTHER_STREET, RUBBISH, STREET, Clock, accept,
                   done, report)

HEAD = ["期间 period", "截至序号 as of seq", "范围 scope", "代码 code", "名称 name", "指标", "figure", "分子 part", "分母 of",
        "比率 share"]


def bytes_of(broker, *words):
    r = subprocess.run([str(CTL), "--lang", "en", "--front", broker.front, "--feed", broker.feed, "returns", *map(str, words)],
                       capture_output=True, timeout=120)
    assert r.returncode == 0, r.stderr.decode()
    return r.stdout


def refused(broker, *words):
    r = run(CTL, "--lang", "en", "--front", broker.front, "--feed", broker.feed, "returns", *words)
    assert r.returncode == 2 and r.stdout == "", r.stdout
    return r.stderr


def lines_of(data):
    assert data.startswith(b"\xef\xbb\xbf") and data.endswith(b"\r\n") and b"\n" not in data.replace(b"\r\n", b"")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[0] == HEAD and all(len(row) == len(HEAD) for row in rows)
    return rows[1:]


def figures(data, scope="whole", code=""):
    """figure -> (part, of) of one row."""
    return {row[6]: (row[7], row[8]) for row in lines_of(data) if row[2].endswith(" " + scope) and row[3] == code}


@pytest.fixture
def monday(make_broker):
    """A driven broker of Qindu on a Monday morning."""
    broker = make_broker(drill=True)
    return broker, Clock(broker.client())


def a_day(broker, clock):
    """Two cases in one community, one closed in time and one left; one exercise; one found and done on the spot."""
    front = clock.front
    first = clock.do(report(category=RUBBISH, reporter=GRID_WORKER))
    second = clock.do(report(category=RUBBISH), after=MINUTE)
    clock.do(report(category=RUBBISH, exercise=True), after=MINUTE)
    clock.do(pb.SelfHandle(report=report(category=RUBBISH), party=GRID_WORKER), after=MINUTE)
    case = clock.case(first.case_id)
    clock.do(pb.Dispatch(case_id=case.case_id, stage=case.stage, attempt=case.attempt,
                         parties=[pb.AskedParty(party=f"grid-worker@{GRID}", lead=True)]), after=MINUTE)
    clock.do(accept(clock.case(case.case_id)), after=MINUTE)
    clock.do(done(clock.case(case.case_id)), after=10 * MINUTE)
    clock.do(done(clock.case(case.case_id)), after=MINUTE)
    assert clock.case(case.case_id).state == pb.STATE_CLOSED
    return first, second


def test_a_day_says_what_happened_to_each_case_once(monday):
    broker, clock = monday
    a_day(broker, clock)
    clock.do(report(category=RUBBISH), after=2 * DAY)             # what is over is judged at the last thing that happened
    whole = figures(bytes_of(broker, "daily", "--date", "2026-03-02"))
    assert whole["reported"] == ("3", "") and whole["self-handled / reported"] == ("1", "3")
    assert whole["found on patrol / reported"] == ("2", "3")
    assert whole["signed in time / signing due"] == ("1", "1")
    assert whole["closed, without self-handled"] == ("1", "")
    assert whole["answered within 24 h / due"] == ("1", "2")
    assert whole["community: escalated, a limit was over / came there"][0] == "1"
    assert whole["stay p50 (min), community, handling / stays"] == ("10", "1")
    assert whole["overdue at the end / open at the end"][1] == "1"
    of_street = figures(bytes_of(broker, "daily", "--date", "2026-03-02"), "street", str(STREET))
    assert of_street["reported"] == ("3", "")
    assert not figures(bytes_of(broker, "daily", "--date", "2026-03-02", "--prefix", OTHER_STREET), "street", str(STREET))


def test_the_same_as_of_is_the_same_bytes_before_and_after_more_happens_and_at_rest(monday):
    broker, clock = monday
    a_day(broker, clock)
    seq = clock.front.hello().durable_seq
    words = ("daily", "--date", "2026-03-02")
    early = bytes_of(broker, *words, "--as-of", seq)
    assert bytes_of(broker, *words) == early
    clock.do(report(division=OTHER_GRID, category=RUBBISH), after=HOUR)
    clock.to(MONDAY + DAY)
    assert bytes_of(broker, *words) != early
    assert bytes_of(broker, *words, "--as-of", seq) == early
    late, part = bytes_of(broker, *words), bytes_of(broker, *words, "--prefix", STREET, "--as-of", seq)
    at = bytes_of(broker, *words, "--as-of", "2026-03-02T09:30:00")
    monthly = bytes_of(broker, "monthly", "--month", "2026-03")
    broker.stop()
    rest = ("--data", broker.data)
    assert bytes_of(broker, *words, *rest, "--as-of", seq) == early
    assert bytes_of(broker, *words, *rest) == late
    assert bytes_of(broker, *words, *rest, "--prefix", STREET, "--as-of", seq) == part
    assert bytes_of(broker, *words, *rest, "--as-of", "2026-03-02T09:30:00") == at
    assert bytes_of(broker, "monthly", "--month", "2026-03", *rest) == monthly
    broker.start()
    assert bytes_of(broker, *words, "--as-of", seq) == early


def test_an_empty_day_is_all_noughts_of_the_whole(monday):
    broker, clock = monday
    rows = lines_of(bytes_of(broker, "daily", "--date", "2026-03-01"))
    assert rows and all(row[2] == "全部 whole" and row[7] == "0" and row[9] == "" for row in rows)


@pytest.mark.parametrize("words, why", [
    (("daily", "--date", "2026-02-30"), "is not a day such as"), (("daily", "--date", "20260302"), "is not a day such as"),
    (("daily", "--date", "2026-3-2"), "is not a day such as"), (("monthly", "--month", "2026-13"), "is not a month such as"),
    (("monthly", "--month", "2026-03-01"), "is not a month such as"), (("daily", "--as-of", "yesterday"), "neither a seq nor"),
    (("daily", "--as-of", "99999999"), "the journal ends at"), (("daily", "--prefix", "61040"), "is not a division's code"),
    (("daily", "--as-of", "2099-01-01"), "has not come yet"),
])
def test_what_is_no_day_or_no_as_of_is_said_and_nothing_printed(office, words, why):
    assert why in refused(office, *words)


def test_a_file_is_replaced_whole_and_small_counts_are_not_for_the_public(monday, folder):
    broker, clock = monday
    a_day(broker, clock)
    to = folder / "day.csv"
    bytes_of(broker, "daily", "--date", "2026-03-02", "--public", "--out", to)
    whole = figures(to.read_bytes())
    assert whole["reported"] == ("<5", "") and whole["appealed"] == ("0", "")
    assert not any(part in "1234" and part for part, _ in whole.values())
    assert not (folder / "day.csv.new").exists()


# ---- the same, counted by another program ----------------------------------------------------------------------------

BOSTON = -5 * HOUR         # in January


def instant(text):
    return int(datetime.fromisoformat(text + "+00:00").timestamp() * 1000) - BOSTON


def wanted(updates, begin, end, under=lambda division: True):
    """A month's figures, by walking each case's story by itself."""
    stories, of = {}, Counter()
    for u in updates:
        stories.setdefault(u.case_id, []).extend((u.at_ms, e.WhichOneof("event"), e, u.division) for e in u.events)
    for story in stories.values():
        if not under(story[-1][3]):
            continue
        promise = handling = level = verdict = verified = None
        for at, kind, e, _ in story:
            what, now = getattr(e, kind), begin <= at < end
            if verified is None:
                for t in getattr(what, "timers", []):
                    promise = t.due_ms if t.kind == pb.TIMER_PROMISE else promise
                    handling = t.due_ms if t.kind == pb.TIMER_HANDLING else handling
            of[kind] += now
            if kind in ("reported", "self_handled"):
                level = (what if kind == "reported" else what.report).level
                of["came", level] += now
            if kind == "escalated" and not what.asks:
                of["rose", level] += now
            if kind == "escalated":
                level = what.level
                of["came", level] += now and not what.asks
            if kind == "resolved":
                verdict = what.on_time
            if kind in ("rework",) or (kind == "escalated" and not what.asks):
                verdict = None
            if kind in ("verified", "closed") and verified is None and verdict is not None:
                verified = verdict
        limit = promise or handling
        if limit and begin <= limit < end and (limit <= updates[-1].at_ms or verified is not None):
            of["due"] += 1
            of["in time"] += bool(verified)
            of["was verified"] += verified is not None
    return of


def agree(told, of):
    def first(name):
        return int(told.get(name, ("0", ""))[0])

    assert first("reported") == of["reported"] + of["self_handled"] > 0
    assert first("self-handled / reported") == of["self_handled"]
    assert first("dispatched") == of["dispatched"] + of["reassigned"] + of["arbitrated"]
    assert first("rework / resolved") == of["rework"]
    assert told.get("rework / resolved", ("0", "0"))[1] == str(of["resolved"])
    assert first("closed, without self-handled") == of["closed"]
    assert first("reminded") == of["reminded"] and first("supervised") == of["supervised"]
    assert first("due") == of["due"] and first("resolved in time / due") == of["in time"]
    assert first("resolved and verified / due") == of["was verified"]
    for level, name in ((pb.LEVEL_COMMUNITY, "community"), (pb.LEVEL_STREET, "street")):
        rose = [told.get(f"{name}: escalated, {why} / came there", ("0", "0")) for why in
                ("a limit was over", "asked for help")]
        assert sum(int(part) for part, _ in rose) == of["rose", level]
        assert {int(all_) for _, all_ in rose} <= {of["came", level], 0}


def test_a_drill_of_thousands_agrees_with_what_another_program_counts(make_broker):
    broker = make_broker(config=DRILL, drill=True)
    with desks(broker):
        assert play(broker, rows=3000).returncode == 0
    updates = [t.update for t in broker.console().subscribe(61).until_live(60) if t.update]
    month = bytes_of(broker, "monthly", "--month", "2015-01")
    agree(figures(month), wanted(updates, instant("2015-01-01"), instant("2015-02-01")))
    day = bytes_of(broker, "daily", "--date", "2015-01-05")
    agree(figures(day), wanted(updates, instant("2015-01-05"), instant("2015-01-06")))
    streets = [row[3] for row in lines_of(month) if row[2] == "街道 street" and row[6] == "reported"]
    assert len(streets) > 5
    for street in streets:
        begin, end = instant("2015-01-01"), instant("2015-02-01")
        of = wanted(updates, begin, end, lambda division, s=street: str(division).startswith(s))
        agree(figures(month, "street", street), of)
    broker.stop()
    assert bytes_of(broker, "monthly", "--month", "2015-01", "--data", broker.data) == month
