"""Responses and sidecars of any shape become objects, frames or one of our errors."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canvas_reports_nb.canvas_api import responses as faults
from canvas_reports_nb.canvas_api.client import AccountReports
from canvas_reports_nb.canvas_api.models import AvailableReport, ReportRun
from canvas_reports_nb.catalog.query import key_of
from canvas_reports_nb.exceptions import CanvasReportsError, UnexpectedAnswerError
from canvas_reports_nb.frames.provenance import Provenance
from canvas_reports_nb.runs.listings import history_frame, reports_frame
from canvas_reports_nb.store.store import Store

WORDS = [
    "id", "report", "title", "status", "progress", "parameters", "created_at", "started_at", "ended_at",
    "current_line", "run_time", "message", "file_url", "attachment", "url", "size", "filename",
    "content-type", "last_run", "required", "description", "extra_text", "skip_message", "enrollment_terms",
    "errors", "error", "grade_export_csv", "complete", "2026-03-02T09:14:07-07:00", "12",
]  # fmt: skip
HUGE = 10**400
words = st.sampled_from(WORDS)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([HUGE, -HUGE, 2**63, -(2**63), float("nan"), float("inf")])
    | st.floats()
    | words
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
# Similar enough to a real run to pass the first check.
runs = st.fixed_dictionaries(
    {"id": st.integers(1, 10**9), "status": st.sampled_from(["complete", "odd"])},
    optional={word: values for word in WORDS if word not in {"id", "status"}},
)
offers = st.fixed_dictionaries(
    {"report": words}, optional={"title": values, "parameters": values, "last_run": runs | values}
)


@given(values | runs)
def test_any_json_becomes_a_run_or_an_error(data: Any) -> None:
    try:
        run = ReportRun.from_api(data)
    except UnexpectedAnswerError:
        return
    shown = repr(run) + run._repr_html_() + run.reason
    assert str(run.id) in shown
    assert len(history_frame("grade_export_csv", [run])) == 1


@given(values | offers)
def test_any_json_becomes_an_available_report_or_an_error(data: Any) -> None:
    try:
        offer = AvailableReport.from_api(data)
    except UnexpectedAnswerError:
        return
    assert offer.title in offer.title + repr(offer) + offer._repr_html_()
    assert reports_frame([offer])["report"].tolist() == [offer.report]


class Answering:
    """A transport that responds the same to every request."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def json(self, *_: Any, **__: Any) -> Any:
        return self.answer

    def pages(self, *_: Any, **__: Any) -> Iterator[Any]:
        yield self.answer


@given(values | st.lists(offers, max_size=2) | st.lists(runs, max_size=2) | runs)
def test_every_call_survives_any_response(answer: Any) -> None:
    api: Any = AccountReports(Answering(answer), "self")  # type: ignore[arg-type]
    for call in (
        api.available,
        api.about,
        api.terms,
        lambda: list(api.index("grade_export_csv")),
        lambda: api.show("grade_export_csv", 7),
        lambda: api.start("grade_export_csv", {}),
        lambda: api.abort("grade_export_csv", 7),
    ):
        with suppress(CanvasReportsError):
            call()


bodies = (
    values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=40)
    | st.sampled_from(
        [b"", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"403 Forbidden (Rate Limit Exceeded)"]
    )
)
types = st.sampled_from(
    [
        "application/json", "text/html", "text/plain", "", "application/json; charset=nonsense",
        "text/plain; charset=idna", "text/plain; charset=utf-7", "text/plain; charset=base64", ";;=",
    ]
)  # fmt: skip


@given(st.integers(200, 599), bodies, types)
def test_every_response_is_read_or_raises_an_error(status: int, body: bytes, kind: str) -> None:
    response = requests.Response()
    response.status_code, response.url, response._content = status, "https://canvas.example.edu/x", body
    response.headers["Content-Type"] = kind
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    try:
        refused = faults.error_for(response)
    except CanvasReportsError as error:
        refused = error
    assert (refused is not None) == (status >= 400)
    assert refused is None or str(refused)
    with suppress(CanvasReportsError):
        faults.json_body(response)


@given(st.text(alphabet="\ud83d\ude00\udfff\ud800ab\\u", max_size=6))
def test_half_a_surrogate_pair_is_replaced(text: str) -> None:
    response = requests.Response()
    response.status_code, response._content = 200, json.dumps({"id": 7, "status": text, text: text}).encode()
    decoded = faults.json_body(response)
    shown = history_frame(REPORT, [ReportRun.from_api({**decoded, "message": decoded["status"]})])["message"][
        0
    ]
    assert shown.encode("utf-16-le") == decoded["status"].encode("utf-16-le")
    assert shown == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


URL, REPORT = "https://canvas.example.edu", "grade_export_csv"
MADE = Provenance(
    host="canvas.example.edu",
    account="self",
    report=REPORT,
    run_id=7,
    parameters={"include_deleted": True},
    ended_at="2026-03-02T09:14:07+00:00",
    retrieved_at="2026-03-02T09:15:07+00:00",
    rows=1,
).to_dict()


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Path, dict[str, Any]]:
    """A store with one intact run, its sidecar, and the sidecar's content."""
    store = Store(tmp_path_factory.mktemp("fuzz") / "store")
    with store.lock(URL, "self", REPORT, 7) as folder:
        (folder / "raw.csv").write_bytes(b"a\n1\n")
        (folder / "t.parquet").write_bytes(b"PAR1")
        tables = {"t": {"file": "t.parquet", "provenance": MADE}}
        store.seal(folder, {"provenance": MADE, "raw": {"file": "raw.csv"}, "tables": tables})
    path = folder / "run.json"
    return store, path, json.loads(path.read_text())


def paths_in(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in paths_in(item, (*at, key)))]


@st.composite
def changes(draw: st.DrawFn) -> Any:
    return draw(st.integers(0, 10_000)), draw(values | st.just("../../run.json") | st.just("raw.csv"))


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(changes=st.lists(changes(), max_size=3), cut=st.integers(0, 3000), noise=st.binary(max_size=3))
def test_a_changed_sidecar_is_read_or_ignored(
    sidecar: tuple[Store, Path, dict[str, Any]], changes: list[tuple[int, Any]], cut: int, noise: bytes
) -> None:
    store, path, facts = sidecar
    changed: Any = {"": json.loads(json.dumps(facts))}
    for place, value in changes:
        options = paths_in(changed)[1:]
        *way, last = options[place % len(options)]
        holder = changed
        for key in way:
            holder = holder[key]
        holder[last] = value
    data = json.dumps(changed[""]).encode()
    path.write_bytes(data[:cut] + noise + data[cut + len(noise) :] if noise else data)
    run = store.find(URL, "self", REPORT, 7)
    assert len(store.info()) == (run is not None)
    assert len(store.equal(URL, "self", REPORT, key_of(REPORT, {"include_deleted": "1"}))) <= 1
    assert store._repr_html_()
    if run is not None:
        assert {run.raw.parent, *(run.path_of(table).parent for table in run.tables)} == {path.parent}
        assert run.is_intact() in {True, False}
        assert run._repr_html_() + repr(run)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"9" * 5000], ids=len)
def test_a_sidecar_that_is_not_json_is_ignored(
    sidecar: tuple[Store, Path, dict[str, Any]], data: bytes
) -> None:
    store, path, _ = sidecar
    path.write_bytes(data)
    assert store.find(URL, "self", REPORT, 7) is None
    assert store.info().empty
