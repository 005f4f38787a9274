"""A server's text never becomes HTML."""

from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from canvas_reports_nb import _html

EVIL = "<script>alert(\"1\")</script><img src=x onerror='x'>&amp;"


class Reader(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.mark.parametrize(
    "html",
    [
        _html.escape(EVIL),
        _html.table([EVIL], [[EVIL], [7]]),
        _html.facts([(EVIL, EVIL)]),
        _html.card(EVIL, _html.facts([("a", EVIL)])),
    ],
)
def test_tags_in_a_text_are_escaped(html: str) -> None:
    page = read(html)
    assert not {"script", "img"} & set(page.tags)
    assert EVIL in page.text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1))
@example(EVIL)
def test_the_page_shows_the_text_unchanged(text: str) -> None:
    assert "".join(read(f"<p>{_html.escape(text)}</p>").text) == text
    assert not {'"', "'", "<", ">"} & set(_html.escape(text)), "it may be in an attribute, too"


def test_facts_without_a_value_are_left_out() -> None:
    page = read(_html.facts([("none", None), ("empty", ""), ("zero", 0), ("false", False)]))
    assert page.text == ["zero", "0", "false", "False"]


@pytest.mark.parametrize(
    ("markup", "kept", "gone"),
    [
        ("<p>Hours <em>online</em></p>", "<p>Hours <em>online</em></p>", ""),
        ("<script>alert(1)</script>text", "text", "alert"),
        ('<img src="https://track.example.com/a.png">here', "here", "track"),
        ('<p style="position:fixed" onclick="go()">still</p>', "<p>still</p>", "fixed"),
        ('<a href="javascript:go()">link</a>', "link", "javascript"),
        ('<a href="/logout">out</a>', "out", "logout"),
        ("<form><input name=password></form>ask", "ask", "password"),
    ],
)
def test_a_servers_html_is_sanitized(markup: str, kept: str, gone: str) -> None:
    cleaned = _html.sanitized(markup)
    assert kept in cleaned
    assert not gone or gone not in cleaned
