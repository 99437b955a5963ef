"""Products of arrays: dot, matmul, tensordot, einsum and their kin."""

from __future__ import annotations

import string
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from penstock.collections.arrays.align import unified
from penstock.collections.arrays.array import Array
from penstock.collections.arrays.storage import asarray
from penstock.collections.base import noted
from penstock.engine.kernels.chunks import schema_of
from penstock.engine.nodes.arrays.contract import Contract
from penstock.engine.nodes.map_blocks import Opaque
from penstock.errors import SchemaError, UnsupportedError


def contracted(
    operation: str,
    function: Any,
    arrays: Sequence[Array],
    labels: Sequence[Sequence[Any]],
    out: Sequence[Any],
    dtype: Any,
) -> Array:
    """Return the sum, over labels not in `out`, of what `function` gives for blocks of `arrays`.

    Raises
    ------
    SchemaError
        When lengths of axes of the same label differ.
    """
    chunks, ready = unified(arrays, labels, operation)
    numbers = {label: place for place, label in enumerate(out)}
    for label in chunks:
        numbers.setdefault(label, len(numbers))
    bound = max((array.plan.schema.block_items for array in ready), default=0)
    layout = schema_of(tuple(chunks[label] for label in out), np.dtype(dtype), bound)
    node = Contract(
        layout,
        tuple(array.plan for array in ready),
        tuple(tuple(numbers[label] for label in names) for names in labels),
        Opaque(function),
        operation,
    )
    return Array(noted(node))


def matmul(a: Any, b: Any) -> Array:
    """Return the matrix product, as `numpy.matmul`; the last two axes are matrices.

    Parameters
    ----------
    a, b : Array
        Other axes broadcast.

    Returns
    -------
    Array

    Raises
    ------
    ValueError
        When the shapes do not fit.

    Examples
    --------
    >>> import penstock.array as da
    >>> x = da.ones((4, 4), chunks=2)
    >>> int((x @ x).sum().compute())
    64
    """
    left, right = asarray(a), asarray(b)
    if not left.ndim or not right.ndim:
        raise ValueError("matmul: scalars are not allowed; use *")
    if _differ(left.shape[-1], right.shape[-2 if right.ndim > 1 else -1]):
        raise ValueError(f"matmul: shapes {left.shape} and {right.shape} do not fit together")
    batch = max(left.ndim, right.ndim) - 2
    names = [f"batch{place}" for place in range(max(0, batch))]
    rows = ["row"] if left.ndim > 1 else []
    columns = ["column"] if right.ndim > 1 else []
    in_left = [*names[len(names) - max(0, left.ndim - 2) :], *rows, "inner"]
    in_right = [*names[len(names) - max(0, right.ndim - 2) :], "inner", *columns]
    dtype = np.matmul(np.ones((1, 1), left.dtype), np.ones((1, 1), right.dtype)).dtype
    out = [*names, *rows, *columns]
    return contracted("matmul", np.matmul, [left, right], [in_left, in_right], out, dtype)


def _differ(one: int, other: int) -> bool:
    """Whether two lengths cannot be the same; one that is not known (NaN) may be any."""
    return one == one and other == other and one != other


def dot(a: Any, b: Any) -> Array:
    """Return the dot product, as `numpy.dot`.

    Parameters
    ----------
    a, b : Array

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> da.dot(da.arange(4, chunks=2), da.arange(4, chunks=2)).compute()
    np.int64(14)
    """
    left, right = asarray(a), asarray(b)
    if not left.ndim or not right.ndim:
        return left * right
    return tensordot(left, right, axes=((left.ndim - 1,), (max(0, right.ndim - 2),)))


def tensordot(lhs: Any, rhs: Any, axes: Any = 2) -> Array:
    """Return the sum of products over axes, as `numpy.tensordot`.

    Parameters
    ----------
    lhs, rhs : Array
    axes : int or pair of sequences of int
        How many axes, last of `lhs` and first of `rhs`; or which.

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> da.tensordot(da.ones((2, 3), chunks=2), da.ones((3, 2), chunks=2), axes=1).compute()
    array([[3., 3.],
           [3., 3.]])
    """
    left, right = asarray(lhs), asarray(rhs)
    if isinstance(axes, int | np.integer):
        pairs: Any = (range(left.ndim - int(axes), left.ndim), range(int(axes)))
    else:
        pairs = [[axis] if isinstance(axis, int | np.integer) else list(axis) for axis in axes]
    first = [range(left.ndim)[axis] for axis in pairs[0]]
    second = [range(right.ndim)[axis] for axis in pairs[1]]
    if len(first) != len(second) or any(
        _differ(left.shape[one], right.shape[other])
        for one, other in zip(first, second, strict=True)
    ):
        raise ValueError(
            f"tensordot: shapes {left.shape} and {right.shape} do not fit along {first} and {second}"
        )
    in_left: list[Any] = [("left", axis) for axis in range(left.ndim)]
    in_right: list[Any] = [("right", axis) for axis in range(right.ndim)]
    for one, other in zip(first, second, strict=True):
        in_right[other] = in_left[one]
    out = [
        *(label for axis, label in enumerate(in_left) if axis not in first),
        *(label for axis, label in enumerate(in_right) if axis not in second),
    ]
    dtype = np.tensordot(np.ones(1, left.dtype), np.ones(1, right.dtype), axes=1).dtype
    function = partial(np.tensordot, axes=(first, second))
    return contracted("tensordot", function, [left, right], [in_left, in_right], out, dtype)


