"""Canvas against the school's own list: where enrollments differ, and the import that corrects them."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import polars as pl

from canvas_reports_nb._disk import open_private
from canvas_reports_nb.analysis.definitions import defined
from canvas_reports_nb.analysis.provisioning.people import merge_logins
from canvas_reports_nb.analysis.provisioning.tables import has_role, lazy_tables, unique_rows
from canvas_reports_nb.catalog.parameters import is_number, near
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.frames.exchange import (
    FrameResult,
    FrameT,
    as_kind_of,
    as_list,
    check_joinable,
    require_columns,
    to_lazy,
)

if TYPE_CHECKING:
    from os import PathLike

__all__ = ["Reconciliation", "reconcile"]

Drop = Literal["deleted", "inactive", "completed"]

AGREES, INACTIVE, STILL_ACTIVE = "agrees", "not active in Canvas", "still active in Canvas"
SPELLING, NO_USER, NO_SECTION = "id written differently", "no such user", "no such section"
OTHER_SECTION, NOT_IN_CANVAS = "other section", "not in Canvas"
NOT_IN_SIS, BY_HAND, NO_ID = "not in SIS", "not in SIS, by hand", "no SIS id"
_FINDINGS = (
    *(STILL_ACTIVE, NOT_IN_SIS, BY_HAND, NOT_IN_CANVAS, INACTIVE, OTHER_SECTION, SPELLING),
    *(NO_USER, NO_SECTION, NO_ID, AGREES),
)
_KEY = ["user_id", "section_id"]
_PERSON, _COURSE, _SECTION = "canvas_user_id", "canvas_course_id", "canvas_section_id"
_SHOWN = 10
_CSV = ("user_id", "role", "section_id", "status")
_NEEDED = {
    "enrollments": (*_KEY, _PERSON, _COURSE, _SECTION, "role", "status", "created_by_sis"),
    "users": (_PERSON, "user_id", "status"),
    "sections": (_SECTION, "section_id", _COURSE),
}
# A spreadsheet writes numbers so; ids of a school don't end so.
_AS_FLOAT = r"^\d+\.0+$"


def __dir__() -> list[str]:
    return __all__


class Reconciliation(FrameResult[FrameT]):
    """The findings of `reconcile` as a frame of the kind of the tables, with their counts and an import file."""

    def __init__(self, frame: FrameT, rows: pl.DataFrame, active: pl.DataFrame) -> None:
        super().__init__(frame)
        self._rows, self._active = rows, active

    def summary(self) -> FrameT:
        """Count the rows of each finding, also those that agree.

        Returns
        -------
        frame
            The kind of the tables, one row per finding that occurs: ``finding`` (text) and ``count`` (Int64).
        """
        counts = self._rows.lazy().group_by("finding").agg(pl.len().cast(pl.Int64).alias("count"))
        place = pl.col("finding").replace_strict(_FINDINGS, range(len(_FINDINGS)), return_dtype=pl.Int8)
        return as_kind_of(counts.sort(place), self.frame)

    def to_sis_csv(
        self,
        drop: Drop = "deleted",
        add: bool = False,
        limit: float = 0.05,
        path: str | PathLike[str] | None = None,
    ) -> str:
        """Return the ``enrollments.csv`` for a SIS import that corrects Canvas.

        It holds the rows *still active in Canvas* and *not in SIS*, and with ``add`` those *not in Canvas*.
        Enrollments made by hand are never in it.

        Parameters
        ----------
        drop : {"deleted", "inactive", "completed"}
            What the import does with the first two: their new status.
        add : bool
            Also enroll those *not in Canvas*.
        limit : float
            The largest share of a term's active enrollments that the file may drop; without the table ``courses``,
            of all active enrollments.
        path : path, optional
            Also write the text to this file, which only you can read.

        Returns
        -------
        str
            The columns ``user_id``, ``role``, ``section_id`` and ``status``, in UTF-8 when written.

        Raises
        ------
        ParameterError
            The file would drop more than ``limit`` allows.
        """
        if drop not in get_args(Drop):
            quoted = ", ".join(f'"{word}"' for word in get_args(Drop))
            raise ParameterError(
                f"Unknown drop={drop!r}.", hint=f"{near(str(drop), get_args(Drop))}Use one of {quoted}."
            )
        if not is_number(limit) or not 0 <= limit <= 1:
            raise ParameterError(f"Can't use limit={limit!r}.", hint="Give a share from 0 to 1: limit=0.05.")
        dropped = self._rows.filter(
            pl.col("finding").is_in([STILL_ACTIVE, NOT_IN_SIS]), pl.col("created_by_sis")
        )
        self._check_limit(dropped, limit)
        rows = dropped.with_columns(pl.lit(drop).alias("status"))
        if add:
            added = self._rows.filter(pl.col("finding") == NOT_IN_CANVAS)
            rows = pl.concat([rows, added.with_columns(pl.lit("active").alias("status"))])
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_CSV)
        writer.writerows(rows.sort(_KEY).select(_CSV).iter_rows())
        if path is not None:
            with open_private(Path(path)) as file:
                file.write(text.getvalue().encode())
        return text.getvalue()

    def _check_limit(self, dropped: pl.DataFrame, limit: float) -> None:
        counts = dropped.group_by("__term").agg(pl.len().alias("dropped"))
        shares = counts.join(self._active, on="__term", how="left", nulls_equal=True)
        for term, count, active in shares.sort("__term").iter_rows():
            if count > limit * active:
                where = "" if term is None else f" of the term {term}"
                raise ParameterError(
                    f"The file would drop {count} of the {active} active enrollments{where} ({count / active:.0%}), "
                    f"and the limit is {limit:.0%}.",
                    hint="Check the list first: a list of another term or an incomplete one drops everybody. "
                    f"If it is right, use limit={min(count / active + 0.005, 1):.2f}.",
                )


def _sentence(given: Mapping[str, Any]) -> str:
    return (
        f"Enrollments as {given['role']} that differ between Canvas and the school's list, matched by SIS id of user and "
        f"section: a person is enrolled with the status {', '.join(as_list(given['enrolled']))} there and active here."
        if given["status"] is not None
        else f"Enrollments as {given['role']} that differ between Canvas and the school's list, matched by SIS id of user "
        "and section: everybody on the list should be active here."
    )


@defined(_sentence)
def reconcile(
    tables: Mapping[str, FrameT],
    extract: Any,
    *,
    on: Mapping[str, str] | None = None,
    status: str | None = None,
    enrolled: Iterable[str] = ("E",),
    role: Literal["student", "teacher", "ta", "observer", "designer"] = "student",
    all: bool = False,  # noqa: A002 - the word for it
) -> Reconciliation[FrameT]:
    """Compare the enrollments in Canvas with those in the school's student information system.

    Parameters
    ----------
    tables : mapping of str to frame
        ``users``, ``sections`` and ``enrollments`` of one provisioning_csv run with ``include_deleted=True``; with
        ``courses``, the limit of `Reconciliation.to_sis_csv` holds per term. Lazy frames are collected.
    extract : frame
        The school's list of any kind, one row per person and section, with all ids as text. `read_file` keeps ids as
        they are written: ``crn.read_file("extract.csv", "extract")``.
    on : mapping, optional
        The columns of the extract that hold the SIS ids of Canvas, such as
        ``{"user_id": "EMPLID", "section_id": "CLASS_KEY"}``. By default they have the names ``user_id`` and
        ``section_id``.
    status : str, optional
        The column of the extract that says who is enrolled. Without it, everybody on the list is.
    enrolled : iterable of str
        The values of that column that mean enrolled.
    role : {"student", "teacher", "ta", "observer", "designer"}
        The base role to compare; a school's own role counts as the one it was made from.
    all : bool
        Also list the rows that agree.

    Returns
    -------
    Reconciliation
        Used like a frame of the kind of the tables. One row per user and section that differ, sorted by finding,
        user and section: ``finding``; ``user_id``, ``section_id``, ``course_id`` (SIS ids); ``canvas_user_id``,
        ``canvas_section_id``, ``canvas_course_id``; ``name``, ``email``; ``sis_status``, ``canvas_status`` (text);
        ``created_by_sis`` (boolean), ``canvas_spelling`` (text: the user id as Canvas has it). ``.summary()`` counts
        the findings, ``.to_sis_csv()`` returns an import file. The findings are:

        - *still active in Canvas*: in both, not enrolled, but active in Canvas
        - *not in SIS*, *not in SIS, by hand*: only in Canvas, and active; created by an import, or not
        - *not in Canvas*: only on the list, and enrolled
        - *not active in Canvas*: in both, enrolled, but not active in Canvas
        - *other section*: the person is in another section of the course on the other side
        - *id written differently*: the other side has an id that differs in case or leading zeros, or another SIS id
          of the person, in this section
        - *no such user*, *no such section*: Canvas doesn't have the SIS id
        - *no SIS id*: active in Canvas, but user or section has no SIS id

    Raises
    ------
    ParameterError
        A person and section is twice in the extract, or its ids are numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> extract = pd.DataFrame({"user_id": ["0000011", "9999"], "section_id": "S00020055", "status": "E"})
    >>> compared = crn.sis.reconcile(tables, extract, status="status")
    >>> compared.query("sis_status == 'E'")[["finding", "user_id"]].values.tolist()
    [['not in Canvas', '0000011'], ['no such user', '9999']]
    """
    given = lazy_tables(tables, "reconcile", ("courses",), _NEEDED)
    people, sections = given["users"], unique_rows(given, "sections")
    states = as_list(enrolled)
    sis = read_extract(extract, on, status, states, people, analysis="reconcile", given=tables["users"])
    for name, column in (
        ("users", "user_id"),
        ("sections", "section_id"),
        *(("enrollments", key) for key in _KEY),
    ):
        _refuse_numbers(given[name], column, f"the table {name!r}")
    canvas = _canvas(given, role).collect()
    rows = _found(sis.lazy(), canvas.lazy(), people, sections)
    details = _details(rows, given, sections).with_columns(pl.col("role").fill_null(role)).collect()
    place = pl.col("finding").replace_strict(_FINDINGS, range(len(_FINDINGS)), return_dtype=pl.Int8)
    ordered = details.sort(place, *_KEY, _PERSON, _SECTION, nulls_last=True)
    listed = ordered if all else ordered.filter(pl.col("finding") != AGREES)
    terms = _terms(canvas.lazy().filter(pl.col("__active")), given)
    active = terms.group_by("__term").agg(pl.len().alias("active")).collect()
    shown = listed.lazy().drop("role", "__term")
    frame = as_kind_of(shown, next(iter(tables[name] for name in given)))
    return Reconciliation(frame, ordered, active)


def read_extract(
    extract: Any,
    on: Mapping[str, str] | None,
    status: str | None,
    enrolled: Collection[str],
    known: pl.LazyFrame,
    *,
    analysis: str,
    given: Any,
) -> pl.DataFrame:
    """Return the school's list with the names of Canvas, after checking its ids against the known users."""
    columns = _key_columns(on)
    rows = to_lazy(extract)
    needed = [*columns.values(), *([status] if status else [])]
    require_columns(rows, needed, f"{analysis}, in the extract,", given=extract)
    for column in columns.values():
        _refuse_numbers(rows, column, "the extract", known)
    state = pl.col(status).cast(pl.String) if status else pl.lit(None, pl.String)
    found = rows.select(
        *(pl.col(columns[key]).cast(pl.String).alias(key) for key in _KEY),
        state.alias("sis_status"),
        (state.is_in(enrolled).fill_null(value=False) if status else pl.lit(value=True)).alias("__enrolled"),
    ).collect()
    _refuse_repeated(found)
    users = known.select(pl.col("user_id").cast(pl.String))
    check_joinable(users, "user_id", found.lazy(), "user_id", made_of=(given, extract))
    return found


