"""Whatever the order of actions: one live run for equal parameters, and never a wrong frame."""

import functools
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas
from canvas_reports_nb import exceptions as ex
from canvas_reports_nb.catalog.query import key_of

from .conftest import START

REPORT = "zero_activity_csv"
CHOICES: list[dict[str, Any]] = [{}, {"enrollment_term_id": "current"}, {"enrollment_term_id": "default"}]
PARAMETERS = st.sampled_from(CHOICES)
DURATION = 60.0


def connected(server: Any, store: Path) -> crn.Connection:
    return crn.connect(
        server.url,
        server.token,
        store=store,
        clock=lambda: server.clock.now().timestamp(),
        sleep=lambda seconds: server.clock.advance(seconds) and None,
    )


def served() -> Any:
    clock = demo_canvas.SteppedClock(START)
    return demo_canvas.serve(enrollments=300, clock=clock, duration=DURATION)


@functools.cache
def truth() -> dict[Any, pd.DataFrame]:
    """Return the frame of each choice on a server of its own, by the key of the query."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, served() as server:
        canvas = connected(server, Path(folder))
        for chosen in CHOICES:
            result = canvas.start(REPORT, parameters=chosen).result(progress=False)
            found[canvas._runs.query(REPORT, chosen).key] = result.to_pandas()
        canvas.close()
    return found


class Account(RuleBasedStateMachine):
    """An account with one analyst, whose kernel may die, and colleagues who use the web page."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.server = served()
        self.mine = connected(self.server, Path(self.folder.name) / "mine")
        self.others = connected(self.server, Path(self.folder.name) / "others")
        self.truth = truth()

    def live(self) -> list[Any]:
        return [run for run in self.others._api.index(REPORT) if not run.is_ended]

    def key(self, run: Any) -> Any:
        return key_of(REPORT, run.parameters)

    @rule(chosen=PARAMETERS, budget=st.sampled_from([5.0, 40.0, None]), max_age=st.sampled_from([86400, 60]))
    def read(self, chosen: dict[str, Any], budget: float | None, max_age: float) -> None:
        try:
            frame = self.mine.read_report(
                REPORT, parameters=chosen, timeout=budget, max_age=max_age, progress=False
            )
        except ex.WaitTimeoutError as error:
            waited_for = error.job.run
        else:
            pd.testing.assert_frame_equal(frame, self.truth[self.mine._runs.query(REPORT, chosen).key])
            return
        assert budget is not None
        assert self.key(waited_for) == self.mine._runs.query(REPORT, chosen).key

    @rule(chosen=PARAMETERS)
    def start_without_waiting(self, chosen: dict[str, Any]) -> None:
        if self.mine._runs.query(REPORT, chosen).key in map(self.key, self.live()):
            return  # two calls of start() are two runs: Canvas rejects a duplicate only for a few seconds
        job = self.mine.start(REPORT, parameters=chosen)
        assert self.key(job.run) == self.mine._runs.query(REPORT, chosen).key
        assert job.run.id in self.mine._ledger.equal(self.mine._runs.query(REPORT, chosen))

    @precondition(lambda self: self.live())
    @rule(data=st.data(), budget=st.sampled_from([0.0, 30.0, None]))
    def attach_to_a_live_run(self, data: Any, budget: float | None) -> None:
        run = data.draw(st.sampled_from(self.live()))
        job = self.mine.attach(REPORT, run.id).refresh()
        try:
            frame = job.result(timeout=budget, progress=False).to_pandas()
        except ex.WaitTimeoutError:
            return
        pd.testing.assert_frame_equal(frame, self.truth[self.key(run)])

    @rule()
    def my_kernel_dies(self) -> None:
        store = self.mine.store.path
        self.mine.close()
        self.mine = connected(self.server, store)

    @rule(seconds=st.sampled_from([1.0, 30.0, 100.0, 4000.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.server.clock.advance(seconds)

    @rule(chosen=PARAMETERS)
    def a_colleague_starts_what_is_not_running(self, chosen: dict[str, Any]) -> None:
        if self.mine._runs.query(REPORT, chosen).key not in map(self.key, self.live()):
            self.others.start(REPORT, parameters=chosen)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def somebody_aborts(self, data: Any) -> None:
        run = data.draw(st.sampled_from(self.live()))
        assert self.others.attach(REPORT, run.id).abort().run.is_ended

    @precondition(lambda self: self.live())
    @rule(data=st.data(), twice=st.booleans())
    def i_give_one_up(self, data: Any, *, twice: bool) -> None:
        job = self.mine.attach(REPORT, data.draw(st.sampled_from(self.live())).id)
        if twice:
            self.others.attach(REPORT, job.run.id).delete()
        assert job.delete().status == "deleted"

    @rule(data=st.data())
    def somebody_deletes(self, data: Any) -> None:
        runs = list(self.others._api.index(REPORT))
        if runs:
            self.others.attach(REPORT, data.draw(st.sampled_from(runs)).id).delete()

    @rule(chosen=PARAMETERS)
    def offline_is_the_truth_or_an_error(self, chosen: dict[str, Any]) -> None:
        try:
            frame = self.mine.read_report(REPORT, parameters=chosen, offline=True)
        except ex.NotStoredError:
            return
        pd.testing.assert_frame_equal(frame, self.truth[self.mine._runs.query(REPORT, chosen).key])

    @invariant()
    def one_live_run_for_equal_parameters(self) -> None:
        keys = [self.key(run) for run in self.live()]
        assert len(keys) == len(set(keys))

    @invariant()
    def ledger_and_server_agree(self) -> None:
        known = {run.id for run in self.others._api.index(REPORT)}
        for chosen in CHOICES:
            for run_id in self.mine._ledger.equal(self.mine._runs.query(REPORT, chosen)):
                if run_id in known:
                    assert (
                        self.key(self.others._api.show(REPORT, run_id))
                        == self.mine._runs.query(REPORT, chosen).key
                    )

    def teardown(self) -> None:
        self.mine.close()
        self.others.close()
        self.server.close()
        self.folder.cleanup()


Account.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAccount = Account.TestCase
