"""Registration: which students are at the university in each term, and which classes they take."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .catalog import DEFAULT_TERM, FALL, SUMMER, Calendar, season
from .draws import Draws, Ints

_STAYING = np.array([0.93, 0.87, 0.82, 0.78, 0.75, 0.72, 0.70])
"""Share of students who are still there after one, two, ... terms; nobody stays for more than eight."""
_SIZE_SHARES, _SIZES = (0.0, 0.2, 0.55, 0.83, 0.94, 0.985, 1.0), (5, 13, 25, 41, 80, 150, 300)
"""Quantiles of class sizes."""
_SMALLEST = 5
_KEYS_PER_LAP = 1_000_000


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of all terms; class k has the students `seats[start[k] : start[k] + size[k]]`, by number."""

    term: Ints
    size: Ints
    start: Ints
    seats: Ints

    @property
    def observed(self) -> Ints:
        """The number of observed students, every tenth, per class."""
        flags = np.concatenate([[0], np.cumsum(self.seats % 10 == 0)])
        return np.asarray(flags[self.start + self.size] - flags[self.start])


def _main_term(term: int) -> int:
    """Return the number of a spring (even) or fall (odd); a summer has that of the spring before."""
    return 2 * ((term - 10) // 3) + (season(term) == FALL)


def _attending(draws: Draws, students: int, calendar: Calendar, term: int) -> NDArray[np.bool_]:
    """Return for each student whether they are registered in a term; most enter in a fall."""
    numbers, newest = np.arange(students), _main_term(calendar.current_term)
    entries = np.arange(newest - 10, newest + 2)
    shares = np.cumsum(np.where(entries % 2 == 1, 5.0, 1.0))
    entry = entries[np.searchsorted(shares / shares[-1], (numbers + 0.5) / students)]
    luck = draws.uniform("stays", numbers)
    stays = 1 + np.searchsorted(-_STAYING, -luck, side="left")
    now = _main_term(term)
    there = (entry <= now) & (now < entry + stays)
    if season(term) == SUMMER:
        return there & draws.chance(f"summer {term}", numbers, 0.3)
    return there & draws.chance(f"registered {term}", numbers, 0.8 if term > calendar.current_term else 0.99)


def _laps(draws: Draws, students: int, calendar: Calendar) -> list[tuple[int, Ints]]:
    """Return who takes a first, a second, ... class, per term: four or five in a spring or fall."""
    numbers = np.arange(students)
    laps = [(DEFAULT_TERM, numbers[draws.chance("training", numbers, 0.08)])]
    for term in range(calendar.current_term - 7, calendar.current_term + 2):
        there = numbers[_attending(draws, students, calendar, term)]
        last = there[draws.chance(f"one more {term}", there, 0.6)]
        laps += [(term, who) for who in ([there, last] if season(term) == SUMMER else [*[there] * 4, last])]
    return laps


def _cut(draws: Draws, lap: int, seats: int) -> Ints:
    """Return the sizes of the classes that share a number of seats."""
    keys = lap * _KEYS_PER_LAP + np.arange(seats // _SMALLEST + 1)
    drawn = np.interp(draws.uniform("class size", keys), _SIZE_SHARES, _SIZES).astype(np.int64)
    sizes = np.minimum(drawn, max(2 * _SMALLEST, seats // 2))
    edges = np.minimum(np.cumsum(sizes), seats)
    edges = edges[: int(np.searchsorted(edges, seats)) + 1]
    if len(edges) > 1 and seats - edges[-2] < _SMALLEST:
        edges = np.append(edges[:-2], seats)  # too small a rest joins the class before
    return np.asarray(np.diff(edges, prepend=0))


def register(draws: Draws, students: int, calendar: Calendar) -> Classes:
    """Return all classes, in an order that has nothing to do with their terms."""
    terms, sizes, seats = [], [], []
    for lap, (term, who) in enumerate(_laps(draws, students, calendar)):
        if len(who):
            cut = _cut(draws, lap, len(who))
            terms.append(np.full(len(cut), term))
            sizes.append(cut)
            seats.append(who[np.argsort(draws.bits(f"class {lap}", who), kind="stable")])
    size = np.concatenate(sizes)
    start = np.cumsum(size) - size
    order = np.asarray(np.argsort(draws.bits("class order", np.arange(len(size))), kind="stable"))
    return Classes(np.concatenate(terms)[order], size[order], start[order], np.concatenate(seats))
