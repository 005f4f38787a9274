"""Accessors and functions do the same, and a frame can be refreshed from its provenance."""

import gc
import importlib
import inspect
import sys
import warnings
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import polars as pl
import pytest
from pandas.testing import assert_frame_equal
from polars.testing import assert_frame_equal as assert_polars_equal

import canvas_reports_nb as crn
from canvas_reports_nb import exceptions, opening

ASKED: dict[str, Any] = {"users": True, "enrollments": True, "progress": False}
REPORT = "provisioning_csv"


@pytest.fixture
def opened(canvas: Any) -> Any:
    """The newest open connection."""
    return canvas()


def test_accessors_use_the_newest_connection_without_a_reference_to_it(
    opened: Any, demo: Any, tmp_path: Path
) -> None:
    server = demo().server
    crn.connect(server.url, server.token, store=tmp_path / "newest")
    gc.collect()
    frame = pd.DataFrame.canvas.read_report("zero_activity_csv", progress=False)
    opening.newest().close()
    assert server.url.endswith(frame.canvas.provenance["host"])
    again = pd.DataFrame.canvas.read_report("zero_activity_csv", progress=False)
    assert opened.url.endswith(again.canvas.provenance["host"])


@pytest.mark.parametrize(
    ("reader", "engine"),
    [
        (lambda **named: pd.DataFrame.canvas.read_report("zero_activity_csv", **named), "polars"),
        (lambda **named: pl.DataFrame.canvas.read_report("zero_activity_csv", **named), "pandas"),
        (lambda **named: pd.DataFrame.canvas.read_tables("zero_activity_csv", **named), "dask"),
    ],
)
def test_an_accessor_rejects_another_engine(opened: Any, reader: Any, engine: str) -> None:
    with pytest.raises(exceptions.ParameterError, match=engine):
        reader(engine=engine)


def test_accessors_and_functions_read_the_same(opened: Any) -> None:
    by_pandas = [
        read(REPORT, table="users", **ASKED)
        for read in (opened.read_report, crn.read_report, pd.DataFrame.canvas.read_report)
    ]
    for frame in by_pandas[1:]:
        assert_frame_equal(frame, by_pandas[0])
        assert frame.attrs == by_pandas[0].attrs
    by_polars = [
        opened.read_report(REPORT, table="users", engine="polars", **ASKED),
        pl.DataFrame.canvas.read_report(REPORT, table="users", **ASKED),
        pl.LazyFrame.canvas.scan_report(REPORT, table="users", **ASKED).collect(),
        crn.scan_report(REPORT, table="users", **ASKED).collect(),
    ]
    for frame in by_polars[1:]:
        assert_polars_equal(frame, by_polars[0])
    assert by_polars[0]["canvas_user_id"].to_list() == by_pandas[0]["canvas_user_id"].tolist()
    tables = pd.DataFrame.canvas.read_tables(REPORT, **ASKED)
    assert_frame_equal(tables["users"], by_pandas[0])
    tables = pl.DataFrame.canvas.read_tables(REPORT, **ASKED)
    assert_polars_equal(tables["users"], by_polars[0])
    assert opened.starts() == 1


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame])
def test_requests_may_be_any_kind_of_frame(opened: Any, kind: Any) -> None:
    requests = kind({"report": ["zero_activity_csv"], "enrollment_term_id": ["current"]})
    lazy = crn.scan_reports(requests, progress=False).collect()
    assert len(lazy) > 0
    assert_polars_equal(requests.canvas.scan_reports(progress=False).collect(), lazy)
    read = requests.canvas.read_reports(progress=False)
    assert isinstance(read, pd.DataFrame if kind is pd.DataFrame else pl.DataFrame)
    assert_polars_equal(requests.canvas.read_reports(engine="polars", progress=False), lazy)
    assert opened.starts() == 1


