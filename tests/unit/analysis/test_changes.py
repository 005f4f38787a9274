"""The differences turn the older frame into the newer one, and SQL finds the same."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from tests.unit.analysis.differences import quietly

KEY = ("student id", "course id", "section id")

SCHEMA = {
    "student id": pl.Int64,
    "course id": pl.Int64,
    "section id": pl.Int64,
    "student sis": pl.String,
    "final score": pl.Float64,
    "enrollment state": pl.Categorical,
    "at": pl.Datetime("us", "UTC"),
    "posted": pl.Boolean,
}

# Two neighboring Canvas ids of 17 digits are different.
ids = st.none() | st.sampled_from([1, 2, 3, 10_000_000_000_000_481, 10_000_000_000_000_482])

rows = st.tuples(
    ids,
    st.sampled_from([7, 8]),
    st.none() | st.just(9),
    st.none() | st.sampled_from(["481", "000481", "1e5", "NA", ""]),
    st.none() | st.sampled_from([0.1, 90.0, 1 / 3]),
    st.none() | st.sampled_from(["active", "concluded", "elsewhere"]),
    st.none() | st.integers(0, 3).map(lambda n: datetime(2026, 3, 2, tzinfo=UTC) + timedelta(milliseconds=n)),
    st.none() | st.booleans(),
)

tables = st.lists(rows, max_size=8).map(lambda cells: pl.DataFrame(cells, schema=SCHEMA, orient="row"))


def texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Return all text as plain text, and an empty one as missing: `""` and nothing mean the same."""
    return frame.with_columns(pl.col(pl.Categorical, pl.String).cast(pl.String).replace("", None))


def plain(frame: pl.DataFrame) -> Counter[tuple[object, ...]]:
    return Counter(texts(frame).rows())


def read(text: str | None, name: str) -> object:
    """Return a printed cell in the type of its column."""
    dtype = SCHEMA[name]
    if text is None or dtype in (pl.String, pl.Categorical):
        return text
    if isinstance(dtype, pl.Datetime):
        return datetime.fromisoformat(text)
    return text == "true" if dtype == pl.Boolean else float(text)


def applied(found: crn.Diff[pl.DataFrame], older: pl.DataFrame) -> Counter[tuple[object, ...]]:
    """Return the older rows without the removed ones, with changed cells, and with the added rows."""
    places = {name: place for place, name in enumerate(older.columns)}
    left = plain(older)
    left.subtract(plain(found.removed))
    assert min(left.values(), default=0) >= 0
    changes: dict[tuple[object, ...], dict[str, tuple[object, object]]] = {}
    for *key, column, before, after in found.changed.rows():
        changes.setdefault(tuple(key), {})[column] = read(before, column), read(after, column)
    made = plain(found.added)
    for row in (+left).elements():
        cells = list(row)
        for column, (before, after) in changes.get(row[: len(KEY)], {}).items():
            assert cells[places[column]] == before
            cells[places[column]] = after
        made[tuple(cells)] += 1
    return made


@settings(max_examples=30)
@given(tables, tables)
def test_the_diff_turns_the_older_frame_into_the_newer(older: pl.DataFrame, newer: pl.DataFrame) -> None:
    found = quietly(older, newer, key=KEY)
    assert applied(found, older) == plain(newer)
    counts = found.counts
    kept = counts["changed"] + counts["unchanged"]
    assert (kept + counts["removed"], kept + counts["added"]) == (older.height, newer.height)
    assert sum(found.by_column.values()) == counts["cells"] == found.changed.height
    back = quietly(newer, older, key=KEY)
    assert (plain(back.added), plain(back.removed)) == (plain(found.removed), plain(found.added))
    turned = found.changed.rename({"before": "after", "after": "before"}).select(found.changed.columns)
    assert plain(back.changed) == plain(turned)
    assert plain(back.ambiguous) == plain(found.ambiguous.select(*KEY, older="newer", newer="older"))


