"""Each report, asked in every spelling and at every entry point, is one request: checked, sent, compared and stored."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import canvas_reports_nb as crn
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.catalog.schemas import Parameter
from canvas_reports_nb.catalog.windows import without_computed
from canvas_reports_nb.cli import cli

QUIET: dict[str, Any] = {"progress": False}
TYPES: dict[str, list[Any]] = {
    "term": [13, "13", " 13 ", "SP26", "Spring 2026", "sis_term_id:SP26", "current", np.int64(13), 13.0],
    "boolean": [True, "true", "YES", 1, " on ", np.True_, "1", "t", 1.0],
    "integer": [30, "30", " 30 ", 30.0, np.int64(30)],
    "string": [203, "203", " 203 ", 203.0],
    "date": ["2026-02-20", date(2026, 2, 20), " 2026-02-20 ", "2026-02-20"],
}
OFF = [False, "false", "No", 0, "0", " off ", None, "", np.False_, float("nan")]


def spellings(parameter: Parameter) -> list[Any]:
    """Return values that mean the same to Canvas."""
    if parameter.type == "enum":
        return [parameter.choices[0], parameter.choices[0].upper(), f" {parameter.choices[0]} "]
    if parameter.type == "list":
        some = list(parameter.choices[-2:])
        together = [
            ", ".join(some),
            ",".join(some).upper(),
            some[::-1],
            tuple(some),
            [each.lower() for each in some],
        ]
        return [some, *together, f" {some[1]} ,{some[0]}, "]
    return TYPES[parameter.type]


def requests_of(report: str) -> Iterator[dict[str, Any]]:
    """Return requests that mean the same, with every parameter in every spelling, under its name or an alias."""
    known = schemas.schema(report)
    assert known
    parameters = [each for each in known.parameters.values() if each.name != "end_at"]
    values = {each.name: cycle(spellings(each)) for each in parameters}
    names = {each.name: cycle([each.name, *each.aliases]) for each in parameters}
    for _ in range(max([len(spellings(each)) for each in parameters], default=1)):
        yield {next(names[each.name]): next(values[each.name]) for each in parameters}


def in_order(wire: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters whose lists are sorted: their order means nothing to Canvas."""
    return {name: sorted(value) if isinstance(value, list) else value for name, value in wire.items()}


@pytest.fixture
def sent(canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[dict[str, Any]]]:
    """A connection, and the parameters of each start that any connection sends."""
    connection, wires = canvas(enrollments=60), []
    start = type(connection.api).start

    def noted(api: Any, report: str, wire: Any) -> Any:
        wires.append(dict(wire))
        return start(api, report, wire)

    monkeypatch.setattr(type(connection.api), "start", noted)
    return connection, wires


@pytest.mark.parametrize("report", schemas.reports())
def test_every_spelling_is_one_request(sent: Any, report: str) -> None:
    connection, wires = sent
    asked = list(requests_of(report))
    queries = [connection._runs.query(report, each) for each in asked]
    assert {query.key for query in queries} == {queries[0].key}
    assert all(in_order(query.wire) == in_order(queries[0].wire) for query in queries)
    for each in (asked[0], asked[-1]):
        run = connection.start(report, parameters=each).wait(**QUIET).run
        assert in_order(wires.pop()) == in_order(queries[0].wire)
        stored = without_computed(report, run.parameters, queries[0].wire, run.started_at)
        assert key_of(report, stored) == queries[0].key, "what was checked is what Canvas stored"


@pytest.mark.parametrize("report", schemas.reports())
def test_what_is_off_is_not_asked(sent: Any, report: str) -> None:
    connection, _ = sent
    known = schemas.schema(report)
    assert known
    chosen = {"courses": True} if "courses" in known.parameters else {}
    switches = [
        each.name for each in known.parameters.values() if each.type == "boolean" and each.name not in chosen
    ]
    plain = connection._runs.query(report, chosen)
    for off in OFF:
        query = connection._runs.query(report, {**dict.fromkeys(switches, off), **chosen})
        assert query.key == plain.key, off
        assert query.tables == plain.tables, off
        assert not [name for name in switches if query.wire.get(name)], off


@pytest.mark.parametrize("report", schemas.reports())
def test_every_entry_point_asks_the_same(sent: Any, report: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, wires = sent
    asked = next(requests_of(report))
    first = connection.read_tables(report, parameters=asked, **QUIET)
    frame = next(iter(first.values()))
    run_id = frame.attrs["canvas_report"]["run_id"]
    # A frame of requests makes a float of an id beside a blank, and an object of everything else.
    row = pd.DataFrame([{"report": report, **asked}, {"report": "zero_activity_csv"}])
    again = {
        "offline": lambda: connection.obtain(report, parameters=asked, offline=True),
        "read_reports": lambda: connection.obtain_reports(row, on_error="return", **QUIET).results[0],
        "obtain": lambda: connection.obtain(report, parameters=asked, **QUIET),
        "the form": lambda: connection.obtain(report, run_id=run_id, parameters=asked, **QUIET),
    }
    for name, read in again.items():
        assert read().provenance["run_id"] == run_id, name
    wanted = wires[0]
    wires.clear()
    monkeypatch.setenv("CANVAS_API_URL", connection.url)
    monkeypatch.setenv("CANVAS_API_TOKEN", connection.server.token)
    monkeypatch.setenv("CANVAS_REPORTS_CACHE", str(connection.store.path))
    given = [
        f"-p{name}={','.join(value) if isinstance(value, list) else value}" for name, value in asked.items()
    ]
    timing = {"clock": connection.waiter.clock, "sleep": connection.waiter.sleep}
    shell = CliRunner().invoke(cli, ["run", report, *given, "--max-age", "0", "--json"], obj=timing)
    assert shell.exit_code == 0, shell.output
    assert (
        json.loads(shell.stdout.splitlines()[0])["parameters"] == frame.attrs["canvas_report"]["parameters"]
    )
    connection.begin(connection._runs.query(report, asked)).wait(**QUIET)
    crn.refresh(frame, connection, progress=False)
    crn.refresh(connection.obtain(report, run_id=run_id, **QUIET), connection, progress=False)
    assert len(wires) == 4
    assert wires == [wanted] * 4


@pytest.mark.parametrize("report", schemas.reports())
def test_a_colleagues_run_answers_if_it_is_the_same_question(sent: Any, report: str, tmp_path: Any) -> None:
    connection, wires = sent
    *_, theirs = requests_of(report)
    asked = next(requests_of(report))
    run = connection.start(report, parameters=theirs).wait(**QUIET).run
    with crn.connect(
        connection.url,
        connection.server.token,
        store=tmp_path / "colleague",
        clock=connection.waiter.clock,
        sleep=connection.waiter.sleep,
    ) as colleague:
        result = colleague.obtain(report, parameters=asked, **QUIET)
        is_computed = "end_at" in run.parameters and "end_at" not in wires[0]
        assert (result.provenance["run_id"] == run.id) == (not is_computed)
        known = schemas.schema(report)
        for parameter in known.parameters.values() if known else ():
            other = {
                name: value for name, value in asked.items() if known.parameter(name).name != parameter.name
            }
            if parameter.name in asked and connection._runs.query(report, other, to_run=False).tables != ():
                query = colleague._runs.query(report, other)
                decision, _ = colleague._runs.decide(
                    query, 86400, lambda: colleague._runs.history(report, 86400)
                )
                assert decision.action == "start", parameter.name