def _key_columns(on: Mapping[str, str] | None) -> dict[str, str]:
    """Return the columns of the extract that hold the ids of user and section."""
    columns = {key: key for key in _KEY} | dict(on or {})
    for name in columns:
        if name not in _KEY:
            raise ParameterError(
                f"Can't match on {name!r}.", hint='Use on={"user_id": "...", "section_id": "..."}.'
            )
    return columns


def _refuse_repeated(listed: pl.DataFrame) -> None:
    """Reject a list that has a person and section twice."""
    keyed = listed.with_row_index("row", 1).drop_nulls(_KEY)
    twice = keyed.filter(pl.struct(_KEY).is_duplicated()).group_by(_KEY).agg("row").sort(_KEY)
    for user, section, places in twice.iter_rows():
        others = f" This is one of {twice.height} such pairs." if twice.height > 1 else ""
        raise ParameterError(
            f"The extract has user {user!r} in section {section!r} several times, in the rows "
            f"{', '.join(map(str, places[:_SHOWN]))}.{others}",
            hint="Keep one row per person and section, such as the newest.",
        )


def _refuse_numbers(rows: pl.LazyFrame, column: str, where: str, known: pl.LazyFrame | None = None) -> None:
    """Reject ids that are numbers or, if not ``known``, text that a spreadsheet wrote as numbers."""
    kind = rows.collect_schema()[column]
    shown = str(kind) if kind.is_numeric() else None
    if shown is None and known is not None:
        text = rows.select(pl.col(column).cast(pl.String).alias("id")).filter(
            pl.col("id").str.contains(_AS_FLOAT)
        )
        spelled = known.select(pl.col("user_id").cast(pl.String).alias("id"))
        example = text.join(spelled, on="id", how="anti").select(pl.col("id").min()).collect().item()
        shown = None if example is None else f"such as {example!r}"
    if shown is not None:
        raise ParameterError(
            f"The ids in {column!r} of {where} are numbers ({shown}), so leading zeros are lost.",
            hint='Read the file with crn.read_file(path, "extract"), which keeps ids as they are written. If all '
            "ids have the same number of digits, such as six, this restores the zeros in pandas: "
            f'frame["{column}"].astype("Float64").astype("Int64").astype("string").str.zfill(6).',
        )


