"""Equal frames give equal results to the last bit: in every call, of every kind, in any order of rows.

Frames of which only one has pseudonyms give an error, not a result in which nothing matches.
"""

import functools
import io
import os
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pytest

mpl.use("Agg")

import canvas_reports_nb as crn
from canvas_reports_nb import access, activity, charts, grades, provisioning, sis
from canvas_reports_nb.canvas_api.models import ReportRun
from canvas_reports_nb.exceptions import ParameterError, ReportWarning
from canvas_reports_nb.frames.exchange import LOWEST_PSEUDONYM, to_lazy
from canvas_reports_nb.runs.listings import history_frame

Tables = dict[str, Any]
# More by hand: CANVAS_REPORTS_CALLS=300 python -m pytest tests/unit/analysis/test_repeatable.py
CALLS = int(os.environ.get("CANVAS_REPORTS_CALLS", "5"))
RUNS = history_frame(
    "grade_export_csv",
    [
        ReportRun(
            id=number,
            report="grade_export_csv",
            status="complete",
            created_at=f"2026-03-0{number}T08:00:00Z",
            started_at=f"2026-03-0{number}T08:01:00Z",
            ended_at=f"2026-03-0{number}T08:0{2 + number}:00Z",
        )
        for number in range(1, 6)
    ],
)


def credits_of(tables: Tables) -> pl.DataFrame:
    """Tenths, whose sum depends on the order they are added in."""
    ids = to_lazy(tables["courses"]).select("canvas_course_id").sort("canvas_course_id")
    return ids.with_columns(credits=pl.int_range(pl.len()) % 7 / 10).collect()


def list_of(tables: Tables) -> pl.DataFrame:
    """A school's list with some people moved to another section, and some dropped."""
    rows = to_lazy(tables["enrollments"]).select("user_id", "section_id").drop_nulls().unique()
    number = pl.int_range(pl.len())
    moved = pl.when(number % 7 == 0).then(pl.col("section_id").shift(1)).otherwise("section_id")
    status = pl.when(number % 5 == 0).then(pl.lit("D")).otherwise(pl.lit("E")).alias("status")
    made = rows.sort("user_id", "section_id").with_columns(moved.alias("section_id"), status)
    return made.unique(["user_id", "section_id"], keep="first", maintain_order=True).collect()


def grades_of(tables: Tables) -> pl.DataFrame:
    """The grades in a school's list, some of them another."""
    columns = {"user_id": "student sis", "section_id": "section sis", "grade": "final grade"}
    rows = to_lazy(tables["grades"]).select(**columns).drop_nulls(["user_id", "section_id"])
    made = rows.group_by("user_id", "section_id").agg(pl.col("grade").max()).sort("user_id", "section_id")
    number = pl.int_range(pl.len())
    return made.with_columns(
        pl.when(number % 7 == 0).then(pl.lit("A")).otherwise("grade").alias("grade")
    ).collect()


def alerts_of(of: Tables) -> activity.Alerts[Any]:
    return activity.alerts(of, grades=of["grades"], silent=of["zero"], no_submissions=of["nothing"])


