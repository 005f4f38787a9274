"""What the office notebooks share: the Canvas they use, its date, runs of past days, and a school's own lists.

A notebook uses your Canvas if ``CANVAS_API_URL`` or ``CANVAS_API_TOKEN`` is set, and otherwise the demo. On the demo,
and only there, `invented` supplies the lists that a school has and Canvas doesn't.
"""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from canvas_reports_nb import opening
from canvas_reports_nb.exceptions import ConfigurationError, NotFoundError, ParameterError
from canvas_reports_nb.office.page import write_page as write_page

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from canvas_reports_nb.connection import Connection

_SNAPSHOTS = 7  # Sundays of which the demo has runs: since the first week of its term


def connect(account: str | int = "self") -> Connection:
    """Connect to your Canvas, or to the demo if neither an address nor a token is set, and print which it is.

    Parameters
    ----------
    account : str or int
        ``"self"``, a Canvas id, or ``"sis_account_id:X"``.
    """
    is_set = os.environ.get("CANVAS_API_URL") or os.environ.get("CANVAS_API_TOKEN")
    canvas = (
        opening.connect(account=account) if is_set else opening.demo(account=account, snapshots=_SNAPSHOTS)
    )
    if canvas.is_demo:
        day = today(canvas)
        _say(f"The demo Canvas: an invented university on {day:%B} {day.day}, {day.year}.")
    else:
        _say(f"Canvas: {urlsplit(canvas.url).netloc}, account {canvas.account_id}.")
    return canvas


def time_zone(canvas: Connection) -> str:
    """Return the time zone of the account, such as ``America/Denver``."""
    name = str(canvas.api.about().get("default_time_zone") or "UTC")
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        return "UTC"


def today(canvas: Connection, day: str | date | None = None) -> date:
    """Return a day given as text, or the date at the school now, by the clock of Canvas."""
    if not day:
        zone = ZoneInfo(time_zone(canvas))  # the response also tells the server's time
        return canvas.waiter.now().astimezone(zone).date()
    try:
        return date.fromisoformat(day) if isinstance(day, str) else date(day.year, day.month, day.day)
    except (AttributeError, ValueError):
        raise ParameterError(f"Can't read {day!r} as a day.", hint="Write it as 2026-09-14.") from None


def mondays(day: date, weeks: int) -> list[date]:
    """Return the Mondays up to a day, oldest first."""
    last = day - timedelta(days=day.weekday())
    return [last - timedelta(weeks=week) for week in reversed(range(weeks))]


def snapshots(
    canvas: Connection, days: Iterable[date], report: str, **parameters: Any
) -> dict[date, dict[str, pd.DataFrame]]:
    """Return the tables of the runs that answer for past days, and print which days have none.

    Parameters
    ----------
    days : iterable of date
        At the midnight with which each of them begins; see ``as_of`` of `read_tables`.
    **parameters
        Of the report, and keywords of `read_tables`.
    """
    found: dict[date, dict[str, pd.DataFrame]] = {}
    lost: list[date] = []
    for day in days:
        try:
            found[day] = canvas.read_tables(report, as_of=day, **parameters)
        except NotFoundError as error:
            lost.append(day)
            cron = str(error.hint).rpartition("cron: ")[2]
    if lost:
        _say(
            f"No run of {report} answers for {', '.join(map(str, lost))}. To have one next time, add to cron:\n{cron}"
        )
    return found


def file_name(title: str, *parts: object, suffix: str = ".xlsx") -> str:
    """Return a file name that every system accepts.

    >>> file_name("census", "sis_term_id:FA25", "2026-09-14")
    'census_sis_term_id-FA25_2026-09-14.xlsx'
    """
    words = (re.sub(r"[^\w.-]+", "-", str(part)).strip("-") for part in (title, *parts))
    return "_".join(filter(None, words)) + suffix


def require_demo(canvas: Connection, setting: str, file: str) -> None:
    """Raise an error that names the setting to fill in, unless the Canvas is the demo with its invented lists.

    Raises
    ------
    ConfigurationError
    """
    if not canvas.is_demo:
        raise ConfigurationError(
            f"{setting} was empty, and only the demo Canvas has an invented list.",
            hint=f"Set {setting} to {file}.",
        )


def _say(line: str) -> None:
    print(line)  # noqa: T201 - the notebook shows it
