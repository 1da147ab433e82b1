"""Everything a peer or an operator can get wrong. It is refused by name, in words, counted, and changes nothing."""
import socket
from contextlib import contextmanager

import pytest
import zmq

import whistle_pb2 as pb
import wl
from conftest import DRILL
from world import (COMMUNITY, DAY, DISTRICT, GRID, GRID_LEADER, GRID_WORKER, RUBBISH, accept, answer,
                   at_cursor, dispatch, done, events_of, report)

PLACE, ID = pb.Place(division=GRID, wall=pb.WALL_INSIDE), bytes(range(16))


# ---- bytes by hand ---------------------------------------------------------------------------------------------------

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def number(field, n):
    return varint(field << 3) + (n if isinstance(n, bytes) else varint(n))


def inside(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def head(id=None):
    return number(1, 1) + inside(2, id or wl.uuid7())


def note(*more):
    return head() + inside(23, number(1, 14) + b"".join(more))


# ---- what must hold for each -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def front(office):
    with wl.Front(office.front) as front:
        yield front


@contextmanager
def nothing_changes(office, front, name):
    """The reason is counted, the journal is as it was, the broker goes on."""
    before, counted = front.status(), front.counters()
    yield
    after, now_counted = front.status(), front.counters()
    assert after.broker.durable_seq == before.broker.durable_seq and after.broker.epoch == before.broker.epoch
    assert (after.cases_all, after.cases_open) == (before.cases_all, before.cases_open)
    if name:
        assert now_counted.get(f"refused.{name}", 0) == counted.get(f"refused.{name}", 0) + 1
        assert now_counted["refused"] == counted["refused"] + 1
    assert office.alive()


def is_said(reply, name, field=None):
    assert reply.WhichOneof("reply") == "refused", reply
    r = reply.refused
    assert r.name == name and r.code == pb.Refusal.Value(f"REFUSED_{name}")
    assert any("\u4e00" <= c <= "\u9fff" for c in r.zh) and r.en.endswith((".", "!", "?")) and " " in r.en
    if field is not None:
        assert r.field == field
    return r


def refused(office, front, what, name, field=None):
    """Frames (a list), bytes, an envelope or a command: refused under that name."""
    if isinstance(what, list):
        frames, id = what, None
    elif isinstance(what, bytes):
        frames, id = [what], None
    else:
        e = what if isinstance(what, pb.Envelope) else wl.envelope(what)
        frames, id = [e.SerializeToString()], e.command_id
    with nothing_changes(office, front, name):
        reply = front.raw(*frames)
        is_said(reply, name, field)
        if id is not None and len(id) == 16:
            assert reply.command_id == id


# ---- frames ----------------------------------------------------------------------------------------------------------

def test_a_frame_far_over_the_limit_costs_its_sender_the_connection_and_nobody_else(office, front):
    with nothing_changes(office, front, None), wl.Front(office.front) as bad:
        assert bad.hello()
        bad.send(bytes((512 << 10) + 1))
        assert bad.reply(0.3) is None
        assert bad.hello(), "it may connect again"


def test_a_frame_somewhat_over_the_limit_is_told_so(office, front):
    refused(office, front, [bytes(wl.FRAME_BYTES_MAX + 1)], "FRAME_TOO_LARGE")
    refused(office, front, [bytes(512 << 10)], "FRAME_TOO_LARGE")


def test_a_frame_of_just_the_limit_is_read(office, front):
    text = b"x" * wl.FRAME_BYTES_MAX
    text = text[len(note(inside(3, text))) - len(text):]
    assert len(note(inside(3, text))) == wl.FRAME_BYTES_MAX
    refused(office, front, [note(inside(3, text))], "NO_SUCH_CASE")


@pytest.mark.parametrize("frames", [[b"", b"x"], [b"x", b""], [b"a", b"b", b"c"], [b"x"] * 4, [b"x"] * 100])
def test_a_message_of_several_frames_is_refused(office, front, frames):
    refused(office, front, frames, "FRAME_COUNT")


def test_a_frame_without_bytes_is_refused(office, front):
    refused(office, front, [b""], "FRAME_EMPTY")


def test_whoever_names_himself_is_not_heard(office, front):
    with nothing_changes(office, front, None):
        s = wl.CONTEXT.socket(zmq.DEALER)
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.ROUTING_ID, b"me")
        s.connect(office.front)
        s.send(wl.envelope(pb.Hello()).SerializeToString())
        assert not s.poll(200)
        s.close()


