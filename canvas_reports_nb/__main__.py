"""``canvas-reports``, also as ``python -m canvas_reports_nb``."""

from __future__ import annotations

from canvas_reports_nb.cli import cli


def main() -> None:
    """Run the shell command."""
    cli(prog_name="canvas-reports")


if __name__ == "__main__":
    main()
