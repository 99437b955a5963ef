"""Filters: from pandas' lists to expressions, and which row groups they rule out.

The statistics are judged by Arrow's own dataset code, given nothing but the
footer. It takes NaN for a value that the statistics know of, which they do not:
where a filter could be true for NaN, statistics of float columns are not used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from penstock.errors import SchemaError, column_not_found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

_TRUE_FOR_NAN = re.compile(
    r"!=|invert|is_null|is_nan|is_valid|is_finite|is_inf|if_else|case_when|coalesce|"
    r"fill_null|true_unless_null|xor|and_not|nan|choose",
    re.IGNORECASE,
)
_OPERATORS = ("=", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not")


def filter_expression(filters: Any, schema: pa.Schema) -> pc.Expression | None:
    """Return pandas' and pyarrow's ``filters`` as one expression.

    Parameters
    ----------
    filters : list of tuple, list of list of tuple, pyarrow.compute.Expression or None
        ``[("x", ">", 0), ...]`` are joined by *and*, lists of such lists by *or*.
    schema : pyarrow.Schema
        The columns that may be named.

    Returns
    -------
    pyarrow.compute.Expression or None

    Raises
    ------
    ColumnNotFoundError
        If a filter names a column that is not there.
    ValueError
        If a filter is malformed.

    Examples
    --------
    >>> import pyarrow as pa
    >>> filter_expression([("x", ">", 1)], pa.schema([("x", pa.int64())]))
    <pyarrow.compute.Expression (x > 1)>
    """
    import functools
    import operator

    import pyarrow.compute as pc

    if filters is None or isinstance(filters, pc.Expression):
        return filters
    listed = list(filters)
    if not listed:
        return None
    if all(isinstance(one, tuple) for one in listed):
        listed = [listed]
    if not all(isinstance(group, list | tuple) and group for group in listed):
        raise ValueError(f"filters must be [(column, op, value), ...] or lists of it: {filters!r}")
    groups = [
        functools.reduce(operator.and_, (_term(term, schema) for term in group)) for group in listed
    ]
    return functools.reduce(operator.or_, groups)


def _term(term: Any, schema: pa.Schema) -> pc.Expression:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(term, tuple | list) or len(term) != 3 or term[1] not in _OPERATORS:
        raise ValueError(
            f"a filter must be (column, op, value) with op one of {', '.join(_OPERATORS)}: {term!r}"
        )
    name, operation, value = term
    if name not in schema.names:
        raise column_not_found(name, schema.names)
    field, kind = pc.field(name), schema.field(name).type
    if operation in ("is", "is not"):
        if value is not None:
            raise ValueError(f"'is' compares with None only: {term!r}")
        return field.is_null() if operation == "is" else field.is_valid()
    try:
        if operation in ("in", "not in"):
            values = pa.array(list(value))
            if not values.type.equals(kind) and _castable(values.type, kind):
                values = values.cast(kind)
            inside = field.isin(values)
            # A missing value is neither in nor outside, as in every other comparison.
            return inside & field.is_valid() if operation == "in" else ~inside & field.is_valid()
        scalar = pa.scalar(value)
        if not scalar.type.equals(kind) and _castable(scalar.type, kind):
            scalar = scalar.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError) as error:
        raise SchemaError(
            f"the filter {term!r} does not fit column {name!r} of type {kind}: {error}"
        ) from error
    comparisons = {
        "=": field == scalar,
        "==": field == scalar,
        "!=": field != scalar,
        "<": field < scalar,
        "<=": field <= scalar,
        ">": field > scalar,
        ">=": field >= scalar,
    }
    return comparisons[operation]


def _castable(kind: pa.DataType, target: pa.DataType) -> bool:
    """Whether a filter's value may be turned into the column's type without changing it."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_dictionary(target):
        return False
    if kinds.is_integer(target):
        return bool(kinds.is_integer(kind) or kinds.is_string(kind))
    same_numbers = kinds.is_integer(kind) and kinds.is_floating(target)
    texts = kinds.is_string(kind) and (kinds.is_large_string(target) or kinds.is_temporal(target))
    return bool(same_numbers or texts or (kinds.is_temporal(kind) and kinds.is_temporal(target)))


