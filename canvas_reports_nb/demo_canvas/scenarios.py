"""Faults the demo Canvas shows on request, each an object with optional hooks.

A new scenario is one more entry in `SCENARIOS`. Hooks are pure functions of their arguments.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from . import refusals
from .clock import Limits
from .refusals import Refusal

SERVER_ERRORS = 3
"""Calls that fail in `server_error`."""
GATEWAY_ERRORS = 2
"""Calls of each path that fail in `bad_gateway`."""
TOKEN_SECONDS = 3_600.0
"""Life of a token in `short_lived_token`, as of those that applications get by OAuth."""
STRICT = Limits(high_water=120.0, cost=15.0)
"""About eight calls at once, then one in 1.5 seconds."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a scenario sees it."""

    path: str
    nth: int
    """1 for the first request of this path and method."""
    total: int
    """1 for the first request of all."""
    now: str
    age: float
    """Seconds since the demo was started."""
    old: bool

    @property
    def is_download(self) -> bool:
        """Whether a file is asked for on the Canvas host."""
        return self.path.endswith("/download")

    @property
    def is_report(self) -> bool:
        """Whether it is one of the six report calls."""
        return "/reports" in self.path


@dataclass(frozen=True, slots=True)
class Scenario:
    """Deviations from the usual behavior; a hook left out changes nothing."""

    before: Callable[[Call], Refusal | None] = lambda _call: None
    """A refusal in place of Canvas's own response."""
    content: Callable[[bytes], bytes] | None = None
    """From the first line of a finished CSV to the whole file that is delivered."""
    failure: str | None = None
    """The reason why every run ends in error."""
    status: Callable[[str, float], str] = lambda status, _share: status
    """From a status and the share of the running time to the status shown."""
    limits: Limits | None = None
    link_seconds: Callable[[int], float | None] = lambda _nth: None
    """Lifetime of the n-th link to a file, counted from 1."""
    cut: Callable[[int], int] = lambda size: size
    """From the size of a body to the number of bytes sent."""
    keep: Callable[[int], int] = lambda size: size
    """From the size of a finished file to the number of bytes that reach the storage."""
    string_ids: bool = False
    no_includes: bool = False
    """Whether `include[]` is silently ignored."""
    attachment: Callable[[dict[str, object]], dict[str, object] | None] = lambda attachment: attachment
    """From the attachment of a run to the one shown."""


def _refusing(refusal: Callable[[Call], Refusal], when: Callable[[Call], bool]) -> Scenario:
    return Scenario(before=lambda call: refusal(call) if when(call) else None)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "bad_gateway": _refusing(lambda _: refusals.bad_gateway(), lambda call: call.nth <= GATEWAY_ERRORS),
        "expired_link": Scenario(link_seconds=lambda nth: -1.0 if nth == 1 else None),
        "expired_token": _refusing(
            lambda call: refusals.expired_token(call.now, old=call.old), lambda _: True
        ),
        "fails": Scenario(
            failure="Failed, please report the following error code to your system administrator: "
            "ErrorReport:4711;"
        ),
        "half_stored": Scenario(keep=lambda size: size // 2),
        "elevated_sign_in": _refusing(
            lambda _: refusals.no_permission(old=False), lambda call: call.is_report
        ),
        "insufficient_scopes": _refusing(
            lambda _: refusals.insufficient_scopes(), lambda call: call.is_report
        ),
        "login_page": _refusing(lambda _: refusals.login_page(), lambda call: call.is_download),
        "no_download_scope": _refusing(
            lambda _: refusals.insufficient_scopes(), lambda call: call.is_download
        ),
        "no_file_permission": Scenario(
            before=lambda call: refusals.no_permission(old=call.old) if call.is_download else None,
            attachment=lambda attachment: {**attachment, "url": "", "locked_for_user": True},
        ),
        "no_include_scope": Scenario(no_includes=True),
        "no_permission": _refusing(
            lambda call: refusals.no_permission(old=call.old), lambda call: call.is_report
        ),
        "null_attachment": Scenario(attachment=lambda _attachment: None),
        "no_terms_scope": _refusing(
            lambda _: refusals.insufficient_scopes(), lambda call: call.path.endswith("/terms")
        ),
        "revoked_token": _refusing(lambda call: refusals.revoked_token(old=call.old), lambda _: True),
        "short_lived_token": _refusing(
            lambda _: refusals.invalid_token(), lambda call: call.age >= TOKEN_SECONDS
        ),
        "unverified": _refusing(lambda _: refusals.unverified(), lambda _: True),
        "no_rows": Scenario(content=lambda header: header),
        "one_cell": Scenario(content=lambda _header: b"No outcomes found\n"),
        "server_error": _refusing(
            lambda call: refusals.server_fault(call.total), lambda call: call.total <= SERVER_ERRORS
        ),
        "string_ids": Scenario(string_ids=True),
        "throttle_403": Scenario(limits=STRICT),
        "throttle_429": Scenario(limits=replace(STRICT, status=429)),
        "truncated": Scenario(cut=lambda size: size // 2),
        "unknown_state": Scenario(
            status=lambda status, share: "postprocessing" if status == "running" and share < 1 / 2 else status
        ),
    }
)


def choose(names: Iterable[str]) -> tuple[Scenario, ...]:
    """Return the scenarios of these names; ValueError names those that don't exist."""
    names = list(names)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise ValueError(f"Unknown scenario {', '.join(unknown)}. Use any of {', '.join(sorted(SCENARIOS))}.")
    return tuple(SCENARIOS[name] for name in names)
