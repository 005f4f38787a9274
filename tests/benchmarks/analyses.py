"""Measure the analyses: ``python tests/benchmarks/analyses.py``.

Compares `people`, `roster`, `rates`, `census`, `diff` and `pseudonymize` with the plain pandas code an analyst would
write for the same question. The tables are 5 million enrollments with their users, sections, courses and terms, and a
grade export of as many rows: ten copies of a tenth, each with ids of its own. Prints a Markdown table with the best of
all rounds, then the ratios of ours to plain pandas. Each measurement runs in its own process, which reads the tables
before the clock starts. CPU seconds are those of all threads; the peak memory is that of the whole process, and "tables
read" shows that of reading alone.
"""

# ruff: noqa: PLC0415 - what is imported, and when, is part of what is measured
from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE = Path(tempfile.gettempdir()) / "canvas-reports-benchmarks"
TABLES = ("users", "terms", "courses", "sections", "enrollments")
FILES = (*TABLES, "grades")
_COPIES = 10
_STEP = 10**10
_KEY = b"sixteen bytes and more"
PACKAGES = ("pandas", "polars", "pyarrow")
# Canvas lists about half of the enrollments in the demo's university.
_WORLD_PER_ROW = 2.1


class Measured(NamedTuple):
    """One measurement: wall and CPU seconds, peak memory of the process in MB, and the number of rows."""

    seconds: float
    cpu: float
    peak_mb: float
    rows: int


