"""The district that the tests live in, as its office's files have it, and a driven clock to live there by."""
import whistle_pb2 as pb
import wl

DISTRICT, STREET, COMMUNITY, GRID = 610402, 610402006, 610402006001, 610402006001003
OTHER_STREET, OTHER_GRID = 610402001, 610402001001001
GRID_WORKER, GRID_LEADER = f"grid-worker@{GRID}", f"grid-leader@{COMMUNITY}"
COMMUNITY_DESK, STREET_DESK = f"community-desk@{COMMUNITY}", f"street-desk@{STREET}"

RUBBISH = "E0102"          # exposed garbage: the community's inside, the street's outside; accept 2wh, clear=4wh
BUILDING = "E0101"         # illegal structure: the street's; stop=4wh, penalise=7wd, demolish=20wd
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
MONDAY = 1772413200000     # 2026-03-02 09:00 in Qindu; open 08:30-12:00 and 14:00-18:00


def report(division=GRID, category=RUBBISH, wall=pb.WALL_INSIDE, **more):
    return pb.Report(place=pb.Place(division=division, wall=wall), category=category, **more)


def at_cursor(case, **more):
    """Fields that name a case and where it stands."""
    return dict(case_id=case.case_id, stage=case.stage, attempt=case.attempt, **more)


def dispatch(case, *parties):
    return pb.Dispatch(parties=[pb.AskedParty(party=p) for p in parties], **at_cursor(case))


def awaited(case):
    """The one party that is asked at the cursor and has not answered for good."""
    here = [a for a in case.asks if (a.stage, a.attempt) == (case.stage, case.attempt)]
    waiting = [a for a in here if a.status in ("asked", "accepted")]
    assert len(waiting) == 1, case
    return waiting[0]


def answer(case, kind, ask=None, **more):
    ask = ask or awaited(case)
    return pb.Answer(case_id=case.case_id, stage=ask.stage, attempt=ask.attempt, party=ask.party, kind=kind, **more)


def accept(case, ask=None, **more):
    return answer(case, pb.ANSWER_ACCEPT, ask, **more)


def done(case, ask=None, **more):
    return answer(case, pb.ANSWER_DONE, ask, **more)


def decline(case, ask=None, **more):
    return answer(case, pb.ANSWER_DECLINE, ask, **more)


def reports_until_refused(take):
    """Fills the disk of whoever takes them; how many were taken."""
    for taken in range(5000):
        try:
            take(report(text="x" * 2000))
        except wl.Refusal as refusal:
            assert refusal.name == "RETRY_LATER"
            return taken
    raise AssertionError("the disk never was full")


def story_kinds(story):
    return [kind for update in story for kind in wl.kinds(update)]


def events_of(story, kind):
    """(broker time, event) of each of that kind."""
    return [(u.at_ms, getattr(e, kind)) for u in story for e in u.events if e.WhichOneof("event") == kind]


def timer(case, kind):
    return next((t for t in case.timers if t.kind == kind), None)


def work(front, worker, case_id):
    """The desk's worker decides the case that was just reported; the case after it."""
    offer = worker.offer()
    assert offer.token.case_id == case_id
    assert not worker.done(offer).HasField("refusal")
    return front.show(case_id)[0]


def close(front, case):
    """Whoever is asked accepts and is done, the verifier agrees."""
    front.call(accept(case))
    front.call(done(front.show(case.case_id)[0]))
    front.call(done(front.show(case.case_id)[0]))
    return front.show(case.case_id)


class Clock:
    """Drives a drill: each command at its instant, and time on to the next interesting one."""

    def __init__(self, front, *workers, at=MONDAY):
        self.front, self.workers, self.now = front, list(workers), at

    def to(self, at):
        self.now = at
        return self.front.go(at, self.workers)[0]

    def on(self, span):
        return self.to(self.now + span)

    def do(self, command, after=0, **more):
        """The command, now (or after a while); its answer."""
        self.now += after
        id = self.front.hold(command, self.now, **more)
        _, replies = self.front.go(self.now, self.workers)
        return wl.answer_of(replies[id])

    def case(self, case_id):
        return self.front.show(case_id)[0]
