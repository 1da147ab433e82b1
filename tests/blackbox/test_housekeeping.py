"""What the broker does when nobody asks: receipts expire."""
import time

import pytest

import whistle_pb2 as pb
import wl
from conftest import CTL, run
from world import DAY, GRID_WORKER, report


def until(true, wait_s=10):
    end = time.monotonic() + wait_s
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def again(front, envelope):
    return wl.answer_of(front.ask(envelope))


def on_the_spot(**more):
    return pb.SelfHandle(report=report(), party=GRID_WORKER, **more)


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
