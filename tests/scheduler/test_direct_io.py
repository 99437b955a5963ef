"""Reading and writing past the page cache."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.scheduler import direct_io, limits, spill

pytestmark = pytest.mark.skipif(
    not direct_io.possible("/var/tmp"),
    reason="the file system cannot do it",
)


@pytest.fixture(autouse=True, scope="module")
def small_stage():
    before, direct_io._STAGE = direct_io._STAGE, 8192
    yield
    direct_io._STAGE = before


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_what_was_written_is_read(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("direct") / "file"
    sizes = st.lists(st.integers(0, 20_000), min_size=1, max_size=8)
    seed = np.random.default_rng(data.draw(st.integers(0, 99)))
    runs, known = [], []
    for _ in range(data.draw(st.integers(1, 4))):
        pieces = [seed.integers(0, 256, size, np.uint8) for size in data.draw(sizes)]
        with open(path, "ab", buffering=0, opener=direct_io.opener) as stream:
            start = stream.seek(0, os.SEEK_END)
            direct_io.write(stream, (piece.data for piece in pieces))
        whole = np.concatenate(pieces)
        low = data.draw(st.integers(0, len(whole)))
        high = data.draw(st.integers(low, len(whole)))
        runs.append((start + low, start + high))
        known.append(whole[low:high])
    with open(path, "rb", buffering=0, opener=direct_io.opener) as stream:
        found = direct_io.read(stream.fileno(), runs)
    for one, other in zip(found, known, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_padding_holds_nothing(tmp_path):
    path = tmp_path / "file"
    with open(path, "ab", buffering=0, opener=direct_io.opener) as stream:
        direct_io.write(stream, [memoryview(b"x" * 8000), memoryview(b"y" * 300)])
    written = path.read_bytes()
    assert written == b"x" * 8000 + b"y" * 300 + b"\0" * (3 * 4096 - 8300)


@pytest.mark.parametrize("left", [0, 4096, 5000])
def test_a_file_that_ends_too_early_is_an_error(tmp_path, left):
    path = tmp_path / "file"
    path.write_bytes(b"x" * left)
    with (
        open(path, "rb", buffering=0, opener=direct_io.opener) as stream,
        pytest.raises(EOFError),
    ):
        direct_io.read(stream.fileno(), [(100, 6000)])


def test_a_file_system_that_refuses_is_asked_once(tmp_path, monkeypatch):
    asked = []

    def refuse(path, flags):
        asked.append(path)
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(direct_io, "opener", refuse)
    assert not direct_io.possible(str(tmp_path))
    assert not direct_io.possible(str(tmp_path))
    assert len(asked) == 1
    assert not list(tmp_path.iterdir())


def test_it_pays_when_the_page_cache_is_small(monkeypatch):
    monkeypatch.setattr(limits, "allowed_bytes", lambda: 1000)
    assert direct_io.pays(501, memory_limit=500)
    assert not direct_io.pays(500, memory_limit=500)


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path):
    directory = spill.SpillDirectory(str(tmp_path))
    file = directory.file()

    def append(data):
        return directory.append(
            file, lambda stream: direct_io.write(stream, data), opener=direct_io.opener
        )

    def failing():
        yield memoryview(b"b" * 10_000)
        raise OSError(errno.ENOSPC, "No space left on device")

    try:
        assert append([memoryview(b"a" * 10)]) == (0, 4096)
        with pytest.raises(spill.SpillError, match="No space left"):
            append(failing())
        assert os.path.getsize(file.path) == directory.used == 4096
        assert append([memoryview(b"c" * 10)]) == (4096, 8192)
    finally:
        directory.close()


def test_short_runs_take_no_more_memory_than_they_have(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(np.arange(200_000, dtype=np.uint32).tobytes())
    runs = [(start, start + 640) for start in range(100, 700_000, 5000)]
    runs.insert(3, (1000, 1000 + direct_io._SHORT))
    with open(path, "rb", buffering=0, opener=direct_io.opener) as stream:
        found = direct_io.read(stream.fileno(), runs)
    data = path.read_bytes()
    assert [one.tobytes() for one in found] == [data[start:stop] for start, stop in runs]
    assert all(one.base is None for one in found if len(one) == 640)
