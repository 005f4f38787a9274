"""What a notebook shows of an object: one stable line, and a plain, escaped card that also fits dark themes."""

import re
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.runs.listings import history_frame, reports_frame

EVIL = "<img src=x onerror=alert(1)>\"'&"
TAGS = {"div", "strong", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
PUBLIC = [
    each
    for each in (getattr(crn, name) for name in crn.__all__)
    if isinstance(each, type) and not issubclass(each, Exception | Enum)
]


class Page(HTMLParser):
    """The tags, styles and text of a card."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.styles: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        self.styles += [value or "" for name, value in attrs if name == "style"]
        assert {name for name, _ in attrs} <= {"style", "scope", "dir"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def shown(canvas: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[type, Any]:
    """One object of each class a user meets, by its class."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))  # its name on Windows
    connection = canvas()
    job = connection.start("provisioning_csv", users=True, enrollments=True)
    result = job.result(progress=False)
    offer = connection.report("provisioning_csv")
    users = result.to_pandas("users")
    compared = crn.diff(users.iloc[1:], users)
    many = connection.obtain_reports([{"report": "course_storage_csv"}], progress=False)
    objects = [compared, many, connection, connection.store, job, job.run, result, offer]
    return {type(each): each for each in objects} | {"token": connection.server.token}


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_the_line_names_the_object(kind: type, shown: dict[Any, Any], tmp_path: Path) -> None:
    assert kind.__repr__ is not object.__repr__
    if kind not in shown:
        pytest.skip("a cell does not end with one")
    line = repr(shown[kind])
    assert line == repr(shown[kind])
    assert line.startswith(f"{kind.__name__}(")
    assert len(line) < 120
    assert "\n" not in line
    for private in (shown["token"], str(tmp_path), " at 0x", "verifier"):
        assert private not in line


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_the_card_is_plain(kind: type, shown: dict[Any, Any], tmp_path: Path) -> None:
    if kind not in shown:
        assert not hasattr(kind, "_repr_html_"), "this card is not tested"
        pytest.skip("it has no card")
    html = shown[kind]._repr_html_()
    assert html == shown[kind]._repr_html_()
    page = Page(html)
    assert page.tags <= TAGS
    assert page.open == []
    assert html.count("border:1px") == 1, "no box inside a box"
    assert page.text.strip()
    for private in (shown["token"], str(tmp_path), "verifier"):
        assert private not in html
    colors = re.findall(r"(?:^|;)\s*(?:color|background(?:-color)?):\s*([^;]+)", ";".join(page.styles))
    assert colors
    assert all(color.startswith("var(--jp-") and color.endswith("inherit)") for color in colors)


def test_a_servers_text_is_escaped() -> None:
    run = {"id": 7, "report": EVIL, "status": EVIL, "message": EVIL, "parameters": {EVIL: EVIL}}
    listed = {"report": EVIL, "title": EVIL, "parameters": {EVIL: {"description": EVIL}}, "last_run": run}
    past, offer = crn.ReportRun.from_api(run), crn.AvailableReport.from_api(listed, {EVIL: (EVIL,)})
    for each in (past, offer):
        page = Page(each._repr_html_())
        assert page.tags <= TAGS
        assert page.text.count(EVIL) >= 2
    for frame in (reports_frame([offer]), history_frame(EVIL, [past])):
        assert "<img" not in frame._repr_html_()
        assert "&lt;img" in frame._repr_html_()
