"""Public modules whose names are imported when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    module: dict[str, Any], homes: Mapping[str, str], *, before: str | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a module.

    Parameters
    ----------
    module : dict
        Its ``globals()``; names that were looked up are kept there.
    homes : mapping of str to str
        The module each name comes from. A name whose home ends in ``:`` is that module itself.
    before : str, optional
        A module to import first.

    Examples
    --------
    >>> getattribute, _ = lazy_names({"__name__": "here"}, {"sqrt": "math", "m": "math:"})
    >>> getattribute("sqrt")(4.0), getattribute("m").__name__
    (2.0, 'math')
    """

    def get(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
        if before is not None:
            importlib.import_module(before)
        found = importlib.import_module(home.removesuffix(":"))
        value = found if home.endswith(":") else getattr(found, name)
        module[name] = value
        return value

    return get, lambda: sorted(homes)
