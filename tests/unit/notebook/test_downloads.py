"""Files saved beside the notebook."""

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
