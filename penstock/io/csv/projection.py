"""Records reduced to the fields that are wanted, before they are parsed.

A parser of CSV looks at every field, wanted or not. Where few are wanted it is
quicker to copy these to a short text first, which the extension module
``_fields`` does while it scans. It declines what is out of the ordinary, and
where it was not built nothing is ever reduced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

try:
    from penstock.io.csv import _fields
except ImportError:  # no compiler where Penstock was installed
    HAS_EXTENSION = False
else:
    HAS_EXTENSION = True

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.io.csv.dialect import Dialect

_BOM = b"\xef\xbb\xbf"
_ROOM = 64
"""Bytes of the output beyond what it may hold of a large block."""

_HEAD = 64 << 10
"""Bytes that tell whether leaving fields out makes a large block much shorter."""

_MOST_FIELDS = 1 << 20
"""Beyond it the ends of a record's fields would take much memory."""


class Narrow(NamedTuple):
    """Records of the wanted fields only."""

    data: pa.Buffer
    records: int


def narrowed(
    data: pa.Buffer, wanted: Sequence[int], width: int, dialect: Dialect, quoted: bool
) -> Narrow | None:
    r"""Return the records of `data` with the `wanted` fields only, byte for byte.

    Parameters
    ----------
    data : pyarrow.Buffer
        Whole records in the dialect's encoding.
    wanted : sequence of int
        Numbers of fields, ascending.
    width : int
        Fields per record.
    dialect : Dialect
        One that Arrow can parse.
    quoted : bool
        Whether quotes may occur and mean anything.

    Returns
    -------
    Narrow or None
        None where it would not pay, or where a record is not plain: another
        number of fields, a blank line, a quote within unquoted text, a lone
        carriage return, ...

    Examples
    --------
    >>> from penstock.io.csv.dialect import Dialect
    >>> narrowed(pa.py_buffer(b"1,2\n"), [0, 1], 2, Dialect(), quoted=False) is None
    True
    """
    if not HAS_EXTENSION or not pays(wanted, width) or not supports(dialect):
        return None
    quote = ord(dialect.quotechar) if quoted and dialect.quotechar else -1
    arguments = (width, tuple(wanted), ord(dialect.sep), quote)
    # Of an output longer than half the input the parser would have little less to do.
    out = np.empty(data.size // 2 + _ROOM, np.uint8)
    if data.size >= 4 * _HEAD:
        head = data.slice(0, _HEAD).to_pybytes()
        done = _fields.narrow(head[: head.rfind(b"\n") + 1], out.data, *arguments)
        if done is not None and done[0] * 2 > _HEAD:
            return None
    done = _fields.narrow(data, out.data, *arguments)
    if done is None:
        return None
    written, records = done
    if out[: len(_BOM)].tobytes() == _BOM:  # which Arrow would take for an encoding mark
        return None
    return Narrow(pa.py_buffer(out[:written]), records)


def pays(wanted: Sequence[int], width: int) -> bool:
    """Return whether leaving out all but the `wanted` of `width` fields may save time.

    Scanning takes about a fifth of the time that parsing takes.
    """
    return 0 < len(wanted) * 4 <= width * 3 and width <= _MOST_FIELDS


def supports(dialect: Dialect) -> bool:
    """Return whether fields of this dialect can be told byte by byte.

    Where bytes of a text may be undecodable, those of unwanted fields count too.
    """
    return (
        dialect.arrow_can
        and dialect.codec in ("utf-8", "iso8859-1")
        and dialect.sep not in ("\0", "\n", "\r", dialect.quotechar)
        and dialect.quotechar not in ("\0", "\n", "\r")
    )
