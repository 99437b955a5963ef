"""Values for values: map and replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.engine.kernels.convert import array_from_series, field_of
from penstock.engine.kernels.elementwise.registry import Op, register


def _map(x: Any, func: Any, na_action: str | None = None, meta: Any = None) -> Any:
    return x.map(func, na_action=na_action)


def _map_type(args: Sequence[Any], options: dict[str, Any]) -> pa.DataType | None:
    """The type that `meta` declares, or that the values of a dict or Series have."""
    import pandas as pd

    meta, func = options.get("meta"), options.get("func")
    if meta is not None:
        dtype = meta[1] if isinstance(meta, tuple) else getattr(meta, "dtype", meta)
        return field_of(dtype, "").type
    if isinstance(func, dict) and func:
        func = pd.Series(list(func.values()))
    if isinstance(func, pd.Series) and len(func):
        found = array_from_series(func).type
        return None if pa.types.is_null(found) else found
    return None


_UNSET: Any = object()


def _replace(x: Any, to_replace: Any = None, value: Any = _UNSET, regex: Any = False) -> Any:
    if value is _UNSET:
        return x.replace(to_replace, regex=regex)
    return x.replace(to_replace, np.nan if value is None else value, regex=regex)


register(Op("map", 1, _map, result=_map_type, data_dependent=True))
register(Op("replace", 1, _replace, data_dependent=True))
