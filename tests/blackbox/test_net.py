"""A network between the broker and everybody else: cut both ways, cut one way, losing packets, narrow."""
import random
import time

import pytest

import whistle_pb2 as pb
import wl
from conftest import Broker, needs
from net import BROKER, CLIENT, OTHER_CLIENT, Link
from test_feed import a_day, everything, updates
from world import COMMUNITY, DISTRICT, events_of, report, story_kinds


@pytest.fixture
def link():
    needs(root=True, programs=("ip", "nft", "tc"))
    link = Link()
    try:
        with link.peers_of(link.client):
            yield link
    finally:
        link.close()


@pytest.fixture
def office(link, folder):
    """A broker behind the link; its endpoints are as the clients see them."""
    broker = Broker(folder / "b", lease_ms="1s")
    broker.front, broker.pool, broker.feed = (f"tcp://127.0.0.1:{port}" for port in (7001, 7002, 7003))
    with link.broker.inside():
        broker.start()
    broker.front, broker.pool, broker.feed = (f"tcp://{BROKER}:{port}" for port in (7001, 7002, 7003))
    try:
        yield broker
        assert "bug.check" not in broker.said(), broker.said()[-2000:]
    finally:
        broker.close()


def in_flight(front, count):
    """Reports that were sent and not answered yet, by id."""
    sent = {e.command_id: e.SerializeToString() for e in (wl.envelope(report()) for _ in range(count))}
    for data in sent.values():
        front.send(data)
    return sent


def settle(front, sent, wait_s=30):
    """Sent again until each has its answer; the answers, by id: one and the same whenever there are more."""
    told, until = {}, time.monotonic() + wait_s
    while len(told) < len(sent):
        assert time.monotonic() < until, f"{len(told)} of {len(sent)} answers"
        for id in sent.keys() - told.keys():
            front.send(sent[id])
        while (r := front.reply(0.5)) is not None:
            assert r.HasField("done") and told.setdefault(r.command_id, r) == r
    return told


@pytest.mark.parametrize("cable", (True, False))
def test_cut_both_ways_with_commands_in_flight_each_counts_once(link, office, cable):
    front = office.client()
    before = front.call(report()).case_id
    sent = in_flight(front, 50)
    if cable:
        link.up(False)
    else:
        link.say(to_broker="drop", to_client="drop")
    sent |= in_flight(front, 50)
    time.sleep(1)
    link.up(True) if cable else link.heal()
    told = settle(front, sent)
    assert front.status().cases_all == 101 and before not in {r.done.case_id for r in told.values()}
    assert len({r.done.case_id for r in told.values()}) == 100


def test_answers_that_are_lost_on_the_way_are_the_same_when_asked_for_again(link, office):
    front = office.client()
    front.hello()
    link.say(to_client="meta length > 100 drop")          # acknowledgements of TCP go through, answers do not
    sent = in_flight(front, 20)
    time.sleep(1)
    assert front.reply(0) is None
    with wl.Front(office.front) as other:                   # nor does anybody else hear of it; the broker has it
        for data in sent.values():
            other.send(data)
        link.heal()
        told, again = settle(front, sent), settle(other, sent)
    assert told == again and front.status().cases_all == 20
    assert front.counters()["repeated"] >= 20