# ---- the envelope ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", [0, 2, 4294967295])
def test_an_unknown_version_is_refused(office, front, version):
    refused(office, front, pb.Envelope(version=version, command_id=ID, hello=pb.Hello()), "VERSION", "version")


def test_no_version_at_all_is_refused(office, front):
    refused(office, front, pb.Envelope(command_id=ID, hello=pb.Hello()), "VERSION", "version")


@pytest.mark.parametrize("id", [b"", b"x", bytes(15), bytes(17), bytes(64)])
def test_a_command_id_that_is_not_16_bytes_is_refused(office, front, id):
    refused(office, front, pb.Envelope(version=1, command_id=id, report=report()), "BAD_COMMAND_ID", "command_id")


def test_an_envelope_without_a_command_is_refused(office, front):
    refused(office, front, wl.envelope(), "NO_COMMAND", "command")


@pytest.mark.parametrize("sent, name", [
    (0, "BAD_INSTANT"), (-1, "BAD_INSTANT"), (-(1 << 63), "BAD_INSTANT"), (946684799999, "BAD_INSTANT"),
    ((1 << 63) - 1, "FAR_FUTURE")])
def test_an_impossible_sending_time_is_refused(office, front, sent, name):
    refused(office, front, wl.envelope(report(), sent=sent), name, "sent_at_ms")


def test_a_sending_time_more_than_a_day_ahead_is_refused(office, front):
    refused(office, front, wl.envelope(report(), sent=wl.now_ms() + DAY + 60000), "FAR_FUTURE", "sent_at_ms")


def test_an_ordinary_store_takes_no_drill(office, front):
    refused(office, front, wl.envelope(report(), at=wl.now_ms()), "NOT_A_DRILL", "drill_at_ms")
    refused(office, front, pb.DrillGo(until_ms=wl.now_ms()), "NOT_A_DRILL")
    refused(office, front, pb.AskStatus(digest=True), "ONLY_IN_DRILL")


# ---- bytes that are not what they should be --------------------------------------------------------------------------

