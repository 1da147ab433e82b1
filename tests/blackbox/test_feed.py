"""What a console is told: everything of its divisions, in order, once, and nothing else."""
import random

import whistle_pb2 as pb
import wl
from world import (COMMUNITY, DISTRICT, GRID, GRID_WORKER, OTHER_GRID, OTHER_STREET, STREET, at_cursor, close, dispatch,
                   report, story_kinds)


def updates(told):
    return [(t.seq, t.bytes) for t in told if t.kind == pb.FEED_UPDATE]


def everything(broker, *prefixes, from_seq=0):
    """What a console that comes now is told of all that was."""
    with wl.Console(broker.feed) as console:
        return updates(console.subscribe(*prefixes, from_seq=from_seq).until_live())


def a_day(front, chance, cases):
    """One thing that happens in the district; its last seq."""
    what = chance.random()
    if what < 0.5 or not cases:
        done = front.call(report(division=chance.choice([GRID, OTHER_GRID]), text="x" * chance.randint(0, 300)))
        cases.append(done.case_id)
    elif what < 0.8:
        done = front.call(pb.Note(case_id=chance.choice(cases), text="noted"))
    else:
        case = front.show(cases.pop(chance.randrange(len(cases))))[0]
        at = case.place.division
        done = front.call(dispatch(case, f"{'grid-worker' if at > 1e12 else 'community-desk'}@{at}"))
    return done.seq


def test_live_and_replayed_are_the_same_bytes(broker):
    front, chance, cases = broker.client(), random.Random(1), []
    live = broker.console().subscribe(DISTRICT)
    assert [t.kind for t in live.until_live()] == [pb.FEED_LIVE]
    for _ in range(100):
        last = a_day(front, chance, cases)
    told = updates(live.until_seq(last))
    assert told == everything(broker, DISTRICT) and len(told) == 100
    stories = b"".join(u.SerializeToString() for c in front.cases(DISTRICT) for u in front.show(c.case_id)[1])
    assert sorted(stories) == sorted(b"".join(data for _, data in told)), "and the stories are made of them"


def test_a_console_that_is_cut_goes_on_without_a_gap_or_a_repeat_across_kills(broker):
    front, chance, cases = broker.client(), random.Random(2), []
    seen, last, console = [], 0, broker.console().subscribe(DISTRICT)
    for round in range(12):
        for _ in range(20):
            last = a_day(front, chance, cases)
        seen += updates(console.until_seq(chance.randint(console.seq, last)))
        position = console.seq
        if round % 3 == 0:
            broker.restart()
        if round % 2:
            console.close()
            console = broker.console()
        else:
            console.close()
            console = broker.console(wait_s=20)
        console.subscribe(DISTRICT, from_seq=position)
    seen += updates(console.until_seq(last))
    assert seen == everything(broker, DISTRICT)
    assert len({seq for seq, _ in seen}) == len(seen) == 240


def test_a_console_is_told_nothing_from_outside_its_divisions(broker):
    front, chance, cases = broker.client(), random.Random(3), []
    here, there, deep = broker.console(), broker.console(), broker.console()
    for console, prefix in (here, STREET), (there, OTHER_STREET), (deep, GRID):
        console.subscribe(prefix).until_live()
    for _ in range(60):
        a_day(front, chance, cases)
    last = [front.call(report(division=d)).seq for d in (GRID, OTHER_GRID)]
    mine = {d: {c.case_id for c in front.cases(d)} for d in (STREET, OTHER_STREET)}
    for console, own in (here, mine[STREET]), (there, mine[OTHER_STREET]), (deep, mine[STREET]):
        told = [console.next()]
        while told[-1].seq < last[own == mine[OTHER_STREET]]:
            told.append(console.next())
        assert {t.update.case_id for t in told} == own and console.silent(0.05)


def seen_by(prefix, updates):
    """What a console of that prefix must be told of everything: UPDATE while a case's place or a party of it lies there,
    LEFT the first time that neither does. Told again from the events alone."""
    def covers(division):
        return str(division).startswith(str(prefix))

    here, parties, told = set(), {}, []
    for u in updates:
        asked = parties.setdefault(u.case_id, set())
        for e in u.events:
            asks = getattr(e, e.WhichOneof("event"))
            asked |= {int(a.party.partition("@")[2]) for a in getattr(asks, "asks", ())}
        if covers(u.division) or any(map(covers, asked)):
            here.add(u.case_id)
            told.append((pb.FEED_UPDATE, wl.last_seq(u)))
        elif u.case_id in here:
            here.remove(u.case_id)
            told.append((pb.FEED_LEFT, wl.last_seq(u)))
    return told


