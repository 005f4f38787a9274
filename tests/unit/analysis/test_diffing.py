"""What a diff says, applied to the older frame, gives the newer; and SQL counts the same."""

import io
import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import dask.dataframe as dd
import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

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
# A Canvas id of 17 digits is told from its neighbour.
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
KINDS = {
    "pandas": lambda frame: frame.to_pandas(),
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "arrow": lambda frame: frame.to_arrow(),
    "dask": lambda frame: dd.from_pandas(frame.to_pandas(), npartitions=2),
}


def quietly(*args: Any, **keywords: Any) -> crn.Diff[Any]:
    with warnings.catch_warnings(action="ignore", category=crn.ReportWarning):
        return crn.diff(*args, **keywords)


def plain(frame: pl.DataFrame) -> Counter[tuple[object, ...]]:
    return Counter(frame.with_columns(pl.col(pl.Categorical).cast(pl.String)).rows())


def read(text: str | None, name: str) -> object:
    """A printed cell in the type of its column."""
    dtype = SCHEMA[name]
    if text is None or dtype in (pl.String, pl.Categorical):
        return text
    if isinstance(dtype, pl.Datetime):
        return datetime.fromisoformat(text)
    return text == "true" if dtype == pl.Boolean else float(text)


def applied(found: crn.Diff[pl.DataFrame], older: pl.DataFrame) -> Counter[tuple[object, ...]]:
    """The older rows, less what was removed, with the changed cells, and what was added."""
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
def test_applied_to_the_older_it_gives_the_newer(older: pl.DataFrame, newer: pl.DataFrame) -> None:
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
        base.register("o", older.with_columns(pl.col(pl.Categorical).cast(pl.String)).to_arrow())
        base.register("n", newer.with_columns(pl.col(pl.Categorical).cast(pl.String)).to_arrow())

        def count(query: str) -> int:
            return base.sql(f"SELECT count(*) FROM {query}").fetchall()[0][0]

        assert count(f"n ANTI JOIN o ON {on}") == found.counts["added"]
        assert count(f"o ANTI JOIN n ON {on}") == found.counts["removed"]
        for name in list(SCHEMA)[len(KEY) :]:
            differ = f'o JOIN n ON {on} WHERE o."{name}" IS DISTINCT FROM n."{name}"'
            assert count(differ) == found.by_column.get(name, 0), name


THEN = pl.DataFrame({"id": [1, 2, 4], "name": ["Ada", "Bea", "Dee"], "gone": ["x", "y", "z"]})
NOW = pl.DataFrame({"id": [2, 3, 4], "name": ["Bee", "Cem", "Dee"], "new": ["u", "v", "w"]})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_own(kind: str) -> None:
    older, newer = KINDS[kind](THEN), KINDS[kind](NOW)
    found = crn.diff(older, newer, key="id")
    frames = {name: getattr(found, name) for name in ("added", "removed", "changed", "ambiguous")}
    assert {type(frame) for frame in frames.values()} == {type(newer)}
    values = {}
    for name, frame in frames.items():
        whole = frame.compute() if kind == "dask" else frame.collect() if kind == "lazy" else frame
        values[name] = (
            whole.to_dict("records") if isinstance(whole, pd.DataFrame) else pl.DataFrame(whole).to_dicts()
        )
    assert values == {
        "added": [{"id": 3, "name": "Cem", "new": "v"}],
        "removed": [{"id": 1, "name": "Ada", "gone": "x"}],
        "changed": [{"id": 2, "column": "name", "before": "Bea", "after": "Bee"}],
        "ambiguous": [],
    }
    assert (found.columns_added, found.columns_removed) == (("new",), ("gone",))
    assert repr(found) == (
        "Diff(1 added, 1 removed, 1 changed (cells: 1), 1 unchanged, new columns new, lost columns gone)"
    )
    assert crn.diff(THEN, newer, key="id").counts == found.counts


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        (pl.Series([1, 12345678901234567]), pl.Series(["1", "12345678901234567"]), 0),
        (pl.Series([481, None]), pl.Series(["000481", None]), 1),
        (pl.Series([12345678901234567]), pl.Series([12345678901234568.0]), 1),
        (pl.Series([90.0, 0.1, None]), pl.Series(["90", "0.10", None]), 0),
        (pl.Series([90.0, None]), pl.Series(["n/a", ""]), 2),
        (pl.Series([1.0, 2.0]), pl.Series([1, 3]), 1),
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
    ids=["id-text", "zero", "id-float", "score-text", "no-score", "float-int", "nan", "category", "empty", "boolean",
         "boolean-pandas", "boolean-word", "time-text", "unit"],
)  # fmt: skip
def test_columns_of_two_types_are_compared_by_what_they_print(
    before: pl.Series, after: pl.Series, differ: int
) -> None:
    older, newer = (pl.DataFrame({"id": range(len(cells)), "value": cells}) for cells in (before, after))
    for first, second in ((older, newer), (newer, older)):
        assert crn.diff(first, second, key="id").counts["cells"] == differ
    keyed = [frame.with_columns(value=pl.col("value")) for frame in (older, newer)]
    if before.null_count() + after.null_count() == 0 and before.n_unique() == before.len():
        assert quietly(*keyed, key="value").counts["removed"] == differ