BAD_BYTES = {
    "noise": (b"\xff" * 40, "BAD_PROTOBUF"),
    "text": (b"hello, broker, how are you?", "UNKNOWN_FIELD"),
    "a tag without a value": (head() + b"\x08", "BAD_PROTOBUF"),
    "a varint that does not end": (b"\x08" + b"\x80" * 30, "BAD_PROTOBUF"),
    "a varint of eleven bytes": (b"\x08" + b"\x81" * 10 + b"\x01", "BAD_PROTOBUF"),
    "a version with padding": (b"\x08\x81\x00" + inside(2, ID) + inside(43, b""), "BAD_PROTOBUF"),
    "a length beyond the message": (head() + varint(23 << 3 | 2) + varint(1000), "BAD_PROTOBUF"),
    "a length of nearly 2^64": (head() + varint(23 << 3 | 2) + b"\xff" * 9 + b"\x01", "BAD_PROTOBUF"),
    "field number 0": (head() + b"\x00\x05" + inside(43, b""), "BAD_PROTOBUF"),
    "field number 0, in two bytes": (head() + b"\x80\x00\x05" + inside(43, b""), "BAD_PROTOBUF"),
    "field number 0 with bytes": (head() + b"\x02\x01x" + inside(43, b""), "BAD_PROTOBUF"),
    "a padded number": (note(number(1, b"\x85\x00")), "BAD_PROTOBUF"),
    "a number padded inside": (head() + inside(23, number(1, b"\x85\x00")), "BAD_PROTOBUF"),
    "a tag padded": (b"\x88\x00\x01" + inside(2, ID) + inside(43, b""), "BAD_PROTOBUF"),
    "a tag beyond 32 bits": (head() + varint(1 << 35) + b"\x01", "BAD_PROTOBUF"),
    "a singular field twice": (number(1, 1) + head() + inside(43, b""), "BAD_PROTOBUF"),
    "a message twice": (head() + inside(16, inside(1, number(1, GRID)) + inside(1, number(2, 1))), "BAD_PROTOBUF"),
    "two commands": (head() + inside(43, b"") + inside(42, b""), "BAD_PROTOBUF"),
    "the same command twice": (head() + inside(43, b"") + inside(43, b""), "BAD_PROTOBUF"),
    "a number where bytes belong": (number(1, 1) + number(2, 7) + inside(43, b""), "BAD_PROTOBUF"),
    "bytes where a number belongs": (inside(1, b"\x01") + inside(2, ID) + inside(43, b""), "BAD_PROTOBUF"),
    "a fixed number": (b"\x0d\x01\x00\x00\x00" + inside(2, ID) + inside(43, b""), "BAD_PROTOBUF"),
    "a group": (head() + b"\x0b\x0c", "BAD_PROTOBUF"),
    "an unknown field": (head() + inside(43, b"") + number(15, 1), "UNKNOWN_FIELD"),
    "an unknown command": (head() + inside(99, b""), "UNKNOWN_FIELD"),
    "an unknown field far inside": (head() + inside(16, inside(1, number(1, GRID) + number(9, 1))), "UNKNOWN_FIELD"),
    "a field of the last number": (head() + varint((1 << 29) - 1 << 3) + b"\x01", "UNKNOWN_FIELD"),
    "an unknown wall": (head() + inside(16, inside(1, number(1, GRID) + number(2, 3))), "FIELD_RANGE"),
    "an unknown kind of answer": (head() + inside(18, number(5, 200)), "FIELD_RANGE"),
    "a bool of 2": (head() + inside(41, number(2, 2)), "FIELD_RANGE"),
    "a number over 32 bits": (number(1, 1 << 32) + inside(2, ID) + inside(43, b""), "FIELD_RANGE"),
    "text that is not UTF-8": (note(inside(3, b"\xc3\x28")), "BAD_TEXT"),
    "text in GBK": (note(inside(3, "垃圾".encode("gbk"))), "BAD_TEXT"),
    "half a character": (note(inside(3, "垃".encode()[:2])), "BAD_TEXT"),
    "a surrogate": (note(inside(3, b"\xed\xa0\x80")), "BAD_TEXT"),
    "an overlong slash": (note(inside(3, b"\xc0\xaf")), "BAD_TEXT"),
    "beyond Unicode": (note(inside(3, b"\xf4\x90\x80\x80")), "BAD_TEXT"),
    "NUL in a text": (note(inside(3, b"a\0b")), "BAD_TEXT"),
    "NUL in a party": (note(inside(2, b"desk\0@1"), inside(3, b"x")), "BAD_TEXT"),
    "65 photos": (head() + inside(16, inside(6, b"") * 65), "TOO_COMPLEX"),
    "65 parties": (head() + inside(21, inside(4, b"") * 65), "TOO_COMPLEX"),
    "a quarter of a mebibyte of empty messages": (head() + inside(21, inside(4, b"") * 130000), "TOO_COMPLEX"),
    "a nesting bomb": (None, "UNKNOWN_FIELD"),
    "a bomb of groups": (head() + b"\x0b" * 200000, "BAD_PROTOBUF"),
}


def nesting_bomb():
    """As deep as 256 KiB allow: a report in a report in a report."""
    data = b""
    while len(data) < 250_000:
        data = inside(16, data)
    return head() + data


@pytest.mark.parametrize("what", BAD_BYTES)
def test_bytes_that_are_refused(office, front, what):
    data, name = BAD_BYTES[what]
    bad = front.counters()["frames.bad"]
    refused(office, front, data or nesting_bomb(), name)
    assert front.counters()["frames.bad"] == bad + 1


