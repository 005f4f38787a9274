"""Pages of a list, with the Link header of Canvas."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

T = TypeVar("T")

DEFAULT_PER_PAGE = 10
HEADER_LIMIT = 6_000
SHOWN = ("current", "next", "prev", "first", "last")
KEPT_FIRST = ("next", "last", "prev", "current", "first")


class NoSuchPageError(ValueError):
    """The page asked for is not a page number."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list and the header that leads to the others."""

    items: Sequence[T]
    link: str


def paginate(items: Sequence[T], url: str, query: Iterable[tuple[str, str]], largest: int = 100) -> Page[T]:
    """Cut the page out of `items` that `query` asks for.

    Parameters
    ----------
    url
        Absolute address of the list, without a query.
    query
        The request's query parameters in order; all but the token are kept in the links.
    largest
        To which `per_page` is silently clamped.
    """
    asked = dict(query)
    number = _page_number(asked.get("page", "1"))
    size = min(max(_integer(asked.get("per_page", ""), DEFAULT_PER_PAGE), 1), largest)
    last = max(1, -(-len(items) // size))
    pages = {"current": number, "first": 1, "last": last}
    if number < last:
        pages["next"] = number + 1
    if number > 1:
        pages["prev"] = number - 1
    kept = [(k, v) for k, v in query if k not in {"page", "per_page", "access_token"}]
    links = {
        rel: f'<{url}?{urlencode([*kept, ("page", page), ("per_page", size)], safe="[]")}>; rel="{rel}"'
        for rel, page in pages.items()
    }
    return Page(items[(number - 1) * size : number * size], _header(links))


def _header(links: dict[str, str]) -> str:
    fitting: set[str] = set()
    room = HEADER_LIMIT
    for rel in KEPT_FIRST:
        if rel in links and len(links[rel]) < room:
            room -= len(links[rel]) + 1
            fitting.add(rel)
    return ",".join(links[rel] for rel in SHOWN if rel in fitting)


def _page_number(text: str) -> int:
    number = _integer(text, 0)
    if number < 1:
        raise NoSuchPageError(text)
    return number


def _integer(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() else default