@settings(max_examples=20)
@given(tables, tables)
def test_sql_finds_the_same(older: pl.DataFrame, newer: pl.DataFrame) -> None:
    older, newer = (
        frame.filter(pl.col("student id").is_not_null()).unique(KEY, maintain_order=True)
        for frame in (older, newer)
    )
    found = crn.diff(older, newer, key=KEY)
    assert found.ambiguous.is_empty()
    on = " AND ".join(f'o."{name}" IS NOT DISTINCT FROM n."{name}"' for name in KEY)
    with duckdb.connect() as base:
        # Two files may spell an empty cell in two ways, which is no change.
        base.register("o", texts(older).to_arrow())
        base.register("n", texts(newer).to_arrow())

        def count(query: str) -> int:
            return base.sql(f"SELECT count(*) FROM {query}").fetchall()[0][0]

        assert count(f"n ANTI JOIN o ON {on}") == found.counts["added"]
        assert count(f"o ANTI JOIN n ON {on}") == found.counts["removed"]
        for name in list(SCHEMA)[len(KEY) :]:
            differ = f'o JOIN n ON {on} WHERE o."{name}" IS DISTINCT FROM n."{name}"'
            assert count(differ) == found.by_column.get(name, 0), name


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        (pl.Series([1, 12345678901234567]), pl.Series(["1", "12345678901234567"]), 0),
        (pl.Series([481, None]), pl.Series(["000481", None]), 1),
        (pl.Series([12345678901234567]), pl.Series([12345678901234568.0]), 1),
        (pl.Series([90.0, 0.1, None]), pl.Series(["90", "0.10", None]), 0),
        (pl.Series([90.0, None]), pl.Series(["n/a", ""]), 1),
        (pl.Series(["", None, "a", ""]), pl.Series([None, "", "", "a"]), 2),
        (pl.Series(["", None], dtype=pl.Categorical), pl.Series([None, ""], dtype=pl.Categorical), 0),
        (pl.Series([1.0, 2.0]), pl.Series([1, 3]), 1),
        (pl.Series([1e20, 90.0]), pl.Series(["100000000000000000000", "12345678901234567890"]), 1),
        (pl.Series([float("nan"), None]), pl.Series([None, float("nan")], dtype=pl.Float64), 0),
        (pl.Series(["a", "b"], dtype=pl.Categorical), pl.Series(["a", "c"], dtype=pl.Enum(["c", "a"])), 1),
        (pl.Series(["a", None]), pl.Series([None, None], dtype=pl.Null), 1),
        (pl.Series([True, False]), pl.Series(["true", "true"]), 1),
        (pl.Series([True, False, None]), pl.Series(["True", "FALSE", None]), 0),
        (pl.Series([True, False, True]), pl.Series(["True", "False", "Truely"]), 1),
        (
            pl.Series([datetime(2026, 3, 2, 16, tzinfo=UTC)] * 3),
            pl.Series(["2026-03-02T09:00:00-07:00", "2026-03-02 16:00:00 UTC", "never"]),
            1,
        ),
        (
            pl.Series([datetime(2026, 3, 2, 16, tzinfo=UTC)]),
            pl.Series([datetime(2026, 3, 2, 16, tzinfo=UTC)]).dt.cast_time_unit("ns"),
            0,
        ),
    ],
    ids=["id-text", "zero", "id-float", "score-text", "no-score", "quotes", "quotes in a category",
         "float-int", "twenty digits", "nan", "category", "empty", "boolean",
         "boolean-pandas", "boolean-word", "time-text", "unit"],
)  # fmt: skip
def test_columns_of_two_types_are_compared_as_text(before: pl.Series, after: pl.Series, differ: int) -> None:
    older, newer = (pl.DataFrame({"id": range(len(cells)), "value": cells}) for cells in (before, after))
    for first, second in ((older, newer), (newer, older)):
        assert crn.diff(first, second, key="id").counts["cells"] == differ
    keyed = [frame.with_columns(value=pl.col("value")) for frame in (older, newer)]
    if before.null_count() + after.null_count() == 0 and before.n_unique() == before.len():
        assert quietly(*keyed, key="value").counts["removed"] == differ
