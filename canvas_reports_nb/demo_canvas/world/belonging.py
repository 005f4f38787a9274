"""What people have beside enrollments: groups, observers, admin roles, tools, tokens, ePortfolios."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from canvas_reports_nb.demo_canvas.data import table

from .catalog import DAY, MOMENT, after_some, moments
from .draws import Draws
from .people import GUEST, Pools

# A global id is the number of the shard times 10^13, plus the id there.
_SYNC_KEY = 12_340_000_000_000_011
_SET_NAMES = ("Project teams", "Laboratory pairs", "Reading circles")


def group_sets(draws: Draws, courses: pl.DataFrame) -> pl.DataFrame:
    """Return three group sets of accounts, and one in every tenth course with students."""
    fixed = table("group_sets")
    hosts = courses.filter((pl.col("size") > 0) & (pl.col("status") != "deleted"))
    ids = hosts["id"].to_numpy()
    ids = ids[draws.chance("group set", ids, 0.1)]
    drawn = pl.DataFrame(
        {
            "id": 1_000_000_000 + ids,
            "sis_id": "GS" + pl.Series(ids).cast(pl.String),
            "context_id": ids,
            "name": pl.Series(_SET_NAMES).gather(draws.below("set name", ids, len(_SET_NAMES))),
            "role": draws.pick("set role", ids, [None, "student_organized"], [4, 1]),
            "self_signup": draws.pick("signup", ids, [None, "enabled", "restricted"], [6, 3, 1]),
            "limit": draws.pick("set limit", ids, [None, 4, 6], [5, 3, 2]),
            "leader": draws.pick("leader", ids, [None, "first", "random"], [6, 2, 2]),
            "status": draws.pick("set status", ids, ["active", "deleted"], [95, 5]),
            "created_by_sis": draws.chance("set sis", ids, 0.4),
        }
    ).with_columns(context_type=pl.lit("Course"), sis_id=pl.when("created_by_sis").then("sis_id"))
    return pl.concat([fixed, drawn.select(fixed.columns)], how="vertical_relaxed")


def groups(draws: Draws, sets: pl.DataFrame) -> pl.DataFrame:
    """Return five groups per set; `place` is a group's number within its set."""
    made = sets.rename({"id": "set_id", "sis_id": "set_sis_id"}).join(
        pl.DataFrame({"place": range(5)}), how="cross", maintain_order="left_right"
    )
    made = made.with_columns(id=61 + pl.int_range(pl.len(), dtype=pl.Int64))
    states = ["available", "closed", "deleted"]
    drawn = draws.pick("group status", made["id"].to_numpy(), states, [90, 5, 5])
    return made.select(
        "id", "place", "context_type", "context_id", "created_by_sis", "limit", "set_id", "set_sis_id",
        sis_id=pl.when("created_by_sis").then(pl.lit("0G-") + pl.col("id").cast(pl.String)),
        name=pl.col("name") + " " + (pl.col("place") + 1).cast(pl.String),
        status=pl.when(pl.col("status") == "deleted").then(pl.lit("deleted")).otherwise(drawn),
    )  # fmt: skip


def memberships(draws: Draws, groups: pl.DataFrame, enrollments: pl.DataFrame) -> pl.DataFrame:
    """Return one row per student of a course with groups, and a few members of the account groups."""
    learners = (
        enrollments.filter(pl.col("type") == "StudentEnrollment", pl.col("state") == "active")
        .select("user_id", context_id="course_id", context_type=pl.lit("Course"))
        .join(groups, on=["context_type", "context_id"], how="semi", maintain_order="left")
        .unique(maintain_order=True)
    )
    club = enrollments.head(60).select(
        "user_id", context_id=pl.lit(1, dtype=pl.Int64), context_type=pl.lit("Account")
    )
    people = pl.concat([club.unique(maintain_order=True), learners])
    place = draws.below("group place", people["user_id"].to_numpy() + people["context_id"].to_numpy(), 5)
    joined = people.with_columns(place=pl.Series(place)).join(
        groups.rename({"id": "group_id", "sis_id": "group_sis_id", "status": "gone"}),
        on=["context_type", "context_id", "place"],
        maintain_order="left",
    )
    key = joined["group_id"].to_numpy() * 1_000_003 + joined["user_id"].to_numpy() % 1_000_003
    states = ["accepted", "invited", "requested", "rejected", "deleted"]
    words = draws.pick("membership", key, states, [90, 3, 2, 1, 4])
    return joined.select(
        "group_id", "group_sis_id", "user_id", "created_by_sis", "context_type", "context_id",
        status=pl.when(pl.col("gone") == "deleted").then(pl.lit("deleted")).otherwise(words),
    )  # fmt: skip


