"""The broker, a desk's worker, a console: each stands still for ten seconds. Nothing is lost or told twice."""
import json
import os
import signal
import time

import whistle_pb2 as pb
import wl
from conftest import CTL, WORKER, Process, until
from test_feed import everything, updates
from world import COMMUNITY, DISTRICT, report, story_kinds

STILL_S = 10


class StoppedBroker:
    """What is sent meanwhile is answered afterwards; who was connected still is."""

    def __init__(self, make_broker):
        self.broker = make_broker("b")
        self.front, self.pid = self.broker.client(), self.broker.process.child.pid
        self.desk = self.broker.worker(pb.LEVEL_COMMUNITY, COMMUNITY, credit=50)
        self.console = self.broker.console().subscribe(DISTRICT)
        self.front.call(report())
        self.offer = self.desk.offer()

    def meanwhile(self):
        self.sent = {e.command_id: e.SerializeToString() for e in (wl.envelope(report()) for _ in range(20))}
        for data in self.sent.values():
            self.front.send(data)
        e = wl.decision_of(self.offer, wl.desk(self.offer))
        self.desk.say(result=pb.WorkerResult(token=self.offer.token, decision=e.SerializeToString()))

    def afterwards(self):
        told = {r.command_id: r for r in (self.front.reply() for _ in self.sent)}
        assert told.keys() == self.sent.keys() and all(r.HasField("done") for r in told.values())
        assert self.desk.expect("taken").seq, "the lease had not run out for who was not heard"
        until(lambda: self.desk.serve(0.05) or len(self.desk.taken) == 20)
        last = max(seq for seq, _ in everything(self.broker, DISTRICT))
        assert updates(self.console.until_seq(last)) == everything(self.broker, DISTRICT)
        assert self.front.status().cases_all == 21 and self.front.status().workers == 1


class StoppedWorker:
    """Its leases run out, another decides, and what it says when it goes on is late."""

    def __init__(self, make_broker):
        self.broker = make_broker("w", lease_ms="1s")
        self.front = self.broker.client()
        command = [WORKER, "--level", "community", "--divisions", COMMUNITY, "--endpoint", self.broker.pool]
        self.worker = Process(command, self.broker.folder / "worker.log")
        self.broker.peers.callback(self.worker.kill)
        until(lambda: self.front.status().workers == 1)
        self.pid = self.worker.child.pid

    def meanwhile(self):
        self.case_id = self.front.call(report()).case_id
        until(lambda: story_kinds(self.front.show(self.case_id)[1]) == ["reported", "offer_failed"])
        with wl.Worker(self.broker.pool, pb.LEVEL_COMMUNITY, [COMMUNITY], credit=1) as other:
            assert other.done(other.offer(), again=False).seq
            other.goodbye()

    def afterwards(self):
        later = self.front.call(report()).case_id
        until(lambda: self.front.show(later)[0].state == pb.STATE_DISPATCHED)
        assert story_kinds(self.front.show(self.case_id)[1]).count("dispatched") == 1
        assert self.worker.stop() == 0


class StoppedConsole:
    """It is told everything of what it missed, in order, once."""

    def __init__(self, make_broker):
        self.broker = make_broker("c")
        self.front = self.broker.client()
        words = ["--json", "--front", self.broker.front, "--feed", self.broker.feed, "watch", "--from", "0"]
        self.watch = Process([CTL, *words], self.broker.folder / "watch.log")
        self.broker.peers.callback(self.watch.kill)
        self.made = [self.front.call(report()).seq for _ in range(10)]
        until(lambda: len(self.seqs()) == 10)
        self.pid = self.watch.child.pid

    def seqs(self):
        lines = [json.loads(line) for line in self.watch.said().splitlines() if line.startswith("{")]
        return [int(line["seq"]) for line in lines if line["kind"] == "update"]

    def meanwhile(self):
        self.made += [self.front.call(report(text="x" * 1900)).seq for _ in range(300)]

    def afterwards(self):
        self.made += [self.front.call(report()).seq for _ in range(10)]
        until(lambda: len(self.seqs()) >= len(self.made))
        assert self.seqs() == self.made


def test_who_stands_still_for_ten_seconds_goes_on_where_it_was(make_broker):
    worlds = [kind(make_broker) for kind in (StoppedBroker, StoppedWorker, StoppedConsole)]
    for w in worlds:
        os.kill(w.pid, signal.SIGSTOP)
    began = time.monotonic()
    for w in worlds:
        w.meanwhile()
    time.sleep(max(0, STILL_S - (time.monotonic() - began)))
    for w in worlds:
        os.kill(w.pid, signal.SIGCONT)
    for w in worlds:
        w.afterwards()
