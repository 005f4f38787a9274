"""A report file becomes one Parquet file per table."""

import errno
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from canvas_reports_nb.exceptions import DamagedFileError, MissingFileError, NotAReportError, ReportWarning
from canvas_reports_nb.frames import derive, parquet, reading
from canvas_reports_nb.frames.provenance import Provenance

USERS = b"canvas_user_id,user_id,login_id,full_name,status\n1,007,b,Bea,active\n"
BINARY = bytes(range(256))


def packed(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.csv", data)
    return path


def test_one_bad_member_does_not_spoil_the_others(tmp_path: Path) -> None:
    path = packed(tmp_path / "raw.zip", terms=BINARY, users=USERS, xlist=b"")
    with pytest.warns(ReportWarning, match="terms was left out: terms is not a CSV"):
        derived = derive(path, tmp_path, Provenance(report="provisioning_csv"), {})
    assert list(derived.tables) == ["users", "xlist"]
    assert derived.tables["users"]["provenance"]["rows"] == 1


def test_a_zip_of_bad_members_is_rejected(tmp_path: Path) -> None:
    path = packed(tmp_path / "raw.zip", terms=BINARY, users=BINARY)
    with pytest.raises(NotAReportError, match="is not a CSV"):
        derive(path, tmp_path, Provenance(report="provisioning_csv"), {})


def test_tables_of_any_name_have_files_of_their_own(tmp_path: Path) -> None:
    names = [
        "二〇二五年度 秋学期 国際コミュニケーション学部 大学院 博士課程",
        "x" * 200,
        "nul",
        "Fall",
        "fall",
    ]
    path = packed(tmp_path / "raw.zip", **dict.fromkeys(names, b"student name,student id\nAda,1\n"))
    with pytest.warns(ReportWarning, match=r"this table is named 'fall \(2\)'"):
        derived = derive(path, tmp_path, Provenance(report="mgp_grade_export_csv"), {})
    assert list(derived.tables) == [*names[:-1], "fall (2)"]
    files = {made["file"].lower() for made in derived.tables.values()}
    assert len(files) == len(names)
    assert all((tmp_path / made["file"]).is_file() for made in derived.tables.values())


@pytest.mark.parametrize(
    ("data", "report", "with_least_and_greatest"),
    [
        (USERS, "provisioning_csv", {"canvas_user_id", "status"}),
        (b"login,name\nada,Ada\n", "our_own_csv", set()),
    ],
)
def test_the_least_and_greatest_name_or_login_are_not_written(
    tmp_path: Path, data: bytes, report: str, with_least_and_greatest: set[str]
) -> None:
    (tmp_path / "raw.csv").write_bytes(data)
    (made,) = derive(tmp_path / "raw.csv", tmp_path, Provenance(report=report), {}).tables.values()
    group = pq.read_metadata(tmp_path / made["file"]).row_group(0)
    columns = [group.column(at) for at in range(group.num_columns)]
    found = {each.path_in_schema for each in columns if each.is_stats_set and each.statistics.has_min_max}
    assert found == with_least_and_greatest


@pytest.mark.parametrize("failing", [0, 1, 3])
def test_a_row_group_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    monkeypatch.setattr(parquet, "_ROW_GROUP", 2)
    monkeypatch.setattr(reading, "_BLOCK", 100)
    write, sizes = pq.ParquetWriter.write_table, list[int]()

    def write_or_fail(writer: Any, table: Any, **options: Any) -> None:
        sizes.append(table.num_rows)
        if len(sizes) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(writer, table, **options)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_or_fail)
    (tmp_path / "raw.csv").write_bytes(USERS + USERS.partition(b"\n")[2] * 15)

    def derived() -> Any:
        return derive(tmp_path / "raw.csv", tmp_path, Provenance(report="provisioning_csv"), {"users": True})

    if failing:
        with pytest.raises(OSError, match="No space left"):
            derived()
        return
    (made,) = derived().tables.values()
    stored = pq.read_metadata(tmp_path / made["file"])
    assert sum(sizes) == stored.num_rows == made["provenance"]["rows"] == 16
    assert len(sizes) == stored.num_row_groups > 3
    assert max(sizes) < 16


def test_a_dask_worker_is_asked_only_from_outside_and_if_it_can_be_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> Any:
        raise ValueError("none")

    client = SimpleNamespace(asynchronous=False)
    for current, worker, wanted in (
        (lambda: client, missing, client),
        (missing, missing, None),
        (lambda: client, lambda: "worker", None),
        (lambda: SimpleNamespace(asynchronous=True), missing, None),
    ):
        module = SimpleNamespace(Client=SimpleNamespace(current=current), get_worker=worker)
        monkeypatch.setitem(sys.modules, "distributed", module)
        assert parquet._dask_client() is wanted
    monkeypatch.delitem(sys.modules, "distributed")
    assert parquet._dask_client() is None


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (DamagedFileError("raw.zip is damaged."), True),
        (NotAReportError("raw.csv is a picture."), True),
        (MissingFileError("There is no file 'raw.csv' in this folder."), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("lost its worker"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_wrong_with_the_file_is_not_the_fault_of_a_worker(
    error: Exception, is_final: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise error

    client = SimpleNamespace(submit=lambda *_, **__: SimpleNamespace(result=fail))
    known = Provenance(run_id=7)
    with pytest.raises(type(error)) if is_final else nullcontext():
        made = parquet._derive_on_worker(client, tmp_path / "raw.csv", tmp_path, known, {})
        assert made is None
    kind = "FileNotFoundError" if isinstance(error, FileNotFoundError) else type(error).__name__
    assert [text for text in caplog.messages if "Dask" in text] == (
        [] if is_final else [f"no Dask worker could convert run 7 ({kind}: {error}); converting it here"]
    )
    assert not list(tmp_path.iterdir())