def fields_of(expression: pc.Expression, schema: pa.Schema) -> list[str]:
    """Return the columns of `schema` that `expression` needs, in the schema's order.

    Raises
    ------
    ColumnNotFoundError
        If it needs one that is not there.
    SchemaError
        If it compares what cannot be compared.
    """
    import pyarrow as pa

    try:
        missing = _missing_field(expression, schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise SchemaError(f"the filter {expression} does not fit the columns: {error}") from error
    if missing is not None:
        raise column_not_found(missing, schema.names)
    # Arrow does not tell an expression's columns: take each away and see what it misses.
    text = str(expression)
    return [
        name
        for position, name in enumerate(schema.names)
        if name in text and _missing_field(expression, schema.remove(position)) is not None
    ]


def _missing_field(expression: pc.Expression, schema: pa.Schema) -> str | None:
    import pyarrow as pa

    try:
        schema.empty_table().filter(expression)
    except pa.ArrowInvalid as error:
        missing = re.search(r"No match for FieldRef\.Name\((.*?)\) in ", str(error), re.DOTALL)
        if missing is None:
            raise
        return missing.group(1)
    return None


class Pruner:
    """Tells which row groups of a file may hold rows that a filter lets pass.

    Parameters
    ----------
    expression : pyarrow.compute.Expression
    schema : pyarrow.Schema
        The common schema of all files.
    names : sequence of str
        The columns that the expression needs.
    """

    def __init__(self, expression: pc.Expression, schema: pa.Schema, names: Sequence[str]) -> None:
        import pyarrow as pa

        self._expression = expression
        self._schema = pa.schema([schema.field(name) for name in names])
        self._nan_matters = bool(_TRUE_FOR_NAN.search(str(expression)))
        self._no_statistics = _footer_bytes(_footer_without_statistics())

    def surviving(
        self,
        footer: pq.FileMetaData,
        file_schema: pa.Schema,
        partition: Mapping[str, pa.Scalar],
    ) -> Sequence[int]:
        """Return the numbers of the row groups that cannot be ruled out."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.dataset as ds

        everything = range(footer.num_row_groups)
        known = pc.scalar(True)
        for name, value in partition.items():
            if name in self._schema.names:
                field = pc.field(name)
                known &= (field == value) if value.is_valid else field.is_null()
        trusted = self._trusted(file_schema, partition)
        metadata = _footer_bytes(footer) if trusted else self._no_statistics
        try:
            fragment = ds.ParquetFileFormat().make_fragment(
                pa.BufferReader(metadata), partition_expression=known
            )
            parts = fragment.split_by_row_group(self._expression, schema=self._schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            return everything
        if not trusted:
            return everything if parts else ()
        return [group.id for part in parts for group in part.row_groups]

    def _trusted(self, file_schema: pa.Schema, partition: Mapping[str, Any]) -> bool:
        """Whether this file's statistics mean what the expression asks of the common schema."""
        import pyarrow as pa

        for field in self._schema:
            position = file_schema.get_field_index(field.name)
            if field.name in partition or position < 0:
                continue
            if not file_schema.field(position).type.equals(field.type):
                return False
            if pa.types.is_floating(field.type) and self._nan_matters:
                return False
        return True


def _footer_bytes(footer: pq.FileMetaData) -> pa.Buffer:
    import pyarrow as pa

    stream = pa.BufferOutputStream()
    footer.write_metadata_file(stream)
    return stream.getvalue()


def _footer_without_statistics() -> pq.FileMetaData:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = pa.BufferOutputStream()
    table = pa.table({"": pa.nulls(1, pa.int8())})
    pq.write_table(table, stream, write_statistics=False)
    return pq.read_metadata(pa.BufferReader(stream.getvalue()))
