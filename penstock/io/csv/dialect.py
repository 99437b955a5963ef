"""The parameters of `pandas.read_csv`: checked, defaulted, and what they mean for bytes."""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import field, fields
from functools import cached_property
from typing import Any

from penstock.errors import UnsupportedError
from penstock.io.text_records import Separators
from penstock.records import record

# Accepted because scripts pass them, without effect on the result here.
_WITHOUT_EFFECT = {"low_memory", "memory_map", "float_precision", "cache_dates", "engine"}
_REFUSED = {
    "converters": "apply the function after reading, e.g. df['x'].map(f)",
    "iterator": "frames are lazy already; iterate over df.partitions",
    "chunksize": "set blocksize= and iterate over df.partitions",
    "dtype_backend": "pass dtype_backend= to compute()",
    "date_parser": "use date_format=",
    "delim_whitespace": r"use sep=r'\s+'",
}
# Bytes 0-127 mean ASCII and nothing else in these, so records can be cut before decoding.
_ASCII_SUPERSETS = re.compile(
    r"^(ascii|iso8859-\d+|latin-?1|cp125\d|cp437|cp85\d|cp866|cp874|koi8-[rut]|mac-\w+|tis-620)$"
)


@record
class Dialect:
    """How text is cut into records, fields and missing values (pandas' parameter names)."""

    sep: str = ","
    header: Any = "infer"
    names: Any = None
    usecols: Any = None
    index_col: Any = None
    dtype: Any = None
    parse_dates: Any = None
    date_format: Any = None
    dayfirst: bool = False
    na_values: Any = None
    keep_default_na: bool = True
    na_filter: bool = True
    true_values: Any = None
    false_values: Any = None
    skiprows: Any = None
    skipfooter: int = 0
    nrows: int | None = None
    thousands: str | None = None
    decimal: str = "."
    quotechar: str | None = '"'
    quoting: int = 0
    doublequote: bool = True
    escapechar: str | None = None
    comment: str | None = None
    skipinitialspace: bool = False
    skip_blank_lines: bool = True
    lineterminator: str | None = None
    encoding: str = "utf-8"
    encoding_errors: str = "strict"
    on_bad_lines: str = "error"
    identity: tuple = field(default=(), compare=False, repr=False)

    @classmethod
    def from_kwargs(cls, kwargs: dict[str, Any]) -> Dialect:
        """Return the dialect that pandas' keyword arguments describe.

        Parameters
        ----------
        kwargs : dict
            As given to ``read_csv``; None for `encoding` means the default.

        Returns
        -------
        Dialect

        Raises
        ------
        TypeError
            For an unknown parameter.
        UnsupportedError
            For a parameter of pandas that makes no sense for blocks.
        """
        given = dict(kwargs)
        delimiter = given.pop("delimiter", None)
        if delimiter is not None:
            if given.get("sep") is not None:
                raise ValueError("give sep= or delimiter=, not both")
            given["sep"] = delimiter
        other = given.pop("dialect", None)
        if other is not None:
            given.update(_from_csv_dialect(other))
        known = {item.name for item in fields(cls)} - {"identity"}
        for name in list(given):
            if name in _WITHOUT_EFFECT:
                given.pop(name)
            elif name in _REFUSED:
                value = given.pop(name)
                if value is not None and value is not False:
                    raise UnsupportedError(f"read_csv({name}=...): {_REFUSED[name]}")
            elif name not in known:
                raise TypeError(f"read_csv() got an unexpected keyword argument {name!r}")
        if given.get("sep", "") is None:
            raise UnsupportedError(
                "read_csv(sep=None): separators are not guessed; name it, for instance sep=';'"
            )
        for name in ("encoding", "encoding_errors"):
            if given.get(name, "") is None:
                given.pop(name)
        dialect = cls(**given)
        dialect._check()
        return dialect

    def _check(self) -> None:
        for name in ("quotechar", "escapechar", "comment", "lineterminator"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or len(value) != 1):
                raise ValueError(f"{name} must be one character, not {value!r}")
        if self.on_bad_lines not in ("error", "warn", "skip"):
            if callable(self.on_bad_lines):
                raise UnsupportedError("on_bad_lines must be 'error', 'warn' or 'skip'")
            raise ValueError(
                f"on_bad_lines must be 'error', 'warn' or 'skip', not {self.on_bad_lines!r}"
            )
        if self.names is not None and len(set(self.names)) != len(list(self.names)):
            raise ValueError(f"names holds duplicates: {list(self.names)}")
        codecs.lookup(self.encoding)
        if self.skipfooter and not (self.simple and isinstance(self.skipfooter, int)):
            raise UnsupportedError(
                "skipfooter= needs a plain dialect: no escapechar, comment, lineterminator, "
                "skipinitialspace, pattern as sep, list of skiprows, or multi-byte encoding"
            )

    # ---------------------------------------------------------------- bytes

    @cached_property
    def codec(self) -> str:
        """The normalised name of the encoding; a BOM is dealt with elsewhere."""
        name = codecs.lookup(self.encoding).name
        return "utf-8" if name in ("utf-8-sig", "ascii") else name

    @cached_property
    def cuts_raw_bytes(self) -> bool:
        """Whether newlines, quotes and delimiters can be found before decoding."""
        return self.codec == "utf-8" or bool(_ASCII_SUPERSETS.match(self.codec))

    @cached_property
    def quotes(self) -> bool:
        return self.quoting != csv.QUOTE_NONE and self.quotechar is not None

    @cached_property
    def regex_sep(self) -> bool:
        """Whether `sep` is a pattern for pandas' python engine (which splits lines)."""
        return len(self.sep) > 1 and self.sep != r"\s+"

    @cached_property
    def python_engine(self) -> bool:
        """Whether pandas reads this with its python engine only."""
        return self.regex_sep or (len(self.sep) == 1 and ord(self.sep) > 127)

    @cached_property
    def simple(self) -> bool:
        """Whether quote parity alone finds the ends of records."""
        return (
            self.cuts_raw_bytes
            and len(self.sep) == 1
            and ord(self.sep) < 128
            and (not self.quotes or (self.doublequote and ord(self.quotechar or " ") < 128))
            and self.escapechar is None
            and self.comment is None
            and not self.skipinitialspace
            and self.lineterminator is None
            and not self.skips_rows_anywhere
        )

    @cached_property
    def skips_rows_anywhere(self) -> bool:
        """Whether rows after the header may be among the rows to be skipped."""
        return self.skiprows is not None and not isinstance(self.skiprows, int)

    @cached_property
    def separators(self) -> Separators:
        quote = ord(self.quotechar) if self.quotes and self.quotechar else None
        return Separators(ord(self.sep) if len(self.sep) == 1 else 44, quote)

    @cached_property
    def arrow_can(self) -> bool:
        """Whether Arrow's parser reads this dialect with pandas' meaning."""
        return (
            self.simple
            and self.thousands is None
            and self.encoding_errors == "strict"
            and not isinstance(self.na_values, dict)
            and self.skip_blank_lines
            and len(self.decimal) == 1
        )

    @cached_property
    def record_pattern(self) -> re.Pattern[bytes]:
        """A pattern that matches one whole record with its line end (`records`)."""
        return _record_pattern(self)

    @cached_property
    def separator_pattern(self) -> re.Pattern[bytes]:
        return re.compile(_field_pattern(self) + b"(" + _separator(self) + b"|\\Z)", re.DOTALL)

    def records(self, data: bytes, start: int = 0) -> list[int]:
        """Return the offset after each complete record of UTF-8 `data` from `start`."""
        ends = []
        match = self.record_pattern.match
        while start < len(data):
            found = match(data, start)
            if found is None:
                break
            start = found.end()
            ends.append(start)
        return ends

    def next_record(self, data: bytes, start: int) -> int:
        """Return the offset after the record at `start` of UTF-8 `data`, -1 if not complete."""
        found = self.record_pattern.match(data, start)
        return -1 if found is None else found.end()

    def count_fields(self, record: bytes) -> int:
        """Return how many fields one record has."""
        record = record.rstrip(b"\r\n") if self.lineterminator is None else record[:-1]
        if self.sep == r"\s+":
            record = record.strip(b" \t")
        count = 0
        position = 0
        while True:
            found = self.separator_pattern.match(record, position)
            count += 1
            if found is None or not found.group(1):
                return count
            position = found.end()

    # --------------------------------------------------------------- pandas

    def tokenizing(self) -> dict[str, Any]:
        """Return pandas' arguments that say how bytes become fields."""
        chosen: dict[str, Any] = {
            "sep": self.sep,
            "quoting": self.quoting,
            "doublequote": self.doublequote,
            "escapechar": self.escapechar,
            "comment": self.comment,
            "skipinitialspace": self.skipinitialspace,
            "skip_blank_lines": self.skip_blank_lines,
            "encoding": "utf-8",
            "encoding_errors": self.encoding_errors,
            "engine": "python" if self.python_engine else "c",
        }
        if self.quotechar is not None:
            chosen["quotechar"] = self.quotechar
        if self.lineterminator is not None and not self.python_engine:
            chosen["lineterminator"] = self.lineterminator
        if not self.python_engine:
            chosen["low_memory"] = False
        return chosen

    def skips(self, number: int) -> bool:
        """Return whether `skiprows` leaves out the record of this number in its file."""
        rows = self.skiprows
        if rows is None:
            return False
        if isinstance(rows, int):
            return number < rows
        return bool(rows(number)) if callable(rows) else number in rows

    def missing(self, labels: dict[Any, Any] | None = None) -> dict[str, Any]:
        """Return pandas' arguments that say which fields are missing.

        Where `na_values` is a mapping its keys are translated by `labels`.
        """
        values = self.na_values
        if isinstance(values, dict):
            values = {labels[key]: values[key] for key in values if labels and key in labels}
        return {
            "na_values": values,
            "keep_default_na": self.keep_default_na,
            "na_filter": self.na_filter,
        }

    @cached_property
    def null_values(self) -> tuple[str, ...]:
        """The texts that mean missing in every column."""
        if not self.na_filter:
            return ()
        texts: set[str] = set()
        if self.keep_default_na:
            from penstock.io.csv.certain import MISSING

            texts |= set(MISSING)
        if self.na_values is not None and not isinstance(self.na_values, dict):
            values = self.na_values
            if isinstance(values, str) or not hasattr(values, "__iter__"):
                values = [values]
            for value in values:
                texts |= spellings(value)
        return tuple(sorted(texts))


