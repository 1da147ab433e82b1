"""A disk that fills up and is emptied again: who is refused, who is not, and what the reserve is for."""
import pytest

import whistle_pb2 as pb
import wl
from conftest import CTL, fill, run, small_disk, until
from world import GRID_WORKER, accept, dispatch, done, report, reports_until_refused


def dispatched(front):
    case = front.show(front.call(report()).case_id)[0]
    front.call(dispatch(case, GRID_WORKER))
    return case.case_id


def closed(front, case_id):
    front.call(accept(front.show(case_id)[0]))
    front.call(done(front.show(case_id)[0], text="已清理"))
    front.call(done(front.show(case_id)[0]))
    return front.show(case_id)[0].state == pb.STATE_CLOSED


def test_full_it_takes_answers_only_the_reserve_helps_and_with_space_all_is_as_before(make_broker, folder):
    with small_disk(folder, 40) as disk:
        broker = make_broker(data=disk / "store", checkpoint_idle_ms="50ms")
        front = broker.client()
        asked = [dispatched(front) for _ in range(9)]
        until(lambda: front.counters()["checkpoints"] > 0)
        fill(disk)
        taken = reports_until_refused(front.call)
        assert front.counters()["refused.RETRY_LATER"] == 1
        assert all(closed(front, id) for id in asked[:3])
        grown = run(CTL, "emergency-grow", "--store", broker.data)
        assert grown.returncode == 0, grown.stderr
        assert all(closed(front, id) for id in asked[3:6])
        broker.restart()
        assert all(closed(front, id) for id in asked[6:]), "nor is it a reason not to start"
        with pytest.raises(wl.Refusal, match="RETRY_LATER"):
            front.call(report())
        (disk / "ballast").unlink()
        again = front.ask(wl.envelope(report(text="again")), wait_s=20, patient=True)
        assert again.HasField("done") and front.status().cases_all == taken + len(asked) + 1
        until(lambda: (broker.data / "reserve").exists())
        broker.stop()
        verified = run(CTL, "verify", broker.data)
        assert verified.returncode == 0, verified.stderr
