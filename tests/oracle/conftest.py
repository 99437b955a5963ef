"""Where the oracle tests run: most in the calling thread, every fourth on threads."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

import penstock

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _executor(request: pytest.FixtureRequest) -> Iterator[None]:
    # The threads of a run stay a moment for the next, which each test that used them waits for.
    place = zlib.crc32(request.node.nodeid.encode())
    with penstock.config.set(scheduler="threads" if place % 4 == 0 else "sync"):
        yield
