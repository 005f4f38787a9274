"""The five functions that read reports, and the help for their keywords."""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from canvas_reports_nb import frames
from canvas_reports_nb.catalog.parameters import merged
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import ParameterError, UnknownParameterError
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.runs.many import read_many
from canvas_reports_nb.runs.one import read_one
from canvas_reports_nb.settings import DEFAULT_MAX_AGE
from canvas_reports_nb.store.store import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from canvas_reports_nb.runs.account import AccountRuns
    from canvas_reports_nb.runs.many import ReportsResult
    from canvas_reports_nb.runs.progress import Progress
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Age, Engine, OnError, OnInterrupt, Parameters

_F = TypeVar("_F", bound="Callable[..., Any]")
_NEAR = 0.7
# An equal age that the caller gives is another object.
_ONE_DAY = timedelta(seconds=DEFAULT_MAX_AGE)


def _entries(text: str) -> dict[str, str]:
    """Split the Parameters section of a docstring into one entry per keyword."""
    return {entry.split()[0].lstrip("*"): entry for entry in re.split(r"\n(?=\S)", text.strip())}


# The help for each keyword, shared by all readers.
_KEYWORDS = _entries("""
report : str
    The report's name, such as ``grade_export_csv``.
requests : DataFrame or list of dict
    One row per run: a column ``report``, an optional column ``account``, and one column per parameter. A blank
    cell is not sent. `requests_for` builds such a frame.
parameters : mapping, optional
    Parameters of the report, for names that clash with a keyword of this function.
table : str, optional
    Which table to read. Needed if the run has several.
columns : sequence of str, optional
    Only these, in this order; ``[]`` keeps all rows and no column. All by default.
engine : {"pandas", "polars", "arrow", "dask"}
    Which kind of frame to return.
on_error : {"raise", "return"}
    What to do if some runs fail. "raise" raises one error for all of them, with the finished runs on it.
    "return" returns a pair: the frame of the finished runs, and the ``status`` of each request.
max_age : float, str or timedelta
    Reuse a finished run that is at most this old: seconds, "7d", "12h" or a timedelta. The default is one day.
    0 starts a new run. With ``offline=True`` the default is any age.
run_id : int, optional
    Read exactly this run. ``canvas.history(report)`` lists the runs.
offline : bool
    Read from the store only; nothing is sent to Canvas.
progress : {"auto", "widget", "tqdm", "log", False} or ProgressSink
    How to show progress. "auto" chooses a widget, a terminal bar or log lines.
timeout : float, optional
    Total seconds for the call, download included. No limit by default.
on_interrupt : {"detach", "abort"}
    What an interrupt does to a run this call started: let it continue in Canvas, or stop it.
**report_parameters
    All other keywords are parameters of the report.
""")
_TABLES = """
table : str or sequence of str, optional
    Which tables to read. All by default.
columns : sequence of str, or mapping of str to sequence of str, optional
    Only these, in this order, of every table or of each table by name. All by default.
"""
_LAZY = """
engine : {"polars", "dask"}
    Which kind of lazy frame to return.
"""


def _reader(differing: str = "") -> Callable[[_F], _F]:
    """Document every keyword of a reader, and reject misspelled ones before anything is sent."""

    def decorate(method: _F) -> _F:
        _, first, *others = inspect.signature(method).parameters.values()
        keywords = [each.name for each in others if each.kind is each.KEYWORD_ONLY]
        is_single = first.name == "report"

        @functools.wraps(method)
        def call(self: Readers, *positional: Any, **named: Any) -> Any:
            report = positional[0] if positional else named.get(first.name)
            others = named.keys() - {first.name}
            _check_keywords(method.__name__, keywords, others, report, is_single=is_single)
            return method(self, *positional, **named)

        entries = _KEYWORDS | (_entries(differing) if differing else {})
        section = ["Parameters", "----------", *(entries[each.name] for each in (first, *others))]
        head, returns, rest = inspect.cleandoc(method.__doc__ or "").partition("Returns\n")
        call.__doc__ = head + "\n".join(section) + f"\n\n{returns}{rest}"
        return cast("_F", call)

    return decorate


def _check_keywords(
    reader: str, keywords: list[str], named: Iterable[str], report: Any, *, is_single: bool
) -> None:
    """Reject a name that is not a keyword of the reader, or only looks like one.

    Other names of a single report may be parameters that only Canvas knows; they are checked later.
    """
    known = schema(report) if isinstance(report, str) else None
    parameters = list(known.parameters) if known else []
    for name in set(named) - set(keywords):
        near = difflib.get_close_matches(name, [*keywords, *parameters], 3, _NEAR)
        looks_like_ours = name in _KEYWORDS or not set(keywords).isdisjoint(near)
        if not is_single or (looks_like_ours and not (known and known.parameter(name))):
            raise _no_keyword(reader, name, near, [] if is_single else keywords)


def _no_keyword(reader: str, name: str, near: list[str], keywords: list[str]) -> UnknownParameterError:
    hint = f"Did you mean {'= or '.join(near)}=? " if near else ""
    if keywords:
        hint += f"The keywords are: {', '.join(keywords)}."
    else:
        hint += f'If it is a parameter of the report, use parameters={{"{name}": ...}}.'
    return UnknownParameterError(f"{reader} has no keyword {name}=.", hint=hint)


