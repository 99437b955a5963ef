"""Columns and their types, from samples of several files and places."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from penstock.errors import ParseError, column_not_found
from penstock.io.csv import types
from penstock.io.csv.dialect import Dialect
from penstock.io.csv.inputs import CsvInputs
from penstock.io.csv.layout import HEAD_BYTES, Layout, select_columns
from penstock.io.csv.reading import BadLinesWarning, Column, Where, parse_block
from penstock.io.filesystem import read_range
from penstock.io.text_records import FIELD, QUOTED, scan_from, scan_split

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_BYTES = 256 << 10
_SAMPLED_FILES = 5
_SAMPLED_PLACES = 4
_LEAST_MEASURED = 1 << 10
_ASSUMED_DENSITY = 2.0


def infer_columns(inputs: CsvInputs, sample: int, assume_missing: bool) -> list[Column]:
    """Return the columns of the files, typed as pandas types the sampled rows.

    Parameters
    ----------
    inputs : CsvInputs
    sample : int
        Bytes per sampled place.
    assume_missing : bool
        Make integer columns without a declared dtype float64.

    Returns
    -------
    list of Column

    Raises
    ------
    FormatError
        If a sampled file is not CSV, or has other columns than the first.
    """
    samples: list[bytes] = []
    reference: Layout | None = None
    for number in _spread(len(inputs.files), _SAMPLED_FILES):
        layout, data, complete = inputs.head(number, max(sample, HEAD_BYTES))
        inputs.layouts[number] = layout
        if reference is None:
            reference = layout
        if inputs.positions(number, reference, layout) is not None:
            continue
        samples.append(_whole_records(inputs, number, layout, data, complete))
        if not complete and not inputs.streamed(number):
            samples.extend(_middle_samples(inputs, number, layout, sample))
    assert reference is not None
    kept = select_columns(inputs.files[0].uri, reference, inputs.dialect)
    return _columns(inputs, reference, kept, samples, assume_missing)


def measured_density(inputs: CsvInputs, columns: Sequence[Column]) -> float:
    """Return about how many bytes a block takes in memory per byte of its text."""
    layout, data, complete = inputs.head(0, HEAD_BYTES)
    rows = _whole_records(inputs, 0, layout, data, complete)
    if len(rows) < _LEAST_MEASURED:
        return _ASSUMED_DENSITY
    dialect = replace(inputs.dialect, encoding="utf-8", on_bad_lines="skip")
    where = Where(inputs.files[0].uri, 0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BadLinesWarning)
            block = parse_block(pa.py_buffer(rows), columns, layout.width, dialect, where)
    except ParseError:
        return _ASSUMED_DENSITY
    return max(0.05, block.get_total_buffer_size() / len(rows))


def _whole_records(
    inputs: CsvInputs, number: int, layout: Layout, data: bytes, complete: bool
) -> bytes:
    """Return the whole data records of a file's first bytes, as UTF-8."""
    end = inputs.data_end(number) if inputs.dialect.skipfooter else len(data)
    rows = data[layout.data_start : end]
    if complete and rows:
        rows += (inputs.dialect.lineterminator or "\n").encode()
    if inputs.dialect.simple:
        cut = scan_from(np.frombuffer(rows, np.uint8), FIELD, inputs.dialect.separators).cut
    else:
        cut = max(inputs.dialect.records(rows), default=0)
    return _decoded(inputs, number, rows[: max(cut, 0)])


def _middle_samples(inputs: CsvInputs, number: int, layout: Layout, sample: int) -> list[bytes]:
    """Return whole records from places inside a file, where they can be told safely."""
    info = inputs.files[number]
    found = []
    for i in range(1, _SAMPLED_PLACES):
        start = info.size * i // (_SAMPLED_PLACES - 1)
        if i == _SAMPLED_PLACES - 1:
            start -= sample
        if start <= max(sample, layout.data_start):
            continue
        length = min(sample, inputs.data_end(number) - start)
        raw = read_range(info, start, max(0, length), inputs.storage_options)
        data = np.frombuffer(raw, np.uint8)
        newline = np.flatnonzero(data == 10)
        if not len(newline):
            continue
        rest = data[newline[0] + 1 :]
        if not len(rest):
            continue
        outcomes = scan_split(rest, inputs.dialect.separators)
        outcome = outcomes[FIELD]
        quoted = bool((rest == (inputs.dialect.separators.quote or 0)).any())
        if outcome is None or outcome.cut < 0 or (quoted and outcomes[QUOTED] is not None):
            continue
        found.append(_decoded(inputs, number, rest[: outcome.cut].tobytes()))
    return found