ANALYSES: dict[str, Callable[[Tables], Any]] = {
    "grades.one_per_student": lambda of: grades.one_per_student(of["grades"]),
    "grades.dropped": lambda of: grades.dropped(of["grades"]),
    "grades.overrides": lambda of: grades.overrides(of["grades"]),
    "grades.grading_periods": lambda of: grades.grading_periods(of["periods"]),
    "grades.letters": lambda of: grades.letters(of["grades"], census=of["census"]),
    "grades.rates course": lambda of: grades.rates(grades.letters(of["grades"], census=of["census"])),
    "grades.rates department": lambda of: grades.rates(
        grades.letters(of["grades"], census=of["census"]), "department", of
    ),
    "grades.gaps": lambda of: grades.gaps(
        grades.letters(of["grades"], census=of["census"]),
        of["groups of students"],
        on="student id",
        group="group",
        by="term",
    ),
    "grades.missing_grades": lambda of: grades.missing_grades(of["grades"], of),
    "access.admins": lambda of: access.admins(of, of["access"]),
    "grades.compare_with_sis": lambda of: grades.compare_with_sis(of["grades"], grades_of(of)),
    "access.tools": lambda of: access.tools(of["tools"], approved=["example.com"]),
    "access.tokens": lambda of: access.tokens(
        of["tokens"], now="2026-03-02", admins=of["admins"], users=of["users"]
    ),
    "provisioning.account_tree": provisioning.account_tree,
    "provisioning.census": lambda of: provisioning.census(of, ("term", "college"), credits=credits_of(of)),
    "provisioning.contacts": provisioning.contacts,
    "provisioning.cross_lists": provisioning.cross_lists,
    "provisioning.census roles": lambda of: provisioning.census(of, ("role", "status"), states=None),
    "provisioning.duplicate_people": provisioning.duplicate_people,
    "provisioning.made_by_hand": provisioning.made_by_hand,
    "provisioning.origins": provisioning.origins,
    "provisioning.people": provisioning.people,
    "provisioning.places": provisioning.places,
    "provisioning.readiness": lambda of: provisioning.readiness(
        of, today="2026-03-02", access=of["access"], unused=of["unused"], within=90
    ),
    "provisioning.references": provisioning.references,
    "provisioning.roster": provisioning.roster,
    "provisioning.section_sizes": lambda of: provisioning.section_sizes(of, "department"),
    "provisioning.sis_id_clashes": provisioning.sis_id_clashes,
    "provisioning.suspended_but_enrolled": provisioning.suspended_but_enrolled,
    "sis.reconcile": lambda of: sis.reconcile(of, list_of(of), status="status", all=True).frame,
    "sis.Reconciliation": lambda of: sis.reconcile(of, list_of(of)).summary(),
    "activity.alerts": lambda of: alerts_of(of).frame,
    "activity.Alerts courses": lambda of: alerts_of(of).per_course(),
    "activity.Alerts left out": lambda of: alerts_of(of).quiet_courses,
    "activity.clean_up": lambda of: activity.clean_up(
        of, unused=of["unused"], storage=of["storage"], heavy=1
    ),
    "activity.retention": lambda of: activity.retention(of, today="2031-03-02", storage=of["storage"]),
    "activity.last_access_by_week": lambda of: activity.last_access_by_week(of["access"]),
}
CHARTS: dict[str, Callable[[Tables], Any]] = {
    "charts.dfw_by_course": lambda of: charts.dfw_by_course(of["grades"], census=of["census"]),
    "charts.enrollments_over_terms": charts.enrollments_over_terms,
    "charts.grade_distribution": lambda of: charts.grade_distribution(of["grades"]),
    "charts.last_access_calendar": lambda of: charts.last_access_calendar(of["access"]),
    "charts.rates_over_terms": lambda of: charts.rates_over_terms(of["grades"], census=of["census"]),
    "charts.role_by_state": lambda of: charts.role_by_state(of["enrollments"]),
    "charts.run_durations": lambda _: charts.run_durations(RUNS),
    "charts.storage_pareto": lambda of: charts.storage_pareto(of["storage"]),
}
# The others keep the order of the file, or take the first of equal rows.
ANY_ORDER = [
    name
    for name in ANALYSES
    if name.startswith(
        ("access.", "sis.", "grades.compare", "grades.rates", "grades.gaps", "grades.missing", "activity.")
    )
    or name
    in {
        "provisioning.account_tree",
        "provisioning.census",
        "provisioning.contacts",
        "provisioning.census roles",
        "provisioning.duplicate_people",
        "provisioning.people",
        "provisioning.readiness",
        "provisioning.references",
        "provisioning.section_sizes",
    }
]


def test_no_public_analysis_is_left_out() -> None:
    rooms = {
        "access": access,
        "grades": grades,
        "provisioning": provisioning,
        "activity": activity,
        "charts": charts,
        "sis": sis,
    }
    public = {f"{room}.{name}" for room, module in rooms.items() for name in module.__all__}
    asked = {name.partition(" ")[0] for name in (*ANALYSES, *CHARTS)}
    assert asked == public - {"charts.alt_text", "charts.save"}


