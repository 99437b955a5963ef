"""Joining two blocks with the rows, order, names and dtypes of `pandas.merge`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.blocks import block_nbytes, single_chunk
from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.groupby_codes import filter_rows, group_codes
from penstock.engine.kernels.join_lookup import KeyLookup, match_once
from penstock.engine.kernels.sort import composite_ranks, stable_order
from penstock.errors import SchemaError, UnsupportedError, column_not_found

HOW = ("inner", "left", "right", "outer", "semi", "anti", "cross")
_RELATIONS = {
    "1:1": "one_to_one",
    "1:m": "one_to_many",
    "m:1": "many_to_one",
    "m:m": "many_to_many",
}


def join_tables(
    left: pa.Table,
    right: pa.Table,
    left_on: Sequence[str],
    right_on: Sequence[str],
    how: str = "inner",
    suffixes: tuple[str | None, str | None] = ("_x", "_y"),
    indicator: bool | str = False,
    validate: str | None = None,
) -> pa.Table:
    """Join two tables on equal keys; missing keys equal each other, as in pandas.

    Parameters
    ----------
    left, right
        Tables to join.
    left_on, right_on
        Key columns of each side, in the same order. Empty for ``how="cross"``.
    how
        ``inner``, ``left``, ``right``, ``outer``, ``semi``, ``anti`` or ``cross``.
    suffixes
        Appended to names that both sides have.
    indicator
        Add a categorical column ``_merge`` (or of the given name) that tells the origin.
    validate
        ``one_to_one``, ``one_to_many``, ``many_to_one`` (or ``1:1``, ``1:m``, ``m:1``).

    Returns
    -------
    pyarrow.Table
        Row order of pandas: of the left keys (inner, left), of the right ones (right), or
        sorted by key (outer).

    Raises
    ------
    ColumnNotFoundError
        A key is not a column.
    SchemaError
        The keys' types do not go together, names clash, or `validate` does not hold.

    Examples
    --------
    >>> import pyarrow as pa
    >>> left, right = pa.table({"k": [1, 2]}), pa.table({"k": [2], "v": ["b"]})
    >>> join_tables(left, right, ["k"], ["k"], "left")["v"].to_pylist()
    [None, 'b']
    """
    if how not in HOW:
        raise UnsupportedError(f"how={how!r}: must be one of {', '.join(HOW)}")
    rows: np.ndarray | None
    others: np.ndarray | None
    if how == "cross":
        rows = np.repeat(np.arange(left.num_rows), right.num_rows)
        others = np.tile(np.arange(right.num_rows), left.num_rows)
        return _assemble(left, right, [], [], rows, others, how, suffixes, indicator)
    types = key_types(left.schema, left_on, right.schema, right_on)
    left_keys, right_keys = _converted(left, left_on, types), _converted(right, right_on, types)
    if how in ("semi", "anti"):
        _, others = match_once(left_keys, _once(right_keys), keep=True)
        found = others >= 0
        return filter_rows(left, found if how == "semi" else ~found)
    _validate(left, left_on, right, right_on, validate)
    if how == "right":
        others, rows = match_once(right_keys, left_keys, keep=True)
    else:
        rows, others = match_once(left_keys, right_keys, keep=how != "inner")
    if how == "outer":
        originals = [
            (single_chunk(left[a]), single_chunk(right[b]))
            for a, b in zip(left_on, right_on, strict=True)
        ]
        converted = zip(left_keys, right_keys, strict=True)
        pairs = [_sortable(*pair) for pair in zip(originals, converted, strict=True)]
        rows, others = _outer(rows, others, pairs)
    return _assemble(left, right, left_on, right_on, rows, others, how, suffixes, indicator)


class JoinTable:
    """A table built once as the side that many blocks are joined to.

    It is not changed after it was built, so that many threads may probe it at once.

    Parameters
    ----------
    right
        The table to build.
    right_on
        Its key columns.
    left_schema
        Schema of the blocks that will probe it: it decides in which types keys are compared.
    left_on
        Their key columns.

    Raises
    ------
    ColumnNotFoundError
        A key is not a column.
    SchemaError
        The keys' types do not go together.

    Examples
    --------
    >>> import pyarrow as pa
    >>> left = pa.table({"k": [1, 2, 1]})
    >>> built = JoinTable(pa.table({"k": [1], "v": ["a"]}), ["k"], left.schema, ["k"])
    >>> built.probe(left, "left")["v"].to_pylist()
    ['a', None, 'a']
    """

    def __init__(
        self,
        right: pa.Table,
        right_on: Sequence[str],
        left_schema: pa.Schema,
        left_on: Sequence[str],
    ) -> None:
        self.table = right
        self.right_on, self.left_on = tuple(right_on), tuple(left_on)
        self.types = key_types(left_schema, left_on, right.schema, right_on)
        self.keys = _converted(right, right_on, self.types)
        self.lookup = KeyLookup(self.keys)

    def memory_usage(self, deep: bool = True) -> int:
        """Return the bytes that this keeps in memory, under the name pandas has for it."""
        return block_nbytes(self.table) + self.lookup.nbytes

    def probing_keys(self, left: pa.Table) -> list[pa.Array]:
        """Return the key columns of a probing block in the types of the built keys."""
        return _converted(left, self.left_on, self.types)

    def probe(
        self,
        left: pa.Table,
        how: str = "inner",
        suffixes: tuple[str | None, str | None] = ("_x", "_y"),
        indicator: bool | str = False,
    ) -> pa.Table:
        """Join a block to the built table.

        Parameters
        ----------
        left
            The block.
        how
            ``inner``, ``left``, ``semi`` or ``anti``: those that need one block at a time.
        suffixes, indicator
            As of `join_tables`.

        Returns
        -------
        pyarrow.Table
            In the order of the block's rows.

        Raises
        ------
        UnsupportedError
            `how` needs all blocks at once.
        """
        columns = self.probing_keys(left)
        if how in ("semi", "anti"):
            found = self.lookup.has(columns)
            return filter_rows(left, found if how == "semi" else ~found)
        if how not in ("inner", "left"):
            raise UnsupportedError(
                f"how={how!r} cannot be joined block by block; join the left blocks, gather "
                "matched() of each and append the right rows that no block matched"
            )
        rows, others = self.lookup.match(columns, keep=how == "left")
        return _assemble(
            left, self.table, self.left_on, self.right_on, rows, others, how, suffixes, indicator
        )

    def matched(self, left: pa.Table) -> np.ndarray:
        """Return which rows of the built table have a key that a block has."""
        seen = np.zeros(self.lookup.ngroups + 1, bool)
        seen[self.lookup.encode(self.probing_keys(left))] = True
        seen[-1] = False
        return seen.take(self.lookup.encode(self.keys))


def _once(keys: Sequence[pa.Array]) -> list[pa.Array]:
    """Return each distinct key once."""
    rows = pa.array(group_codes(keys).first)
    return [key.take(rows) for key in keys]


def key_types(
    left: pa.Schema, left_on: Sequence[str], right: pa.Schema, right_on: Sequence[str]
) -> list[pa.DataType]:
    """Return the types in which the keys of two tables are compared.

    Raises
    ------
    ColumnNotFoundError
        A key is not a column.
    SchemaError
        The keys' types do not go together.
    """
    if len(left_on) != len(right_on) or not left_on:
        raise SchemaError(
            f"a join needs as many left keys as right keys, and at least one: got "
            f"{list(left_on)} and {list(right_on)}"
        )
    for schema, keys in ((left, left_on), (right, right_on)):
        for key in keys:
            if key not in schema.names:
                raise column_not_found(key, schema.names)
    return [
        key_type(left.field(a).type, right.field(b).type, a, b)
        for a, b in zip(left_on, right_on, strict=True)
    ]


def _converted(
    table: pa.Table, names: Sequence[str], types: Sequence[pa.DataType]
) -> list[pa.Array]:
    return [_to(single_chunk(table[n]), kind) for n, kind in zip(names, types, strict=True)]


def _outer(
    rows: np.ndarray | None, others: np.ndarray | None, pairs: Sequence[tuple[pa.Array, pa.Array]]
) -> tuple[np.ndarray, np.ndarray]:
    """Add the right rows without a match and sort by key, as pandas does."""
    if others is None:
        others = np.arange(len(pairs[0][1]))
    if rows is None:
        rows = np.arange(len(others))
    used = np.zeros(len(pairs[0][1]), bool)
    used[others[others >= 0]] = True
    lonely = np.flatnonzero(~used)
    rows = np.concatenate((rows, np.full(len(lonely), -1)))
    others = np.concatenate((others, lonely))
    if len(rows) == 0:
        return rows, others
    place = pa.array(np.where(rows >= 0, rows, others + len(pairs[0][0])))
    keys = [pa.concat_arrays(list(pair)).take(place) for pair in pairs]
    ranks, _ = composite_ranks(keys, [True] * len(keys), "last")
    order = stable_order(ranks)
    return rows[order], others[order]


def _sortable(
    originals: tuple[pa.Array, pa.Array], converted: tuple[pa.Array, pa.Array]
) -> tuple[pa.Array, pa.Array]:
    """Return the keys of both sides as values that sort as pandas sorts them.

    Categories and times sort by the integers that stand for them, of which that of a missing
    value is the least; others sort missing values last.
    """
    left, right = originals
    categories = pa.types.is_dictionary(left.type) and pa.types.is_dictionary(right.type)
    if categories and left.dictionary.equals(right.dictionary):
        first, second = (side.indices.cast(pa.int64()).fill_null(-1) for side in originals)
        return first, second
    if pa.types.is_timestamp(converted[0].type) or pa.types.is_duration(converted[0].type):
        first, second = (side.view(pa.int64()).fill_null(-(2**63)) for side in converted)
        return first, second
    return converted


def key_type(x: pa.DataType, y: pa.DataType, a: str, b: str) -> pa.DataType:
    """Return the type in which keys of types `x` and `y` are equal or not."""
    types = pa.types
    if x == y and not types.is_dictionary(x):
        return x
    x = x.value_type if types.is_dictionary(x) else x
    y = y.value_type if types.is_dictionary(y) else y
    if x == y or types.is_null(y):
        return x
    if types.is_null(x):
        return y

    def number(kind: pa.DataType) -> bool:
        return types.is_integer(kind) or types.is_floating(kind)

    if is_text(x) and is_text(y):
        return pa.large_string()
    if number(x) and number(y):
        return pa.from_numpy_dtype(np.result_type(x.to_pandas_dtype(), y.to_pandas_dtype()))
    for same in (types.is_timestamp, types.is_duration):
        if same(x) and same(y) and getattr(x, "tz", None) == getattr(y, "tz", None):
            finer = max(x.unit, y.unit, key=("s", "ms", "us", "ns").index)
            return x if x.unit == finer else y
    raise SchemaError(
        f"cannot join column {a!r} of type {x} with column {b!r} of type {y}; "
        "convert one of them with astype()"
    )


def _to(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array if array.type == kind else array.cast(kind, safe=False)


def _validate(
    left: pa.Table,
    left_on: Sequence[str],
    right: pa.Table,
    right_on: Sequence[str],
    validate: str | None,
) -> None:
    unique_left, unique_right = unique_sides(validate)
    for side, table, keys, unique in (
        ("left", left, left_on, unique_left),
        ("right", right, right_on, unique_right),
    ):
        if unique and group_codes([table[key] for key in keys]).ngroups < table.num_rows:
            raise SchemaError(
                f"merge keys are not unique in the {side} table; not a "
                f"{_RELATIONS.get(str(validate), str(validate)).replace('_', '-')} merge; "
                "drop duplicates or relax validate"
            )


def unique_sides(validate: str | None) -> tuple[bool, bool]:
    """Return whether the keys of the left and of the right side must be unique.

    Raises
    ------
    UnsupportedError
        `validate` is not one of pandas' names.
    """
    if validate is None:
        return False, False
    name = _RELATIONS.get(validate, validate)
    if name not in _RELATIONS.values():
        raise UnsupportedError(
            f"validate={validate!r}: must be one of {', '.join(_RELATIONS.values())}"
        )
    return name.startswith("one"), name.endswith("one")


def _assemble(
    left: pa.Table,
    right: pa.Table,
    left_on: Sequence[str],
    right_on: Sequence[str],
    rows: np.ndarray | None,
    others: np.ndarray | None,
    how: str,
    suffixes: tuple[str | None, str | None],
    indicator: bool | str,
) -> pa.Table:
    shared = {a for a, b in zip(left_on, right_on, strict=True) if a == b}
    left_names, right_names = result_names(
        left.column_names, [n for n in right.column_names if n not in shared], shared, suffixes
    )
    left_rows, right_rows = _indices(rows), _indices(others)
    fields: list[pa.Field] = []
    columns: list[pa.Array] = []
    for name, output in left_names.items():
        column, field = single_chunk(left[name]), left.schema.field(name).with_name(output)
        if name in shared:
            other = single_chunk(right[name])
            values = _coalesce(column, other, rows, others, how, name)
            if values.type != field.type:
                field = pa.field(output, values.type)
        else:
            values = _take(column, left_rows)
        fields.append(field)
        columns.append(values)
    for name, output in right_names.items():
        fields.append(right.schema.field(name).with_name(output))
        columns.append(_take(single_chunk(right[name]), right_rows))
    if indicator:
        nrows = left.num_rows if rows is None else len(rows)
        where = np.full(nrows, 2, np.int8)
        if others is not None:
            where[others < 0] = 0
        if rows is not None:
            where[rows < 0] = 1
        origin = pa.DictionaryArray.from_arrays(
            pa.array(where), pa.array(["left_only", "right_only", "both"])
        )
        fields.append(pa.field(indicator if isinstance(indicator, str) else "_merge", origin.type))
        columns.append(origin)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def result_names(
    left: Sequence[str],
    right: Sequence[str],
    shared: set[str],
    suffixes: tuple[str | None, str | None],
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the output names of both sides' columns (`right` without the shared keys)."""
    clash = (set(left) - shared) & set(right)
    if clash and not (suffixes[0] or suffixes[1]):
        raise SchemaError(f"columns overlap but no suffix was given: {sorted(clash)}")

    def renamed(name: str, suffix: str | None) -> str:
        return name + suffix if name in clash and suffix else name

    left_names = {name: renamed(name, suffixes[0]) for name in left}
    right_names = {name: renamed(name, suffixes[1]) for name in right}
    outputs = [*left_names.values(), *right_names.values()]
    if len(set(outputs)) < len(outputs):
        twice = sorted({name for name in outputs if outputs.count(name) > 1})
        raise SchemaError(f"the suffixes {suffixes} make duplicate column names: {twice}")
    return left_names, right_names