class Readers:
    """The methods that read reports. The package offers them too, for the newest connection."""

    # The formatter would put every keyword of every overload on its own line.
    # fmt: off
    @property
    def _runs(self) -> AccountRuns:
        raise NotImplementedError

    def _runs_of(self, account: str | None) -> AccountRuns:
        """Return the runs of another account; ``None`` means the connection's own."""
        raise NotImplementedError

    def obtain(
        self, report: str, *, parameters: Parameters | None = None, tables: Iterable[str | None] = (),
        max_age: Age = _ONE_DAY, run_id: int | None = None, offline: bool = False,
        progress: Progress = "auto", timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
        **report_parameters: Any,
    ) -> ReportResult:
        """Return the result behind `read_report`; ``tables`` are checked before a run is started."""
        most = math.inf if offline and max_age is _ONE_DAY else seconds(max_age)
        return read_one(
            self._runs, report, merged(report, parameters, report_parameters), tables=tables,
            max_age=most, run_id=run_id, offline=offline, progress=progress, timeout=timeout,
            on_interrupt=on_interrupt,
        )

    def obtain_reports(
        self, requests: Any, *, table: str | None = None, one_table: bool = False,
        on_error: OnError = "raise", max_age: Age = _ONE_DAY, progress: Progress = "auto",
        timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
    ) -> ReportsResult:
        """Return the results behind `read_reports`; with ``one_table`` each request must give exactly one."""
        return read_many(
            requests, self._runs_of, table=table, one_table=one_table, on_error=on_error,
            max_age=seconds(max_age), progress=progress, timeout=timeout, on_interrupt=on_interrupt,
        )

    @overload
    def read_report(
        self, report: str, *, parameters: Parameters | None = ..., table: str | None = ...,
        columns: Sequence[str] | None = ..., engine: Literal["pandas"] = ...,
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> pd.DataFrame: ...
    @overload
    def read_report(
        self, report: str, *, parameters: Parameters | None = ..., table: str | None = ...,
        columns: Sequence[str] | None = ..., engine: Literal["polars"],
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> pl.DataFrame: ...
    @overload
    def read_report(
        self, report: str, *, parameters: Parameters | None = ..., table: str | None = ...,
        columns: Sequence[str] | None = ..., engine: Literal["arrow"],
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> pa.Table: ...
    @overload
    def read_report(
        self, report: str, *, parameters: Parameters | None = ..., table: str | None = ...,
        columns: Sequence[str] | None = ..., engine: Literal["dask"],
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> Any: ...
    @_reader()
    def read_report(
        self, report: str, *, parameters: Parameters | None = None, table: str | None = None,
        columns: Sequence[str] | None = None, engine: Engine = "pandas",
        max_age: Age = _ONE_DAY, run_id: int | None = None, offline: bool = False,
        progress: Progress = "auto", timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
        **report_parameters: Any,
    ) -> Any:
        """Reuse a run or start one, wait for it with a progress bar, and load a table.

        Returns
        -------
        DataFrame
            Of the chosen engine. A pandas frame carries its provenance in ``attrs["canvas_report"]``.

        Raises
        ------
        TableRequiredError
            The run has several tables and ``table=`` is missing.
        ParameterError, UnknownReportError
            The call is wrong. Nothing was started.
        RunError
            The run failed, was stopped, or took longer than ``timeout``.

        Examples
        --------
        >>> import canvas_reports_nb as crn
        >>> with crn.demo() as canvas:  # doctest: +SKIP
        ...     grades = canvas.read_report("grade_export_csv", enrollment_term_id="current")
        """
        frames.check_engine(engine)
        result = self.obtain(
            report, parameters=parameters, tables=[table],
            max_age=max_age, run_id=run_id, offline=offline, progress=progress, timeout=timeout,
            on_interrupt=on_interrupt, **report_parameters,
        )
        return result.load(engine, table, columns)

    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["pandas"] = ...,
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, pd.DataFrame]: ...
    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["polars"],
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, pl.DataFrame]: ...
    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["arrow"],
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, pa.Table]: ...
    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["dask"],
        max_age: Age = ..., run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, Any]: ...
    @_reader(_TABLES)
    def read_tables(
        self, report: str, *, parameters: Parameters | None = None, table: str | Sequence[str] | None = None,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = None, engine: Engine = "pandas",
        max_age: Age = _ONE_DAY, run_id: int | None = None, offline: bool = False,
        progress: Progress = "auto", timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
        **report_parameters: Any,
    ) -> Any:
        """Do as `read_report`, but load every table of the run, or those named.

        Returns
        -------
        dict of str to DataFrame
            Table name to frame.
        """
        frames.check_engine(engine)
        result = self.obtain(
            report, parameters=parameters, tables=[table] if isinstance(table, str) else table or (),
            max_age=max_age, run_id=run_id, offline=offline, progress=progress, timeout=timeout,
            on_interrupt=on_interrupt, **report_parameters,
        )
        return _load_tables(result, engine, table, columns)

    @_reader()
    def scan_report(
        self, report: str, *, parameters: Parameters | None = None, table: str | None = None,
        columns: Sequence[str] | None = None,
        max_age: Age = _ONE_DAY, run_id: int | None = None, offline: bool = False,
        progress: Progress = "auto", timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
        **report_parameters: Any,
    ) -> pl.LazyFrame:
        """Do as `read_report`, but return a lazy polars frame over the stored Parquet file.

        Only what a query needs is read.

        Returns
        -------
        polars.LazyFrame
        """
        result = self.obtain(
            report, parameters=parameters, tables=[table],
            max_age=max_age, run_id=run_id, offline=offline, progress=progress, timeout=timeout,
            on_interrupt=on_interrupt, **report_parameters,
        )
        return result.scan(table, columns)

    @overload
    def read_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Literal["pandas"] = ..., on_error: Literal["raise"] = ...,
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> pd.DataFrame: ...
    @overload
    def read_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Literal["polars"], on_error: Literal["raise"] = ...,
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> pl.DataFrame: ...
    @overload
    def read_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Literal["arrow"], on_error: Literal["raise"] = ...,
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> pa.Table: ...
    @overload
    def read_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Literal["dask"], on_error: Literal["raise"] = ...,
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> Any: ...
    @overload
    def read_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Engine = ..., on_error: Literal["return"],
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> tuple[Any, pd.DataFrame]: ...
    @_reader()
    def read_reports(
        self, requests: Any, *, table: str | None = None, columns: Sequence[str] | None = None,
        engine: Engine = "pandas",
        on_error: OnError = "raise", max_age: Age = _ONE_DAY, progress: Progress = "auto",
        timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
    ) -> Any:
        """Read many reports at once and stack them: each run is reused or started, and all are watched together.

        All requests are checked before anything is started. Equal requests run once and are stacked once.

        Returns
        -------
        DataFrame
            Of the chosen engine: the columns of ``requests`` first (as ``request_NAME`` if a table has a column
            NAME, too), then all columns of all runs, in the order of the requests. A pandas frame carries the
            provenance of every run in ``attrs["canvas_report"]["runs"]``.

        Raises
        ------
        ParameterError, UnknownReportError, ...
            A request is wrong; its row is named. Nothing was started.
        ReportsFailedError
            Some runs failed. ``error.reports`` holds the finished ones.
        """
        frames.check_engine(engine)
        found = self.obtain_reports(
            requests, table=table, one_table=True, on_error=on_error, max_age=max_age, progress=progress,
            timeout=timeout, on_interrupt=on_interrupt,
        )
        frame = found.load(engine, table, columns)
        return frame if on_error == "raise" else (frame, found.status)

    @overload
    def scan_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Literal["polars"] = ..., on_error: Literal["raise"] = ...,
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> pl.LazyFrame: ...
    @overload
    def scan_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Literal["dask"], on_error: Literal["raise"] = ...,
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> Any: ...
    @overload
    def scan_reports(
        self, requests: Any, *, table: str | None = ..., columns: Sequence[str] | None = ...,
        engine: Literal["polars", "dask"] = ..., on_error: Literal["return"],
        max_age: Age = ..., progress: Progress = ..., timeout: float | None = ...,
        on_interrupt: OnInterrupt = ...,
    ) -> tuple[Any, pd.DataFrame]: ...
    @_reader(_LAZY)
    def scan_reports(
        self, requests: Any, *, table: str | None = None, columns: Sequence[str] | None = None,
        engine: Literal["polars", "dask"] = "polars",
        on_error: OnError = "raise", max_age: Age = _ONE_DAY, progress: Progress = "auto",
        timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
    ) -> Any:
        """Do as `read_reports`, but return a lazy frame over the stored Parquet files.

        The frame is of polars, or of Dask with one partition per run. Dask's workers need access to the
        folder of the store.

        Returns
        -------
        LazyFrame
            Of the chosen engine.
        """
        if engine not in ("polars", "dask"):
            raise ParameterError(
                f"scan_reports can't return a lazy frame of engine={engine!r}.", hint='Use "polars" or "dask".'
            )
        found = self.obtain_reports(
            requests, table=table, one_table=True, on_error=on_error, max_age=max_age, progress=progress,
            timeout=timeout, on_interrupt=on_interrupt,
        )
        frame = found.scan(table, columns) if engine == "polars" else found.load(engine, table, columns)
        return frame if on_error == "raise" else (frame, found.status)


def _load_tables(
    result: ReportResult,
    engine: Engine,
    table: str | Sequence[str] | None,
    columns: Sequence[str] | Mapping[str, Sequence[str]] | None,
) -> dict[str, Any]:
    """Return all or the named tables of a run as frames."""
    wanted = [table] if isinstance(table, str) else list(result.tables if table is None else table)
    selected = columns if isinstance(columns, Mapping) else dict.fromkeys(wanted, columns)
    for name in (*wanted, *selected):
        choose_table(result.tables, name, result.provenance["report"], result.provenance["run_id"])
    return {name: result.load(engine, name, selected.get(name)) for name in wanted}
