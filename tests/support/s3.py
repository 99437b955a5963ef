"""S3 endpoints on 127.0.0.1 for tests: moto in this process, or a real SeaweedFS server.

Tests use the fixtures `moto_s3` and `seaweed_s3`; each gives an `S3Endpoint`. moto starts at
once, holds its objects in memory and does not look at credentials; SeaweedFS takes some seconds,
and is the one to trust about signatures, ranges, ETags and conditional requests.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import s3fs

_numbers = itertools.count()


@dataclass(frozen=True)
class S3Endpoint:
    """An S3 endpoint that a test may use as it likes.

    Attributes
    ----------
    endpoint_url : str
        Its address.
    storage_options : dict
        What fsspec and s3fs need to reach it: ``key``, ``secret`` and ``client_kwargs``.
    """

    endpoint_url: str
    storage_options: dict[str, Any] = field(repr=False)

    def filesystem(self) -> s3fs.S3FileSystem:
        """Return an s3fs filesystem on this endpoint, with no cached listings."""
        import s3fs

        return s3fs.S3FileSystem(
            **self.storage_options, use_listings_cache=False, skip_instance_cache=True
        )

    def new_bucket(self) -> str:
        """Make a bucket that no other test uses, and return its name."""
        name = f"bucket-{os.getpid()}-{next(_numbers)}"
        self.filesystem().mkdir(name)
        return name


@contextlib.contextmanager
def moto_endpoint() -> Iterator[S3Endpoint]:
    """Serve S3 by moto from a thread of this process, while the ``with`` block runs."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        options = {"key": "moto", "secret": "unchecked", "client_kwargs": {"endpoint_url": url}}
        yield S3Endpoint(url, options)
    finally:
        server.stop()


@contextlib.contextmanager
def seaweed_endpoint() -> Iterator[S3Endpoint]:
    """Serve S3 by SeaweedFS, while the ``with`` block runs; skip the test where it cannot."""
    from s3_server import S3ServerError, SeaweedServer

    server = SeaweedServer()
    try:
        server.start()
    except S3ServerError as error:
        pytest.skip(f"SeaweedFS does not start here: {error}")
    with server:
        yield S3Endpoint(server.endpoint_url, server.storage_options)
