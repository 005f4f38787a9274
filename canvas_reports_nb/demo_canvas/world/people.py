"""The people: users with names of many cultures, and their logins."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from canvas_reports_nb.demo_canvas.data import read, table

from .catalog import DAY, MOMENT, after_some, moments, waking
from .draws import Draws, Ints

GUEST = 12_340_000_000_000_567  # a person from a trusted institution: its shard, then the id there
FIRST_USER = 10_001


@dataclass(frozen=True, slots=True)
class Pools:
    """How many people of each kind; their ids are consecutive in this order.

    The k-th observer observes the student with number ten times k. Test students are the users that Canvas
    creates for the student view of a course.
    """

    students: int
    staff: int
    observers: int
    test_students: int
    first_student: int = field(default=FIRST_USER, init=False)

    @property
    def first_staff(self) -> int:
        """Id of the first teacher."""
        return self.first_student + self.students

    @property
    def first_observer(self) -> int:
        """Id of the first observer."""
        return self.first_staff + self.staff

    @property
    def first_test_student(self) -> int:
        """Id of the first test student."""
        return self.first_observer + self.observers


def _names(draws: Draws, ids: Ints) -> pl.DataFrame:
    cultures = read("names")
    culture = draws.choose("culture", ids, [c["weight"] for c in cultures])

    def pick(purpose: str, lists: list[list[str]]) -> pl.Series:
        counts = np.array([len(words) for words in lists])
        at = (np.cumsum(counts) - counts)[culture] + draws.below(purpose, ids, counts[culture])
        return pl.Series([word for words in lists for word in words]).gather(at)

    frame = pl.DataFrame(
        {
            "given": pick("given", [c["givens"] for c in cultures]),
            "family": pick("family", [c["families"] for c in cultures]),
            "form": pl.Series([f"{c['full']}|{c['sortable']}" for c in cultures]).gather(culture),
        }
    )
    filled = pl.col("form").str.replace_all("{given}", pl.col("given"), literal=True)
    filled = filled.str.replace_all("{family}", pl.col("family"), literal=True).str.split("|")
    alone = pl.col("family") == ""
    # A person with one name has it as the family name.
    return frame.with_columns(
        name=filled.list.get(0),
        sortable=filled.list.get(1),
        given=pl.when(alone).then(pl.lit("")).otherwise("given"),
        family=pl.when(alone).then("given").otherwise("family"),
    ).drop("form")


def users(draws: Draws, pools: Pools, now: datetime) -> pl.DataFrame:
    """Return one row per person, sorted by id."""
    ids = np.arange(FIRST_USER, pools.first_test_student + pools.test_students, dtype=np.int64)
    test = ids >= pools.first_test_student
    mail = pl.Series(ids).cast(pl.String)
    drawn = _names(draws, ids).with_columns(
        id=pl.Series(ids),
        test=pl.Series(test),
        short_name=pl.when(pl.Series(draws.chance("short name", ids, 0.1))).then("given").otherwise("name"),
        email=pl.when(pl.Series(~draws.chance("e-mail", ids, 0.03))).then("p" + mail + "@example.edu"),
        pronouns=draws.pick("pronouns", ids, [None, "she/her", "he/him", "they/them"], [80, 9, 8, 3]),
    )
    view = pl.col("test")
    drawn = drawn.with_columns(
        name=pl.when(view).then(pl.lit("Test Student")).otherwise("name"),
        sortable=pl.when(view).then(pl.lit("Student, Test")).otherwise("sortable"),
        email=pl.when(~view).then("email"),
    )
    pieces = table("users").with_columns(test=pl.lit(False))
    everyone = pl.concat([pieces, drawn.select(pieces.columns)], how="vertical_relaxed").sort("id")
    age = draws.below("user age", everyone["id"].to_numpy(), 2_000) + 100
    return everyone.with_columns(created_at=moments(int(now.timestamp()) - DAY * age))


def _drawn_logins(draws: Draws, pools: Pools) -> pl.DataFrame:
    people = np.arange(FIRST_USER, pools.first_test_student, dtype=np.int64)
    # Observed students, every tenth, keep theirs, because other tables refer to them.
    people = people[(~draws.chance("no login", people, 0.005)) | ((people - FIRST_USER) % 10 == 0)]
    second = people[draws.chance("second login", people, 0.04)]
    # One in a hundred looks like a number in scientific notation, which spreadsheets destroy.
    scientific = pl.Series(~draws.chance("user sis", people, 0.99))
    states, number = ["active", "suspended", "deleted"], pl.col("number").cast(pl.String)
    first = pl.DataFrame({"user_id": people, "number": people - FIRST_USER + 1}).with_columns(
        sis_id=pl.when(scientific).then(number + "E2").otherwise(number.str.zfill(7)),
        login="u" + number.str.zfill(6),
        status=draws.pick("login status", people, states, [970, 12, 18]),
    )
    extra = first.filter(pl.col("user_id").is_in(second)).with_columns(
        sis_id="X-" + pl.col("sis_id"),
        login=pl.col("login") + "@old.example.edu",
        status=draws.pick("second status", second, states, [2, 4, 4]),
    )
    first = first.with_columns(
        sis_id=pl.when(pl.Series(~draws.chance("user sis", people, 0.03))).then("sis_id")
    )
    both = pl.concat([first, extra])
    return both.with_columns(
        id=pl.int_range(101, 101 + both.height, dtype=pl.Int64),
        integration_id=pl.when(pl.col("user_id") % 7 == 0).then("int-" + pl.col("login")),
        created_by_sis=pl.col("sis_id").is_not_null(),
    )


def logins(draws: Draws, pools: Pools, enrollments: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Return one row per login with its last use; test students have none.

    A person's main login was used at least as late as any of their enrollments.
    """
    pieces = table("logins")
    frame = after_some(_drawn_logins(draws, pools), pieces)
    latest = enrollments.group_by("user_id").agg(active_at=pl.col("last_activity_at").max())
    frame = frame.join(latest, on="user_id", how="left", maintain_order="left")
    ids, today = frame["id"].to_numpy(), int(now.timestamp())
    ago = (draws.small("last login", ids) * 200 * DAY).astype(np.int64)
    drawn = pl.Series(waking(draws, ids, today - 60 - ago))
    main = (pl.col("user_id").cum_count().over("user_id") == 1) & pl.col("active_at").is_not_null()
    later = pl.Series(draws.below("minutes after", ids, 240) * 60)
    after = (pl.col("active_at").dt.epoch("s") + later).clip(upper_bound=today)
    seen = ~draws.chance("ever logged in", ids, 0.06)
    nets = ["192.0.2.", "198.51.100.", "2001:db8::"]
    net = pl.Series(nets).gather(draws.below("ip net", ids, 3))
    host = pl.Series(draws.below("ip", ids, 254) + 1).cast(pl.String)
    return (
        frame.with_columns(
            provider_id=pl.when(pl.col("created_by_sis")).then(pl.lit(107)),
            at=pl.when(main)
            .then(pl.max_horizontal(after, drawn))
            .otherwise(pl.when(pl.Series(seen)).then(drawn)),
        )
        .with_columns(
            last_at=(pl.col("at") * 1_000_000).cast(MOMENT),
            last_ip=pl.when(pl.col("at").is_not_null()).then(net + host),
        )
        .drop("at", "active_at")
    )


def with_hosts(logins: pl.DataFrame) -> pl.DataFrame:
    """Return the logins with the school of each as `host`, null for those of this one: the guest's is elsewhere."""
    return logins.with_columns(host=pl.when(user_id=GUEST).then(pl.lit("canvas.partner.example.org")))


def with_best_login(users: pl.DataFrame, logins: pl.DataFrame) -> pl.DataFrame:
    """Return the users with the SIS ids of the login that Canvas prefers if there are several.

    `usable` is whether any login is not deleted, `known` whether the user has a login.
    """
    best = (
        logins.with_columns(deleted=pl.col("status") == "deleted")
        .sort("deleted", pl.col("sis_id").is_null(), "id")
        .unique("user_id", keep="first", maintain_order=True)
        .select("user_id", "sis_id", "integration_id", usable=~pl.col("deleted"), known=pl.lit(True))
    )
    named = users.join(best, left_on="id", right_on="user_id", how="left", maintain_order="left")
    return named.with_columns(pl.col("usable", "known").fill_null(False))
