"""The types of the public names. Never run: `mypy` checks it."""

from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type

import pandas as pd
import polars as pl
import pyarrow as pa

import canvas_reports_nb as crn
from canvas_reports_nb import demo_canvas, exceptions
from canvas_reports_nb.canvas_api.models import Attachment, ReportParameter
from canvas_reports_nb.typing import Engine


def a_connection() -> None:
    assert_type(crn.connect(), crn.Connection)
    assert_type(crn.connect("https://canvas.example.edu", account=7, store=Path("runs")), crn.Connection)
    with crn.demo(account="self") as canvas:
        assert_type(canvas, crn.Connection)
        assert_type(canvas.account(7), crn.Connection)
        assert_type(canvas.account("sis_account_id:ENG"), crn.Connection)
        assert_type(canvas.url, str)
        assert_type(canvas.account_id, str)
        canvas.close()


def six_calls(canvas: crn.Connection) -> None:
    assert_type(canvas.reports(), pd.DataFrame)
    offer = canvas.report("grade_export_csv")
    assert_type(offer, crn.AvailableReport)
    assert_type(offer.parameters["enrollment_term_id"], ReportParameter)
    assert_type(offer.last_run, crn.ReportRun | None)
    assert_type(canvas.history("grade_export_csv"), pd.DataFrame)
    assert_type(canvas.start("grade_export_csv", enrollment_term_id=12), crn.ReportJob)
    assert_type(canvas.start("grade_export_csv", parameters={"enrollment_term_id": 12}), crn.ReportJob)
    assert_type(canvas.attach("grade_export_csv", 81234), crn.ReportJob)


def lists(canvas: crn.Connection) -> None:
    assert_type(canvas.terms(), pd.DataFrame)
    assert_type(canvas.accounts(), pd.DataFrame)


def a_job(job: crn.ReportJob) -> None:
    assert_type(job.run, crn.ReportRun)
    assert_type(job.run.id, int)
    assert_type(job.run.attachment, Attachment | None)
    assert_type(job.status, str)
    assert_type(job.run.status == crn.RunStatus.COMPLETE, bool)
    assert_type(job.refresh(), crn.ReportJob)
    assert_type(job.abort(), crn.ReportJob)
    assert_type(job.delete(), crn.ReportJob)
    assert_type(job.wait(timeout=60, progress=False, on_interrupt="abort"), crn.ReportJob)
    assert_type(job.result(progress="log"), crn.ReportResult)


def a_result(result: crn.ReportResult) -> None:
    assert_type(result.tables, tuple[str, ...])
    assert_type(result.provenance, dict[str, Any])
    assert_type(result.path, Path)
    assert_type(result.to_pandas("users", ["user_id"]), pd.DataFrame)
    assert_type(result.to_polars(), pl.DataFrame)
    assert_type(result.scan("users"), pl.LazyFrame)
    assert_type(result.parquet("users"), Path)


def all_in_one(canvas: crn.Connection) -> None:
    requests = crn.requests_for("grade_export_csv", terms=[12, "current"], accounts=["self"])
    assert_type(requests, pd.DataFrame)
    many = canvas.obtain_reports(requests, on_error="return", timeout=60.0)
    assert_type(many, crn.ReportsResult)
    assert_type(many.status, pd.DataFrame)
    assert_type(many.scan(), pl.LazyFrame)
    by_hand: pd.DataFrame = crn.read_file("provisioning_csv.zip", table="users")
    assert_type(crn.provenance(by_hand), dict[str, Any])
    assert_type(crn.check_file("users.csv", encoding="cp850"), pd.DataFrame)


