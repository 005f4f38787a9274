"""How many students on the day that counts, and how large their sections are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.provisioning.places import places
from canvas_reports_nb.analysis.provisioning.tables import (
    has_role,
    has_status,
    select_as,
    takes_tables,
    unique_rows,
)
from canvas_reports_nb.catalog.parameters import is_number, near
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import as_list, check_joinable, require_columns, to_lazy

_PERSON, _COURSE, _SECTION = "canvas_user_id", "canvas_course_id", "canvas_section_id"
_SEAT = (_PERSON, _COURSE, _SECTION, "role", "status")
# What else of each table is read, if it has it.
_ALSO = {
    "enrollments": ("base_role_type",),
    "courses": ("course_id", "long_name", "canvas_term_id", "canvas_account_id"),
}
# Groups of courses: the table that describes them, their id, and its other columns with their names here.
_BY = {
    "course": ("courses", _COURSE, {"course_id": "course_id", "long_name": "course"}),
    "term": ("terms", "canvas_term_id", {"term_id": "term_id", "name": "term"}),
    "account": ("accounts", "canvas_account_id", {"account_id": "account_id", "name": "account"}),
}
_LEVELS = ("college", "department")
# Groups of enrollments, by their own columns.
_OWN = ("role", "status")
_ALL = "__all"
_WORTH = ("credit_hours", "fte", "seats_without_credits")
_COUNTS = ("headcount", "seats", "section_seats", "courses", "sections")
_EXCLUDED = "excluded"


def _by_words(by: str | Sequence[str] | None) -> str:
    return "" if by is None else f" by {' and '.join(as_list(by))}"


@defined(
    lambda given: (
        f"{'People' if 'role' in as_list(given['by'] or ()) else 'Students'} with "
        f"{'any' if given['states'] is None else ', '.join(as_list(given['states']))} enrollments"
        f"{_by_words(given['by'])}: headcount counts each person once, seats each person once per course, section_seats once per section; fte is credit hours "
        f"divided by {given['full_load']:g}. Only section_seats adds up over rows."
    )
)
@takes_tables("terms", "accounts", also=_ALSO, enrollments=_SEAT, courses=(_COURSE,))
def census(
    tables: Mapping[str, pl.LazyFrame],
    by: str | Sequence[str] | None = "term",
    *,
    states: Iterable[str] | None = ("active",),
    credits: Any = None,  # noqa: A002 - the word registrars use
    full_load: float = 15.0,
) -> pl.LazyFrame:
    """Count students, seats, courses, sections and credit hours by term, college, department or role.

    To count a past day, read the run of that day: ``canvas.read_tables(..., as_of="2026-09-14")``.

    Parameters
    ----------
    tables : mapping of str to frame
        ``enrollments``, ``courses`` and ``terms`` of one provisioning_csv run; ``accounts`` for accounts, colleges
        and departments.
    by : {"term", "account", "college", "department", "course", "role", "status"}, a sequence of them, or None
        ``None`` counts everything in one row. Colleges and departments are those of `places`. By ``"role"``, a
        school's own roles too, everybody counts, not only students: ``by=("term", "role", "status"), states=None``.
    states : iterable of str, or None
        Enrollment states that count; ``None`` counts all.
    credits : frame, optional
        The school's list of credits, of any kind: ``course_id`` or ``canvas_course_id``, and ``credits``.
    full_load : float
        Credit hours of one full-time student.

    Returns
    -------
    frame
        The kind of ``enrollments``, one row per group that has students, sorted by the ids. First ids and name of
        the group; then ``headcount`` (people), ``seats`` (people per course), ``section_seats`` (people per
        section), ``courses`` and ``sections`` with students (Int64). ``credit_hours`` (Float64: the credits of all
        seats), ``fte`` (credit hours divided by ``full_load``) and ``seats_without_credits`` (Int64: seats in
        courses that the list lacks) are missing without ``credits``. Students count by base role, so a school's
        own role counts as the one it was made from.

    Notes
    -----
    Only ``section_seats`` can be added up over rows: a person in two colleges has one head in each, and one in
    total.

    Examples
    --------
    >>> census = crn.provisioning.census(tables, by="term")
    >>> census[["term", "headcount", "seats"]].tail(2).values.tolist()
    [['Spring 2026', 115, 414], ['Summer 2026, Session I/II', 24, 37]]
    """
    if not is_number(full_load) or full_load <= 0:
        raise ParameterError(f"Can't use full_load={full_load!r}.", hint="Give credit hours: full_load=15.")
    courses, ids, labels = _groups_of(tables, by, "census", _OWN)
    own = [name for name in _OWN if name in ids]
    counted = _enrolled(tables["enrollments"], states, None if "role" in own else "student")
    rows = counted.select(_PERSON, _COURSE, _SECTION, pl.col(own).cast(pl.String)).unique()
    rows = rows.join(courses, on=_COURSE, how="left")
    # Courses that the run does not list, such as deleted ones, belong to no group, but to all.
    rows = rows.with_columns(pl.col(each).fill_null(0) for each in ids if each == _ALL)
    seats = rows.select(*dict.fromkeys((*ids, _PERSON, _COURSE))).unique()
    sections = rows.select(*ids, _PERSON, _SECTION).drop_nulls(_SECTION).unique()
    if credits is None:
        seats = seats.with_columns(pl.lit(None, pl.Float64).alias("credits"))
    else:
        seats = seats.join(_credits_of(tables, credits), on=_COURSE, how="left")
    worth = pl.col("credits")
    counts = seats.group_by(ids).agg(
        pl.col(_PERSON).n_unique().alias("headcount"),
        pl.len().alias("seats"),
        pl.col(_COURSE).n_unique().alias("courses"),
        # Added up in ascending order, so that equal tables give equal bits.
        pl.when(worth.count() > 0).then(worth.sort().implode().list.sum()).alias("credit_hours"),
        (pl.lit(None, pl.Int64) if credits is None else worth.null_count()).alias("seats_without_credits"),
    )
    by_section = sections.group_by(ids).agg(
        pl.len().alias("section_seats"), pl.col(_SECTION).n_unique().alias("sections")
    )
    table = counts.join(by_section, on=ids, how="left", nulls_equal=True).with_columns(
        pl.col(_COUNTS).fill_null(0).cast(pl.Int64),
        pl.col("seats_without_credits").cast(pl.Int64),
        (pl.col("credit_hours") / float(full_load)).alias("fte"),
    )
    return _labeled(table, ids, labels).select(pl.exclude(*_COUNTS, *_WORTH, _ALL), *_COUNTS, *_WORTH)


def _enrolled(enrollments: pl.LazyFrame, states: Iterable[str] | None, role: str | None) -> pl.LazyFrame:
    """Return the enrollments with one of these states and this base role; ``None`` counts all."""
    asked = [] if states is None else [has_status(states)]
    asked += [] if role is None else [has_role(enrollments, role)]
    return enrollments.filter(*asked, pl.col(_PERSON).is_not_null(), pl.col(_COURSE).is_not_null())


def _credits_of(tables: Mapping[str, pl.LazyFrame], given: Any) -> pl.LazyFrame:
    """Return the credits of each course by Canvas id, from a list whose cells may all be text."""
    listed, what = to_lazy(given), "census, in credits,"
    names = listed.collect_schema().names()
    key = _COURSE if _COURSE in names else "course_id"
    require_columns(listed, (key, "credits"), what, given=given)
    require_columns(tables["courses"], (key,), "census, in the table 'courses',")
    kind = listed.collect_schema()[key]
    if key == "course_id" and kind.is_numeric():
        raise ParameterError(
            f"{what} got course_id as numbers ({kind}), which have lost their leading zeros.",
            hint='Read the list with crn.read_file(path, "credits"), which keeps ids as they are written.',
        )
    course = pl.col(key).cast(pl.Int64) if kind.is_float() else pl.col(key)
    amount = pl.col("credits").cast(pl.String).str.strip_chars()
    rows = (
        listed.select(
            course.cast(pl.String).alias("__key"), pl.when(amount != "").then(amount).alias("__text")
        )
        .drop_nulls()
        .with_columns(pl.col("__text").cast(pl.Float64, strict=False).alias("credits"))
        .unique(["__key", "credits"])
        .sort("__key", "__text")
        .collect()
    )
    for text in rows.filter(pl.col("credits").is_null())["__text"]:
        raise ParameterError(
            f"{what} can't read {text!r} as a number.", hint="Correct that cell of the list."
        )
    for course_id in rows.filter(pl.col("__key").is_duplicated())["__key"]:
        raise ParameterError(
            f"{what} found several numbers of credits for the course {course_id!r}.",
            hint="Keep one row per course.",
        )
    courses = unique_rows(tables, "courses").select(_COURSE, pl.col(key).cast(pl.String).alias("__key"))
    return courses.join(rows.lazy(), on="__key").select(_COURSE, "credits")


def _groups_of(
    tables: Mapping[str, pl.LazyFrame], by: str | Sequence[str] | None, analysis: str, own: Sequence[str] = ()
) -> tuple[pl.LazyFrame, list[str], list[pl.LazyFrame]]:
    """Return the groups of each course, the columns that identify them, and the other columns of each."""
    courses = unique_rows(tables, "courses")
    ids: list[str] = []
    keyed, labels = courses.select(_COURSE), []
    for each in [] if by is None else as_list(by):
        if each in own:
            ids.append(each)
            continue
        if each in _LEVELS:
            _require_table(tables, "accounts", each, analysis)
            found, key = places(tables), each
        elif each in _BY:
            table, key, columns = _BY[each]
            _require_table(tables, table, each, analysis)
            require_columns(courses, (key,), f"{analysis}, in the table 'courses',")
            check_joinable(courses, key, tables[table], key)
            found = courses
            labels.append(select_as(unique_rows(tables, table), key, columns))
        else:
            known = (*_BY, *_LEVELS, *own)
            raise ParameterError(
                f"Unknown by={each!r}.", hint=f"{near(each, known)}Use one or more of {', '.join(known)}."
            )
        ids.append(key)
        if key != _COURSE:
            keyed = keyed.join(found.select(_COURSE, key), on=_COURSE, how="left")
    if not ids:
        return keyed.with_columns(pl.lit(0).alias(_ALL)), [_ALL], []
    return keyed, ids, labels


def _require_table(tables: Mapping[str, pl.LazyFrame], name: str, by: str, analysis: str) -> None:
    if name not in tables:
        raise ParameterError(
            f"{analysis} needs the table {name!r} for by={by!r}.",
            hint=f"Read it from the same run, with {name}=True.",
        )


def _labeled(counts: pl.LazyFrame, ids: Sequence[str], labels: Iterable[pl.LazyFrame]) -> pl.LazyFrame:
    """Sort groups by their ids, and add their names."""
    for each in labels:
        key = each.collect_schema().names()[0]
        counts = counts.join(each, on=key, how="left")
    return counts.sort(ids, nulls_last=True)


@defined(
    lambda given: (
        "Students with active enrollments per class"
        f"{_by_words(given['by'])}, each counted once: "
        + (
            "the cross-listed sections of a course and its other sections are one class"
            if given["crosslists"] == "merge"
            else "each section is a class of the course it was made for"
        )
        + f"; classes under {min(given['bands'])} are excluded."
    )
)
@takes_tables(
    *("xlist", "courses", "terms", "accounts"),
    also=_ALSO,
    enrollments=_SEAT,
    sections=(_SECTION, _COURSE, "status"),
)
def section_sizes(
    tables: Mapping[str, pl.LazyFrame],
    by: str | Sequence[str] | None = None,
    *,
    crosslists: Literal["merge", "home"] = "merge",
    bands: Sequence[int] = (2, 10, 20, 30, 40, 50, 100),
) -> pl.LazyFrame:
    """Count sections by the number of their students, in the bands of the Common Data Set.

    Parameters
    ----------
    tables : mapping of str to frame
        ``sections`` and ``enrollments`` of one provisioning_csv run, and its ``xlist``, without which no section
        counts as cross-listed; with ``by``, also ``courses``, and ``terms`` or ``accounts``.
    by : {"term", "account", "college", "department", "course"}, a sequence of them, or None
        As for `census`; ``None`` counts all sections together.
    crosslists : {"merge", "home"}
        "merge" counts the cross-listed sections of a course together with its other sections, as one class.
        "home" counts each section by itself, in the course it was made for.
    bands : sequence of int
        The smallest size of each band, in ascending order.

    Returns
    -------
    frame
        The kind of ``enrollments``, one row per group and band that has sections: ids and name of the group, if
        ``by`` is given; ``band`` (text: ``excluded`` under the first band, then ``2-9`` to ``100+``, in this
        order) and ``sections`` (Int64). A student with an active enrollment counts once, by base role. Deleted
        sections don't count.

    Examples
    --------
    >>> sizes = crn.provisioning.section_sizes(tables)
    >>> sizes.head(3).values.tolist()
    [['excluded', 41], ['2-9', 67], ['10-19', 31]]
    """
    starts = _check_bands(bands)
    if crosslists not in ("merge", "home"):
        raise ParameterError(
            f"Unknown crosslists={crosslists!r}.",
            hint=f'{near(str(crosslists), ("merge", "home"))}Use "merge" or "home".',
        )
    if by is not None:
        _require_table(tables, "courses", str(by), "section_sizes")
    sections = unique_rows(tables, "sections").filter(~has_status(["deleted"]))
    classes = _classes(sections.select(_SECTION, _COURSE), tables.get("xlist"), crosslists)
    students = _enrolled(tables["enrollments"], ["active"], "student").select(_SECTION, _PERSON)
    sizes = (
        classes.join(students, on=_SECTION, how="left")
        .group_by(_COURSE, "__class")
        .agg(pl.col(_PERSON).drop_nulls().n_unique().alias("__size"))
    )
    courses, ids, labels = (None, [], []) if by is None else _groups_of(tables, by, "section_sizes")
    if courses is not None:
        sizes = sizes.join(courses, on=_COURSE, how="left")
    ends = [*(f"{low}-{high - 1}" if high - low > 1 else str(low) for low, high in pairwise(starts)), ""]
    names = pl.Series([_EXCLUDED, *ends[:-1], f"{starts[-1]}+"])
    place = pl.sum_horizontal(pl.col("__size") >= start for start in starts)
    counted = sizes.group_by(*ids, place.cast(pl.UInt32).alias("__band")).agg(
        pl.len().cast(pl.Int64).alias("sections")
    )
    named = _labeled(counted, [*ids, "__band"], labels).with_columns(
        pl.col("__band").replace_strict(range(len(names)), names, return_dtype=pl.String).alias("band")
    )
    return named.select(pl.exclude("__band", "band", "sections"), "band", "sections")


def _check_bands(bands: Sequence[int]) -> list[int]:
    starts = list(bands)
    whole = all(isinstance(start, int) and start > 0 for start in starts)
    if not starts or not whole or any(low >= high for low, high in pairwise(starts)):
        raise ParameterError(
            f"Can't use bands={bands!r}.",
            hint="Give whole numbers in ascending order, such as bands=(2, 10, 20, 30, 40, 50, 100).",
        )
    return starts


def _classes(
    sections: pl.LazyFrame, xlist: pl.LazyFrame | None, crosslists: Literal["merge", "home"]
) -> pl.LazyFrame:
    """Return each section with the course it counts in and its class, which several sections may share."""
    if xlist is None:
        return sections.with_columns(pl.col(_SECTION).alias("__class"))
    columns = (_SECTION, "canvas_xlist_course_id", "canvas_nonxlist_course_id", "status")
    require_columns(xlist, columns, "section_sizes, in the table 'xlist',")
    for own, column in ((_SECTION, _SECTION), (_COURSE, columns[1]), (_COURSE, columns[2])):
        check_joinable(sections, own, xlist, column)
    listed = xlist.filter(has_status(["active"]))
    if crosslists == "home":
        homes = listed.sort("canvas_nonxlist_course_id", nulls_last=True).unique(
            _SECTION, keep="first", maintain_order=True
        )
        home = homes.select(_SECTION, pl.col("canvas_nonxlist_course_id").alias("__home"))
        return sections.join(home, on=_SECTION, how="left").select(
            _SECTION, pl.coalesce("__home", _COURSE).alias(_COURSE), pl.col(_SECTION).alias("__class")
        )
    hosts = listed.select(pl.col("canvas_xlist_course_id").alias(_COURSE), pl.lit(value=True).alias("__host"))
    # The sections of such a course share a missing number; the course tells the classes apart.
    alone = pl.when(pl.col("__host").is_null()).then(pl.col(_SECTION)).alias("__class")
    return sections.join(hosts.unique(), on=_COURSE, how="left").select(_SECTION, _COURSE, alone)