def _canvas(given: Mapping[str, pl.LazyFrame], role: str) -> pl.LazyFrame:
    """Return one row per person and section: the active enrollment, and among these one of an import."""
    enrollments = given["enrollments"]
    state = pl.col("status").cast(pl.String)
    known = pl.all_horizontal(pl.col(_KEY).is_not_null())
    # A row without SIS ids is told apart by its Canvas ids.
    keys = [pl.when(known).then(pl.col(key)) for key in _KEY]
    alone = [pl.when(~known).then(pl.col(key)).alias(f"__{key}") for key in (_PERSON, _SECTION)]
    rows = enrollments.filter(has_role(enrollments, role)).select(
        *(pl.col(key).cast(pl.String) for key in _KEY),
        *(_PERSON, _COURSE, _SECTION, "created_by_sis"),
        pl.col("role").cast(pl.String),
        state.alias("canvas_status"),
        (state == "active").fill_null(value=False).alias("__active"),
    )
    order = ["__active", "created_by_sis", "canvas_status", _PERSON, _SECTION, _COURSE, "role"]
    return (
        rows.sort(order, descending=[True, True, *[False] * 5], nulls_last=True)
        .with_columns(*(key.name.prefix("__") for key in keys), *alone)
        .unique([f"__{key}" for key in (*_KEY, _PERSON, _SECTION)], keep="first", maintain_order=True)
        .select(*rows.collect_schema().names())
    )