def _columns(
    inputs: CsvInputs,
    layout: Layout,
    kept: Sequence[int],
    samples: list[bytes],
    assume_missing: bool,
) -> list[Column]:
    dialect = replace(inputs.dialect, encoding="utf-8")
    shift = layout.implicit_index
    places = {label: i + shift for i, label in enumerate(layout.labels)}
    kinds: list[pa.DataType] = [pa.null()] * layout.width
    for i, data in enumerate(samples):
        inferred = types.infer_types(data, layout.width, dialect, places)
        if i and _looks_torn(kinds, inferred):
            continue
        kinds = [types.unify(a, b) for a, b in zip(kinds, inferred, strict=True)]
    labels: list[Any] = [None] * shift + list(layout.labels)
    names = [
        f"__index_level_{i}__" if i < shift else _name(label) for i, label in enumerate(labels)
    ]
    dates = _date_positions(dialect, labels, kept)
    columns = []
    for place, position in enumerate(kept):
        label, name = labels[position], names[position]
        given = types.dtype_of_column(dialect.dtype, label, place)
        if position in dates and given is None:
            texts = [
                types.sample_texts(data, layout.width, dialect, places)[position]
                for data in samples
            ]
            kind, date_format = _date_type(dialect, label, texts)
            columns.append(Column(position, pa.field(name, kind), label, date_format))
            continue
        if given is not None:
            declared = types.declared_field(name, given)
            strict = types.forbids_missing(given)
            columns.append(Column(position, declared, label, None, True, strict))
            continue
        kind = pa.float64() if pa.types.is_null(kinds[position]) else kinds[position]
        if assume_missing and pa.types.is_integer(kind):
            kind = pa.float64()
        columns.append(Column(position, pa.field(name, kind), label))
    return columns


def _date_positions(dialect: Dialect, labels: Sequence[Any], kept: Sequence[int]) -> set[int]:
    """Return the positions of the columns that `parse_dates` names."""
    wanted = dialect.parse_dates
    if wanted is None or wanted is False:
        return set()
    if wanted is True:
        index = dialect.index_col
        if index is None or index is False:
            return set()
        wanted = index if isinstance(index, list | tuple) else [index]
    found = set()
    for item in [wanted] if isinstance(wanted, str | int) else wanted:
        if item in labels:
            found.add(labels.index(item))
        elif isinstance(item, int) and 0 <= item < len(kept):
            found.add(kept[item])
        else:
            raise ValueError(f"parse_dates: {column_not_found(item, labels)}")
    return found


def _date_type(
    dialect: Dialect, label: Any, samples: Sequence[pd.Series]
) -> tuple[pa.DataType, str | None]:
    wanted = dialect.date_format
    date_format = wanted.get(label) if isinstance(wanted, dict) else wanted
    kind: pa.DataType = pa.null()
    for texts in samples:
        found, date_format = types.infer_dates(texts, date_format, dialect)
        kind = types.unify(kind, found)
        if pa.types.is_string(kind):
            return kind, None
    return (pa.timestamp("us") if pa.types.is_null(kind) else kind), date_format


def _decoded(inputs: CsvInputs, number: int, data: bytes) -> bytes:
    if inputs.streamed(number) or inputs.dialect.codec == "utf-8":
        return data
    return data.decode(inputs.dialect.codec, "replace").encode()


def _spread(total: int, most: int) -> list[int]:
    """Return up to `most` indices of `total`, the first and last among them."""
    if total <= most:
        return list(range(total))
    return sorted({round(i * (total - 1) / (most - 1)) for i in range(most)})


def _looks_torn(known: Sequence[pa.DataType], found: Sequence[pa.DataType]) -> bool:
    """Whether a sample from within a file seems cut wrongly: every column turned to text."""
    changed = [
        not pa.types.is_string(a) and not pa.types.is_null(a) and pa.types.is_string(b)
        for a, b in zip(known, found, strict=True)
    ]
    return sum(changed) > max(2, len(changed) // 2)


def _name(label: Any) -> str:
    """Return the name a column has inside the engine."""
    return label if isinstance(label, str) else str(label)
