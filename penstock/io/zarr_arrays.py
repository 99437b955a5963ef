"""Zarr arrays, format 2 and 3: opened by path or address, written all or nothing."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.errors import (
    FormatError,
    PenstockError,
    SinkError,
    SourceError,
    TargetExistsError,
    UnsupportedError,
    missing_dependency,
)
from penstock.io import s3
from penstock.io.array_sink import ArraySink
from penstock.io.filesystem import MissingFileError, local_path, scheme_of
from penstock.io.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    import numpy as np


def require_zarr(purpose: str) -> Any:
    """Return the module zarr.

    Raises
    ------
    MissingDependencyError
        When it is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise missing_dependency("zarr", "zarr", purpose) from error
    return zarr


def open_zarr_array(
    url: str | os.PathLike[str],
    component: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    zarr_format: int | None = None,
) -> Any:
    """Return the array of zarr at a path or address, opened for reading.

    Raises
    ------
    MissingFileError
        When nothing is there.
    FormatError
        When what is there is no array that can be read safely.
    """
    zarr = require_zarr("reading Zarr")
    text = os.fspath(url)
    path = component or None
    shown = f"{text}/{component}" if component else text
    try:
        store = _store_of(text, storage_options)
        with _codecs_in_rust(zarr, text):
            array = zarr.open_array(store=store, path=path, mode="r", zarr_format=zarr_format)
    except PenstockError:
        raise
    except FileNotFoundError as error:
        raise MissingFileError(_not_there(zarr, text, shown, store, path, component)) from error
    except (OSError, RuntimeError) as error:
        raise SourceError(f"{shown}: the Zarr array cannot be opened: {error}") from error
    except Exception as error:
        found = _not_there(zarr, text, shown, store, path, component)
        if "component=" in found:
            raise MissingFileError(found) from error
        raise FormatError(f"{shown}: this is not a Zarr array: {error}") from error
    return checked_codecs(array, shown)


def _codecs_in_rust(zarr: Any, text: str) -> AbstractContextManager[Any]:
    """Return the settings under which a local array decodes by zarrs, where that is installed."""
    ours = "zarr.core.codec_pipeline.BatchedCodecPipeline"
    if scheme_of(text) != "file" or zarr.config.get("codec_pipeline.path") != ours:
        return nullcontext()
    try:
        from zarrs import ZarrsCodecPipeline  # noqa: F401  registers itself
    except ImportError:
        return nullcontext()
    return zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})


def _store_of(text: str, storage_options: Mapping[str, Any] | None) -> Any:
    from zarr.storage import FsspecStore, LocalStore

    scheme = scheme_of(text)
    if scheme == "file":
        if storage_options:
            raise UnsupportedError(f"{text}: storage_options are for addresses, not local paths")
        return LocalStore(local_path(text), read_only=True)
    options = dict(storage_options or {})
    if scheme == "s3":  # credentials are looked for as everywhere, or anonymous access tried
        options = dict(s3.s3_filesystem(storage_options).storage_options)
        text = "s3://" + text.partition("://")[2]
    options.pop("asynchronous", None)
    return FsspecStore.from_url(text, storage_options=options, read_only=True)


def _not_there(
    zarr: Any, text: str, shown: str, store: Any, path: str | None, component: str | None
) -> str:
    try:
        group = zarr.open_group(store=store, path=path, mode="r")
        names = [name for name, _ in group.arrays()]
    except Exception:  # noqa: BLE001 - only to say more in an error
        return f"{shown}: there is no Zarr array"
    prefix = f"{component}/" if component else ""
    known = ", ".join(repr(prefix + name) for name in names[:20]) or "none"
    return f"{shown} is a group of Zarr; name one of its arrays with component=: {known}"


def checked_codecs(array: Any, shown: str) -> Any:
    """Return `array` unless its chunks hold pickles, which could run any code."""
    names = [str(part).lower() for part in _codecs(array)]
    if any("pickle" in name for name in names):
        raise FormatError(f"{shown}: the chunks hold pickled objects, which are not read")
    return array


def _codecs(array: Any) -> Iterable[Any]:
    for name in ("filters", "compressors", "serializer"):
        found = getattr(array, name, None)
        if isinstance(found, tuple | list):
            yield from found
        elif found is not None:
            yield found


