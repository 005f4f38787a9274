import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canvas_reports_nb.demo_canvas.pagination import HEADER_LIMIT, NoSuchPageError, paginate

URL = "http://127.0.0.1:1/api/v1/accounts/1/terms"


def links(header):
    return {rel: url for url, rel in re.findall(r'<([^>]*)>; rel="(\w+)"', header)}


def number(url):
    return int(re.search(r"[?&]page=(\d+)&per_page=\d+$", url)[1])


@given(count=st.integers(0, 60), size=st.integers(-3, 120), page=st.integers(1, 70))
def test_pages_cover_the_list_once_and_links_agree(count, size, page):
    items = range(count)
    found = paginate(items, URL, [("page", str(page)), ("per_page", str(size)), ("kept[]", "a b")])
    clamped = 10 if size < 0 else min(max(size, 1), 100)
    assert list(found.items) == list(items)[(page - 1) * clamped : page * clamped]
    seen = links(found.link)
    assert list(seen) == [rel for rel in ("current", "next", "prev", "first", "last") if rel in seen]
    assert ("next" in seen) == (page * clamped < count)
    assert ("prev" in seen) == (page > 1)
    assert number(seen["current"]) == page
    assert number(seen["last"]) == max(1, -(-count // clamped))
    assert all("kept[]=a+b" in url for url in seen.values())


@pytest.mark.parametrize("page", ["0", "-1", "x", "1.5", ""])
def test_nonsense_is_no_page(page):
    with pytest.raises(NoSuchPageError):
        paginate([1], URL, [("page", page)])


def test_the_token_is_left_out_and_a_long_header_loses_the_least_useful_links():
    query = [("page", "2"), ("per_page", "1"), ("access_token", "secret"), ("q", "x" * 1_300)]
    header = paginate([1, 2, 3], URL, query).link
    assert "secret" not in header
    assert len(header) <= HEADER_LIMIT
    assert list(links(header)) == ["current", "next", "prev", "last"]
