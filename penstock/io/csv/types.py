"""Column types: inferred by pandas on sampled rows, unified, widened, converted."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.csv.certain import certain_types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from penstock.io.csv.dialect import Dialect

_SHOWN = 80
_UNITS = ("s", "ms", "us", "ns")
_NULLABLE = {
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
    "boolean",
}
DTYPE_KEY = b"penstock.dtype"


def shown(value: str) -> str:
    """Return a value as messages quote it: a long one is cut.

    Examples
    --------
    >>> shown("n/a"), shown("x" * 1000)[-22:]
    ("'n/a'", '... (1,000 characters)')
    """
    if len(value) <= _SHOWN:
        return repr(value)
    return f"{value[:_SHOWN]!r}... ({len(value):,} characters)"


def infer_types(
    data: bytes, width: int, dialect: Dialect, labels: dict[Any, Any]
) -> list[pa.DataType]:
    """Return the type pandas gives each column of whole records; null where all are missing.

    Parameters
    ----------
    data : bytes
        UTF-8 records without header.
    width : int
        Number of columns.
    dialect : Dialect
    labels : dict
        Position of each label.

    Returns
    -------
    list of pyarrow.DataType
    """
    certain = certain_types(data, width, dialect)
    if certain is not None:
        return certain
    missing = dialect.missing(labels)
    frame = _sample(data, width, dialect, missing, dtype_backend="numpy_nullable")
    return [_inferred(frame.iloc[:, i]) for i in range(width)]


def sample_texts(data: bytes, width: int, dialect: Dialect, labels: dict[Any, Any]) -> pd.DataFrame:
    """Return the fields of whole records as text, missing ones as NaN."""
    return _sample(data, width, dialect, dialect.missing(labels), dtype=str)


def _sample(
    data: bytes, width: int, dialect: Dialect, missing: dict[str, Any], **types: Any
) -> pd.DataFrame:
    import pandas as pd

    options: dict[str, Any] = {**dialect.tokenizing(), **missing, **types}
    options["encoding_errors"] = "replace"  # reading the rows tells where they are wrong
    if "dtype" not in types:
        options.update(
            thousands=dialect.thousands,
            decimal=dialect.decimal,
            true_values=dialect.true_values,
            false_values=dialect.false_values,
        )
    names = list(range(width))
    try:
        return pd.read_csv(
            io.BytesIO(data),
            header=None,
            names=names,
            index_col=False,
            on_bad_lines="skip",
            **options,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=names, dtype="Int64")


def _inferred(column: pd.Series) -> pa.DataType:
    if column.isna().all():
        return pa.null()
    name = str(column.dtype)
    known = {"Int64": pa.int64(), "UInt64": pa.uint64(), "Float64": pa.float64()}
    if name in known:
        return known[name]
    return pa.bool_() if name == "boolean" else pa.string()


def unify(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """Return the narrowest type that holds the texts of both.

    Examples
    --------
    >>> unify(pa.int64(), pa.float64())
    DataType(double)
    """
    if first.equals(second) or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    pair = {first, second}
    if pair == {pa.int64(), pa.uint64()}:
        return pa.uint64()
    if pair <= {pa.int64(), pa.uint64(), pa.float64()}:
        return pa.float64()
    if pa.types.is_timestamp(first) and pa.types.is_timestamp(second) and first.tz == second.tz:
        return pa.timestamp(max(first.unit, second.unit, key=_UNITS.index), first.tz)
    return pa.string()


def widen(current: pa.DataType, value: str) -> pa.DataType:
    """Return the next wider type than `current`, which `value` contradicts.

    Examples
    --------
    >>> widen(pa.int64(), "1.5"), widen(pa.int64(), "x")
    (DataType(double), DataType(string))
    """
    text = value.strip()
    if pa.types.is_integer(current):
        if _INT.fullmatch(text):
            if pa.types.is_int64(current) and 0 <= int(text) < 1 << 64:
                return pa.uint64()
            if current.bit_width < 64 and -(1 << 63) <= int(text) < 1 << 63:
                return pa.int64()
            return pa.string()  # pandas keeps the digits of such columns as text
        return pa.float64() if _FLOAT.fullmatch(text) else pa.string()
    if pa.types.is_timestamp(current) and current.unit != "ns":
        fraction = re.search(r":\d\d\.(\d+)", text)
        digits = len(fraction.group(1)) if fraction else 0
        unit = _UNITS[min(3, -(-digits // 3))]
        if _UNITS.index(unit) > _UNITS.index(current.unit):
            return pa.timestamp(unit, current.tz)
    return pa.string()


# ------------------------------------------------------------------ declared types


def declared_field(name: str, dtype: Any) -> pa.Field:
    """Return the Arrow field of a column whose `dtype` the user gave."""
    import pandas as pd

    if isinstance(dtype, pa.DataType):
        return pa.field(name, dtype)
    if isinstance(dtype, pd.ArrowDtype):
        return pa.field(name, dtype.pyarrow_dtype)
    resolved = pd.api.types.pandas_dtype(dtype)
    text = str(resolved)
    if isinstance(resolved, pd.CategoricalDtype):
        kind = pa.dictionary(pa.int32(), pa.string(), bool(resolved.ordered))
        return pa.field(name, kind, metadata={DTYPE_KEY: b"category"})
    if text in _NULLABLE:
        arrow = pa.bool_() if text == "boolean" else pa.type_for_alias(text.lower())
        metadata = {DTYPE_KEY: text.encode()}
        return pa.field(name, arrow, metadata=metadata)
    if isinstance(resolved, pd.StringDtype):
        if resolved.na_value is pd.NA:
            return pa.field(name, pa.string(), metadata={DTYPE_KEY: b"string"})
        return pa.field(name, pa.string())
    if isinstance(resolved, np.dtype):
        if resolved.kind in "OUS":
            return pa.field(name, pa.string())
        if resolved.kind in "iufb":
            return pa.field(name, pa.from_numpy_dtype(resolved))
        if resolved.kind in "Mm":
            raise TypeError(
                f"dtype={text!r} for column {name!r}: read dates with parse_dates=[{name!r}]"
            )
    raise TypeError(f"dtype={text!r} for column {name!r} is not one that CSV can be read as")


def forbids_missing(dtype: Any) -> bool:
    """Whether pandas refuses missing values in a column of `dtype` (NumPy ints and bools)."""
    import pandas as pd

    if isinstance(dtype, pa.DataType):
        return False
    resolved = pd.api.types.pandas_dtype(dtype)
    return isinstance(resolved, np.dtype) and resolved.kind in "iub"


def dtype_of_column(dtype: Any, label: Any, position: int) -> Any:
    """Return the entry of the user's `dtype` for a column, or None."""
    if dtype is None:
        return None
    if hasattr(dtype, "items") and not hasattr(dtype, "kind"):
        mapping: Mapping[Any, Any] = dtype
        if label in mapping:
            return mapping[label]
        if position in mapping:
            return mapping[position]
        factory = getattr(mapping, "default_factory", None)
        return factory() if factory is not None else None
    return dtype


