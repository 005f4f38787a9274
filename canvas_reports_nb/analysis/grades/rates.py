"""Rates of success, D, F and withdrawal by course, term, department or group of students."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.grades.letters import CLASS, CLASSES, same_integers
from canvas_reports_nb.analysis.grades.marks import unknown_choice
from canvas_reports_nb.analysis.provisioning.places import places as places_of
from canvas_reports_nb.catalog.parameters import is_number, near
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError, warn
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    column_names,
    require_columns,
    to_lazy,
)

_PERSON, _COURSE = "student id", "course id"
#: The ids and the names of each level; any other column of the frame is a level, too.
_LEVELS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "course": ((_COURSE,), ("course sis", "course")),
    "section": ((_COURSE, "section id"), ("section sis", "section", "course")),
    "term": (("term id",), ("term sis", "term")),
    "account": (("canvas_account_id",), ("account_path",)),
}
_SUCCESS = ("A", "B", "C", "P")
_DFW = ("D", "F", "NP", "W")
_VALID = (*_SUCCESS, *_DFW, "I")
_MEASURES: Mapping[str, tuple[str, ...]] = {
    "success": _SUCCESS,
    "completion": tuple(name for name in _VALID if name != "W"),
}
# Two-sided 95% of the normal distribution.
_Z = 1.959963984540054
# The same, as the proportionality gap method rounds it.
_MOE_Z = 1.96
_UNKNOWN = "unknown"


@defined(
    "Rates by {by}: dfw = (D+F+NP+W)/(valid-I), dfwi = (D+F+NP+W+I)/valid, success = (A+B+C+P)/valid, completion = "
    "(valid-W)/valid, where valid = A+B+C+D+F+P+NP+W+I, each student once per course; low to high is the 95% Wilson "
    "interval of dfw."
)
def rates(letters: FrameT, by: str | Sequence[str] = "course", places: Any = None) -> FrameT:
    """Count the letter classes by course or another level, with the rates of success and of D, F and W.

    Parameters
    ----------
    letters : DataFrame
        What `letters` returned, of any kind.
    by : str or sequence of str
        ``"course"``, ``"section"``, ``"term"``, ``"account"``, or any column of the frame or of ``places``, such
        as ``"department"``. By section, a student in two sections of a course counts in one of them.
    places : DataFrame or mapping of str to DataFrame, optional
        What ``provisioning.places`` returned, or the tables ``accounts`` and ``courses`` to make it from.

    Returns
    -------
    DataFrame
        The same kind of frame, one row per group, sorted by the ids of ``by``, which come first, with the names;
        ``students`` (people), one column per class and ``valid`` (Int64); ``dfw``, ``dfwi``, ``success``,
        ``completion``, ``low``, ``high`` (Float64; missing where nothing can be divided); ``gradebook unused``
        (boolean): more than half of those who stayed were never graded, so the rates say little. See the
        definition of the result for the formulas.

    Examples
    --------
    >>> rates = crn.grades.rates(crn.grades.letters(grades), by="term")
    >>> rates[["term", "students", "valid", "dfw"]].round(3).values.tolist()
    [['Spring 2026', 115, 388, 0.129]]
    """
    rows, ids, names = _by_level(letters, by, places, "rates")
    kind = pl.col(CLASS).cast(pl.String)
    grouped = rows.group_by(ids or pl.lit(0))
    counts = grouped.agg(
        # Equal in all rows of a group, apart from blanks.
        pl.col(names).drop_nulls().max(),
        pl.col(_PERSON).n_unique().cast(pl.Int64).alias("students"),
        *((kind == name).sum().cast(pl.Int64).alias(name) for name in CLASSES),
    ).with_columns(pl.sum_horizontal(_VALID).alias("valid"))
    dfw, judged = pl.sum_horizontal(_DFW), pl.col("valid") - pl.col("I")
    stayed = pl.sum_horizontal(set(CLASSES) - {"W", "dropped"})
    low, high = wilson(dfw, judged)
    measured = counts.select(
        *ids,
        *names,
        "students",
        *CLASSES,
        "valid",
        _share(dfw, judged).alias("dfw"),
        _share(dfw + pl.col("I"), pl.col("valid")).alias("dfwi"),
        *(_share(pl.sum_horizontal(of), pl.col("valid")).alias(name) for name, of in _MEASURES.items()),
        low.alias("low"),
        high.alias("high"),
        (2 * pl.col("none") > stayed).alias("gradebook unused"),
    )
    return as_kind_of(measured.sort(ids, nulls_last=True) if ids else measured, letters, *_frames(places))


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(part / whole)


def wilson(hits: pl.Expr, of: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return Wilson's 95% score interval of a share (JASA 22, 1927), between 0 and 1, missing of nothing."""
    share, spread = _share(hits, of), _Z * _Z / of
    middle = share + spread / 2
    reach = _Z * (share * (1 - share) / of + spread / (4 * of)).sqrt()
    low, high = (middle - reach) / (1 + spread), (middle + reach) / (1 + spread)
    return low.clip(lower_bound=0), high.clip(upper_bound=1)


