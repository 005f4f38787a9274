"""The tables of one run on their way into an analysis, and what the rows of each are counted by."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Protocol

import polars as pl

from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    require_columns,
    to_lazy,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence


REPORT = "provisioning_csv"
_P = ParamSpec("_P")


class _Wrap(Protocol):
    def __call__(
        self, analysis: Callable[Concatenate[dict[str, pl.LazyFrame], _P], pl.LazyFrame], /
    ) -> Callable[Concatenate[Mapping[str, FrameT], _P], FrameT]: ...


# A login's name is used once among live logins only, so a deleted one may have it, too.
_LOGIN = ("canvas_user_id", "login_id", "authentication_provider_id", "user_id", "status")


def over_tables(**needed: Sequence[str]) -> _Wrap:
    """Let an analysis of polars queries take the tables of a run, and check that they fit it and each other.

    Parameters
    ----------
    **needed : sequence of str
        The tables by name, each with the columns the analysis can't do without. The first one's kind
        (pandas, polars, ...) is the kind of the result.
    """

    def chosen(tables: Mapping[str, Any], analysis: str) -> dict[str, pl.LazyFrame]:
        missing = [name for name in needed if name not in tables]
        if missing:
            raise ParameterError(
                f"{analysis} needs the table {', '.join(map(repr, missing))}, which was not given.",
                hint=_switches(needed),
            )
        given = {name: to_lazy(tables[name]) for name in needed}
        for name, columns in needed.items():
            require_columns(given[name], columns, f"{analysis}, of the table {name!r},")
        for table, column, target, key in pointers(needed):
            if key.startswith("canvas_"):
                made_of = (tables[table], tables[target])
                check_joinable(given[table], column, given[target], key, made_of=made_of)
        return given

    return _over(chosen, needed)


def over_any_table(*known: str) -> _Wrap:
    """As `over_tables`, for an analysis of whichever of the known tables are given."""

    def chosen(tables: Mapping[str, Any], analysis: str) -> dict[str, pl.LazyFrame]:
        given = {name: to_lazy(tables[name]) for name in known if name in tables}
        if not given:
            raise ParameterError(
                f"{analysis} needs at least one of the tables {', '.join(known)}.", hint=_switches(known)
            )
        return given

    return _over(chosen, known)


def _over(
    chosen: Callable[[Mapping[str, Any], str], dict[str, pl.LazyFrame]], wanted: Iterable[str]
) -> _Wrap:
    def wrap(
        analysis: Callable[Concatenate[dict[str, pl.LazyFrame], _P], pl.LazyFrame],
    ) -> Callable[Concatenate[Mapping[str, FrameT], _P], FrameT]:
        @wraps(analysis)
        def wrapped(tables: Mapping[str, FrameT], /, *args: _P.args, **kwargs: _P.kwargs) -> FrameT:
            _refuse_no_mapping(tables, wanted, analysis.__name__)
            given = chosen(tables, analysis.__name__)
            first, *others = (tables[name] for name in given)
            return as_kind_of(analysis(given, *args, **kwargs), first, *others)

        return wrapped

    return wrap


def _refuse_no_mapping(tables: Any, wanted: Iterable[str], analysis: str) -> None:
    if not isinstance(tables, Mapping):
        raise ParameterError(
            f"{analysis} takes the tables of a run by name, not a {type(tables).__name__}.",
            hint=_switches(wanted),
        )


def _switches(wanted: Iterable[str]) -> str:
    switches = ", ".join(f"{name}=True" for name in wanted)
    return f'Get them of one run: canvas.read_tables("{REPORT}", {switches}).'


def once(tables: Mapping[str, pl.LazyFrame], name: str) -> pl.LazyFrame:
    """A table with each of its rows once, by its documented key, in its own order.

    Canvas writes none twice, but runs of several accounts or terms that were stacked repeat them. Of rows
    with the same key the first counts.
    """
    frame, described = tables[name], schema(REPORT).table(name)  # type: ignore[union-attr] # it is known
    held = frame.collect_schema().names()
    if name == "users":
        key = [column for column in _LOGIN if column in held]
        return frame.unique(key, keep="first", maintain_order=True)
    keys = (described.key, described.older_key) if described else ()
    whole = next((list(key) for key in keys if key and set(key) <= set(held)), None)
    return frame.unique(whole, keep="first", maintain_order=True)


def wide(frame: pl.LazyFrame, key: str, columns: Mapping[str, str]) -> pl.LazyFrame:
    """The key and those of the columns the frame has, under the names they get beside other tables."""
    held = frame.collect_schema().names()
    return frame.select(key, *(pl.col(name).alias(new) for name, new in columns.items() if name in held))


def of_role(enrollments: pl.LazyFrame, role: str) -> pl.Expr:
    """Whether an enrolment is of a base role (``"student"``, ...), custom roles made from it included.

    Older files don't tell the base role; there only the role itself counts.
    """
    if "base_role_type" in enrollments.collect_schema().names():
        return pl.col("base_role_type").cast(pl.String) == f"{role.title()}Enrollment"
    return pl.col("role").cast(pl.String) == role


def in_states(states: Iterable[str]) -> pl.Expr:
    """Whether a row's status is one of these."""
    return pl.col("status").cast(pl.String).is_in(as_list(states))


_KEYS = {
    "users": "user_id",
    "accounts": "account_id",
    "terms": "term_id",
    "courses": "course_id",
    "sections": "section_id",
    "groups": "group_id",
    "group_categories": "group_category_id",
}
# A column with "canvas_" before it holds Canvas ids, the same without it SIS ids; a file may have both.
_POINTERS = {
    "accounts": {"parent_id": "accounts", "parent_account_id": "accounts"},
    "courses": {"account_id": "accounts", "term_id": "terms", "blueprint_course_id": "courses"},
    "sections": {"course_id": "courses", "account_id": "accounts"},
    "enrollments": {
        "course_id": "courses",
        "user_id": "users",
        "section_id": "sections",
        "associated_user_id": "users",
        "temporary_enrollment_source_user_id": "users",
    },
    "groups": {"group_category_id": "group_categories", "account_id": "accounts", "course_id": "courses"},
    "group_membership": {"group_id": "groups", "user_id": "users"},
    "group_categories": {"account_id": "accounts", "course_id": "courses"},
    "xlist": {"xlist_course_id": "courses", "section_id": "sections", "nonxlist_course_id": "courses"},
    "user_observers": {"observer_id": "users", "student_id": "users"},
    "admins": {"user_id": "users", "account_id": "accounts"},
}
#: The tables that point or are pointed to.
KNOWN = tuple(dict.fromkeys([*_KEYS, *_POINTERS]))


class Pointer(NamedTuple):
    """A column of a table, and the column of another that has what it names."""

    table: str
    column: str
    target: str
    key: str


def pointers(held: Mapping[str, Collection[str]]) -> Iterator[Pointer]:
    """Those between the columns at hand, given by table: Canvas ids and SIS ids."""
    for table, columns in _POINTERS.items():
        for column, target in columns.items():
            for prefix in ("canvas_", ""):
                pointer = Pointer(table, prefix + column, target, prefix + _KEYS[target])
                if pointer.column in held.get(table, ()) and pointer.key in held.get(target, ()):
                    yield pointer
