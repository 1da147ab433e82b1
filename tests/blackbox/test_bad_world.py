"""What a machine can do to a broker: fill its disk, damage its files, turn its clock."""
import json
import os
import re
import time

import pytest

import web
import whistle_pb2 as pb
import wl
from conftest import CTL, QINDU, WHISTLED, fill, run, small_disk
from world import (DAY, GRID_WORKER, HOUR, MONDAY, RUBBISH, Clock, accept, at_cursor, dispatch, done, events_of, report,
                   reports_until_refused, story_kinds)

# ---- a full disk -----------------------------------------------------------------------------------------------------

def test_a_start_without_room_to_fold_serves_questions_and_a_restart_with_room_everything(make_broker, folder):
    with small_disk(folder, 40) as disk:
        broker = make_broker(config=QINDU, data=disk / "store", segment_bytes="1MiB", slots_ahead=1024,
                             checkpoint_idle_ms="1min", checkpoint_age_ms="10min", http="127.0.0.1:0")
        front = broker.client()
        taken = front.call(report()).case_id
        broker.kill()                                                    # before any checkpoint
        fill(disk)
        broker.start()
        assert "store.no_space" in broker.said()
        front = broker.client()
        with pytest.raises(wl.Refusal, match="READ_ONLY"):
            front.call(report())
        assert front.status().cases_all == 0                             # as it stood at its last checkpoint
        status, _, why = web.ask(broker, "/readyz")
        assert status == 503 and why.startswith("read-only") and web.ask(broker, "/healthz")[0] == 200
        assert web.figures(broker)["whistled_ready"] == 0
        broker.stop()
        (disk / "ballast").unlink()
        broker.start()
        assert broker.client().show(taken)[0].case_id == taken


def test_on_a_full_disk_reports_wait_while_answers_closures_and_deadlines_go_on(make_broker, folder):
    with small_disk(folder, 32) as disk:
        broker = make_broker(config=QINDU, drill=True, drill_start_ms=MONDAY, data=disk / "store")
        clock = Clock(broker.client())
        asked = [clock.do(report()).case_id for _ in range(12)]
        silent = clock.do(report()).case_id
        for id in asked:
            clock.do(dispatch(clock.case(id), GRID_WORKER))
        until = time.monotonic() + 10                                    # at rest: there is a checkpoint
        while clock.front.counters()["checkpoints"] == 0 and time.monotonic() < until:
            time.sleep(0.1)
        fill(disk)
        taken = reports_until_refused(clock.do)
        before = clock.front.status()

        for id in asked[:4]:                                             # answers and closures
            clock.do(accept(clock.case(id)))
            clock.do(done(clock.case(id), text="已清理"))
            clock.do(done(clock.case(id)))
            assert clock.case(id).state == pb.STATE_CLOSED
        clock.on(3 * HOUR)                                               # deadlines
        assert clock.case(silent).level > pb.LEVEL_COMMUNITY
        with pytest.raises(wl.Refusal, match="RETRY_LATER"):
            clock.do(report())

        broker.restart()                                                 # nor is a full disk a reason not to start
        assert clock.case(asked[0]).state == pb.STATE_CLOSED
        still = clock.case(asked[5])
        clock.do(done(still, still.asks[0]))
        assert clock.case(still.case_id).state == pb.STATE_RESOLVED
        assert clock.front.status().cases_all == before.cases_all == taken + 13

        (disk / "ballast").unlink()
        until = time.monotonic() + 30
        while True:
            try:
                clock.do(report(text="again"))
                break
            except wl.Refusal as refusal:
                assert refusal.name == "RETRY_LATER" and time.monotonic() < until
                time.sleep(0.1)
        assert clock.front.status().cases_all == before.cases_all + 1
        digest = clock.front.call(pb.AskStatus(digest=True)).digest
        broker.options["verify-full"] = "true"
        broker.restart()
        assert clock.front.call(pb.AskStatus(digest=True)).digest == digest and "rebuilt=1" not in broker.said()