# ------------------------------------------------------------------ text to values

_INT = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_INT_RE2 = r"^[+-]?\d+$"
_FLOAT_RE2 = r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity)$"


class BadValueError(ValueError):
    """Where `convert_texts` met a value that is not of the type."""

    def __init__(self, row: int, value: str) -> None:
        super().__init__(value)
        self.row = row
        self.value = value


def convert_texts(
    texts: pa.Array,
    target: pa.DataType,
    dialect: Dialect,
    date_format: str | None = None,
    *,
    declared: bool = False,
) -> pa.Array:
    """Return the values that `texts` spell, by pandas' rules.

    Parameters
    ----------
    texts : pyarrow.StringArray
        Fields, null where missing.
    target : pyarrow.DataType
    dialect : Dialect
        For `decimal`, `thousands`, `true_values`, `false_values` and `dayfirst`.
    date_format : str, optional
        Format of timestamps.
    declared : bool, default False
        The type is the user's own: numbers that stand for its values are taken as well, 1 and 0
        for booleans, 2.0 for integers.

    Returns
    -------
    pyarrow.Array

    Raises
    ------
    BadValueError
        At the first text that is not of the type.
    """
    if pa.types.is_string(target):
        return texts
    if pa.types.is_dictionary(target):
        return pc.dictionary_encode(texts).cast(target)
    if pa.types.is_boolean(target):
        return _to_bool(texts, dialect, declared)
    if pa.types.is_timestamp(target) or pa.types.is_date(target):
        return _to_timestamp(texts, target, date_format, dialect)
    plain = pc.utf8_trim_whitespace(texts)
    if dialect.thousands:
        plain = pc.replace_substring(plain, dialect.thousands, "")
    if pa.types.is_floating(target) and dialect.decimal != ".":
        plain = pc.replace_substring(plain, dialect.decimal, ".")
    if not (pa.types.is_integer(target) or pa.types.is_floating(target)):
        return _cast(texts, plain, target)
    pattern = _INT_RE2 if pa.types.is_integer(target) else _FLOAT_RE2
    fits = pc.match_substring_regex(plain, pattern)
    if pc.all(fits).as_py() is False:
        if not declared or not pa.types.is_integer(target):
            _raise_at(texts, fits)
        plain = _whole_numbers(texts, plain, fits, dialect)
    plain = pc.replace_substring_regex(plain, r"^\+", "")
    return _cast(texts, plain, target)


