"""Random draws that depend on the seed, a purpose and an id only.

A value is a hash, not the next number of a stream, so rows can be computed in any order, in slices, or
again at export time, and agree on every machine.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Ints: TypeAlias = NDArray[np.int64]

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 0xFFFFFFFFFFFFFFFF


def _splitmix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the finalizer of SplitMix64: every input bit affects every output bit."""
    mixed = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Draws:
    """The random draws of one world."""

    seed: int

    def bits(self, purpose: str, ids: ArrayLike) -> NDArray[np.uint64]:
        """Return 64 random bits for each id."""
        offset = ((self.seed + 1) * _GOLDEN + zlib.crc32(purpose.encode()) * 0xD1342543DE82EF95) & _WORD
        keys = np.atleast_1d(np.asarray(ids)).astype(np.uint64)
        return _splitmix(_splitmix(keys * np.uint64(_GOLDEN) + np.uint64(offset)) + np.uint64(offset))

    def uniform(self, purpose: str, ids: ArrayLike) -> NDArray[np.float64]:
        """Return floats in [0, 1)."""
        return (self.bits(purpose, ids) >> np.uint64(11)).astype(np.float64) / float(1 << 53)

    def small(self, purpose: str, ids: ArrayLike) -> NDArray[np.float64]:
        """Return floats in [0, 1), most of them near 0; a product, because powers differ between machines."""
        even = self.uniform(purpose, ids)
        return np.asarray(even * even * even)

    def chance(self, purpose: str, ids: ArrayLike, probability: float) -> NDArray[np.bool_]:
        """Return True for about this share of the ids; a larger share includes a smaller one of equal purpose."""
        return self.uniform(purpose, ids) < probability

    def normal(self, purpose: str, ids: ArrayLike) -> NDArray[np.float64]:
        """Return nearly normal floats, mean 0 and deviation 1, never beyond 3.5.

        They are sums of four uniforms, because the digits of a logarithm differ between machines.
        """
        bits = self.bits(purpose, ids)
        parts = [(bits >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
        total = sum((part.astype(np.float64) for part in parts), np.zeros(bits.shape))
        return np.asarray((total / 65536.0 - 2.0) * 1.7320508075688772)

    def below(self, purpose: str, ids: ArrayLike, stop: ArrayLike) -> Ints:
        """Return integers from 0 up to, not including, `stop` (one number, or one per id)."""
        return (self.bits(purpose, ids) >> np.uint64(1)).astype(np.int64) % np.asarray(stop, dtype=np.int64)

    def choose(self, purpose: str, ids: ArrayLike, weights: Sequence[float]) -> Ints:
        """Return positions in `weights`, drawn by weight."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        picked = np.searchsorted(edges / edges[-1], self.uniform(purpose, ids), side="right")
        return np.minimum(picked, len(edges) - 1).astype(np.int64)

    def pick(
        self, purpose: str, ids: ArrayLike, values: Sequence[object], weights: Sequence[float]
    ) -> pl.Series:
        """Return one of `values` per id, drawn by weight."""
        return pl.Series(values).gather(self.choose(purpose, ids, weights))
