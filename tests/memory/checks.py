"""What operations must have given, found by DuckDB or from how the data were made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.io.filesystem import natural_key

if TYPE_CHECKING:
    from tests.memory.conftest import Outcome
    from tests.memory.data import Data

_DATA = ("facts", "huge", "groups", "partners", "repeated", "series", "tags", "lists", "small")


class BaseChecks:
    """Ways to look at what was written."""

    def __init__(self, data: Data, outcome: Outcome) -> None:
        self._data = data
        self._folder = outcome.folder
        self._answer = outcome.report["answer"]

    def _sql(self, query: str) -> Any:
        """Run a query over {out} and {data sets}; return its only row."""
        read = [name for name in _DATA if f"{{{name}}}" in query]
        names = {name: f"'{self._data.path(name)}/*.parquet'" for name in read}
        names["out"] = f"'{self._folder}/out/**/*.parquet'"
        with duckdb.connect() as connection:
            connection.execute("set threads = 2")
            return connection.execute(query.format(**names)).fetchone()

    def _same(self, actual: str, expected: str) -> None:
        """Assert that two queries give one and the same row."""
        found, wanted = self._sql(actual), self._sql(expected)
        assert found == pytest.approx(wanted, rel=1e-9)

    def _files(self) -> list[pq.ParquetFile]:
        files = sorted((self._folder / "out").glob("*.parquet"), key=lambda p: natural_key(p.name))
        return [pq.ParquetFile(file) for file in files]

    def _written(self, column: str) -> np.ndarray:
        """Return a column of what was written, in the order of files and rows."""
        return pa.concat_tables([file.read([column]) for file in self._files()])[column].to_numpy()

    def _ids_in_order(self) -> None:
        ids = self._written("id")
        assert len(ids) > 0
        assert (np.diff(ids) > 0).all()

    def _is_all(self, columns: str = 'id, key, "group", real, heavy, text') -> None:
        query = f"select count(*), sum(id), sum(hash({columns})) from "
        self._same(query + "{out}", query + "{facts}")
