"""One report: reuse a run or start one, wait for it, download it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from canvas_reports_nb.catalog.parameters import canonical, numbered
from canvas_reports_nb.exceptions import CanvasReportsError, NotStoredError, ParameterError, ServerError
from canvas_reports_nb.frames.identity import choose_table
from canvas_reports_nb.runs.account import in_time
from canvas_reports_nb.runs.batch import Batch
from canvas_reports_nb.runs.decide import ago
from canvas_reports_nb.runs.download import is_run
from canvas_reports_nb.runs.job import ReportJob, with_job
from canvas_reports_nb.runs.past import check_past, find_past, past_day
from canvas_reports_nb.runs.pending import PendingRun, check_wait
from canvas_reports_nb.runs.progress import ProgressEvent, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from canvas_reports_nb.frames.parquet import Keep
    from canvas_reports_nb.runs.account import AccountRuns
    from canvas_reports_nb.runs.progress import Progress, ProgressSink
    from canvas_reports_nb.store.stored_run import ReportResult
    from canvas_reports_nb.typing import Age, OnInterrupt

_LOG = logging.getLogger(__name__)


def read_one(
    runs: AccountRuns,
    report: str,
    asked: Mapping[str, Any],
    *,
    tables: Iterable[str | None],
    max_age: float,
    run_id: int | None,
    offline: bool,
    progress: Progress,
    timeout: float | None,
    on_interrupt: OnInterrupt,
    as_of: str | date | None = None,
    within: Age | None = None,
    zone: str | None = None,
    keep: Keep | None = None,
) -> ReportResult:
    """Return the result of one report; see `Connection.read_report`.

    ``tables`` are those the caller wants: a table that a new run would not have is an error before it is started.
    ``keep`` are the columns that it wants as a frame now.
    """
    check_wait(timeout, on_interrupt)
    check_past(as_of, within, zone, run_id)
    if as_of is not None:
        with runs.waiter.limit(timeout), in_time(runs.waiter, timeout, report):
            past = past_day(runs, as_of, within, zone, offline=offline)
            run = find_past(runs, report, asked, past, offline=offline)
        return run if not isinstance(run, ReportJob) else run.result(timeout, progress, on_interrupt)
    if run_id is not None:
        run = _given_run(runs, report, numbered(run_id), asked, offline=offline, timeout=timeout, keep=keep)
        return run if not isinstance(run, ReportJob) else run.result(timeout, progress, on_interrupt)
    if offline:
        return _stored_only(runs, report, asked, max_age)
    sink = resolve(progress)
    pending = PendingRun(runs, report, keep=keep)
    try:
        with runs.waiter.limit(timeout):
            with in_time(runs.waiter, timeout, report):
                _find(pending, asked, tables, max_age, sink)
            if pending.result is None:
                Batch([pending], sink, timeout).run(on_interrupt)
            else:
                sink.show(pending.done_event())
    finally:
        sink.close()
    if pending.error is not None:
        error = pending.error
        raise error if pending.run is None else with_job(error, ReportJob(pending, pending.run))
    if pending.result is None:
        raise AssertionError("a batch sets a result or an error")
    return pending.result


def _find(
    pending: PendingRun,
    asked: Mapping[str, Any],
    tables: Iterable[str | None],
    max_age: float,
    sink: ProgressSink,
) -> None:
    """Check the request, decide which run answers it, and say which."""
    runs, report = pending.runs, pending.report
    try:
        query = runs.query(report, asked, cache="yes" if max_age else "refresh")
    except ServerError as error:
        kept = _stored_while_down(runs, report, asked, max_age)
        if kept is None:
            raise
        age = (runs.waiter.now() - kept.finished_at).total_seconds()
        run_id = kept.provenance["run_id"]
        text = f"{report}: {error.message} Using run {run_id} from this disk, {ago(age)}"
        sink.show(ProgressEvent("note", report, run_id, text=text))
        pending.finish(kept)
        return
    for table in tables:
        if query.tables:
            choose_table(query.tables, table, report)
    pending.query = query
    decision, known = runs.decide(query, max_age, lambda: runs.history(report, max_age))
    pending.take(decision, known)
    sink.show(ProgressEvent("note", report, decision.run_id, text=f"{report}: {decision.reason}"))


def _stored_while_down(
    runs: AccountRuns, report: str, asked: Mapping[str, Any], max_age: float
) -> ReportResult | None:
    """Return a stored run that is recent enough, found with the lists this disk remembers."""
    try:
        query = runs.query(report, asked, cache="only")
    except NotStoredError:
        return None
    kept = runs.stored(query, max_age) if max_age else None
    return kept and replace(kept, asked=query.question)


def _stored_only(runs: AccountRuns, report: str, asked: Mapping[str, Any], max_age: float) -> ReportResult:
    """Return the newest stored run; nothing is sent."""
    query = runs.query(report, asked, cache="only")
    kept = runs.stored(query, max_age)
    if kept is not None:
        return replace(kept, asked=query.question)
    older = runs.stored(query)
    if older is None:
        raise _not_stored(runs, report)
    age = ago((runs.waiter.now() - older.finished_at).total_seconds())
    raise NotStoredError(
        f"The newest stored run finished {age}, which is older than max_age= allows.",
        hint="Use a larger max_age=, or call once without offline=True.",
        account=runs.account,
        report=report,
        run_id=older.origin.run_id,
    )


def _not_stored(runs: AccountRuns, report: str, run_id: int | None = None) -> NotStoredError:
    return NotStoredError(
        "offline=True was given, but this disk has no such run.",
        hint="Call once without offline=True. canvas.store.info() lists the stored runs.",
        account=runs.account,
        report=report,
        run_id=run_id,
    )


def _given_run(
    runs: AccountRuns,
    report: str,
    run_id: int,
    asked: Mapping[str, Any],
    *,
    offline: bool,
    timeout: float | None,
    keep: Keep | None,
) -> ReportResult | ReportJob:
    """Return exactly the run with this id, from the store or as a job, if it fits the parameters beside it."""
    kept = runs.stored_run(report, run_id)
    if kept is None and offline:
        raise _not_stored(runs, report, run_id)
    with runs.waiter.limit(timeout), in_time(runs.waiter, timeout, report):
        try:
            run = None if offline else runs.api.show(report, run_id)
        except CanvasReportsError as error:
            if kept is None:
                raise
            _LOG.info("Run %s is read from this disk: %s", run_id, error.message)
            run = None
        if kept is not None and (run is None or is_run(kept, run)):
            _check_fits(runs, report, run_id, asked, kept.provenance["parameters"])
            return kept
        if run is None:
            raise AssertionError("without a stored run, Canvas describes it")
        _check_fits(runs, report, run_id, asked, run.parameters)
    return ReportJob(PendingRun(runs, report, keep=keep), run)


def _check_fits(
    runs: AccountRuns, report: str, run_id: int, asked: Mapping[str, Any], stored: Mapping[str, Any]
) -> None:
    """Raise if parameters given beside ``run_id=`` are not those of the run."""
    if not asked:
        return
    query = runs.query(report, asked, cache="only", to_run=False)
    wanted, made = canonical(report, query.wire), canonical(report, stored)
    differing = [name for name in wanted if wanted[name] != made.get(name)]
    if differing:
        name = differing[0]
        raise ParameterError(
            f"Run {run_id} was made with {name}={made.get(name)!r}, not {wanted[name]!r}.",
            hint=f"Leave {', '.join(differing)} out, or leave run_id= out.",
            account=runs.account,
            report=report,
            run_id=run_id,
        )