def _found(
    sis: pl.LazyFrame, canvas: pl.LazyFrame, users: pl.LazyFrame, sections: pl.LazyFrame
) -> pl.LazyFrame:
    """Join both sides on the ids, and return each row with its finding."""
    user = users.group_by(pl.col("user_id").cast(pl.String)).agg(pl.col(_PERSON).min().alias("__person"))
    section = sections.group_by(pl.col("section_id").cast(pl.String)).agg(
        pl.col(_SECTION).min().alias("__section"), pl.col(_COURSE).min().alias("__course")
    )
    listed = sis.with_columns(pl.lit(value=True).alias("__in_sis"))
    held = canvas.with_columns(pl.lit(value=True).alias("__in_canvas"))
    rows = (
        listed.join(held, on=_KEY, how="full", coalesce=True)
        .join(user.drop_nulls("user_id"), on="user_id", how="left")
        .join(section.drop_nulls("section_id"), on="section_id", how="left")
        .with_columns(
            pl.col("__in_sis", "__in_canvas", "__enrolled", "__active").fill_null(value=False),
            pl.coalesce(_PERSON, "__person").alias(_PERSON),
            pl.coalesce(_SECTION, "__section").alias(_SECTION),
            pl.coalesce(_COURSE, "__course").alias(_COURSE),
            pl.col("user_id").str.to_lowercase().str.strip_chars_start("0").alias("__folded"),
        )
    )
    in_sis, in_canvas, enrolled, active = map(pl.col, ("__in_sis", "__in_canvas", "__enrolled", "__active"))

    def anywhere(fact: pl.Expr, *keys: str) -> pl.Expr:
        return pl.all_horizontal(pl.col(keys).is_not_null()) & fact.any().over(keys)

    def spelled(side: pl.Expr) -> pl.Expr:
        return anywhere(side, "section_id", "__folded") | anywhere(side, "section_id", _PERSON)

    def spelling(*keys: str) -> pl.Expr:
        known = pl.all_horizontal(pl.col(keys).is_not_null())
        return pl.when(known).then(pl.col("user_id").filter(in_canvas).min().over(keys))

    finding = (
        pl.when(in_sis & in_canvas & (enrolled == active))
        .then(pl.lit(AGREES))
        .when(in_sis & in_canvas & enrolled)
        .then(pl.lit(INACTIVE))
        .when(in_sis & in_canvas)
        .then(pl.lit(STILL_ACTIVE))
        .when(in_sis & ~enrolled)
        .then(pl.lit(AGREES))
        .when(in_canvas & pl.any_horizontal(pl.col(_KEY).is_null()))
        .then(pl.lit(NO_ID))
        .when(pl.when(in_sis).then(spelled(in_canvas)).otherwise(spelled(in_sis)))
        .then(pl.lit(SPELLING))
        .when(in_sis & pl.col("__person").is_null())
        .then(pl.lit(NO_USER))
        .when(in_sis & pl.col("__section").is_null())
        .then(pl.lit(NO_SECTION))
        .when(
            pl.when(in_sis)
            .then(anywhere(in_canvas & active, _PERSON, _COURSE))
            .otherwise(anywhere(in_sis & enrolled, _PERSON, _COURSE))
        )
        .then(pl.lit(OTHER_SECTION))
        .when(in_sis)
        .then(pl.lit(NOT_IN_CANVAS))
        .when(pl.col("created_by_sis").fill_null(value=False))
        .then(pl.lit(NOT_IN_SIS))
        .otherwise(pl.lit(BY_HAND))
    )
    own = pl.when(in_canvas).then(pl.col("user_id"))
    spellings = (spelling("section_id", "__folded"), spelling("section_id", _PERSON))
    judged = rows.with_columns(
        finding.alias("finding"), pl.coalesce(own, *spellings).alias("canvas_spelling")
    )
    return judged.filter(in_sis | active)


