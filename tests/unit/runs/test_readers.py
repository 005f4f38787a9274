"""Every reader documents its keywords everywhere, and rejects misspelled ones before anything is sent."""

import inspect
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.exceptions import NotStoredError, ParameterError, UnknownParameterError

ONE = [
    "parameters",
    "table",
    "columns",
    "max_age",
    "run_id",
    "offline",
    "progress",
    "timeout",
    "on_interrupt",
]
MANY = ["table", "columns", "engine", "on_error", "max_age", "progress", "timeout", "on_interrupt"]
KEYWORDS = {
    "read_report": ["engine", *ONE],
    "read_tables": ["engine", *ONE],
    "scan_report": ONE,
    "read_reports": MANY,
    "scan_reports": MANY,
}
REQUESTS = [{"report": "grade_export_csv"}]


@pytest.fixture
def canvas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[crn.Connection]:
    """Open a connection that can send nothing, and make it the newest one."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be sent")

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", fail)
    with crn.connect("canvas.example.edu", "1234~token", store=tmp_path) as connection:
        yield connection


def places(canvas: crn.Connection, reader: str) -> dict[str, Any]:
    """Return one reader from every place that offers it, each bound to its first argument."""
    if "reports" in reader:
        frames = pd.DataFrame(REQUESTS), pl.DataFrame(REQUESTS), pl.LazyFrame(REQUESTS)
        accessors = {f"{type(each)}": getattr(each.canvas, reader) for each in frames}
        first: Any = REQUESTS
    else:
        on = [pl.LazyFrame] if reader == "scan_report" else [pd.DataFrame, pl.DataFrame]
        found = {f"{each}": getattr(each.canvas, reader) for each in on}
        accessors = {
            name: lambda _read=read, **named: _read("grade_export_csv", **named)
            for name, read in found.items()
        }
        first = "grade_export_csv"
    own = {"connection": getattr(canvas, reader), "package": getattr(crn, reader)}
    called = {name: lambda _read=read, **named: _read(first, **named) for name, read in own.items()}
    return called | accessors


def shown(reader: str) -> list[Any]:
    """Return one reader from every place, to inspect its signature and docstring."""
    frames = [pd.DataFrame(REQUESTS), pl.DataFrame(REQUESTS), pl.LazyFrame(REQUESTS)]
    own = [getattr(crn, reader), getattr(crn.Connection, reader)]
    return own + [getattr(each.canvas, reader) for each in frames if hasattr(each.canvas, reader)]


@pytest.mark.parametrize("reader", KEYWORDS)
def test_signature_and_docstring_show_every_keyword(reader: str) -> None:
    found = shown(reader)
    assert len(found) >= 3
    for call in found:
        parameters = inspect.signature(call).parameters
        documented = inspect.getdoc(call) or ""
        for name in KEYWORDS[reader]:
            assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
            assert re.search(rf"^{name} : \S", documented, re.MULTILINE), (call, name)
        assert ("report_parameters" in parameters) == ("reports" not in reader)


@pytest.mark.parametrize("reader", KEYWORDS)
def test_a_keyword_with_a_letter_dropped_is_recognized(canvas: crn.Connection, reader: str) -> None:
    for place, call in places(canvas, reader).items():
        for name in KEYWORDS[reader]:
            for at in range(len(name)):
                typo = name[:at] + name[at + 1 :]
                with pytest.raises(UnknownParameterError) as caught:
                    call(**{typo: 1})
                first, hint = str(caught.value).splitlines()
                assert f"{reader} has no keyword {typo}=" in first, place
                assert re.search(rf"Did you mean [a-z_= or]*\b{name}=", hint), (place, typo, hint)


@pytest.mark.parametrize(
    "typo", ["maxage", "max_ages", "time_out", "colums", "collumns", "pogress", "onerror"]
)
def test_a_typo_gives_the_same_error_whatever_the_other_arguments(canvas: crn.Connection, typo: str) -> None:
    for how in ({"offline": True}, {"run_id": 7}, {"parameters": {"include_deleted": True}}, {"max_age": 0}):
        if typo != "onerror":
            with pytest.raises(UnknownParameterError, match="Did you mean"):
                canvas.read_report("grade_export_csv", **{typo: 1}, **how)
    with pytest.raises(UnknownParameterError, match="Did you mean"):
        canvas.read_reports(REQUESTS, **{typo: 1})


def test_keywords_and_parameters_are_suggested(canvas: crn.Connection) -> None:
    with pytest.raises(UnknownParameterError, match="Did you mean"):
        canvas.read_report("provisioning_csv", tabel="users")
    with pytest.raises(UnknownParameterError, match="The keywords are: table, columns, engine"):
        canvas.read_reports(REQUESTS, enrollment_term_id=7)
    with pytest.raises(
        UnknownParameterError, match=r'scan_report has no keyword engine=[\s\S]*parameters={"engine"'
    ):
        canvas.scan_report("grade_export_csv", engine="dask")


def test_no_parameter_of_a_known_report_counts_as_a_typo(canvas: crn.Connection) -> None:
    for report in schemas.reports():
        known = schemas.schema(report)
        assert known
        for parameter in known.parameters.values():
            with pytest.raises((NotStoredError, ParameterError)) as caught:
                canvas.read_report(report, offline=True, **{parameter.name: 1})
            assert not isinstance(caught.value, UnknownParameterError)


def test_a_parameter_of_any_name_can_be_given_in_the_mapping(canvas: crn.Connection) -> None:
    with pytest.raises(NotStoredError):
        canvas.read_report("our_own_csv", parameters={"colum": 1, "table": 2}, offline=True)


@pytest.mark.parametrize("age", ["7d", "12h", "90", "1.5 h", 0, 3600.5, timedelta(days=7)])
def test_ages_are_accepted_in_many_forms(canvas: crn.Connection, age: Any) -> None:
    with pytest.raises(NotStoredError):
        canvas.read_report("grade_export_csv", offline=True, max_age=age)
    assert canvas.store.clear(older_than=age) == 0


def test_a_run_that_is_not_stored_is_named_offline(canvas: crn.Connection) -> None:
    for read in (canvas.read_report, canvas.scan_report, canvas.obtain):
        with pytest.raises(NotStoredError, match="this disk has no such run") as caught:
            read("grade_export_csv", run_id=7, offline=True)
        assert (caught.value.report, caught.value.run_id, caught.value.account) == (
            "grade_export_csv",
            7,
            "self",
        )


@pytest.mark.parametrize("age", ["1 week", "", "d", "-1d", None, "7days", True, [7]])
def test_an_invalid_age_is_rejected(canvas: crn.Connection, age: Any) -> None:
    message = re.escape(f"Can't read {age!r} as an age.") + r'\nUse seconds, "7d", "12h" or a timedelta\.'
    for call in (
        lambda: canvas.read_report("grade_export_csv", max_age=age),
        lambda: canvas.read_report("grade_export_csv", max_age=age, offline=True),
        lambda: canvas.read_reports(REQUESTS, max_age=age),
        *([lambda: canvas.store.clear(older_than=age)] if age is not None else []),
    ):
        with pytest.raises(ParameterError, match=message):
            call()


@pytest.mark.parametrize("engine", ["pandas", "arrow", "pnadas", None])
def test_scan_reports_is_lazy_only(canvas: crn.Connection, engine: Any) -> None:
    with pytest.raises(ParameterError, match='Use "polars" or "dask"'):
        canvas.scan_reports(REQUESTS, engine=engine)


@pytest.mark.parametrize("engine", ["pnadas", "", None])
@pytest.mark.parametrize("reader", ["read_report", "read_tables", "read_reports"])
def test_an_unknown_engine_is_rejected_before_anything_is_sent(
    canvas: crn.Connection, reader: str, engine: Any
) -> None:
    for place, call in places(canvas, reader).items():
        message = rf"(Unknown engine |not engine=){engine!r}"
        with pytest.raises(ParameterError, match=message if engine else "engine") as caught:
            call(engine=engine)
        if place in {"connection", "package"}:
            assert ("Did you mean 'pandas'" in caught.value.hint) == (engine == "pnadas")


def test_one_keyword_has_one_default() -> None:
    found: dict[str, set[Any]] = {}
    for reader in (*KEYWORDS, "obtain", "obtain_reports"):
        for call in shown(reader) if reader in KEYWORDS else [getattr(crn.Connection, reader)]:
            for name, each in inspect.signature(call).parameters.items():
                if each.kind is inspect.Parameter.KEYWORD_ONLY:
                    found.setdefault(name, set()).add(each.default)
    assert found.pop("engine") == {"pandas", "polars"}, "scan_reports returns a frame of polars"
    assert found.pop("tables") == {()}
    words = {"max_age": timedelta(days=1), "progress": "auto", "on_error": "raise", "on_interrupt": "detach"}
    off = dict.fromkeys(("offline", "windows", "one_table"), False)
    assert found == {name: {(words | off).get(name)} for name in found}
