"""pandas to Arrow and back, with the dtypes pandas itself would give.

NumPy-backed dtypes are the default reading of an Arrow type: an int64 array that holds
nulls becomes float64, text becomes pandas' ``str``. Columns that came from pandas'
nullable dtypes say so in the field's metadata (`DTYPE_KEY`) and get them back.

Text is ``pa.string()`` throughout and dictionaries have int32 indices, so that blocks of
one column always have one type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from penstock.blocks import single_chunk
from penstock.engine.kernels.missing import nan_to_null, null_mask
from penstock.errors import SchemaError, UnsupportedError

if TYPE_CHECKING:
    import pandas as pd

DTYPE_KEY = b"penstock.dtype"
DtypeBackend = Literal["numpy_nullable", "pyarrow"]

_NULLABLE = {
    "int8": "Int8", "int16": "Int16", "int32": "Int32", "int64": "Int64",
    "uint8": "UInt8", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
    "float": "Float32", "double": "Float64", "bool": "boolean",
    "string": "string", "large_string": "string",
}  # fmt: skip


def is_text(type_: pa.DataType) -> bool:
    """Return whether `type_` is one of Arrow's text types.

    Parameters
    ----------
    type_ : pyarrow.DataType

    Returns
    -------
    bool
    """
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or type_ == pa.string_view()


def nullable_dtype(field: pa.Field | None) -> str | None:
    """Return the pandas nullable dtype that `field` records, or None.

    Parameters
    ----------
    field : pyarrow.Field or None

    Returns
    -------
    str or None
    """
    if field is None or not field.metadata:
        return None
    name = field.metadata.get(DTYPE_KEY)
    return None if name is None else name.decode()


def dtype_of(field: pa.Field, *, dtype_backend: DtypeBackend | None = None) -> Any:
    """Return the pandas dtype of a column of `field` that has no missing values.

    Parameters
    ----------
    field : pyarrow.Field
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional
        Kind of dtypes to give; NumPy-backed ones by default.

    Returns
    -------
    numpy.dtype or pandas.api.extensions.ExtensionDtype

    Examples
    --------
    >>> dtype_of(pa.field("x", pa.int32()))
    dtype('int32')
    """
    import pandas as pd

    type_ = field.type
    if dtype_backend == "pyarrow":
        return pd.ArrowDtype(type_)
    nullable = nullable_dtype(field)
    if nullable is None and dtype_backend == "numpy_nullable":
        nullable = _NULLABLE.get(str(type_))
    if nullable is not None:
        return pd.api.types.pandas_dtype(nullable)
    if is_text(type_):
        return pd.StringDtype(na_value=np.nan)
    if pa.types.is_timestamp(type_):
        if type_.tz is not None:
            return pd.DatetimeTZDtype(type_.unit, type_.tz)
        return np.dtype(f"M8[{type_.unit}]")
    if pa.types.is_duration(type_):
        return np.dtype(f"m8[{type_.unit}]")
    if pa.types.is_dictionary(type_):
        return pd.CategoricalDtype(ordered=type_.ordered)
    if pa.types.is_boolean(type_):
        return np.dtype(bool)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return np.dtype(type_.to_pandas_dtype())
    return np.dtype(object)


def field_of(dtype: Any, name: str) -> pa.Field:
    """Return the Arrow field of a column of a pandas dtype.

    Parameters
    ----------
    dtype : dtype-like
        Anything that pandas takes as a dtype; ``object`` is read as text.
    name : str

    Returns
    -------
    pyarrow.Field

    Raises
    ------
    UnsupportedError
        For dtypes that have no Arrow counterpart (period, interval, complex).

    Examples
    --------
    >>> field_of("datetime64[s]", "when")
    pyarrow.Field<when: timestamp[s]>
    """
    import pandas as pd

    dtype = pd.api.types.pandas_dtype(dtype)
    if isinstance(dtype, pd.SparseDtype):
        return field_of(dtype.subtype, name)
    if isinstance(dtype, pd.CategoricalDtype):
        categories = dtype.categories
        value = pa.string() if categories is None else field_of(categories.dtype, name).type
        return pa.field(name, pa.dictionary(pa.int32(), value, ordered=bool(dtype.ordered)))
    if isinstance(dtype, pd.ArrowDtype):
        return _with_dtype(pa.field(name, dtype.pyarrow_dtype), str(dtype))
    if isinstance(dtype, pd.StringDtype):
        if dtype.na_value is pd.NA:
            return _with_dtype(pa.field(name, pa.string()), f"string[{dtype.storage}]")
        return pa.field(name, pa.string())
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pa.field(name, pa.timestamp(dtype.unit, tz=str(dtype.tz)))
    if isinstance(dtype, np.dtype) and dtype.kind in "biufMm":
        return pa.field(name, pa.from_numpy_dtype(dtype))
    if isinstance(dtype, np.dtype) and dtype.kind in "OUS":
        return pa.field(name, pa.string())
    numpy_dtype = getattr(dtype, "numpy_dtype", None)
    if numpy_dtype is not None:  # Int64, Float32, boolean ...
        return _with_dtype(pa.field(name, pa.from_numpy_dtype(numpy_dtype)), str(dtype))
    raise UnsupportedError(
        f"{_named(name)} has dtype {dtype}, which Penstock cannot hold; "
        "convert it first (astype(str), or to timestamps for periods)"
    )


def _with_dtype(field: pa.Field, dtype: str) -> pa.Field:
    return field.with_metadata({DTYPE_KEY: dtype.encode()})


def example_of(type_: pa.DataType) -> pa.Array:
    """Return one value of `type_`, for a run that is only to show what type it leads to.

    Parameters
    ----------
    type_ : pyarrow.DataType

    Returns
    -------
    pyarrow.Array
        Null where the type has no plain value.

    Examples
    --------
    >>> example_of(pa.int8()).to_pylist()
    [0]
    """
    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    if pa.types.is_nested(plain) or pa.types.is_binary(plain):
        return pa.nulls(1, type_)
    value = pa.array([0]).cast(plain)
    return value.dictionary_encode().cast(type_) if plain is not type_ else value


def series_from_arrow(
    array: pa.Array | pa.ChunkedArray,
    field: pa.Field | None = None,
    *,
    dtype_backend: DtypeBackend | None = None,
    writable: bool = True,
) -> pd.Series:
    """Return a pandas Series of `array` with the dtype pandas itself would give.

    Parameters
    ----------
    array : pyarrow.Array or pyarrow.ChunkedArray
    field : pyarrow.Field, optional
        Gives the name, and the nullable dtype the column came from.
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional
    writable : bool, default True
        Copy values that Arrow shares with pandas, so that the user may change them.

    Returns
    -------
    pandas.Series

    Examples
    --------
    >>> series_from_arrow(pa.array([1, None])).tolist()
    [1.0, nan]
    """
    import pandas as pd

    array = single_chunk(array)
    field = field if field is not None else pa.field("", array.type)
    if field.type != array.type:
        field = pa.field(field.name, array.type, metadata=field.metadata)
    dtype = dtype_of(field, dtype_backend=dtype_backend)
    name = field.name or None
    if isinstance(dtype, pd.ArrowDtype):
        values: Any = pd.array(pa.chunked_array([array]), dtype=dtype)
    elif isinstance(dtype, pd.CategoricalDtype):
        values = _categorical(array)
    elif isinstance(dtype, np.dtype):
        values = _numpy_values(array, dtype)
        if writable and not values.flags.writeable:
            values = values.copy()
    elif isinstance(dtype, pd.DatetimeTZDtype):
        naive = array.cast(pa.timestamp(array.type.unit, tz="UTC"))
        values = pd.Series(_numpy_values(naive, np.dtype(f"M8[{array.type.unit}]")))
        values = values.dt.tz_localize("UTC").dt.tz_convert(array.type.tz).array
    else:
        values = dtype.__from_arrow__(array)
    return pd.Series(values, name=name, copy=False, dtype=dtype if values is None else None)


def _numpy_values(array: pa.Array, dtype: np.dtype) -> np.ndarray:
    kind = dtype.kind
    if kind == "O":
        return _objects(array)
    if kind == "b":
        if array.null_count == 0:
            return array.to_numpy(zero_copy_only=False)
        values = array.to_numpy(zero_copy_only=False)
        values[null_mask(array)] = np.nan
        return values
    if kind in "Mm":
        raw = array.to_numpy(zero_copy_only=False)
        return raw if raw.dtype == dtype else raw.astype(dtype)
    if kind in "iu" and array.null_count and array.null_count == len(array):
        return np.full(len(array), np.nan)
    return array.to_numpy(zero_copy_only=False)


def _objects(array: pa.Array) -> np.ndarray:
    values = np.empty(len(array), dtype=object)
    # pandas' own choice of a missing object: NaN beside lists (str.split, read_json), else None.
    missing = np.nan if pa.types.is_nested(array.type) else None
    # One by one: NumPy would make a two-dimensional array of lists of one length.
    for i, value in enumerate(array.to_pylist()):
        values[i] = missing if value is None else value
    return values


def _categorical(array: pa.DictionaryArray) -> pd.Categorical:
    import pandas as pd

    dictionary = array.dictionary
    if dictionary.null_count or len(dictionary.unique()) != len(dictionary):
        array = array.cast(array.type.value_type).dictionary_encode()
        dictionary = array.dictionary
    indices = array.indices
    codes = indices.fill_null(-1) if indices.null_count else indices
    categories = pd.Index(series_from_arrow(dictionary))
    return pd.Categorical.from_codes(
        codes.to_numpy(zero_copy_only=False),
        dtype=pd.CategoricalDtype(categories, ordered=array.type.ordered),
    )


def sort_categories(array: pa.DictionaryArray) -> pa.DictionaryArray:
    """Return a categorical array with sorted categories, as ``astype("category")`` gives them.

    Blocks find their categories one by one; put together, they are in order of appearance.

    Parameters
    ----------
    array : pyarrow.DictionaryArray

    Returns
    -------
    pyarrow.DictionaryArray

    Examples
    --------
    >>> sort_categories(pa.array(["b", "a"]).dictionary_encode()).dictionary.to_pylist()
    ['a', 'b']
    """
    import pyarrow.compute as pc

    order = pc.sort_indices(array.dictionary)
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
    indices = pa.array(ranks).take(array.indices)
    return pa.DictionaryArray.from_arrays(
        indices, array.dictionary.take(order), ordered=array.type.ordered
    )


def array_from_series(series: pd.Series | pd.Index) -> pa.Array:
    """Return the values of a pandas Series as one Arrow array, missing ones as null.

    Parameters
    ----------
    series : pandas.Series or pandas.Index

    Returns
    -------
    pyarrow.Array

    Raises
    ------
    SchemaError
        When an object column holds values of different types.
    UnsupportedError
        When the dtype has no Arrow counterpart.

    Examples
    --------
    >>> import pandas as pd
    >>> array_from_series(pd.Series([1.0, float("nan")])).to_pylist()
    [1.0, None]
    """
    import pandas as pd

    dtype = series.dtype
    name = str(series.name) if series.name is not None else ""
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return _array_from_objects(series.to_numpy(), name)
        field_of(dtype, name)
        return _array_from_numpy(series.to_numpy())
    if isinstance(dtype, pd.CategoricalDtype):
        return _array_from_categorical(series.array)
    if isinstance(dtype, pd.SparseDtype):
        return array_from_series(pd.Series(series.array.to_dense(), name=series.name))
    target = field_of(dtype, name).type
    array = single_chunk(pa.array(series))
    if array.type != target:
        array = array.cast(target)
    return nan_to_null(array)


def _array_from_numpy(values: np.ndarray) -> pa.Array:
    values = np.ascontiguousarray(values)
    if values.dtype.kind == "f" and values.dtype.isnative:
        return nan_to_null(pa.array(values, from_pandas=False))
    return pa.array(values.astype(values.dtype.newbyteorder("="), copy=False))


def _array_from_categorical(values: Any) -> pa.DictionaryArray:
    codes = np.asarray(values.codes).astype(np.int32)
    indices = pa.array(codes, mask=codes < 0)
    categories = array_from_series(values.categories)
    return pa.DictionaryArray.from_arrays(indices, categories, ordered=bool(values.ordered))


def _array_from_objects(values: np.ndarray, name: str) -> pa.Array:
    import pandas as pd

    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("interval", "period", "complex"):
        raise UnsupportedError(f"{_named(name)} holds {kind} values, which Penstock cannot hold")
    try:
        if kind == "string":
            return pa.array(values, type=pa.string(), from_pandas=True)
        if kind in ("datetime", "datetime64", "timedelta", "timedelta64"):
            converted = pd.Series(values).infer_objects()
            if converted.dtype != object:
                return array_from_series(converted)
        if kind == "mixed" and len({type(v) for v in values if isinstance(v, str | bytes)}) > 1:
            raise pa.ArrowTypeError("str and bytes")
        array = single_chunk(pa.array(values, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        found = sorted({type(value).__name__ for value in values if value is not None})
        raise SchemaError(
            f"{_named(name)} holds values of different types ({', '.join(found[:6])}), "
            "but a column has one type; convert them first, for example with astype(str)"
        ) from error
    array = nan_to_null(array)
    return pa.nulls(len(array)) if array.null_count == len(array) else array


def _named(name: str) -> str:
    return f"column {name!r}" if name else "a column"


def frame_from_table(
    table: pa.Table,
    schema: pa.Schema | None = None,
    *,
    dtype_backend: DtypeBackend | None = None,
    writable: bool = True,
) -> pd.DataFrame:
    """Return a pandas DataFrame of `table` with the dtypes pandas itself would give.

    Parameters
    ----------
    table : pyarrow.Table
    schema : pyarrow.Schema, optional
        Fields to read the nullable dtypes from; the table's own by default.
    dtype_backend : {"numpy_nullable", "pyarrow"}, optional
    writable : bool, default True
        Copy values that Arrow shares with pandas, so that the user may change them.

    Returns
    -------
    pandas.DataFrame
        With a RangeIndex: index columns are the caller's to set.

    Examples
    --------
    >>> frame_from_table(pa.table({"x": [1, 2]})).dtypes.to_dict()
    {'x': dtype('int64')}
    """
    import pandas as pd

    fields = table.schema if schema is None else schema
    columns = {
        i: series_from_arrow(column, field, dtype_backend=dtype_backend, writable=writable)
        for i, (column, field) in enumerate(zip(table.columns, fields, strict=True))
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)
    frame.columns = pd.Index(table.column_names)
    return frame


def table_from_frame(frame: pd.DataFrame, preserve_index: bool = False) -> pa.Table:
    """Return `frame` as an Arrow table of one chunk per column, missing values as null.

    Parameters
    ----------
    frame : pandas.DataFrame
    preserve_index : bool, default False
        Put the index levels first, as ordinary columns of their names
        (``__index_0__`` ... where they have none).

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    SchemaError
        When an object column holds values of different types.
    """
    arrays, fields = [], []
    if preserve_index:
        for i in range(frame.index.nlevels):
            level = frame.index.get_level_values(i)
            name = f"__index_{i}__" if level.name is None else str(level.name)
            arrays.append(array_from_series(level))
            fields.append(field_for(level, arrays[-1], name))
    for i, name in enumerate(frame.columns):
        column = frame.iloc[:, i]
        arrays.append(array_from_series(column))
        fields.append(field_for(column, arrays[-1], str(name)))
    if not arrays:
        return pa.table({}).select([])
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def field_for(series: pd.Series | pd.Index, array: pa.Array, name: str) -> pa.Field:
    """Return the field of `array`, made from `series`: its type and its nullable dtype.

    Parameters
    ----------
    series : pandas.Series or pandas.Index
    array : pyarrow.Array
    name : str

    Returns
    -------
    pyarrow.Field
    """
    if isinstance(series.dtype, np.dtype) and series.dtype.kind == "O":
        return pa.field(name, array.type)
    declared = field_of(series.dtype, name)
    return pa.field(name, array.type, metadata=declared.metadata)
