"""Methods that hand a frame on: files, Arrow, pandas."""

from __future__ import annotations

from typing import Any

from penstock.collections.framelike import FrameLike


class OutputMixin(FrameLike):
    """``to_*``."""

    def to_pandas(self, **options: Any) -> Any:
        """Compute and return the pandas object."""
        return self.compute(**options)

    def to_arrow(self, **options: Any) -> Any:
        """Compute and return one `pyarrow.Table` of the data columns."""
        from penstock.collections.base import _options, user_line
        from penstock.engine.run import run

        (blocks,) = run([self.plan], _options(**options), user_line())
        schema = self._schema
        table = self._gathered(blocks).select(list(schema.columns))
        return table.rename_columns([str(label) for label in schema.labels])

    def to_csv(
        self,
        filename: Any,
        single_file: bool = False,
        *,
        index: bool = True,
        mode: str = "overwrite",
        compute: bool = True,
        storage_options: dict[str, Any] | None = None,
        compute_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Write CSV, one file per partition or a single one; all or nothing.

        Parameters
        ----------
        filename : str
            A directory, a pattern such as ``"out-*.csv"``, or one file.
        single_file : bool
            Write one file, in order.
        index : bool
            Write the row labels as first column.
        mode : {"overwrite", "error", "append"}
            What to do with a target that is there.
        compute : bool
            False returns the write as a lazy Scalar of rows.
        storage_options : dict, optional
            For the filesystem, e.g. credentials.
        compute_kwargs : dict, optional
            For `compute`: ``memory_limit``, ``num_workers``, ...
        **kwargs
            pandas' own: ``sep``, ``na_rep``, ``header``, ``float_format``, ...

        Returns
        -------
        list of str
            Paths of the files.
        """
        from penstock.collections.writing import csv_write

        return csv_write(self, filename, single_file, index, mode, compute, storage_options,
                         compute_kwargs or {}, kwargs)  # fmt: skip