def observer_links(draws: Draws, pools: Pools) -> pl.DataFrame:
    """Return one row per pair of observer and student."""
    nth = np.arange(pools.observers, dtype=np.int64)
    drawn = pl.DataFrame(
        {
            "observer_id": pools.first_observer + nth,
            "student_id": pools.first_student + 10 * nth,
            "status": draws.pick("link status", nth, ["active", "deleted"], [96, 4]),
            "created_by_sis": draws.chance("link sis", nth, 0.6),
        }
    )
    known = pl.DataFrame(
        {"observer_id": [2600], "student_id": [2573], "status": ["active"], "created_by_sis": [True]}
    )
    return after_some(drawn, known)


def admins(pools: Pools) -> pl.DataFrame:
    """Return one row per admin role in an account; role 1 is Canvas's own, the others are custom."""
    drawn = pools.first_staff + pl.col("nth_staff")
    return table("admins").with_columns(user_id=pl.coalesce("user_id", drawn)).drop("nth_staff")


def external_tools(now: datetime) -> pl.DataFrame:
    """Return tools installed in accounts and courses, with custom fields as Ruby prints a hash."""
    age = pl.duration(days="age_days")
    return table("external_tools").with_columns(created_at=pl.lit(now, dtype=MOMENT) - age)


def tokens(draws: Draws, pools: Pools, now: datetime) -> pl.DataFrame:
    """Return access tokens of some teachers and of one student; a date that never was is null."""
    known = np.array([2500, 2500, 2573, 2612], dtype=np.int64)
    owners = np.concatenate([known, pools.first_staff + np.arange(min(pools.staff, 36), dtype=np.int64)])
    ids = 9_001 + np.arange(len(owners), dtype=np.int64)
    hint = pl.Series([f"{bits % 36**5:05x}"[:5] for bits in draws.bits("token", ids).tolist()])
    age = pl.lit(pl.Series(draws.below("token age", ids, 700) + 1))
    life = pl.lit(pl.Series(draws.below("token life", ids, 900) + 1))
    purpose = pl.Series(["reports notebook", "grade sync, nightly", None, 'my "phone"', "R & Python"])
    today = pl.lit(now, dtype=MOMENT)
    made = today - pl.duration(days=age)
    expires, used, has_key = (
        pl.Series(draws.chance(f"token {what}", ids, part))
        for what, part in (("expires", 0.5), ("used", 0.7), ("key", 0.2))
    )
    return pl.DataFrame({"id": ids, "user_id": owners}).with_columns(
        hint=hint,
        purpose=purpose.gather(draws.below("purpose", ids, 5)),
        created_at=made,
        expires_at=pl.when(expires).then(made + pl.duration(days=life)),
        used_at=pl.when(used).then(today - pl.duration(hours=age)),
        status=draws.pick("token status", ids, ["active", "pending", "deleted"], [86, 5, 9]),
        key_id=pl.when(has_key).then(pl.lit(_SYNC_KEY)),
        key_name=pl.when(has_key).then(pl.lit("Registrar sync")),
    )


def eportfolios(draws: Draws, pools: Pools, now: datetime) -> pl.DataFrame:
    """Return ePortfolios of students and, after them, of the guest and of someone who left."""
    students = pools.first_student + np.arange(0, pools.students, 40, dtype=np.int64)
    known = np.array([2573, GUEST, 2612, 2613], dtype=np.int64)
    owners = np.concatenate([known, students])
    ids = 5_001 + np.arange(len(owners), dtype=np.int64)
    titles = pl.Series(["My work", "Portfolio, second year", 'The "best" of me', "作品集", "Capstone 🚢"])
    age = draws.below("portfolio age", ids, 1_000) + 40
    made = pl.DataFrame(
        {
            "id": ids,
            "user_id": owners,
            "name": titles.gather(draws.below("portfolio title", ids, 5)),
            "created_at": moments(int((now - timedelta(days=1)).timestamp()) - DAY * age),
            "updated_at": moments(int(now.timestamp()) - DAY * (age // 3)),
            "public": draws.chance("portfolio public", ids, 0.3),
            "status": draws.pick("portfolio status", ids, ["active", "deleted"], [85, 15]),
        }
    )
    return after_some(made[len(known) :], made[: len(known)])
