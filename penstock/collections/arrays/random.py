"""Random arrays: the same values for a seed, whatever runs them (`penstock.array.random`).

Every array of a generator has a place among the children of its seed, and every
chunk a child seed below it (`numpy.random.SeedSequence`). So values depend on
the seed, the order of calls and the chunks, not on workers or memory; and
automatic chunks are of one size here, whatever the memory limit.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.collections.arrays.align import unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.creation import layout
from penstock.collections.arrays.storage import asarray, from_array
from penstock.collections.base import Collection, noted
from penstock.config import format_bytes
from penstock.engine.kernels.chunks import ArraySchema
from penstock.engine.nodes.arrays.blockwise import BlockwiseArray
from penstock.engine.nodes.arrays.sources import Random
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.plan import ArrayNode
from penstock.errors import MemoryLimitError, UnsupportedError

_CHUNK = "8MiB"
_NEEDED = inspect.Parameter.empty

Draw = Callable[..., Array]


def _drawn(method: str, *, typed: bool = False, **parameters: Any) -> Draw:
    """Return the lazy method of a distribution with these parameters and their defaults."""
    names = list(parameters)

    def draw(self: Generator, *args: Any, size: Any = None, chunks: Any = "auto",
             **kwargs: Any) -> Array:  # fmt: skip
        if len(args) == len(names) + 1:  # the size may come without its name
            *args, size = args  # type: ignore[assignment]
        elif len(args) == len(names) + 2:
            *args, size, chunks = args  # type: ignore[assignment]
        kwargs.pop("name", None)
        options = {"dtype": np.dtype(kwargs.pop("dtype", np.float64))} if typed else {}
        values = dict(zip(names, args, strict=False))
        if len(args) > len(names) or set(kwargs) & set(values) or set(kwargs) - set(names):
            raise TypeError(
                f"{method} takes the parameters {', '.join([*names, 'size', 'chunks'])}"
            )
        values.update(kwargs)
        given = [values.get(name, default) for name, default in parameters.items()]
        missing = [name for name, v in zip(names, given, strict=True) if v is _NEEDED]
        if missing:
            raise TypeError(f"{method} needs {', '.join(missing)}")
        return self._draw(method, tuple(given), size, chunks, **options)

    places = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for name, default in {"self": _NEEDED, **parameters, "size": None, "chunks": "auto"}.items()
    ]
    draw.__signature__ = inspect.Signature(places)  # type: ignore[attr-defined]
    draw.__name__ = draw.__qualname__ = method
    draw.__doc__ = f"""Return numbers drawn as by `numpy.random.Generator.{method}`.

        Parameters may be arrays, which broadcast with each other and with `size`.
        """
    return draw


class Generator:
    """Draws lazy arrays; made by `default_rng`.

    Parameters
    ----------
    seed : numpy.random.SeedSequence
    """

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self._seed = seed
        self._count = 0
        self._lock = threading.Lock()

    def _key(self) -> tuple[int, tuple[int, ...]]:
        """Return the seed of the next array: entropy and place among the children."""
        with self._lock:
            place, self._count = self._count, self._count + 1
        return _number(self._seed.entropy), (*self._seed.spawn_key, place)

    def spawn(self, n_children: int) -> list[Generator]:
        """Return independent generators.

        Parameters
        ----------
        n_children : int

        Returns
        -------
        list of Generator
        """
        return [type(self)(_sequence(*self._key())) for _ in range(n_children)]

    def _draw(self, method: str, args: tuple[Any, ...], size: Any, chunks: Any,
              **kwargs: Any) -> Array:  # fmt: skip
        if any(isinstance(value, Collection) or np.ndim(value) for value in args):
            return self._draw_with(method, args, size, chunks, kwargs)
        sample = getattr(np.random.default_rng(0), method)(*args, size=0, **kwargs)
        grid = _layout(() if size is None else size, sample.dtype, chunks)
        return Array(noted(Random(grid, *self._key(), method, Opaque((args, kwargs)))))

    def _draw_with(self, method: str, args: tuple[Any, ...], size: Any, chunks: Any,
                   kwargs: dict[str, Any]) -> Array:  # fmt: skip
        """Draw with parameters that are arrays."""
        lazy = [isinstance(value, Collection) or np.ndim(value) > 0 for value in args]
        arrays = [asarray(value) for value, is_lazy in zip(args, lazy, strict=True) if is_lazy]
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        if size is not None:
            wanted = (size,) if isinstance(size, int | np.integer) else tuple(size)
            if not _fits(shape, wanted):
                raise ValueError(f"{method}: parameters of shape {shape} do not fit size={wanted}")
            shape = wanted
        scalars = [
            np.ones(0, arrays[sum(lazy[:place])].dtype) if is_lazy else value
            for place, (value, is_lazy) in enumerate(zip(args, lazy, strict=True))
        ]
        sample = getattr(np.random.default_rng(0), method)(*scalars, size=0, **kwargs)
        if chunks == "auto":  # as the parameters are cut
            known, _ = unified(arrays, [_trailing(a.ndim, len(shape)) for a in arrays], method)
            chunks = tuple(
                sizes if len(sizes := known.get(axis, (1,))) > 1 or extent == 1 else "auto"
                for axis, extent in enumerate(shape)
            )
        grid = _layout(shape, sample.dtype, chunks)
        ready = []
        for array in arrays:
            missing = len(shape) - array.ndim
            cut = tuple(
                (1,) if extent == 1 else grid.chunks[missing + axis]
                for axis, extent in enumerate(array.shape)
            )
            ready.append(array if cut == array.chunks else array.rechunk(cut))
        draw = _DrawBlock(grid, *self._key(), method, args, tuple(lazy), kwargs, None)
        return _blocks(grid, draw, [each.plan for each in ready],
                       [_trailing(each.ndim, len(shape)) for each in ready])  # fmt: skip

    def _draw_vectors(self, method: str, args: tuple[Any, ...], length: int, size: Any,
                      chunks: Any) -> Array:  # fmt: skip
        """Draw vectors of so many elements, which the last axis holds."""
        shape = () if size is None else (size,) if isinstance(size, int | np.integer) else size
        sample = getattr(np.random.default_rng(0), method)(*args, size=1)
        if chunks != "auto" and not isinstance(chunks, int):
            chunks = (*tuple(chunks)[: len(shape)], length)
        elif isinstance(chunks, int):
            chunks = (*(chunks,) * len(shape), length)
        else:
            chunks = (*("auto",) * len(shape), length)
        grid = _layout((*shape, length), sample.dtype, chunks)
        draw = _DrawBlock(grid, *self._key(), method, args, (False,) * len(args), {}, len(shape))
        return _blocks(grid, draw, [], [])

    def random(self, size: Any = None, dtype: Any = np.float64, chunks: Any = "auto",
               **kwargs: Any) -> Array:  # fmt: skip
        """Return floats of the half-open interval [0, 1)."""
        kwargs.pop("name", None)
        return self._draw("random", (), size, chunks, dtype=np.dtype(dtype), **kwargs)

    def integers(self, low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64,
                 endpoint: bool = False, chunks: Any = "auto", **kwargs: Any) -> Array:  # fmt: skip
        """Return integers from `low` to below `high`, or below `low` when it is alone."""
        kwargs.pop("name", None)
        if kwargs:
            raise TypeError(f"integers takes no argument {next(iter(kwargs))!r}")
        bounds = (0, low) if high is None else (low, high)
        return self._draw(
            "integers", bounds, size, chunks, dtype=np.dtype(dtype), endpoint=endpoint
        )

    beta = _drawn("beta", a=_NEEDED, b=_NEEDED)
    binomial = _drawn("binomial", n=_NEEDED, p=_NEEDED)
    chisquare = _drawn("chisquare", df=_NEEDED)
    exponential = _drawn("exponential", scale=1.0)
    f = _drawn("f", dfnum=_NEEDED, dfden=_NEEDED)
    gamma = _drawn("gamma", shape=_NEEDED, scale=1.0)
    geometric = _drawn("geometric", p=_NEEDED)
    gumbel = _drawn("gumbel", loc=0.0, scale=1.0)
    hypergeometric = _drawn("hypergeometric", ngood=_NEEDED, nbad=_NEEDED, nsample=_NEEDED)
    laplace = _drawn("laplace", loc=0.0, scale=1.0)
    logistic = _drawn("logistic", loc=0.0, scale=1.0)
    lognormal = _drawn("lognormal", mean=0.0, sigma=1.0)
    logseries = _drawn("logseries", p=_NEEDED)
    negative_binomial = _drawn("negative_binomial", n=_NEEDED, p=_NEEDED)
    noncentral_chisquare = _drawn("noncentral_chisquare", df=_NEEDED, nonc=_NEEDED)
    noncentral_f = _drawn("noncentral_f", dfnum=_NEEDED, dfden=_NEEDED, nonc=_NEEDED)
    normal = _drawn("normal", loc=0.0, scale=1.0)
    pareto = _drawn("pareto", a=_NEEDED)
    poisson = _drawn("poisson", lam=1.0)
    power = _drawn("power", a=_NEEDED)
    rayleigh = _drawn("rayleigh", scale=1.0)
    standard_cauchy = _drawn("standard_cauchy")
    standard_exponential = _drawn("standard_exponential", typed=True)
    standard_gamma = _drawn("standard_gamma", typed=True, shape=_NEEDED)
    standard_normal = _drawn("standard_normal", typed=True)
    standard_t = _drawn("standard_t", df=_NEEDED)
    triangular = _drawn("triangular", left=_NEEDED, mode=_NEEDED, right=_NEEDED)
    uniform = _drawn("uniform", low=0.0, high=1.0)
    vonmises = _drawn("vonmises", mu=_NEEDED, kappa=_NEEDED)
    wald = _drawn("wald", mean=_NEEDED, scale=_NEEDED)
    weibull = _drawn("weibull", a=_NEEDED)
    zipf = _drawn("zipf", a=_NEEDED)

    def multinomial(self, n: int, pvals: Any, size: Any = None, chunks: Any = "auto") -> Array:
        """Return counts of the outcomes of `n` experiments, along the last axis."""
        return self._draw_vectors("multinomial", (n, pvals), len(pvals), size, chunks)

    def multivariate_hypergeometric(self, colors: Any, nsample: int, size: Any = None,
                                    chunks: Any = "auto") -> Array:  # fmt: skip
        """Return how many of each colour are drawn, along the last axis."""
        args = (colors, nsample)
        return self._draw_vectors("multivariate_hypergeometric", args, len(colors), size, chunks)

    def dirichlet(self, alpha: Any, size: Any = None, chunks: Any = "auto") -> Array:
        """Return probabilities that add up to 1 along the last axis."""
        return self._draw_vectors("dirichlet", (alpha,), len(alpha), size, chunks)

    def multivariate_normal(self, mean: Any, cov: Any, size: Any = None,
                            chunks: Any = "auto") -> Array:  # fmt: skip
        """Return normally distributed vectors along the last axis."""
        return self._draw_vectors("multivariate_normal", (mean, cov), len(mean), size, chunks)

    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None, axis: int = 0,
               shuffle: bool = True, chunks: Any = "auto") -> Array:  # fmt: skip
        """Return a sample of the elements of `a`, or of ``range(a)``.

        Parameters
        ----------
        a : int or vector
        size : int or tuple of int, optional
        replace : bool
            Whether an element can be drawn again. Without that, the sample must be one chunk.
        p : vector, optional
            Probabilities of the elements.
        axis, shuffle : int, bool
            As in NumPy; vectors have one axis.
        chunks : int, tuple or str
            See `from_array`.

        Returns
        -------
        Array
        """
        number = isinstance(a, int | np.integer)
        array = None if number else asarray(a)
        if array is not None and array.ndim != 1:
            raise UnsupportedError("choice: elements of arrays of one axis can be drawn; ravel it")
        count = int(a) if array is None else array.shape[0]
        if count < 1:
            raise ValueError("choice: there is nothing to choose from")
        weights = None if p is None else np.asarray(p, dtype="f8")
        np.random.default_rng(0).choice(count, 0, p=weights)  # wrong ones are told now
        grid = _layout(() if size is None else size, "i8" if array is None else array.dtype, chunks)
        options = {"replace": replace, "p": weights, "shuffle": shuffle}
        if not replace:
            if grid.nblocks > 1:
                raise UnsupportedError(
                    "choice without replacement is for samples in one chunk: pass chunks=-1, or use "
                    "permutation"
                )
            if int(np.prod(grid.shape)) > count:
                raise ValueError(
                    f"choice: {grid.shape} of {count} without replacement are too many"
                )
        draw = _DrawBlock(
            grid, *self._key(), "choice", (count,), (array is not None,), options, None
        )
        if array is None:
            return _blocks(grid, draw, [], [])
        # every call gets the whole vector
        return _blocks(grid, draw, [array.plan], [(len(grid.chunks),)])

    def permutation(self, x: Any) -> Array:
        """Return ``range(x)``, or the rows of `x`, in random order.

        The order is held in memory: 8 bytes for each row.

        Parameters
        ----------
        x : int or Array

        Returns
        -------
        Array
        """
        from penstock.scheduler import current_pool

        number = isinstance(x, int | np.integer)
        count = int(x) if number else asarray(x).shape[0]
        budget = current_pool().budget
        if 8 * count > budget // 2:
            raise MemoryLimitError(
                f"permutation of {count} rows needs {format_bytes(8 * count)} for their order, of "
                f"{format_bytes(budget)}; raise memory_limit"
            )
        order = np.random.Generator(np.random.PCG64(_sequence(*self._key()))).permutation(count)
        return from_array(order, chunks=_CHUNK) if number else asarray(x)[order]


def _layout(shape: Any, dtype: Any, chunks: Any) -> ArraySchema:
    if isinstance(chunks, str) and chunks == "auto":
        chunks = _CHUNK
    elif isinstance(chunks, tuple | list):
        chunks = tuple(_CHUNK if size == "auto" else size for size in chunks)
    return layout(shape, dtype, chunks)


def _fits(shape: tuple[int, ...], size: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, size) == size
    except ValueError:
        return False


def _trailing(ndim: int, total: int) -> tuple[int, ...]:
    return tuple(range(total - ndim, total))


def _blocks(
    grid: ArraySchema, draw: Any, operands: list[ArrayNode], labels: list[tuple[int, ...]]
) -> Array:
    node = BlockwiseArray(
        grid, tuple(operands), tuple(labels), Opaque(draw), draw.method, numbered=True
    )
    return Array(noted(node))


def _sequence(entropy: int, spawn_key: tuple[int, ...]) -> np.random.SeedSequence:
    return np.random.SeedSequence(entropy, spawn_key=spawn_key)


class _DrawBlock:
    """Draws a block with parameters that may be blocks."""

    def __init__(
        self,
        grid: ArraySchema,
        entropy: int,
        spawn_key: tuple[int, ...],
        method: str,
        args: tuple[Any, ...],
        lazy: tuple[bool, ...],
        kwargs: dict[str, Any],
        axes: int | None,
    ) -> None:
        self.grid = grid
        self.entropy = entropy
        self.spawn_key = spawn_key
        self.method = method
        self.args = tuple(None if is_lazy else v for v, is_lazy in zip(args, lazy, strict=True))
        self.lazy = lazy
        self.kwargs = kwargs
        self.axes = axes

    def __call__(self, number: int, *blocks: Any) -> np.ndarray:
        seed = _sequence(self.entropy, (*self.spawn_key, number))
        generator = np.random.Generator(np.random.PCG64(seed))
        size = self.grid.block_shape(number)[: self.axes]
        rest = iter(blocks)
        args = [
            next(rest) if is_lazy else value
            for value, is_lazy in zip(self.args, self.lazy, strict=True)
        ]
        return np.asarray(getattr(generator, self.method)(*args, size=size, **self.kwargs))


class RandomState(Generator):
    """The same under the names of `numpy.random.RandomState`.

    Values are not those of NumPy's class of this name.

    Parameters
    ----------
    seed : int, sequence of int, SeedSequence or None
    """

    def __init__(self, seed: Any = None, bit_generator: Any = None) -> None:
        if bit_generator is not None:
            raise UnsupportedError("RandomState takes no bit_generator; give a seed")
        if not isinstance(seed, np.random.SeedSequence):
            seed = np.random.SeedSequence(seed)
        super().__init__(seed)

    def seed(self, seed: Any = None) -> None:
        """Start again at `seed`."""
        self._seed = np.random.SeedSequence(seed)
        self._count = 0

    def randint(self, low: Any, high: Any = None, size: Any = None, chunks: Any = "auto",
                dtype: Any = int, **kwargs: Any) -> Array:  # fmt: skip
        """Return integers from `low` to below `high`, or below `low` when it is alone."""
        return self.integers(low, high, size, dtype, chunks=chunks, **kwargs)

    def random_integers(self, low: Any, high: Any = None, size: Any = None,
                        chunks: Any = "auto") -> Array:  # fmt: skip
        """Return integers from `low` to `high`, or from 1 to `low` when it is alone."""
        first, last = (1, low) if high is None else (low, high)
        return self.integers(first, last, size, endpoint=True, chunks=chunks)

    def random_sample(self, size: Any = None, chunks: Any = "auto", **kwargs: Any) -> Array:
        """Return floats of the half-open interval [0, 1)."""
        return self.random(size, chunks=chunks, **kwargs)

    def rand(self, *shape: int, chunks: Any = "auto") -> Array:
        """Return floats of the half-open interval [0, 1) in this shape."""
        return self.random(shape, chunks=chunks)

    def randn(self, *shape: int, chunks: Any = "auto") -> Array:
        """Return standard normal numbers in this shape."""
        return self.standard_normal(size=shape, chunks=chunks)

    def tomaxint(self, size: Any = None, chunks: Any = "auto") -> Array:
        """Return integers of all sizes that are not negative."""
        return self.integers(0, np.iinfo(np.int_).max, size, np.int_, endpoint=True, chunks=chunks)


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
    if isinstance(seed, np.random.Generator | np.random.BitGenerator):
        raise UnsupportedError("default_rng takes a seed, not a generator of NumPy")
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed)
    return Generator(seed)


_shared = RandomState()


def seed(seed: Any = None) -> None:
    """Start the sequence of the module's own functions at `seed`."""
    _shared.seed(seed)


def __getattr__(name: str) -> Any:
    """Return the module's functions, which draw from one shared generator."""
    if name.startswith("_") or not hasattr(RandomState, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_shared, name)


def __dir__() -> list[str]:
    methods = [name for name in dir(RandomState) if not name.startswith("_")]
    return sorted({"Generator", "RandomState", "default_rng", "seed", *methods})
