"""Frames and series as arrays."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class ArrayMixin:
    """Methods that give the values as an array."""

    def to_dask_array(self, lengths: Any = None, meta: Any = None) -> Any:
        """Return the values as an `Array` of `penstock.array`, a chunk for each partition.

        Parameters
        ----------
        lengths : bool or sequence of int, optional
            Rows of the partitions. True computes and keeps the partitions to
            count them. Without them the shape is not known until
            ``compute_chunk_sizes()``.
        meta : object
            Accepted for compatibility.

        Returns
        -------
        Array
        """
        return import_module("penstock.collections.arrays.frames").array_of(self, lengths)

    to_array = to_dask_array

    @property
    def values(self) -> Any:
        """The values as an `Array` whose number of rows is not known."""
        return self.to_dask_array()

    def to_numpy(self, **kwargs: Any) -> Any:
        """Compute and return the values as pandas' ``to_numpy`` gives them."""
        return self.compute().to_numpy(**kwargs)  # type: ignore[attr-defined]
