"""Run graphs written as dicts, as ``dask.threaded`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["get"]


def get(dsk: Mapping[Any, Any], keys: Any, **kwargs: Any) -> Any:
    """Return the values of `keys` in the graph `dsk`.

    Parameters
    ----------
    dsk : mapping
        Tasks ``(function, *arguments)``, literals and aliases by key; arguments
        are keys, literals, nested tasks or lists of those.
    keys : key or list
        One key, or lists of keys, nested as deep as wanted.
    **kwargs
        ``scheduler``, ``num_workers``, ``memory_limit``, ``progress`` and
        ``observers``, as for `penstock.scheduler.execute`.

    Returns
    -------
    object
        One value, or lists of values nested as `keys` is.

    Raises
    ------
    ValueError
        When a key is missing or tasks wait for each other in a circle.

    Examples
    --------
    >>> from operator import add
    >>> get({"x": 1, "y": 2, "z": (add, "x", "y")}, "z")
    3
    """
    from penstock.scheduler.dictgraph import from_dict
    from penstock.scheduler.run import execute

    kwargs.pop("cache", None)
    flat: list[Any] = []
    _flatten(keys, flat)
    values = iter(execute(from_dict(dsk, flat), **kwargs))
    return _nest(keys, values)


def _flatten(keys: Any, into: list[Any]) -> None:
    if isinstance(keys, list):
        for key in keys:
            _flatten(key, into)
    else:
        into.append(keys)


def _nest(keys: Any, values: Any) -> Any:
    if isinstance(keys, list):
        return [_nest(key, values) for key in keys]
    return next(values)
