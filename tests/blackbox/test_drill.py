"""The first weeks of the year through the real processes, and the script that `make run` is."""
import json
import os
import re
import select
import signal
import subprocess
import time
from contextlib import contextmanager

from conftest import CTL, DRILL, ROOT, WORKER, Process, run

DATA = DRILL / "boston-2015-min.csv.gz"
ROWS = 600


@contextmanager
def desks(broker):
    """The three real workers."""
    made = []
    try:
        for level in ("community", "street", "district"):
            command = [WORKER, "--endpoint", broker.pool, "--level", level, "--divisions", "610402", "--credit", "256"]
            made.append(Process(command, broker.folder / level))
        yield
    finally:
        for process in made:
            process.stop()


def play(broker, *more, rows=ROWS):
    return run(CTL, "--lang", "en", "--json", "--front", broker.front, "--feed", broker.feed, "drill", "--quiet",
               "--data", DATA, "--config", DRILL, "--rows", rows, *more, timeout=120)


def test_two_drills_lose_nothing_judge_as_the_city_did_and_end_in_the_same_digest(make_broker):
    sums = []
    for name in ("one", "two"):
        broker = make_broker(name, config=DRILL, drill=True)
        with desks(broker):
            played = play(broker)
        assert played.returncode == 0, played.stderr
        sums.append(json.loads(played.stdout))
        broker.stop()
        verified = run(CTL, "verify", broker.data, timeout=120)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    for s in sums:
        assert s["reported"] == ROWS and s["lost"] == 0 and s["offers_failed"] == 0 and s["not_counted"] == 0
        assert s["acknowledged"] > 2 * ROWS - s["self_handled"] and s["self_handled"] > 0
        assert s["verdicts_budgeted"]["agree"] == s["verdicts_budgeted"]["rows"] > 0
        closed = s["closed_community"] + s["closed_street"] + s["closed_district"]
        assert closed + s["self_handled"] + s["open"] == ROWS and closed > 0
    one, two = ({k: s[k] for k in s if k not in ("turns", "real_ms", "sync_p50_us", "sync_p99_us", "journal_bytes",
                                                  "state_bytes")} for s in sums)
    assert one == two


def test_a_drill_may_end_earlier_and_says_what_was_open_then(make_broker):
    broker = make_broker(config=DRILL, drill=True)
    with desks(broker):
        played = play(broker, "--until", "2015-01-02T05:00:00Z")
    assert played.returncode == 0, played.stderr
    s = json.loads(played.stdout)
    assert 0 < s["reported"] < ROWS and s["open"] > 0 and not s["complete"]


def test_a_drill_is_refused_by_a_broker_that_serves_a_real_store(broker):
    played = play(broker)
    assert played.returncode == 1 and "NOT_A_DRILL" in played.stderr


def test_a_store_is_driven_once(make_broker):
    broker = make_broker(config=DRILL, drill=True)
    with desks(broker):
        assert play(broker, rows=20).returncode == 0
        again = play(broker, rows=20)
    assert again.returncode == 1 and "driven already" in again.stderr


def test_data_that_cannot_be_read_is_named(drill, folder):
    rows = folder / "rows.csv"
    rows.write_text("id,open\n")
    played = run(CTL, "--front", drill.front, "drill", "--config", DRILL, "--data", rows)
    assert played.returncode == 2 and "line 1" in played.stderr
    played = run(CTL, "--front", drill.front, "drill", "--config", DRILL, "--data", folder / "none.csv")
    assert played.returncode == 2 and "No such file" in played.stderr


def read_until(stream, words, wait_s=60):
    said, until = b"", time.monotonic() + wait_s
    while words not in said:
        left = until - time.monotonic()
        assert left > 0 and select.select([stream], [], [], left)[0], said.decode()
        piece = os.read(stream.fileno(), 65536)
        assert piece, said.decode()
        said += piece
    return said.decode()


def test_the_script_serves_until_it_is_interrupted_and_leaves_nothing_behind(folder):
    scratch = folder / "with space"
    scratch.mkdir()
    environment = {**os.environ, "LIVE": "1", "ONCE": "", "KEEP": "", "TMPDIR": str(scratch)}
    with subprocess.Popen([ROOT / "ctl/run.sh"], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as script:
        try:
            said = read_until(script.stdout, b"Ctrl-C ends it.\n")
            commands = re.findall(r"^  (\S.*)$", said, re.MULTILINE)
            assert len(commands) == 3
            for command in commands[1:]:
                asked = subprocess.run(["bash", "-c", command], text=True, capture_output=True, timeout=30)
                assert asked.returncode == 0, command + asked.stdout + asked.stderr
        finally:
            script.send_signal(signal.SIGINT)
            try:
                ended = script.wait(30)
            finally:
                script.kill()                     # else leaving here would wait for it
        assert ended == 0
    assert list(scratch.iterdir()) == []
