"""The tables an analysis takes, and its errors when they are missing or can't be joined."""

from typing import Any

import pandas as pd
import polars as pl
import pytest

import canvas_reports_nb as crn
from canvas_reports_nb.analysis import provisioning
from canvas_reports_nb.analysis.provisioning.tables import _REFERENCES, references_between, takes_tables
from canvas_reports_nb.catalog.schemas import schema
from canvas_reports_nb.exceptions import ParameterError, UnknownColumnError

LOGIN = {"canvas_user_id": [1, 1, 2], "user_id": ["0481", None, None], "login_id": ["0481", "ng", "zoe"]}

USERS = pl.DataFrame(
    {**LOGIN, "full_name": ["Ng", "Ng", "Zoë"], "status": ["suspended", "deleted", "active"]}
)

# Options without a default.
NEEDED = {"readiness": {"today": "2026-03-02"}}


@pytest.mark.parametrize(
    "name", sorted(set(provisioning.__all__) - {"made_by_hand", "origins", "references", "sis_id_clashes"})
)
def test_a_missing_table_is_named_with_its_switch(name: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{name} needs the table ") as caught:
        getattr(provisioning, name)({"groups": USERS}, **NEEDED.get(name, {}))
    for table in str(caught.value).split("'")[1::2]:
        assert f"{table}=True" in caught.value.hint
    assert "read_tables" in caught.value.hint


@pytest.mark.parametrize("name", ["made_by_hand", "origins", "references", "sis_id_clashes"])
def test_no_known_table(name: str) -> None:
    with pytest.raises(ParameterError, match="at least one of the tables users,"):
        getattr(provisioning, name)({"grades": USERS})


@pytest.mark.parametrize("name", provisioning.__all__)
def test_a_frame_instead_of_a_mapping_is_rejected(name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name} takes a mapping of tables by name, not a DataFrame"):
        getattr(provisioning, name)(pd.DataFrame({"users": [1]}), **NEEDED.get(name, {}))


def test_a_missing_column_is_named_with_its_table() -> None:
    with pytest.raises(UnknownColumnError, match=r"people, in the table 'users',.*'canvas_user_id'"):
        provisioning.people({"users": USERS.drop("canvas_user_id")})
    with pytest.raises(UnknownColumnError, match=r"origins, in the table 'users',.*'created_by_sis'"):
        provisioning.origins({"users": USERS})


# Of each analysis that joins: a column of ids, and one of the tables it is in.
JOINED = {
    "roster": ("users", "canvas_user_id"),
    "cross_lists": ("xlist", "canvas_xlist_course_id"),
    "suspended_but_enrolled": ("enrollments", "canvas_user_id"),
    "account_tree": ("accounts", "canvas_parent_id"),
    "places": ("accounts", "canvas_account_id"),
    "contacts": ("users", "canvas_user_id"),
    "census": ("terms", "canvas_term_id"),
    "readiness": ("terms", "canvas_term_id"),
    "section_sizes": ("sections", "canvas_section_id"),
}


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.parametrize("form", ["eager", "lazy"])
def test_ids_that_are_text_in_one_table_are_named(
    name: str, form: str, small_demo: dict[str, pl.DataFrame]
) -> None:
    table, column = JOINED[name]
    tables = {**small_demo, table: small_demo[table].with_columns(pl.col(column).cast(pl.String))}
    given = tables if form == "eager" else {each: frame.lazy() for each, frame in tables.items()}
    with pytest.raises(ParameterError, match=rf"^The ids .*'{column}' \(String\).* can't be matched"):
        getattr(provisioning, name)(given, **NEEDED.get(name, {}))


@pytest.mark.parametrize("kind", ["polars", "pandas", "arrow"])
@pytest.mark.parametrize("name", ["roster", "suspended_but_enrolled"])
def test_pseudonyms_in_only_one_table_are_rejected(
    name: str, kind: str, small_demo: dict[str, pl.DataFrame]
) -> None:
    key = b"sixteen bytes and more"
    hidden = {
        table: crn.pseudonymize(small_demo[table], key, report="provisioning_csv", table=table)
        for table in ("users", "enrollments")
    }
    of_kind = {
        "polars": lambda frame: frame,
        "pandas": pl.DataFrame.to_pandas,
        "arrow": pl.DataFrame.to_arrow,
    }
    analysis = getattr(provisioning, name)

    def ask(tables: dict[str, pl.DataFrame]) -> Any:
        return analysis({each: of_kind[kind](frame) for each, frame in tables.items()})

    for table, frame in hidden.items():
        with pytest.raises(
            ParameterError, match="'canvas_user_id' are pseudonyms and 'canvas_user_id' are not"
        ):
            ask({**small_demo, table: frame})
    both = ask({**small_demo, **hidden})
    assert len(both) == len(ask(small_demo))


def test_each_reference_is_between_columns_that_canvas_writes() -> None:
    written: dict[str, set[str]] = {}
    for report in ("provisioning_csv", "sis_export_csv"):
        for name, table in schema(report).tables.items():
            written.setdefault(name, set()).update(column.name for column in table.columns)
    found = {(each.table, each.column.removeprefix("canvas_")) for each in references_between(written)}
    assert found == {(table, column) for table, columns in _REFERENCES.items() for column in columns}


def test_a_frame_beside_the_tables_must_match_them() -> None:
    @takes_tables(joined={"seen": ("user id", "users", "canvas_user_id")}, users=("canvas_user_id",))
    def count(tables: dict[str, pl.LazyFrame], *, seen: Any = None) -> pl.LazyFrame:
        """Return the users."""
        return tables["users"]

    assert (
        count({"users": USERS}).height == count({"users": USERS}, seen=pl.DataFrame({"user id": [1]})).height
    )
    with pytest.raises(UnknownColumnError, match="count, in seen, needs the column 'user id'"):
        count({"users": USERS}, seen=pl.DataFrame({"id": [1]}))
    with pytest.raises(ParameterError, match="can't be matched"):
        count({"users": USERS}, seen=pl.DataFrame({"user id": ["1"]}))
