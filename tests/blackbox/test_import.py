"""Cases, divisions, parties and categories of another system, brought in whole or not at all, and never twice."""
import json
import shutil
import subprocess
import time

import pytest
import whistle_pb2 as pb

from conftest import CTL, QINDU, run
from world import GRID_WORKER, HOUR, events_of, timer
import wl

HEAD = "external_id,opened_at,division,category,state,level,parties,asked_at,handling_due,promise_due,text"


def local(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms / 1000 + 8 * 3600))


def rows(count, now=None, handling_due=None):
    """An old system's cases: every second one is being handled by a grid worker."""
    now = now or wl.now_ms()
    opened, due = local(now - 30 * 24 * HOUR), local(handling_due or now + 5 * 24 * HOUR)
    for i in range(count):
        if i % 2:
            yield f'W-{i:05},{opened},610402006001003,E0102,办理中,community,{GRID_WORKER},{opened},{due},,"第{i}件，""旧"""'
        else:
            yield f"W-{i:05},{opened},610402006001003,E0102,reported,,,,,{due},"


def write(path, lines, head=HEAD, mark="\ufeff", end="\r\n"):
    path.write_bytes((mark + end.join([head, *lines]) + end).encode())
    return path


def imported(broker, *words, code=0, json_wanted=True):
    r = run(CTL, *(["--json"] if json_wanted else []), "--lang", "en", "--front", broker.front, "--by", "W017", "import", *words,
            timeout=120)
    assert r.returncode == code, r.stdout + r.stderr
    return json.loads(r.stdout.splitlines()[-1]) if r.stdout else {}, r.stderr


def cases(broker, path, *more, code=0):
    return imported(broker, "cases", path, "--origin", "old12345", *more, code=code)


def numbers(outcome):
    return {name: int(value) for name, value in outcome.items()}


def test_a_thousand_cases_keep_their_instants_and_limits_and_are_not_brought_in_twice(broker, folder):
    now = wl.now_ms() // 1000 * 1000
    path, front = write(folder / "cases.csv", rows(1000, now, now + 3000)), broker.client()
    began = time.monotonic()
    said, _ = cases(broker, path)
    assert numbers(said) == {"checked": 1000, "added": 1000, "there_already": 0, "bad": 0} and time.monotonic() - began < 10
    assert numbers(cases(broker, path)[0]) == {"checked": 1000, "added": 0, "there_already": 1000, "bad": 0}
    listed = front.cases(610402, open_only=True)
    assert len(listed) == 1000 and len({c.external_id for c in listed}) == 1000
    handled = next(c for c in listed if c.external_id == "W-00001")
    assert handled.state == pb.STATE_HANDLING and handled.origin == "old12345"
    assert handled.opened_at_ms == now - 30 * 24 * HOUR and timer(handled, pb.TIMER_HANDLING).due_ms == now + 3000
    assert front.show(handled.case_id)[0].text == '第1件，"旧"'
    assert front.show(handled.case_id)[1][0].by == "W017"
    time.sleep(max(0, (now + 4000 - wl.now_ms()) / 1000))
    escalated = events_of(front.show(handled.case_id)[1], "escalated")
    assert len(escalated) == 1 and now + 3000 <= escalated[0][0] < now + 6000


def test_the_first_bad_line_is_told_and_nothing_is_sent(broker, folder):
    lines = list(rows(100))
    lines[35] = lines[35].replace("办理中", "forgotten")
    path = write(folder / "cases.csv", lines)
    said, why = cases(broker, path, code=1)
    assert f'{path}:37: state: "forgotten" is none of reported, accepted' in why and why.count("\n") == 1
    assert numbers(said)["added"] == 0 and broker.client().cases() == []


BAD = [(3, "external_id", "", "is missing"), (4, "division", "610402999", "has no such division"), (5, "division", "61", "not"),
       (6, "category", "E9999", "category"), (7, "opened_at", "2099-01-01", ""), (8, "handling_due", "soon", "is not an instant"),
       (9, "parties", "", ""), (10, "external_id", "W-00000", "the same number stands in line 2")]


def test_with_keep_going_the_good_lines_go_and_each_other_is_listed(broker, folder):
    lines, head = list(rows(40)), HEAD.split(",")
    for line, column, value, _ in BAD:
        cells = list(rows(40))[line - 2 | 1].split(",")
        cells[0] = f"X-{line}"
        cells[head.index(column)] = value
        lines[line - 2] = ",".join(cells)
    path = write(folder / "cases.csv", lines, mark="", end="\n")
    dry, _ = cases(broker, path, "--dry-run", "--keep-going", code=1)
    assert numbers(dry)["added"] == 0 and broker.client().cases() == []
    said, why = cases(broker, path, "--keep-going", code=1)
    for line, column, _, what in BAD:
        assert any(f":{line}: {column}: " in told for told in why.splitlines()), (line, column, why)
    assert numbers(said)["added"] == 40 - len(BAD) and numbers(said)["bad"] == len(BAD)
    assert len(broker.client().cases()) == 40 - len(BAD)


def test_a_dry_run_by_files_needs_no_broker(folder):
    path = write(folder / "cases.csv", rows(10))
    r = run(CTL, "--lang", "en", "import", "cases", path, "--origin", "old", "--dry-run", "--config", QINDU)
    assert r.returncode == 0 and r.stdout.startswith("10 lines are good; added 0"), r.stdout + r.stderr