def test_a_worker_that_is_cut_off_loses_its_offer_and_what_it_says_later_is_refused(link, office):
    front = office.client()
    cut = office.worker(pb.LEVEL_COMMUNITY, COMMUNITY, credit=1)
    case_id = front.call(report()).case_id
    offer = cut.offer()
    link.say(to_broker=f"ip saddr {CLIENT} tcp dport 7002 drop", to_client=f"ip daddr {CLIENT} tcp sport 7002 drop")
    e = wl.decision_of(offer, wl.desk(offer))
    cut.say(result=pb.WorkerResult(token=offer.token, decision=e.SerializeToString()))
    office.pool = f"tcp://{OTHER_CLIENT}:0;{BROKER}:7002"
    other = office.worker(pb.LEVEL_COMMUNITY, COMMUNITY, credit=1)
    again = other.offer()
    assert again.token.case_id == case_id and again.token.tries == 1
    assert story_kinds(front.show(case_id)[1]) == ["reported", "offer_failed"], "the lease ran out unheard"
    assert other.done(again).seq
    link.heal()
    late = cut.expect("taken", 20)
    case, story = front.show(case_id)
    assert late.token == offer.token and case.state == pb.STATE_DISPATCHED
    assert story_kinds(story).count("dispatched") == 1 and front.counters()["offers.late"] == 1
    failed = [f.how for _, f in events_of(story, "offer_failed")]
    assert failed[0] == pb.OFFER_EXPIRED and set(failed[1:]) <= {pb.OFFER_LATE}


def test_a_console_that_is_cut_off_goes_on_at_its_seq_without_a_gap_or_a_repeat(link, office):
    chance, cases = random.Random(3), []
    with link.peers_of(link.broker):
        near = office.peers.enter_context(wl.Front("tcp://127.0.0.1:7001"))
    patient, again = (office.console().subscribe(DISTRICT) for _ in range(2))
    for _ in range(20):
        last = a_day(near, chance, cases)
    told = [updates(console.until_seq(last)) for console in (patient, again)]
    link.say(to_broker="drop", to_client="drop")
    for _ in range(20):
        last = a_day(near, chance, cases)
    assert patient.silent(0.5)
    again.close()
    link.heal()
    again = office.console(wait_s=20).subscribe(DISTRICT, from_seq=again.seq)
    for _ in range(20):
        last = a_day(near, chance, cases)
    whole = everything(office, DISTRICT)
    assert len(whole) == 60
    for console, before in zip((patient, again), told):
        assert before + updates(console.until_seq(last, wait_s=20)) == whole


def test_every_tenth_packet_is_lost_and_nothing_else_is(link, office):
    lose = "numgen random mod 10 < 1 counter drop"
    console = office.console().subscribe(DISTRICT)
    front, desk = office.client(), office.worker(pb.LEVEL_COMMUNITY, COMMUNITY, credit=20)
    console.until_live()
    link.say(to_broker=lose, to_client=lose)
    sent, told, until = {}, {}, time.monotonic() + 60
    while link.lost() < 5 or len(told) < len(sent) or len(desk.taken) < len(sent):
        assert time.monotonic() < until, (len(sent), len(told), len(desk.taken), link.lost())
        if len(told) == len(sent) and len(desk.taken) >= len(sent):
            sent.update(in_flight(front, 60))
        desk.serve(0.02)
        while (r := front.reply(0.02)) is not None:
            told[r.command_id] = r
    last = max(r.done.seq for r in told.values())
    heard = updates(console.until_seq(last, wait_s=20))
    link.heal()
    assert told.keys() == sent.keys() and front.status().cases_all == len(sent)
    assert heard == everything(office, DISTRICT)[:len(heard)] and len(heard) >= len(sent)


def test_peers_on_a_narrow_link_are_told_everything_and_nobody_waits_for_them(link, office):
    with link.peers_of(link.broker):
        near = office.peers.enter_context(wl.Front("tcp://127.0.0.1:7001"))
    consoles = [office.console().subscribe(DISTRICT) for _ in range(3)]
    for console in consoles:
        console.until_live()
    link.narrow("8mbit", "200ms")
    longest = 0
    for _ in range(200):
        began = time.monotonic()
        last = near.call(report(text="x" * 1900)).seq
        longest = max(longest, time.monotonic() - began)
    assert longest < 1, "who is near does not wait for who is far"
    far = office.client()
    assert far.call(report(), wait_s=20).seq > last
    whole = everything(office, DISTRICT)
    for console in consoles:
        assert updates(console.until_seq(last, wait_s=20)) == whole[:200]
