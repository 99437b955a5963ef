"""Arguments of a call, as pandas' own signature names them."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from penstock.engine.kernels.elementwise.registry import OPS
from penstock.errors import UnsupportedError


@functools.cache
def signature_of(name: str) -> inspect.Signature:
    """Return the signature of the pandas method behind an operation, without ``self``.

    Parameters
    ----------
    name : str
        A key of `OPS` that is a method of Series or of one of its accessors.

    Returns
    -------
    inspect.Signature
    """
    import pandas as pd
    from pandas.core.indexes.accessors import CombinedDatetimelikeProperties
    from pandas.core.strings.accessor import StringMethods

    op = OPS[name]
    method = name.rpartition(".")[2]
    owner: Any
    if op.accessor == "str":
        owner = StringMethods
    elif op.accessor == "dt":
        owner = pd.DatetimeIndex if hasattr(pd.DatetimeIndex, method) else pd.TimedeltaIndex
        if method == "isocalendar":
            owner = CombinedDatetimelikeProperties
    else:
        owner = pd.Series
    function = getattr(owner, method, None)
    if function is None or not callable(function):
        return inspect.Signature()
    function = inspect.unwrap(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return inspect.Signature(parameters)


def bind_options(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a call, its positional arguments under pandas' names.

    Parameters
    ----------
    name : str
        A key of `OPS`.
    args : tuple
        Positional arguments after the column.
    kwargs : dict

    Returns
    -------
    dict of str to object

    Raises
    ------
    TypeError
        When pandas' method does not take these arguments.

    Examples
    --------
    >>> bind_options("str.contains", ("a",), {"regex": False})
    {'pat': 'a', 'regex': False}
    """
    if name not in OPS:
        raise UnsupportedError(f"no elementwise operation {name!r}")
    try:
        bound = signature_of(name).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    options = dict(bound.arguments)
    for parameter in signature_of(name).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            options.update(options.pop(parameter.name, {}))
        elif parameter.kind is parameter.VAR_POSITIONAL and options.get(parameter.name):
            raise TypeError(f"{name}: too many positional arguments")
    return options
