"""Many reports at once: check all requests, reuse or start a run for each, and stack the results."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from canvas_reports_nb import _html, frames
from canvas_reports_nb.catalog.requests import parse_queries
from canvas_reports_nb.exceptions import (
    CanvasReportsError,
    NotFoundError,
    NotPermittedError,
    NotStoredError,
    ParameterError,
    ReportsFailedError,
    TableError,
    warn,
)
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.frames.provenance import ATTRS_KEY, Provenance
from canvas_reports_nb.runs.account import in_time
from canvas_reports_nb.runs.batch import Batch
from canvas_reports_nb.runs.job import ReportJob
from canvas_reports_nb.runs.pending import PendingRun, check_wait
from canvas_reports_nb.runs.progress import ProgressEvent, resolve
from canvas_reports_nb.typing import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from canvas_reports_nb.canvas_api.models import ReportRun
    from canvas_reports_nb.catalog.requests import Request
    from canvas_reports_nb.runs.account import AccountRuns
    from canvas_reports_nb.runs.progress import Progress, ProgressSink
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Engine, OnError, OnInterrupt


_STATUS = {"state": TEXT, "run_id": "Int64", "rows": "Int64", "error": TEXT}


class ReportsResult:
    """The finished runs of many requests: one stacked frame, and the outcome of each request.

    Attributes
    ----------
    results : tuple of ReportResult or None
        One per row of the requests; ``None`` for a row without a result. Equal rows share one result.
    errors : tuple of CanvasReportsError
        The errors of the runs without a result.
    """

    def __init__(self, requests: Sequence[Request], pending: Sequence[PendingRun]) -> None:
        self._requests, self._pending = requests, pending
        self.results: tuple[ReportResult | None, ...] = tuple(each.result for each in pending)
        self.errors: tuple[CanvasReportsError, ...] = tuple(
            each.error for each in dict.fromkeys(pending) if each.error is not None
        )

    def __repr__(self) -> str:
        done = sum(result is not None for result in self.results)
        return f"ReportsResult({done} of {len(self.results)} requests finished)"

    def _repr_html_(self) -> str:
        return _html.card(
            repr(self), _html.table([*map(str, self.status)], self.status.astype(TEXT).to_numpy())
        )

    @property
    def status(self) -> pd.DataFrame:
        """The outcome of each request, in the order of the requests.

        Returns
        -------
        DataFrame
            The columns of the requests, then ``state`` (``done`` or ``failed``), ``run_id`` (Int64), ``rows``
            (Int64, of all tables), ``error``.
        """
        lines = [each.line(0.0) for each in self._pending]
        facts = {
            "state": [line.state for line in lines],
            "run_id": [line.run_id for line in lines],
            "rows": [line.rows for line in lines],
            "error": [each.error.message if each.error else None for each in self._pending],
        }
        asked = pd.DataFrame([dict(request.given) for request in self._requests], dtype="object")
        return pd.concat([asked.convert_dtypes(), pd.DataFrame(facts).astype(_STATUS)], axis="columns")

    def load(
        self, engine: Engine = "pandas", table: str | None = None, columns: Sequence[str] | None = None
    ) -> Any:
        """Stack one table of every finished run; see `read_reports`."""
        with _explained_removal():
            frame = self._stack(table).load(engine, columns if self._finished else None)
        if engine == "pandas":
            frame.attrs[ATTRS_KEY] = self._provenance(table)
        return frame

    def to_pandas(self, table: str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Stack one table of every finished run as a pandas frame."""
        frame: pd.DataFrame = self.load("pandas", table, columns)
        return frame

    def to_polars(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Stack one table of every finished run as a polars frame."""
        frame: pl.DataFrame = self.load("polars", table, columns)
        return frame

    def scan(self, table: str | None = None, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        """Stack one table of every finished run as a lazy polars frame over the stored Parquet files."""
        with _explained_removal():
            lazy = self._stack(table).scan(columns if self._finished else None)
        for _, result in self._finished:
            result.parquet(table)  # raises if another process removed it meanwhile
        return lazy

    def restore(self) -> None:
        """Download again what another process removed from the store."""
        for each in dict.fromkeys(self._pending):
            if each.result is not None and not each.result.is_complete:
                run = each.runs.api.show(each.report, each.result.provenance["run_id"])
                each.result = ReportJob(PendingRun(each.runs, each.report), run).result(progress=False)
        self.results = tuple(each.result for each in self._pending)
        self.__dict__.pop("_finished", None)

    @cached_property
    def _finished(self) -> list[tuple[Request, ReportResult]]:
        """Each finished run once, with the first request for it."""
        first = {
            each: request for request, each in reversed(list(zip(self._requests, self._pending, strict=True)))
        }
        return [(first[each], each.result) for each in dict.fromkeys(self._pending) if each.result]

    def _stack(self, table: str | None) -> frames.Stack:
        front = {
            name: [request.given.get(name) for request in self._requests] for name in self._requests[0].given
        }
        parts = [frames.Part(result.parquet(table), request.given) for request, result in self._finished]
        stack = frames.Stack(parts, front)
        if stack.differing:
            warn(f"{', '.join(stack.differing)}: text in some of the runs, and so in the stacked frame.")
        return stack

    def _provenance(self, table: str | None) -> dict[str, Any]:
        """Return the provenance of the stack, with that of each run under ``runs``.

        It leaves out run id and parameters: with those of one run, `refresh` would repeat only that run.
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


@contextmanager
def _explained_removal() -> Iterator[None]:
    """Replace the error for a file that another process removed a moment ago."""
    try:
        yield
    except FileNotFoundError:
        raise NotStoredError(
            "A run was removed from the store while it was read.", hint="Call again to download it again."
        ) from None


def read_many(
    requests: Any,
    runs_of: Callable[[str | None], AccountRuns],
    *,
    table: str | None,
    one_table: bool,
    on_error: OnError,
    max_age: float,
    progress: Progress,
    timeout: float | None,
    on_interrupt: OnInterrupt,
) -> ReportsResult:
    """Check all requests, reuse existing runs and start the missing ones; see `Connection.read_reports`.

    Parameters
    ----------
    runs_of : callable
        Returns the runs of an account; ``None`` means the connection's own.
    one_table : bool
        Whether each request must give exactly one table (``table`` if named). Checked before any run starts.
    """
    if on_error not in ("raise", "return"):
        raise ParameterError(f"Unknown on_error={on_error!r}.", hint='Use "raise" or "return".')
    check_wait(timeout, on_interrupt)
    asked = parse_queries(requests)
    own = runs_of(None)
    with own.waiter.limit(timeout):
        with in_time(own.waiter, timeout):
            rows = _pending_runs(asked, runs_of, max_age, [table] if one_table else [])
        pending = list(dict.fromkeys(rows))
        sink = resolve(progress)
        try:
            with own.store.pin_used():
                with in_time(own.waiter, timeout):
                    _decide(pending, max_age, sink, len(rows))
                Batch(pending, sink, timeout, as_table=True).run(on_interrupt)
        finally:
            sink.close()
    if one_table:
        _drop_without_table(pending, table)
    for each in pending:
        if each.error is not None and each.run is not None:
            each.error.job = ReportJob(each, each.run)
    found = ReportsResult(asked, rows)
    if found.errors and on_error == "raise":
        reasons = dict.fromkeys(error.message for error in found.errors)
        raise ReportsFailedError(
            f"{len(found.errors)} of {len(pending)} runs failed: {' '.join(reasons)}",
            found.errors,
            reports=found,
            hint="error.reports.to_pandas() stacks the finished runs, error.reports.status lists all. "
            'on_error="return" returns both.',
        )
    return found


def _pending_runs(
    asked: Sequence[Request],
    runs_of: Callable[[str | None], AccountRuns],
    max_age: float,
    tables: Sequence[str | None],
) -> list[PendingRun]:
    """Return a pending run per row, the same one for equal requests; the error of the first wrong row names all."""

    @cache
    def runs_for(account: str | None) -> AccountRuns:
        runs = runs_of(account)
        runs.throttle()
        return runs

    pending: dict[tuple[str, str, str], PendingRun] = {}
    rows: list[PendingRun] = []
    errors: list[tuple[int, CanvasReportsError]] = []
    for request in asked:
        try:
            runs = runs_for(request.account)
            query = runs.query(request.report, request.parameters, cache="yes" if max_age else "refresh")
            for table in tables:
                if query.tables:
                    choose_table(query.tables, table, request.report)
        except (ParameterError, NotFoundError, NotPermittedError, TableError) as error:
            errors.append((request.row, error))
            continue
        key = (query.account, query.report, query.key)
        rows.append(pending.setdefault(key, PendingRun(runs, request.report, query)))
    if errors:
        row, first = errors[0]
        first.message = f"Row {row} of the requests (counted from 0): {first.message}"
        if len(errors) > 1:
            first.message += f" Also wrong: row {', '.join(str(row) for row, _ in errors[1:])}."
        raise first
    return rows


def _decide(pending: Sequence[PendingRun], max_age: float, sink: ProgressSink, rows: int) -> None:
    """Find the run that answers each request, if there is one; each of Canvas's lists is read once."""
    listed: dict[tuple[str, str], list[ReportRun]] = {}

    def history(each: PendingRun) -> list[ReportRun]:
        if each.group not in listed:
            each.runs.throttle()
            listed[each.group] = each.runs.history(each.report, max_age)
        return listed[each.group]

    decisions: Counter[str] = Counter()
    for each in pending:
        if each.query is None:
            raise AssertionError("every request was checked")
        decision, known = each.runs.decide(each.query, max_age, partial(history, each))
        decisions[decision.action] += 1
        each.take(decision, known)
    words = [f"{decisions[action]} {text}" for action, text in _ACTIONS.items() if decisions[action]]
    repeats = f" ({rows - len(pending)} rows repeat others)" if rows > len(pending) else ""
    text = f"{len(pending)} runs{repeats}: {', '.join(words)}"
    sink.show(ProgressEvent("note", "read_reports", text=text))


def _drop_without_table(pending: Sequence[PendingRun], table: str | None) -> None:
    """Set an error for each run that lacks the table, so that the other runs can be stacked.

    If no run has it, the call itself is wrong, and stacking raises the error.
    """
    finished = [(each, each.result) for each in pending if each.result is not None]
    lacking: dict[PendingRun, TableError] = {}
    for each, result in finished:
        try:
            choose_table(result.tables, table, each.report, result.provenance["run_id"])
        except TableError as error:
            lacking[each] = error
    if len(lacking) < len(finished):
        for each, reason in lacking.items():
            each.finish(reason)


_ACTIONS = {
    "stored": "from this disk",
    "finished": "finished on Canvas",
    "in flight": "already in flight",
    "start": "to start",
}
