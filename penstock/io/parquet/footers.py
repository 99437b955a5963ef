"""Parquet footers: read with one or two ranged reads, checked, kept in a bounded cache.

Encryption is looked for before anything else: pyarrow 26 ends the process, not
the call, when the statistics of an encrypted column are touched.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from penstock.errors import FormatError
from penstock.io.filesystem import FileInfo, read_range, scheme_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow.parquet as pq

MAGIC = b"PAR1"
_ENCRYPTED_MAGIC = b"PARE"
_TAIL = 64 << 10
_LOCAL_THREADS, _REMOTE_THREADS = 4, 16
_CACHE_BYTES = 64 << 20
_BYTES_PER_FOOTER_BYTE = 4  # a parsed footer against its serialized size, roughly

_cache: OrderedDict[FileInfo, pq.FileMetaData] = OrderedDict()
_cached_bytes = 0
_cache_lock = threading.Lock()


def footer_of(info: FileInfo, storage_options: Mapping[str, Any] | None = None) -> pq.FileMetaData:
    """Return the footer of one Parquet file.

    Parameters
    ----------
    info : FileInfo
    storage_options : mapping, optional

    Returns
    -------
    pyarrow.parquet.FileMetaData

    Raises
    ------
    FormatError
        If the file is not Parquet, cut off, or encrypted.
    SourceError
        If it cannot be read or is not the file that was listed.
    """
    with _cache_lock:
        if info in _cache:
            _cache.move_to_end(info)
            return _cache[info]
    footer = _read_footer(info, storage_options)
    _remember(info, footer)
    return footer


def footers_of(
    files: Sequence[FileInfo], storage_options: Mapping[str, Any] | None = None
) -> list[pq.FileMetaData]:
    """Return the footers of `files`, in order, read side by side."""
    if not files:
        return []
    local = scheme_of(files[0].uri) == "file"
    threads = min(len(files), _LOCAL_THREADS if local else _REMOTE_THREADS)
    if threads == 1:
        return [footer_of(info, storage_options) for info in files]
    with ThreadPoolExecutor(threads, thread_name_prefix="penstock-footers") as pool:
        return list(pool.map(lambda info: footer_of(info, storage_options), files))


def _remember(info: FileInfo, footer: pq.FileMetaData) -> None:
    global _cached_bytes
    with _cache_lock:
        if info in _cache:
            return
        _cache[info] = footer
        _cached_bytes += footer.serialized_size * _BYTES_PER_FOOTER_BYTE
        while _cached_bytes > _CACHE_BYTES and len(_cache) > 1:
            _, dropped = _cache.popitem(last=False)
            _cached_bytes -= dropped.serialized_size * _BYTES_PER_FOOTER_BYTE


def _read_footer(info: FileInfo, storage_options: Mapping[str, Any] | None) -> pq.FileMetaData:
    import pyarrow as pa
    import pyarrow.parquet as pq

    length = min(info.size, _TAIL)
    tail = read_range(info, info.size - length, length, storage_options)
    if tail[-4:] == _ENCRYPTED_MAGIC:
        raise _encrypted(info)
    if len(tail) < 12 or tail[-4:] != MAGIC:
        raise _not_parquet(info, tail, storage_options)
    footer_length = int.from_bytes(tail[-8:-4], "little")
    if footer_length + 12 > info.size:
        raise FormatError(
            f"{info.uri}: damaged Parquet file: it says that its footer has {footer_length} "
            f"bytes, but the whole file has {info.size}"
        )
    missing = footer_length + 8 - len(tail)
    if missing > 0:
        start = info.size - len(tail) - missing
        tail = read_range(info, start, missing, storage_options) + tail
    # The offsets inside are not looked at here, so the tail can stand for the file.
    whole = MAGIC + tail[len(tail) - footer_length - 8 :]
    try:
        footer = pq.read_metadata(pa.BufferReader(whole))
    except (OSError, pa.ArrowException) as error:
        raise FormatError(f"{info.uri}: damaged Parquet footer: {error}") from error
    if footer.serialized_size < footer_length:  # a signature follows: columns are encrypted
        raise _encrypted(info)
    return footer


def _encrypted(info: FileInfo) -> FormatError:
    return FormatError(
        f"{info.uri}: the Parquet file is encrypted, which Penstock does not read; "
        "decrypt it first (pyarrow.parquet with decryption_properties)"
    )


def _not_parquet(
    info: FileInfo, tail: bytes, storage_options: Mapping[str, Any] | None
) -> FormatError:
    from penstock.io.sniff import describe_content

    head = read_range(info, 0, min(info.size, 4096), storage_options)
    if info.size == 0:
        found = "it is empty"
    elif head[:4] == MAGIC:
        found = (
            f"it begins as one but ends without a footer after {info.size} bytes: "
            "it was cut off, probably by a download or a writer that broke off; get it again"
        )
    else:
        content = describe_content(head)
        found = f"it is {content}" if content else f"it begins with {head[:8]!r}"
    return FormatError(f"{info.uri} is not a Parquet file: {found}")
