"""`CsvInputs`: the files of a CSV source, their heads and their streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import Any

import numpy as np

from penstock.config import format_bytes
from penstock.errors import FormatError, ParseError, SourceError
from penstock.io.csv.dialect import Dialect
from penstock.io.csv.layout import (
    BOM,
    HEAD_BYTES,
    Layout,
    NeedMoreError,
    footer_start,
    read_layout,
    select_columns,
)
from penstock.io.csv.long_records import head_limit, too_long
from penstock.io.filesystem import FileInfo, read_range
from penstock.io.text_records import FIELD, QUOTED, scan_from
from penstock.io.text_streams import StreamCursor, StreamCut, open_text
from penstock.records import record

_COUNT_LINES_LIMIT = 1 << 30


@record(eq=False)
class CsvInputs:
    """CSV files and how they are to be understood; heads are read once per process."""

    files: tuple[FileInfo, ...]
    compressions: tuple[str | None, ...]
    dialect: Dialect
    storage_options: Mapping[str, Any] = field(repr=False)
    layouts: dict[int, Layout] = field(default_factory=dict, repr=False)

    def streamed(self, index: int) -> bool:
        """Whether a file is read in order, its splits chained by a cursor."""
        return self.compressions[index] is not None or not self.dialect.simple

    def data_end(self, number: int) -> int:
        """Return the offset after a file's last data byte."""
        info = self.files[number]
        if not self.dialect.skipfooter:
            return info.size
        length = HEAD_BYTES
        while True:
            start = max(0, info.size - length)
            tail = read_range(info, start, length, self.storage_options)
            found = footer_start(info.uri, tail, self.dialect)
            if found >= 0 or start == 0:
                return max(start + found, self.layout(number).data_start)
            length *= 8

    def layout(self, index: int) -> Layout:
        """Return where a file's data starts; the head is read once per process."""
        found = self.layouts.get(index)
        if found is None:
            found = self.layouts[index] = self.head(index, HEAD_BYTES)[0]
        return found

    def head(self, index: int, size: int) -> tuple[Layout, bytes, bool]:
        """Return the layout, first bytes (decoded to UTF-8 if streamed) and whether that is all."""
        info = self.files[index]
        while True:
            data, complete = self.first_bytes(index, size)
            dialect = self.stream_dialect if self.streamed(index) else self.dialect
            bom = len(BOM) if data.startswith(BOM) and dialect.codec == "utf-8" else 0
            try:
                layout = read_layout(info.uri, data[bom:], complete, dialect, bom=bom)
            except NeedMoreError as more:
                limit = head_limit()
                if size >= limit:
                    raise self._endless(index, data, bom + more.start) from None
                size = min(size * 8, limit)
                continue
            return layout, data, complete

    def _endless(self, index: int, data: bytes, start: int) -> ParseError:
        """Return the error for first bytes that do not hold the whole record at `start`."""
        if not data[start:].strip(b"\r\n"):
            return ParseError(
                f"{self.files[index].uri}: no columns to read: lines are blank as far as "
                f"{format_bytes(len(data))} into the file; check that it is CSV, or pass a larger "
                "memory_limit"
            )
        quoted = False
        if self.dialect.simple:
            record = np.frombuffer(data, np.uint8)[start:]
            quoted = scan_from(record, FIELD, self.dialect.separators).end == QUOTED
        elif self.dialect.quotes:
            quoted = (self.dialect.quotechar or "").encode() in data[start:]
        return too_long(self.place(index, start), len(data) - start, quoted=quoted)

    def first_bytes(self, index: int, size: int) -> tuple[bytes, bool]:
        info = self.files[index]
        if not self.streamed(index):
            data = read_range(info, 0, size, self.storage_options)
            return data, len(data) >= info.size
        with self.open(index) as stream:
            data = stream.read(size) or b""
            return data, len(data) < size or not stream.read(1)

    def open(self, index: int) -> Any:
        dialect = self.dialect
        return open_text(
            self.files[index],
            self.compressions[index],
            dialect.codec,
            dialect.encoding_errors,
            self.storage_options,
        )

    def positions(self, number: int, reference: Layout, layout: Layout) -> tuple[int, ...] | None:
        """Return where the columns of the first file stand in another, None if at the same."""
        if layout.labels == reference.labels and layout.width >= reference.width:
            return None
        kept = select_columns(self.files[0].uri, reference, self.dialect)
        shift = reference.implicit_index
        labels = [reference.labels[i - shift] for i in kept if i >= shift]
        missing = [label for label in labels if label not in layout.labels]
        extra = [label for label in layout.labels if label not in reference.labels]
        if self.dialect.usecols is not None:
            extra = []
        if missing or extra or shift != layout.implicit_index:
            first = self.files[0].uri
            parts = []
            if missing:
                parts.append(f"lacks {', '.join(map(repr, missing[:10]))}")
            if extra:
                parts.append(f"also has {', '.join(map(repr, extra[:10]))}")
            raise FormatError(
                f"{self.files[number].uri}: its columns are not those of {first}: it "
                f"{' and '.join(parts) or 'has another number of fields'}; read the files apart, "
                "or pass usecols= with the columns that all have, or names= and header=0"
            )
        return tuple(
            i if i < shift else shift + layout.labels.index(reference.labels[i - shift])
            for i in kept
        )

    def without_skipped(self, buffer: np.ndarray, record: int) -> np.ndarray:
        """Return the records that `skiprows` keeps; the first has the number `record`."""
        raw = buffer.tobytes()
        ends = self.dialect.records(raw)
        if not ends or ends[-1] < len(raw):
            ends.append(len(raw))
        spans = zip([0, *ends], ends, strict=False)
        kept = [
            raw[start:end]
            for number, (start, end) in enumerate(spans, record)
            if not self.dialect.skips(number)
        ]
        return np.frombuffer(b"".join(kept), np.uint8)

    def cut_stream(self, data: np.ndarray, carried: int, state: Any) -> StreamCut:
        """Return where the last whole record of a stream's bytes ends."""
        mode, record = state
        if not self.dialect.simple:
            ends = self.dialect.records(data.tobytes())
            return StreamCut(ends[-1] if ends else -1, (FIELD, record + len(ends)))
        if len(data) == carried:
            return StreamCut(-1, state)
        outcome = scan_from(data[carried:], mode, self.dialect.separators)
        cut = outcome.cut + carried if outcome.cut >= 0 else -1
        return StreamCut(cut, (outcome.end, record))

    @cached_property
    def stream_dialect(self) -> Dialect:
        """The dialect of streams, which are turned into UTF-8 as they are read."""
        return replace(self.dialect, encoding="utf-8")

    def lines_before(self, number: int, offset: int) -> int | None:
        """Return the line ends before `offset`; None where counting them would take long."""
        if self.streamed(number) or offset > _COUNT_LINES_LIMIT:
            return None
        info = self.files[number]
        lines = returns = 0
        for start in range(0, offset, 1 << 20):
            try:
                data = read_range(info, start, min(1 << 20, offset - start), self.storage_options)
            except SourceError:
                return None
            lines += data.count(b"\n")
            returns += data.count(b"\r")
        return lines or returns

    def cursor(self, number: int, limit: int) -> StreamCursor:
        """Open a file for being read in order, at its first data record.

        A record of which more than `limit` bytes hold no end is an error.
        """
        layout = self.layout(number)
        state = (FIELD, layout.first_record)
        uri = self.files[number].uri

        def refuse(offset: int, record: np.ndarray, state: Any) -> Exception:
            quote = self.dialect.separators.quote
            quoted = state[0] == QUOTED
            if not self.dialect.simple and quote is not None:
                quoted = bool((record == quote).any())
            return too_long(self.place(number, offset), len(record), quoted=quoted)

        return StreamCursor(
            self.open(number), layout.data_start, state, self.cut_stream, uri, limit, refuse
        )

    def place(self, number: int, offset: int) -> str:
        """Return the words for an offset in a file."""
        uri = self.files[number].uri
        if self.compressions[number] is not None:
            return f"{uri}, byte {offset} once decompressed"
        if self.streamed(number):
            return f"{uri}, byte {offset} of its text"
        lines = self.lines_before(number, offset)
        return f"{uri}, byte {offset}" + ("" if lines is None else f" (line {lines + 1})")
