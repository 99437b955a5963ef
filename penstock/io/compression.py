"""Compressed files as streams of their contents."""

from __future__ import annotations

import io
import lzma
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

from penstock.errors import FormatError
from penstock.io.filesystem import FileInfo, open_stream, read_range
from penstock.io.sniff import describe_content

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zipfile import ZipFile, ZipInfo

_SUFFIXES = {
    ".gz": "gzip",
    ".gzip": "gzip",
    ".bz2": "bz2",
    ".xz": "xz",
    ".zst": "zstd",
    ".zip": "zip",
}
_ALIASES = {"gz": "gzip", "gzip": "gzip", "bz2": "bz2", "xz": "xz", "lzma": "xz"}
_ALIASES |= {"zst": "zstd", "zstd": "zstd", "zip": "zip"}
_MAGIC: dict[str, bytes | tuple[bytes, ...]] = {
    "gzip": b"\x1f\x8b",
    "bz2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "zstd": (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
}
# Text rarely compresses better than this; estimates beyond are not believed.
_PLAUSIBLE_RATIO = 200
_PROBE_BYTES = 1 << 20
_SLACK = 1.3


def compression_of(uri: str, given: Any = "infer") -> str | None:
    """Return the codec of a file: ``"gzip"``, ``"bz2"``, ``"xz"``, ``"zstd"``, ``"zip"`` or None.

    Parameters
    ----------
    uri : str
    given : str, dict or None
        The user's `compression`; ``"infer"`` goes by the suffix.

    Returns
    -------
    str or None

    Raises
    ------
    ValueError
        For a codec that is not known.

    Examples
    --------
    >>> compression_of("a.csv.gz"), compression_of("a.csv")
    ('gzip', None)
    """
    if isinstance(given, dict):
        given = given.get("method", "infer")
    if given is None:
        return None
    if given == "infer":
        lowered = uri.lower()
        return next((codec for end, codec in _SUFFIXES.items() if lowered.endswith(end)), None)
    try:
        return _ALIASES[str(given).lower()]
    except KeyError:
        known = ", ".join(sorted(set(_ALIASES.values())))
        raise ValueError(f"compression={given!r} is not known; known are {known}") from None


