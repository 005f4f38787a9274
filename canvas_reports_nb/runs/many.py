"""Many requests in, one stacked result out: check all, decide for each, run what must be run."""

from __future__ import annotations

import warnings
from collections import Counter
from functools import cache, cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pandas as pd

from canvas_reports_nb import _html, frames
from canvas_reports_nb.catalog.parameters import comparable
from canvas_reports_nb.catalog.requests import parse_queries
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    NotFoundError,
    NotPermittedError,
    ParameterError,
    ReportsFailedError,
    ReportWarning,
    TableError,
)
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.frames.provenance import ATTRS_KEY, Provenance
from canvas_reports_nb.runs.account import foresee_table, in_time
from canvas_reports_nb.runs.batch import Batch, Task
from canvas_reports_nb.runs.decide import is_recent
from canvas_reports_nb.runs.job import check_wait
from canvas_reports_nb.runs.progress import ProgressEvent, resolve
from canvas_reports_nb.runs.start import checked
from canvas_reports_nb.settings import DEFAULT_MAX_AGE
from canvas_reports_nb.store.store import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.requests import Request
    from canvas_reports_nb.runs.account import Runs
    from canvas_reports_nb.runs.progress import Progress, ProgressSink
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Age, Engine, OnError, OnInterrupt


_STATUS = {"state": "str", "run_id": "Int64", "rows": "Int64", "error": "str"}