@cache
def _store_class() -> type:
    """Return the store of zarr that writes into a transaction; made when zarr is there."""
    from zarr.abc.store import Store
    from zarr.core.buffer.core import default_buffer_prototype

    class TransactionStore(Store):
        """Metadata are kept to be read again; chunks go to files that appear at commit."""

        supports_writes = True
        supports_deletes = True
        supports_listing = True

        def __init__(self, transaction: Transaction) -> None:
            super().__init__(read_only=False)
            self.transaction = transaction
            self.written: set[str] = set()
            self._small: dict[str, bytes] = {}
            self._lock = threading.Lock()

        def __eq__(self, other: object) -> bool:
            return other is self

        def __hash__(self) -> int:
            return id(self)

        def with_read_only(self, read_only: bool = False) -> TransactionStore:
            return self

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            if key in self.written and key not in self._small:
                raise SinkError(
                    f"{self.transaction.target}: chunk {key} is written in parts; blocks must "
                    "be whole chunks"
                )
            value = self._small.get(key)
            buffer = (prototype or default_buffer_prototype()).buffer
            return None if value is None else buffer.from_bytes(value)

        async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
            return [await self.get(key, prototype, part) for key, part in key_ranges]

        async def exists(self, key: str) -> bool:
            return key in self.written

        async def set(self, key: str, value: Any) -> None:
            import asyncio

            await asyncio.to_thread(self._write, key, value)

        async def set_if_not_exists(self, key: str, value: Any) -> None:
            if key not in self.written:
                await self.set(key, value)

        def _write(self, key: str, value: Any) -> None:
            if _is_metadata(key):
                self._small[key] = value.to_bytes()
            with self.transaction.open(key) as file:
                file.write(value.as_numpy_array().data)
            with self._lock:
                self.written.add(key)

        async def delete(self, key: str) -> None:
            with self._lock:
                self.written.discard(key)
            self._small.pop(key, None)

        async def list(self) -> AsyncIterator[str]:
            for key in list(self.written):
                yield key

        async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
            for key in list(self.written):
                if key.startswith(prefix):
                    yield key

        async def list_dir(self, prefix: str) -> AsyncIterator[str]:
            start = f"{prefix.rstrip('/')}/" if prefix else ""
            found = {k[len(start) :].split("/")[0] for k in self.written if k.startswith(start)}
            for name in found:
                yield name

    return TransactionStore


def _is_metadata(key: str) -> bool:
    return key.rpartition("/")[2] in ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


class ZarrSink(ArraySink):
    """Writes a new Zarr array.

    Parameters
    ----------
    url : str or path
        Local or ``s3://``.
    component : str, optional
        Name of the array in a group at `url`.
    mode : {"error", "overwrite"}
    zarr_format : int, optional
    options : mapping
        Further arguments of `zarr.create_array`: ``chunks``, ``shards``, ``compressors``, ...
    """

    format: ClassVar[str] = "zarr"

    def __init__(
        self,
        url: str | os.PathLike[str],
        component: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        mode: Any = "error",
        zarr_format: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._zarr = require_zarr("writing Zarr")
        self._url = os.fspath(url).rstrip("/")
        self._component = (component or "").strip("/")
        self.target = f"{self._url}/{self._component}" if self._component else self._url
        self._storage_options = storage_options
        self._mode = mode
        self._zarr_format = zarr_format
        self._options = dict(options or {})
        self._transaction: Transaction | None = None
        self._array: Any = None

    def begin(
        self, shape: tuple[int, ...], dtype: np.dtype, chunks: tuple[tuple[int, ...], ...]
    ) -> None:
        self._transaction = Transaction(self.target, self._storage_options, self._mode)
        options = {"chunks": tuple(max(1, *sizes) for sizes in chunks), **self._options}
        try:
            self._store = _store_class()(self._transaction)
            self._array = self._zarr.create_array(
                store=self._store,
                shape=shape,
                dtype=dtype,
                zarr_format=self._zarr_format,
                **options,
            )
        except BaseException:
            self._transaction.abort()
            raise

    def write(self, number: int, region: tuple[slice, ...], block: np.ndarray) -> None:
        self._array[region] = block

    def commit(self, receipts: Sequence[Any]) -> None:
        assert self._transaction is not None
        try:
            self._transaction.commit(sorted(self._store.written))
        except TargetExistsError as error:
            raise TargetExistsError(f"{error}; to_zarr takes overwrite=True") from error
        if self._component:
            self._make_groups()

    def _make_groups(self) -> None:
        """Make the groups above the array, where there are none, so that it is found by name."""
        from zarr.storage import FsspecStore, LocalStore

        if scheme_of(self._url) == "file":
            store: Any = LocalStore(local_path(self._url))
        else:
            options = dict(s3.s3_filesystem(self._storage_options).storage_options)
            options.pop("asynchronous", None)
            store = FsspecStore.from_url(self._url, storage_options=options)
        parents = self._component.split("/")[:-1]
        form = self._array.metadata.zarr_format
        for depth in range(len(parents) + 1):
            path = "/".join(parents[:depth])
            self._zarr.open_group(store=store, path=path or None, mode="a", zarr_format=form)

    def abort(self) -> None:
        if self._transaction is not None:
            self._transaction.abort()
