"""Files saved beside the notebook."""

import os
from pathlib import Path

import pytest

from canvas_reports_nb.exceptions import FileError
from canvas_reports_nb.notebook import downloads


def test_a_file_with_other_contents_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "roster.ipynb"))
    saved = [
        downloads.save("r.csv", lambda path, text=text: path.write_text(text)) for text in ("a", "a", "b")
    ]
    assert [path.name for path in saved] == ["r.csv", "r.csv", "r (2).csv"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r (2).csv", "r.csv"]


def test_a_folder_that_cannot_be_written_is_our_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "roster.ipynb"))

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(downloads, "open_private", refuse)
    with pytest.raises(FileError, match=r"r\.csv beside the notebook.*Permission denied[\s\S]*form\.frame"):
        downloads.save("r.csv", lambda path: path.write_text("a"))


def test_a_file_that_excel_has_open_on_windows_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, it can't be replaced, and some programs let nobody else read it."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "roster.ipynb"))
    opened, read = tmp_path / "r.csv", Path.read_bytes
    opened.write_text("a")

    def refuse(*paths: object) -> None:
        raise PermissionError(13, "The process cannot access the file", str(paths[0]))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        assert downloads.save("r.csv", lambda path: path.write_text("a")) == opened
    monkeypatch.setattr(Path, "read_bytes", lambda path: refuse(path) if path == opened else read(path))
    assert downloads.save("r.csv", lambda path: path.write_text("a")).name == "r (2).csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r (2).csv", "r.csv"]
