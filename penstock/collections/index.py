"""Index: the row labels of a collection, lazy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.collections.kinds import register
from penstock.collections.rows import labelled
from penstock.collections.series import Series
from penstock.engine.expr import Column
from penstock.engine.kernels.elementwise import OPS
from penstock.errors import UnsupportedError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from penstock.engine.plan import FrameNode


@register
class Index(Series):
    """The row labels as values of their own; computes to a `pandas.Index`.

    Parameters
    ----------
    rows : FrameNode
        The plan whose rows are labelled.

    Raises
    ------
    UnsupportedError
        When there are several levels.
    """

    def __init__(self, rows: FrameNode) -> None:
        plan = labelled(rows)
        levels = plan.schema.index
        if len(levels) != 1:
            raise UnsupportedError(
                f"an index of {len(levels)} levels has no values of its own here; "
                "use reset_index() and take its columns"
            )
        super().__init__(plan, Column(levels[0]), plan.schema.index_names[0])

    def _finalize(self, blocks: list[pa.Table], dtype_backend: str | None = None) -> pd.Index:
        import pandas as pd

        return pd.Index(super()._finalize(blocks, dtype_backend))

    def __getattr__(self, name: str) -> Any:
        """Return what ``.dt`` has of this name, which an index of times has itself."""
        if not name.startswith("_") and f"dt.{name}" in OPS and self.dtype.kind in "mM":
            return getattr(self.to_series().dt, name)
        raise AttributeError(f"an Index of {self.dtype} has no attribute {name!r}")

    def to_series(self) -> Series:
        """Return the labels as a Series that they label."""
        return Series(self._base, self._expr, self.name)

    def __repr__(self) -> str:
        return f"<Index {self.name!r}: {self.dtype}>"

    def to_frame(self, name: Any = None) -> Any:
        """Return a DataFrame of this one column."""
        return self.to_series().to_frame(name)
