"""Many small Parquet files made few large ones."""

from __future__ import annotations

import time
from typing import Any

from penstock.collections.creation import read_parquet
from penstock.engine.nodes.sources import ReadFrame
from penstock.engine.plan import Node, walk
from penstock.io.registry import source_for
from penstock.records import record
from penstock.scheduler import Profile
from penstock.scheduler.limits import peak_resident_bytes


def compact(
    source: Any,
    target: Any,
    *,
    file_size: str | int = "128MB",
    mode: str = "error",
    partition_on: Any = None,
    storage_options: dict[str, Any] | None = None,
    compute_kwargs: dict[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Write the rows of many Parquet files again, in their order, as fewer larger ones.

    Parameters
    ----------
    source : str, path or list
        Files, globs or a directory, as for `read_parquet`.
    target : str or path
        A directory. It may be the source itself with ``mode="overwrite"``: that is
        replaced when everything has been written.
    file_size : str or int
        Bytes of the rows of one file in memory; files are smaller, being encoded.
    mode : {"error", "overwrite", "append"}
        What to do with a target that is there.
    partition_on : label or list of labels, optional
        Columns that become ``key=value`` folders; by default those that the source has, an
        empty list for none.
    storage_options, compute_kwargs : dict, optional
        As for `DataFrame.to_parquet`.
    **kwargs
        Further options of `DataFrame.to_parquet`.

    Raises
    ------
    TargetExistsError
        When the target is there and neither replaced nor appended to.

    Notes
    -----
    Small files are read together, so that thousands of them are a few tasks.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> import penstock.dataframe as dd
    >>> many, few = tempfile.mkdtemp() + "/many", tempfile.mkdtemp() + "/few"
    >>> dd.from_pandas(pd.DataFrame({"x": range(100)}), npartitions=50).to_parquet(many)
    >>> dd.compact(many, few)
    >>> dd.read_parquet(few).x.sum().compute()
    np.int64(4950)
    """
    frame = read_parquet(source, storage_options=storage_options)
    folders = _folders(frame.plan) if partition_on is None else partition_on
    frame.to_parquet(
        target,
        mode=mode,
        partition_on=folders or None,
        file_size=file_size,
        storage_options=storage_options,
        compute_kwargs=compute_kwargs,
        **kwargs,
    )


def _folders(plan: Node) -> list[str]:
    """Return the columns that the folders of what is read tell."""
    for node in walk(plan):
        if isinstance(node, ReadFrame):
            return list(node.source.describe().get("partitions", ()))
    return []


@record
class Compaction:
    """What `compact_files` did.

    Attributes
    ----------
    rows : int
    files_before, bytes_before, files_after, bytes_after : int
        Of the Parquet files read and written.
    peak_memory, memory_limit : int
        Resident bytes of the process.
    """

    rows: int
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int
    seconds: float
    peak_memory: int
    memory_limit: int


def compact_files(
    source: str | list[str],
    target: str,
    *,
    compression: str | None = None,
    storage_options: dict[str, Any] | None = None,
    **options: Any,
) -> Compaction:
    """Compact as `compact` does, and tell what became of the files.

    Parameters
    ----------
    source : str or list of str
    target : str
        The source itself to replace it.
    compression : str, optional
        Codec; by default the one that the files have, ``"snappy"`` where they have several.
    storage_options : dict, optional
    **options
        As for `compact`.

    Returns
    -------
    Compaction
    """
    started = time.monotonic()
    before = _facts(source, storage_options)
    found = before["codecs"]
    codec = compression or (found[0] if len(found) == 1 else "snappy")
    codec = codec.lower()
    with Profile() as profile:
        compact(
            source,
            target,
            compression=None if codec in ("none", "uncompressed") else codec,
            storage_options=storage_options,
            **options,
        )
    after = _facts(target, storage_options)
    return Compaction(
        after["rows"],
        before["files"],
        before["bytes"],
        after["files"],
        after["bytes"],
        time.monotonic() - started,
        max(peak_resident_bytes(), profile.peak_memory),
        profile.memory_limit,
    )


def _facts(paths: str | list[str], storage_options: dict[str, Any] | None) -> dict[str, Any]:
    return dict(source_for("parquet")(paths, storage_options=storage_options).describe())