def test_a_quota_stops_reports_first_then_all_but_closures(make_broker):
    broker = make_broker(checkpoint_idle_ms="20ms")
    front = broker.client()
    first, second, third = (front.show(front.call(report()).case_id)[0] for _ in range(3))
    broker.stop()
    broker.start()
    s = front.status()
    used = s.journal_bytes + s.state_bytes + (broker.data / "slots").stat().st_size
    broker.stop()
    broker.options["store-max-bytes"] = used * 100 // 90
    broker.start()
    assert 85 <= front.status().quota_percent < 95
    with pytest.raises(wl.Refusal, match="RETRY_LATER"):
        front.call(report())
    with pytest.raises(wl.Refusal, match="RETRY_LATER"):
        front.call(pb.SelfHandle(report=report(), party=GRID_WORKER))
    front.call(dispatch(first, GRID_WORKER))
    front.call(pb.Note(case_id=first.case_id, text="answers go on"))
    broker.stop()
    broker.options["store-max-bytes"] = used
    broker.start()
    assert front.status().quota_percent >= 95
    with pytest.raises(wl.Refusal, match="RETRY_LATER"):
        front.call(dispatch(second, GRID_WORKER))
    front.call(done(front.show(first.case_id)[0]))
    front.call(pb.Reject(cause=pb.CAUSE_DUPLICATE, **at_cursor(third)))
    assert front.counters()["refused.RETRY_LATER"] == 1


# ---- damaged files ---------------------------------------------------------------------------------------------------

@pytest.fixture
def lived(make_broker):
    """A drill store with a past, its broker stopped; (broker, digest, seq)."""
    broker = make_broker(config=QINDU, drill=True, drill_start_ms=MONDAY)
    clock = Clock(broker.client())
    for i in range(60):
        id = clock.do(report(text=f"text {i}")).case_id
        if i % 3 == 0:
            clock.do(dispatch(clock.case(id), GRID_WORKER))
    clock.on(DAY)
    s = clock.front.call(pb.AskStatus(digest=True))
    assert broker.stop() == 0
    return broker, s.digest, clock.front


def state_of(broker):
    return broker.data / "state.mdb"


def begun_segments(broker):
    """Those that hold something."""
    return [p for p in sorted((broker.data / "journal").glob("*.seg")) if p.read_bytes().strip(b"\0")]


def flip(path, at, bit=0):
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    os.chmod(path, 0o600)
    path.write_bytes(data)


def same_again(broker, digest, front):
    broker.start()
    assert front.call(pb.AskStatus(digest=True)).digest == digest


