"""`TextSource`: the lines of text files, in blocks of lists."""

from __future__ import annotations

import codecs
import re
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock.errors import ParseError
from penstock.io.compression import compression_of
from penstock.io.filesystem import FileInfo, expand, read_range
from penstock.io.source import CarrySource, Pushdown, Split
from penstock.io.text_records import (
    FIELD,
    RECORD_LIMIT,
    TAIL_LIMIT,
    Outcome,
    Separators,
    State,
    Summary,
    scan_split,
)
from penstock.io.text_streams import (
    StreamCursor,
    StreamCut,
    open_text,
    read_buffer,
    stream_splits,
)
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

_LEAST_SPLIT = 64 << 10
_MOST_SPLIT = 64 << 20
_LINES_PER_BYTE = 3.0  # bytes of str objects per byte of text, for lines of some 60 characters
_SELF_SYNCHRONIZING = re.compile(
    r"^(utf-8|ascii|iso8859-\d+|latin-?1|cp125\d|cp437|cp85\d|cp866|cp874|koi8-[rut]|mac-\w+)$"
)
_NO_QUOTES = Separators(delimiter=10, quote=None)


def text_source(
    paths: Any,
    *,
    blocksize: int | None = None,
    linedelimiter: str | None = None,
    encoding: str = "utf-8",
    errors: str = "strict",
    compression: Any = "infer",
    storage_options: Mapping[str, Any] | None = None,
    include_path: bool = False,
) -> TextSource:
    r"""Return the source of the lines of text files.

    Parameters
    ----------
    paths : str, path or list of these
    blocksize : int, optional
        Bytes of text per split.
    linedelimiter : str, optional
        What ends a line and stays at its end; by default ``"\n"``, ``"\r"`` and
        ``"\r\n"``, each given as ``"\n"``.
    encoding, errors : str
        As in `open`.
    compression : str or None
        ``"infer"`` goes by the file's name.
    storage_options : mapping, optional
    include_path : bool
        Give pairs of line and path.

    Returns
    -------
    TextSource

    Raises
    ------
    SourceError
        If no file matches.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_text("one\ntwo\n")
    >>> source = text_source(path)
    >>> split = source.split(Pushdown(), 1 << 20)[0]
    >>> payload, _, _ = source.fetch(split, None)
    >>> source.parse(payload, None, split, Pushdown())
    ['one\n', 'two\n']
    """
    if blocksize is not None and blocksize < 1:
        raise ValueError(f"blocksize must be positive, not {blocksize}")
    if linedelimiter == "":
        raise ValueError("linedelimiter must not be empty")
    name = codecs.lookup(encoding).name
    files = tuple(expand(paths, storage_options))
    return TextSource(
        files,
        tuple(compression_of(info.uri, compression) for info in files),
        blocksize,
        linedelimiter,
        "utf-8" if name in ("ascii", "utf-8-sig") else name,
        errors,
        dict(storage_options or {}),
        include_path,
    )


@record
class LinesPayload:
    """The bytes of one split, with room before them for an unfinished line."""

    buffer: np.ndarray
    room: int
    offset: int
    outcome: Outcome | None
    """None: `buffer` holds whole lines."""

    @property
    def nbytes(self) -> int:
        return int(self.buffer.nbytes)