def test_the_command_id_is_found_in_refused_bytes_where_it_can_be(office, front):
    assert front.raw(head(ID) + inside(43, b"") + number(15, 1)).command_id == ID
    assert front.raw(b"\xff" * 40).command_id == b""


def test_unpacked_numbers_are_refused_where_the_schema_packs_them(office, front):
    with nothing_changes(office, front, None), wl.Peer(office.feed) as peer:
        peer.socket.send(number(1, 1) + inside(17, number(1, DISTRICT)))
        first, body = peer.frames()
        assert pb.FeedHead.FromString(first).kind == pb.FEED_REFUSED
        assert pb.Refused.FromString(body).name == "BAD_PROTOBUF"


def test_a_thousand_random_messages_hurt_nobody(office, front):
    import random
    chance = random.Random(20260214)
    good = wl.envelope(report(text="text", evidence=[pb.Evidence(sha256=bytes(32))]), id=ID).SerializeToString()
    with nothing_changes(office, front, None), wl.Front(office.front) as peer:
        sent = 0
        for _ in range(1000):
            data = bytearray(good)
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(len(data) - 1)] ^= 1 << chance.randrange(8)
            data = bytes(data[: chance.randint(1, len(data) - 1)])          # never whole: nothing may be taken
            peer.send(data)
            sent += 1
        for _ in range(sent):
            assert peer.reply().WhichOneof("reply") == "refused"


# ---- the content of a report -----------------------------------------------------------------------------------------

HASH = bytes(32)


def at(lon, lat):
    return pb.Report(place=pb.Place(division=GRID, lon_e7=lon, lat_e7=lat), category=RUBBISH)


def photo(**more):
    return report(evidence=[pb.Evidence(sha256=HASH, **more)])


