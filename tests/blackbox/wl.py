"""A stranger's client, written from docs/protocol.md alone: it shares no code with the broker, only the schema.

Front asks and commands, Worker decides for a desk, Console watches. One ZeroMQ context for all of them. Nothing waits
without a limit: what does not come in time is a Silence.
"""
import hashlib
import os
import struct
import time
from collections import deque

import whistle_pb2 as pb
import zmq

CONTEXT = zmq.Context()
CONTEXT.max_sockets = 4096
VERSION = 1
LATER = (pb.REFUSED_BUSY, pb.REFUSED_RETRY_LATER, pb.REFUSED_STOPPING)
FRAME_BYTES_MAX = 256 << 10
WAIT_S = 30                              # whoever waits so long is stuck: syncs of a busy disk take seconds


class Silence(Exception):
    """Nothing came in time."""


class Refusal(Exception):
    def __init__(self, refused):
        super().__init__(f"{refused.name} {refused.field}: {refused.en}")
        self.refused, self.code, self.name, self.field = refused, refused.code, refused.name, refused.field


def now_ms():
    return time.time_ns() // 1_000_000


def uuid7(at_ms=None, seed=None):
    """16 bytes that grow with time; with a seed the same ones each time."""
    tail = os.urandom(10) if seed is None else hashlib.blake2b(repr(seed).encode(), digest_size=10).digest()
    raw = bytearray(struct.pack(">Q", now_ms() if at_ms is None else at_ms)[2:] + tail)
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


def work_id(token):
    """The command id of a desk's decision: whoever decides it again finds the same."""
    text = b"work" + struct.pack("<QIII", token.case_id, token.stage, token.attempt, token.tries)
    return hashlib.blake2b(text, digest_size=32).digest()[:16]


def envelope(command=None, id=None, at=None, sent=None, **more):
    """An envelope around a command message: envelope(pb.Note(...)). at: drill_at_ms."""
    e = pb.Envelope(version=VERSION, command_id=uuid7() if id is None else id, **more)
    if sent is not None:
        e.sent_at_ms = sent
    if at is not None:
        e.drill_at_ms = at
    if command is not None:
        for field in pb.Envelope.DESCRIPTOR.oneofs_by_name["command"].fields:
            if field.message_type is command.DESCRIPTOR:
                getattr(e, field.name).CopyFrom(command)
    return e


def party_digits(party):
    """How many digits the division of a party has: 9 is a street's."""
    return len(party.partition("@")[2])


def last_seq(update):
    return update.first_seq + len(update.events) - 1


def kinds(update):
    return [e.WhichOneof("event") for e in update.events]


class Peer:
    """A DEALER that waits no longer than it is told."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.socket = CONTEXT.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.RCVHWM, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 10)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, 50)
        self.socket.connect(endpoint)

    def close(self):
        if not self.socket.closed:
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def frames(self, wait_s=WAIT_S):
        """One message, or None."""
        if not self.socket.poll(max(0, int(wait_s * 1000))):
            return None
        return self.socket.recv_multipart()


class Front(Peer):
    """Commands and questions. call() asks until there is an answer, as section 3 says."""

    def __init__(self, endpoint):
        super().__init__(endpoint)
        self.waiting = deque()

    def send(self, *frames):
        self.socket.send_multipart([f if isinstance(f, bytes) else f.SerializeToString() for f in frames])

    def reply(self, wait_s=WAIT_S):
        if not self.waiting:
            frames = self.frames(wait_s)
            if frames is None:
                return None
            assert len(frames) == 1, "the front gate sends one frame"
            self.waiting.extend(pb.Replies.FromString(frames[0]).replies)
        return self.waiting.popleft()

    def raw(self, *frames, wait_s=WAIT_S):
        """Sends these frames as they are and takes the next reply, whatever it is about."""
        self.send(*frames)
        r = self.reply(wait_s)
        if r is None:
            raise Silence(f"no reply within {wait_s} s")
        return r

    def ask(self, message, wait_s=WAIT_S, again_s=1.0, patient=False):
        """The reply to this envelope, sent until there is one. patient: BUSY and the like are none."""
        data = message if isinstance(message, bytes) else message.SerializeToString()
        wanted = pb.Envelope.FromString(data).command_id
        until, pause = time.monotonic() + wait_s, 0.1
        while time.monotonic() < until:
            self.send(data)
            again = time.monotonic() + again_s
            while (left := min(again, until) - time.monotonic()) > 0:
                r = self.reply(left)
                if r is None or r.command_id != wanted:
                    continue
                if patient and r.WhichOneof("reply") == "refused" and r.refused.code in LATER:
                    time.sleep(pause)
                    pause = min(2.0, pause * 2)
                    break
                return r
        raise Silence(f"no reply within {wait_s} s")

    def call(self, command, wait_s=WAIT_S, patient=False, **envelope_fields):
        """Done, or the answer to a question; a refusal is raised. patient: as ask() has it."""
        return answer_of(self.ask(envelope(command, **envelope_fields), wait_s, patient=patient))

    # ---- the words ---------------------------------------------------------------------------------------------------

    def hello(self, wait_s=WAIT_S):
        return self.call(pb.Hello(program="stranger"), wait_s)

    def status(self):
        return self.call(pb.AskStatus())

    def counters(self):
        return {c.name: c.value for c in self.status().counters}

    def show(self, case_id=None, number=None):
        """(case, the whole story)."""
        story, after = [], 0
        while True:
            page = self.call(pb.ShowCase(case_id=case_id, number=number, story_after_seq=after))
            story.extend(page.story)
            if not page.more:
                return page.case_view, story
            after = last_seq(story[-1])

    def cases(self, prefix=None, open_only=False, count=200):
        found, after = [], 0
        while True:
            page = self.call(pb.ListCases(prefix=prefix, open_only=open_only, after_case_id=after, count=count))
            found.extend(page.cases)
            if not page.more:
                return found
            after = page.next_after

    def hold(self, command, at, **more):
        """Drill: sends a command that is decided at that instant. Its id."""
        e = envelope(command, at=at, sent=at, **more)
        self.send(e)
        return e.command_id

    def go(self, until_ms, worker=None, run=False, wait_s=WAIT_S):
        """Drill: drives the broker's time and gathers replies by id until it is quiet. The worker answers meanwhile."""
        e = envelope(pb.DrillGo(until_ms=until_ms, run=run))
        self.send(e)
        replies, until = {}, time.monotonic() + wait_s
        while time.monotonic() < until:
            for w in worker or []:
                w.serve(0)
            r = self.reply(0.002 if worker else 0.1)
            if r is None:
                continue
            if r.command_id == e.command_id:
                return answer_of(r), replies
            replies[r.command_id] = r
        raise Silence(f"the drill was not quiet within {wait_s} s")


