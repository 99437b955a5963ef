"""Methods of a DataFrame that choose, add, drop and rename columns, and filter rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from penstock.collections.framelike import FrameLike
from penstock.collections.kinds import new_series
from penstock.collections.operands import assigned
from penstock.collections.rows import labelled, united
from penstock.engine.expr import Call, Column, Expr, Literal
from penstock.engine.nodes.select import ResetIndex, SetIndex
from penstock.engine.nodes.sort import Sort, in_order
from penstock.engine.plan import FrameNode
from penstock.engine.schema import unique_names
from penstock.errors import UnsupportedError


class SelectMixin(FrameLike):
    """Selection and assignment."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, FrameLike):
            return self._masked(key)
        if callable(key):
            return self[key(self)]
        schema = self._rows.schema
        if isinstance(key, list) or type(key).__name__ in ("Index", "ndarray", "MultiIndex"):
            names = [schema.column(label) for label in key]
            items = tuple(
                (name, label, Column(name)) for name, label in zip(names, key, strict=True)
            )
            return self._like(self._rows, items)
        if type(key).__module__.startswith("pandas") and type(key).__name__ == "Series":
            _local(key)
        if isinstance(key, slice):
            self._by_labels(key)
            return self.loc[key]
        if key not in schema.labels and any(isinstance(one, tuple) for one in schema.labels):
            return self._top_level(key)
        return new_series(self._rows, Column(schema.column(key)), key)

    def _by_labels(self, key: slice) -> None:
        """Refuse a slice by which pandas takes rows by their positions."""
        numbers = any(isinstance(bound, int) for bound in (key.start, key.stop, key.step))
        if numbers and self._repr_meta().index.dtype.kind != "f":
            raise UnsupportedError(
                f"frame[{key.start}:{key.stop}] takes rows by position; use head, tail or partitions "
                "for these, or frame.loc[...] for labels"
            )

    def _top_level(self, key: Any) -> Any:
        """Return the columns under one label of the first column level."""
        schema = self._rows.schema
        items = tuple(
            (name, label[1:] if len(label) > 2 else label[1], Column(name))
            for name, label in zip(schema.columns, schema.labels, strict=True)
            if label[0] == key
        )
        if not items:
            schema.column(key)  # raises, naming the columns
        if len(items) == 1 and items[0][1] in ("", ("",) * (len(schema.label_names) - 1)):
            return new_series(self._rows, items[0][2], key)
        return self._like(self._rows, items)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        labels = self._rows.schema.labels
        if name in (label[0] if isinstance(label, tuple) else label for label in labels):
            return self[name]
        raise AttributeError(f"a DataFrame has no attribute and no column {name!r}")

    def __setitem__(self, key: Any, value: Any) -> None:
        labels = key if isinstance(key, list) else [key]
        values = [value[label] for label in value.columns] if len(labels) > 1 else [value]
        changed = self._assigned(dict(zip(labels, values, strict=True)))
        self._plan = changed._plan

    def __delitem__(self, key: Any) -> None:
        self._plan = self.drop(columns=[key])._plan

    def pop(self, item: Any) -> Any:
        """Take a column out of the frame and return it."""
        series = self[item]
        del self[item]
        return series

    def assign(self, **columns: Any) -> Any:
        """Return the frame with columns added or replaced.

        Parameters
        ----------
        **columns
            Series of the same rows, scalars, or functions of the frame.
        """
        frame = self
        for label, value in columns.items():
            frame = frame._assigned({label: value(frame) if callable(value) else value})
        return frame

    def _assigned(self, columns: dict[Any, Any]) -> Any:
        values = [_local(value) for value in columns.values()]
        rows, exprs = assigned(self._rows, values, "an assignment")
        items = {label: (name, expr) for name, label, expr in self._items}
        hidden = self._rows.schema.index + self._rows.schema.order
        for label, expr in zip(columns, exprs, strict=True):
            if label in items:
                name = items[label][0]
            else:
                taken = [*hidden, *(name for name, _ in items.values())]
                name = unique_names([*taken, label])[-1]
            items[label] = (name, expr)
        made = tuple((name, label, expr) for label, (name, expr) in items.items())
        return self._like(rows, made)

    @property
    def loc(self) -> Any:
        """Select rows by mask or labels, and columns: ``frame.loc[mask, ["a", "b"]]``."""
        from penstock.collections.indexing import LocIndexer

        return LocIndexer(self)

    @property
    def iloc(self) -> Any:
        """Select columns by position: ``frame.iloc[:, [0, 2]]``."""
        return _PositionIndexer(self)

    def _masked(self, mask: Any) -> Any:
        if len(mask._items) != 1:
            return self.where(mask)
        rows, exprs = united(
            labelled(self._rows), [self._operand(self._rows, mask)], "a filter", moved=True
        )
        filtered = self._filtered(rows, exprs[0])
        return self._like(filtered, self._items)

    def query(self, expr: str, **kwargs: Any) -> Any:
        """Return the rows for which an expression of column names holds.

        Parameters
        ----------
        expr : str
            As in `pandas.DataFrame.query`: comparisons, arithmetic, ``and``,
            ``or``, ``not``, ``in``, names in backquotes, ``@name`` for local
            variables.
        """
        from penstock.collections.queries import query_mask

        return self._masked(query_mask(self, expr, kwargs.get("local_dict")))

    def drop(self, labels: Any = None, axis: Any = 0, columns: Any = None,
             errors: str = "raise") -> Any:  # fmt: skip
        """Return the frame without some columns."""
        if columns is None:
            if axis not in (1, "columns"):
                raise UnsupportedError("drop removes columns: pass columns= or axis=1")
            columns = labels
        dropped = list(columns) if isinstance(columns, list | tuple | set) else [columns]
        known = self._rows.schema.labels
        if errors == "raise":
            for label in dropped:
                self._rows.schema.column(label)
        return self[[label for label in known if label not in dropped]]

    def rename(self, columns: Any = None, index: Any = None) -> Any:
        """Return the frame with other column labels.

        Parameters
        ----------
        columns : dict or callable
        """
        if index is not None:
            raise UnsupportedError("rename changes column labels only: pass columns=")
        if callable(columns):
            return self._relabelled([columns(label) for label in self._rows.schema.labels])
        mapping = columns or {}
        return self._relabelled([mapping.get(label, label) for label in self._rows.schema.labels])

    def _relabelled(self, labels: list[Any]) -> Any:
        schema = self._rows.schema
        if len(labels) != len(schema.columns):
            raise ValueError(f"{len(labels)} labels for {len(schema.columns)} columns")
        items = tuple(
            (new, label, Column(old))
            for old, new, label in zip(schema.columns, unique_names(labels), labels, strict=True)
        )
        return self._like(self._rows, items)

    def add_prefix(self, prefix: str) -> Any:
        """Return the frame with `prefix` before each label."""
        return self.rename(columns=lambda label: f"{prefix}{label}")

    def add_suffix(self, suffix: str) -> Any:
        """Return the frame with `suffix` after each label."""
        return self.rename(columns=lambda label: f"{label}{suffix}")

    def select_dtypes(self, include: Any = None, exclude: Any = None) -> Any:
        """Return the columns whose dtypes are included and not excluded, as pandas spells it."""
        return self[list(self._repr_meta().select_dtypes(include, exclude).columns)]

    def dropna(self, how: str = "any", subset: Any = None, thresh: int | None = None) -> Any:
        """Return the rows with enough values.

        Parameters
        ----------
        how : {"any", "all"}
            Drop rows with any, or only, missing values.
        subset : label or list of labels, optional
            Columns that are looked at.
        thresh : int, optional
            Keep rows with at least so many values, whatever `how`.
        """
        labels = (
            list(self._rows.schema.labels)
            if subset is None
            else (subset if isinstance(subset, list) else [subset])
        )
        present: list[Expr] = [
            Call("notna", (Column(self._rows.schema.column(label)),)) for label in labels
        ]
        if thresh is not None:
            counted = [Call("astype", (expr,), (("dtype", "int64"),)) for expr in present]
            keep: Expr = Call("ge", (_chained("add", counted), Literal(thresh)))
        else:
            keep = _chained("and" if how == "any" else "or", present)
        rows = labelled(self._rows)
        return self._like(self._filtered(rows, keep), self._items)

    # -- the index ------------------------------------------------------------

    def set_index(self, other: Any, drop: bool = True, sorted: bool = False,
                  npartitions: int | None = None, divisions: Any = None,
                  sort: bool = True) -> Any:  # fmt: skip
        """Make a column (or a Series of the same rows) the index, sorted by it.

        Parameters
        ----------
        other : label, Series or list of labels
        drop : bool
            Remove the column from the data.
        sorted : bool
            The rows are sorted already.
        npartitions : int, optional
            Partitions of the result.
        divisions : sequence, optional
            Index values at which to cut the result.
        sort : bool
            False keeps the row order, as pandas does.

        Returns
        -------
        DataFrame
        """
        frame = self
        labels = other if isinstance(other, list) else [other]
        if isinstance(other, FrameLike):
            frame = self._assigned({"__index__": other})
            labels = ["__index__"]
        plan = in_order(frame._rows)
        names = tuple(plan.schema.column(label) for label in labels)
        index_names = (other.name,) if isinstance(other, FrameLike) else tuple(labels)  # type: ignore[attr-defined]
        keep = drop or isinstance(other, FrameLike)
        plan = SetIndex(plan, names, index_names, keep)
        if sort and not sorted:
            by = plan.schema.index
            plan = Sort(plan, by, (True,) * len(by), partitions=npartitions)
        done = self._on(plan)
        return done.repartition(divisions=divisions) if divisions is not None else done

    def reset_index(self, drop: bool = False) -> Any:
        """Return the frame with the default index, the old one as first columns."""
        if drop:
            return self._on(self._reset(True, (), ()))
        plan: FrameNode = labelled(self._rows)
        schema = plan.schema
        several = len(schema.index) > 1
        depth = len(schema.label_names)
        labels: list[Any] = []
        for level, name in enumerate(schema.index_names):
            fallback = f"level_{level}" if several else "index"
            if fallback in schema.labels:
                fallback = f"level_{level}"
            label = fallback if name is None else name
            labels.append(label if depth == 1 else (label, *[""] * (depth - 1)))
        clash = [label for label in labels if label in schema.labels]
        if clash:
            raise ValueError(f"cannot insert {clash[0]!r}: a column of this name is there already")
        names = unique_names([*schema.names, *labels])[len(schema.names) :]
        return self._on(ResetIndex(in_order(plan), tuple(names), tuple(labels)))

    def rename_axis(self, mapper: Any = None, *, index: Any = None, axis: Any = 0) -> Any:
        """Return the frame with other names of the index levels.

        Parameters
        ----------
        mapper, index : label or list of labels
            One for each level; None leaves a level without a name.
        axis : {0, "index"}
        """
        if axis not in (0, "index"):
            raise UnsupportedError("rename_axis names index levels; set frame.columns otherwise")
        wanted = mapper if index is None else index
        names = tuple(wanted) if isinstance(wanted, list | tuple) else (wanted,)
        plan: FrameNode = labelled(self._rows)
        depth = len(plan.schema.index)
        if len(names) != depth:
            raise ValueError(f"rename_axis: {len(names)} names for {depth} index levels")
        columns = unique_names([*plan.schema.names, *plan.schema.index])[-depth:]
        plan = ResetIndex(in_order(plan), tuple(columns), tuple(columns))
        return self._on(SetIndex(plan, tuple(columns), names))


class _PositionIndexer:
    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __getitem__(self, key: Any) -> Any:
        if not (isinstance(key, tuple) and len(key) == 2 and key[0] == slice(None)):
            raise UnsupportedError(
                "iloc selects columns: frame.iloc[:, columns]; use head, tail or partitions for rows"
            )
        columns = self._frame.columns
        if isinstance(key[1], int):
            return self._frame[columns[key[1]]]
        return self._frame[list(columns[key[1]])]


def _local(value: Any) -> Any:
    """Return `value` when it can be a column: a collection or a scalar."""
    if hasattr(value, "__len__") and not isinstance(value, str | bytes | FrameLike):
        raise UnsupportedError(
            "a column in memory has no known rows here; make it a collection with from_pandas "
            "and merge on the index"
        )
    return value


def _chained(op: str, exprs: Sequence[Expr]) -> Expr:
    """Return ``exprs[0] op exprs[1] op ...``."""
    return reduce(lambda left, right: Call(op, (left, right)), exprs)