def make(rows: int, folder: Path) -> None:
    """Write the tables of one run with about this many enrollments as Parquet, with the package's types."""
    import polars as pl

    import canvas_reports_nb as crn
    from canvas_reports_nb.demo_canvas.reports import produce
    from canvas_reports_nb.demo_canvas.world import build_world

    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    world = build_world(2026, int(rows * _WORLD_PER_ROW / _COPIES) + 3_000)
    for name in FILES:
        report = "grade_export_csv" if name == "grades" else "provisioning_csv"
        parameters = {} if name == "grades" else {name: True}
        product = produce(world, report, {**parameters, "include_deleted": True}, 1, scratch)
        table = None if name == "grades" else name
        frame = pl.DataFrame(crn.read_file(product.files[0], report=report, table=table, engine="polars"))
        if name in ("enrollments", "grades"):
            frame = pl.concat([frame] * (1 + rows // (_COPIES * frame.height))).head(rows // _COPIES)
        ids = [one for one in frame.columns if one.endswith(" id") or one.startswith("canvas_")]
        shifted = [
            one for one in ids if frame.schema[one] == pl.Int64 and "term" not in one and "account" not in one
        ]
        copies = [frame.with_columns(pl.col(shifted) + _STEP * copy) for copy in range(_COPIES)]
        whole = frame if name == "terms" else pl.concat(copies)
        whole.write_parquet(folder / f"{name}.part")
        (folder / f"{name}.part").rename(folder / f"{name}.parquet")


def pandas_tables(folder: Path, *names: str) -> dict[str, Any]:
    """Return the tables with the dtypes of read_report."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from canvas_reports_nb.frames.engines import to_pandas

    tables = {name: to_pandas(pq.read_table(folder / f"{name}.parquet")) for name in names}
    # What reading has freed would otherwise count for the analysis, unless Arrow happens to return it in time.
    pa.default_memory_pool().release_unused()
    return tables


def lazy_tables(folder: Path, *names: str) -> dict[str, Any]:
    """Return the tables as scan_report does."""
    import polars as pl

    return {name: pl.scan_parquet(folder / f"{name}.parquet") for name in names}


def eager_tables(folder: Path, *names: str) -> dict[str, Any]:
    """Return the tables as polars frames in memory."""
    return {name: frame.collect() for name, frame in lazy_tables(folder, *names).items()}


def our_people(tables: dict[str, Any]) -> int:
    """Compute one row per person."""
    from canvas_reports_nb.analysis import provisioning

    return _height(provisioning.people(tables))


def our_roster(tables: dict[str, Any]) -> int:
    """Compute one row per enrollment."""
    from canvas_reports_nb.analysis import provisioning

    return _height(provisioning.roster(tables))


def naive_people(tables: dict[str, Any]) -> int:
    """Compute one row per person in plain pandas: the preferred login and the counts."""
    users = tables["users"]
    rank = users["status"].map({"active": 0, "suspended": 1, "deleted": 2}).astype("Int8")
    ordered = users.assign(rank=rank).sort_values(["canvas_user_id", "rank", "user_id", "login_id"])
    states = users.assign(
        active_logins=users["status"] == "active", suspended_logins=users["status"] == "suspended"
    )
    counts = states.groupby("canvas_user_id").agg(
        logins=("login_id", "size"),
        active_logins=("active_logins", "sum"),
        suspended_logins=("suspended_logins", "sum"),
        sis_ids=("user_id", "nunique"),
    )
    shown = ordered.drop_duplicates("canvas_user_id").drop(columns="rank")
    return len(shown.merge(counts, on="canvas_user_id", how="left"))


def naive_roster(tables: dict[str, Any]) -> int:
    """Compute the roster in plain pandas: one row per person, then four merges."""
    person = {"status": "login_status"}
    users = tables["users"].drop_duplicates("canvas_user_id").rename(columns=person)
    sections = tables["sections"].rename(columns={"name": "section_name", "status": "section_status"})
    renamed = {name: f"course_{name}" for name in ("short_name", "long_name", "status")}
    courses = tables["courses"].rename(columns=renamed)
    terms = tables["terms"].rename(
        columns={name: f"term_{name}" for name in ("name", "start_date", "end_date")}
    )
    shown = [
        (users, ["canvas_user_id", "login_id", "full_name", "sortable_name", "email", "login_status"]),
        (sections, ["canvas_section_id", "section_name", "section_status"]),
        (
            courses,
            [
                "canvas_course_id",
                *renamed.values(),
                "canvas_account_id",
                "account_id",
                "canvas_term_id",
                "term_id",
            ],
        ),
        (terms, ["canvas_term_id", "term_name", "term_start_date", "term_end_date"]),
    ]
    rows = tables["enrollments"]
    for frame, columns in shown:
        rows = rows.merge(frame[columns], on=columns[0], how="left")
    return len(rows)


def our_rates(tables: dict[str, Any]) -> int:
    """Count the letter classes of each course, with the rates."""
    from canvas_reports_nb.analysis import grades

    return _height(grades.rates(grades.letters(tables["grades"], withdrawn=("inactive", "deleted"))))


def naive_rates(tables: dict[str, Any]) -> int:
    """Count the letters of each course in plain pandas: one row per student and course, then a crosstab."""
    import pandas as pd

    rows = tables["grades"]
    ranks = {"active": 0, "concluded": 1, "inactive": 2, "deleted": 3}
    ordered = rows.assign(rank=rows["enrollment state"].map(ranks).astype("Int8")).sort_values(
        ["student id", "course id", "rank", "section id"]
    )
    once = ordered.drop_duplicates(["student id", "course id"])
    letter = once["override grade"] if "override grade" in once else once["final grade"]
    kind = letter.fillna(once["final grade"]).str.strip().str[:1]
    kind = kind.mask(once["current score"].isna(), "none").mask(once["rank"] >= ranks["inactive"], "W")
    counts = pd.crosstab(once["course id"], kind)
    bad = counts.reindex(columns=["D", "F", "W"], fill_value=0).sum(axis=1)
    counts["dfw"] = bad / counts.drop(columns="none", errors="ignore").sum(axis=1)
    names = once.groupby("course id")[["course", "course sis"]].first()
    return len(counts.join(names))


def our_census(tables: dict[str, Any]) -> int:
    """Count students, seats and sections by term."""
    from canvas_reports_nb.analysis import provisioning

    return _height(provisioning.census(tables))


def naive_census(tables: dict[str, Any]) -> int:
    """Count the same in plain pandas: filter, merge, drop_duplicates, groupby."""
    enrollments = tables["enrollments"]
    active = (enrollments["base_role_type"] == "StudentEnrollment") & (enrollments["status"] == "active")
    terms = tables["courses"][["canvas_course_id", "canvas_term_id"]]
    rows = enrollments[active].merge(terms, on="canvas_course_id", how="left")
    group = "canvas_term_id"
    seats = rows.drop_duplicates(["canvas_user_id", "canvas_course_id"]).groupby(group, dropna=False)
    by_section = rows.drop_duplicates(["canvas_user_id", "canvas_section_id"]).groupby(group, dropna=False)
    counts = seats.agg(
        headcount=("canvas_user_id", "nunique"),
        seats=("canvas_user_id", "size"),
        courses=("canvas_course_id", "nunique"),
    )
    counts["section_seats"] = by_section.size()
    counts["sections"] = by_section["canvas_section_id"].nunique()
    return len(counts.reset_index().merge(tables["terms"], on=group, how="left"))


def two_days(folder: Path, *names: str) -> dict[str, Any]:
    """Return the enrollments of two days: some are new, some are gone, and some have another status."""
    older = pandas_tables(folder, *names)[names[0]]
    newer = older.iloc[1000:].reset_index(drop=True)
    newer.loc[::1000, "status"] = "inactive"
    return {"older": older.iloc[:-1000], "newer": newer}


def our_diff(tables: dict[str, Any]) -> int:
    """Compare two days cell by cell."""
    import canvas_reports_nb as crn

    found = crn.diff(tables["older"], tables["newer"], report="provisioning_csv", table="enrollments")
    return len(found.added) + len(found.removed) + len(found.changed)


def naive_diff(tables: dict[str, Any]) -> int:
    """Compare in plain pandas: one outer merge, then column by column."""
    import pandas as pd

    older, newer, key = tables["older"], tables["newer"], "canvas_enrollment_id"
    both = older.merge(newer, on=key, how="outer", suffixes=("_before", "_after"), indicator=True)
    added, removed = both[both["_merge"] == "right_only"], both[both["_merge"] == "left_only"]
    kept = both[both["_merge"] == "both"]
    parts = []
    for name in older.columns.drop(key):
        before, after = (kept[f"{name}_{day}"].astype("str").fillna("") for day in ("before", "after"))
        differs = before != after
        cells = {key: kept.loc[differs, key], "before": before[differs], "after": after[differs]}
        parts.append(pd.DataFrame(cells).assign(column=name))
    return len(added) + len(removed) + len(pd.concat(parts))


def our_pseudonymize(tables: dict[str, Any]) -> int:
    """Replace every personal value by a pseudonym."""
    import canvas_reports_nb as crn

    frame = tables["enrollments"]
    return len(crn.pseudonymize(frame, _KEY, report="provisioning_csv", table="enrollments"))


def naive_pseudonymize(tables: dict[str, Any]) -> int:
    """Do the same in plain pandas: a keyed digest of each distinct value, and a map."""
    import hashlib
    import hmac

    rows = tables["enrollments"].copy()
    people = ("canvas_user_id", "user_id", "canvas_associated_user_id", "associated_user_id")
    for name in (*people, "canvas_enrollment_id"):
        if name not in rows:
            continue
        digests = {
            value: hmac.new(_KEY, str(value).encode(), hashlib.sha256).hexdigest()[:16]
            for value in rows[name].dropna().unique()
        }
        rows[name] = rows[name].map(digests)
    return len(rows)


def nothing(tables: dict[str, Any]) -> int:
    """Do nothing with the tables."""
    return sum(_height(frame) for frame in tables.values())


def _height(frame: Any) -> int:
    return len(frame.collect() if hasattr(frame, "collect") else frame)


Way = tuple[str, str, "Callable[..., dict[str, Any]]", "Callable[[dict[str, Any]], int]"]
WAYS: tuple[Way, ...] = (
    ("people", "plain pandas: sort, group by, drop_duplicates, merge", pandas_tables, naive_people),
    ("people", "ours on pandas", pandas_tables, our_people),
    ("people", "ours on polars", eager_tables, our_people),
    ("people", "ours on a scan", lazy_tables, our_people),
    ("roster", "tables read into pandas, nothing done", pandas_tables, nothing),
    ("roster", "plain pandas: drop_duplicates, four merges", pandas_tables, naive_roster),
    ("roster", "ours on pandas", pandas_tables, our_roster),
    ("roster", "ours on polars", eager_tables, our_roster),
    ("roster", "ours on a scan", lazy_tables, our_roster),
    ("rates", "table read into pandas, nothing done", pandas_tables, nothing),
    ("rates", "plain pandas: sort, drop_duplicates, crosstab", pandas_tables, naive_rates),
    ("rates", "ours on pandas", pandas_tables, our_rates),
    ("rates", "ours on polars", eager_tables, our_rates),
    ("rates", "ours on a scan", lazy_tables, our_rates),
    ("census", "plain pandas: filter, merge, drop_duplicates, groupby", pandas_tables, naive_census),
    ("census", "ours on pandas", pandas_tables, our_census),
    ("census", "ours on a scan", lazy_tables, our_census),
    ("diff", "plain pandas: outer merge, compare column by column", two_days, naive_diff),
    ("diff", "ours on pandas", two_days, our_diff),
    ("pseudonymize", "plain pandas: digest of each distinct value, map", pandas_tables, naive_pseudonymize),
    ("pseudonymize", "ours on pandas", pandas_tables, our_pseudonymize),
)
READ = {
    "people": ("users",),
    "roster": TABLES,
    "rates": ("grades",),
    "census": ("enrollments", "courses", "terms"),
    "diff": ("enrollments",),
    "pseudonymize": ("enrollments",),
}


def measure(place: int, folder: Path) -> Measured:
    """Measure one way once, in this process."""
    import canvas_reports_nb.analysis.provisioning  # noqa: F401 - importing it is not measured

    what, _, read, way = WAYS[place]
    tables = read(folder, *READ[what])
    begun, worked = time.perf_counter(), time.process_time()
    rows = way(tables)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - worked
    return Measured(seconds, cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6 * 1024, rows)


def main() -> None:
    """Make the tables if needed, measure every way in turn, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=list(READ), help="Measure only these analyses.")
    given = parser.parse_args()
    folder = CACHE / f"run-{given.rows}"
    if not all((folder / f"{name}.parquet").exists() for name in FILES):
        _apart("make", str(given.rows), str(folder))
    best: dict[int, Measured] = {}
    for _ in range(given.rounds):
        for place in range(len(WAYS)):
            if given.only and WAYS[place][0] not in given.only:
                continue
            done = Measured(**json.loads(_apart("measure", str(place), str(folder))))
            best[place] = min(best.get(place, done), done)
    print(
        f"\n{given.rows:,} enrollments; best of {given.rounds}; {platform.machine()}, {os.cpu_count()} cores,"
    )
    print(
        f"Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in PACKAGES)}\n"
    )
    print("| analysis | way | rows | seconds | CPU | peak MB |\n| --- | --- | --- | --- | --- | --- |")
    for place, done in best.items():
        what, label, *_ = WAYS[place]
        numbers = f"{done.seconds:.2f} | {done.cpu:.2f} | {done.peak_mb:,.0f}"
        print(f"| {what} | {label} | {done.rows:,} | {numbers} |")
    print("\n| ours on pandas to plain pandas | seconds | CPU | peak |\n| --- | --- | --- | --- |")
    for what in READ:
        of = {WAYS[place][1]: done for place, done in best.items() if WAYS[place][0] == what}
        plain = next((done for label, done in of.items() if label.startswith("plain")), None)
        if plain is not None:
            ratios = (
                f"{ours / theirs:.2f}"
                for ours, theirs in zip(of["ours on pandas"][:3], plain[:3], strict=True)
            )
            print(f"| {what} | {' | '.join(ratios)} |")


def _apart(*arguments: str) -> str:
    """Run this program in its own process: a child's peak memory starts at that of its parent."""
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", rows, folder]:
            make(int(rows), Path(folder))
        case ["measure", place, folder]:
            print(json.dumps(measure(int(place), Path(folder))._asdict()))
        case _:
            main()
