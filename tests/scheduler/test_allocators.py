"""Memory that was freed serves the next block; `trim` gives it back."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
    import resource
    import numpy as np
    from penstock.scheduler import allocators, limits

    def faults():
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

    def block():
        return np.ones(32 << 17)  # 32 MiB

    allocators.set_up()
    made = [block(), block()]
    del made
    kept, before = limits.resident_bytes(), faults()
    made = [block(), block()]
    del made
    again = faults() - before
    allocators.trim()
    print(again, kept - limits.resident_bytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library's allocator is set up there")
def test_freed_blocks_are_used_again_without_page_faults():
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, check=True, text=True
    )
    again, given_back = map(int, run.stdout.split())
    assert again < 1000  # of 16,384 pages
    assert given_back > 48 << 20
