"""For the day on which the disk, the house or the office burns: backup, restore, follow, emergency-grow."""
import json
import random
import socket
import threading
import time

import pytest
import whistle_pb2 as pb
import wl
from conftest import CTL, Process, fill, run, small_disk
from world import DISTRICT, report


def ctl(broker, *words, **more):
    return run(CTL, "--lang", "en", "--front", broker.front, *words, **more)


def told(broker, *words):
    """What it says as JSON; it must have gone well."""
    r = ctl(broker, "--json", *words)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


def verified(store):
    r = run(CTL, "--json", "--lang", "en", "verify", store)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


def taken(front, command, wait_s=30):
    """Done; BUSY and RETRY_LATER are no answers (docs/protocol.md): a store just restored has no segment ready yet."""
    end = time.monotonic() + wait_s
    while True:
        try:
            return front.call(command, wait_s=wait_s)
        except wl.Refusal as refusal:
            if refusal.name not in ("BUSY", "RETRY_LATER") or time.monotonic() > end:
                raise
        time.sleep(0.05)


class Load:
    """Reports as fast as one client can, until told to stop; knows the case of each that was acknowledged."""

    def __init__(self, broker):
        self.broker, self.cases, self.over = broker, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        front = self.broker.client()
        while not self.over.is_set():
            self.cases.append(taken(front, report(text="垃圾" * 300)).case_id)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(60)

    def until(self, count):
        while len(self.cases) < count:
            time.sleep(0.01)


# ---- backup and restore ------------------------------------------------------------------------------------------------

def test_a_backup_under_load_becomes_a_broker_that_knows_every_case_before_it(make_broker, folder):
    broker, backup = make_broker(), folder / "backup"
    with Load(broker) as load:
        load.until(300)
        known = len(load.cases)
        first = told(broker, "backup", "--store", broker.data, "--to", backup)
        load.until(known + 600)
        assert ctl(broker, "backup", "--check", backup).returncode == 0
        second = told(broker, "backup", "--store", broker.data, "--to", backup)
    assert first["live"] and int(second["seq"]) > int(first["seq"])
    assert int(second["kept"]) >= 2 and int(second["copied"]) < int(second["bytes"])
    broker.kill()
    back = told(broker, "restore", backup, "--to", folder / "back", "--slots", folder / "backup.slots")
    assert back["seq"] == second["seq"] and back["slots_lost"] == "0"
    same = verified(folder / "back")
    assert same["seq"] == back["seq"] and same["state_digest"] == back["digest"]
    again = make_broker("again", data=folder / "back")
    front = again.client()
    assert front.hello().epoch > 1_000              # no start that the backup does not know of had it
    for case_id in load.cases[:known:50]:
        assert front.show(case_id)[0].text == "垃圾" * 300
    last = int(back["seq"])
    assert taken(front, report()).case_id > last + 1
    with again.console() as console:                # what it was told behind the backup's seq is lost, and there is other
        console.subscribe(DISTRICT, from_seq=last + 1, epoch=1)
        assert console.next().kind == pb.FEED_RESYNC
        assert console.subscribe(DISTRICT, from_seq=last, epoch=1).until_live()[-2].update.first_seq > last


