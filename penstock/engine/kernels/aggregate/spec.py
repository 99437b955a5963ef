"""What to aggregate: column, function, output name, options; and the names of partials."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from penstock.engine.kernels.convert import is_text
from penstock.records import record

_SEPARATOR = "\x1f"
_FIELD = b"penstock.field"
LABELS = "label:"
_ORDERED = frozenset({"first", "last", "list", "unique", "idxmin", "idxmax", "apply", "mode"})


@record
class AggSpec:
    """One aggregation of one column.

    Parameters
    ----------
    column
        Column to aggregate; None where the function needs none (``size``).
    function
        Name in `AGGREGATIONS`.
    output
        Name of the resulting column.
    options
        Options of the function as sorted pairs: ``skipna``, ``min_count``, ``ddof``, ``q``, ...
    """

    column: str | None
    function: str
    output: str
    options: tuple[tuple[str, Any], ...] = ()

    def depends_on_order(self, schema: pa.Schema) -> bool:
        """Return whether the result depends on the order of rows, which are of `schema`."""
        if self.function == "sum" and self.column is not None:
            return is_text(schema.field(self.column).type)  # which is joined
        return self.function in _ORDERED

    def option(self, name: str, default: Any = None) -> Any:
        """Return the option `name`, or `default` where it is not given."""
        for key, value in self.options:
            if key == name:
                return value
        return default


def partial_name(column: str | None, kind: str) -> str:
    """Return the name of the partial `kind` of `column`."""
    return f"{'' if column is None else column}{_SEPARATOR}{kind}"


def split_partial_name(name: str) -> tuple[str, str]:
    """Return the column and the kind that `partial_name` joined."""
    column, _, kind = name.rpartition(_SEPARATOR)
    return column, kind


def label_kind(extreme: str, label: str) -> str:
    """Return the kind of the partial that holds the `label` of a ``"min"`` or ``"max"``."""
    return f"label:{extreme}:{label}"


def split_label(kind: str) -> tuple[str, str]:
    """Return the extreme and the label column that `label_kind` joined."""
    _, extreme, label = kind.split(":", 2)
    return extreme, label


def remember_field(name: str, kind: pa.DataType, source: pa.Field | None) -> pa.Field:
    """Return a partial's field, which carries the field of the column it was made from."""
    if source is None:
        return pa.field(name, kind)
    bare = pa.field("", source.type, metadata=source.metadata)
    return pa.field(name, kind, metadata={_FIELD: pa.schema([bare]).serialize().to_pybytes()})


def source_field(field: pa.Field) -> pa.Field:
    """Return the field of the column that the partial `field` was made from."""
    metadata = field.metadata or {}
    if _FIELD not in metadata:
        return field
    return pa.ipc.read_schema(pa.py_buffer(metadata[_FIELD])).field(0)