def _indices(rows: np.ndarray | None) -> pa.Array | None:
    """Return rows to take, -1 as null; None stands for all rows in order."""
    if rows is None:
        return None
    missing = rows < 0
    return pa.array(rows, mask=missing if missing.any() else None)


def _take(column: pa.Array, rows: pa.Array | None) -> pa.Array:
    return column if rows is None else column.take(rows)


def _coalesce(
    left: pa.Array,
    right: pa.Array,
    rows: np.ndarray | None,
    others: np.ndarray | None,
    how: str,
    name: str,
) -> pa.Array:
    """Return the shared key: the left value where there is a left row, else the right one."""
    if left.type != right.type or pa.types.is_dictionary(left.type):
        same = (
            left.type.equals(right.type) and left.dictionary.equals(right.dictionary)
            if (pa.types.is_dictionary(left.type) and pa.types.is_dictionary(right.type))
            else False
        )
        if not same:
            if how in ("inner", "left"):
                return _take(left, _indices(rows))
            kind = key_type(left.type, right.type, name, name)
            left, right = _to(left, kind), _to(right, kind)
    if how == "right":
        return _take(right, _indices(others))
    values = _take(left, _indices(rows))
    if how != "outer":
        return values
    if rows is None:
        return values
    lonely, rest = pa.array(rows < 0), _take(right, _indices(others))
    if not pa.types.is_dictionary(values.type):
        return pc.if_else(lonely, rest, values)
    # one dictionary, whose order must stay
    return pa.DictionaryArray.from_arrays(
        pc.if_else(lonely, rest.indices, values.indices),
        values.dictionary,
        ordered=values.type.ordered,
    )
