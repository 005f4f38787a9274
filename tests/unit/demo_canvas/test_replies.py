import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.demo_canvas.refusals import Refusal
from canvas_reports_nb.demo_canvas.replies import HEADER_LIMIT, paginate

URL = "http://127.0.0.1:1/api/v1/accounts/1/terms"


def links(header):
    return {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', header)}


def number(url):
    return int(re.search(r"[?&]page=(\d+)&per_page=\d+$", url)[1])


@given(count=st.integers(0, 60), size=st.integers(-3, 120), page=st.integers(1, 70))
def test_pages_cover_the_list_once_and_links_agree(count, size, page):
    items = range(count)
    found, link = paginate(items, URL, [("page", str(page)), ("per_page", str(size)), ("kept[]", "a b")])
    clamped = min(max(size, 1), 100)
    assert list(found) == list(items)[(page - 1) * clamped : page * clamped]
    seen = links(link)
    assert list(seen) == [rel for rel in ("current", "next", "prev", "first", "last") if rel in seen]
    assert ("next" in seen) == (page * clamped < count)
    assert ("prev" in seen) == (page > 1)
    assert number(seen["current"]) == page
    assert number(seen["last"]) == max(1, -(-count // clamped))
    assert all("kept[]=a+b" in url for url in seen.values())


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", ""])
def test_an_invalid_page_is_not_found(page):
    with pytest.raises(Refusal) as caught:
        paginate([1], URL, [("page", page)])
    assert caught.value.status == 404


@pytest.mark.parametrize(("sent", "size"), [(None, 10), ("0", 1), ("many", 1), ("", 1), ("101", 100)])
def test_a_per_page_that_is_not_a_number_counts_as_one(sent, size):
    found, _ = paginate(range(200), URL, [] if sent is None else [("per_page", sent)])
    assert len(found) == size


def test_a_list_of_unknown_length_has_no_last_page():
    _, header = paginate(range(30), URL, [("page", "2"), ("api_key", "secret")], has_last=False)
    assert list(links(header)) == ["current", "next", "prev", "first"]
    assert "secret" not in header


def test_the_token_is_left_out_and_a_long_header_loses_the_least_useful_links():
    query = [("page", "2"), ("per_page", "1"), ("access_token", "secret"), ("q", "x" * 1_300)]
    _, header = paginate([1, 2, 3], URL, query)
    assert "secret" not in header
    assert len(header) <= HEADER_LIMIT
    assert list(links(header)) == ["current", "next", "prev", "last"]
