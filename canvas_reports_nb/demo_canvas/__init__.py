"""An embedded Canvas: one synthetic university behind the real Account Reports API.

It serves trials without a token, teaching, and tests. It listens on this machine only, and any client can
use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .clock import Clock, SteppedClock, SystemClock
from .settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .server import Middleware, Server

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
    administers: int = 1,
    settings: Mapping[str, object] | None = None,
    snapshots: int = 0,
    middleware: Middleware | None = None,
) -> Server:
    """Start a demo Canvas and return it, listening.

    Parameters
    ----------
    seed, enrollments
        Which university, and how large.
    files
        A folder whose CSV and zip files are served as finished runs, unchanged; new runs then deliver them
        too.
    clock
        The source of time. If None, it is 2 March 2026 when the demo starts, in the middle of a term of the
        university.
    scenarios
        Names of faults to show, such as ``"throttle_403"``. A wrong name raises ValueError with the known
        ones.
    width
        How many runs are worked on at once.
    duration
        Seconds every run takes; if None, a few, and more for large reports.
    old
        Behave as servers did before 2026.
    administers
        The account that the token's owner is an administrator of; 1 is the root account.
    settings
        Account settings that differ from the usual ones: ``integration_ids``, ``pronouns``,
        ``grade_override``, ``byte_order_mark``, ``mastery_scales``, ``hidden_points``,
        ``temporary_enrollments``, ``institutional_tags`` and ``trusted_accounts`` are True or False,
        ``separator`` is ``","``, ``";"`` or ``"locale"``, ``locale`` is ``"en"``, ``"de"`` or ``"fr"``.
    snapshots
        Of every run that is started, the history also holds the runs of so many past Sunday evenings, as a weekly
        cron job would have left them.
    middleware
        Wraps the web application, to inject faults in tests. Its requests find the connection's transport in
        ``scope["state"]["transport"]``.

    Examples
    --------
    >>> import requests
    >>> with crn.demo_canvas.serve() as server:
    ...     headers = {"Authorization": f"Bearer {server.token}"}
    ...     reply = requests.get(f"{server.url}/api/v1/accounts/self", headers=headers)
    >>> reply.json()["name"]
    'Meridian University'
    """
    try:
        # The web framework is loaded on use only.
        from .server import Options, start  # noqa: PLC0415
        from .world import NOW  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in REQUIRED:
            raise
        raise DemoUnavailableError(
            'The demo Canvas needs more packages:\npython -m pip install "canvas-reports-nb[demo]"'
        ) from error
    options = Options(
        seed,
        enrollments,
        clock or SystemClock(NOW),
        width,
        duration,
        old,
        administers=administers,
        settings=Settings.of(settings or {}),
        snapshots=snapshots,
    )
    return start(options, None if files is None else Path(files).expanduser(), scenarios, middleware)
