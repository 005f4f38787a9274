"""Options that several commands share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from canvas_reports_nb import opening
from canvas_reports_nb.catalog import schemas
from canvas_reports_nb.exceptions import ParameterError
from canvas_reports_nb.store.store import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from canvas_reports_nb.connection import Connection

_F = TypeVar("_F", bound="Callable[..., Any]")


def _seconds(_context: click.Context, _parameter: click.Parameter, given: str | None) -> float | None:
    try:
        return None if given is None else seconds(given)
    except ParameterError:
        raise click.BadParameter(f"Can't read {given!r} as a time; write 90s, 45m, 12h, 30d or 2w.") from None


def duration_option(name: str, says: str, default: str | None = None) -> Callable[[_F], _F]:
    """Make an option that takes a time such as 12h, or a number of seconds."""
    return click.option(
        name, callback=_seconds, metavar="TIME", default=default, show_default=True, help=says
    )


def complete_report(_context: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    """Return the known reports that begin with the text."""
    return [name for name in schemas.reports() if name.startswith(start)]


report_argument = click.argument("report", shell_complete=complete_report)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON on stdout, one object per line."
)
yes_option = click.option("--yes", is_flag=True, help="Don't ask for confirmation.")


def connecting(command: _F) -> _F:
    """Add the options of every command that talks to a Canvas."""
    account = click.option(
        "--account", default="self", show_default=True, help="A Canvas id, self, or sis_account_id:X."
    )
    demo = click.option("--demo", "on_demo", is_flag=True, help="Use the demo Canvas of this package.")
    return demo(account(command))


def connection(account: str, *, on_demo: bool) -> Connection:
    """Open the connection that these options describe."""
    opened = opening.demo if on_demo else opening.connect
    return opened(account=account, **timing())


def timing() -> dict[str, Any]:
    """Return the keywords ``clock`` and ``sleep``: this machine's, or those a test gives as ``obj``."""
    return click.get_current_context().obj or {"clock": time.time, "sleep": time.sleep}


def parameters_of(given: tuple[str, ...]) -> dict[str, Any]:
    """Return ``name=value`` pairs as parameters; a repeated name gets a list."""
    parameters: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ParameterError(f"Can't read -p {pair} as a parameter.", hint="Write -p name=value.")
        if name in parameters:
            earlier = parameters[name]
            parameters[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            parameters[name] = value
    return parameters
