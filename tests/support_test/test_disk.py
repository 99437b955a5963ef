from __future__ import annotations

import errno
import stat

import pytest

from tests.support.disk import small_disk

MIB = 2**20


@pytest.mark.chaos
def test_is_small_private_and_gone_afterwards():
    with small_disk(MIB) as disk:
        assert disk.is_mount()
        assert stat.S_IMODE(disk.stat().st_mode) == 0o700
        (disk / "fits").write_bytes(bytes(MIB // 2))
        with pytest.raises(OSError, match="No space") as raised:
            (disk / "too-large").write_bytes(bytes(MIB))
        assert raised.value.errno == errno.ENOSPC
    assert not disk.exists()


@pytest.mark.chaos
def test_is_unmounted_with_a_file_still_open():
    with small_disk(MIB) as disk:
        file = (disk / "open").open("wb")
    with file:
        assert not disk.exists()


def test_skips_where_nothing_can_be_mounted(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="no small disk"), small_disk(MIB):
        pass