class DecompressedStream(io.RawIOBase):
    """The contents of a compressed file, read from front to back.

    Attributes
    ----------
    position : int
        Bytes given out so far.
    """

    def __init__(self, info: FileInfo, codec: str | None, raw: BinaryIO) -> None:
        self.position = 0
        self._uri = info.uri
        self._codec = codec
        self._size = info.size
        self._raw = raw
        _check_magic(info, codec, raw)
        try:
            self._stream: Any = _decompressor(raw, codec, info.uri)
        except (OSError, EOFError, ValueError) as error:
            raw.close()
            if isinstance(error, FormatError):
                raise
            raise self._broken(error) from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` wholly, except at the end of the stream."""
        view = memoryview(buffer).cast("B")
        got = 0
        try:
            while got < len(view):
                count = self._stream.readinto(view[got:])
                if not count:
                    break
                got += count
        except (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
            if type(error).__module__.startswith("penstock"):
                raise
            raise self._broken(error) from error
        self.position += got
        return got

    def stored_left(self) -> int:
        """Return how many stored bytes are not read yet, about."""
        return max(0, self._size - self._raw.tell()) if not self._raw.closed else 0

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._raw.close()
        super().close()

    def __reduce__(self) -> Any:
        raise TypeError("an open stream cannot be sent to another process")

    def _broken(self, error: Exception) -> FormatError:
        text = str(error)
        cut_short = isinstance(error, EOFError) or "runcated" in text or "end-of-stream" in text
        what = "is truncated" if cut_short else "is corrupt"
        return FormatError(
            f"{self._uri} {what}: its {self._codec} stream breaks off after {self.position} bytes "
            f"of content ({text}); fetch the file again"
        )


def open_decompressed(
    info: FileInfo, codec: str | None, storage_options: Mapping[str, Any] | None = None
) -> DecompressedStream:
    """Open a file for reading its decompressed contents.

    Parameters
    ----------
    info : FileInfo
    codec : str or None
        As `compression_of` returns it.
    storage_options : mapping, optional

    Returns
    -------
    DecompressedStream

    Raises
    ------
    FormatError
        Here or while reading: the file is truncated, corrupt, or not of the codec.
    """
    return DecompressedStream(info, codec, open_stream(info, storage_options))


def _check_magic(info: FileInfo, codec: str | None, raw: BinaryIO) -> None:
    if codec is None or not info.size:
        return
    head = raw.read(512)
    raw.seek(0)
    if not head.startswith(_MAGIC[codec]):
        raw.close()
        what = describe_content(head) or "something else, perhaps plain text"
        raise FormatError(
            f"{info.uri} is not {codec}-compressed: it holds {what}; pass the right compression="
        )


def _decompressor(raw: BinaryIO, codec: str | None, uri: str) -> Any:
    if codec is None:
        return raw
    if codec == "gzip":
        return _gzip(raw)
    if codec == "bz2":
        import bz2

        return bz2.BZ2File(raw)
    if codec == "xz":
        return lzma.LZMAFile(raw)
    if codec == "zstd":
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    return _only_member(raw, uri)


def _gzip(raw: BinaryIO) -> Any:
    try:
        from isal import igzip
    except ImportError:
        import gzip

        return gzip.GzipFile(fileobj=raw, mode="rb")
    return igzip.IGzipFile(fileobj=raw, mode="rb")


def _only_member(raw: BinaryIO, uri: str) -> Any:
    archive, entry = _only_entry(raw, uri)
    return archive.open(entry)


def _only_entry(raw: BinaryIO, uri: str) -> tuple[ZipFile, ZipInfo]:
    import zipfile

    try:
        archive = zipfile.ZipFile(raw)
    except zipfile.BadZipFile as error:
        raise FormatError(f"{uri} is not a ZIP archive: {error}") from error
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) != 1:
        raise FormatError(f"{uri}: a ZIP archive must hold one file, this holds {len(entries)}")
    return archive, entries[0]


def estimated_size(
    info: FileInfo, codec: str | None, storage_options: Mapping[str, Any] | None = None
) -> int:
    """Return about how many bytes a file holds once decompressed, with some slack.

    Parameters
    ----------
    info : FileInfo
    codec : str or None
    storage_options : mapping, optional

    Returns
    -------
    int
    """
    if codec is None:
        return info.size
    if codec == "zip":
        with open_stream(info, storage_options) as raw:
            return _only_entry(raw, info.uri)[1].file_size
    with open_decompressed(info, codec, storage_options) as stream:
        probe = len(stream.read(_PROBE_BYTES))
        used = max(1, info.size - stream.stored_left())
    if probe < _PROBE_BYTES:
        return probe
    ratio = min(_PLAUSIBLE_RATIO, probe / used)
    guess = int(info.size * ratio * _SLACK)
    if codec == "gzip" and info.size >= 4:
        # The last four bytes are the size modulo 4 GiB of the last member.
        size = int.from_bytes(read_range(info, info.size - 4, 4, storage_options), "little")
        while size < guess // 3:
            size += 1 << 32
        if size <= guess * 3:
            return size
    return guess


def compress(data: bytes, codec: str) -> bytes:
    """Return `data` as one member of a compressed file; members may follow one another.

    Parameters
    ----------
    data : bytes
    codec : {"gzip", "bz2", "xz", "zstd"}

    Returns
    -------
    bytes
    """
    if codec == "gzip":
        import gzip

        return gzip.compress(data, compresslevel=6, mtime=0)
    if codec == "bz2":
        import bz2

        return bz2.compress(data)
    if codec == "xz":
        return lzma.compress(data)
    if codec == "zstd":
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return bytes(sink.getvalue())
    raise ValueError(f"{codec!r} files cannot be written")
