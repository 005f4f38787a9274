"""The five functions that read reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from canvas_reports_nb import frames
from canvas_reports_nb.catalog.parameters import merged
from canvas_reports_nb.catalog.windows import split_window
from canvas_reports_nb.exceptions import NotStoredError, ParameterError
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.runs.common_rows import load_common_rows
from canvas_reports_nb.runs.keywords import LAZY, TABLES, reader
from canvas_reports_nb.runs.many import read_many
from canvas_reports_nb.runs.one import read_one
from canvas_reports_nb.runs.pending import check_wait
from canvas_reports_nb.settings import DEFAULT_MAX_AGE
from canvas_reports_nb.store.store import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from canvas_reports_nb.frames.parquet import Keep
    from canvas_reports_nb.runs.account import AccountRuns
    from canvas_reports_nb.runs.many import ReportsResult
    from canvas_reports_nb.runs.progress import Progress
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Age, Engine, OnError, OnInterrupt, Parameters

_T = TypeVar("_T")
# How often a run that another process removed is downloaded again.
_REMOVALS = 10
# An equal age that the caller gives is another object.
_ONE_DAY = timedelta(seconds=DEFAULT_MAX_AGE)


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
        max_age: Age = _ONE_DAY, as_of: str | date | None = None, within: Age | None = None,
        zone: str | None = None, run_id: int | None = None, offline: bool = False,
        progress: Progress = "auto", timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
        keep: Keep | None = None, **report_parameters: Any,
    ) -> ReportResult:
        """Return the result behind `read_report`; ``tables`` are checked first, ``keep`` are columns to load next."""
        most = math.inf if offline and max_age is _ONE_DAY else seconds(max_age)
        return read_one(
            self._runs, report, merged(report, parameters, report_parameters), tables=tables,
            max_age=most, run_id=run_id, offline=offline, progress=progress, timeout=timeout,
            on_interrupt=on_interrupt, as_of=as_of, within=within, zone=zone, keep=keep,
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
        columns: Sequence[str] | None = ..., engine: Literal["pandas"] = ..., windows: bool = ...,
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> pd.DataFrame: ...
    @overload
    def read_report(
        self, report: str, *, parameters: Parameters | None = ..., table: str | None = ...,
        columns: Sequence[str] | None = ..., engine: Literal["polars"], windows: bool = ...,
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> pl.DataFrame: ...
    @overload
    def read_report(
        self, report: str, *, parameters: Parameters | None = ..., table: str | None = ...,
        columns: Sequence[str] | None = ..., engine: Literal["arrow"], windows: bool = ...,
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> pa.Table: ...
    @overload
    def read_report(
        self, report: str, *, parameters: Parameters | None = ..., table: str | None = ...,
        columns: Sequence[str] | None = ..., engine: Literal["dask"], windows: bool = ...,
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> Any: ...
    @reader()
    def read_report(
        self, report: str, *, parameters: Parameters | None = None, table: str | None = None,
        columns: Sequence[str] | None = None, engine: Engine = "pandas", windows: bool = False,
        max_age: Age = _ONE_DAY, as_of: str | date | None = None, within: Age | None = None,
        zone: str | None = None, run_id: int | None = None, offline: bool = False,
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
        >>> grades = canvas.read_report("grade_export_csv", enrollment_term_id="current")
        >>> len(grades)
        412
        """
        frames.check_engine(engine)
        if windows:
            asked = merged(report, parameters, report_parameters)
            parts = split_window(report, asked, run_id=run_id)
            how: dict[str, Any] = {
                "max_age": max_age, "progress": progress, "timeout": timeout, "on_interrupt": on_interrupt,
            }
            if (offline or as_of is not None) and len(parts) > 1:
                how |= {"offline": offline, "as_of": as_of, "within": within, "zone": zone}
                found = [self.obtain(report, parameters=part, **how) for part in parts]
                return load_common_rows(found, table, columns, engine)
            if len(parts) > 1:
                rows = [{"report": report, **part} for part in parts]
                return self._stack(
                    lambda made: load_common_rows(made.results, table, columns, engine), False, rows,
                    table=table, on_error="raise", **how,
                )
        return self._load(
            lambda result: result.load(engine, table, columns), engine == "dask", report, parameters=parameters, tables=[table],
            max_age=max_age, as_of=as_of, within=within, zone=zone, run_id=run_id, offline=offline,
            progress=progress, timeout=timeout, on_interrupt=on_interrupt,
            keep=None if engine == "dask" else {table: columns}, **report_parameters,
        )

    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["pandas"] = ...,
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, pd.DataFrame]: ...
    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["polars"],
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, pl.DataFrame]: ...
    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["arrow"],
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, pa.Table]: ...
    @overload
    def read_tables(
        self, report: str, *, parameters: Parameters | None = ..., table: str | Sequence[str] | None = ...,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = ..., engine: Literal["dask"],
        max_age: Age = ..., as_of: str | date | None = ..., within: Age | None = ..., zone: str | None = ...,
        run_id: int | None = ..., offline: bool = ..., progress: Progress = ...,
        timeout: float | None = ..., on_interrupt: OnInterrupt = ..., **report_parameters: Any,
    ) -> dict[str, Any]: ...
    @reader(TABLES)
    def read_tables(
        self, report: str, *, parameters: Parameters | None = None, table: str | Sequence[str] | None = None,
        columns: Sequence[str] | Mapping[str, Sequence[str]] | None = None, engine: Engine = "pandas",
        max_age: Age = _ONE_DAY, as_of: str | date | None = None, within: Age | None = None,
        zone: str | None = None, run_id: int | None = None, offline: bool = False,
        progress: Progress = "auto", timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
        **report_parameters: Any,
    ) -> Any:
        """Do as `read_report`, but load every table of the run, or those named.

        Returns
        -------
        dict of str to DataFrame
            Table name to frame.

        Examples
        --------
        >>> found = canvas.read_tables("provisioning_csv", users=True, terms=True)
        >>> {name: len(frame) for name, frame in found.items()}
        {'users': 232, 'terms': 10}
        """
        frames.check_engine(engine)
        wanted: Sequence[Any] = [table] if isinstance(table, str) else table or ()
        return self._load(
            lambda result: _load_tables(result, engine, table, columns), engine == "dask", report,
            parameters=parameters, tables=wanted,
            max_age=max_age, as_of=as_of, within=within, zone=zone, run_id=run_id, offline=offline,
            progress=progress, timeout=timeout, on_interrupt=on_interrupt,
            keep=None if engine == "dask" else dict.fromkeys(wanted or [None], columns), **report_parameters,
        )

    @reader()
    def scan_report(
        self, report: str, *, parameters: Parameters | None = None, table: str | None = None,
        columns: Sequence[str] | None = None,
        max_age: Age = _ONE_DAY, as_of: str | date | None = None, within: Age | None = None,
        zone: str | None = None, run_id: int | None = None, offline: bool = False,
        progress: Progress = "auto", timeout: float | None = None, on_interrupt: OnInterrupt = "detach",
        **report_parameters: Any,
    ) -> pl.LazyFrame:
        """Do as `read_report`, but return a lazy polars frame over the stored Parquet file.

        Only what a query needs is read. The run stays in the store until this process ends, unless it is cleared.

        Returns
        -------
        polars.LazyFrame

        Examples
        --------
        >>> import polars as pl
        >>> lazy = canvas.scan_report("grade_export_csv", enrollment_term_id="current")
        >>> lazy.filter(pl.col("final score") < 60).select(pl.len()).collect().item()
        32
        """
        return self._load(
            lambda result: result.scan(table, columns), True, report, parameters=parameters, tables=[table],
            max_age=max_age, as_of=as_of, within=within, zone=zone, run_id=run_id, offline=offline,
            progress=progress, timeout=timeout,
            on_interrupt=on_interrupt, **report_parameters,
        )

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
    @reader()
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

        Examples
        --------
        >>> requests = crn.requests_for("grade_export_csv", terms=["sis_term_id:FA24", "sis_term_id:FA25"])
        >>> years = canvas.read_reports(requests)
        >>> years.groupby("enrollment_term_id", observed=True)["student id"].nunique().to_dict()
        {'sis_term_id:FA24': 105, 'sis_term_id:FA25': 100}
        """
        frames.check_engine(engine)
        return self._stack(
            lambda found: found.load(engine, table, columns), engine == "dask", requests, table=table, on_error=on_error,
            max_age=max_age, progress=progress, timeout=timeout, on_interrupt=on_interrupt,
        )

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
    @reader(LAZY)
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

        Examples
        --------
        >>> requests = crn.requests_for("grade_export_csv", terms=["sis_term_id:FA24", "sis_term_id:FA25"])
        >>> canvas.scan_reports(requests).collect().height
        546
        """
        if engine not in ("polars", "dask"):
            raise ParameterError(
                f"scan_reports can't return a lazy frame of engine={engine!r}.", hint='Use "polars" or "dask".'
            )
        def scan(found: ReportsResult) -> Any:
            return found.scan(table, columns) if engine == "polars" else found.load(engine, table, columns)

        return self._stack(
            scan, True, requests, table=table, on_error=on_error, max_age=max_age, progress=progress,
            timeout=timeout, on_interrupt=on_interrupt,
        )

    def _load(
        self, load: Callable[[ReportResult], _T], is_lazy: bool, report: str, *, offline: bool,
        timeout: float | None, on_interrupt: OnInterrupt, **how: Any,
    ) -> _T:
        """Obtain a run and load it; download it once more if another process removed it in between."""
        check_wait(timeout, on_interrupt)
        wait: dict[str, Any] = {"timeout": timeout, "on_interrupt": on_interrupt}
        store = self._runs.store
        with store.pin_used(), self._runs.waiter.limit(timeout):
            result = self.obtain(report, offline=offline, **wait, **how)
            if is_lazy:
                store.hold(result)
            for _ in range(_REMOVALS):
                try:
                    return load(result)
                except NotStoredError:
                    if offline:
                        raise
                result = self.obtain(report, run_id=result.origin.run_id, progress=how["progress"], **wait)
            return load(result)

    def _stack(
        self, load: Callable[[ReportsResult], Any], is_lazy: bool, requests: Any, **how: Any
    ) -> Any:
        """Obtain the runs and stack them, as `_load` does for one."""
        check_wait(how["timeout"], how["on_interrupt"])
        store = self._runs.store
        with store.pin_used(), self._runs.waiter.limit(how["timeout"]):
            found = self.obtain_reports(requests, one_table=True, **how)
            for result in filter(None, found.results if is_lazy else ()):
                store.hold(result)
            for _ in range(_REMOVALS):
                with suppress(NotStoredError):
                    frame = load(found)
                    break
                found.restore()
            else:
                frame = load(found)
            return frame if how["on_error"] == "raise" else (frame, found.status)


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
