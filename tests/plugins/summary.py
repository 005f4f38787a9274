"""Lines that a test adds to the summary of the run: ``record_property("summary line", text)``."""

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in terminalreporter.stats.get("passed", []):
        for line in (value for name, value in report.user_properties if name == "summary line"):
            terminalreporter.write_line(line)
