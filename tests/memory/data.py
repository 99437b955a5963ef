"""Data for the memory tests, made by NumPy in pieces, so that many rows cost seconds.

Each data set is made when it is first asked for. Columns of the facts, for `rows` rows:

    id      0, 1, 2, ... in order
    key     random, about `rows` / 2 different ones, each about twice
    group   random, 100 different ones
    real    random in [0, 1)
    heavy   half of the rows 0, the others random
    text    "text-<key>"
"""

from __future__ import annotations

import gzip
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUPS = 100
_PIECE = 500_000
_SMALL_FILE = 10_000
_STEP = 7_368_787  # a prime that divides no number of rows used here


@dataclass(frozen=True)
class Data:
    """A folder of data sets of a given number of rows.

    Attributes
    ----------
    folder : Path
    rows : int
    """

    folder: Path
    rows: int

    def path(self, name: str) -> Path:
        """Return the path of a data set, made if it is not there."""
        path = self.folder / name
        if not path.exists():
            unfinished = self.folder / f"unfinished-{name}"
            getattr(self, "_" + name.replace(".", "_"))(unfinished)
            unfinished.rename(path)
        return path

    def _pieces(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        for start in range(0, self.rows, _PIECE):
            rng = np.random.default_rng(start)
            count = min(_PIECE, self.rows - start)
            key = rng.integers(0, self.rows // 2, count)
            heavy = rng.integers(1, 1 << 40, count)
            heavy[rng.random(count) < 0.5] = 0
            table = pa.table(
                {
                    "id": np.arange(start, start + count),
                    "key": key,
                    "group": rng.integers(0, GROUPS, count),
                    "real": rng.random(count),
                    "heavy": heavy,
                    "text": pc.binary_join_element_wise(
                        "text", pa.array(key).cast(pa.string()), "-"
                    ),
                }
            )
            yield table if columns is None else table.select(columns)

    def _facts(self, folder: Path) -> None:
        """Make a folder of Parquet files, 500,000 rows each."""
        folder.mkdir()
        for number, table in enumerate(self._pieces()):
            pq.write_table(table, folder / f"{number}.parquet", use_dictionary=["group"])

    def _partners(self, folder: Path) -> None:
        """Make one row for each id of the facts, in another order: id, twice = 2 * id."""
        folder.mkdir()
        for number, start in enumerate(range(0, self.rows, _PIECE)):
            place = np.arange(start, min(start + _PIECE, self.rows))
            ids = place * _STEP % self.rows
            table = pa.table({"id": ids, "twice": 2 * ids})
            pq.write_table(table, folder / f"{number}.parquet", use_dictionary=False)

    def _groups(self, folder: Path) -> None:
        """Make one row for each group: group, weight = group + 1."""
        folder.mkdir()
        group = np.arange(GROUPS)
        pq.write_table(pa.table({"group": group, "weight": group + 1}), folder / "0.parquet")

    def _huge(self, folder: Path) -> None:
        """Make one Parquet file with a single row group."""
        folder.mkdir()
        table = pa.concat_tables(self._pieces(["id", "key", "real", "text"]))
        pq.write_table(table, folder / "0.parquet", row_group_size=self.rows, use_dictionary=False)

    def _repeated(self, folder: Path) -> None:
        """Make text that takes 40 times less in the file than in memory: id, text."""
        folder.mkdir()
        texts = pa.array([f"{number:03}" * 40 for number in range(GROUPS)])
        for number, table in enumerate(self._pieces(["id", "group"])):
            text = texts.take(table["group"].combine_chunks())
            pq.write_table(
                pa.table({"id": table["id"], "text": text}), folder / f"{number}.parquet"
            )

    def _series(self, folder: Path) -> None:
        """Make one row a second, in order: id, at, real, and holes = id in every 1000th row."""
        folder.mkdir()
        for number, table in enumerate(self._pieces(["id", "real"])):
            ids = table["id"].to_numpy()
            at = pa.array(ids.astype("datetime64[s]"), pa.timestamp("us"))
            holes = pa.array(ids.astype(float), mask=ids % 1000 != 0)
            table = table.append_column("at", at).append_column("holes", holes)
            pq.write_table(table, folder / f"{number}.parquet", use_dictionary=False)

    def _tags(self, folder: Path) -> None:
        """Make one row for each heavy value of the facts, 0 among them: heavy, tag = heavy + 1."""
        folder.mkdir()
        for number, table in enumerate(self._pieces(["heavy"])):
            heavy = table["heavy"].to_numpy()
            heavy = heavy[heavy > 0]
            if number == 0:
                heavy = np.append(heavy, 0)
            table = pa.table({"heavy": heavy, "tag": heavy + 1})
            pq.write_table(table, folder / f"{number}.parquet", use_dictionary=False)

    def _lists(self, folder: Path) -> None:
        """Make lists of no to three items, each id * 4 + its place: id, items."""
        folder.mkdir()
        for number, start in enumerate(range(0, self.rows, _PIECE)):
            ids = np.arange(start, min(start + _PIECE, self.rows))
            lengths = ids % 4
            offsets = np.concatenate([[0], np.cumsum(lengths)])
            places = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
            items = np.repeat(ids, lengths) * 4 + places
            lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(items))
            table = pa.table({"id": ids, "items": lists})
            pq.write_table(table, folder / f"{number}.parquet", use_dictionary=False)

    def _small(self, folder: Path) -> None:
        """Make the facts as files of 10,000 rows each, numbered in order."""
        folder.mkdir()
        numbers = itertools.count()
        for table in self._pieces():
            for start in range(0, table.num_rows, _SMALL_FILE):
                piece = table.slice(start, _SMALL_FILE)
                pq.write_table(piece, folder / f"{next(numbers)}.parquet")

    def _facts_csv(self, path: Path) -> None:
        with path.open("wb") as file:
            self._write_csv(file)

    def _facts_csv_gz(self, path: Path) -> None:
        with gzip.open(path, "wb", compresslevel=1) as file:
            self._write_csv(file)

    def _write_csv(self, file: object) -> None:
        for number, table in enumerate(self._pieces(["id", "group", "heavy", "text"])):
            options = pa.csv.WriteOptions(include_header=number == 0, quoting_style="needed")
            pa.csv.write_csv(table, pa.PythonFile(_Kept(file), "w"), options)


class _Kept:
    """A file that pyarrow may close without closing it."""

    closed = False

    def __init__(self, file: object) -> None:
        self.write = file.write
        self.flush = file.flush
        self.readable, self.writable, self.seekable = (
            (lambda: False),
            (lambda: True),
            (lambda: False),
        )

    def close(self) -> None:
        self.closed = True