def test_a_resting_store_and_its_copy_agree_and_a_living_one_is_not_restored_over(make_broker, folder):
    broker = make_broker()
    front = broker.client()
    for _ in range(40):
        front.call(report(text="x" * 500))
    seq = front.hello().durable_seq
    r = ctl(broker, "restore", broker.data, "--to", folder / "back")
    assert r.returncode == 3 and "in use" in r.stderr
    broker.stop()
    made = told(broker, "backup", "--store", broker.data, "--to", folder / "backup")
    assert not made["live"] and int(made["seq"]) == seq and made["digest"] == verified(broker.data)["state_digest"]
    half = told(broker, "restore", folder / "backup", "--to", folder / "half", "--until-seq", seq // 2)
    assert int(half["seq"]) <= seq // 2 and int(half["slots_lost"]) > 0
    assert verified(folder / "half")["state_digest"] == half["digest"]
    r = ctl(broker, "restore", folder / "backup", "--to", folder / "closed")
    assert r.returncode == 0 and "stays closed" in r.stdout
    closed = make_broker("closed", data=folder / "closed").client()
    assert closed.show(closed.cases()[0].case_id)[0].text == ""
    r = ctl(broker, "restore", folder / "backup", "--to", folder / "closed")
    assert r.returncode == 3 and "in use" in r.stderr


def test_wrong_words_are_refused_with_what_would_be_right(make_broker, folder):
    broker = make_broker()
    strange = make_broker("strange")
    (folder / "full").mkdir()
    (folder / "full" / "file").write_text("mine")
    store = ("backup", "--store", broker.data)
    for words, code, said in (
        (("backup",), 2, "--store DIR --to DIR"),
        (("backup", "--check", folder / "x", "--to", folder / "y"), 2, "stands alone"),
        ((*store, "--to", folder / "full"), 2, "not empty"),
        ((*store, "--to", broker.data / "inside"), 2, "inside the store"),
        ((*store, "--to", folder / "x", "--front", strange.front), 2, "has another store"),
        ((*store, "--to", folder / "x", "--front", f"ipc://{folder}/nobody", "--wait", "300ms"), 3, "is --front right"),
        (("backup", "--store", folder / "nothing", "--to", folder / "z"), 2, "nothing"),
        (("backup", "--check", folder / "full"), 4, "MANIFEST"),
        (("restore", folder / "full", "--to", folder / "back"), 2, "neither a backup"),
        (("restore", folder / "full", "--to", folder / "back", "--until-seq", "1", "--until", "2026-01-01T00:00"), 2, "both"),
        (("journal", "grow"), 2, "journal follow"),
        (("journal", "follow", "--from", broker.front, "--to", folder / "full", "--once"), 2, "not empty"),
        (("emergency-grow", "--store", folder / "full"), 2, "FORMAT"),
    ):
        r = ctl(broker, *words)
        assert r.returncode == code and said in r.stderr, (words, r)
        assert not (folder / "back").exists()


def test_no_space_is_said_before_anything_is_copied_and_the_old_backup_stays(make_broker, folder):
    broker = make_broker()
    front = broker.client()
    with small_disk(folder, 4) as disk:
        told(broker, "backup", "--store", broker.data, "--to", disk / "backup")
        for _ in range(600):
            front.call(report(text="x" * 2000))
        fill(disk)
        r = ctl(broker, "backup", "--store", broker.data, "--to", disk / "backup")
        assert r.returncode == 6 and "no space" in r.stderr and "KiB" in r.stderr
        assert ctl(broker, "backup", "--check", disk / "backup").returncode == 0
        r = ctl(broker, "restore", disk / "backup", "--to", disk / "back")
        assert r.returncode == 6 and not (disk / "back").exists()


# ---- following ---------------------------------------------------------------------------------------------------------

def same_bytes(store, copy, broker_runs=False):
    """Every followed byte is the store's; zeroes ahead are nobody's business."""
    there = sorted((store / "journal").glob("*.seg"))
    here = sorted((copy / "journal").glob("*.seg"))
    assert here and [p.name for p in here] == [p.name for p in there][:len(here)]
    for mine, theirs in zip(here, there):
        data = theirs.read_bytes()
        assert mine.read_bytes() == data[:mine.stat().st_size]
        assert mine.stat().st_size == len(data) or not any(data[mine.stat().st_size:])
    assert not any(p.read_bytes()[:8].strip(b"\0") for p in there[len(here):])


def test_a_follower_has_every_byte_whoever_is_killed_and_when(make_broker, folder):
    broker, copy = make_broker(checkpoint_idle_ms="10s"), folder / "copy"
    dice = random.Random(7)
    command = [CTL, "--front", broker.front, "--wait", "500ms", "journal", "follow", "--to", copy]
    with Load(broker) as load:
        follower = Process(command, folder / "follower")
        for round in range(12):
            time.sleep(dice.uniform(0.05, 0.3))
            if round % 3 == 2:
                broker.restart()
            else:
                follower.kill()
                follower = Process(command, folder / "follower")
        load.until(len(load.cases) + 50)
    follower.kill()
    r = ctl(broker, "journal", "follow", "--to", copy, "--once")
    assert r.returncode == 0, r.stderr
    lag = told(broker, "journal", "follow", "--to", copy, "--status")
    assert lag["lag_seqs"] == "0" and int(lag["seq"]) == broker.client().hello().durable_seq
    broker.kill()
    same_bytes(broker.data, copy)
    back = told(broker, "restore", copy, "--to", folder / "back")
    assert back["digest"] == verified(folder / "back")["state_digest"] and back["seq"] == lag["seq"]
    cases = make_broker("again", data=folder / "back").client().cases()
    assert set(load.cases) <= {c.case_id for c in cases}
    key = copy / "key"
    assert key.stat().st_mode & 0o777 == 0o600 and key.read_bytes() == (broker.data / "key").read_bytes()


def test_a_broker_that_was_restored_is_not_followed_on(make_broker, folder):
    broker, copy = make_broker(), folder / "copy"
    front = broker.client()
    for _ in range(60):
        front.call(report())
    assert ctl(broker, "journal", "follow", "--to", copy, "--once").returncode == 0
    broker.stop()
    told(broker, "backup", "--store", broker.data, "--to", folder / "backup")
    told(broker, "restore", folder / "backup", "--to", folder / "back", "--until-seq", "40")
    other = make_broker("other", data=folder / "back")
    r = ctl(other, "journal", "follow", "--to", copy, "--once")
    assert r.returncode == 4 and ("does not continue" in r.stderr or "was restored" in r.stderr)
    stranger = make_broker("stranger")
    r = ctl(stranger, "journal", "follow", "--to", copy, "--once")
    assert r.returncode == 4 and "follow into a new directory" in r.stderr


def test_only_the_owner_may_follow(make_broker, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    broker = make_broker(start=False)
    broker.front = f"tcp://127.0.0.1:{port}"
    broker.start()
    r = ctl(broker, "journal", "follow", "--to", folder / "copy", "--once")
    assert r.returncode == 1 and "NOT_PERMITTED" in r.stderr


# ---- the reserve -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("running", (True, False))
def test_a_full_disk_gets_its_reserve_back_and_the_broker_makes_a_new_one(make_broker, folder, running):
    with small_disk(folder, 40) as disk:
        broker = make_broker(data=disk / "store")
        broker.client().call(report())
        if not running:
            broker.stop()
        fill(disk)
        grown = told(broker, "emergency-grow", "--store", broker.data)
        assert int(grown["gained"]) == 1 << 20 and int(grown["free"]) >= 1 << 20
        r = ctl(broker, "emergency-grow", "--store", broker.data)
        assert r.returncode == 1 and "given back already" in r.stderr
        if not running:
            broker.start()
        time.sleep(1.2)
        assert not (broker.data / "reserve").exists()                    # not while the disk is that full
        (disk / "ballast").unlink()
        until = time.monotonic() + 10
        while not (broker.data / "reserve").exists():
            assert time.monotonic() < until, broker.said()
            time.sleep(0.05)
        assert "store.ballast_gone" in broker.said()
        front = broker.client()
        while front.counters()["store.ballasts"] != 1:
            assert time.monotonic() < until
        assert "store.ballast_made" in broker.said()