def answer_of(reply):
    kind = reply.WhichOneof("reply")
    if kind == "refused":
        raise Refusal(reply.refused)
    return getattr(reply, kind)


# ---- workers ---------------------------------------------------------------------------------------------------------

def desk(offer):
    """A plain desk: up when it is not ours, else the first candidate that was not tried."""
    case, at = offer.case_view, dict(case_id=offer.token.case_id, stage=offer.token.stage, attempt=offer.token.attempt)
    if not offer.last_rung:
        if offer.desk_level == pb.LEVEL_COMMUNITY and case.place.wall == pb.WALL_OUTSIDE:
            return pb.Escalate(cause=pb.CAUSE_OUTSIDE_WALL, **at)
        if offer.duty_level > offer.desk_level:
            return pb.Escalate(cause=pb.CAUSE_NOT_OUR_DUTY, **at)
    fresh = [c for c in offer.candidates if not c.tried] or list(offer.candidates)
    return pb.Dispatch(parties=[pb.AskedParty(party=fresh[0].party, lead=True)], **at)


def decision_of(offer, command):
    return envelope(command, id=work_id(offer.token), sent=offer.now_ms)


class Worker(Peer):
    def __init__(self, endpoint, level, divisions, credit=16, decide=desk, tokens=(), wait_s=WAIT_S):
        super().__init__(endpoint)
        self.level, self.divisions, self.decide = level, divisions, decide
        self.taken, self.lost, self.offered, self.queue = [], [], [], deque()
        self.epoch = None
        self.hello(credit, tokens, wait_s)

    def say(self, **what):
        self.socket.send(pb.WorkerFrame(version=VERSION, **what).SerializeToString())

    def hello(self, credit=16, tokens=(), wait_s=WAIT_S):
        self.say(hello=pb.WorkerHello(version=VERSION, level=self.level, divisions=self.divisions, tokens=tokens))
        self.welcome = self.expect("welcome", wait_s)
        self.epoch = self.welcome.epoch
        if credit:
            self.credit(credit)

    def credit(self, more):
        self.say(credit=pb.WorkerCredit(more=more))

    def _read(self, wait_s):
        frames = self.frames(wait_s)
        if frames is None:
            return False
        assert len(frames) == 1, "the pool gate sends one frame"
        f = pb.PoolFrame.FromString(frames[0])
        self.queue.append((f.WhichOneof("pool_says"), f))
        return True

    def expect(self, kind, wait_s=WAIT_S):
        """The next frame of that kind; the others stay for later."""
        until = time.monotonic() + wait_s
        while True:
            for i, (k, f) in enumerate(self.queue):
                if k == kind:
                    del self.queue[i]
                    return getattr(f, k)
            left = until - time.monotonic()
            if left <= 0 or not self._read(left):
                raise Silence(f"no {kind} within {wait_s} s")

    def nothing(self, kind, for_s):
        try:
            got = self.expect(kind, for_s)
        except Silence:
            return True
        raise AssertionError(f"there was a {kind}: {got}")

    def offer(self, wait_s=WAIT_S):
        return self.expect("offer", wait_s)

    def done(self, offer, command=None, wait_s=WAIT_S, again=True):
        """The decision, until it is taken."""
        e = decision_of(offer, command or self.decide(offer))
        self.say(result=pb.WorkerResult(token=offer.token, decision=e.SerializeToString()))
        if again:
            self.credit(1)
        return self.expect("taken", wait_s)

    def failed(self, offer, how, retry_ms=0, wait_s=WAIT_S):
        self.say(result=pb.WorkerResult(token=offer.token, failed=how, retry_ms=retry_ms))
        self.credit(1)
        return self.expect("taken", wait_s)

    def serve(self, wait_s=0.0):
        """Deals with what has come: every offer is decided at once."""
        while self._read(wait_s):
            wait_s = 0
        for kind, f in self.queue:
            if kind == "offer":
                self.offered.append(f.offer)
                e = decision_of(f.offer, self.decide(f.offer))
                self.say(result=pb.WorkerResult(token=f.offer.token, decision=e.SerializeToString()))
                self.credit(1)
            elif kind == "taken":
                self.taken.append(f.taken)
            elif kind == "lease_lost":
                self.lost.append(f.lease_lost)
            elif kind == "heartbeat":
                self.say(heartbeat=pb.Heartbeat())
        self.queue.clear()

    def goodbye(self):
        self.say(goodbye=pb.Goodbye(why="tests"))