def test_a_state_that_is_gone_or_cut_is_folded_again_from_the_journal(lived):
    broker, digest, front = lived
    whole = state_of(broker).read_bytes()
    for cut in (None, 0, 100, 4096, 8192, len(whole) // 2):
        if cut is None:
            state_of(broker).unlink()
        else:
            state_of(broker).write_bytes(whole[:cut])
        same_again(broker, digest, front)
        assert broker.said().count("rebuilt=1") or broker.said().count("decision=fold-all"), broker.said()
        broker.stop()


def test_a_state_with_flipped_bits_is_folded_again_from_the_journal(lived):
    broker, digest, front = lived
    whole = state_of(broker).read_bytes()
    used = [at for at in range(0, len(whole), 4096) if whole[at:at + 4096].strip(b"\0")]
    broker.options["verify-full"] = "true"
    for n, page in enumerate(used[:: max(1, len(used) // 12)]):
        state_of(broker).write_bytes(whole)
        data = whole[page:page + 4096]
        at = next(i for i in range(4095, -1, -1) if data[i])             # values stand at a page's end
        flip(state_of(broker), page + at, n % 8)
        same_again(broker, digest, front)
        broker.stop()
    state_of(broker).write_bytes(bytes(255 - b for b in whole))
    same_again(broker, digest, front)


def test_a_damaged_row_is_never_told_the_broker_ends_and_the_next_start_has_mended_it(lived):
    broker, digest, front = lived
    broker.start()
    cases = front.cases()
    with open(state_of(broker), "r+b") as state:                # while it serves: a start would have seen it
        found = [m.start() for m in re.finditer(RUBBISH.encode(), state.read())]
        assert len(found) >= len(cases)
        for at in found:
            os.pwrite(state.fileno(), b"E0103", at)             # one bit of each row
    front.send(wl.envelope(pb.ShowCase(case_id=cases[30].case_id)))
    assert broker.process.child.wait(10) == 75 and "state.unreadable" in broker.said()
    assert front.reply(0.1) is None
    same_again(broker, digest, front)
    assert front.cases() == cases and "rebuilt=1" in broker.said()


def test_a_state_of_another_time_is_brought_up_to_date_and_one_from_the_future_is_not_believed(lived):
    broker, digest, front = lived
    old = state_of(broker).read_bytes()
    broker.start()
    clock = Clock(front, at=MONDAY + DAY)
    clock.do(report(), after=60_000)
    later = front.call(pb.AskStatus(digest=True)).digest
    broker.stop()
    state_of(broker).write_bytes(old)
    same_again(broker, later, front)


def does_not_start(broker, *words):
    said = run(WHISTLED, *broker.arguments(), timeout=30)
    assert said.returncode == 1 and all(w in said.stderr for w in words), said
    return said.stderr


def test_a_journal_with_a_flipped_bit_is_refused_with_the_place(lived):
    broker, digest, front = lived
    path = begun_segments(broker)[0]
    whole = path.read_bytes()
    broker.options["verify-full"] = "true"
    used = len(whole.rstrip(b"\0"))
    for at in (used // 3, used // 2, used * 2 // 3):
        flip(path, at)
        does_not_start(broker, f"journal/{path.name} at byte ", "seq ")
        assert len(list((broker.data / "journal").glob("torn*"))) == 0, "nothing was cut"
        path.write_bytes(whole)
    assert run(CTL, "verify", "--quiet", broker.data).returncode == 0
    flip(path, used // 2)
    assert run(CTL, "verify", "--quiet", broker.data).returncode in (1, 4)
    path.write_bytes(whole)
    same_again(broker, digest, front)


def test_the_tool_that_reads_the_files_finds_the_same_digest(lived):
    broker, digest, _ = lived
    said = run(CTL, "--json", "verify", broker.data)
    found = json.loads(said.stdout)
    assert said.returncode == 0 and found["agreed"] and bytes.fromhex(found["state_digest"]) == digest
    broker.start()
    assert run(CTL, "verify", broker.data).returncode == 3, "not beside a broker"


def test_a_journal_with_a_flipped_bit_is_refused_when_the_state_must_be_folded_from_it(lived):
    broker, _, _ = lived
    path = begun_segments(broker)[0]
    flip(path, len(path.read_bytes().rstrip(b"\0")) // 2)
    state_of(broker).unlink()
    does_not_start(broker, "seq ")


def test_a_journal_that_lost_a_segment_is_refused(lived):
    broker, _, _ = lived
    begun_segments(broker)[0].unlink()
    does_not_start(broker, "journal")


def torn(broker):
    return sorted((broker.data / "journal").glob("torn-*.bin"))


def test_a_torn_tail_is_cut_saved_and_said(make_broker):
    broker = make_broker(config=QINDU, drill=True, drill_start_ms=MONDAY)
    clock = Clock(broker.client())
    for _ in range(5):
        clock.do(report(text="kept"))
    digest = clock.front.call(pb.AskStatus(digest=True)).digest
    broker.kill()
    path = begun_segments(broker)[-1]
    data = bytearray(path.read_bytes())
    end = -(-len(bytes(data).rstrip(b"\0")) // 4096) * 4096
    data[end:end + 700] = os.urandom(700)                                # what a write leaves that the power cut
    path.write_bytes(data)
    broker.start()
    assert clock.front.call(pb.AskStatus(digest=True)).digest == digest
    assert "journal.torn" in broker.said() and len(torn(broker)) == 1
    clock.do(report(text="and on"))
    broker.restart()
    assert len(torn(broker)) == 1 and clock.front.status().cases_all == 6


# ---- clocks ----------------------------------------------------------------------------------------------------------

def events_of_a_day(front, case_id):
    return story_kinds(front.show(case_id)[1])


def test_an_hour_back_is_waited_out_and_time_goes_on_forwards(skewed):
    front = skewed.broker.client()
    first = front.call(report()).at_ms
    skewed(-HOUR)
    at = [front.call(report()).at_ms for _ in range(20)]
    assert all(b >= a for a, b in zip([first] + at, at)) and at[-1] - first < 10_000
    assert front.counters()["clock.doubted"] == 1
    skewed.broker.restart()
    assert front.call(report()).at_ms >= at[-1], "nor back after a restart"


def test_a_day_ahead_is_doubted_and_fires_nothing_until_the_clock_is_synchronised(skewed):
    front = skewed.broker.client()
    begun = front.call(report())
    due = front.show(begun.case_id)[0].timers[0].due_ms
    skewed(4 * DAY)
    time.sleep(0.3)
    at = front.call(pb.Note(case_id=begun.case_id, text="still today")).at_ms
    assert at - begun.at_ms < 10_000 and events_of_a_day(front, begun.case_id) == ["reported", "noted"]
    assert front.counters()["clock.doubted"] == 1, "said once"
    skewed(4 * DAY, synchronised=True)
    until = time.monotonic() + 5
    while "escalated" not in events_of_a_day(front, begun.case_id) and time.monotonic() < until:
        time.sleep(0.02)
    case, story = front.show(begun.case_id)
    (fired, up), = events_of(story, "escalated")
    assert fired >= due and up.late_ms == fired - due, "now it is four days later: fired once, and it says how late"
    assert front.counters()["deadlines.fired"] == 1