def _whole_numbers(texts: pa.Array, plain: pa.Array, fits: pa.Array, dialect: Dialect) -> pa.Array:
    """Return `plain` with the digits of numbers such as 2.0 and 1e3 for what does not fit."""
    others = pc.if_else(fits, None, pc.replace_substring(plain, dialect.decimal, "."))
    numbers = pc.match_substring_regex(others, _FLOAT_RE2)
    values = pc.if_else(numbers, others, None).cast(pa.float64())
    whole = pc.and_(pc.less(pc.abs(values), 2.0**63), pc.equal(values, pc.floor(values)))
    fine = pc.or_kleene(fits, pc.fill_null(whole, False))
    if pc.all(fine).as_py() is False:
        _raise_at(texts, fine)
    return pc.coalesce(pc.if_else(fits, plain, None), values.cast(pa.int64()).cast(pa.string()))


def _raise_at(texts: pa.Array, fits: pa.Array) -> None:
    row = pc.index(pc.fill_null(fits, True), pa.scalar(False)).as_py()
    raise BadValueError(row, texts[row].as_py())


def _cast(texts: pa.Array, plain: pa.Array, target: pa.DataType) -> pa.Array:
    try:
        return plain.cast(target)
    except pa.ArrowInvalid:
        low, high = 0, len(plain)  # halve until the first value that cannot be cast is alone
        while high - low > 1:
            middle = (low + high) // 2
            try:
                plain.slice(low, middle - low).cast(target)
                low = middle
            except pa.ArrowInvalid:
                high = middle
        raise BadValueError(low, texts[low].as_py()) from None


def _to_bool(texts: pa.Array, dialect: Dialect, declared: bool) -> pa.Array:
    true, false = bool_texts(dialect, declared)
    yes = pc.is_in(texts, pa.array(true, pa.string()))
    no = pc.is_in(texts, pa.array(false, pa.string()))
    fits = pc.or_(pc.or_(yes, no), pc.is_null(texts))
    if pc.all(fits).as_py() is False:
        _raise_at(texts, fits)
    return pc.if_else(pc.is_valid(texts), yes, pa.scalar(None, pa.bool_()))


def bool_texts(dialect: Dialect, declared: bool) -> tuple[list[str], list[str]]:
    """Return the texts that mean true and those that mean false.

    Numbers do where the user `declared` the type; otherwise they make a column of numbers.
    """
    true = ["True", "TRUE", "true", *(str(text) for text in dialect.true_values or ())]
    false = ["False", "FALSE", "false", *(str(text) for text in dialect.false_values or ())]
    if declared:
        true += ["1", "1.0"]
        false += ["0", "0.0"]
    return true, false


def _to_timestamp(
    texts: pa.Array, target: pa.DataType, date_format: str | None, dialect: Dialect
) -> pa.Array:
    import pandas as pd

    series = texts.to_pandas()
    try:
        values = _parse_dates(series, date_format, dialect)
    except (ValueError, TypeError, OverflowError):
        valid = series.notna()
        parsed = pd.to_datetime(
            series, format=date_format, dayfirst=dialect.dayfirst, errors="coerce"
        )
        bad = np.flatnonzero((valid & parsed.isna()).to_numpy())
        row = int(bad[0]) if len(bad) else int(np.flatnonzero(valid.to_numpy())[0])
        raise BadValueError(row, str(series.iloc[row])) from None
    array = pa.array(values)
    if pa.types.is_null(array.type):
        return pa.nulls(len(texts), target)
    if not pa.types.is_timestamp(array.type) or (array.type.tz is None) != (target.tz is None):
        row = int(np.flatnonzero(series.notna().to_numpy())[0])
        raise BadValueError(row, str(series.iloc[row]))
    try:
        return array.cast(target)
    except pa.ArrowInvalid:
        back = array.cast(target, safe=False).cast(array.type, safe=False)
        _raise_at(texts, pc.equal(array, back))
        raise


def _parse_dates(series: pd.Series, date_format: str | None, dialect: Dialect) -> Any:
    import pandas as pd

    return pd.to_datetime(series, format=date_format, dayfirst=dialect.dayfirst)


def infer_dates(
    texts: pd.Series, date_format: str | None, dialect: Dialect
) -> tuple[pa.DataType, str | None]:
    """Return the type and format of a column that `parse_dates` names (string: not dates)."""
    from pandas.tseries.api import guess_datetime_format

    present = texts.dropna()
    if present.empty:
        return pa.null(), date_format
    if date_format is None:
        date_format = guess_datetime_format(str(present.iloc[0]), dayfirst=dialect.dayfirst)
    if date_format is None:
        return pa.string(), None
    try:
        values = pa.array(_parse_dates(present, date_format, dialect))
    except (ValueError, TypeError, OverflowError):
        return pa.string(), None
    return (values.type if pa.types.is_timestamp(values.type) else pa.string()), date_format


def arrow_reads_dates(date_format: str | None) -> bool:
    """Whether Arrow's own ISO 8601 parser covers the format."""
    return date_format in _ISO_FORMATS


_ISO_FORMATS: Sequence[str | None] = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
)
