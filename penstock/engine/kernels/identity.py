"""Identity of constants: what makes two literals or options the same."""

from __future__ import annotations

from typing import Any

import numpy as np


def identity_key(value: Any) -> Any:
    """Return a hashable key that tells values apart by type: 1, True and 1.0 all differ.

    Parameters
    ----------
    value : object
        Containers and NumPy arrays are compared by content, functions and other
        objects that cannot be hashed by identity.

    Returns
    -------
    hashable
    """
    kind = type(value)
    if kind is float:
        return (kind, repr(value))  # -0.0 is not 0.0, and nan is nan
    if isinstance(value, list | tuple):
        types = set(map(type, value))
        if len(types) == 1 and types <= {int, str, bytes, bool}:  # a long isin: no tuple for each
            return (kind, types.pop(), tuple(value))
        if types == {float}:
            return (kind, float, np.array(value).tobytes())
        return (kind, tuple(identity_key(item) for item in value))
    if isinstance(value, set | frozenset):
        return (frozenset, frozenset(identity_key(item) for item in value))
    if isinstance(value, dict):
        return (kind, tuple((identity_key(k), identity_key(v)) for k, v in value.items()))
    if isinstance(value, np.ndarray) and value.dtype != object:
        return (kind, value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, np.generic):
        return (kind, value.dtype.str, value.tobytes())
    if kind.__module__.startswith("pandas") and hasattr(value, "iloc"):
        return (kind, id(value))
    if callable(value) and not isinstance(value, type):
        return (kind, id(value))
    try:
        hash(value)
    except TypeError:
        return (kind, id(value))
    return (kind, getattr(value, "tzinfo", None) and str(value.tzinfo), value)
