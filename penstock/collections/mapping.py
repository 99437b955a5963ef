"""Functions of the user's on blocks, and what their results look like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.collections.base import Collection, noted, user_line
from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import is_kind, new_frame, new_series
from penstock.collections.rows import labelled
from penstock.engine.expr import Column
from penstock.engine.nodes.map_blocks import MapPandas, Opaque
from penstock.engine.nodes.slicing import Head
from penstock.engine.nodes.sort import in_order
from penstock.engine.schema import is_default_index, schema_of

if TYPE_CHECKING:
    from penstock.engine.plan import FrameNode
    from penstock.engine.schema import FrameSchema

_SAMPLE_ROWS = 10


class MapMixin(FrameLike):
    """``map_partitions`` and what is made of it."""

    def map_partitions(self, func: Callable[..., Any], *args: Any, meta: Any = None,
                       **kwargs: Any) -> Any:  # fmt: skip
        """Call `func` with each partition as a pandas object.

        Parameters
        ----------
        func : callable
            Takes and returns a DataFrame or Series. With a ``partition_info``
            parameter it is told the number of its partition.
        *args
            Further arguments; collections with as many partitions are passed
            partition by partition.
        meta : DataFrame, Series, dict, tuple or dtype, optional
            Names and dtypes of the result. Without it, `func` is run once on
            the first rows of the data.
        **kwargs
            Further keyword arguments.

        Returns
        -------
        DataFrame or Series
        """
        rowwise = kwargs.pop("_rowwise", False)
        others = [arg for arg in args if isinstance(arg, FrameLike)]
        plain = tuple(arg for arg in args if not isinstance(arg, FrameLike))
        plan = labelled(in_order(self.plan)) if not rowwise else in_order(self.plan)
        frames = (plan, *(labelled(in_order(other.plan)) for other in others))
        series = tuple(_is_series(c) for c in (self, *others))
        numbered = "partition_info" in _parameters(func)
        # a method that calls a function with each row or value is known by that function's name
        named = plain[0] if rowwise and plain and callable(plain[0]) else func
        sampled = meta is None
        if sampled:
            sample = [self, *others]
            meta = sampled_meta(func, plain, kwargs, sample, series, numbered, named)
        schema, is_series = result_schema(meta, plan, self, sampled=sampled)
        node = MapPandas(
            frames,
            Opaque(func),
            Opaque((plain, kwargs)),
            schema,
            series,
            label=getattr(named, "__name__", "map").strip("_"),
            rowwise=rowwise,
            numbered=numbered,
        )
        return collection_of(noted(node), is_series)

    def pipe(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return ``func(self, *args, **kwargs)``."""
        return func(self, *args, **kwargs)


def _parameters(func: Callable[..., Any]) -> frozenset[str]:
    import inspect

    try:
        return frozenset(inspect.signature(func).parameters)
    except (TypeError, ValueError):
        return frozenset()


def _is_series(collection: Collection) -> bool:
    return is_kind(collection, "Series")


def collection_of(plan: FrameNode, is_series: bool) -> Any:
    """Return the Series or DataFrame of `plan`."""
    if is_series:
        return new_series(plan, Column(plan.schema.columns[0]), plan.schema.labels[0])
    return new_frame(plan)


def first_rows(collection: FrameLike, rows: int = _SAMPLE_ROWS) -> Any:
    """Return the first rows of the real data, to see what a function makes of them."""
    return collection._on(Head(labelled(in_order(collection.plan)), rows)).head(rows)


def sampled_meta(
    func: Callable[..., Any],
    args: tuple,
    kwargs: dict[str, Any],
    collections: list[Any],
    series: tuple[bool, ...],
    numbered: bool = False,
    named: Any = None,
) -> Any:
    """Return what `func` gives for the first rows of the data.

    An error tells the name of `named`, the user's own function, or of `func`.

    Raises
    ------
    Exception
        Whatever `func` raises, with a note that says when it ran.
    """
    samples = [collection.head(_SAMPLE_ROWS) for collection in collections]
    extra = {"partition_info": {"number": 0}} if numbered else {}
    try:
        return func(*samples, *args, **kwargs, **extra)
    except Exception as error:
        user = func if named is None else named
        name = getattr(user, "__name__", type(user).__name__)
        error.add_note(
            f"{name} failed on the first {len(samples[0])} rows, where it was run to learn the "
            f"names and dtypes of its result; give them as meta= if it needs more"
        )
        line = user_line()
        if line:
            error.add_note(f"asked for at {line}")
        raise


def result_schema(
    meta: Any, plan: FrameNode, like: Any, *, sampled: bool = False
) -> tuple[FrameSchema, bool]:
    """Return the schema that `meta` describes, and whether it is a Series.

    `meta` is an example (DataFrame, Series) or Dask's short forms: a dict of
    dtypes, pairs of name and dtype, ``(name, dtype)`` or a dtype. A `sampled` one
    is what the function gave, whose index is meant even where it is the default one.
    """
    from dataclasses import replace

    import pandas as pd

    example = example_of_meta(meta, getattr(like, "name", None))
    is_series = isinstance(example, pd.Series)
    given = schema_of(example, index=True)
    before = plan.schema
    # an example made of dtypes alone says nothing of the index: rows keep theirs
    says_nothing = (
        not isinstance(meta, pd.DataFrame | pd.Series)
        or len(example) == 0
        or (not sampled and is_default_index(example.index))
    )
    if says_nothing or not before.index:
        index_fields, names = before.index_fields, before.index_names
        given = replace(given, index_fields=index_fields, index_names=names)
    return given, is_series


def example_of_meta(meta: Any, name: Any = None) -> Any:
    """Return a DataFrame or Series that looks as `meta` says; `name` is that of a plain dtype."""
    import pandas as pd

    if isinstance(meta, pd.DataFrame | pd.Series):
        return meta
    if isinstance(meta, dict):
        return pd.DataFrame({key: pd.Series([], dtype=kind) for key, kind in meta.items()})
    if isinstance(meta, tuple) and len(meta) == 2 and not isinstance(meta[0], tuple):
        return pd.Series([], name=meta[0], dtype=meta[1])
    if isinstance(meta, list | tuple):
        return pd.DataFrame({key: pd.Series([], dtype=kind) for key, kind in meta})
    if pd.api.types.is_scalar(meta) and not isinstance(meta, str | type):
        return pd.Series([meta])
    return pd.Series([], name=name, dtype=meta)
