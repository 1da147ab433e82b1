"""The web gate: the figures, the two health pages, and visitors who mean no good."""
import re
import socket
import subprocess
import time

import pytest
import wl
from conftest import QINDU, ROOT, WHISTLED, Broker, Skew, run, scratch
from web import address_of, ask, figures
from world import DAY, DISTRICT, report

FAMILY = re.compile(r"# TYPE (\S+) (gauge|counter|histogram)")
SAMPLE = re.compile(r'(\w+)(?:\{(\w+)="([^"\\]*)"\})? (\d+(?:\.\d+)?)')
LABELS = {"version", "state", "level", "reason", "le"}


@pytest.fixture
def broker(make_broker):
    return make_broker(http="127.0.0.1:0")


@pytest.fixture(scope="module")
def page():
    """One page of a broker that has worked a little."""
    with scratch() as folder:
        b = Broker(folder, http="127.0.0.1:0").start()
        try:
            b.client().call(report())
            yield ask(b)[2]
        finally:
            b.close()


# ---- the page --------------------------------------------------------------------------------------------------------

def test_every_line_is_a_help_a_type_or_a_sample_of_the_family_that_was_begun(page):
    assert page.endswith("\n")
    helped, typed, family, kind = set(), set(), None, None
    for line in page.splitlines():
        if line.startswith("# HELP "):
            name, sentence = line[7:].split(" ", 1)
            assert name not in helped and sentence and re.fullmatch(r"whistled_[a-z][a-z0-9_]*", name)
            helped.add(name)
            continue
        if match := FAMILY.fullmatch(line):
            family, kind = match.groups()
            assert family in helped and family not in typed
            assert family.endswith("_total") == (kind == "counter")
            assert not family.endswith(("_sum", "_count", "_bucket"))
            typed.add(family)
            continue
        name, label, value, _ = SAMPLE.fullmatch(line).groups()
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        assert name in [family + suffix for suffix in suffixes], line
        assert label is None or label in LABELS
        assert label == "le" or not re.search(r"\d{6}|@", value or ""), "no division, no party"
    assert helped == typed


def test_no_sample_is_there_twice(page):
    names = [line.rpartition(" ")[0] for line in page.splitlines() if line[0] != "#"]
    assert len(names) == len(set(names))


def test_buckets_only_grow_and_the_last_one_is_the_count(page):
    for name in re.findall(r"# TYPE (\S+) histogram", page):
        bounds, counts = zip(*re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\d+)$', page, re.M))
        assert bounds[-1] == "+Inf" and list(map(float, bounds)) == sorted(set(map(float, bounds)))
        assert list(map(int, counts)) == sorted(map(int, counts))
        assert re.search(rf"^{name}_count {counts[-1]}$", page, re.M)
        assert re.search(rf"^{name}_sum [\d.]+$", page, re.M)


def test_the_manual_lists_what_the_page_has(page):
    kinds = dict(FAMILY.findall(page))
    rows = [f"| `{name}` | {kinds[name]} | {help} |" for name, help in re.findall(r"# HELP (\S+) (.*)", page)]
    manual = (ROOT / "docs/operating.md").read_text().splitlines()
    assert [line for line in manual if re.match(r"\| `\w+` \| (gauge|counter|histogram) \|", line)] == rows


# ---- figures that move -----------------------------------------------------------------------------------------------

def test_figures_follow_what_happens(broker):
    before = figures(broker)
    front = broker.client()
    front.call(report())
    with pytest.raises(wl.Refusal):
        front.call(report(category="nonsense"))
    after = figures(broker)
    assert after["whistled_cases_open"] == before["whistled_cases_open"] + 1
    assert sum(v for k, v in after.items() if k.startswith("whistled_cases{")) == 1
    assert after["whistled_acknowledged_total"] == before["whistled_acknowledged_total"] + 1
    assert after["whistled_refused_total"] == 1
    assert sum(v for k, v in after.items() if k.startswith("whistled_refusals_total{")) == 1
    assert after["whistled_journal_seq"] > before["whistled_journal_seq"]
    assert after["whistled_sync_seconds_count"] > before["whistled_sync_seconds_count"]
    assert after["whistled_receipts"] == 1
    worker = broker.worker(wl.pb.LEVEL_COMMUNITY, DISTRICT)
    worker.offer()
    broker.console()
    now = figures(broker)
    assert now['whistled_workers{level="community"}'] == 1 and now['whistled_workers{level="street"}'] == 0
    assert now["whistled_offers_open"] == 1 and now["whistled_consoles"] == 1
    assert now["whistled_process_resident_bytes"] > 1 << 20 and now["whistled_process_fds"] > 10


def test_cases_by_state_outlive_a_restart(broker):
    broker.client().call(report())
    states = {k: v for k, v in figures(broker).items() if k.startswith("whistled_cases")}
    broker.restart()
    now = figures(broker)
    assert {k: now[k] for k in states} == states and states["whistled_cases_open"] == 1
    assert now["whistled_epoch"] == 2