BAD_REPORTS = {
    "no place": (pb.Report(category=RUBBISH), "FIELD_MISSING", "place.division"),
    "no division": (pb.Report(place=pb.Place(wall=1), category=RUBBISH), "FIELD_MISSING", "place.division"),
    "division 0": (report(division=0), "BAD_DIVISION", "place.division"),
    "a division of 7 digits": (report(division=6104020), "BAD_DIVISION", "place.division"),
    "a division of 18 digits": (report(division=10**17), "BAD_DIVISION", "place.division"),
    "the largest number": (report(division=2**64 - 1), "BAD_DIVISION", "place.division"),
    "a whole province": (report(division=61), "BAD_DIVISION", "place.division"),
    "a city": (report(division=6104), "BAD_DIVISION", "place.division"),
    "another district": (report(division=610403), "UNKNOWN_DIVISION", "place.division"),
    "a grid that is not there": (report(division=610402006001999), "UNKNOWN_DIVISION", "place.division"),
    "longitude alone": (at(1, None), "FIELD_MISSING", "place.lat_e7"),
    "181 degrees east": (at(1810000000, 0), "FIELD_RANGE", "place.lon_e7"),
    "beyond the pole": (at(0, -900000001), "FIELD_RANGE", "place.lat_e7"),
    "no category": (pb.Report(place=PLACE), "FIELD_MISSING", "category"),
    "an unknown category": (report(category="E9999"), "UNKNOWN_CATEGORY", "category"),
    "an empty category": (report(category=""), "UNKNOWN_CATEGORY", "category"),
    "a category of 100,000 letters": (report(category="E" * 100000), "UNKNOWN_CATEGORY", "category"),
    "happened in 1999": (report(occurred_at_ms=946684799999), "BAD_INSTANT", "occurred_at_ms"),
    "happened before time": (report(occurred_at_ms=-(1 << 63)), "BAD_INSTANT", "occurred_at_ms"),
    "will happen one day": (report(occurred_at_ms=4102444800000), "FAR_FUTURE", "occurred_at_ms"),
    "will happen never": (report(occurred_at_ms=(1 << 63) - 1), "FAR_FUTURE", "occurred_at_ms"),
    "a promise that is not granted": (report(promise_ms=DAY), "PROMISE_NOT_GRANTED", "promise_ms"),
    "text of 2001 bytes": (report(text="x" * 2001), "TEXT_TOO_LONG", "text"),
    "text of 667 characters": (report(text="字" * 667), "TEXT_TOO_LONG", "text"),
    "text of 200,000 bytes": (report(text="x" * 200000), "TEXT_TOO_LONG", "text"),
    "address of 2001 bytes": (report(address="x" * 2001), "TEXT_TOO_LONG", "address"),
    "an outside id of 64 letters": (report(external_id="x" * 64), "TEXT_TOO_LONG", "external_id"),
    "an outside id with a space": (report(external_id="a b"), "BAD_TEXT", "external_id"),
    "an outside id in Chinese": (report(external_id="编号"), "BAD_TEXT", "external_id"),
    "nine photos": (report(evidence=[pb.Evidence(sha256=HASH)] * 9), "FIELD_RANGE", "evidence"),
    "a photo without hash": (report(evidence=[pb.Evidence(url="https://e/1")]), "FIELD_RANGE", "evidence.sha256"),
    "a hash of 31 bytes": (report(evidence=[pb.Evidence(sha256=bytes(31))]), "FIELD_RANGE", "evidence.sha256"),
    "a hash of 33 bytes": (report(evidence=[pb.Evidence(sha256=bytes(33))]), "FIELD_RANGE", "evidence.sha256"),
    "an address of a photo that is too long": (photo(url="u" * 256), "TEXT_TOO_LONG", "evidence.url"),
    "a media type that is too long": (photo(type="t" * 64), "TEXT_TOO_LONG", "evidence.type"),
    "an unknown reporter": (report(reporter="mayor@610402"), "UNKNOWN_PARTY", "reporter"),
    "a reporter of 100,000 letters": (report(reporter="m" * 100000 + "@610402"), "UNKNOWN_PARTY", "reporter"),
    "on the spot without report": (pb.SelfHandle(party=GRID_WORKER), "FIELD_MISSING", None),
    "on the spot by nobody": (pb.SelfHandle(report=report()), "FIELD_MISSING", "party"),
    "on the spot by a stranger": (pb.SelfHandle(report=report(), party="x@1"), "UNKNOWN_PARTY", "party"),
    "on the spot with a novel": (pb.SelfHandle(report=report(), party=GRID_WORKER, text="x" * 2001), "TEXT_TOO_LONG",
                                 "text"),
}


@pytest.mark.parametrize("what", BAD_REPORTS)
def test_reports_that_are_refused(office, front, what):
    refused(office, front, *BAD_REPORTS[what])


def test_what_is_just_within_the_limits_is_taken(office, front):
    longest = report(text="字" * 666 + "xx", address="x" * 2000, external_id="x" * 63, occurred_at_ms=946684800000,
                     evidence=[pb.Evidence(sha256=HASH, url="u" * 255, type="t" * 63)] * 8, reporter=GRID_WORKER)
    longest.place.lon_e7, longest.place.lat_e7 = 1800000000, -900000000
    case = front.show(front.call(longest).case_id)[0]
    assert case.text == longest.text and case.address == longest.address


def test_a_promise_is_bounded_where_it_is_granted(make_broker):
    front = make_broker(config=DRILL).client()
    for promise in (-1, 5 * 366 * DAY + 1):
        with pytest.raises(wl.Refusal, match="FIELD_RANGE promise_ms"):
            front.call(report(category="B001", promise_ms=promise))
    for promise in (0, 5 * 366 * DAY):
        front.call(report(category="B001", promise_ms=promise))


# ---- cases -----------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def stage(front):
    """A case that waits for its desk, one that was dispatched, one that is over."""
    waiting, sent, over = (front.call(report()).case_id for _ in range(3))
    front.call(dispatch(front.show(sent)[0], GRID_WORKER))
    front.call(pb.Reject(cause=pb.CAUSE_DUPLICATE, **at_cursor(front.show(over)[0])))
    return [front.show(id)[0] for id in (waiting, sent, over)]


