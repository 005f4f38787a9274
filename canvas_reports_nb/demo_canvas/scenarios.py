"""Faults the demo Canvas shows on request, each an object with optional hooks.

A new scenario is one more entry in `SCENARIOS`; hooks are pure functions of what they are given. Besides
these names there are

``FAULT@CALL``, ``FAULT@CALL*N``, ``FAULT@CALL*``
    A fault of `mishaps.FAULTS` on the first, the first N, or all exchanges of a kind: ``reset_while@show*2``.
``schedule:SEED``
    A few passing faults, drawn from the seed.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from . import answers
from .answers import Refusal
from .mishaps import CALLS, FAULTS, Planned
from .throttle import Limits

SPOILT = 3
"""Calls that `server_error` spoils."""
GATEWAY_FAULTS = 2
"""Calls of each path that `bad_gateway` spoils."""
BITING = Limits(high_water=120.0, cost=15.0)
"""About eight calls at once, then one in 1.5 seconds."""
PASSING = {
    "list": ("reset_before", "http_502_page", "throttled_429_retry", "byte_by_byte"),
    "history": ("reset_unanswered", "http_500", "http_503_retry", "cut"),
    "start": ("throttled_403", "throttled_429", "throttled_429_retry", "byte_by_byte"),
    "show": ("reset_while", "http_500_page", "http_502_page", "throttled_403", "unknown_state"),
    "link": ("reset_before", "http_503", "throttled_403", "cut"),
    "file": ("reset_while", "cut", "half", "expired", "http_503", "byte_by_byte", "wrong_type"),
}
"""What a patient client gets over, by the call."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a scenario sees it."""

    path: str
    nth: int
    """1 for the first request of this path and method."""
    total: int
    """1 for the first request of all."""
    now: str
    old: bool

    @property
    def is_download(self) -> bool:
        """Whether a file is asked for on the Canvas host."""
        return self.path.endswith("/download")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Deviations from the usual behaviour; a hook left out changes nothing."""

    before: Callable[[Call], Refusal | None] = lambda _call: None
    """An answer instead of Canvas's own."""
    content: Callable[[bytes], bytes] | None = None
    """From the first line of a finished CSV to the whole file that is delivered."""
    failure: str | None = None
    """Why every run ends in error."""
    status: Callable[[str, float], str] = lambda status, _share: status
    """From a status and the share of the running time to the status shown."""
    limits: Limits | None = None
    link_seconds: Callable[[int], float | None] = lambda _nth: None
    """Life of the n-th link to a file, counted from 1."""
    cut: Callable[[int], int] = lambda size: size
    """From the size of a body to the bytes really sent."""
    keep: Callable[[int], int] = lambda size: size
    """From the size of a finished file to the bytes of it that reach the storage."""
    string_ids: bool = False
    faults: tuple[Planned, ...] = ()
    """Of single exchanges."""


def _spoil(refusal: Callable[[Call], Refusal], when: Callable[[Call], bool]) -> Scenario:
    return Scenario(before=lambda call: refusal(call) if when(call) else None)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "bad_gateway": _spoil(lambda _: answers.bad_gateway(), lambda call: call.nth <= GATEWAY_FAULTS),
        "expired_link": Scenario(link_seconds=lambda nth: -1.0 if nth == 1 else None),
        "expired_token": _spoil(lambda call: answers.expired_token(call.now), lambda _: True),
        "fails": Scenario(failure="Generating the report failed. ErrorReport:4711;"),
        "half_stored": Scenario(keep=lambda size: size // 2),
        "login_page": _spoil(lambda _: answers.login_page(), lambda call: call.is_download),
        "no_permission": _spoil(
            lambda call: answers.no_permission(old=call.old), lambda call: "/reports" in call.path
        ),
        "no_rows": Scenario(content=lambda header: header),
        "one_cell": Scenario(content=lambda _header: b"No outcomes found\n"),
        "server_error": _spoil(
            lambda call: answers.server_fault(call.total), lambda call: call.total <= SPOILT
        ),
        "string_ids": Scenario(string_ids=True),
        "throttle_403": Scenario(limits=BITING),
        "throttle_429": Scenario(limits=replace(BITING, status=429)),
        "truncated": Scenario(cut=lambda size: size // 2),
        "unknown_state": Scenario(
            status=lambda status, share: "postprocessing" if status == "running" and share < 1 / 2 else status
        ),
    }
)


def choose(names: Iterable[str]) -> tuple[Scenario, ...]:
    """Return the scenarios of these names.

    Raises
    ------
    ValueError
        If there is no scenario of a name; the text lists those there are.
    """
    chosen = {name: _scenario(name) for name in names}
    unknown = [name for name, scenario in chosen.items() if scenario is None]
    if unknown:
        raise ValueError(
            f"no scenario {', '.join(unknown)}; there are: {', '.join(sorted(SCENARIOS))}, schedule:SEED, "
            f"and FAULT@CALL with FAULT one of {', '.join(FAULTS)} and CALL one of {', '.join(CALLS)}"
        )
    return tuple(scenario for scenario in chosen.values() if scenario is not None)


def _scenario(name: str) -> Scenario | None:
    if name in SCENARIOS:
        return SCENARIOS[name]
    if seeded := re.fullmatch(r"schedule:(\d+)", name):
        return Scenario(faults=_schedule(int(seeded[1])))
    single = re.fullmatch(r"(\w+)@(\w+)(?:(\*)(\d*))?", name)
    if single is None or single[1] not in FAULTS or single[2] not in CALLS:
        return None
    times = int(single[4]) if single[4] else None if single[3] else 1
    return Scenario(faults=(Planned(FAULTS[single[1]], single[2], times=times),))


def _schedule(seed: int) -> tuple[Planned, ...]:
    # No secret: the same seed must give the same faults everywhere.
    draw = random.Random(seed)  # noqa: S311 - see above
    calls = [draw.choice(list(PASSING)) for _ in range(draw.randint(2, 5))]
    return tuple(Planned(FAULTS[draw.choice(PASSING[call])], call, draw.randint(1, 2)) for call in calls)