@pytest.mark.parametrize(
    "again",
    [crn.refresh, lambda frame, *canvas, **keywords: frame.canvas.refresh(*canvas, **keywords)],
    ids=["function", "accessor"],
)
def test_refresh_runs_the_same_report_again(opened: Any, again: Any) -> None:
    frame = opened.read_report(REPORT, table="users", **ASKED)
    part = frame.query("status == 'active'")[["canvas_user_id", "login_id"]]
    newer = again(part, progress=False)
    assert opened.starts() == 2
    assert_frame_equal(newer, frame)
    before, after = crn.provenance(frame), crn.provenance(newer)
    assert before["run_id"] != after["run_id"]
    for same in ("host", "account", "report", "table", "parameters"):
        assert before[same] == after[same]
    assert list(again(frame, columns=["login_id"], progress=False)) == ["login_id"]


def test_refresh_of_a_result_works_for_polars(opened: Any) -> None:
    result = opened.obtain(REPORT, **ASKED)
    newer = crn.refresh(result, progress=False)
    assert opened.starts() == 2
    assert crn.provenance(result) == result.provenance
    assert newer.provenance["run_id"] != result.provenance["run_id"]
    assert_polars_equal(newer.to_polars("users"), result.to_polars("users"))


def test_refresh_uses_the_canvas_of_the_frame(canvas: Any) -> None:
    here = canvas()
    account = str(here._api.about()["id"])
    frame = here.account(account).read_report("zero_activity_csv", progress=False)
    elsewhere = canvas()
    newer = frame.canvas.refresh(progress=False)
    assert (here.starts(), elsewhere.starts()) == (2, 0)
    assert newer.canvas.provenance["account"] == account
    assert crn.refresh(frame, elsewhere, progress=False).canvas.provenance["account"] == "self"
    assert elsewhere.starts() == 1
    host = newer.canvas.provenance["host"]
    here.close()
    with pytest.raises(
        exceptions.ConfigurationError, match=rf"No connection to {host} is open[\s\S]*connect\("
    ):
        crn.refresh(frame)
    assert elsewhere.starts() == 1


def test_a_file_can_not_be_refreshed(opened: Any) -> None:
    frame = crn.read_file(opened.obtain("zero_activity_csv", progress=False).path)
    with pytest.raises(exceptions.NoProvenanceError, match="read from a file"):
        frame.canvas.refresh()
    assert opened.starts() == 1


@pytest.mark.parametrize(
    "frame", [pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), pl.LazyFrame({"a": [1]})]
)
def test_the_error_for_a_frame_without_provenance_says_what_to_do(frame: Any) -> None:
    assert hasattr(frame, "canvas")
    assert not hasattr(frame.canvas, "provenance")
    assert not hasattr(frame.canvas, "no_such_thing")
    hint = "read_report" if isinstance(frame, pd.DataFrame) else r"canvas\.start"
    for call in (
        lambda: frame.canvas.provenance,
        frame.canvas.refresh,
        lambda: crn.provenance(frame),
    ):
        with pytest.raises(exceptions.NoProvenanceError, match=hint):
            call()


def test_dictionary_of_every_kind_of_frame(opened: Any) -> None:
    frame = opened.read_report(REPORT, table="users", **ASKED)
    eager = opened.read_report(REPORT, table="users", engine="polars", **ASKED)
    lazy = opened.scan_report(REPORT, table="users", **ASKED)
    known = crn.dictionary(frame)
    assert_frame_equal(frame.canvas.dictionary(), known)
    assert_frame_equal(crn.dictionary(frame, report=REPORT, table="users"), known)
    for other in (eager, lazy):
        described = other.canvas.dictionary(REPORT, "users")
        assert_polars_equal(described, crn.dictionary(other, report=REPORT, table="users"))
        assert described.drop("dtype").rows() == pl.from_pandas(known.drop(columns="dtype")).rows()
        assert described["dtype"].to_list() == [str(kind) for kind in eager.dtypes]
        assert_polars_equal(other.canvas.dictionary(), described)
    assert_frame_equal(
        crn.dictionary(pd.DataFrame(frame.to_dict("list"), dtype="object")),
        known.assign(dtype="object"),
        check_dtype=False,
    )
    for engine in ("arrow", "dask"):
        described = crn.dictionary(opened.read_report(REPORT, table="users", engine=engine, **ASKED))
        assert_frame_equal(described.drop(columns="dtype"), known.drop(columns="dtype"))
    for unknown in (frame[["status"]].copy(deep=True).set_axis(["x"], axis=1), eager.select("status")):
        getattr(unknown, "attrs", {}).clear()
        with pytest.raises(exceptions.NoProvenanceError, match=r"which table this frame[\s\S]*report="):
            crn.dictionary(unknown)