def inner(a: Any, b: Any) -> Array:
    """Return the sum of products over the last axes, as `numpy.inner`."""
    left, right = asarray(a), asarray(b)
    if not left.ndim or not right.ndim:
        return left * right
    return tensordot(left, right, axes=((-1,), (-1,)))


def vdot(a: Any, b: Any) -> Array:
    """Return the dot product of two arrays as vectors, the first conjugated, as `numpy.vdot`."""
    left, right = asarray(a), asarray(b)
    if left.shape != right.shape:
        left, right = _vector(left), _vector(right)
    if left.shape != right.shape:
        raise ValueError(f"vdot: {left.size} and {right.size} elements do not fit together")
    dtype = np.vdot(np.ones(1, left.dtype), np.ones(1, right.dtype)).dtype
    if dtype == np.dtype(bool):
        return (left & right).any()
    conjugate = np.conj(left) if left.dtype.kind == "c" else left
    return (conjugate * right).sum(dtype=dtype)


def _vector(array: Array) -> Array:
    return array if array.ndim == 1 else array.reshape(-1)


def outer(a: Any, b: Any) -> Array:
    """Return the products of every element with every other, as `numpy.outer`.

    Examples
    --------
    >>> import penstock.array as da
    >>> da.outer(da.arange(2, chunks=1), da.arange(3, chunks=2)).compute()
    array([[0, 0, 0],
           [0, 1, 2]])
    """
    left, right = _vector(asarray(a)), _vector(asarray(b))
    dtype = np.result_type(left.dtype, right.dtype)
    return contracted("outer", np.outer, [left, right], [["i"], ["j"]], ["i", "j"], dtype)


# -- einsum -------------------------------------------------------------------------------------


def einsum(
    subscripts: Any, *operands: Any, dtype: Any = None, optimize: Any = None,
    split_every: Any = None, casting: str = "safe", order: str = "K", out: None = None,
) -> Array:  # fmt: skip
    """Return the sum of products that `subscripts` tell, as `numpy.einsum`.

    Parameters
    ----------
    subscripts : str
        For example ``"ij,jk->ik"``; or operands and lists of ints in turn.
    *operands : Array
    dtype : dtype, optional
        Of the result.
    optimize : bool or str, optional
        The order in which more than two operands are multiplied. By default
        the best that NumPy finds; False multiplies all at once.
    split_every : object
        Accepted for compatibility.
    casting, order : str
        As in NumPy; only the layout "K" is there.
    out : None

    Returns
    -------
    Array

    Examples
    --------
    >>> import penstock.array as da
    >>> x = da.arange(9, chunks=3).reshape(3, 3)
    >>> da.einsum("ii", x).compute()
    np.int64(12)
    """
    if out is not None or order != "K":
        raise UnsupportedError("einsum of lazy arrays takes no out= and no order=")
    inputs, result, values = _subscripts(subscripts, operands)
    arrays = [asarray(value) for value in values]
    terms = [_spelled(term, array.ndim) for term, array in zip(inputs, arrays, strict=True)]
    wide = max(map(_extra, terms), default=0)
    kind = np.result_type(*(array.dtype for array in arrays)) if dtype is None else np.dtype(dtype)
    if result is None:
        letters = [name for term in terms for name in term if isinstance(name, str)]
        result = [("...", place) for place in range(wide, 0, -1)]
        result += sorted(name for name in set(letters) if letters.count(name) == 1)
    else:
        result = _spelled_out(result, wide)
    known = {name for term in terms for name in term}
    if set(result) - known or len(set(result)) < len(result):
        raise ValueError(f"einsum: the output {result} has labels that no operand has, or twice")
    if len(arrays) > 2 and optimize is not False:
        return _pairwise(arrays, terms, result, kind, optimize)
    return _einsum(arrays, terms, result, kind, casting)