@pytest.fixture(scope="module")
def tables(larger: Callable[..., dict[str, pa.Table]]) -> dict[str, pa.Table]:
    """The reports that the analyses read, from a demo with 20,000 enrollments."""
    every = (
        *("users", "accounts", "terms", "courses", "sections", "enrollments", "groups", "xlist", "admins"),
        "include_deleted",
    )
    found = larger("provisioning_csv", **dict.fromkeys(every, True))
    reports = {
        "access": ("last_user_access_csv", {}),
        "grades": ("grade_export_csv", {"include_deleted": True}),
        "periods": ("mgp_grade_export_csv", {}),
        "nothing": ("students_with_no_submissions_csv", {"include_enrollment_state": True}),
        "storage": ("course_storage_csv", {}),
        "tokens": ("user_access_tokens_csv", {}),
        "tools": ("lti_report_csv", {"include_deleted": True}),
        "unused": ("unused_courses_csv", {}),
        "zero": ("zero_activity_csv", {}),
    }
    for name, (report, parameters) in reports.items():
        found[name] = max(larger(report, **parameters).values(), key=lambda table: len(table.column_names))
    tables = {name: table.drop_columns("pos") for name, table in found.items()}
    pairs = tables["grades"].select(["student id", "course id"])
    people = pairs["student id"].unique()
    groups = pa.array([f"group {who % 7}" for who in people.to_pylist()])
    return {
        **tables,
        # Some students of the export have come later, and some have left.
        "census": pa.concat_tables(
            [pairs.slice(2_000), pa.table({"student id": people, "course id": people})]
        ),
        "groups of students": pa.table({"student id": people, "group": groups}),
    }


@pytest.fixture(scope="module")
def frames(tables: dict[str, pa.Table]) -> dict[str, pl.DataFrame]:
    """The same as polars frames."""
    return {name: pl.DataFrame(pl.from_arrow(table)) for name, table in tables.items()}


@pytest.fixture(scope="module")
def shuffles(frames: dict[str, pl.DataFrame]) -> list[dict[str, pl.DataFrame]]:
    """The same with their rows in other orders."""
    return [
        {name: frame.sample(fraction=1, shuffle=True, seed=seed) for name, frame in frames.items()}
        for seed in range(CALLS)
    ]


@pytest.fixture(scope="module")
def results(frames: dict[str, pl.DataFrame]) -> Callable[[str], pl.DataFrame]:
    """Give the result of an analysis on the polars frames, calculated once."""
    return functools.cache(lambda name: ANALYSES[name](frames))


@pytest.mark.parametrize("name", ANALYSES)
def test_every_call_gives_the_same(
    frames: dict[str, pl.DataFrame], results: Callable[[str], pl.DataFrame], name: str
) -> None:
    wanted = results(name)
    lazy = {name: frame.lazy() for name, frame in frames.items()}
    for _ in range(CALLS):
        assert ANALYSES[name](frames).equals(wanted)
        assert ANALYSES[name](lazy).collect(engine="streaming").equals(wanted)


# Whose ids must match those of another input.
INPUTS = [
    *[("activity.alerts", name, "user id") for name in ("zero", "nothing")],
    ("activity.alerts", "grades", "student id"),
    ("access.admins", "access", "user id"),
    *[("access.tokens", name, "canvas_user_id") for name in ("users", "admins")],
    ("grades.gaps", "groups of students", "student id"),
    ("grades.letters", "census", "student id"),
    *[(f"provisioning.{name}", "users", "canvas_user_id") for name in ("contacts", "readiness", "roster")],
    ("provisioning.readiness", "access", "user id"),
    ("sis.reconcile", "users", "canvas_user_id"),
    *[("activity.clean_up", name, key) for name, key in (("unused", "course id"), ("storage", "id"))],
]


@pytest.mark.parametrize(("name", "table", "column"), INPUTS)
def test_pseudonyms_in_one_input_are_an_error(
    frames: dict[str, pl.DataFrame], name: str, table: str, column: str
) -> None:
    hidden = frames[table].with_columns(pl.col(column) + LOWEST_PSEUDONYM)
    with pytest.raises(ParameterError, match=r"are pseudonyms and .* are not, so they can't be matched"):
        ANALYSES[name]({**frames, table: hidden})


def test_pseudonyms_of_sis_ids_in_one_input_are_an_error(frames: dict[str, pl.DataFrame]) -> None:
    listed = list_of(frames)
    word = pl.format("sis_{}", pl.col("user_id").str.to_lowercase().str.pad_start(20, "0"))
    hidden = {**frames, "users": frames["users"].with_columns(user_id=word)}
    for tables, school in ((frames, listed.with_columns(user_id=word)), (hidden, listed)):
        with pytest.raises(ParameterError, match="'user_id' are pseudonyms and 'user_id' are not"):
            sis.reconcile(tables, school, status="status")
    listed = grades_of(frames).with_columns(user_id=word)
    with pytest.raises(ParameterError, match="'user_id' are pseudonyms"):
        grades.compare_with_sis(frames["grades"], listed)