@pytest.mark.parametrize("engine", ["arrow", "dask"])
def test_arrow_and_dask_frames_have_provenance(opened: Any, engine: str) -> None:
    frame = opened.read_report(REPORT, table="users", engine=engine, **ASKED)
    assert crn.provenance(frame) == crn.provenance(opened.read_report(REPORT, table="users", **ASKED))
    newer = crn.refresh(frame, progress=False)
    assert type(newer) is type(frame)
    assert crn.provenance(newer)["run_id"] != crn.provenance(frame)["run_id"]


@pytest.mark.parametrize(
    ("report", "table", "error", "message"),
    [
        ("provisioning", None, exceptions.ParameterError, "Did you mean 'provisioning_csv'"),
        (REPORT, None, exceptions.TableRequiredError, "several tables: users, accounts"),
        (REPORT, "user", exceptions.UnknownTableError, "it has: users, accounts"),
    ],
)
def test_errors_of_dictionary_list_the_choices(
    report: str, table: str | None, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        crn.dictionary(pl.DataFrame({"user_id": ["7"]}), report=report, table=table)


@pytest.mark.parametrize(
    "name", ["refresh", "pseudonymize", "to_excel", "read_reports", "scan_reports", "diff", "dictionary"]
)
@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame])
def test_a_method_lists_the_parameters_of_its_function(kind: type, name: str) -> None:
    function = list(inspect.signature(getattr(crn, name)).parameters)
    method = inspect.signature(getattr(kind.canvas, name)).parameters
    others = [each for each in method if each not in {"self", "older"}]
    assert others == function[-len(others) :]
    assert inspect.Parameter.VAR_KEYWORD not in {each.kind for each in method.values()}


def test_accessors_hold_only_the_frame_and_can_be_reloaded() -> None:
    frames = pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), pl.LazyFrame({"a": [1]})
    for frame in frames:
        assert list(vars(frame.canvas)) == ["_frame"]
    names = [name for name in sys.modules if name.startswith("canvas_reports_nb.accessors._")]
    assert len(names) == 2
    for name in names:
        importlib.reload(sys.modules[name])
    for frame in frames:
        assert not hasattr(frame.canvas, "provenance")


def test_replacing_another_packages_accessor_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = sys.modules["canvas_reports_nb.accessors._pandas"]
    monkeypatch.setattr(pd.DataFrame, "canvas", type("Theirs", (), {"__module__": "theirs"}))
    with pytest.warns(UserWarning, match="canvas"):
        importlib.reload(ours)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.reload(ours)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_result_and_a_frame_become_workbooks(opened: Any, tmp_path: Path, kind: str) -> None:
    result = opened.obtain(REPORT, parameters={"users": True, "terms": True}, progress=False)
    whole = openpyxl.load_workbook(crn.to_excel(result, tmp_path / "run.xlsx"))
    assert "zone America/Denver, which is that of the account" in str(list(whole["Read me"].values))
    assert whole.sheetnames == ["Read me", "Summary", "users", "terms", "Columns"]
    path = tmp_path / "users.xlsx"
    assert result.load(kind, "users").canvas.to_excel(path) == path
    rows = list(openpyxl.load_workbook(path).worksheets[2].values)
    assert rows == list(whole["users"].values)
