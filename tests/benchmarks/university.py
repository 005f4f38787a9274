"""How much the demo's university looks like one: ``python tests/benchmarks/university.py [SIZE ...]``.

Prints a table with one column per number of enrollments; the first column says what to expect.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from canvas_reports_nb.demo_canvas.reports import produce
from canvas_reports_nb.demo_canvas.world import World, build_world

SIZES = (3_000, 60_000, 1_000_000)
EXPECTED = {
    "students": "", "courses": "", "class size, smallest": "5", "class size, median": "20 to 30",
    "class size, largest": "up to 300", "courses per student and term": "4 to 5", "students back after a term, %": "85 to 95",
    "names per course code": "1.0", "terms per course code": "5 and more", "A and A-, concluded, %": "40",
    "D, F, W, concluded, %": "10 to 12", "A and A-, current term, %": "over 0", "activity from 7 to 24 h, %": "100",
    "logins older than activity, %": "0", "seconds to build": "",
}  # fmt: skip


def grades(world: World) -> dict[str, float]:
    """Return shares of final grades, from the grade export."""
    with tempfile.TemporaryDirectory() as folder:
        (path,) = produce(world, "grade_export_csv", {"include_deleted": True}, 1, Path(folder)).files
        frame = pl.read_csv(path, infer_schema=False)
    state = dict(world.courses.select(pl.col("id").cast(pl.String), "status").iter_rows())
    frame = frame.with_columns(status=pl.col("course id").replace_strict(state), grade=pl.col("final grade"))
    frame = frame.filter(pl.col("grade").is_not_null())
    gone = pl.col("enrollment state").is_in(["deleted", "inactive"])
    done = frame.filter(status="completed")
    here = frame.filter(~gone, pl.col("term id") == str(world.current_term))
    top, low = pl.col("grade").is_in(["A", "A-"]), pl.col("grade").str.contains("[DF]")
    return {
        "A and A-, concluded, %": 100 * done.filter(~gone).select(top.mean()).item(),
        "D, F, W, concluded, %": 100 * done.select((low | gone).mean()).item(),
        "A and A-, current term, %": 100 * here.select(top.mean()).item(),
    }


def persistence(students: pl.DataFrame, world: World) -> float:
    """Return the share of the students of last fall or spring who were back a term later."""
    terms = [term for term in range(world.current_term - 7, world.current_term + 1) if (term - 10) % 3 != 1]
    by_term = [set(students.filter(term_id=term)["user_id"]) for term in terms]
    pairs = list(itertools.pairwise(by_term))
    everyone = sum(len(first) for first, _ in pairs)
    return 100 * sum(len(first & then) for first, then in pairs) / max(1, everyone)


def measured(world: World) -> Mapping[str, float]:
    """Return what the table shows of one world."""
    rows = world.enrollments.filter(
        pl.col("type").cast(pl.String) == "StudentEnrollment", ~pl.col("id").is_between(77_001, 78_000)
    )
    courses = world.courses.filter(pl.col("id") > 200, ~pl.col("id").is_between(500, 599))
    students = rows.join(courses.select(course_id="id", term_id="term_id"), on="course_id")
    sizes = students.group_by("course_id").agg(pl.col("user_id").n_unique())["user_id"].sort()
    whole = sizes[:-1] if len(sizes) > 1 else sizes
    main = students.filter(
        (pl.col("term_id") - 10) % 3 != 1,
        pl.col("term_id").is_between(world.current_term - 7, world.current_term),
    )
    loads = main.group_by("user_id", "term_id").agg(pl.col("course_id").n_unique())["course_id"]
    codes = courses.group_by("code").agg(pl.col("name").n_unique(), pl.col("term_id").n_unique())
    seen = rows["last_activity_at"].drop_nulls().dt.convert_time_zone(world.zone).dt.hour()
    used = world.logins.group_by("user_id").agg(pl.col("last_at").max())
    latest = rows.group_by("user_id").agg(pl.col("last_activity_at").max()).drop_nulls()
    both = latest.join(used, on="user_id")
    late = both.select(
        (pl.col("last_at").is_null() | (pl.col("last_at") < pl.col("last_activity_at"))).mean()
    )
    return {
        "students": rows["user_id"].n_unique(), "courses": courses.height,
        "class size, smallest": whole.quantile(0.01) or 0.0, "class size, median": whole.median() or 0.0, "class size, largest": whole.max() or 0.0,
        "courses per student and term": loads.mean() or 0.0, "students back after a term, %": persistence(main, world),
        "names per course code": codes["name"].max(), "terms per course code": codes["term_id"].mean(),
        "activity from 7 to 24 h, %": 100 * (seen >= 6).mean(), "logins older than activity, %": 100 * late.item(),
        **grades(world),
    }  # fmt: skip


def main(sizes: list[int]) -> None:
    columns: dict[int, Mapping[str, float]] = {}
    for size in sizes:
        began = time.perf_counter()
        world = build_world(enrollments=size)
        took = time.perf_counter() - began
        columns[size] = {**measured(world), "seconds to build": took}
    print(f"{'':<32}{'expected':>12}" + "".join(f"{size:>12,}" for size in sizes))
    for name, expected in EXPECTED.items():
        print(f"{name:<32}{expected:>12}" + "".join(f"{columns[size][name]:>12,.1f}" for size in sizes))


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or list(SIZES))
