"""Text that must be read in order: compressed, transcoded, or with involved record ends."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.errors import ParseError, SourceError
from penstock.io import s3
from penstock.io.compression import DecompressedStream, estimated_size, open_decompressed
from penstock.io.filesystem import FileInfo, count_bytes, local_path, read_range, scheme_of
from penstock.io.source import Split
from penstock.io.text_records import RECORD_LIMIT
from penstock.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK = 1 << 20
# Sizes of compressed files are estimates. Where a file turns out longer than its stored bytes let
# expect, each further split reads twice as much, so that the last one need not take all the rest.
_SURPLUS_SPLITS = 6


def read_buffer(
    info: FileInfo,
    offset: int,
    length: int,
    room: int,
    storage_options: Mapping[str, Any] | None = None,
    *,
    after: int = 0,
) -> np.ndarray:
    """Return an array of `room` free bytes and then `length` bytes of a file from `offset`.

    Parameters
    ----------
    info : FileInfo
    offset, length, room : int
    storage_options : mapping, optional
    after : int
        Free bytes behind those of the file.

    Returns
    -------
    numpy.ndarray of uint8

    Raises
    ------
    SourceError
        If the file changed since it was listed or cannot be read.
    """
    buffer = np.empty(room + length + after, np.uint8)
    if not length:
        return buffer
    if scheme_of(info.uri) != "file" or not hasattr(os, "preadv"):
        data = read_range(info, offset, length, storage_options)
        buffer[room : room + length] = np.frombuffer(data, np.uint8)
        return buffer
    try:
        descriptor = os.open(local_path(info.uri), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"cannot read {info.uri}: {error.strerror}") from error
    try:
        got = 0
        view = memoryview(buffer.data)[room : room + length]
        while got < length:
            count = os.preadv(descriptor, [view[got:]], offset + got)
            if not count:
                break
            got += count
        status = os.fstat(descriptor)
    except OSError as error:
        raise SourceError(f"cannot read {info.uri}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    count_bytes("file", got)
    if got < length or (info.version and str(status.st_mtime_ns) != info.version):
        raise s3.changed(info.uri)
    return buffer


class Transcoded(io.RawIOBase):
    """A stream of text in any encoding, as UTF-8 without a byte order mark."""

    def __init__(self, stream: DecompressedStream, encoding: str, errors: str, uri: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._pending = memoryview(b"")
        self._started = False
        self._ended = False
        self._encoding = encoding
        self._uri = uri

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` wholly, except at the end of the stream."""
        view = memoryview(buffer).cast("B")
        got = 0
        while got < len(view):
            if not self._pending:
                if self._ended:
                    break
                self._pending = memoryview(self._more())
                continue
            count = min(len(view) - got, len(self._pending))
            view[got : got + count] = self._pending[:count]
            self._pending = self._pending[count:]
            got += count
        return got

    def _more(self) -> bytes:
        data = self._stream.read(_CHUNK) or b""
        self._ended = not data
        try:
            text = self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError as error:
            raise ParseError(
                f"{self._uri}, near byte {self._stream.position}: not {self._encoding} "
                f"({error.reason}); pass the right encoding= or encoding_errors='replace'"
            ) from error
        if text and not self._started:
            self._started = True
            text = text.removeprefix("\ufeff")
        return text.encode("utf-8", "surrogatepass")

    def stored_left(self) -> int:
        return self._stream.stored_left()

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_text(
    info: FileInfo,
    codec: str | None,
    encoding: str,
    errors: str,
    storage_options: Mapping[str, Any] | None,
) -> Transcoded | DecompressedStream:
    """Open the contents of a file as UTF-8; UTF-8 itself passes through unchecked."""
    stream = open_decompressed(info, codec, storage_options)
    if encoding == "utf-8":
        return stream
    return Transcoded(stream, encoding, errors, info.uri)


@record
class StreamCut:
    """What a cut of a stream's bytes found: how much is whole, and the state after."""

    cut: int
    state: Any