def _details(rows: pl.LazyFrame, given: Mapping[str, pl.LazyFrame], sections: pl.LazyFrame) -> pl.LazyFrame:
    """Add the course, the person and the term, in the order of the result."""
    person = merge_logins(given)
    names = person.collect_schema().names()
    texts = [
        (pl.col(own) if own in names else pl.lit(None)).cast(pl.String).alias(new)
        for own, new in (("full_name", "name"), ("email", "email"))
    ]
    has_course = "course_id" in sections.collect_schema().names()
    course = pl.col("course_id") if has_course else pl.lit(None)
    courses = sections.group_by(_COURSE).agg(course.cast(pl.String).drop_nulls().min().alias("course_id"))
    found = rows.join(courses, on=_COURSE, how="left").join(
        person.drop_nulls(_PERSON).select(_PERSON, *texts), on=_PERSON, how="left"
    )
    return _terms(found, given).select(
        *("finding", *_KEY, "course_id", _PERSON, _SECTION, _COURSE, "name", "email"),
        *("sis_status", "canvas_status", "created_by_sis", "canvas_spelling", "role", "__term"),
    )


def _terms(rows: pl.LazyFrame, given: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Add the name of the term, or its id; missing without the table ``courses``."""
    if "courses" not in given:
        return rows.with_columns(pl.lit(None, pl.String).alias("__term"))
    courses = unique_rows(given, "courses")
    require_columns(courses, (_COURSE, "canvas_term_id"), "reconcile, in the table 'courses',")
    has_id = "term_id" in courses.collect_schema().names()
    sis_id = pl.col("term_id").cast(pl.String) if has_id else pl.lit(None, pl.String)
    term = pl.coalesce(sis_id, pl.col("canvas_term_id").cast(pl.String)).alias("__term")
    return rows.join(courses.select(_COURSE, term), on=_COURSE, how="left")
