"""The tables of one run as input of an analysis: checks, keys, and references between them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, cast

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    is_typed,
    require_columns,
    to_lazy,
)

if TYPE_CHECKING:
    import pandas as pd

_REPORT = "provisioning_csv"
_P = ParamSpec("_P")
_F = TypeVar("_F", bound=Callable[..., Any])
#: What tells logins apart: a login name is unique only among those that are not deleted.
LOGIN = ("canvas_user_id", "login_id", "authentication_provider_id", "user_id", "status")
_KEYS = {
    **{f"{one}s": f"{one}_id" for one in ("user", "account", "term", "course", "section", "group")},
    "group_categories": "group_category_id",
}
# Columns that refer to another table, by SIS id; with "canvas_" in front of the name, by Canvas id.
_REFERENCES = {
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
#: The tables with references or keys.
KNOWN = tuple(dict.fromkeys([*_KEYS, *_REFERENCES]))


class _Wrap(Protocol):
    def __call__(
        self, analysis: Callable[Concatenate[dict[str, pl.LazyFrame], _P], pl.LazyFrame], /
    ) -> Callable[Concatenate[Mapping[str, FrameT], _P], FrameT]: ...


def takes_tables(
    *known: str,
    also: Mapping[str, Collection[str]] | None = None,
    joined: Mapping[str, tuple[str, str, str]] | None = None,
    **needed: Sequence[str],
) -> _Wrap:
    """Let an analysis of polars queries take a mapping of frames of any kind.

    It gets all ``needed`` tables, after a check that they have the given columns and can be joined, and the ``known``
    ones that are given, at least one if it needs none. The result is of the kind of the first table. With ``also``,
    the analysis reads only the needed columns and these, so that no others are converted. ``joined`` names arguments
    that are frames, each with its column of ids, and the table and column it must match.
    """

    def wrap(
        analysis: Callable[Concatenate[dict[str, pl.LazyFrame], _P], pl.LazyFrame],
    ) -> Callable[Concatenate[Mapping[str, FrameT], _P], FrameT]:
        signature = inspect.signature(analysis)

        @wraps(analysis)
        def wrapped(tables: Mapping[str, FrameT], /, *args: _P.args, **kwargs: _P.kwargs) -> FrameT:
            given = lazy_tables(tables, analysis.__name__, known, needed, also)
            arguments = signature.bind(given, *args, **kwargs).arguments
            for name, (column, table, key) in (joined or {}).items():
                if arguments.get(name) is not None:
                    frame = arguments[name]
                    rows = to_lazy(frame, (column,))
                    require_columns(rows, (column,), f"{analysis.__name__}, in {name},", given=frame)
                    check_joinable(given[table], key, rows, column, made_of=(tables[table], frame))
            first, *others = (tables[name] for name in given)
            return as_kind_of(analysis(given, *args, **kwargs), first, *others)

        summary = (analysis.__doc__ or "").partition("\n")[0].removeprefix("Return ")
        return defined(f"{summary[:1].upper()}{summary[1:]}")(wrapped)

    return wrap


def gathers(
    by_rows: Callable[[Mapping[str, Any]], pd.DataFrame], **needed: Sequence[str]
) -> Callable[[_F], _F]:
    """Let an analysis of typed pandas tables only look up rows, and take their columns as pandas would.

    ``by_rows`` gets the tables, whose needed Canvas ids are numbers.
    """

    def wrap(analysis: _F) -> _F:
        @wraps(analysis)
        def wrapped(tables: Any, /) -> Any:
            given = tables if isinstance(tables, Mapping) else {}
            fits = all(_has_numbers(given.get(name), columns) for name, columns in needed.items())
            return by_rows(given) if fits else analysis(tables)

        return cast("_F", wrapped)

    return wrap


def _has_numbers(frame: Any, columns: Sequence[str]) -> bool:
    """Whether a frame is typed and has these columns, with numbers in those of Canvas ids."""
    return is_typed(frame) and all(
        name in frame.columns and (frame.dtypes[name] == "Int64" or not name.startswith("canvas_"))
        for name in columns
    )


def lazy_tables(
    tables: Mapping[str, Any],
    analysis: str,
    known: Collection[str],
    needed: Mapping[str, Sequence[str]],
    also: Mapping[str, Collection[str]] | None = None,
) -> dict[str, pl.LazyFrame]:
    """Return the needed tables and the known ones that are given as queries, after the checks of `takes_tables`."""
    _check_names(tables, analysis, known, needed)
    only = {} if also is None else {name: {*columns, *also.get(name, ())} for name, columns in needed.items()}
    given = {name: to_lazy(tables[name], only.get(name)) for name in (*needed, *known) if name in tables}
    for name, columns in needed.items():
        require_columns(given[name], columns, f"{analysis}, in the table {name!r},", given=tables[name])
    for table, column, target, key in references_between(needed):
        if key.startswith("canvas_"):
            made_of = (tables[table], tables[target])
            check_joinable(given[table], column, given[target], key, made_of=made_of)
    return given


def _check_names(tables: Any, analysis: str, known: Collection[str], needed: Collection[str]) -> None:
    switches = ", ".join(f"{name}=True" for name in (*known, *needed))
    hint = f'Read them from one run: canvas.read_tables("{_REPORT}", {switches}).'
    if not isinstance(tables, Mapping):
        kind = type(tables).__name__
        raise ParameterError(f"{analysis} takes a mapping of tables by name, not a {kind}.", hint=hint)
    missing = [name for name in needed if name not in tables]
    if missing:
        raise ParameterError(f"{analysis} needs the table {', '.join(map(repr, missing))}.", hint=hint)
    if not needed and not any(name in tables for name in known):
        names = ", ".join(known)
        raise ParameterError(f"{analysis} needs at least one of the tables {names}.", hint=hint)


def unique_rows(tables: Mapping[str, pl.LazyFrame], name: str) -> pl.LazyFrame:
    """Return a table with the first row per documented key, in its own order.

    Canvas writes no row twice, but stacked runs of several accounts or terms repeat them.
    """
    rows = tables[name]
    columns = rows.collect_schema().names()
    return rows.unique(key_of(name, columns), keep="first", maintain_order=True)


def key_of(name: str, columns: Collection[str]) -> list[str] | None:
    """Return the documented key of a table that has these columns, or that of older files."""
    if name == "users":
        return [column for column in LOGIN if column in columns]
    table = schema(_REPORT).table(name)  # type: ignore[union-attr] # the schema is built in
    keys = (table.key, table.older_key) if table else ()
    return next((list(key) for key in keys if key and set(key) <= set(columns)), None)


def select_as(rows: pl.LazyFrame, key: str, columns: Mapping[str, str]) -> pl.LazyFrame:
    """Return the key and the columns that exist, under their new names."""
    names = rows.collect_schema().names()
    return rows.select(key, *(pl.col(name).alias(new) for name, new in columns.items() if name in names))


def has_role(enrollments: pl.LazyFrame, role: str) -> pl.Expr:
    """Whether an enrollment has a base role such as ``"student"``; older files have only the role itself."""
    if "base_role_type" in enrollments.collect_schema().names():
        return pl.col("base_role_type").cast(pl.String) == f"{role.title()}Enrollment"
    return pl.col("role").cast(pl.String) == role


def has_status(states: Iterable[str]) -> pl.Expr:
    """Whether the status of a row is one of these."""
    return pl.col("status").cast(pl.String).is_in(as_list(states))


class Reference(NamedTuple):
    """A column that refers to the key of another table."""

    table: str
    column: str
    target: str
    key: str


def references_between(columns: Mapping[str, Collection[str]]) -> Iterator[Reference]:
    """Return the references among the given columns by table."""
    for table, targets in _REFERENCES.items():
        for column, target in targets.items():
            for prefix in ("canvas_", ""):
                reference = Reference(table, prefix + column, target, prefix + _KEYS[target])
                if reference.column in columns.get(table, ()) and reference.key in columns.get(target, ()):
                    yield reference
