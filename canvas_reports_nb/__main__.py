"""``canvas-reports``, also as ``python -m canvas_reports_nb``."""

from __future__ import annotations

import io
import sys

from canvas_reports_nb.cli import cli


def main() -> None:
    """Run the shell command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # it is None where there is no console
            # A pipe on Windows, or the C locale, can't hold every name.
            stream.reconfigure(errors="backslashreplace")
    cli(prog_name="canvas-reports")


if __name__ == "__main__":
    main()