@record(eq=False)
class TextSource(CarrySource):
    """Text files, listed; built by `text_source`. Blocks are lists of str."""

    files: tuple[FileInfo, ...]
    compressions: tuple[str | None, ...]
    blocksize: int | None
    linedelimiter: str | None
    encoding: str
    errors: str
    storage_options: Mapping[str, Any]
    include_path: bool

    format = "text"

    def __repr__(self) -> str:
        return f"TextSource({len(self.files)} files)"

    @property
    def fingerprint(self) -> tuple:
        options = (self.linedelimiter, self.encoding, self.errors, self.include_path)
        return ("text", self.files, self.compressions, self.blocksize, options)

    @property
    def schema(self) -> pa.Schema:
        """One column of text; the blocks are lists all the same."""
        return pa.schema([pa.field("line", pa.string())])

    def describe(self) -> dict[str, Any]:
        """Return files, bytes and encoding."""
        return {
            "format": "text",
            "files": len(self.files),
            "bytes": sum(info.size for info in self.files),
            "compression": ", ".join(sorted({c for c in self.compressions if c})) or None,
            "encoding": self.encoding,
        }

    def _streamed(self, number: int) -> bool:
        return (
            self.compressions[number] is not None
            or _SELF_SYNCHRONIZING.match(self.encoding) is None
            or self._delimiter not in (None, b"\n")
        )

    @cached_property
    def _delimiter(self) -> bytes | None:
        return None if self.linedelimiter is None else self.linedelimiter.encode()

    def split(self, pushdown: Pushdown, target_bytes: int) -> Sequence[Split]:
        """Cut every file into byte ranges (contract of `Source.split`)."""
        wanted = int(target_bytes / _LINES_PER_BYTE)
        size = self.blocksize or min(max(wanted, _LEAST_SPLIT), _MOST_SPLIT)
        splits: list[Split] = []
        for number, info in enumerate(self.files):
            if self._streamed(number):
                codec = self.compressions[number]
                first = len(splits)
                splits += stream_splits(
                    info, number, codec, size, first, _LINES_PER_BYTE, self.storage_options
                )
                continue
            bounds = [*range(0, max(info.size, 1), size), info.size]
            for start, stop in pairwise(bounds):
                splits.append(
                    Split(
                        uri=info.uri,
                        index=len(splits),
                        nbytes=max(1, int((stop - start) * _LINES_PER_BYTE)),
                        stored_bytes=stop - start,
                        first=start == 0,
                        last=stop == info.size,
                        location=(number, start, stop),
                        origin=f"{info.uri}, bytes {start}-{stop}",
                    )
                )
        return splits

    def fetch(self, split: Split, cursor: Any) -> tuple[LinesPayload, Summary, Any]:
        """Read the bytes of a split and find its last line end (contract of `CarrySource`)."""
        number = split.location[0]
        info = self.files[number]
        if self._streamed(number):
            if split.first:
                stream = open_text(
                    info,
                    self.compressions[number],
                    self.encoding,
                    self.errors,
                    self.storage_options,
                )
                cursor = StreamCursor(stream, 0, None, self._cut_stream, split.uri)
            offset, buffer, _ = cursor.take(split.location[1], split.location[2])
            summary = Summary(offset, 0, split.first, (), number)
            return LinesPayload(buffer, 0, offset, None), summary, cursor
        _, start, stop = split.location
        buffer = read_buffer(info, start, stop - start, TAIL_LIMIT, self.storage_options)
        data = buffer[TAIL_LIMIT:]
        outcome = self._outcome(data) if len(data) else Outcome(FIELD, -1, b"")
        payload = LinesPayload(buffer, TAIL_LIMIT, start, outcome)
        outcomes = (outcome, outcome, outcome)
        return payload, Summary(start, stop - start, split.first, outcomes, number), None

    def _outcome(self, data: np.ndarray) -> Outcome:
        if self._delimiter is None:
            outcome = scan_split(data, _NO_QUOTES)[FIELD]
            assert outcome is not None
            return outcome
        delimiter = self._delimiter
        if any(delimiter.startswith(delimiter[i:]) for i in range(1, len(delimiter))):
            # Such as "aa" in "aaa": which two it is depends on the line's start, which is here.
            raw = data.tobytes()
            cut = len(raw) - len(raw.split(delimiter)[-1]) if delimiter in raw else -1
        else:
            cut = _rfind(data, delimiter)
        tail = data[max(cut, 0) :]
        return Outcome(FIELD, cut, tail.tobytes() if len(tail) <= TAIL_LIMIT else None)

    def _cut_stream(self, data: np.ndarray, carried: int, state: Any) -> StreamCut:
        if not len(data):
            return StreamCut(-1, None)
        return StreamCut(self._outcome(data).cut, None)

    def advance(self, state: State | None, summary: Summary) -> State:
        """Return the state in which the next split starts (contract of `CarrySource`)."""

        def never(offset: int, length: int, mode: int) -> Outcome:
            raise AssertionError("lines have one outcome whatever came before")

        return summary.step(state, never)

    def parse(
        self, payload: LinesPayload, state: State | None, split: Split, pushdown: Pushdown
    ) -> list[Any]:
        """Return the lines that end in a split (contract of `CarrySource`)."""
        if payload.outcome is None:
            raw, start = payload.buffer.tobytes(), payload.offset
            encoding = "utf-8"
        else:
            raw, start = self._whole_lines(payload, state, split)
            encoding = self.encoding
        if start == 0 and encoding == "utf-8":
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            text = raw.decode(encoding, self.errors)
        except UnicodeDecodeError as error:
            raise ParseError(
                f"{split.uri}, byte {start + error.start}: byte 0x{raw[error.start]:02x} is not "
                f"{self.encoding}; pass encoding= or errors='replace'"
            ) from error
        lines = _lines(text, self.linedelimiter)
        if pushdown.limit is not None:
            lines = lines[: pushdown.limit]
        return [(line, split.uri) for line in lines] if self.include_path else lines

    def _whole_lines(
        self, payload: LinesPayload, state: State | None, split: Split
    ) -> tuple[bytes, int]:
        if split.first or state is None:
            state = State(FIELD, payload.offset)
        data = payload.buffer[payload.room :]
        assert payload.outcome is not None
        cut = len(data) if split.last else payload.outcome.cut
        if cut < 0:
            return b"", state.start
        tail = state.tail
        if tail is None:
            length = payload.offset - state.start
            if length + cut > RECORD_LIMIT:
                raise ParseError(
                    f"{split.uri}, byte {state.start}: a line of more than "
                    f"{RECORD_LIMIT >> 30} GiB starts here; pass linedelimiter="
                )
            info = self.files[split.location[0]]
            tail = read_range(info, state.start, length, self.storage_options)
        return tail + data[:cut].tobytes(), payload.offset - len(tail)


def _rfind(data: np.ndarray, delimiter: bytes) -> int:
    """Return the offset after the last `delimiter`, or -1, without copying all of the data."""
    stop = len(data)
    size = 1 << 12
    while stop > 0:
        start = max(0, stop - size)
        found = data[start : min(len(data), stop + len(delimiter) - 1)].tobytes().rfind(delimiter)
        if found >= 0:
            return start + found + len(delimiter)
        stop = start
        size = min(size * 2, 1 << 20)
    return -1


def _lines(text: str, delimiter: str | None) -> list[str]:
    if delimiter is None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        delimiter = "\n"
    lines = text.split(delimiter)
    last = lines.pop()
    lines = [line + delimiter for line in lines]
    return [*lines, last] if last else lines
