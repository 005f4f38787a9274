"""A Canvas of its own: one synthetic university behind the real Account Reports API.

For a try without a token, for teaching, and for tests. It listens on this machine only, and any client can
talk to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .clock import Clock, SteppedClock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .server import Server

__all__ = ["Clock", "DemoUnavailableError", "SteppedClock", "SystemClock", "serve"]

REQUIRED = ("starlette", "uvicorn")


class DemoUnavailableError(ImportError):
    """The packages of the demo Canvas are not installed."""


def serve(
    *,
    seed: int = 2026,
    enrollments: int = 3_000,
    files: str | Path | None = None,
    clock: Clock | None = None,
    scenarios: Iterable[str] = (),
    width: int = 1,
    duration: float | None = None,
    old: bool = False,
) -> Server:
    """Start a demo Canvas and return it, listening.

    Parameters
    ----------
    seed, enrollments
        Which university, and how large.
    files
        A folder whose CSV and zip files are served as finished runs, unchanged; started runs then deliver
        them too.
    clock
        Where it reads the time; this machine's clock if None.
    scenarios
        Names of faults to show: of a whole Canvas (``"throttle_403"``), of single calls
        (``"reset_while@show"``; ``*3`` behind it for three of them, ``*`` for all), or ``"schedule:7"`` for
        some passing ones drawn from that seed. A wrong name raises ValueError with those there are.
    width
        How many runs are worked on at once.
    duration
        Seconds every run takes; if None, a few, and more for large reports.
    old
        Behave as servers did before 2026.

    Examples
    --------
    >>> with serve(duration=0) as server:  # doctest: +SKIP
    ...     requests.get(f"{server.url}/api/v1/users/self", headers={"Authorization": f"Bearer {server.token}"})
    """
    try:
        from .server import Settings, start  # noqa: PLC0415 - the web framework is loaded on use only
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in REQUIRED:
            raise
        raise DemoUnavailableError(
            'The demo Canvas needs more packages:\npython -m pip install "canvas-reports-nb[demo]"'
        ) from error
    settings = Settings(seed, enrollments, clock or SystemClock(), width, duration, old)
    return start(settings, None if files is None else Path(files).expanduser(), scenarios)