def _frames(places: Any) -> list[Any]:
    return [] if places is None else list(places.values()) if isinstance(places, Mapping) else [places]


def _by_level(
    letters: Any, by: str | Sequence[str] | None, places: Any, analysis: str, *more: str
) -> tuple[pl.LazyFrame, list[str], list[str]]:
    """Return the needed columns of the letters with those of the places, and the ids and names of the levels."""
    levels = [] if by is None else as_list(by)
    if by is not None and not levels:
        raise ParameterError("by= is empty.", hint=f"Use one or more of {', '.join(_LEVELS)}.")
    ids, names = _columns_of(levels)
    wanted = {*ids, *names, _PERSON, _COURSE, CLASS, *more}
    rows = to_lazy(letters, wanted)
    require_columns(rows, (_PERSON, CLASS, *more), analysis, given=letters)
    if places is not None:
        rows = _placed(rows, letters, places, wanted)
    have = rows.collect_schema().names()
    missing = [name for name in ids if name not in have]
    if missing:
        known = dict.fromkeys([*_LEVELS, *column_names(letters)])
        raise UnknownColumnError(
            f"{analysis} by {', '.join(levels)} needs the column {missing[0]!r}.",
            hint=f"{near(missing[0], known)}Colleges, departments and accounts come from "
            "places=provisioning.places(tables), with the tables accounts and courses.",
        )
    return rows, ids, [name for name in names if name in have]


def _columns_of(levels: list[str]) -> tuple[list[str], list[str]]:
    """Return the ids of the levels, and their names without those."""
    columns = [_LEVELS.get(level, ((level,), ())) for level in levels]
    ids = list(dict.fromkeys(chain.from_iterable(ids for ids, _ in columns)))
    names = dict.fromkeys(chain.from_iterable(names for _, names in columns))
    return ids, [name for name in names if name not in ids]


def _placed(rows: pl.LazyFrame, letters: Any, places: Any, wanted: set[str]) -> pl.LazyFrame:
    """Join the columns of the places that the letters lack."""
    found = to_lazy(places_of(places) if isinstance(places, Mapping) else places)
    require_columns(found, ("canvas_course_id",), "places=")
    require_columns(rows, (_COURSE,), "places=", given=letters)
    found = same_integers(found, "canvas_course_id", rows.collect_schema()[_COURSE])
    made_of = (letters, places.get("courses") if isinstance(places, Mapping) else places)
    check_joinable(rows, _COURSE, found, "canvas_course_id", made_of=made_of)
    have = rows.collect_schema().names()
    shown = [name for name in found.collect_schema().names() if name in wanted and name not in have]
    keyed = found.select(pl.col("canvas_course_id").alias(_COURSE), *shown).unique(_COURSE, keep="first")
    return rows.join(keyed, on=_COURSE, how="left")


def _gap_sentence(call: Mapping[str, Any]) -> str:
    return (
        f"The {call['measure']} rate of each {call['group']} against {call['reference']}, where n counts valid grades; "
        f"the margin of error is 1.96 * sqrt(0.25 / n), at least {call['min_moe']}; a group of {call['minimum']} or more "
        "is disproportionate if its rate plus the margin is at most the reference."
    )


