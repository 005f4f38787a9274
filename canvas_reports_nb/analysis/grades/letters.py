"""The letter class of each student in each course, by a census list and a school's own scheme."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any, cast

import pandas as pd
import polars as pl

from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.grades import marks
from canvas_reports_nb.catalog.parameters import is_number, near
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError, warn
from canvas_reports_nb.frames.engines import to_pandas
from canvas_reports_nb.frames.exchange import (
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    check_kinds,
    column_names,
    frame_of,
    is_typed,
    take_rows,
    to_lazy,
)

#: The letter classes, in the order in which `rates` counts them.
CLASSES = ("A", "B", "C", "D", "F", "P", "NP", "W", "I", "AU", "dropped", "none", "other")
CLASS, AT_CENSUS = "letter class", "at census"
BANDS: Mapping[str, float] = {"A": 90, "B": 80, "C": 70, "D": 60}

# Codes in capitals; the plain letters A to D and whatever begins with F, W or AU are matched below.
_CODES = {
    **dict.fromkeys(("P", "CR", "S"), "P"),
    **dict.fromkeys(("NP", "NC", "U"), "NP"),
    **dict.fromkeys(("I", "INC", "IP"), "I"),
    "EW": "W",
}
_CENSUS_IDS = {
    "student id": ("student id", "canvas_user_id", "user id"),
    "course id": ("course id", "canvas_course_id"),
}
# What an added row shares with other rows of its student or of its course.
_SHARED = {
    "student id": ("student name", "student sis"),
    "course id": ("course", "course sis", "term", "term id", "term sis"),
}
_UNKNOWN, _ROW = "__unknown", "__row number"


def _sentence(call: Mapping[str, Any]) -> str:
    states = " or ".join(as_list(call["withdrawn"]))
    counted = (
        "a student on the census list without an enrollment or with a deleted one counts as W, and a deleted one that "
        "is not on it as dropped"
        if call["census"] is not None
        else "deleted enrollments count as dropped, because there is no census list"
    )
    return (
        f"One row per student and course with the class of the {marks.current_name(call['score'])} letter, or of the score where there is "
        f"no letter; {states or 'no state'} counts as W; {counted}; work that was never graded is no judgment (none)."
    )


@defined(_sentence)
def letters(
    grades: FrameT,
    *,
    census: Any = None,
    withdrawn: Collection[str] = ("inactive",),
    scheme: Mapping[str, str] | None = None,
    bands: Mapping[str, float] = BANDS,
    score: marks.Score = "effective",
) -> FrameT:
    """Return the grade export with one row per student and course, and the class of each grade.

    Parameters
    ----------
    grades : DataFrame
        ``grade_export_csv`` of any kind, requested with ``include_deleted=True``.
    census : DataFrame, optional
        The students enrolled on the day from which leaving counts as a withdrawal: the census day, or the first
        day on which a student gets a W. Any frame with their Canvas ids and those of the courses, under the names
        of the grade export or of provisioning. Where it has ``base_role_type``, only students count.
    withdrawn : collection of str
        Enrollment states that always count as a W.
    scheme : mapping of str to str, optional
        The classes of a school's own letters, which come first: ``{"C-": "D"}`` where a C- is no success,
        ``{"EW": "other"}`` to leave out excused withdrawals. Blanks and case don't matter.
    bands : mapping of str to number
        The lowest score of each class, for grades without a letter. A lower score is an F.
    score : {"effective", "final", "current", "unposted final", "unposted current"}
        Effective is the override where a teacher set one, otherwise the final grade. An override replaces both
        score and letter, even where only one of them was set.

    Returns
    -------
    DataFrame
        The same kind of frame: the columns of the export, in its order, then ``letter class`` (text) and
        ``at census`` (boolean; missing without a census). Students who are only on the census list follow, sorted
        by course and student, with what other rows show of them and of the course.

        The class is the first that applies:

        ========= ==================================================================================
        W         on the census list only; in a ``withdrawn`` state; or deleted after the census
        dropped   deleted otherwise
        none      no override and nothing graded, whatever the final score is
        A to F    the letter A, B, C or D, with or without a sign, or one that begins with F
        P, NP     P, CR or S; NP, NC or U
        I         I, INC or IP
        W, AU     what begins with W, and EW; what begins with AU
        other     any other letter
        A to F    without a letter, the class of the score by ``bands``; none without a score
        ========= ==================================================================================

    Warns
    -----
    ReportWarning
        Deleted enrollments count as dropped because there is no census list, or a letter is unknown. If the frame is
        lazy, when it is collected.

    Examples
    --------
    >>> letters = crn.grades.letters(grades)
    >>> letters["letter class"].value_counts()[["A", "B", "none"]].to_dict()
    {'A': 113, 'B': 138, 'none': 10}
    """
    if is_typed(frame_of(grades)):
        return cast(
            "FrameT",
            _on_pandas(
                frame_of(grades), census, withdrawn=withdrawn, scheme=scheme, bands=bands, score=score
            ),
        )
    rows = to_lazy(grades)
    columns = rows.collect_schema().names()
    classed = classify(grades, rows, census, withdrawn=withdrawn, scheme=scheme, bands=bands, score=score)
    shown = [*(name for name in columns if name not in (CLASS, AT_CENSUS)), CLASS, AT_CENSUS]
    return as_kind_of(announced(classed, census, grades).select(shown), grades, *_given(census))


def _on_pandas(grades: pd.DataFrame, census: Any, *, score: marks.Score, **options: Any) -> pd.DataFrame:
    """Do the same for a pandas frame, whose other columns are taken as pandas would."""
    shared = {name for names in _SHARED.values() for name in names} if census is not None else set()
    known = to_lazy(grades, {*marks.score_columns(score), *shared})
    classed = announced(
        classify(grades, known.with_row_index(_ROW), census, score=score, **options), census, grades
    )
    found = classed.collect()
    kept = found.filter(pl.col(_ROW).is_not_null())
    added = as_kind_of(found.filter(pl.col(_ROW).is_null()).lazy(), grades)
    shown = [name for name in grades.columns if name not in (CLASS, AT_CENSUS)]
    made = take_rows(grades[shown], kept[_ROW].to_numpy())
    if len(added):
        made = pd.concat([made, added.reindex(columns=shown).astype(made.dtypes)], ignore_index=True)
    made[[CLASS, AT_CENSUS]] = to_pandas(found.select(CLASS, AT_CENSUS).to_arrow())
    made.attrs = deepcopy(grades.attrs)
    return made


def _given(census: Any) -> list[Any]:
    return [] if census is None else [census]


def classify(
    given: Any,
    rows: pl.LazyFrame,
    census: Any,
    *,
    withdrawn: Collection[str],
    score: marks.Score,
    scheme: Mapping[str, str] | None = None,
    bands: Mapping[str, float] = BANDS,
    analysis: str = "letters",
) -> pl.LazyFrame:
    """Do what `letters` does, inside a query; keep the score that counts, and unknown letters."""
    own = _check_scheme(scheme)
    limits = _check_bands(bands)
    kept = marks.with_scores(rows, score, analysis, given=given)
    listed = None
    if census is None:
        kept = kept.with_columns(pl.lit(None, pl.Boolean).alias(AT_CENSUS))
    else:
        listed = _read_census(rows, given, census, analysis)
        pairs = listed.select(*marks.COURSE, pl.lit(value=True).alias(AT_CENSUS))
        kept = kept.join(pairs, on=marks.COURSE, how="left", maintain_order="left").with_columns(
            pl.col(AT_CENSUS).fill_null(value=False)
        )
    text = pl.col(marks.LETTER).str.to_uppercase()
    state = pl.col("enrollment state").cast(pl.String)
    judged = pl.coalesce(_class_of(text, own), _class_of_score(limits), pl.lit("none"))
    unknown = pl.when(pl.col(CLASS) == "other", ~text.is_in(list(own))).then(pl.col(marks.LETTER))
    kept = kept.with_columns(
        pl.when(state.is_in(as_list(withdrawn)))
        .then(pl.lit("W"))
        .when(state == "deleted")
        .then(pl.when(pl.col(AT_CENSUS)).then(pl.lit("W")).otherwise(pl.lit("dropped")))
        .when(~pl.col(marks.GRADED))
        .then(pl.lit("none"))
        .otherwise(judged)
        .alias(CLASS)
    ).with_columns(unknown.alias(_UNKNOWN))
    return kept if listed is None else pl.concat([kept, _left(kept, listed)], how="diagonal_relaxed")


def _class_of(text: pl.Expr, own: Mapping[str, str]) -> pl.Expr:
    """Return the class of a letter in capitals, missing where there is no letter."""
    codes = {**_CODES, **own}
    return (
        pl.when(text.is_in(list(codes)))
        .then(text.replace_strict(codes, default=None, return_dtype=pl.String))
        .when(text.str.contains(r"^([A-D]\P{L}*|F.*)$"))
        .then(text.str.head(1))
        .when(text.str.starts_with("W"))
        .then(pl.lit("W"))
        .when(text.str.starts_with("AU"))
        .then(pl.lit("AU"))
        .when(text.is_not_null())
        .then(pl.lit("other"))
    )


def _class_of_score(limits: list[tuple[str, float]]) -> pl.Expr:
    found: pl.Expr = pl.when(pl.col(marks.SCORE).is_not_null()).then(pl.lit("F"))
    for name, least in reversed(limits):
        found = pl.when(pl.col(marks.SCORE) >= least).then(pl.lit(name)).otherwise(found)
    return found


def _check_scheme(scheme: Mapping[str, str] | None) -> dict[str, str]:
    wanted = {name.upper(): name for name in CLASSES}
    own = {}
    check_kinds('a class for each letter, such as {"EW": "other"}', Mapping | None, scheme=scheme)
    for letter, name in (scheme or {}).items():
        found = wanted.get(str(name).strip().upper())
        if found is None:
            raise ParameterError(
                f"scheme= gives the letter {letter!r} the unknown class {name!r}.",
                hint=f"{near(str(name), CLASSES)}Use one of {', '.join(CLASSES)}.",
            )
        own[str(letter).strip().upper()] = found
    return own


def _check_bands(bands: Mapping[str, float]) -> list[tuple[str, float]]:
    check_kinds('the lowest score of each class, such as {"A": 90}', Mapping, bands=bands)
    for name, least in bands.items():
        if name not in CLASSES or not is_number(least):
            raise ParameterError(
                f"Can't use the band {name!r}: {least!r}.",
                hint='Give the lowest score of each class: bands={"A": 90, "B": 80, "C": 70, "D": 60}.',
            )
    return sorted(bands.items(), key=lambda band: -band[1])


def _read_census(rows: pl.LazyFrame, given: Any, census: Any, analysis: str) -> pl.LazyFrame:
    """Return the students of a census list once per course, under the names of the export."""
    names = column_names(census)
    ids = _census_ids(names, analysis)
    schema = rows.collect_schema()
    shared = [name for known in _SHARED.values() for name in known if name in names]
    listed = to_lazy(census, {*ids.values(), *shared, "base_role_type"})
    if "base_role_type" in names:
        listed = listed.filter(pl.col("base_role_type").cast(pl.String) == "StudentEnrollment")
    for own, name in ids.items():
        listed = same_integers(listed, name, schema[own])
        check_joinable(rows, own, listed, name, made_of=(given, census))
    return (
        listed.select(
            *(pl.col(name).cast(schema[own]).alias(own) for own, name in ids.items()),
            *(pl.col(name).cast(schema[name], strict=False) for name in shared if name in schema),
        )
        .drop_nulls(list(ids))
        .group_by(marks.COURSE)
        .agg(pl.all().drop_nulls().max())
    )


def _census_ids(names: Collection[str], analysis: str) -> dict[str, str]:
    """Return the columns of a census list that hold the ids of the export."""
    ids = {}
    for own, known in _CENSUS_IDS.items():
        found = next((name for name in known if name in names), None)
        if found is None:
            raise UnknownColumnError(
                f"{analysis}, in the census list, needs the column {own!r}.",
                hint=f"It may also be called {' or '.join(map(repr, known[1:]))}. The list has: "
                f"{', '.join(map(str, names))}.",
            )
        ids[own] = found
    return ids


def same_integers(frame: pl.LazyFrame, name: str, dtype: pl.DataType) -> pl.LazyFrame:
    """Give a column of whole numbers the size of those it is joined with."""
    return (
        frame.with_columns(pl.col(name).cast(dtype))
        if dtype.is_integer() and frame.collect_schema()[name].is_integer()
        else frame
    )


def _left(kept: pl.LazyFrame, listed: pl.LazyFrame) -> pl.LazyFrame:
    """Return the students who are only on the census list, as rows of the export."""
    gone = listed.join(kept.select(marks.COURSE), on=marks.COURSE, how="anti")
    names, have = kept.collect_schema().names(), listed.collect_schema().names()
    for key, known in _SHARED.items():
        shown = [name for name in known if name in names]
        # Equal in all rows of a student or course, apart from blanks.
        others = kept.join(gone.select(key), on=key, how="semi").group_by(key)
        gone = gone.join(others.agg(pl.col(shown).drop_nulls().max()), on=key, how="left", suffix=" here")
        gone = gone.with_columns(
            pl.coalesce(f"{name} here", name).alias(name) for name in shown if name in have
        )
    return gone.sort("course id", "student id").select(
        *(name for name in names if name in gone.collect_schema().names()),
        pl.lit("W").alias(CLASS),
        pl.lit(value=True).alias(AT_CENSUS),
    )


def announced(classed: pl.LazyFrame, census: Any, given: Any) -> pl.LazyFrame:
    """Warn of dropped enrollments and unknown letters; at once, or when a lazy frame is collected."""

    def announce(rows: pl.DataFrame) -> pl.DataFrame:
        dropped = 0 if census is not None else rows.filter(pl.col(CLASS) == "dropped").height
        if dropped:
            warn(
                f"{dropped:,} deleted enrollments count as dropped, not as W, because there is no census list. Pass "
                "the students of the census day, census=, to count those who left later."
            )
        unknown = rows.group_by(_UNKNOWN).len("n").drop_nulls().sort("n", _UNKNOWN, descending=[True, False])
        if unknown.height:
            named = ", ".join(f"{letter!r} ({n:,})" for letter, n in unknown.head(10).iter_rows())
            warn(
                f"{unknown.height} unknown letters are of class other: {named}. Name their class: "
                f"scheme={{{unknown[_UNKNOWN][0]!r}: ...}}."
            )
        return rows

    if isinstance(given, pl.LazyFrame):
        # Older versions of polars would pass only the columns and rows that the query keeps.
        kept = dict.fromkeys(("predicate_pushdown", "projection_pushdown", "slice_pushdown"), False)
        return classed.map_batches(announce, schema=classed.collect_schema(), **kept)
    rows = classed.collect()
    announce(rows.select(CLASS, _UNKNOWN))
    return rows.lazy()