def bad_commands(waiting, sent, over):
    w, s, o = at_cursor(waiting), at_cursor(sent), at_cursor(over)
    somebody = [pb.AskedParty(party=GRID_WORKER)]
    seventeen = [pb.AskedParty(party=f"grid-worker@{COMMUNITY}{n:03}") for n in range(1, 18)]
    return [
        (pb.Answer(party=GRID_WORKER, kind=pb.ANSWER_DONE, **o), "CASE_CLOSED", None),
        (pb.Accept(case_id=over.case_id), "CASE_CLOSED", None),
        (pb.Dispatch(parties=somebody, **o), "CASE_CLOSED", None),
        (pb.Escalate(**o), "CASE_CLOSED", None),
        (pb.Reject(cause=pb.CAUSE_DUPLICATE, **o), "CASE_CLOSED", None),
        (pb.Note(case_id=1, text="x"), "NO_SUCH_CASE", "case_id"),
        (pb.Note(case_id=2**64 - 1, text="x"), "NO_SUCH_CASE", "case_id"),
        (pb.Note(text="x"), "NO_SUCH_CASE", None),
        (pb.ShowCase(case_id=3), "NO_SUCH_CASE", "case_id"),
        (pb.ShowCase(number="610402-20260101-99999"), "NO_SUCH_CASE", "number"),
        (pb.ShowCase(number="x" * 5000), "NO_SUCH_CASE", "number"),
        (pb.ShowCase(number="99999999999999999999-1-1"), "NO_SUCH_CASE", "number"),
        (pb.ListCases(prefix=123), "BAD_DIVISION", "prefix"),
        (pb.ListCases(prefix=2**64 - 1, open_only=True), "BAD_DIVISION", "prefix"),
        (pb.ListCases(prefix=DISTRICT, open_only=True, after_case_id=5), "NO_SUCH_CASE", "after_case_id"),
        (pb.Accept(case_id=sent.case_id), "WRONG_STATE", None),
        (pb.Reject(cause=pb.CAUSE_DUPLICATE, **s), "WRONG_STATE", None),
        (pb.Dispatch(parties=somebody, **s), "WRONG_STATE", None),
        (pb.Dispatch(case_id=w["case_id"], stage=2, attempt=1, parties=somebody), "WRONG_STAGE", "stage"),
        (pb.Dispatch(case_id=w["case_id"], stage=1, attempt=2, parties=somebody), "WRONG_STAGE", "attempt"),
        (pb.Escalate(case_id=w["case_id"], stage=2**32 - 1, attempt=1), "WRONG_STAGE", "stage"),
        (pb.Reject(case_id=w["case_id"], cause=pb.CAUSE_DUPLICATE), "WRONG_STAGE", "stage"),
        (pb.Dispatch(**w), "NOBODY_NAMED", "parties"),
        (pb.Dispatch(parties=[pb.AskedParty(party=p) for p in [GRID_WORKER] * 2], **w), "FIELD_RANGE", "parties.party"),
        (pb.Dispatch(parties=[pb.AskedParty(party="x@1")], **w), "UNKNOWN_PARTY", "parties.party"),
        (pb.Dispatch(parties=[pb.AskedParty()], **w), "UNKNOWN_PARTY", "parties.party"),
        (pb.Dispatch(parties=seventeen, **w), "TOO_MANY_ASKS", "parties"),
        (pb.Escalate(cause=pb.CAUSE_REPORTED, **w), "FIELD_RANGE", "cause"),
        (pb.Escalate(cause=pb.CAUSE_ELSEWHERE, **w), "FIELD_RANGE", "cause"),
        (pb.Escalate(party="x@1", **w), "UNKNOWN_PARTY", "party"),
        (pb.Reject(**w), "FIELD_RANGE", "cause"),
        (pb.Reject(cause=pb.CAUSE_DUTY, **w), "FIELD_RANGE", "cause"),
        (pb.Reject(cause=pb.CAUSE_DUPLICATE, text="x" * 2001, **w), "TEXT_TOO_LONG", "text"),
        (pb.Accept(case_id=w["case_id"], party="x@1"), "UNKNOWN_PARTY", "party"),
        (pb.Note(case_id=w["case_id"]), "FIELD_MISSING", "text"),
        (pb.Note(case_id=w["case_id"], text=""), "FIELD_MISSING", "text"),
        (pb.Note(case_id=w["case_id"], text="x" * 2001), "TEXT_TOO_LONG", "text"),
        (pb.Later(case_id=w["case_id"], verb="merge"), "NOT_YET", None),
        (pb.Answer(**s), "FIELD_MISSING", "party"),
        (pb.Answer(party=GRID_WORKER, **s), "FIELD_MISSING", "kind"),
        (pb.Answer(party=GRID_WORKER, kind=pb.ANSWER_NONE, **s), "FIELD_MISSING", "kind"),
        (pb.Answer(party=GRID_WORKER, kind=pb.ANSWER_VOTE, **s), "NOT_YET", "kind"),
        (pb.Answer(party="x@1", kind=pb.ANSWER_DONE, **s), "UNKNOWN_PARTY", "party"),
        (done(sent, text="x" * 2001), "TEXT_TOO_LONG", "text"),
        (done(sent, milestone="sing"), "MILESTONE_ORDER", "milestone"),
        (done(sent, milestone="m" * 100000), "MILESTONE_ORDER", "milestone"),
        (done(sent, evidence=[pb.Evidence(sha256=bytes(31))]), "FIELD_RANGE", "evidence.sha256"),
        (done(sent, evidence=[pb.Evidence(sha256=HASH)] * 9), "FIELD_RANGE", "evidence"),
        (done(sent, evidence=[pb.Evidence(sha256=HASH, url="u" * 256)]), "TEXT_TOO_LONG", "evidence.url"),
        (done(sent, evidence=[pb.Evidence(sha256=HASH, url="u" * 250000)]), "TEXT_TOO_LONG", "evidence.url"),
        (done(sent, evidence=[pb.Evidence(sha256=HASH, type="t" * 64)]), "TEXT_TOO_LONG", "evidence.type"),
    ]


