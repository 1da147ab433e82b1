"""Everything an operator can get wrong at a start: told by file, line and name, and nothing is changed."""
import shutil
import socket

import pytest

from conftest import QINDU, WHISTLED, run
from world import accept, report


# ---- the operator ----------------------------------------------------------------------------------------------------

def changed(folder, file, old, new):
    """A copy of Qindu's rules with one change, and the line where it is."""
    copy = folder / "config"
    shutil.copytree(QINDU, copy)
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1))
    return copy, text[: text.index(old)].count("\n") + 1


AUDIT = """  audit:
    kind: verify
    tally: first
    handling: 2wd
    loops_max: 3
    on_done: close
    supervise_first: 5wd
    supervise_most: 20wd

"""


@pytest.mark.parametrize("file, old, new, further, word", [
    ("office.yaml", "calendar: china", "calender: china", 0, "calendar"),
    ("playbooks/incident.yaml", "    remind_percent: 80", "    remnd_percent: 80", 0, "remind_percent"),
    ("playbooks/incident.yaml", "    on_declined: district", "    on_declined: community", 0, "endless loop"),
    ("playbooks/incident.yaml", "    on_overdue: street ", "    on_overdue: city ", 0, "stage"),
    ("playbooks/incident.yaml", "handling: 10wd", "handling: &ten 10wd\n    accept: *ten", 1, "alias"),
    ("playbooks/incident.yaml", "  verify:\n    kind", AUDIT + "  verify:\n    kind", 0, "reached"),
    ("playbooks/incident.yaml", "handling: 5wd", "handling: 5 days", 0, "handling"),
    ("categories.csv", "环卫,III", "环围,III", 0, "环围"),
], ids=["unknown key", "unknown key of a stage", "endless loop", "no such stage", "alias", "unreachable stage",
        "no limit", "no such department"])
def test_rules_with_a_mistake_are_refused_with_file_and_line(folder, file, old, new, further, word):
    config, line = changed(folder, file, old, new)
    for arguments in (["--check"], ["--data", folder / "store", "--front", f"ipc://{folder}/f"]):
        said = run(WHISTLED, "--config", config, *arguments)
        assert said.returncode == 2, said
        assert f"{file}:{line + further}: " in said.stderr and word in said.stderr, said.stderr
    assert not (folder / "store").exists()


def test_settings_with_a_mistake_are_refused_with_the_nearest_name(folder):
    (folder / "w.yaml").write_text("# settings\ndata: /tmp/x\nleese_ms: 5s\n")
    said = run(WHISTLED, folder / "w.yaml")
    assert said.returncode == 2 and "w.yaml:3: leese_ms" in said.stderr and "lease_ms" in said.stderr
    said = run(WHISTLED, "--lease-ms", "1h")
    assert said.returncode == 2 and "bounds" in said.stderr
    said = run(WHISTLED, "--leese-ms", "5s")
    assert said.returncode == 2 and "lease_ms" in said.stderr
    assert run(WHISTLED, "--lease-ms").returncode == 2
    assert run(WHISTLED, "--config", folder / "nowhere", "--check").returncode == 2


def does_not_start(broker, word, code=1):
    said = run(WHISTLED, *broker.arguments(), timeout=20)
    assert said.returncode == code, said
    assert word in said.stderr and "bug" not in said.stderr, said.stderr
    return said.stderr


def test_a_data_directory_that_cannot_be_made_is_said(make_broker, folder):
    (folder / "file").write_text("not a directory")
    broker = make_broker(start=False, data=folder / "file/store")
    assert str(folder / "file/store") in does_not_start(broker, "ot a directory")
    broker.data = folder / "file"
    does_not_start(broker, str(folder / "file"))
    broker.data = "/proc/nowhere/store"
    assert "does the directory above it exist" in does_not_start(broker, "/proc/nowhere")
    broker.data = folder / "locked/store"
    broker.data.parent.mkdir(mode=0o500)
    assert "may this user read and write there" in does_not_start(broker, f"create {broker.data}.new: Permission denied")


def test_a_directory_with_something_else_in_it_is_left_alone(make_broker, folder):
    (folder / "mine").mkdir()
    (folder / "mine/letter").write_text("dear")
    does_not_start(make_broker(start=False, data=folder / "mine"), "FORMAT")
    assert [p.name for p in (folder / "mine").iterdir()] == ["letter"]


def test_a_second_broker_on_one_store_is_turned_away(make_broker):
    first = make_broker("a")
    second = make_broker("b", start=False, data=first.data)
    does_not_start(second, "another process has this store")
    assert first.client().hello()


def test_endpoints_that_are_taken_or_impossible_are_said(make_broker, folder):
    first = make_broker("a")
    second = make_broker("b", start=False)
    for gate in ("front", "pool", "feed"):
        own = getattr(second, gate)
        setattr(second, gate, getattr(first, gate))
        does_not_start(second, "another program has it")
        setattr(second, gate, own)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        second.front = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        does_not_start(second, "another program has it")
    second.front = f"ipc://{folder}/no/such/folder"
    does_not_start(second, "does the directory exist")
    for nowhere in ("carrier-pigeon://loft", "tcp://0.0.0.0:7001", "tcp://*:7001", "front", "ipc://front"):
        second.front = nowhere
        does_not_start(second, "not listened on", code=2)
    second.front = second.pool
    does_not_start(second, "given twice; front, pool and feed want a path each", code=2)
    second.front = f"ipc://{folder}/{'f' * 108}"
    does_not_start(second, "the path of a socket has 107 bytes at most")
    second.front = "tcp://127.0.0.1:99999"
    does_not_start(second, "use ipc:///PATH or tcp://127.0.0.1:PORT")
    (folder / "file").write_text("precious")
    second.front = f"ipc://{folder}/file"
    does_not_start(second, "cannot listen")
    assert (folder / "file").read_text() == "precious"
    assert first.client().hello()


def test_over_tcp_on_loopback_a_client_is_served_as_another_source(make_broker):
    broker = make_broker()
    broker.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        broker.front = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    broker.start()
    front = broker.client()
    assert front.call(report()).case_id