@defined(_gap_sentence)
def gaps(
    letters: FrameT,
    groups: Any,
    *,
    on: str | Mapping[str, str],
    group: str,
    by: str | Sequence[str] | None = None,
    places: Any = None,
    measure: Literal["success", "completion"] = "success",
    reference: str | float = "others",
    min_moe: float = 0.03,
    minimum: int = 10,
) -> FrameT:
    """Compare the success of groups of students, by the proportionality gap method.

    Parameters
    ----------
    letters : DataFrame
        What `letters` returned, of any kind.
    groups : DataFrame
        The school's own list: one row per student, with the group. Students who aren't in it are of the group
        "unknown".
    on : str or mapping of str to str
        The column of both frames that identifies a student, or ``{"student sis": "its name in groups"}``.
    group : str
        The column of ``groups`` with the group.
    by, places
        As in `rates`; ``None`` compares all grades together.
    measure : {"success", "completion"}
    reference : {"others", "overall", "highest"}, a group or a number
        What a group is compared with: all other students of the same level, all students, the group with the
        highest rate (of those with ``minimum`` grades, if there are any), one group, or a fixed rate.
    min_moe : float
        The smallest margin of error.
    minimum : int
        A group with fewer grades is small and never flagged.

    Returns
    -------
    DataFrame
        The kind of ``letters``, one row per level of ``by`` and group: the ids and names of the level, the group,
        ``n`` (valid grades), ``people``, ``successes`` (Int64), ``rate``, ``reference``, ``gap``, ``moe``,
        ``low``, ``high`` (Float64), ``disproportionate`` (boolean), ``needed`` (Int64: the successes that would
        close the gap to the margin) and ``small`` (boolean). To publish it, call ``crn.publish``.

    Warns
    -----
    ReportWarning
        Some students have no group. A lazy frame gives no warning.

    Examples
    --------
    >>> aid = grades[["student id"]].drop_duplicates()  # in earnest, a list of your school
    >>> aid["aid"] = ["yes" if one % 3 == 0 else "no" for one in aid["student id"]]
    >>> gaps = crn.grades.gaps(crn.grades.letters(grades), aid, on="student id", group="aid")
    >>> gaps[["aid", "n", "rate", "disproportionate"]].round(3).values.tolist()
    [['no', 256, 0.859, False], ['yes', 132, 0.894, False]]
    """
    if measure not in _MEASURES:
        raise unknown_choice("measure", measure, list(_MEASURES))
    key, theirs = (on, on) if isinstance(on, str) else next(iter(on.items()))
    rows, ids, names = _by_level(letters, by, places, "gaps", key)
    levels = [*ids, *names]
    dtype = rows.collect_schema()[key]
    listed = same_integers(_read_groups(groups, theirs, group).lazy().rename({theirs: key}), key, dtype)
    check_joinable(rows, key, listed, key, made_of=(letters, groups))
    kept = rows.select(list(dict.fromkeys([*levels, key, _PERSON, CLASS]))).filter(
        pl.col(CLASS).cast(pl.String).is_in(_VALID)
    )
    grouped = kept.join(listed.with_columns(pl.col(key).cast(dtype)), on=key, how="left")
    if not isinstance(letters, pl.LazyFrame):
        _report_unknown(grouped.filter(pl.col(group).is_null()))
    hit = pl.col(CLASS).cast(pl.String).is_in(_MEASURES[measure])
    counts = (
        grouped.with_columns(pl.col(group).fill_null(_UNKNOWN))
        .group_by(*ids, group)
        .agg(
            pl.col(names).drop_nulls().max(),
            pl.len().cast(pl.Int64).alias("n"),
            pl.col(_PERSON).n_unique().cast(pl.Int64).alias("people"),
            hit.sum().cast(pl.Int64).alias("successes"),
        )
        .with_columns(_share(pl.col("successes"), pl.col("n")).alias("rate"))
    )
    compared = _compared(counts, ids, group, reference=reference, min_moe=min_moe, minimum=minimum)
    shown = ("n", "people", "successes", "rate", "reference", "gap", "moe", "low", "high")
    ordered = compared.sort(
        *ids, pl.col(group) == _UNKNOWN, group, nulls_last=True, maintain_order=True
    ).select(*levels, group, *shown, "disproportionate", "needed", "small")
    return as_kind_of(ordered, letters, *_frames(places))


def _read_groups(groups: Any, key: str, group: str) -> pl.DataFrame:
    listed = to_lazy(groups, (key, group))
    require_columns(listed, (key, group), "gaps, in the groups,", given=groups)
    text = pl.col(group).cast(pl.String).str.strip_chars()
    named = listed.select(key, pl.when(text != "").then(text).alias(group))
    once = named.filter(pl.col(key).is_not_null()).drop_nulls(group).unique().collect()
    several = once.filter(pl.col(key).is_duplicated())[key].unique()
    if several.len():
        raise ParameterError(
            f"{several.len():,} students are in several groups of {group!r}.",
            hint="Give one row per student: filter the list to one dimension, or name the combination.",
        )
    return once


def _report_unknown(unknown: pl.LazyFrame) -> None:
    people = unknown.select(pl.col(_PERSON).n_unique()).collect().item()
    if people:
        warn(f"{people:,} students have no group. They are counted as {_UNKNOWN!r}.")


def _compared(
    counts: pl.LazyFrame, ids: list[str], group: str, *, reference: str | float, min_moe: float, minimum: int
) -> pl.LazyFrame:
    n, hits, rate = pl.col("n"), pl.col("successes"), pl.col("rate")

    def total(of: pl.Expr) -> pl.Expr:
        return of.over(ids) if ids else of

    enough = pl.when(n >= minimum).then(rate)
    against: pl.Expr
    if is_number(reference):
        against = pl.lit(float(reference))
    elif reference == "others":
        against = _share(total(hits.sum()) - hits, total(n.sum()) - n)
    elif reference == "overall":
        against = _share(total(hits.sum()), total(n.sum()))
    elif reference == "highest":
        against = pl.coalesce(total(enough.max()), total(rate.max()))
    else:
        against = total(rate.filter(pl.col(group) == str(reference)).first())
    margin = pl.max_horizontal(_MOE_Z * (0.25 / n).sqrt(), pl.lit(float(min_moe)))
    flagged = (pl.col("high") <= pl.col("reference")).fill_null(value=False) & ~pl.col("small")
    # Rounded first, because 2.0000000000000004 people are two.
    missing = ((pl.col("reference") - pl.col("high")) * n).round(9).ceil()
    return (
        counts.with_columns(against.alias("reference"), margin.alias("moe"), (n < minimum).alias("small"))
        .with_columns(
            (rate - pl.col("reference")).alias("gap"),
            (rate - pl.col("moe")).alias("low"),
            (rate + pl.col("moe")).alias("high"),
        )
        .with_columns(flagged.alias("disproportionate"))
        .with_columns(
            pl.when(pl.col("disproportionate")).then(missing).otherwise(0).cast(pl.Int64).alias("needed")
        )
    )
