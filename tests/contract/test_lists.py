"""Lists: the terms, the accounts, and the rows of past runs."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from canvas_reports_nb import exceptions as ex
from canvas_reports_nb.canvas_api import transport
from canvas_reports_nb.demo_canvas.world import build_world
from canvas_reports_nb.typing import TEXT

TERM_TYPES = {
    "term_id": "Int64",
    "name": str(TEXT),
    "sis_term_id": str(TEXT),
    "start_at": "datetime64[us, UTC]",
    "end_at": "datetime64[us, UTC]",
    "state": str(TEXT),
    "is_current": "boolean",
}
ACCOUNT_TYPES = {
    "account_id": "Int64",
    "name": str(TEXT),
    "sis_account_id": str(TEXT),
    "parent_id": "Int64",
    "path": str(TEXT),
    "depth": "Int64",
}
ENGINEERING = 7


def gets(connection: Any) -> int:
    return sum(record.method == "GET" for record in connection.server.log)


def types_of(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


@pytest.mark.parametrize("page", [100, 2])
def test_terms(canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(transport, "_PER_PAGE", page)
    connection = canvas()
    found = connection.terms()
    assert types_of(found) == TERM_TYPES
    world = build_world(seed=7, enrollments=300)
    assert sorted(found["term_id"]) == sorted(world.terms["id"])
    assert found["term_id"].is_unique
    rows = found.set_index("term_id")
    assert rows.loc[13, ["name", "sis_term_id", "state", "is_current"]].tolist() == [
        "Spring 2026",
        "SP26",
        "active",
        True,
    ]
    assert rows.loc[13, "start_at"] == pd.Timestamp("2026-01-12 07:00", tz="UTC")
    assert found["is_current"].sum() == 1
    assert rows.loc[990, "state"] == "deleted"
    assert rows.loc[1, ["start_at", "end_at", "sis_term_id"]].isna().all()
    assert gets(connection) == -(-len(found) // page)


@pytest.mark.parametrize("page", [100, 3])
def test_accounts(canvas: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(transport, "_PER_PAGE", page)
    connection = canvas()
    found = connection.accounts()
    assert types_of(found) == ACCOUNT_TYPES
    active = build_world(seed=7, enrollments=300).accounts.filter(status="active")
    assert sorted(found["account_id"]) == sorted(active["id"])
    rows = found.set_index("account_id")
    assert found.loc[0, ["account_id", "depth", "path"]].tolist() == [1, 0, "Meridian University"]
    assert rows.loc[ENGINEERING].tolist() == [
        "Engineering",
        "ENG",
        1,
        "Meridian University / Engineering",
        1,
    ]
    assert rows["sis_account_id"].get(16) == "0042"
    positions = {each: place for place, each in enumerate(found["account_id"])}
    assert all(
        positions[up] < positions[each]
        for each, up in found[["account_id", "parent_id"]].dropna().itertuples(index=False)
    )
    assert gets(connection) == 1 + -(-(len(found) - 1) // page)


def test_a_sub_account(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    below = connection.account(ENGINEERING)
    assert types_of(below.accounts()) == ACCOUNT_TYPES
    assert below.accounts()["account_id"].tolist()[0] == ENGINEERING
    assert below.accounts()["depth"].tolist()[0] == 0
    assert set(below.accounts()["account_id"]) < set(connection.accounts()["account_id"])
    pd.testing.assert_frame_equal(below.terms(), connection.terms())


@pytest.mark.parametrize("account", ["self", ENGINEERING])
def test_an_admin_of_a_sub_account(canvas: Callable[..., Any], account: Any) -> None:
    connection = canvas(administers=ENGINEERING).account(account)
    found = connection.accounts()
    assert found["account_id"].tolist()[0] == ENGINEERING
    assert found["sis_account_id"].isna().all()
    assert connection.terms()["sis_term_id"].isna().all()
    assert "Spring 2026" in connection.terms()["name"].tolist()


def test_without_permission(canvas: Callable[..., Any]) -> None:
    for sibling in (canvas(administers=ENGINEERING).account(2), canvas(administers=ENGINEERING).account(1)):
        with pytest.raises(ex.NotPermittedError, match=r"(?s)may not list the accounts.*Account-level"):
            sibling.accounts()


@pytest.mark.parametrize(
    ("account", "offered"),
    [
        ("ENGG", "sis_account_id:ENG"),
        ("engineering", "sis_account_id:ENG"),
        ("sis_account_id:ENGG", "sis_account_id:ENG"),
        ("Philosophie", "sis_account_id:0042"),
        (987654, "canvas.accounts()"),
    ],
)
def test_an_unknown_account(canvas: Callable[..., Any], account: Any, offered: str) -> None:
    connection = canvas()
    with pytest.raises(ex.UnknownAccountError) as caught:
        connection.account(account).reports()
    assert offered in str(caught.value)
    assert f"account {account}" in str(caught.value)


def test_an_account_that_no_canvas_can_read_is_rejected_at_once(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    for spelling in ("ENG", "Engineering", "", "7 8"):
        with pytest.raises(ex.UnknownAccountError):
            connection.account(spelling)
    for spelling in ("self", 7, "7", "12~7", "default", "sis_account_id:x", "hex:sis_account_id:3f"):
        assert connection.account(spelling).account_id == str(spelling)


def test_the_history_counts_rows_without_headers(canvas: Callable[..., Any]) -> None:
    connection = canvas()
    grades = connection.start("grade_export_csv").wait(progress=False).run
    files = {"users": True, "terms": True}
    several = connection.start("provisioning_csv", **files).wait(progress=False).run
    running = connection.start("grade_export_csv", include_deleted=True).run
    (missing,) = connection.history("provisioning_csv")["rows"]
    assert pd.isna(missing)
    before = connection.history("grade_export_csv").set_index("run_id")["rows"]
    frame = connection.read_report("grade_export_csv", run_id=grades.id, progress=False)
    assert before[grades.id] == len(frame)
    assert pd.isna(before[running.id]) or not running.is_complete
    tables = connection.read_tables("provisioning_csv", run_id=several.id, progress=False)
    (summed,) = connection.history("provisioning_csv")["rows"]
    assert summed == sum(map(len, tables.values()))
    assert str(connection.history("provisioning_csv")["rows"].dtype) == "Int64"