def reading_one_report(canvas: crn.Connection, engine: Engine) -> None:
    report = "grade_export_csv"
    assert_type(canvas.read_report(report, enrollment_term_id=12), pd.DataFrame)
    assert_type(canvas.read_report(report, engine="pandas", max_age="7d"), pd.DataFrame)
    assert_type(canvas.read_report(report, engine="polars", max_age=timedelta(days=7)), pl.DataFrame)
    assert_type(canvas.read_report(report, engine="arrow", run_id=81234), pa.Table)
    assert_type(canvas.read_report(report, engine="polars", windows=True), pl.DataFrame)
    assert_type(canvas.read_report(report, engine="dask", offline=True), Any)
    assert_type(canvas.read_tables(report, table=["users"]), dict[str, pd.DataFrame])
    assert_type(canvas.read_tables(report, engine="pandas", timeout=60.0), dict[str, pd.DataFrame])
    assert_type(canvas.read_tables(report, engine="polars", progress=False), dict[str, pl.DataFrame])
    assert_type(canvas.read_tables(report, engine="arrow", on_interrupt="abort"), dict[str, pa.Table])
    assert_type(canvas.read_tables(report, engine="dask"), dict[str, Any])
    assert_type(canvas.scan_report(report, columns=["course"]), pl.LazyFrame)
    assert_type(crn.read_report(report, max_age=0), pd.DataFrame)
    assert_type(crn.read_report(report, engine="pandas"), pd.DataFrame)
    assert_type(crn.read_report(report, engine="polars"), pl.DataFrame)
    assert_type(crn.read_report(report, engine="arrow"), pa.Table)
    assert_type(crn.read_report(report, engine="dask"), Any)
    assert_type(crn.read_tables(report, users=True), dict[str, pd.DataFrame])
    assert_type(crn.read_tables(report, engine="polars"), dict[str, pl.DataFrame])
    assert_type(crn.read_tables(report, engine="arrow"), dict[str, pa.Table])
    assert_type(crn.read_tables(report, engine="dask"), dict[str, Any])
    assert_type(crn.scan_report(report, users=True), pl.LazyFrame)
    print(canvas.read_report(report, engine=engine))
    canvas.read_report(report, engine="pnadas")  # type: ignore[call-overload]
    canvas.read_report(report, timeout="1h")  # type: ignore[call-overload]
    canvas.scan_report(report, run_id="newest")  # type: ignore[arg-type]


def reading_many_reports(canvas: crn.Connection, requests: pd.DataFrame) -> None:
    assert_type(canvas.read_reports(requests), pd.DataFrame)
    assert_type(canvas.read_reports(requests, engine="pandas", on_error="raise"), pd.DataFrame)
    assert_type(canvas.read_reports(requests, engine="polars"), pl.DataFrame)
    assert_type(canvas.read_reports(requests, engine="arrow"), pa.Table)
    assert_type(canvas.read_reports(requests, engine="dask"), Any)
    assert_type(canvas.read_reports(requests, engine="polars", on_error="return"), tuple[Any, pd.DataFrame])
    assert_type(canvas.scan_reports(requests), pl.LazyFrame)
    assert_type(canvas.scan_reports(requests, engine="polars"), pl.LazyFrame)
    assert_type(canvas.scan_reports(requests, engine="dask"), Any)
    assert_type(canvas.scan_reports(requests, on_error="return"), tuple[Any, pd.DataFrame])
    assert_type(crn.read_reports(requests, max_age="12h"), pd.DataFrame)
    assert_type(crn.read_reports(requests, engine="polars"), pl.DataFrame)
    assert_type(crn.read_reports(requests, engine="arrow"), pa.Table)
    assert_type(crn.read_reports(requests, engine="dask"), Any)
    assert_type(crn.read_reports(requests, on_error="return"), tuple[Any, pd.DataFrame])
    assert_type(crn.scan_reports(requests), pl.LazyFrame)
    assert_type(crn.scan_reports(requests, engine="dask"), Any)
    canvas.scan_reports(requests, engine="pandas")  # type: ignore[call-overload]
    canvas.read_reports(requests, maxage=0)  # type: ignore[call-overload]


