"""What is typed wrong to whistlectl: the answer says what, where and what to do next, and the exit code which it was."""
import os
import signal
import time

import pytest

from conftest import CTL, Process, run, until

USAGE, UNREACHABLE, DAMAGED, FAULT = 2, 3, 4, 6


def ctl(*words, **more):
    return run(CTL, "--lang", "en", *words, **more)


@pytest.mark.parametrize("words", [
    ["verify"], ["replay"], ["recover"], ["purge", "--keep", "400d", "--delete"], ["journal", "show"], ["backup", "--check"],
    ["emergency-grow", "--store"], ["returns", "daily", "--data"], ["backup", "--to", "elsewhere", "--store"],
], ids=lambda words: " ".join(w for w in words if w[0] != "-"))
def test_a_directory_that_is_not_there_is_said_in_one_sentence(folder, words):
    said = ctl(*words, folder / "nowhere")
    assert said.returncode == USAGE and not said.stdout
    assert said.stderr == f"whistlectl: {folder}/nowhere: there is no such directory; a store's is `data` in whistled.yaml\n"
    assert not list(folder.iterdir())


STORES = [["verify"], ["replay"], ["recover"], ["recover", "--discard-state"], ["purge", "--keep", "400d", "--delete"],
          ["journal", "show"], ["emergency-grow", "--store"], ["returns", "daily", "--data"],
          ["backup", "--to", "elsewhere", "--store"]]
BACKUPS = [["backup", "--check"], ["restore", "--to", "elsewhere"]]


def named(words):
    return " ".join(w for w in words if w[0] != "-")


@pytest.mark.parametrize("words", STORES + BACKUPS, ids=named)
def test_a_place_where_no_store_can_be_is_said_in_one_sentence(folder, words):
    (folder / "file").write_text("no store")
    (folder / "closed").mkdir(mode=0)
    said = ctl(*words, folder / "file")
    assert said.returncode == USAGE and not said.stdout
    assert said.stderr == f"whistlectl: {folder}/file: this is not a directory; a store's is `data` in whistled.yaml\n"
    said = ctl(*words, folder / "closed")
    (folder / "closed").chmod(0o700)                    # so that it can be cleared away
    assert said.returncode == FAULT and not said.stdout
    assert said.stderr == f"whistlectl: {folder}/closed: this user may not read that directory; " \
                          "do it again as root or as its owner\n"


@pytest.mark.parametrize("words", STORES, ids=named)
def test_a_directory_without_a_store_is_told_what_to_do_and_stays_as_it_is(folder, words):
    (folder / "empty").mkdir()
    said = ctl(*words, folder / "empty")
    assert said.returncode in (USAGE, DAMAGED)
    assert said.stderr.startswith(f"whistlectl: {folder}/empty: there is no FORMAT here: ")
    assert "`data` in whistled.yaml" in said.stderr and "from a backup" in said.stderr and said.stderr.count("\n") == 1
    assert not list((folder / "empty").iterdir())


def test_who_watches_where_nobody_answers_is_told_so_once(broker, folder):
    nowhere = f"ipc://{folder}/nowhere"
    watching = Process([CTL, "--lang", "en", "--front", broker.front, "--feed", nowhere, "--wait", "300ms", "watch"],
                       folder / "said")
    try:
        until(lambda: f"nobody has answered at {nowhere} yet; still trying" in watching.said())
        time.sleep(0.5)
        assert watching.said().count("nobody has answered") == 1 and watching.running()
    finally:
        os.kill(watching.child.pid, signal.SIGINT)
        watching.child.wait(30)


def test_who_watches_a_broker_where_nothing_happens_is_told_nothing_more(broker, folder):
    watching = Process([CTL, "--lang", "en", "--front", broker.front, "--feed", broker.feed, "--wait", "300ms", "watch"],
                       folder / "said")
    try:
        until(lambda: "live at" in watching.said())
        time.sleep(0.6)
        assert "nobody" not in watching.said()
    finally:
        watching.stop()


def test_a_shift_that_hands_over_nothing_is_told_so(broker):
    said = ctl("--front", broker.front, "hand-over", "--from", "grid-worker", "--to", "grid-leader@610402006001")
    assert said.returncode == 0 and "done 0" in said.stdout
    assert "nothing open is asked of grid-worker; a party is written role@division" in said.stderr


def test_nobody_at_the_front_is_another_exit_code_than_a_wrong_endpoint(folder):
    said = ctl("--front", f"ipc://{folder}/nowhere", "--wait", "200ms", "status")
    assert said.returncode == UNREACHABLE and "Is whistled running, and does it listen there?" in said.stderr
    for wrong in ("front", "ipc://front", "tcp://1.2.3"):
        said = ctl("--front", wrong, "status")
        assert said.returncode == USAGE and "use ipc:///PATH or tcp://127.0.0.1:PORT" in said.stderr
