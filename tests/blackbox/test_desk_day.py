"""A desk's day, typed through whistlectl: what waits, what is decided, what two persons confirm, what a citizen is told."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import CTL, run
from world import COMMUNITY_DESK, GRID, GRID_LEADER, GRID_WORKER, OTHER_GRID, RUBBISH, STREET_DESK

ENGLISH, CHINESE = "en_GB.UTF-8", "zh_CN.UTF-8"


class Desk:
    """Somebody at a desk: a staff number, a language, a folder for plans."""

    def __init__(self, broker, folder, by="A1", language=ENGLISH):
        self.folder, self.by = folder, by
        self.environment = {**os.environ, "LC_ALL": language, "WHISTLE_FRONT": broker.front, "WHISTLE_FEED": broker.feed,
                            "WHISTLE_POOL": broker.pool, "WHISTLE_BY": by}

    def types(self, *words, code=0):
        """The line as it is typed, without quotes: words with spaces are given apart."""
        said = run(CTL, *words, env=self.environment, cwd=self.folder)
        assert said.returncode == code, (words, said.stdout, said.stderr)
        return said.stdout if code == 0 else said.stdout + said.stderr

    def case(self, which):
        return json.loads(self.types("--json", "show", which).splitlines()[0])["story"]["case_view"]

    def reports(self, *more, division=GRID):
        """Something happened; its number."""
        return self.types("report", "--division", division, "--category", RUBBISH, "--wall", "inside", *more).split()[0]

    def asks(self, *more, party=GRID_WORKER):
        number = self.reports(*more)
        self.types("dispatch", number, "--to", party)
        return number

    def handles(self, *more):
        number = self.asks(*more)
        self.types("answer", number, "accept")
        return number


@pytest.fixture
def desk(broker, folder):
    return Desk(broker, folder)


def state(desk, number):
    return desk.case(number)["state"].removeprefix("STATE_").lower()


# ---- one case --------------------------------------------------------------------------------------------------------

def test_a_case_goes_round_about_and_each_word_is_typed(desk):
    number = desk.reports("--text", "垃圾", "--ask-me")
    desk.types("accept", number, "--party", COMMUNITY_DESK)
    desk.types("dispatch", number, "--to", GRID_WORKER)
    desk.types("return", number, "--to", GRID_LEADER, "--why", "不在我的网格")
    assert state(desk, number) == "accepted" and desk.case(number)["returns"] == 1
    desk.types("dispatch", number, "--to", GRID_LEADER)
    desk.types("reassign", number, "--to", GRID_WORKER)
    desk.types("answer", number, "accept")
    desk.types("extend", "ask", number, "--party", GRID_WORKER, "--limit", "1wh", "--text", "下雨")
    desk.types("extend", "refuse", number, "--party", COMMUNITY_DESK)
    desk.types("suspend", number, "--party", STREET_DESK, "--why", "season", "--until", tomorrow())
    assert state(desk, number) == "suspended"
    desk.types("resume", number, "--party", STREET_DESK)
    desk.types("remind", number, "--party", STREET_DESK, "--text", "请抓紧")
    desk.types("supervise", number, "--party", STREET_DESK)
    desk.types("correct", number, "--urgency", "II")
    desk.types("note", number, "--text", "已电话联系")
    photo = "--evidence", "ab" * 32 + "=https://photos/1"
    desk.types("answer", number, "done", *photo, *photo)
    desk.types("answer", number, "done")                                           # the verifier agrees
    assert state(desk, number) == "followup"
    desk.types("follow-up", number, "--solved", "no", "--satisfied", "no")
    assert state(desk, number) == "handling" and desk.case(number)["reopens"] == 1
    told = desk.types("show", number)
    for word in ("returned it", "reassigned to", "refused more time", "suspended: waits for the season", "resumed",
                 "returned 1×", "reopened 1×", "the reporter said: solved no", "reminded them", "a leader's word", "corrected:", "left a note", "solved no, satisfied no", "reopened"):
        assert word in told, word


def tomorrow():
    return time.strftime("%Y-%m-%d", time.localtime(time.time() + 3 * 86400))


def test_the_same_day_in_chinese(broker, folder):
    desk = Desk(broker, folder, language=CHINESE)
    number = desk.handles()
    desk.types("suspend", number, "--party", STREET_DESK, "--why", "工程", "--until", tomorrow())
    assert "挂起：工程施工" in desk.types("show", number)
    assert "暂缓办理" in desk.types("tell", number) and "最迟恢复" in desk.types("tell", number)
    assert "件待办" in desk.types("inbox", GRID_WORKER)
    assert "最忙的值守席" in desk.types("top", "--once")
    assert "必填" in desk.types("suspend", "--help") and "值守席：" in desk.types("--help")
    assert "未被接受" in desk.types("resume", number, "--party", GRID_WORKER, code=1)
    assert "没有这个命令" in desk.types("挂起", code=2)


def test_a_case_is_named_by_its_number_or_its_id(desk):
    number = desk.reports()
    id = desk.case(number)["case_id"]
    desk.types("note", id, "--text", "by id")
    desk.types("note", number, "--text", "by number")
    assert "neither an id such as 1234 nor a number" in desk.types("note", "12-34", "--text", "x", code=2)


def test_a_case_follows_another_and_who_asks_is_told_of_that(desk):
    master, other = desk.asks("--text", "secret words"), desk.reports()
    assert master in desk.types("similar", other)
    desk.types("merge", other, "--into", master)
    told = desk.types("tell", other)
    assert other in told and "together with an earlier report" in told
    assert f"{master}: It was given to those who are responsible" in told
    for private in ("secret", "grid-worker", "610402006", "rubbish", RUBBISH):
        assert private not in told.replace(master, "").replace(other, "")
    assert json.loads(desk.types("--json", "tell", other))["number"] == master
    desk.types("split", other)
    assert state(desk, other) == "accepted"


def test_what_ends_a_case_otherwise(broker, folder, desk):
    number = desk.reports()
    desk.types("withdraw", number)
    assert state(desk, number) == "withdrawn"
    number = desk.reports()
    desk.types("reject", number, "--cause", "out-of-scope")
    desk.types("appeal", number)
    assert state(desk, number) == "accepted"
    desk.types("transfer", number, "--to", "court")
    assert "handed to the court" in desk.types("tell", number)
    desk.types("acknowledge-transfer", number, "--number", "2026-17")
    assert "as 2026-17" in desk.types("show", number)
    number = desk.reports()
    desk.types("void", number, "--text", "test")
    assert "SAME_PERSON" in desk.types("void", number, code=1)
    Desk(broker, folder, by="B2").types("void", number)
    assert state(desk, number) == "void"
    number = desk.reports()
    desk.types("escalate", number, "--to-level", "district")
    assert desk.case(number)["level"] == "LEVEL_DISTRICT"
    desk.types("delegate", number, "--to-level", "street")
    assert desk.case(number)["level"] == "LEVEL_STREET"


# ---- what waits ------------------------------------------------------------------------------------------------------

def test_the_inbox_is_by_due_with_the_share_of_the_limit(desk):
    number, unasked = desk.handles(), desk.reports(division=OTHER_GRID)
    shown = desk.types("inbox", GRID_WORKER)
    assert number in shown and "1 waiting, 0 overdue" in shown and re.search(r"\[[#.]{10}\] +\d+%", shown)
    assert unasked not in shown
    shown = desk.types("inbox", "--desk", OTHER_GRID // 1000, "--level", "community")
    assert unasked in shown and number not in shown
    for _ in range(60):
        desk.asks()
    assert "there are more: --all" in desk.types("inbox", GRID_WORKER)
    assert desk.types("inbox", GRID_WORKER, "--all").count("610402-20") == 61
    assert "say whose" in desk.types("inbox", code=2)
    assert "--level goes with --desk" in desk.types("inbox", GRID_WORKER, "--level", "street", code=2)


def test_a_shift_is_handed_over(desk):
    numbers = [desk.handles() for _ in range(3)]
    assert desk.types("hand-over", "--from", GRID_WORKER, "--to", GRID_LEADER, "--dry-run").count("610402-20") == 3
    assert "3 waiting" in desk.types("inbox", GRID_WORKER), "a dry run does nothing"
    desk.types("hand-over", numbers[0], "--from", GRID_WORKER, "--to", GRID_LEADER)
    assert "done 2, done before 0, refused 0" in desk.types("hand-over", "--from", GRID_WORKER, "--to", GRID_LEADER)
    assert "0 waiting" in desk.types("inbox", GRID_WORKER) and "3 waiting" in desk.types("inbox", GRID_LEADER)


# ---- many, by two persons --------------------------------------------------------------------------------------------

def asked(desk, verb, *words):
    """The batch that was asked for."""
    told = desk.types("bulk", verb, *words)
    return re.search(r"^id (\w{32})$", told, re.M)[1]


def test_many_are_reassigned_by_two_persons_and_one_who_moved_on_is_not(broker, folder, desk):
    other = Desk(broker, folder, by="B2")
    numbers = [desk.asks() for _ in range(5)]
    desk.reports(division=OTHER_GRID)
    where = ("--where", "prefix=610402006", "--where", "state=dispatched")
    dry = desk.types("bulk", "reassign", "--to", GRID_LEADER, *where, "--dry-run")
    assert all(number in dry for number in numbers) and "5 cases" in dry and not list(folder.glob("*.plan"))
    batch = asked(desk, "reassign", "--to", GRID_LEADER, *where)
    assert "BATCH_NOT_CONFIRMED" in desk.types("bulk", "run", batch, code=1)
    assert "SAME_PERSON" in desk.types("bulk", "confirm", batch, code=1)
    assert "to be confirmed" in desk.types("bulk", "show", batch)
    assert numbers[4] in other.types("bulk", "confirm", batch)
    desk.types("escalate", numbers[0])
    ran = desk.types("bulk", "run", batch, code=1)
    assert "done 4, done before 0, refused 1" in ran and numbers[0] in ran
    assert "done 0, done before 4, refused 1" in other.types("bulk", "run", batch, code=1), "whoever goes on repeats"
    assert "4/5 done" in desk.types("bulk", "show", batch)
    assert all(desk.case(number)["waiting_for"] == GRID_LEADER for number in numbers[1:])


def test_a_plan_that_was_changed_is_no_plan(desk, folder):
    desk.asks()
    batch = asked(desk, "close", "--where", "state=dispatched", "--text", "done long ago")
    plan = folder / f"bulk-{batch}.plan"
    plan.write_text(plan.read_text().replace("done", "won"))
    for verb in ("confirm", "run"):
        assert "it was changed since" in desk.types("bulk", verb, batch, code=2)
    plan.unlink()
    assert "--plan says where it is" in desk.types("bulk", "run", batch, code=2)


def test_a_file_of_numbers_chooses_and_its_wrong_lines_are_named(broker, folder, desk):
    numbers = [desk.asks() for _ in range(2)]
    chosen = folder / "numbers"
    chosen.write_text(f"# of today\n{numbers[1]}\n\n{numbers[0]} again\n{numbers[1]}\n")
    batch = asked(desk, "void", "--cases", chosen, "--text", "tested")
    Desk(broker, folder, by="B2").types("bulk", "confirm", batch)
    assert "done 2" in desk.types("bulk", "run", batch)
    assert [state(desk, number) for number in numbers] == ["void", "void"]
    chosen.write_text(f"{numbers[0]}\n610402-20260101-99999\n")
    assert f"{chosen}:2" in desk.types("bulk", "void", "--cases", chosen, code=1)
    assert "No such file" in desk.types("bulk", "void", "--cases", folder / "none", code=2)


def test_a_run_that_was_killed_goes_on_and_nothing_counts_twice(broker, folder, desk):
    other, count = Desk(broker, folder, by="B2"), 60
    for _ in range(count):
        desk.asks()
    batch = asked(desk, "correct", "--urgency", "I", "--where", "state=dispatched")
    other.types("bulk", "confirm", batch)
    before = broker.client().status().broker.durable_seq
    running = subprocess.Popen([CTL, "bulk", "run", batch], env=desk.environment, cwd=folder)
    while broker.client().status().broker.durable_seq == before:
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()
    done, repeated = map(int, re.search(r"done (\d+), done before (\d+), refused 0", desk.types("bulk", "run", batch)).groups())
    assert done + repeated == count and repeated >= 1
    assert f"{count}/{count} done" in desk.types("bulk", "show", batch)
    assert broker.client().status().broker.durable_seq == before + count, "one event a case"


# ---- the broker ------------------------------------------------------------------------------------------------------

def test_draining_is_seen_and_undone(desk):
    desk.types("drain", "on")
    assert "draining" in desk.types("status") and "DRAINING" in desk.types("top", "--once")
    assert "DRAINING" in desk.types("report", "--division", GRID, "--category", RUBBISH, code=1)
    desk.types("drain", "off")
    desk.reports()
    assert "no dead letters" in desk.types("dead", "list")
    number = desk.reports()
    assert "NOTHING_PENDING" in desk.types("dead", "retry", number, code=1)


def test_top_shows_one_frame_for_logs(desk):
    desk.asks()
    frame = desk.types("top", "--once")
    assert "\x1b" not in frame and "dispatched 1" in frame and "BUSIEST DESKS" in frame
    assert len(frame.splitlines()) <= 24 and max(map(len, frame.splitlines())) <= 80


def test_top_gives_the_terminal_back(desk):
    desk.asks()
    child, terminal = pty.fork()
    if child == 0:
        os.execve(CTL, [str(CTL), "top"], desk.environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen = b""
    while seen.count(b"BUSIEST DESKS") < 2:
        seen += os.read(terminal, 65536)
    os.kill(child, signal.SIGINT)
    try:
        while more := os.read(terminal, 65536):
            seen += more
    except OSError:                                                                # the other end is closed
        pass
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert seen.startswith(b"\x1b[?1049h\x1b[?25l") and seen.endswith(b"\x1b[?25h\x1b[?1049l")


# ---- what is typed wrongly -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words, says", [
    (("suspnd", "1"), "the nearest is suspend"),
    (("extend",), "extend ask, extend grant, extend refuse"),
    (("bulk", "relocate"), "bulk reassign"),
    (("suspend", "1", "--party", "x", "--until", "soon", "--why", "season"), "--until: \"soon\" is not an instant"),
    (("suspend", "1", "--party", "x", "--until", "2026-04-01", "--why", "rain"), "none of engineering, season"),
    (("suspend", "1", "--until", "2026-04-01", "--why", "season"), "--party is missing"),
    (("escalate", "1", "--to-level", "moon"), "none of grid, community"),
    (("extend", "ask", "1", "--party", "x", "--limit", "3"), "--limit: \"3\" is not a limit such as 3wd"),
    (("follow-up", "1"), "--solved yes|no or --satisfied yes|no"),
    (("correct", "1"), "what is to be put right"),
    (("reopen", "1"), "--reporter, or --party"),
    (("transfer", "1", "--to", "mars"), "none of police"),
    (("reassign", "1"), "--to is missing"),
    (("dispatch", "1", "--to", "x", "--id", "0" * 32), "--id needs --stage and --attempt"),
    (("note", "1", "--text", "x", "--by", "王五"), "--by: \"王五\" is not a staff number"),
    (("bulk", "close"), "--where CONDITION ..., or --cases FILE"),
    (("bulk", "close", "--where", "colour=red"), "no condition; these are: prefix=CODE"),
    (("bulk", "close", "--where", "state=gone"), "none of reported"),
    (("bulk", "correct", "--where", "overdue"), "what is to be put right"),
    (("bulk", "confirm", "12"), "BATCH: \"12\" is not an id of 32"),
    (("bulk", "confirm", "0" * 32, "--digest", "beef"), "is not a digest of 64"),
    (("answer", "1", "done", "--evidence", "beef"), "64 hexadecimal digits"),
    (("hand-over", "--from", "x", "--to", "x"), "the same party"),
    (("drain", "maybe"), "none of on, off"),
    (("--json", "top"), "status --json"),
    (("--lang", "zh", "bulk", "close"), "请写哪些案件"),
    (("bulk", "close", "--where", "colour=red", "--lang", "zh"), "没有条件“colour=red”"),
])
def test_a_wrong_line_is_told_what_would_be_right(folder, words, says):
    said = run(CTL, *words, env={**os.environ, "LC_ALL": ENGLISH, "WHISTLE_FRONT": f"ipc://{folder}/nobody"})
    assert said.returncode == 2 and says in said.stderr, said


def test_nobody_there_is_said(folder):
    environment = {**os.environ, "LC_ALL": ENGLISH, "WHISTLE_FRONT": f"ipc://{folder}/nobody"}
    for words in (("top", "--once"), ("inbox", GRID_WORKER), ("tell", "610402-20260214-00001"), ("drain", "on")):
        said = run(CTL, "--wait", "200ms", *words, env=environment)
        assert said.returncode == 3 and "nobody answered" in said.stderr, said
