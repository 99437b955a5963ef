"""Map: a function of the user's, or of pandas', on each block."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.engine.plan import FrameNode
from penstock.engine.primitives import Blocks, Lowering, blockwise
from penstock.engine.schema import FrameSchema
from penstock.records import record
from penstock.scheduler.graph import TaskMemory

if TYPE_CHECKING:
    import pyarrow as pa

# A block goes to pandas, through the function, and back.
_PANDAS_COPIES = 3.0


class Opaque:
    """A value of the user's that a plan carries: compared by identity, never looked into."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the value, a function."""
        return self.value(*args, **kwargs)


@record(eq=False)
class MapPandas(FrameNode):
    """Call ``function(frame, *others, *args, **kwargs)`` on each block as a pandas object.

    Attributes
    ----------
    frames : tuple of FrameNode
        The first decides the blocks; others have the same number of blocks.
    function : Opaque
        Takes and gives pandas objects.
    arguments : Opaque
        ``(args, kwargs)`` passed along.
    as_series : tuple of bool
        Whether each input is passed as a Series.
    rowwise : bool
        The function gives one row for each row it gets, with the same index.
    """

    frames: tuple[FrameNode, ...]
    function: Opaque
    arguments: Opaque
    result: FrameSchema
    as_series: tuple[bool, ...]
    label: str = "map"
    rowwise: bool = False
    numbered: bool = False

    is_blockwise = True

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.label

    @property
    def keeps_rows(self) -> bool:  # type: ignore[override]
        return self.rowwise

    @property
    def schema(self) -> FrameSchema:
        return self.result

    @property
    def npartitions(self) -> int:
        return max(frame.npartitions for frame in self.frames)

    @property
    def divisions(self) -> tuple | None:
        return self.frames[0].divisions if self.rowwise else None

    def lower(self, lowering: Lowering) -> Blocks:
        blocks = [lowering.blocks(frame) for frame in self.frames]
        args, kwargs = self.arguments.value
        function = PandasFunction(
            self.function.value,
            args,
            kwargs,
            tuple(frame.schema for frame in self.frames),
            self.result,
            self.as_series,
            self.numbered,
        )
        count = max(len(b) for b in blocks)
        return blockwise(
            lowering,
            self.name,
            function,
            blocks,
            arguments=range(count) if self.numbered else None,
            memory=TaskMemory(input_factor=_PANDAS_COPIES, output=blocks[0].nbytes),
        )

    def describe(self) -> str:
        return getattr(self.function.value, "__name__", type(self.function.value).__name__)


class PandasFunction:
    """A function on pandas objects, made a function on blocks."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple,
        kwargs: dict[str, Any],
        schemas: tuple[FrameSchema, ...],
        result: FrameSchema,
        as_series: tuple[bool, ...],
        numbered: bool = False,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.schemas = schemas
        self.result = result
        self.as_series = as_series
        self.numbered = numbered

    def __call__(self, *values: Any) -> pa.Table:
        kwargs = dict(self.kwargs)
        tables = list(values)
        if self.numbered:
            kwargs["partition_info"] = {"number": tables.pop(0)}
        frames = [
            pandas_block(schema, table, series)
            for schema, table, series in zip(self.schemas, tables, self.as_series, strict=True)
        ]
        result = self.function(*frames, *self.args, **kwargs)
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return block_from_pandas(self.result, result, name)


def pandas_block(schema: FrameSchema, table: pa.Table, series: bool = False) -> Any:
    """Return `table` as a DataFrame, or as a Series of its only column."""
    frame = schema.to_pandas(table)
    return frame.iloc[:, 0] if series else frame


def block_from_pandas(schema: FrameSchema, result: Any, operation: str) -> pa.Table:
    """Return what a user's function gave as a block of `schema`."""
    import pandas as pd

    from penstock.errors import SchemaError

    if isinstance(result, pd.Series):
        result = result.to_frame(schema.labels[0] if schema.labels else result.name)
    if not isinstance(result, pd.DataFrame):
        if schema.labels and len(schema.labels) == 1 and not hasattr(result, "__len__"):
            result = pd.DataFrame({schema.labels[0]: [result]})
        else:
            raise SchemaError(
                f"{operation} gave a {type(result).__name__}; a DataFrame or Series is needed"
            )
    given = list(result.columns)
    if len(given) == len(schema.labels) and {*given} != {*schema.labels}:
        raise SchemaError(
            f"{operation} gave the columns {given}, but {list(schema.labels)} were declared; "
            "correct `meta`"
        )
    return schema.from_pandas(result, operation)
