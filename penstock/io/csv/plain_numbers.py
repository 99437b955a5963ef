"""Records of nothing but plain numbers, read without a general parser.

Arrow takes 16 ns a field, the extension module ``_numbers`` 5. It declines what is more than
digits, a minus and a point, and where it was not built everything is left to Arrow.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

try:
    from penstock.io.csv import _numbers
except ImportError:  # no compiler where Penstock was installed
    HAS_EXTENSION = False
else:
    HAS_EXTENSION = True

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.io.csv.dialect import Dialect
    from penstock.io.csv.projection import Narrow

_NUMBER = re.compile(r"-?[0-9.]+")
_MOST_COLUMNS = 256


def plain_numbers(
    narrow: Narrow, kinds: Sequence[pa.DataType], dialect: Dialect
) -> list[pa.Array] | None:
    r"""Return the columns of records that hold numbers only.

    Parameters
    ----------
    narrow : Narrow
        Records of as many fields as there are `kinds`.
    kinds : sequence of pyarrow.DataType
        The type of each column.
    dialect : Dialect
        One that Arrow can parse.

    Returns
    -------
    list of pyarrow.Array or None
        None where a column is to have another type than int64 or double, or a field is not
        plain.

    Examples
    --------
    >>> from penstock.io.csv.dialect import Dialect
    >>> from penstock.io.csv.projection import Narrow
    >>> records = Narrow(pa.py_buffer(b"1,2.5\n3,\n"), 2)
    >>> found = plain_numbers(records, [pa.int64(), pa.float64()], Dialect())
    >>> [array.to_pylist() for array in found] if HAS_EXTENSION else [[1, 3], [2.5, None]]
    [[1, 3], [2.5, None]]
    """
    if not HAS_EXTENSION or not 0 < len(kinds) <= _MOST_COLUMNS:
        return None
    if not all(kind in (pa.int64(), pa.float64()) for kind in kinds):
        return None
    if dialect.decimal != "." or not _only_empty_is_missing(dialect.null_values):
        return None
    count = narrow.records
    values = [np.empty(count, kind.to_pandas_dtype()) for kind in kinds]
    valid = [np.zeros(-(-count // 8), np.uint8) for _ in kinds]
    columns = tuple(
        (kind == pa.float64(), into.data, bits.data)
        for kind, into, bits in zip(kinds, values, valid, strict=True)
    )
    missing = _numbers.read_numbers(narrow.data, count, columns, ord(dialect.sep))
    if missing is None:
        return None
    return [
        pa.Array.from_buffers(
            kind, count, [pa.py_buffer(bits) if nulls else None, pa.py_buffer(into)], nulls
        )
        for kind, into, bits, nulls in zip(kinds, values, valid, missing, strict=True)
    ]


@cache
def _only_empty_is_missing(texts: tuple[str, ...]) -> bool:
    """Return whether an empty field is a missing value and no number is one."""
    return "" in texts and not any(_NUMBER.fullmatch(text) for text in texts)