def test_rows_without_a_key_of_their_own_are_reported_and_not_lost() -> None:
    older = pd.DataFrame({"id": pd.array([1, 1, None, 2], dtype="Int64"), "name": ["a", "b", "c", "d"]})
    newer = pd.DataFrame({"id": pd.array([1, 1, None, 2], dtype="Int64"), "name": ["b", "x", "c", "e"]})
    with pytest.warns(crn.ReportWarning, match=r"2 keys \(id\) are blank or belong to several rows"):
        found = newer.canvas.diff(older, key="id")
    assert found.added["name"].tolist() == ["x"]
    assert found.removed["name"].tolist() == ["a"]
    assert found.changed.to_dict("records") == [{"id": 2, "column": "name", "before": "d", "after": "e"}]
    assert found.ambiguous.fillna(0).to_dict("records") == [
        {"id": 1, "older": 2, "newer": 2},
        {"id": 0, "older": 1, "newer": 1},
    ]
    assert "rows whose key is not unique" in found._repr_html_()


HEADER = b"user id,user sis id,user name,last access at,last ip\n"


def test_the_key_is_the_documented_one_and_a_blank_in_it_a_value() -> None:
    older = crn.read_file(HEADER + b"7,,Bea,,10.0.0.1\n7,A7,Bea,,10.0.0.1\n")
    newer = crn.read_file(HEADER + b"7,A7,Bea,,10.0.0.1\n7,,Bea,,10.0.0.2\n")
    for first, second in ((older, newer), (pl.from_pandas(older), pl.from_pandas(newer))):
        found = crn.diff(first, second)
        assert found.key == ("user id", "user sis id")
        assert found.by_column == {"last ip": 1}
    assert found.between == ""
    few = [pl.from_pandas(frame[["user id", "user sis id", "last ip"]]).lazy() for frame in (older, newer)]
    with pytest.raises(ParameterError, match="No key is documented"):
        few[1].canvas.diff(few[0])
    assert few[1].canvas.diff(few[0], report="last_user_access_csv").by_column == {"last ip": 1}


def test_an_older_file_is_compared_on_the_key_it_has() -> None:
    older = pl.DataFrame({"user id": [7], "token hint": ["ab"], "dev key id": [1], "purpose": ["form"]})
    newer = older.with_columns(id=pl.lit(5), purpose=pl.lit("forms"))
    found = crn.diff(older, newer, report="user_access_tokens_csv")
    assert found.key == ("user id", "token hint", "dev key id")
    assert found.by_column == {"purpose": 1}
    with pytest.raises(UnknownColumnError, match="older frame has no column 'id'"):
        crn.diff(older.drop("dev key id"), newer, report="user_access_tokens_csv")


def test_what_can_not_be_compared_says_why() -> None:
    access = crn.read_file(HEADER + b"7,,Bea,,10.0.0.1\n")
    activity = crn.read_file(b"user id,user name,last activity at\n7,Bea,\n")
    with pytest.raises(
        ParameterError, match=r"different tables: last_user_access_csv of .* and last_enrollment"
    ):
        crn.diff(access, activity)
    with pytest.raises(ParameterError, match="Unknown report") as error:
        crn.diff(access, access, report="last_user_acess_csv")
    assert "last_user_access_csv" in error.value.hint
    with pytest.raises(crn.exceptions.TableRequiredError):
        crn.diff(THEN, NOW, report="provisioning_csv")
    for key in ([], ["column"], ["id", "id"], 0, [0], ["id", None], b"id"):
        with pytest.raises(ParameterError, match="can't be the key"):
            crn.diff(THEN, NOW, key=key)
    with pytest.raises(ParameterError, match="A frame is wanted"):
        crn.diff([1], NOW, key="id")


def test_a_file_that_pandas_wrote_and_read_as_text_has_not_changed() -> None:
    with crn.demo(duration=0) as canvas:
        users = canvas.read_report("provisioning_csv", users=True, include_deleted=True, progress=False)
    again = pd.read_csv(
        io.StringIO(users.to_csv(index=False)), dtype=str, keep_default_na=False, na_values=[""]
    )
    found = quietly(users, again, report="provisioning_csv", table="users")
    # An empty text and a missing cell are the same to to_csv.
    assert set(found.changed["before"]) == {""}
    assert found.counts["added"] == found.counts["removed"] == 0
