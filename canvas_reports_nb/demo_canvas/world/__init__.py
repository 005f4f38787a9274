"""The synthetic university: one seeded world from which every report of the demo Canvas is computed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from canvas_reports_nb.demo_canvas.data import table
from canvas_reports_nb.demo_canvas.settings import Settings

from . import belonging, catalog, learning, people
from .draws import Draws
from .enrollments import Plan, plan_rows
from .enrollments import enrollments as draw_enrollments
from .registration import Classes, register

__all__ = ["NOW", "ZONE", "World", "build_world"]

NOW = datetime(2026, 3, 2, 16, 14, tzinfo=UTC)
ZONE = "America/Denver"
_FEWEST_STUDENTS, _ROWS_PER_STUDENT = 40, 16.3


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A university at one instant, as frames whose ids agree with each other.

    Attributes
    ----------
    now
        The instant, aware and in UTC, to which all dates are relative.
    zone
        IANA name of the time zone of the root account.
    current_term
        Id of the newest term that has begun.
    logins
        If the school trusts others, `host` names the school of a login; null is its own.
    enrollments
        May have `login_id`, the login that a SIS import tied to an enrollment.
    """

    seed: int
    now: datetime
    zone: str
    host: str
    current_term: int
    accounts: pl.DataFrame
    terms: pl.DataFrame
    grading_periods: pl.DataFrame
    courses: pl.DataFrame
    sections: pl.DataFrame
    users: pl.DataFrame
    logins: pl.DataFrame
    enrollments: pl.DataFrame
    observer_links: pl.DataFrame
    admins: pl.DataFrame
    group_sets: pl.DataFrame
    groups: pl.DataFrame
    memberships: pl.DataFrame
    outcome_groups: pl.DataFrame
    outcomes: pl.DataFrame
    assessments: pl.DataFrame
    external_tools: pl.DataFrame
    developer_keys: pl.DataFrame
    tokens: pl.DataFrame
    eportfolios: pl.DataFrame
    settings: Settings = field(default_factory=Settings)

    @property
    def draws(self) -> Draws:
        """The random draws behind scores and submissions."""
        return Draws(self.seed)

    def subtree(self, account_id: int, *, live: bool = False) -> list[int]:
        """Return the ids of an account and of all accounts below it; `live` leaves out deleted ones."""
        accounts = self.accounts.filter(pl.col("status") != "deleted") if live else self.accounts
        found = [account_id]
        for parent in found:
            found += accounts.filter(parent_id=parent)["id"].to_list()
        return found


def _taught(
    draws: Draws, wanted: int, calendar: catalog.Calendar, terms: pl.DataFrame
) -> tuple[int, Classes, pl.DataFrame, Plan]:
    """Return the number of students whose classes fill the enrollments, the classes, courses and row counts."""
    students = max(_FEWEST_STUDENTS, round(wanted / _ROWS_PER_STUDENT))
    while True:
        classes = register(draws, students, calendar)
        courses = catalog.courses(draws, classes.term, classes.size, calendar, terms)
        plan = plan_rows(draws, courses.filter(catalog.is_drawn()), classes)
        rows = np.cumsum(sum(plan.values()))
        if rows[-1] >= wanted:
            break
        students = students * 21 // 20
    enough = int(np.searchsorted(rows, wanted)) + 1
    kept = pl.Series(catalog.course_ids(enough)).implode()
    courses = courses.filter(~catalog.is_drawn() | pl.col("id").is_in(kept))
    classes = replace(
        classes, **{name: getattr(classes, name)[:enough] for name in ("term", "size", "start")}
    )
    return students, classes, courses, {name: counts[:enough] for name, counts in plan.items()}


def build_world(
    seed: int = 2026,
    enrollments: int = 3_000,
    now: datetime | None = None,
    settings: Settings | None = None,
) -> World:
    """Return the university for a seed, a number of enrollments and an instant (aware; default `NOW`).

    Equal arguments give equal frames on every machine. Memory is about 70 bytes per enrollment.
    """
    now = (now or NOW).astimezone(UTC).replace(microsecond=0)
    draws, zone = Draws(seed), ZoneInfo(ZONE)
    calendar = catalog.Calendar(now, catalog.current_term_id(now, zone))
    terms = catalog.terms(now, zone)
    students, classes, courses, plan = _taught(draws, enrollments, calendar, terms)
    pools = people.Pools(students, max(12, students // 15), students // 10, int(plan["views"].sum()))
    enrolled = draw_enrollments(
        draws, pools, courses, plan=plan, classes=classes, count=enrollments, calendar=calendar
    )
    logins = people.logins(draws, pools, enrolled, now)
    if settings is not None and settings.trusted_accounts:
        logins = people.with_hosts(logins)
    users = people.with_best_login(people.users(draws, pools, now), logins)
    sets, outcomes = belonging.group_sets(draws, courses), table("outcomes")
    groups = belonging.groups(draws, sets)
    return World(
        seed=seed,
        now=now,
        zone=ZONE,
        host="canvas.example.edu",
        current_term=calendar.current_term,
        accounts=table("accounts"),
        terms=terms,
        grading_periods=catalog.grading_periods(terms),
        courses=courses,
        sections=catalog.sections(draws, courses),
        users=users,
        logins=logins,
        enrollments=enrolled,
        observer_links=belonging.observer_links(draws, pools),
        admins=belonging.admins(pools),
        group_sets=sets,
        groups=groups,
        memberships=belonging.memberships(draws, groups, enrolled),
        outcome_groups=table("outcome_groups"),
        outcomes=outcomes,
        assessments=learning.assessments(draws, courses, outcomes, now),
        external_tools=belonging.external_tools(now),
        developer_keys=table("developer_keys"),
        tokens=belonging.tokens(draws, pools, now),
        eportfolios=belonging.eportfolios(draws, pools, now),
        settings=settings or Settings(),
    )
