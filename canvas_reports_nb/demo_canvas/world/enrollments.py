"""The enrollments, drawn course by course without a loop over people."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from canvas_reports_nb.demo_canvas.data import table

from .catalog import (
    DAY,
    DEFAULT_TERM,
    DELETED_TERM,
    FIRST_SECTION,
    MOMENT,
    Calendar,
    is_drawn,
    moments,
    waking,
)
from .draws import Draws, Ints
from .people import Pools
from .registration import Classes

TYPES = ("StudentEnrollment", "TeacherEnrollment", "TaEnrollment", "DesignerEnrollment", "ObserverEnrollment",
         "StudentViewEnrollment")  # fmt: skip
STATES = ("active", "invited", "creation_pending", "completed", "inactive", "rejected", "deleted")
SUSPENDED_ROLE = 41
ROLES = {3: "student", 4: "teacher", 5: "ta", 6: "designer", 7: "observer", 8: "student",
         SUSPENDED_ROLE: "Suspended Student"}  # fmt: skip
_FIRST_ENROLLMENT = 76_001
FIRST_FIXED, FIXED_IDS = 77_001, 1_000
"""The ids of the fixed enrollments, which come after a thousand ordinary ones."""

# A course numbers its rows in this order; `again` are students who are in a second section too.
_KINDS = ("teachers", "tas", "designers", "students", "again", "observers", "views")
_TEACHERS, _TAS, _DESIGNERS, _STUDENTS, _AGAIN, _OBSERVERS, _VIEWS = range(7)
_KIND_TYPE = np.array([1, 2, 3, 0, 0, 4, 5], dtype=np.uint8)
_KIND_ROLE = np.array([4, 5, 6, 3, 3, 7, 8], dtype=np.uint8)

# weight of each of STATES, by course: not begun, running, over but open, concluded, deleted
_STATE_WEIGHTS = np.array(
    [[70, 18, 6, 0, 1, 2, 3], [90, 2, 1, 0, 2, 1, 4], [50, 0, 0, 43, 2, 1, 4], [0, 0, 0, 95, 1, 0, 4],
     [0, 0, 0, 0, 0, 0, 1]], dtype=np.float64,
)  # fmt: skip
_TO_COME = 0
_ACTIVE, _INACTIVE = STATES.index("active"), STATES.index("inactive")
_NOT_YET_IN = tuple(STATES.index(word) for word in ("invited", "creation_pending", "rejected"))

Plan: TypeAlias = dict[str, Ints]


def pair_key(user: Ints, course: Ints) -> NDArray[np.uint64]:
    """Return one number per person and course, equal in all sections."""
    return user.astype(np.uint64) * np.uint64(0x1_0000_0001_0003) + course.astype(np.uint64)


def plan_rows(draws: Draws, courses: pl.DataFrame, classes: Classes) -> Plan:
    """Return how many rows of each kind every course has."""
    ids = courses["id"].to_numpy()
    return {
        "teachers": draws.choose("teachers", ids, [3, 77, 20]),
        "tas": draws.choose("tas", ids, [70, 30]),
        "designers": draws.choose("designers", ids, [97, 3]),
        "students": classes.size,
        "again": np.where(courses["extra_sections"].to_numpy() > 0, classes.size // 8, 0),
        "observers": np.where(draws.chance("observed course", ids, 0.4), classes.observed, 0),
        "views": draws.choose("student view", ids, [80, 20]),
    }


@dataclass(frozen=True, slots=True)
class _Places:
    """For each row: the position of its course, its kind, and its number among those of its kind there."""

    course: Ints
    kind: NDArray[np.uint8]
    nth: Ints


def _places(plan: Plan, wanted: int) -> _Places:
    counts = np.stack([plan[kind] for kind in _KINDS])
    per_course = counts.sum(axis=0)
    starts = np.cumsum(counts, axis=0) - counts
    course = np.repeat(np.arange(len(per_course)), per_course)[:wanted]
    place = np.arange(len(course)) - (np.cumsum(per_course) - per_course)[course]
    kind = np.zeros(len(course), dtype=np.uint8)
    for start in starts[1:]:
        kind += (place >= start[course]).astype(np.uint8)
    return _Places(course, kind, place - starts[kind, course])


def _people(draws: Draws, plan: Plan, classes: Classes, pools: Pools, at: _Places) -> tuple[Ints, Ints]:
    """Return the user of each row and the student an observer observes (0 for others)."""
    kind, numbers = at.kind, np.arange(len(plan["teachers"]))
    seated = (kind == _STUDENTS) | (kind == _AGAIN)
    student = np.zeros(len(kind), dtype=np.int64)
    student[seated] = classes.seats[classes.start[at.course[seated]] + at.nth[seated]]
    is_observer = kind == _OBSERVERS
    # The observed seats of a class are consecutive among all observed seats.
    observed = np.flatnonzero(classes.seats % 10 == 0)
    first = np.searchsorted(observed, classes.start)
    student[is_observer] = classes.seats[observed[first[at.course[is_observer]] + at.nth[is_observer]]]
    assistant = draws.below("course assistant", numbers, pools.students)[at.course]
    student = np.where(kind == _TAS, (assistant + at.nth) % pools.students, student)
    lead = draws.below("course staff", numbers, pools.staff)
    staff = (lead[at.course] + at.nth + np.where(kind == _DESIGNERS, 5, 0)) % pools.staff
    view = np.cumsum(plan["views"]) - plan["views"]
    user = np.where(
        (kind == _TEACHERS) | (kind == _DESIGNERS), pools.first_staff + staff, pools.first_student + student
    )
    user = np.where(is_observer, pools.first_observer + student // 10, user)
    user = np.where(kind == _VIEWS, pools.first_test_student + view[at.course] + at.nth, user)
    return user, np.where(is_observer, pools.first_student + student, 0)


def _phases(courses: pl.DataFrame, current: int) -> Ints:
    """Return the row of `_STATE_WEIGHTS` for each course."""
    term = pl.col("term_id")
    return (
        courses.select(
            pl.when(status="deleted").then(4)
            .when(status="completed").then(3)
            .when((pl.col("status") == "unpublished") | ((term > current) & (term < DELETED_TERM))).then(_TO_COME)
            .when((term == current) | (term == DEFAULT_TERM)).then(1)
            .otherwise(2)
        ).to_series().to_numpy().astype(np.int64)
    )  # fmt: skip


def _states(draws: Draws, ids: Ints, phase: Ints) -> NDArray[np.uint8]:
    chance = np.cumsum(_STATE_WEIGHTS, axis=1) / _STATE_WEIGHTS.sum(axis=1, keepdims=True)
    luck = draws.uniform("enrollment state", ids)
    state = np.zeros(len(ids), dtype=np.uint8)
    for edge in chance.T[:-1]:
        state += (luck >= edge[phase]).astype(np.uint8)
    return state


def _sections(courses: pl.DataFrame, at: _Places) -> Ints:
    """Return section ids: students alternate, all others are in the first section."""
    split = courses["extra_sections"].to_numpy() + 1
    turn = np.where(at.kind == _AGAIN, at.nth + 1, np.where(at.kind == _STUDENTS, at.nth, 0))
    return np.asarray(FIRST_SECTION + (np.cumsum(split) - split)[at.course] + turn % split[at.course])


def _last_activity(draws: Draws, ids: Ints, over_at: Ints, never: NDArray[np.bool_]) -> pl.Series:
    """Return when each row was last active, in waking hours, or null."""
    seen = waking(draws, ids, over_at - (draws.small("last active", ids) * 60 * DAY).astype(np.int64))
    return pl.select(pl.when(~pl.Series(never)).then(moments(seen))).to_series()


def _words(words: tuple[str, ...], at: NDArray[np.uint8]) -> pl.Series:
    return pl.Series(words, dtype=pl.Enum(words)).gather(at)


def _drawn(
    draws: Draws, people: tuple[Ints, Ints], courses: pl.DataFrame, at: _Places, *, calendar: Calendar
) -> pl.DataFrame:
    ids = _FIRST_ENROLLMENT + np.arange(len(at.course), dtype=np.int64)
    ids = np.where(ids < FIRST_FIXED, ids, ids + FIXED_IDS)
    user, observed = people
    course_id = courses["id"].to_numpy()[at.course]
    phase = _phases(courses, calendar.current_term)[at.course]
    state = _states(draws, ids, phase)
    suspended = (at.kind == _STUDENTS) & (state == _ACTIVE) & draws.chance("suspended", ids, 0.01)
    today = int(calendar.now.timestamp())
    over = np.minimum(courses["end_at"].dt.epoch("s").fill_null(today).to_numpy(), today)[at.course]
    changed = today - (draws.small("enrollment changed", ids) * 400 * DAY).astype(np.int64)
    born = courses["created_at"].dt.epoch("s").to_numpy()[at.course]
    # Who was never active was active in no section of the course, hence a draw by person and course.
    never = np.isin(state, _NOT_YET_IN) | (phase == _TO_COME)
    never |= draws.chance("never active", pair_key(user, course_id), 0.015) | (at.kind == _VIEWS)
    sis = courses["created_by_sis"].to_numpy()[at.course] & (at.kind < _OBSERVERS)
    return pl.DataFrame(
        {
            "id": ids,
            "user_id": user,
            "course_id": course_id,
            "section_id": _sections(courses, at),
            "type": _words(TYPES, _KIND_TYPE[at.kind]),
            "role_id": np.where(suspended, SUSPENDED_ROLE, _KIND_ROLE[at.kind]).astype(np.uint8),
            "state": _words(STATES, np.where(suspended, _INACTIVE, state).astype(np.uint8)),
            "associated_user_id": observed,
            "created_by_sis": sis & ~draws.chance("enrolled by hand", ids, 0.05),
            "limit_privileges": draws.pick("limit", ids, [None, False, True], [60, 35, 5]),
            "updated_at": moments(np.maximum(changed, born)),
            "last_activity_at": _last_activity(draws, ids, over, never),
        }
    ).with_columns(associated_user_id=pl.when(pl.col("associated_user_id") > 0).then("associated_user_id"))


def _showpieces(calendar: Calendar) -> pl.DataFrame:
    today = pl.lit(calendar.now, dtype=MOMENT)
    return table("enrollments").with_columns(
        pl.col("role_id").cast(pl.UInt8),
        pl.col("type").cast(pl.Enum(TYPES)),
        pl.col("state").cast(pl.Enum(STATES)),
        id=FIRST_FIXED + pl.int_range(pl.len(), dtype=pl.Int64),
        updated_at=today - pl.duration(days=20),
        last_activity_at=today - pl.duration(days="days_ago"),
    )


def enrollments(
    draws: Draws,
    pools: Pools,
    courses: pl.DataFrame,
    *,
    plan: Plan,
    classes: Classes,
    count: int,
    calendar: Calendar,
) -> pl.DataFrame:
    """Return `count` enrollments (never fewer than the fixed ones), sorted by id."""
    pieces = _showpieces(calendar)
    taught = courses.filter(is_drawn())
    at = _places(plan, max(0, count - pieces.height))
    people = _people(draws, plan, classes, pools, at)
    drawn = _drawn(draws, people, taught, at, calendar=calendar)
    return pl.concat([pieces.select(drawn.columns), drawn]).sort("id")
