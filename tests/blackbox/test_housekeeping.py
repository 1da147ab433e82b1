"""What the broker does when nobody asks: receipts expire, what ended long ago is archived. And a purge."""
import json
import os
import time

import pytest

import whistle_pb2 as pb
import wl
from conftest import CTL, run, until
from world import DAY, DISTRICT, GRID_WORKER, report, story_kinds


def again(front, envelope):
    return wl.answer_of(front.ask(envelope))


def on_the_spot(**more):
    return pb.SelfHandle(report=report(), party=GRID_WORKER, **more)


def archiving_after_a_day(broker):
    broker.stop()
    broker.options["archive-after-days"] = 1
    broker.start()
    return broker.client()


def test_a_command_that_is_repeated_after_its_receipt_has_gone_is_stale_and_never_counts_again(skewed):
    broker, front = skewed.broker, skewed.broker.client()
    closed, opened = wl.envelope(on_the_spot(), sent=wl.now_ms()), wl.envelope(report(), sent=wl.now_ms())
    first, other = again(front, closed), again(front, opened)
    unnamed = wl.envelope(on_the_spot(), id=bytes(range(16)))
    again(front, unnamed)
    broker.stop()
    skewed(29 * DAY)
    broker.start()
    assert again(front, closed) == first and front.counters()["receipts.expired"] == 0
    broker.stop()
    skewed(32 * DAY)
    broker.start()
    until(lambda: front.counters()["receipts.expired"] == 2)
    assert "receipts.expired count=2" in broker.said()
    for _ in range(2):
        with pytest.raises(wl.Refusal) as refused:
            again(front, closed)
        assert refused.value.name == "STALE" and refused.value.field == "command_id"
        with pytest.raises(wl.Refusal) as refused:
            again(front, unnamed)
        assert refused.value.name == "FIELD_MISSING" and refused.value.field == "sent_at_ms"
        assert again(front, opened) == other, "its case is open: the receipt stays"
        broker.restart()
    now = wl.now_ms() + 32 * DAY
    again(front, wl.envelope(on_the_spot(), id=wl.uuid7(now)))
    again(front, wl.envelope(on_the_spot(), id=bytes(range(1, 17)), sent=now))
    assert front.status().cases_all == 5
    broker.stop()
    verified = run(CTL, "verify", broker.data)
    assert verified.returncode == 0, verified.stderr
    assert "expired" in run(CTL, "replay", broker.data).stdout


def test_a_case_is_archived_long_after_its_end_and_its_text_is_gone_for_good(skewed):
    broker = skewed.broker
    front = archiving_after_a_day(broker)
    ended = front.call(pb.SelfHandle(report=report(text="a name and a street"), party=GRID_WORKER, text="swept"))
    opened = front.call(report(text="another"))
    assert front.show(ended.case_id)[0].text == "a name and a street" and front.counters()["cases.archived"] == 0
    broker.stop()
    skewed(2 * DAY)
    broker.start()
    until(lambda: front.counters()["cases.archived"] == 1)
    for _ in range(2):
        case, story = front.show(ended.case_id)
        assert case.state == pb.STATE_ARCHIVED and case.text == ""
        assert story_kinds(story)[-1] == "archived"
        assert front.show(opened.case_id)[0].text == "another", "its slot is its own"
        broker.restart()
    assert front.counters()["cases.archived"] == 0, "once"
    broker.stop()
    assert run(CTL, "verify", broker.data).returncode == 0


def test_the_next_round_comes_by_the_clock_of_the_broker_which_a_suspended_machine_does_not_stop(skewed):
    broker = skewed.broker
    front = archiving_after_a_day(broker)
    front.call(on_the_spot())
    assert front.counters()["cases.archived"] == 0
    for days in range(2, 6):                           # a round may be under way when the first of them passes
        skewed(days * DAY, synchronised=True)
        time.sleep(0.5)
    until(lambda: front.counters()["cases.archived"] == 1)


def test_a_text_whose_key_is_damaged_is_not_served_and_is_counted(broker):
    front = broker.client()
    case_id = front.call(report(text="a name and a street")).case_id
    broker.stop()
    with open(broker.data / "slots", "r+b") as slots:
        slots.seek(4096)                               # the first slot, behind the header
        key = bytearray(slots.read(32))
        key[7] ^= 1
        slots.seek(4096)
        slots.write(key)
    verified = run(CTL, "verify", broker.data)
    assert verified.returncode != 0 and "text" in verified.stderr, verified.stderr
    broker.start()
    assert front.show(case_id)[0].text == ""
    assert front.counters()["texts.damaged"] >= 1


def test_a_purged_store_serves_what_it_has_and_says_what_it_has_not(skewed, folder):
    broker, front = skewed.broker, skewed.broker.client()
    old = [front.call(pb.SelfHandle(report=report(text="x" * 1900), party=GRID_WORKER)) for _ in range(500)]
    in_use = run(CTL, "purge", broker.data, "--keep", "200d", "--delete")
    assert in_use.returncode == 3 and "stop whistled" in in_use.stderr
    broker.stop()
    skewed(300 * DAY)
    broker.start()
    now = wl.now_ms() + 300 * DAY
    new = again(front, wl.envelope(report(text="new"), id=wl.uuid7(now)))
    broker.stop()
    early = run(CTL, "purge", "--store", broker.data, "--keep", "30d", "--delete")
    assert early.returncode == 1 and "six months" in early.stderr
    keep = ("purge", broker.data, "--keep", "200d")
    assert '"segments_gone":"0"' in run(CTL, "--json", *keep, "--dry-run").stdout, "today nothing is so old"
    then = {**os.environ, **broker.environment}
    dry = run(CTL, "--json", *keep, "--dry-run", env=then)
    assert dry.returncode == 0 and int(json.loads(dry.stdout)["segments_gone"]) >= 1, dry.stdout
    done = run(CTL, *keep, "--archive", folder / "archive", env=then)
    assert done.returncode == 0, done.stderr
    assert "the base is proved" in done.stderr and (folder / "archive/00000001.seg").stat().st_size > 1 << 19
    verified = json.loads(run(CTL, "--json", "verify", broker.data).stdout)
    first = int(verified["first_seq"])
    assert verified["agreed"] and first > old[0].seq and int(verified["base_seq"]) >= new.seq
    (broker.data / "state.mdb").unlink()
    assert run(CTL, "recover", broker.data).returncode == 0, "folded from the base"
    broker.start()
    gone = front.ask(wl.envelope(pb.ShowCase(case_id=old[0].case_id))).story
    assert gone.case_view.number == old[0].number and not gone.story and gone.story_from_seq == first
    kept = front.ask(wl.envelope(pb.ShowCase(case_id=new.case_id))).story
    assert kept.case_view.text == "new" and len(kept.story) == 1 and not kept.HasField("story_from_seq")
    said = run(CTL, "--front", broker.front, "show", old[0].case_id)
    assert "no longer in the journal" in said.stdout, said.stderr
    with broker.console() as console:
        console.subscribe(DISTRICT, from_seq=first - 2)
        assert console.next().kind == pb.FEED_RESYNC, "a gap would not be told otherwise"
        told = console.subscribe(DISTRICT, from_seq=first - 1).until_live()
        assert told[-2].update.case_id == new.case_id and told[0].update.first_seq >= first
        assert console.subscribe(DISTRICT, snapshot=True).until_live()[0].kind == pb.FEED_SNAPSHOT
    assert again(front, wl.envelope(report(), id=wl.uuid7(now))).case_id > new.seq
