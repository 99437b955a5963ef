"""Columns to rows and values to columns: melt, explode, stack and get_dummies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from penstock.collections.base import compute, noted
from penstock.collections.framelike import MOST_COLUMNS, select_plan
from penstock.collections.joins import concat
from penstock.collections.kinds import is_kind, new_frame, new_series
from penstock.collections.rows import labelled
from penstock.engine.expr import Call, Column, Expr, Literal
from penstock.engine.kernels.concat import common_type
from penstock.engine.kernels.convert import is_text, nullable_dtype
from penstock.engine.kernels.reshape import is_list
from penstock.engine.nodes.costs import row_bytes
from penstock.engine.nodes.map_blocks import Opaque
from penstock.engine.nodes.repartition import Subdivide
from penstock.engine.nodes.reshape import DistinctRows, Explode, Stack
from penstock.engine.nodes.select import ResetIndex
from penstock.engine.nodes.sort import in_order
from penstock.engine.schema import unique_names
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.engine.plan import FrameNode

# Rows made wider than this are worth smaller blocks.
_WIDE = 4.0


def as_labels(value: Any) -> list[Any]:
    """Return one label or several as a list."""
    if value is None:
        return []
    several = isinstance(value, list) or type(value).__name__ in ("Index", "ndarray")
    return list(value) if several else [value]


def melt(
    frame: Any,
    id_vars: Any = None,
    value_vars: Any = None,
    var_name: Any = None,
    value_name: Any = "value",
    col_level: Any = None,
    ignore_index: bool = True,
) -> Any:
    """Return a row for each value of some columns, column by column.

    Parameters
    ----------
    frame : DataFrame
    id_vars : label or list of labels, optional
        Columns that are repeated beside each value.
    value_vars : label or list of labels, optional
        Columns of values; by default all others.
    var_name : label, optional
        Column of the labels; by default the name of the columns, or "variable".
    value_name : label
        Column of the values.
    col_level : None
        Only one level of column labels is supported.
    ignore_index : bool
        Label the rows 0, 1, 2, ...; otherwise labels are repeated.

    Returns
    -------
    DataFrame

    Raises
    ------
    UnsupportedError
        For several levels of column labels.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> wide = dd.from_pandas(pd.DataFrame({"id": [1, 2], "x": [5, 6], "y": [7, 8]}), 2)
    >>> dd.melt(wide, id_vars="id").compute()
       id variable  value
    0   1        x      5
    1   2        x      6
    2   1        y      7
    3   2        y      8
    """
    schema = frame.plan.schema
    if col_level is not None or any(isinstance(label, tuple) for label in schema.labels):
        raise UnsupportedError(
            "melt of several levels of column labels is not supported; rename the columns first"
        )
    ids = as_labels(id_vars)
    values = as_labels(value_vars) if value_vars is not None else None
    for label in (*ids, *(values or ())):
        schema.column(label)
    if values is None:
        values = [label for label in schema.labels if label not in ids]
    if not values:
        raise UnsupportedError("melt: there are no columns of values; give value_vars=")
    if value_name in schema.labels:
        raise ValueError(
            f"value_name ({value_name}) cannot match an element in the DataFrame columns."
        )
    name = schema.label_names[0] if var_name is None else var_name
    name = "variable" if name is None else name
    plan = in_order(frame.plan) if ignore_index else labelled(frame.plan)
    labels = (*ids, name, value_name)
    names = unique_names([*plan.schema.index, *labels])[len(plan.schema.index) :]
    parts = []
    for label in values:
        exprs: list[Expr] = [Column(schema.column(one)) for one in ids]
        exprs.append(Literal(label))
        exprs.append(Column(schema.column(label)))
        parts.append(new_frame(select_plan(plan, tuple(zip(names, labels, exprs, strict=True)))))
    return concat(parts, ignore_index=ignore_index)


def explode(collection: Any, columns: Any, ignore_index: bool) -> Any:
    """Return a row for each item of lists; see `DataFrame.explode`."""
    plan = in_order(collection.plan)
    if not ignore_index:
        plan = labelled(plan)
    elif plan.schema.index:
        plan = ResetIndex(plan, (), (), drop=True)
    names = [plan.schema.column(label) for label in columns]
    if not names:
        raise ValueError("column must be nonempty")
    if len(set(names)) != len(names):
        raise ValueError("column must be unique")
    lists = tuple(name for name in names if is_list(plan.schema.field(name).type))
    if not lists:  # each value is its own only item
        return collection._on(plan)
    if len(lists) != len(names):
        raise UnsupportedError(
            "explode of columns with lists together with columns without is not supported; "
            "name only those with lists"
        )
    return collection._on(Explode(plan, lists))


def stack(frame: Any) -> Any:
    """Return a Series with a row for each value, row by row; see `DataFrame.stack`."""
    import pyarrow as pa

    plan = labelled(in_order(frame.plan))
    schema = plan.schema
    if not schema.columns:
        raise UnsupportedError("stack: there are no columns")
    if any(isinstance(label, tuple) for label in schema.labels):
        raise UnsupportedError(
            "stack of several levels of column labels is not supported; select one of the first "
            "level, frame[label], and stack that"
        )
    kind = reduce(
        lambda known, field: common_type(known, field.type, field.name),
        schema.fields[1:],
        schema.fields[0].type,
    )
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    labels = Opaque(pa.array(list(schema.labels)))
    node = Stack(plan, "value", kind, labels, schema.label_names[0])
    if node.growth > _WIDE:
        node = replace(node, input=Subdivide(plan, node.growth))
    return new_series(noted(node), Column("value"), None)


# -- dummies ------------------------------------------------------------------


def get_dummies(
    data: Any,
    prefix: Any = None,
    prefix_sep: Any = "_",
    dummy_na: bool = False,
    columns: Any = None,
    sparse: bool = False,
    drop_first: bool = False,
    dtype: Any = None,
    max_columns: int = MOST_COLUMNS,
) -> Any:
    """Return a column for each value of text and categorical columns, true where it occurs.

    Parameters
    ----------
    data : DataFrame or Series
    prefix : str, list or dict of str, optional
        Put before each value; by default the column's label.
    prefix_sep : str, list or dict of str
        Between prefix and value.
    dummy_na : bool
        Add a column that tells where values are missing.
    columns : list of labels, optional
        Columns to convert; by default those of text or categories.
    sparse : bool
        Only False.
    drop_first : bool
        Leave out the first value of each column.
    dtype : dtype, optional
        Of the new columns; bool by default.
    max_columns : int
        Raise when a column has more distinct values.

    Returns
    -------
    DataFrame

    Raises
    ------
    UnsupportedError
        For ``sparse=True``, or when there are more than `max_columns` values.

    Notes
    -----
    The values must be known before there are columns for them: the call reads the data once to
    find them. Categories that no row has get a column, as in pandas.

    Examples
    --------
    >>> import pandas as pd
    >>> import penstock.dataframe as dd
    >>> frame = dd.from_pandas(pd.DataFrame({"id": [1, 2], "kind": ["a", "b"]}), 2)
    >>> dd.get_dummies(frame).compute()
       id  kind_a  kind_b
    0   1    True   False
    1   2   False    True
    """
    import pyarrow as pa

    if sparse:
        raise UnsupportedError("get_dummies makes dense columns only; pass sparse=False")
    is_series = is_kind(data, "Series")
    frame = data.to_frame() if is_series else data
    schema = frame.plan.schema
    chosen = _encoded(schema, columns) if not is_series else list(schema.labels)
    found = _levels(frame, chosen, max_columns)
    prefixes = _per_column("prefix", prefix, chosen)
    separators = _per_column("prefix_sep", prefix_sep, chosen)
    kept = [label for label in schema.labels if label not in chosen]
    labels: list[Any] = list(kept)
    exprs: list[Expr] = [Column(schema.column(label)) for label in kept]
    for place, label in enumerate(chosen):
        column = Column(schema.column(label))
        field = schema.field(column.name)
        made = [(level, _equal(column, field, level)) for level in found[place]]
        if dummy_na:
            if pa.types.is_integer(field.type) and nullable_dtype(field) is None:
                # whole numbers beside a missing one are floats in pandas
                made = [(float(level), expr) for level, expr in made]
            made.append((_missing_label(field.type), Call("isna", (column,))))
        made = made[1:] if drop_first else made
        before = label if prefix is None else prefixes[place]
        for level, expr in made:
            plain = is_series and prefix is None
            labels.append(level if plain else f"{before}{separators[place]}{level}")
            exprs.append(expr if dtype is None else Call("astype", (expr,), (("dtype", dtype),)))
    rows: FrameNode = frame.plan
    made_of = _named(rows, labels, exprs)
    growth = row_bytes(select_plan(rows, made_of).schema) / row_bytes(rows.schema)
    if growth > _WIDE:
        rows = Subdivide(in_order(rows), growth)
        made_of = _named(rows, labels, exprs)
    return new_frame(select_plan(rows, made_of))


def _named(
    rows: FrameNode, labels: Sequence[Any], exprs: Sequence[Expr]
) -> tuple[tuple[str, Any, Expr], ...]:
    """Return `exprs` with their labels, and names that no hidden column of `rows` has."""
    hidden = [*rows.schema.index, *rows.schema.order]
    names = unique_names([*hidden, *labels])[len(hidden) :]
    return tuple(zip(names, labels, exprs, strict=True))


def _equal(column: Column, field: pa.Field, level: Any) -> Expr:
    """Return where the value is `level`; it is not where there is none."""
    equal: Expr = Call("eq", (column, Literal(level)))
    if nullable_dtype(field) is None:
        return equal
    kind = "boolean" if is_text(field.type) else "bool"
    return Call("astype", (Call("fillna", (equal, Literal(False))),), (("dtype", kind),))


def _missing_label(kind: pa.DataType) -> Any:
    """Return what pandas calls the missing value of columns of `kind`."""
    import pandas as pd
    import pyarrow as pa

    return pd.NaT if pa.types.is_temporal(kind) else float("nan")


def _encoded(schema: Any, columns: Any) -> list[Any]:
    """Return the labels of the columns that become dummies."""
    import pyarrow as pa

    if columns is not None:
        if not isinstance(columns, list | tuple) and type(columns).__name__ != "Index":
            raise TypeError("Input must be a list-like for parameter `columns`")
        for label in columns:
            schema.column(label)
        return list(columns)
    return [
        label
        for field, label in zip(schema.fields, schema.labels, strict=True)
        if pa.types.is_dictionary(field.type) or is_text(field.type)
    ]


def _per_column(what: str, given: Any, columns: Sequence[Any]) -> list[Any]:
    if isinstance(given, dict):
        return [given[label] for label in columns]
    if isinstance(given, list | tuple):
        if len(given) != len(columns):
            raise ValueError(
                f"Length of '{what}' ({len(given)}) did not match the length of the columns "
                f"being encoded ({len(columns)})."
            )
        return list(given)
    return [given] * len(columns)


def _levels(frame: Any, labels: Sequence[Any], most: int) -> list[list[Any]]:
    """Return the values that each of the columns can have, in order."""
    import pandas as pd

    schema = frame.plan.schema
    lazy = [
        new_frame(noted(DistinctRows(frame.plan, (schema.column(label),), most, "get_dummies")))
        for label in labels
    ]
    levels = []
    for found in compute(*lazy):
        values = found.iloc[:, 0]
        if isinstance(values.dtype, pd.CategoricalDtype):
            levels.append(list(values.cat.categories))
        else:
            levels.append(list(values.dropna()))
    return levels