def test_commands_about_cases_that_are_refused(office, front, stage):
    for command, name, field in bad_commands(*stage):
        refused(office, front, command, name, field)
    assert [front.show(c.case_id)[0] for c in stage] == stage


def test_the_same_id_with_other_bytes_is_a_conflict(office, front):
    e = wl.envelope(report(text="one"))
    first = front.ask(e)
    e.report.text = "two"
    refused(office, front, e, "CONFLICT", "command_id")
    e.report.text = "one"
    assert front.ask(e) == first
    other = wl.envelope(pb.Note(case_id=first.done.case_id, text="x"), id=e.command_id)
    refused(office, front, other, "CONFLICT", "command_id")


def test_a_refused_command_holds_no_receipt_and_is_decided_afresh(office, front):
    e = wl.envelope(report(category="E9999"))
    refused(office, front, e, "UNKNOWN_CATEGORY")
    e.report.category = RUBBISH
    assert front.ask(e).done.case_id, "the id was not used up"


def test_an_answer_for_another_stage_or_attempt_is_recorded_and_changes_nothing(office, front):
    case_id = front.call(report()).case_id
    front.call(dispatch(front.show(case_id)[0], GRID_WORKER))
    before = front.show(case_id)[0]
    late = [(2, 1), (1, 2), (1, 0), (99, 99)]
    for stage, attempt in late:
        front.call(pb.Answer(case_id=case_id, stage=stage, attempt=attempt, party=GRID_WORKER, kind=pb.ANSWER_DONE))
    front.call(answer(before, pb.ANSWER_DONE, pb.AskView(party=GRID_LEADER, stage=1, attempt=1)))
    after, story = front.show(case_id)
    assert [a.fate for _, a in events_of(story, "answered")] == [pb.FATE_LATE] * 4 + [pb.FATE_NOT_ASKED]
    before.last_seq = after.last_seq
    assert before == after


