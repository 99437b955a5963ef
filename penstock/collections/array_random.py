"""Random arrays: the same values for a seed, whatever runs them.

Every array of a generator has a place among the children of its seed, and every
chunk a child seed below it (`numpy.random.SeedSequence`). So values depend on
the seed, the order of calls and the chunks, not on workers or memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.collections.array import Array
from penstock.collections.array_creation import layout
from penstock.collections.base import Collection, noted
from penstock.engine.nodes.array_sources import Random
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import UnsupportedError


class Generator:
    """Draws lazy arrays; made by `default_rng`.

    Parameters
    ----------
    seed : numpy.random.SeedSequence
    """

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self._seed = seed
        self._drawn = 0
        self._lock = threading.Lock()

    def _draw(self, method: str, args: tuple[Any, ...], size: Any, chunks: Any,
              **kwargs: Any) -> Array:  # fmt: skip
        if any(isinstance(value, Collection) or np.ndim(value) for value in args):
            raise UnsupportedError(f"{method}: parameters must be scalars")
        sample = getattr(np.random.default_rng(0), method)(*args, size=0, **kwargs)
        with self._lock:
            place, self._drawn = self._drawn, self._drawn + 1
        entropy: Any = self._seed.entropy
        key = (*self._seed.spawn_key, place)
        grid = layout(() if size is None else size, sample.dtype, chunks)
        return Array(noted(Random(grid, _number(entropy), key, method, Opaque((args, kwargs)))))

    def random(self, size: Any = None, dtype: Any = np.float64, chunks: Any = "auto") -> Array:
        """Return floats of the half-open interval [0, 1)."""
        return self._draw("random", (), size, chunks, dtype=np.dtype(dtype))

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None,
               chunks: Any = "auto") -> Array:  # fmt: skip
        """Return normally distributed floats."""
        return self._draw("normal", (loc, scale), size, chunks)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64,
                        chunks: Any = "auto") -> Array:  # fmt: skip
        """Return normally distributed floats of mean 0 and variance 1."""
        return self._draw("standard_normal", (), size, chunks, dtype=np.dtype(dtype))

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None,
                chunks: Any = "auto") -> Array:  # fmt: skip
        """Return floats of the half-open interval [low, high)."""
        return self._draw("uniform", (low, high), size, chunks)

    def integers(self, low: int, high: int | None = None, size: Any = None, dtype: Any = np.int64,
                 endpoint: bool = False, chunks: Any = "auto") -> Array:  # fmt: skip
        """Return integers from `low` to below `high`, or below `low` when it is alone."""
        return self._draw(
            "integers", (low, high), size, chunks, dtype=np.dtype(dtype), endpoint=endpoint
        )

    def exponential(self, scale: float = 1.0, size: Any = None, chunks: Any = "auto") -> Array:
        """Return exponentially distributed floats."""
        return self._draw("exponential", (scale,), size, chunks)

    def poisson(self, lam: float = 1.0, size: Any = None, chunks: Any = "auto") -> Array:
        """Return integers of a Poisson distribution."""
        return self._draw("poisson", (lam,), size, chunks)

    def binomial(self, n: int, p: float, size: Any = None, chunks: Any = "auto") -> Array:
        """Return integers of a binomial distribution."""
        return self._draw("binomial", (n, p), size, chunks)


def _number(entropy: Any) -> int:
    """Return the entropy as one integer, which a plan can hold."""
    if isinstance(entropy, int | np.integer):
        return int(entropy)
    words = np.random.SeedSequence(entropy).generate_state(4, np.uint32)
    return sum(int(word) << 32 * place for place, word in enumerate(words))


def default_rng(seed: Any = None) -> Generator:
    """Return a generator of random arrays.

    Parameters
    ----------
    seed : int, sequence of int, SeedSequence or None
        None takes one from the operating system.

    Returns
    -------
    Generator

    Examples
    --------
    >>> x = default_rng(1).random((4, 4), chunks=2)
    >>> bool((x.compute() == default_rng(1).random((4, 4), chunks=2).compute()).all())
    True
    """
    if isinstance(seed, Generator):
        return seed
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed)
    return Generator(seed)


_shared = default_rng()


def seed(seed: Any = None) -> None:
    """Start the sequence of the module's own functions at `seed`."""
    global _shared
    _shared = default_rng(seed)


def _of_shared(method: str) -> Callable[..., Array]:
    def draw(*args: Any, **kwargs: Any) -> Array:
        return getattr(_shared, method)(*args, **kwargs)

    draw.__name__ = draw.__qualname__ = method
    draw.__doc__ = getattr(Generator, method).__doc__
    return draw


random = _of_shared("random")
normal = _of_shared("normal")
standard_normal = _of_shared("standard_normal")
uniform = _of_shared("uniform")
integers = _of_shared("integers")
exponential = _of_shared("exponential")
poisson = _of_shared("poisson")
binomial = _of_shared("binomial")


def randint(low: int, high: int | None = None, size: Any = None, chunks: Any = "auto",
            dtype: Any = int) -> Array:  # fmt: skip
    """Return integers from `low` to below `high`, or below `low` when it is alone."""
    return _shared.integers(low, high, size, dtype, chunks=chunks)