def _subscripts(
    subscripts: Any, operands: tuple[Any, ...]
) -> tuple[list[list[Any]], list[Any] | None, list[Any]]:
    """Return labels of each operand and of the result, and the operands."""
    if not isinstance(subscripts, str):
        rest = [subscripts, *operands]
        out = rest.pop() if len(rest) % 2 else None
        names = [[_letter(label) for label in labels] for labels in rest[1::2]]
        return names, None if out is None else [_letter(label) for label in out], rest[::2]
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = [_split(term) for term in left.split(",")]
    if len(terms) != len(operands):
        raise ValueError(
            f"einsum: {subscripts!r} has {len(terms)} terms for {len(operands)} operands"
        )
    return terms, _split(right) if arrow else None, list(operands)


def _letter(label: Any) -> Any:
    return "..." if label is Ellipsis else string.ascii_letters[label]


def _split(term: str) -> list[Any]:
    before, dots, after = term.partition("...")
    names = [*before, *(["..."] if dots else []), *after]
    if any(name != "..." and not name.isalpha() for name in names):
        raise ValueError(f"einsum: {term!r} has other labels than letters")
    return names


def _spelled(term: list[Any], ndim: int) -> list[Any]:
    """Return a label for each axis; those that an ellipsis stands for count from the end."""
    extra = ndim - (len(term) - ("..." in term))
    if extra < 0 or (extra and "..." not in term):
        raise ValueError(f"einsum: {len(term)} labels for an operand of {ndim} axes")
    return _spelled_out(term, extra)


def _spelled_out(term: list[Any], extra: int) -> list[Any]:
    names: list[Any] = []
    for name in term:
        names += [("...", place) for place in range(extra, 0, -1)] if name == "..." else [name]
    return names


def _extra(term: list[Any]) -> int:
    return sum(isinstance(name, tuple) for name in term)


def _einsum(
    arrays: list[Array],
    terms: list[list[Any]],
    out: list[Any],
    dtype: np.dtype,
    casting: str = "safe",
) -> Array:
    lengths: dict[Any, int] = {}
    for array, term in zip(arrays, terms, strict=True):
        for name, extent in zip(term, array.shape, strict=True):
            if lengths.setdefault(name, extent) != extent and 1 not in (lengths[name], extent):
                raise SchemaError(
                    f"einsum: {name!r} stands for the lengths {lengths[name]} and {extent}"
                )
            lengths[name] = max(lengths[name], extent)
    numbers = {name: place for place, name in enumerate(lengths)}
    function = partial(
        _einsum_blocks,
        [[numbers[name] for name in term] for term in terms],
        [numbers[name] for name in out],
        dtype,
        casting,
    )
    return contracted("einsum", function, arrays, terms, out, dtype)


def _einsum_blocks(
    terms: list[list[int]], out: list[int], dtype: np.dtype, casting: Any, *blocks: Any
) -> np.ndarray:
    operands: list[Any] = []
    for block, term in zip(blocks, terms, strict=True):
        # cast first: with optimize, NumPy adds up in the type of an operand
        operands += [block.astype(dtype, casting=casting, copy=False), term]
    # with optimize, products of matrices go to BLAS
    made = np.einsum(*operands, out, optimize=True)
    return np.asarray(made) if made.base is None else np.array(made)


def _pairwise(
    arrays: list[Array], terms: list[list[Any]], out: list[Any], dtype: np.dtype, optimize: Any
) -> Array:
    """Multiply two operands at a time, in the order that NumPy finds best for their shapes."""
    numbers: dict[Any, int] = {}
    for name in (name for term in terms for name in term):
        numbers.setdefault(name, len(numbers))
    args: list[Any] = []
    for array, term in zip(arrays, terms, strict=True):
        args += [np.broadcast_to(np.zeros(()), array.shape), [numbers[name] for name in term]]
    how = "optimal" if optimize in (None, True) and len(arrays) < 8 else (optimize or "greedy")
    if how is True:
        how = "greedy"
    path = np.einsum_path(*args, [numbers[name] for name in out], optimize=how)[0]
    arrays, terms = list(arrays), list(terms)
    for step in path[1:]:
        chosen = sorted(step, reverse=True)
        taken = [(arrays.pop(place), terms.pop(place)) for place in chosen][::-1]
        needed = {name for term in (*terms, out) for name in term}
        names = [name for _, term in taken for name in term]
        last = not terms
        keep = list(out) if last else [n for n in dict.fromkeys(names) if n in needed]
        arrays.append(_einsum([a for a, _ in taken], [t for _, t in taken], keep, dtype))
        terms.append(keep)
    return arrays[0]
