"""Disks that are small enough to be filled by a test."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def small_disk(size_bytes: int) -> Iterator[Path]:
    """Mount an empty disk of `size_bytes` (a tmpfs) while the ``with`` block runs.

    Writing more gives ``OSError`` with ``errno.ENOSPC``. Where nothing can be mounted (that takes
    Linux and root) the test is skipped.

    Parameters
    ----------
    size_bytes : int
        Its size; the kernel rounds up to whole pages.

    Yields
    ------
    pathlib.Path
        Where it is mounted, for this user only.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-disk-") as directory:
        options = f"size={size_bytes},mode=0700,nosuid,nodev"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory]
        error = _run(command) if sys.platform == "linux" else "not on this platform"
        if error is not None:
            pytest.skip(f"no small disk can be mounted here: {error}")
        try:
            yield Path(directory)
        finally:
            # Lazily when files are still open, so that the mount never outlives the test.
            error = _run(["umount", directory])
            if error is not None and _run(["umount", "--lazy", directory]) is not None:
                raise RuntimeError(f"the small disk could not be unmounted: {error}")


def _run(command: list[str]) -> str | None:
    """Run a command; return None, or what was wrong."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.partition("\n")[0]