def test_late_answers_are_bounded(office, front):
    case_id = front.call(report()).case_id
    front.call(dispatch(front.show(case_id)[0], GRID_WORKER))
    late = pb.Answer(case_id=case_id, stage=3, attempt=1, party=GRID_WORKER, kind=pb.ANSWER_DONE)
    for _ in range(32):
        front.call(late)
    refused(office, front, late, "TOO_MANY_LATE", "case_id")
    front.call(accept(front.show(case_id)[0]))


# ---- sessions --------------------------------------------------------------------------------------------------------

def told_on_pool(office, frame):
    with wl.Peer(office.pool) as peer:
        peer.socket.send_multipart(frame if isinstance(frame, list) else [frame])
        frames = peer.frames()
        assert frames, "no answer on the pool"
        return pb.PoolFrame.FromString(frames[0]).refused.name


def test_what_a_worker_may_not_say(office, front):
    def hello(**more):
        return pb.WorkerFrame(version=1, hello=pb.WorkerHello(version=1, level=1, **more)).SerializeToString()

    credit = pb.WorkerFrame(version=1, credit=pb.WorkerCredit(more=1)).SerializeToString()
    with nothing_changes(office, front, None):
        assert told_on_pool(office, credit) == "NO_SESSION"
        assert told_on_pool(office, pb.WorkerFrame(version=2, hello=pb.WorkerHello()).SerializeToString()) == "VERSION"
        assert told_on_pool(office, hello()) == "TOO_MANY_PREFIXES"
        assert told_on_pool(office, hello(divisions=[DISTRICT] * 65)) == "TOO_MANY_PREFIXES"
        assert told_on_pool(office, hello(divisions=[123])) == "BAD_DIVISION"
        assert told_on_pool(office, hello(divisions=[DISTRICT] * 300)) == "TOO_COMPLEX"
        assert told_on_pool(office, [b"a", b"b"]) == "FRAME_COUNT"
        assert told_on_pool(office, b"\xff\xff") == "BAD_PROTOBUF"
        assert told_on_pool(office, b"") == "VERSION"


def test_what_a_console_may_not_say(office, front):
    def told(**what):
        with wl.Peer(office.feed) as peer:
            for frame in what.pop("first", []):
                peer.socket.send(frame)
            peer.socket.send(pb.ConsoleFrame(version=what.pop("version", 1), **what).SerializeToString())
            while True:
                head, body = peer.frames()
                if pb.FeedHead.FromString(head).kind == pb.FEED_REFUSED:
                    return pb.Refused.FromString(body).name

    hello = [pb.ConsoleFrame(version=1, hello=pb.Hello()).SerializeToString()]
    with nothing_changes(office, front, None):
        assert told(subscribe=pb.Subscribe(prefixes=[61])) == "NO_SESSION"
        assert told(version=7, hello=pb.Hello()) == "VERSION"
        assert told(first=hello, subscribe=pb.Subscribe()) == "TOO_MANY_PREFIXES"
        assert told(first=hello, subscribe=pb.Subscribe(prefixes=[61] * 65)) == "TOO_MANY_PREFIXES"
        assert told(first=hello, subscribe=pb.Subscribe(prefixes=[61, 5])) == "BAD_DIVISION"
        assert told(first=hello, subscribe=pb.Subscribe(prefixes=[61] * 300)) == "TOO_COMPLEX"


def test_a_broker_that_does_not_have_what_a_console_saw_says_so(office):
    with wl.Console(office.feed) as console:
        console.subscribe(DISTRICT, from_seq=10**12)
        told = console.next()
        assert told.kind == pb.FEED_RESYNC and told.seq == console.welcome.durable_seq
        console.subscribe(DISTRICT, snapshot=True).until_live()
