"""What a diff shows, the key it uses, and its errors."""

import io
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError
from tests.unit.analysis.differences import KINDS, NOW, THEN, quietly


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_returns_its_own(kind: str) -> None:
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


def test_rows_with_an_ambiguous_key_are_reported_and_not_lost() -> None:
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


def test_frames_that_cannot_be_compared_raise_an_error() -> None:
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
    with pytest.raises(ParameterError, match="Expected a frame"):
        crn.diff([1], NOW, key="id")


def test_a_file_that_pandas_wrote_and_read_as_text_has_not_changed() -> None:
    with crn.demo(duration=0) as canvas:
        users = canvas.read_report("provisioning_csv", users=True, include_deleted=True, progress=False)
    again = pd.read_csv(
        io.StringIO(users.to_csv(index=False)), dtype=str, keep_default_na=False, na_values=[""]
    )
    found = quietly(users, again, report="provisioning_csv", table="users")
    # to_csv writes an empty text and a missing cell in the same way, and both mean that nothing was entered.
    assert (users == "").any(axis=None)
    assert found.counts["added"] == found.counts["removed"] == found.counts["cells"] == 0


def test_files_are_named_by_their_source(tmp_path: Path) -> None:
    frames = []
    for name in ("older.csv", "newer.csv"):
        (tmp_path / name).write_bytes(b"user id,user name,last access at,last ip\n1,A,,\n")
        frames.append(crn.read_file(tmp_path / name))
    assert crn.diff(*frames, key="user id").between == "older.csv and newer.csv"