def functions_of_accessors(
    canvas: crn.Connection, frame: pd.DataFrame, eager: pl.DataFrame, lazy: pl.LazyFrame
) -> None:
    """Functions that do the same as accessors."""
    result = canvas.obtain("grade_export_csv")
    assert_type(crn.provenance(result), dict[str, Any])
    assert_type(crn.refresh(frame), pd.DataFrame)
    assert_type(crn.refresh(frame, canvas, columns=["course"], progress=False, timeout=60.0), pd.DataFrame)
    assert_type(crn.refresh(result, on_interrupt="abort"), crn.ReportResult)
    assert_type(crn.dictionary(frame), pd.DataFrame)
    assert_type(crn.dictionary(eager, report="provisioning_csv", table="users"), pl.DataFrame)
    assert_type(crn.dictionary(lazy, report="grade_export_csv"), pl.DataFrame)
    crn.refresh(eager)  # type: ignore[call-overload]
    crn.refresh(result, columns=["course"])  # type: ignore[call-overload]
    crn.provenance(lazy)  # type: ignore[arg-type]
    assert_type(crn.dictionary(eager), pl.DataFrame)


class OwnSink:
    """Any object with these two methods shows progress."""

    def show(self, event: crn.ProgressEvent) -> None:
        assert_type(event.sentence, str)
        assert_type(event.fraction, float | None)

    def close(self) -> None:
        """Nothing is open."""


def progress_and_errors(job: crn.ReportJob) -> None:
    try:
        job.wait(progress=OwnSink())
        job.wait(progress="loud")  # type: ignore[arg-type]
        job.wait(on_interrupt="panic")  # type: ignore[arg-type]
    except exceptions.WaitTimeoutError as error:
        assert_type(error.hint, str | None)
        assert_type(error.run_id, int | None)
    except crn.CanvasReportsError as error:
        assert_type(error.message, str)


def the_store(canvas: crn.Connection) -> None:
    assert_type(canvas.store, crn.Store)
    assert_type(canvas.store.path, Path)
    assert_type(canvas.store.info(), pd.DataFrame)
    assert_type(canvas.store.clear("grade_export_csv", older_than=3600), int)


def the_embedded_canvas() -> None:
    with demo_canvas.serve() as server:
        assert_type(server.url, str)
        assert_type(server.token, str)


def the_analyses(grades: pd.DataFrame, lazy: pl.LazyFrame, public: pl.DataFrame) -> None:
    letters = crn.grades.letters(grades, census=lazy)
    assert_type(crn.grades.rates(letters, ("term", "account"), lazy), pd.DataFrame)
    assert_type(crn.grades.gaps(lazy, grades, on="student id", group="group"), pl.LazyFrame)
    assert_type(crn.grades.missing_grades(public, {"users": lazy}), pl.DataFrame)
    assert_type(crn.grades.one_per_student(lazy), pl.LazyFrame)
    assert_type(crn.activity.alerts({"users": lazy}, grades=grades).per_course(), pl.LazyFrame)
    assert_type(crn.sis.reconcile({"users": grades}, lazy).summary(), pd.DataFrame)
    assert_type(crn.activity.clean_up({"courses": public}), pl.DataFrame)


def from_report_to_finding(frame: pd.DataFrame, lazy: pl.LazyFrame) -> None:
    assert_type(crn.diff(frame, frame, key="id"), crn.Diff[pd.DataFrame])
    assert_type(crn.diff(frame, lazy, report="grade_export_csv").changed, pl.LazyFrame)
    assert_type(crn.pseudonymize(lazy, b"", keep=["campus"]), pl.LazyFrame)
    assert_type(crn.publish(frame, by=["course"]), pd.DataFrame)
    assert_type(crn.to_excel({"a": frame, "b": lazy}, "out.xlsx", "UTC"), Path)
    assert_type(crn.workbooks(lazy, "course", "out"), pd.DataFrame)
    assert_type(crn.mail_list(lazy), pl.LazyFrame)