class StreamCursor:
    """An open stream and the unfinished record at its head; never leaves its process.

    Parameters
    ----------
    stream : Transcoded or DecompressedStream
    start : int
        Bytes to leave out first.
    state : object
        What `find` needs at the start.
    find : callable
        ``find(data, carried, state) -> StreamCut``: where the last whole record of
        `data` ends; its first `carried` bytes were looked at before.
    uri : str
    limit : int, optional
        Bytes of an unfinished record beyond which `refuse` is asked for the error.
    refuse : callable, optional
        ``refuse(offset, record, state)`` returns the error for a record that starts at
        `offset` and has no end in the bytes `record`.

    Attributes
    ----------
    offset : int
        Where the unfinished record starts.
    rest : numpy.ndarray
        Its bytes so far.
    state : object
        The state after them.
    """

    def __init__(
        self,
        stream: Transcoded | DecompressedStream,
        start: int,
        state: Any,
        find: Callable[[np.ndarray, int, Any], StreamCut],
        uri: str,
        limit: int = RECORD_LIMIT,
        refuse: Callable[[int, np.ndarray, Any], Exception] | None = None,
    ) -> None:
        self._stream = stream
        self._find = find
        self._uri = uri
        self._limit = limit
        self._refuse = refuse or self._endless
        self._stored = stream.stored_left()
        self._overtime = 0
        self.state = state
        self.rest = np.empty(0, np.uint8)
        self.offset = start
        while start:
            skipped = len(stream.read(min(start, _CHUNK)) or b"")
            if not skipped:
                break
            start -= skipped

    def take(self, goal: int, splits_left: int) -> tuple[int, np.ndarray, Any]:
        """Return the offset, bytes and start state of the next whole records.

        `goal` is the number of bytes to read; it grows where what is left of the
        file would not fit in the `splits_left` that there are. With the last split
        the unfinished record is whole.
        """
        offset, before = self.offset, self.state
        if splits_left > 1:
            if self._stream.closed:
                return offset, np.empty(0, np.uint8), before
            # A long record is copied each time that more is read: the more of it, the more is read.
            goal = max(self._grown(goal, splits_left), len(self.rest) // 4)
            return offset, self._records(goal)[0], before
        pieces = []
        more = True
        while more:
            piece, more = self._records(_CHUNK * 4)
            if len(piece):
                pieces.append(piece)
        if len(self.rest):
            pieces.append(self.rest)
        self._stream.close()
        data = pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, np.uint8), *pieces])
        return offset, data, before

    def _records(self, size: int) -> tuple[np.ndarray, bool]:
        """Read `size` bytes; return the records that are whole now, and whether more may follow."""
        carried = len(self.rest)
        buffer = np.empty(carried + size, np.uint8)
        buffer[:carried] = self.rest
        got = self._stream.readinto(buffer[carried:]) or 0
        data = buffer if got == size else buffer[: carried + got].copy()
        del buffer
        found = self._find(data, carried, self.state)
        cut = max(found.cut, 0)
        self.state = found.state
        self.offset += cut
        # A view would keep all of the bytes in memory.
        self.rest = data[cut:].copy() if cut else data
        if len(self.rest) > self._limit:
            raise self._refuse(self.offset, self.rest, self.state)
        records = data[:cut]
        return records if 2 * cut > len(data) else records.copy(), got == size

    def _endless(self, offset: int, record: np.ndarray, state: Any) -> Exception:
        return ParseError(
            f"{self._uri}, byte {offset} of its text: {len(record)} bytes from here hold no record "
            "end; check the delimiter of records"
        )

    def _grown(self, goal: int, splits_left: int) -> int:
        """Return how much to read so that what is left fits into the splits left."""
        stored = self._stream.stored_left()
        used = max(0, self._stored - stored)
        done = self.offset + len(self.rest)
        if not stored and splits_left <= _SURPLUS_SPLITS:
            self._overtime += 1
            return goal << (self._overtime - 1)
        if used < 1 << 16 or not done:
            return goal
        expected = stored * done / used * 1.1
        return max(goal, int(expected / (splits_left - 1)))

    def __reduce__(self) -> Any:
        raise TypeError("an open stream cannot be sent to another process")


def stream_splits(
    info: FileInfo,
    number: int,
    codec: str | None,
    size: int,
    first_index: int,
    density: float,
    storage_options: Mapping[str, Any] | None,
) -> list[Split]:
    """Return the splits of a file read in order; surplus ones turn out empty.

    Parameters
    ----------
    info : FileInfo
    number : int
        Position of the file in its source.
    codec : str or None
    size : int
        Bytes of decompressed text per split.
    first_index : int
        Index of the first split.
    density : float
        Bytes in memory per byte of text.
    storage_options : mapping or None

    Returns
    -------
    list of Split
        Their location is (number, goal, splits left with this one).
    """
    total = estimated_size(info, codec, storage_options)
    count = max(1, -(-total // size))
    if codec is not None and count > 1:
        count += _SURPLUS_SPLITS
    return [
        Split(
            uri=info.uri,
            index=first_index + i,
            nbytes=max(1, int(min(size, total) * density)),
            stored_bytes=info.size // count,
            first=i == 0,
            last=i == count - 1,
            after=i > 0,
            location=(number, size, count - i),
            origin=f"{info.uri}, part {i + 1} of {count}",
        )
        for i in range(count)
    ]