class ReportsResult:
    """The finished runs of many requests: one stacked frame, and what became of each.

    Attributes
    ----------
    results : tuple of ReportResult or None
        One for each row of the requests; ``None`` where there is none. Equal rows share one.
    errors : tuple of CanvasReportsError
        Of the runs that gave no result.
    """

    def __init__(self, requests: Sequence[Request], tasks: Sequence[Task]) -> None:
        self._requests, self._tasks = requests, tasks
        self.results: tuple[ReportResult | None, ...] = tuple(task.result for task in tasks)
        self.errors: tuple[CanvasReportsError, ...] = tuple(
            task.error for task in dict.fromkeys(tasks) if task.error is not None
        )

    def __repr__(self) -> str:
        done = sum(result is not None for result in self.results)
        return f"ReportsResult({done} of {len(self.results)} requests finished)"

    def _repr_html_(self) -> str:
        return _html.card(
            repr(self), _html.table([*map(str, self.status)], self.status.astype("str").to_numpy())
        )

    @property
    def status(self) -> pd.DataFrame:
        """What became of each request, in their order.

        Returns
        -------
        DataFrame
            The columns of the requests, then ``state`` (``done`` or ``failed``), ``run_id`` (Int64), ``rows``
            (Int64, of all tables), ``error``.
        """
        lines = [task.line(0.0) for task in self._tasks]
        facts = {
            "state": [line.state for line in lines],
            "run_id": [line.run_id for line in lines],
            "rows": [line.rows for line in lines],
            "error": [task.error.message if task.error else None for task in self._tasks],
        }
        asked = pd.DataFrame([dict(request.given) for request in self._requests], dtype="object")
        return pd.concat([asked.convert_dtypes(), pd.DataFrame(facts).astype(_STATUS)], axis="columns")

    def load(
        self, engine: Engine = "pandas", table: str | None = None, columns: Sequence[str] | None = None
    ) -> Any:
        """One table of every finished run, stacked; see `read_reports`."""
        frame = self._stack(table).load(engine, columns if self._finished else None)
        if engine == "pandas":
            frame.attrs[ATTRS_KEY] = self._provenance(table)
        return frame

    def to_pandas(self, table: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Stacked as pandas."""
        frame: pd.DataFrame = self.load("pandas", table, columns)
        return frame

    def to_polars(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Stacked as polars."""
        frame: pl.DataFrame = self.load("polars", table, columns)
        return frame

    def scan(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """Stacked as one lazy polars frame over the stored Parquet."""
        return self._stack(table).scan(columns if self._finished else None)

    @cached_property
    def _finished(self) -> list[tuple[Request, ReportResult]]:
        """Each finished run once, with the first request that asked for it."""
        first = {
            task: request for request, task in reversed(list(zip(self._requests, self._tasks, strict=True)))
        }
        return [(first[task], task.result) for task in dict.fromkeys(self._tasks) if task.result]

    def _stack(self, table: str | None) -> frames.Stack:
        front = {
            name: [request.given.get(name) for request in self._requests] for name in self._requests[0].given
        }
        parts = [frames.Part(result.parquet(table), request.given) for request, result in self._finished]
        stack = frames.Stack(parts, front)
        if stack.differing:
            warnings.warn(
                f"{', '.join(stack.differing)}: text in some of the runs, and so in the stacked frame.",
                ReportWarning,
                stacklevel=4,
            )
        return stack

    def _provenance(self, table: str | None) -> dict[str, Any]:
        """What the stack is, and under ``runs`` where each part of it came from.

        Nothing else: what would run the one report again must not be taken for what runs all of them.
        """
        each = [result.load("pandas", table, []).attrs[ATTRS_KEY] for _, result in self._finished]
        same = {
            name: each[0][name]
            for name in ("report", "table")
            if each and all(made[name] == each[0][name] for made in each)
        }
        notes = {column: note for made in each for column, note in made["notes"].items()}
        stack = Provenance(**same, rows=sum(made["rows"] for made in each), notes=notes)
        return {**stack.to_dict(), "runs": each}


def gather(
    requests: Any,
    runs_of: Callable[[str | None], Runs],
    *,
    table: str | None = None,
    one_table: bool = True,
    on_error: OnError = "raise",
    max_age: Age = DEFAULT_MAX_AGE,
    progress: Progress = "auto",
    timeout: float | None = None,
    on_interrupt: OnInterrupt = "detach",
) -> ReportsResult:
    """Check all requests, use again what can be, run the rest; see `Connection.read_reports`.

    Parameters
    ----------
    runs_of : callable
        From an account, ``None`` for the connection's own, to its runs.
    table, one_table
        Whether one table of each is wanted, and which: refused here rather than after an hour's run.

    Raises
    ------
    ParameterError, UnknownReportError, ...
        A row is wrong; nothing was started.
    ReportsFailedError
        Some runs failed, and ``on_error="raise"``.
    """
    if on_error not in ("raise", "return"):
        raise ParameterError(f"on_error={on_error!r} is no choice.", hint='It is "raise" or "return".')
    check_wait(timeout, on_interrupt)
    asked = parse_queries(requests)
    if one_table:
        _each(asked, lambda request: foresee_table(request.report, request.parameters, table))
    waiter = runs_of(None).waiter
    with waiter.limit(timeout):
        with in_time(waiter, timeout):
            rows = _checked(asked, runs_of)
        tasks = list(dict.fromkeys(rows))
        sink = resolve(progress)
        try:
            with runs_of(None).store.pin_used():
                with in_time(waiter, timeout):
                    _decide(tasks, max_age, sink, len(rows))
                Batch(tasks, sink, timeout).settle(on_interrupt)
        finally:
            sink.close()
    if one_table:
        _set_aside(tasks, table)
    found = ReportsResult(asked, rows)
    if found.errors and on_error == "raise":
        reasons = dict.fromkeys(error.message for error in found.errors)
        raise ReportsFailedError(
            f"{len(found.errors)} of {len(tasks)} runs failed: {' '.join(reasons)}",
            found.errors,
            reports=found,
            hint="error.reports.to_pandas() stacks the finished ones, error.reports.status lists all; "
            'on_error="return" gives both.',
        )
    return found


def _checked(asked: Sequence[Request], runs_of: Callable[[str | None], Runs]) -> list[Task]:
    """A task for each row, one for all that are equal."""

    @cache
    def runs_for(account: str | None) -> Runs:
        runs = runs_of(account)
        runs.throttle()
        return runs

    def wire(request: Request) -> dict[str, Any]:
        return checked(runs_for(request.account).api, request.report, request.parameters)

    tasks: dict[Any, Task] = {}
    rows = []
    for request, sent in zip(asked, _each(asked, wire), strict=True):
        runs = runs_for(request.account)
        # Compared as checked: a term's name and its id ask for the same.
        key = (runs.account, request.report, comparable(request.report, sent))
        rows.append(tasks.setdefault(key, Task(runs, request.report, sent, request.label)))
    return rows


def _each(asked: Sequence[Request], check: Callable[[Request], Any]) -> list[Any]:
    """A check of all rows before anything is started; the error of the first wrong one names all."""
    made: list[Any] = []
    errors: list[tuple[int, CanvasReportsError]] = []
    for request in asked:
        try:
            made.append(check(request))
        except (ParameterError, NotFoundError, NotPermittedError, TableError) as error:
            errors.append((request.row, error))
    if errors:
        row, first = errors[0]
        first.message = f"Row {row} of the requests (counted from 0): {first.message}"
        if len(errors) > 1:
            first.message += f" Wrong, too: {', '.join(str(row) for row, _ in errors[1:])}."
        raise first
    return made


def _decide(tasks: Sequence[Task], max_age: Age, sink: ProgressSink, rows: int) -> None:
    """For each task the run that serves it, where there is one; of each list of Canvas's one reading for all."""
    listed: dict[tuple[str, str], list[ReportRun]] = {}

    def history(task: Task) -> Iterator[ReportRun]:
        if task.group not in listed:
            task.runs.throttle()
            now = task.runs.waiter.now()
            runs = task.runs.api.index(task.report)
            listed[task.group] = list(takewhile(lambda run: is_recent(run, now, seconds(max_age)), runs))
        yield from listed[task.group]

    decisions: Counter[str] = Counter()
    for task in tasks:
        decision, stored = task.runs.decide(task.report, task.wire, max_age, history(task))
        decisions[decision.action] += 1
        task.known = decision.known
        if stored is not None:
            task.settle(stored)
        elif decision.run_id is not None:
            seen = (run for run in listed.get(task.group, ()) if run.id == decision.run_id)
            task.join(next(seen, None) or task.runs.api.show(task.report, decision.run_id))
    words = [f"{decisions[action]} {said}" for action, said in _SAID.items() if decisions[action]]
    repeats = f" ({rows - len(tasks)} rows repeat others)" if rows > len(tasks) else ""
    sink.show(ProgressEvent("note", "read_reports", text=f"{len(tasks)} runs{repeats}: {', '.join(words)}"))


def _set_aside(tasks: Sequence[Task], table: str | None) -> None:
    """Settle with its error each run that has not the one table, so that the others' can be stacked.

    Where none has it the call is wrong, not the runs: stacking says so.
    """
    finished = [(task, task.result) for task in tasks if task.result is not None]
    lacking: dict[Task, TableError] = {}
    for task, result in finished:
        try:
            choose_table(result.tables, table, task.report, result.provenance["run_id"])
        except TableError as error:
            lacking[task] = error
    if len(lacking) < len(finished):
        for task, reason in lacking.items():
            task.settle(reason)


_SAID = {
    "stored": "from this disk",
    "finished": "finished on Canvas",
    "in flight": "under way already",
    "start": "to start",
}