# ---- consoles --------------------------------------------------------------------------------------------------------

class Told:
    """One frame pair of the feed."""

    def __init__(self, head, body):
        self.session_seq, self.kind, self.seq, self.bytes = head.session_seq, head.kind, head.seq, body
        self.left = head.kind == pb.FEED_LEFT
        self.update = pb.Update.FromString(body) if self.left or head.kind == pb.FEED_UPDATE else None
        self.row = pb.CaseView.FromString(body) if head.kind == pb.FEED_SNAPSHOT else None

    def __repr__(self):
        return f"<{pb.FeedKind.Name(self.kind)} {self.session_seq} seq {self.seq}>"


class Console(Peer):
    UNNUMBERED = (pb.FEED_WELCOME, pb.FEED_HEARTBEAT, pb.FEED_REFUSED, pb.FEED_GOODBYE)

    def __init__(self, endpoint, wait_s=WAIT_S):
        super().__init__(endpoint)
        self.session_seq, self.seq = 0, 0
        self.say(hello=pb.Hello(program="stranger"))
        head, body = self._next(wait_s)
        assert head.kind == pb.FEED_WELCOME
        self.welcome = pb.Welcome.FromString(body)

    def say(self, **what):
        self.socket.send(pb.ConsoleFrame(version=VERSION, **what).SerializeToString())

    def subscribe(self, *prefixes, from_seq=0, snapshot=False, credit=65536, epoch=None):
        self.session_seq = 0
        self.seq = from_seq
        self.say(subscribe=pb.Subscribe(prefixes=prefixes, from_seq=from_seq, snapshot=snapshot, credit=credit,
                                        epoch=epoch))
        return self

    def credit(self, more):
        self.say(credit=pb.WorkerCredit(more=more))

    def _next(self, wait_s):
        frames = self.frames(wait_s)
        if frames is None:
            raise Silence(f"nothing on the feed within {wait_s} s")
        assert len(frames) == 2, "the feed gate sends two frames"
        return pb.FeedHead.FromString(frames[0]), frames[1]

    def next(self, wait_s=WAIT_S):
        """The next numbered frame. A gap fails here; heartbeats are answered."""
        until = time.monotonic() + wait_s
        while True:
            head, body = self._next(until - time.monotonic())
            if head.kind == pb.FEED_REFUSED:
                raise Refusal(pb.Refused.FromString(body))
            if head.kind in self.UNNUMBERED:
                assert head.session_seq == 0
                if head.kind == pb.FEED_HEARTBEAT:
                    self.say(heartbeat=pb.Heartbeat())
                continue
            assert head.session_seq == self.session_seq + 1, f"a gap: {self.session_seq} -> {head.session_seq}"
            self.session_seq = head.session_seq
            told = Told(head, body)
            if told.update is not None:
                assert told.seq == last_seq(told.update) and told.seq > self.seq, "order"
                self.seq = told.seq
            return told

    def until_live(self, wait_s=WAIT_S):
        """Everything before LIVE, and LIVE itself last; credit is given back as it goes."""
        told, until = [], time.monotonic() + wait_s
        while not told or told[-1].kind != pb.FEED_LIVE:
            told.append(self.next(until - time.monotonic()))
            if len(told) % 4096 == 0:
                self.credit(4096)
        return told

    def until_seq(self, seq, wait_s=WAIT_S):
        """Updates until that seq has been told."""
        told, until = [], time.monotonic() + wait_s
        while self.seq < seq:
            told.append(self.next(until - time.monotonic()))
        return told

    def silent(self, for_s):
        try:
            told = self.next(for_s)
        except Silence:
            return True
        raise AssertionError(f"there was {told}")
