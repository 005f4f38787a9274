"""Files that the form saves beside the notebook, and links to them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from canvas_reports_nb import _html
from canvas_reports_nb._disk import open_private, replace_file
from canvas_reports_nb.exceptions import FileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from canvas_reports_nb.store.stored_run import ReportResult


def write_excel(result: ReportResult, path: Path, timezone: str) -> None:
    """Write all tables of a result as a workbook."""
    from canvas_reports_nb.analysis.excel import to_excel  # noqa: PLC0415 - its writer is an extra

    to_excel(result, path, timezone, overwrite=True)


def folder() -> Path:
    """Return the folder of the notebook, or else the working folder."""
    notebook = Path(os.environ.get("JPY_SESSION_NAME") or "-")
    return notebook.parent if notebook.is_absolute() and notebook.parent.is_dir() else Path.cwd()


def save(name: str, write: Callable[[Path], Any]) -> Path:
    """Write a file to the notebook's folder and return its path; a file with other contents is never replaced."""
    stem, suffix = Path(name).stem, Path(name).suffix
    part = folder() / f".{stem}.{os.getpid()}{suffix}"
    try:
        open_private(part).close()
    except OSError as error:
        raise FileError(
            f"Can't save {name} beside the notebook, in {part.parent}: {error.strerror}.",
            hint="Write form.frame to another folder, or start Jupyter in a folder that you may write to.",
        ) from None
    try:
        write(part)
        content, number = part.read_bytes(), 1
        path = part.with_name(name)
        while path.exists():
            if _has(path, content):
                return path
            number += 1
            path = part.with_name(f"{stem} ({number}){suffix}")
        replace_file(part, path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return path


def _has(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except PermissionError:  # on Windows, another program may have it open for itself alone
        return False


def link(path: Path) -> dict[str, Any]:
    """Return an output that links to a file beside the notebook; the front end serves it."""
    size = path.stat().st_size
    amount = f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 0.1):,.1f} kB"  # noqa: PLR2004 - a unit
    html = _html.download_link(quote(path.name), path.name, amount)
    return {
        "output_type": "display_data",
        "data": {"text/plain": f"Saved as {path.name}", "text/html": html},
        "metadata": {},
    }