def test_a_deadline_that_fires_late_is_seen_to_have_been(make_broker, folder):
    turn = Skew(folder)
    broker = make_broker(http="127.0.0.1:0", environment=turn.environment)
    broker.client().call(report())
    before = figures(broker)
    assert before["whistled_deadline_lateness_seconds_count"] == 0 and before["whistled_deadlines_due"] == 0
    turn(10 * DAY)
    time.sleep(0.5)
    doubting = figures(broker)
    assert doubting["whistled_clock_doubting"] == 1 and doubting["whistled_clock_doubted_total"] == 1
    assert doubting["whistled_deadline_lateness_seconds_count"] == 0
    turn(10 * DAY, synchronised=True)
    time.sleep(0.5)
    after = figures(broker)
    fired = after["whistled_deadline_lateness_seconds_count"]
    assert fired == after["whistled_deadlines_fired_total"] == after["whistled_deadlines_late_total"] > 0
    assert after['whistled_deadline_lateness_seconds_bucket{le="65.536"}'] == 0
    assert after["whistled_deadline_lateness_seconds_sum"] > 86400
    assert after["whistled_deadlines_due"] == 0 and after["whistled_deadlines_overdue_seconds"] == 0
    assert after["whistled_clock_doubting"] == 0


# ---- health ----------------------------------------------------------------------------------------------------------

def test_a_broker_that_serves_is_well_and_ready(broker):
    assert ask(broker, "/healthz")[::2] == (200, "ok\n")
    assert ask(broker, "/readyz")[::2] == (200, "ready\n")
    assert figures(broker)["whistled_ready"] == 1


def test_without_space_for_reports_it_is_well_and_not_ready(make_broker):
    broker = make_broker(http="127.0.0.1:0", store_max_bytes="1MiB")
    status, _, why = ask(broker, "/readyz")
    assert status == 503 and "no space" in why
    assert ask(broker, "/healthz")[0] == 200 and figures(broker)["whistled_ready"] == 0


def test_while_it_drains_it_is_well_and_not_ready(broker):
    front = broker.client()
    front.call(wl.pb.Drain(on=True), by="tests")
    status, _, why = ask(broker, "/readyz")
    assert status == 503 and why.startswith("draining")
    assert ask(broker, "/healthz")[0] == 200
    front.call(wl.pb.Drain(on=False), by="tests")
    assert ask(broker, "/readyz")[0] == 200


# ---- visitors --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def office_with_web():
    with scratch() as folder:
        b = Broker(folder, http="127.0.0.1:0").start()
        try:
            yield b
        finally:
            b.close()


@pytest.mark.parametrize("status, asked", [
    (404, dict(path="/")), (404, dict(path="/metrics/../x")), (405, dict(method="POST", headers="Content-Length: 1\r\n",
                                                                        body=b"x")),
    (405, dict(method="DELETE")), (501, dict(method="TRACE")), (400, dict(headers="X: " + "a" * 10000 + "\r\n")),
    (400, dict(headers="nonsense\r\n")), (413, dict(method="POST", headers="Content-Length: 999999\r\n")),
    (403, dict(path="http://evil.example/metrics")),
], ids=str)
def test_anything_else_is_refused_and_harms_nobody(office_with_web, status, asked):
    assert ask(office_with_web, **asked)[0] == status
    assert ask(office_with_web, "/healthz")[0] == 200


def test_head_is_get_without_the_body(office_with_web):
    status, head, body = ask(office_with_web, "/healthz", method="HEAD")
    assert status == 200 and body == "" and "content-length: 3\r\n" in head


def test_who_never_ends_a_request_is_shown_out_though_a_byte_comes_now_and_then(broker):
    began = time.monotonic()
    with socket.create_connection(address_of(broker), 10) as s:
        s.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        with pytest.raises(OSError):
            while time.monotonic() - began < 15:
                s.sendall(b"a")
                time.sleep(0.5)
    assert 4 < time.monotonic() - began < 10
    assert figures(broker)["whistled_web_dropped_total"] == 1


def test_two_hundred_who_say_nothing_keep_nobody_out(broker):
    idle = []
    try:
        fds = figures(broker)["whistled_process_fds"]
        for _ in range(200):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(address_of(broker))
            idle.append(s)
        front = broker.client()
        slowest = 0.0
        for _ in range(50):
            began = time.monotonic()
            front.call(report())
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 1
        assert ask(broker, "/healthz", wait_s=20)[0] == 200
        assert figures(broker)["whistled_process_fds"] <= fds + 16 + 2
    finally:
        for s in idle:
            s.close()
    time.sleep(1)
    assert figures(broker)["whistled_process_fds"] <= fds + 2, "what was closed is given back"


def test_a_scraper_that_does_not_stop_costs_little(broker):
    front = broker.client()
    address = address_of(broker)
    storm = subprocess.Popen(["/usr/bin/python3", "-c", f"""
import socket
while True:
    try:
        with socket.create_connection({address!r}, 5) as s:
            s.sendall(b"GET /metrics HTTP/1.0\\r\\n\\r\\n")
            while s.recv(65536):
                pass
    except OSError:
        pass
"""])
    try:
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(100):
            front.call(report())
        assert time.monotonic() - began < 10
    finally:
        storm.kill()
        storm.wait()
    assert figures(broker)["whistled_web_requests_total"] > 20


# ---- where it listens ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("address", ["0.0.0.0:9464", "[::]:9464", "192.168.1.1:80", "9464", "127.0.0.1:70000"])
def test_it_is_served_on_loopback_or_not_at_all(folder, address):
    done = run(WHISTLED, "--data", folder / "s", "--config", QINDU, "--http", address)
    assert done.returncode == 2
    assert address in done.stderr and "127.0.0.1:PORT" in done.stderr


def test_an_address_in_use_is_said(make_broker):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        broker = make_broker(start=False, http="127.0.0.1:%d" % taken.getsockname()[1])
        done = run(WHISTLED, *broker.arguments())
    assert done.returncode == 1 and "another program has it" in done.stderr


def test_unasked_nothing_is_served(make_broker):
    assert "web.serving" not in make_broker().said()