def spellings(value: Any) -> set[str]:
    """Return the texts that pandas takes for the missing marker `value`."""
    texts = {str(value)}
    try:
        number = float(value)
    except (TypeError, ValueError):
        return texts
    if number == number and abs(number) < 1e15 and number == int(number):
        texts |= {f"{int(number)}.0", str(int(number))}
    return texts


def _from_csv_dialect(dialect: Any) -> dict[str, Any]:
    if isinstance(dialect, str):
        dialect = csv.get_dialect(dialect)
    names = ("delimiter", "doublequote", "escapechar", "skipinitialspace", "quotechar", "quoting")
    found = {name: getattr(dialect, name) for name in names}
    found["sep"] = found.pop("delimiter")
    return found


# ------------------------------------------------------------------ patterns


def _class(*characters: str | None) -> bytes:
    return b"".join(re.escape(c.encode()) for c in characters if c and len(c.encode()) == 1)


def _separator(dialect: Dialect) -> bytes:
    if dialect.sep == r"\s+":
        return b"[ \t]++"
    if len(dialect.sep) == 1:
        return re.escape(dialect.sep.encode())
    return b"(?:" + dialect.sep.encode() + b")"


def _field_pattern(dialect: Dialect) -> bytes:
    ends = dialect.lineterminator or "\r\n"
    separators = " \t" if dialect.sep == r"\s+" else dialect.sep
    if dialect.regex_sep:  # pandas splits such lines by the pattern alone
        return b"[^" + _class(*ends) + b"]*?(?=" + _separator(dialect) + b"|\\Z)"
    plain = _class(*separators, *ends, dialect.escapechar, dialect.comment)
    escaped = b"|" + _class(dialect.escapechar) + b"." if dialect.escapechar else b""
    one = b"[^" + plain + b"]"
    if len(dialect.sep.encode()) > 1 and dialect.sep != r"\s+":
        one = b"(?!" + _separator(dialect) + b")" + one
    else:
        one += b"++"
    text = b"(?:" + one + escaped + b")*+"
    if not dialect.quotes:
        return text
    quote = _class(dialect.quotechar)
    doubled = b"|" + quote + quote if dialect.doublequote else b""
    inner = b"(?:[^" + quote + _class(dialect.escapechar) + b"]++" + doubled + escaped + b")*+"
    quoted = quote + inner + quote + text
    space = b" *+" if dialect.skipinitialspace else b""
    if dialect.sep == r"\s+":
        space = b"[ \t]*+"
    return space + b"(?:" + quoted + b"|(?!" + quote + b")" + text + b")"


def _record_pattern(dialect: Dialect) -> re.Pattern[bytes]:
    if dialect.lineterminator is not None:
        end = re.escape(dialect.lineterminator.encode())
        rest = b"[^" + end + b"]*+"
    else:
        end = b"(?:\r\n|\n|\r(?=[^\n]))"
        rest = b"[^\r\n]*+"
    if dialect.regex_sep:
        return re.compile(rest + end, re.DOTALL)
    field_ = _field_pattern(dialect)
    separator = _separator(dialect)
    comment = b"(?:" + _class(dialect.comment) + rest + b")?+" if dialect.comment else b""
    pattern = field_ + b"(?:" + separator + field_ + b")*+" + comment + end
    return re.compile(pattern, re.DOTALL)