def a_move(front, chance, cases):
    """A case is said to lie elsewhere, exactly or roughly; its last seq."""
    place = pb.Place(division=chance.choice([GRID, OTHER_GRID, COMMUNITY, OTHER_GRID // 1000]))
    try:
        return front.call(pb.Correct(case_id=chance.choice(cases), place=place)).seq
    except wl.Refusal as why:
        assert why.name == "NO_CHANGE"
        return front.hello().durable_seq


def test_with_cases_that_move_live_is_what_is_replayed_and_what_should_be_seen(broker):
    front, chance, cases = broker.client(), random.Random(7), []
    prefixes = DISTRICT, STREET, OTHER_STREET, COMMUNITY, GRID, OTHER_GRID
    live = {p: broker.console().subscribe(p) for p in prefixes}
    for console in live.values():
        console.until_live()
    for _ in range(40):
        a_day(front, chance, cases)
    for _ in range(160):
        (a_move if cases and chance.random() < 0.5 else a_day)(front, chance, cases)
    with wl.Console(broker.feed) as console:
        whole = [t.update for t in console.subscribe(DISTRICT).until_live() if t.update]
    wanted = {p: seen_by(p, whole) for p in prefixes}
    heard = {p: [(t.kind, t.seq, t.bytes) for t in (live[p].next() for _ in wanted[p])] for p in prefixes}
    broker.restart()
    for prefix in prefixes:
        with wl.Console(broker.feed, wait_s=20) as again:
            replayed = [(t.kind, t.seq, t.bytes) for t in again.subscribe(prefix).until_live() if t.update]
        assert [t[:2] for t in replayed] == wanted[prefix] and heard[prefix] == replayed
    moves = sum(kind == pb.FEED_LEFT for told in wanted.values() for kind, _ in told)
    assert moves > 20


def test_a_division_whose_party_is_asked_is_told_from_then_on(broker):
    front = broker.client()
    there = broker.console().subscribe(OTHER_STREET)
    there.until_live()
    case = front.show(front.call(report()).case_id)[0]
    front.call(dispatch(case, GRID_WORKER, f"street-desk@{OTHER_STREET}"))
    front.call(pb.Note(case_id=case.case_id, text="x"))
    told = [there.next(), there.next()]
    assert [wl.kinds(t.update) for t in told] == [["accepted", "dispatched"], ["noted"]]
    assert updates(told) == everything(broker, OTHER_STREET)


def test_a_snapshot_shows_what_the_list_shows_and_goes_on_live(broker):
    front, chance, cases = broker.client(), random.Random(4), []
    for _ in range(80):
        a_day(front, chance, cases)
    for _ in range(5):
        front.call(pb.Reject(cause=pb.CAUSE_DUPLICATE, **at_cursor(front.show(cases.pop(0))[0])))
    console = broker.console().subscribe(STREET, DISTRICT, GRID, snapshot=True)
    *rows, live = console.until_live()
    assert all(r.kind == pb.FEED_SNAPSHOT and r.seq == r.row.last_seq for r in rows)
    shown = {r.row.case_id: r.row for r in rows}
    assert len(shown) == len(rows), "under three prefixes, but each once"
    for row in rows:
        assert row.row == front.show(row.row.case_id)[0]
        row.row.ClearField("text")
    listed = {c.case_id: c for c in front.cases(DISTRICT, open_only=True)}
    assert shown == listed
    last = front.call(report()).seq
    assert console.next().seq == last > live.seq


def test_a_snapshot_while_things_happen_misses_nothing(broker):
    front, chance, cases = broker.client(), random.Random(5), []
    for _ in range(40):
        a_day(front, chance, cases)
    console = broker.console().subscribe(DISTRICT, snapshot=True, credit=7)
    rows = {t.row.case_id: t for t in (console.next() for _ in range(7))}
    for _ in range(40):
        last = a_day(front, chance, cases)
    console.credit(10000)
    told = []
    while console.seq < last:
        t = console.next()
        if t.kind == pb.FEED_SNAPSHOT:
            assert t.row.case_id not in rows
            rows[t.row.case_id] = t
        elif t.kind == pb.FEED_UPDATE:
            told.append(t)
    newest = {id: t.seq for id, t in rows.items()}
    for t in told:
        newest[t.update.case_id] = max(t.seq, newest.get(t.update.case_id, 0))
    for c in front.cases(DISTRICT, open_only=True):
        assert newest[c.case_id] == c.last_seq


def test_who_catches_up_together_is_told_what_each_is_owed(broker):
    front, chance, cases = broker.client(), random.Random(7), []
    seqs = [a_day(front, chance, cases) for _ in range(300)]
    wishes = [(prefix, chance.choice([0, *seqs]), chance.choice([65536, 7]))
              for prefix in (DISTRICT, STREET, OTHER_STREET, COMMUNITY) for _ in range(6)]
    consoles = [broker.console().subscribe(prefix, from_seq=after, credit=credit) for prefix, after, credit in wishes]
    seqs += [a_day(front, chance, cases) for _ in range(50)]
    for (prefix, after, credit), console in zip(wishes, consoles):
        want = everything(broker, prefix, from_seq=after)
        told = []
        while len(told) < len(want):
            told += updates([console.next()])
            if credit == 7:
                console.credit(1)
        assert told == want


def test_without_credit_nothing_is_sent_and_with_it_it_goes_on(broker):
    front = broker.client()
    done = [front.call(report()).seq for _ in range(20)]
    console = broker.console().subscribe(DISTRICT, credit=0)
    assert console.silent(0.2)
    console.credit(3)
    assert [console.next().seq for _ in range(3)] == done[:3] and console.silent(0.1)
    console.credit(17)
    assert [console.next().seq for _ in range(17)] == done[3:]
    more = [front.call(report()).seq for _ in range(5)]
    console.credit(2)
    assert [console.next().seq for _ in range(2)] == more[:2] and console.silent(0.1)
    console.credit(4)
    assert [t.seq for t in console.until_live()] == more[2:] + more[-1:]
    more = [front.call(report()).seq for _ in range(3)]
    assert console.next().seq == more[0] and console.silent(0.1), "live, it falls behind"
    console.credit(100)
    assert [console.next().seq for _ in range(2)] == more[1:] and front.counters()["feed.behind"] == 1


def test_a_console_that_does_not_read_harms_nobody(make_broker):
    broker = make_broker(segment_bytes="16MiB")
    front, deaf, good = broker.client(), broker.console().subscribe(DISTRICT), broker.console().subscribe(DISTRICT)
    text = "x" * 1900
    for _ in range(6):
        sent = [wl.envelope(report(text=text)) for _ in range(500)]
        for e in sent:
            front.send(e)
        for _ in sent:
            last = front.reply().done.seq
    assert good.until_seq(last)[-1].seq == last
    assert len(updates(deaf.until_seq(last))) == 3000, "and when it reads, all of it is there"


def test_a_subscription_may_be_changed_and_begins_anew(broker):
    front = broker.client()
    here, there = front.call(report()).seq, front.call(report(division=OTHER_GRID)).seq
    console = broker.console().subscribe(STREET)
    assert [t.seq for t in console.until_live() if t.kind == pb.FEED_UPDATE] == [here]
    console.subscribe(OTHER_STREET)
    assert [t.seq for t in console.until_live() if t.kind == pb.FEED_UPDATE] == [there]
    console.subscribe(DISTRICT, from_seq=here)
    assert [t.seq for t in console.until_live() if t.kind == pb.FEED_UPDATE] == [there]


def test_many_consoles_are_all_told_the_same(broker):
    front, chance, cases = broker.client(), random.Random(6), []
    consoles = [broker.console().subscribe(DISTRICT) for _ in range(200)]
    for _ in range(50):
        last = a_day(front, chance, cases)
    want = everything(broker, DISTRICT)
    for console in consoles:
        assert updates(console.until_seq(last)) == want
    assert front.status().consoles >= 200


def test_a_closed_case_was_told_whole(broker):
    front, desk, console = broker.client(), broker.worker(pb.LEVEL_COMMUNITY), broker.console().subscribe(COMMUNITY)
    case_id = front.call(report()).case_id
    desk.done(desk.offer())
    case, story = close(front, front.show(case_id)[0])
    told = [t.update for t in console.until_seq(case.last_seq) if t.update]
    assert told == story and story_kinds(told)[-1] == "closed"


def test_a_console_says_goodbye_and_the_broker_too(broker):
    front, console, other = broker.client(), broker.console(), broker.console()
    console.say(goodbye=pb.Goodbye())
    assert front.status().consoles == 1
    broker.stop()
    head, _ = other._next(5)
    assert head.kind == pb.FEED_GOODBYE and head.session_seq == 0
