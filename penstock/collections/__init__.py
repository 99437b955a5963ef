"""What users hold: lazy frames, series, arrays, bags and delayed calls; thin handles on plans."""

from penstock.scheduler import allocators

# Before the first import of pyarrow: it chooses its allocator then, once.
allocators.set_up()