@pytest.mark.parametrize("lang, head, why", [("en", "external_id,opened_at", ":1: division: this column is missing"),
                                             ("en", HEAD + ",person", ":1: person: is no column here"),
                                             ("en", HEAD + ",text", ":1: text: is a column twice"),
                                             ("zh", HEAD + ",text", ":1: text: 这一列出现两次")])
def test_a_wrong_header_is_told(folder, lang, head, why):
    path = write(folder / "cases.csv", [], head=head)
    r = run(CTL, "--lang", lang, "import", "cases", path, "--origin", "old", "--dry-run", "--config", QINDU)
    assert r.returncode == 1 and why in r.stderr, r.stderr


def test_after_a_kill_in_the_middle_the_same_again_brings_in_the_rest(broker, folder):
    path = write(folder / "cases.csv", rows(8000))
    command = [str(CTL), "--json", "--lang", "en", "--wait", "2s", "--front", broker.front, "--by", "W017", "import", "cases",
               str(path), "--origin", "old12345"]
    front = broker.client()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        while front.status().cases_all < 500:
            assert child.poll() is None, child.communicate()
        broker.kill()
        out, why = child.communicate(timeout=60)
    assert child.returncode == 5 and "run it again" in why, (out, why)
    broker.start()
    said = numbers(cases(broker, path)[0])
    assert said["added"] + said["there_already"] == 8000 and said["there_already"] >= 500 and said["added"] > 0
    assert broker.client().status().cases_all == 8000


def test_who_feeds_the_old_system_does_not_hear_its_own_cases(broker, folder):
    cases(broker, write(folder / "cases.csv", rows(3)))
    broker.client().call(pb.Report(place=pb.Place(division=610402006001003), category="E0102"))
    r = run(CTL, "--json", "--front", broker.front, "--feed", broker.feed, "watch", "--from", "0", "--not-origin", "old12345",
            "--count", "1")
    said = [json.loads(line) for line in r.stdout.splitlines()]
    assert [s["kind"] for s in said if s["kind"] == "update"] == ["update"] and "imported" not in r.stdout


# ---- rule sets -------------------------------------------------------------------------------------------------------


@pytest.fixture
def rules(folder):
    """A copy of the district's set."""
    shutil.copytree(QINDU, folder / "set")
    return folder / "set"


def brought(kind, path, rules, *more, code=0):
    r = run(CTL, "--json", "--lang", "en", "import", kind, path, "--into", rules, *more)
    assert r.returncode == code, r.stdout + r.stderr
    assert not list(rules.parent.glob("set.import-*")) and not list(rules.glob("*.new"))
    return json.loads(r.stdout) if r.stdout else {}, r.stderr


DIVISIONS = ["610402006099,新建社区,community,610402006", "610402006001,改名社区,community,610402006"]


def test_divisions_are_brought_into_the_set_that_a_broker_then_takes(rules, folder, make_broker):
    path = write(folder / "d.csv", DIVISIONS, head="code,name,level,parent")
    before = (rules / "divisions.csv").read_text()
    said, _ = brought("divisions", path, rules, "--dry-run")
    assert said["replaced"] is False and (rules / "divisions.csv").read_text() == before
    said, _ = brought("divisions", path, rules)
    assert (said["added"], said["changed"], said["replaced"]) == ("1", "1", True)
    after = (rules / "divisions.csv").read_text()
    assert after.splitlines()[-1] == DIVISIONS[0] and DIVISIONS[1] in after
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    front = make_broker(config=rules).client()
    front.call(pb.Report(place=pb.Place(division=610402006099001), category="E0102"))


def test_a_bad_line_of_a_set_is_told_where_it_came_from_and_nothing_changes(rules, folder):
    path = write(folder / "d.csv", [*DIVISIONS, "6104020069,错,community,610402006"], head="code,name,level,parent")
    before = (rules / "divisions.csv").read_text()
    said, why = brought("divisions", path, rules, code=1)
    assert f"{path}:4: code: " in why and said["replaced"] is False and (rules / "divisions.csv").read_text() == before
    said, why = brought("divisions", path, rules, "--keep-going", code=1)
    assert f"{path}:4: code: " in why and (said["added"], said["replaced"]) == ("1", True)


def test_categories_and_parties_are_brought_in(rules, folder):
    parties = write(folder / "p.csv", ["河长办,river-office,district"], head="name_zh,role,level")
    assert brought("parties", parties, rules)[0]["added"] == "1"
    head = "code,major_zh,minor_zh,minor_en,wall,level,departments,urgency,accept_limit,milestones,handling_limit"
    line = "X0001,河道,河面漂浮物,floating rubbish,both,区,河长办,III,2wh,clear=2wd,2wd"
    categories = write(folder / "c.csv", [line], head=head)
    assert brought("categories", categories, rules)[0]["added"] == "1"
    wrong = write(folder / "w.csv", [line.replace("河长办", "不存在"), "", line.replace("X0001", "X0002")], head=head)
    _, why = brought("categories", wrong, rules, code=1)
    assert f"{wrong}:2: departments: " in why
    odd = write(folder / "o.csv", ["X0003,red"], head="code,colour")
    _, why = brought("categories", odd, rules, code=1)
    assert f"{odd}:1: colour: " in why