def plain(frame: Any) -> pl.DataFrame:
    """Return a frame of any kind as polars, with plain text and times in microseconds."""
    text = (cs.categorical() | cs.enum()).cast(pl.String)
    return to_lazy(frame).with_columns(text, cs.datetime().dt.cast_time_unit("us")).collect()


def bits(frame: pl.DataFrame) -> list[bytes]:
    """Return the floats to the last bit; equal ones may be -0.0 and 0.0."""
    return [column.to_numpy().tobytes() for column in frame.select(cs.float())]


@pytest.fixture(scope="module")
def kinds(oracle: Any, tables: dict[str, pa.Table]) -> dict[str, Tables]:
    """The same tables as frames of every kind."""
    return {
        kind: {name: oracle.as_kind(table, kind) for name, table in tables.items()} for kind in oracle.kinds
    }


@pytest.mark.parametrize("name", ANALYSES)
def test_every_kind_gives_the_same_bits(
    kinds: dict[str, Tables], results: Callable[[str], pl.DataFrame], name: str
) -> None:
    wanted = plain(results(name))
    for kind, of_kind in kinds.items():
        found = plain(ANALYSES[name](of_kind))
        assert found.schema == wanted.schema, kind
        assert found.equals(wanted), kind
        assert bits(found) == bits(wanted), kind


@pytest.mark.parametrize("name", ANALYSES)
def test_the_order_of_the_rows_does_not_matter(
    shuffles: list[dict[str, pl.DataFrame]], results: Callable[[str], pl.DataFrame], name: str
) -> None:
    # Some keep the order of the file.
    in_order = (lambda made: made) if name in ANY_ORDER else (lambda made: made.sort(made.columns))
    wanted = in_order(results(name))
    for shuffled in shuffles:
        assert in_order(ANALYSES[name](shuffled)).equals(wanted)


def test_a_published_table_hides_the_same_in_any_order() -> None:
    table = pl.DataFrame({"course": list("ABCDEF"), "n": [3, 20, 20, 20, 40, 40], "success": 0.5})
    wanted = crn.publish(table)
    assert wanted["suppressed"].sum() == 2
    for seed in range(CALLS):
        shuffled = table.sample(fraction=1, shuffle=True, seed=seed)
        found = crn.publish(shuffled)
        assert found["course"].equals(shuffled["course"])
        assert found.sort("course").equals(wanted)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_drawn_alike(frames: dict[str, pl.DataFrame], name: str) -> None:
    drawn = set()
    for _ in range(CALLS):
        axes, image = CHARTS[name](frames), io.BytesIO()
        axes.figure.savefig(image, format="raw", dpi=50)
        drawn.add((charts.alt_text(axes), image.getvalue()))
        plt.close("all")
    assert len(drawn) == 1


def test_terms_with_one_name_and_no_dates_are_drawn_in_one_order() -> None:
    ids = list(range(12))
    of = {
        "enrollments": pl.DataFrame(
            {
                "canvas_course_id": [at for at in ids for _ in range(at + 1)],
                "canvas_user_id": [person for at in ids for person in range(at + 1)],
                "base_role_type": "StudentEnrollment",
                "status": "active",
            }
        ),
        "courses": pl.DataFrame({"canvas_course_id": ids, "canvas_term_id": ids}),
        "terms": pl.DataFrame({"canvas_term_id": ids, "name": "Fall", "start_date": None}),
    }
    for _ in range(CALLS):
        widths = [bar.get_width() for bar in charts.enrollments_over_terms(of).patches]
        plt.close("all")
        assert widths[: len(ids)] == [at + 1 for at in ids]


def test_two_frames_differ_alike(frames: dict[str, pl.DataFrame]) -> None:
    older = frames["users"]
    # Some rows repeated, removed or changed, so that some keys are ambiguous.
    newer = pl.concat([older.head(300), older.head(40), older.slice(20, 10)]).with_columns(
        pl.when(pl.int_range(pl.len()) % 7 == 0).then(pl.lit("x")).otherwise("login_id").alias("login_id")
    )
    found = set()
    for _ in range(CALLS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReportWarning)
            made = crn.diff(older, newer, key="canvas_user_id")
        assert made.counts["ambiguous_newer"] > 0
        found.add(repr([part.rows() for part in (made.added, made.removed, made.changed, made.ambiguous)]))
    assert len(found) == 1
