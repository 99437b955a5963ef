"""What all collections share: a plan, and the ways to run it."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from penstock.engine.plan import Node, user_lines

if TYPE_CHECKING:
    from types import FrameType

    from penstock.engine.run import Options

_PACKAGE = str(Path(__file__).resolve().parent.parent)
CollectionType = TypeVar("CollectionType", bound="Collection")


class Collection(ABC):
    """A lazy result: a plan that `compute` runs."""

    _in_pandas: ClassVar[bool] = False
    """Whether the result is an object of pandas."""

    @property
    @abstractmethod
    def plan(self) -> Node:
        """The plan node whose blocks hold this collection."""

    @abstractmethod
    def _finalize(self, blocks: list[Any]) -> Any:
        """Return the user's object made of all `blocks`."""

    def _prepare(self) -> tuple[Node, Callable[[list[Any]], Any]]:
        """Return the plan that `compute` runs, and what makes the user's object of its blocks."""
        return self.plan, self._finalize

    @abstractmethod
    def _from_handles(self, handles: list[Any]) -> Any:
        """Return this collection on blocks that are already in the store."""

    def compute(
        self,
        *,
        scheduler: str | None = None,
        num_workers: int | None = None,
        memory_limit: str | int | None = None,
        progress: bool | None = None,
        **finalize: Any,
    ) -> Any:
        """Run the plan and return the result in memory.

        Parameters
        ----------
        scheduler : {"threads", "sync"}, optional
            Executor; by default the setting ``scheduler``.
        num_workers : int, optional
            Tasks run at once; by default the processors there are.
        memory_limit : str or int, optional
            Limit of the process's memory during this run, e.g. ``"480MB"``.
        progress : bool, optional
            Show a progress bar; by default in a terminal only.
        **finalize
            ``dtype_backend="pyarrow"`` gives Arrow-backed pandas dtypes.

        Returns
        -------
        object
            What pandas or NumPy would give.

        Raises
        ------
        MemoryLimitError
            When a task, or the result itself, cannot fit the limit.
        """
        options = _options(scheduler, num_workers, memory_limit, progress)
        return _compute([self], options, finalize)[0]

    def persist(
        self: CollectionType,
        *,
        scheduler: str | None = None,
        num_workers: int | None = None,
        memory_limit: str | int | None = None,
        progress: bool | None = None,
    ) -> CollectionType:
        """Run the plan and keep its blocks, in memory or spilled, for further work.

        Returns
        -------
        Collection
            The same collection, whose plan starts from the kept blocks.
        """
        options = _options(scheduler, num_workers, memory_limit, progress)
        return _persist([self], options)[0]

    def explain(self) -> str:
        """Return the optimised plan with block counts, bytes and projected memory."""
        from penstock.engine.explain import explain

        return explain(self.plan)

    def iter_blocks(self, **options: Any) -> Iterator[Any]:
        """Yield the blocks one by one as pandas, NumPy or list objects, bounded in memory.

        Parameters
        ----------
        **options
            As for `compute`.
        """
        from penstock.engine.run import Options, run_stream

        for block in run_stream(self.plan, Options(**options), user_line()):
            yield self._finalize([block])


def compute(*collections: Any, **options: Any) -> tuple[Any, ...]:
    """Compute several collections in one run, sharing what they have in common.

    Parameters
    ----------
    *collections
        Collections; anything else is returned as it is. Lists, tuples and dicts
        of collections are looked into.
    **options
        ``scheduler``, ``num_workers``, ``memory_limit``, ``progress``.

    Returns
    -------
    tuple
        One result per argument.
    """
    found: list[Collection] = []
    shapes = [_collect(value, found) for value in collections]
    finalize = {key: options.pop(key) for key in ("dtype_backend",) if key in options}
    results = _compute(found, _options(**options), finalize) if found else []
    return tuple(_restore(shape, results) for shape in shapes)


def persist(*collections: Any, **options: Any) -> tuple[Any, ...]:
    """Keep the blocks of several collections, computed in one run.

    Parameters
    ----------
    *collections
    **options
        As for `compute`.

    Returns
    -------
    tuple
        The same collections on their kept blocks.
    """
    found: list[Collection] = []
    shapes = [_collect(value, found) for value in collections]
    results = _persist(found, _options(**options)) if found else []
    return tuple(_restore(shape, results) for shape in shapes)


class _Place:
    def __init__(self, number: int) -> None:
        self.number = number


def _collect(value: Any, found: list[Collection]) -> Any:
    if isinstance(value, Collection):
        found.append(value)
        return _Place(len(found) - 1)
    if type(value) in (list, tuple):
        return type(value)(_collect(item, found) for item in value)
    if type(value) is dict:
        return {key: _collect(item, found) for key, item in value.items()}
    return value


def _restore(shape: Any, results: Sequence[Any]) -> Any:
    if isinstance(shape, _Place):
        return results[shape.number]
    if type(shape) in (list, tuple):
        return type(shape)(_restore(item, results) for item in shape)
    if type(shape) is dict:
        return {key: _restore(item, results) for key, item in shape.items()}
    return shape


def _options(
    scheduler: str | None = None,
    num_workers: int | None = None,
    memory_limit: str | int | None = None,
    progress: bool | None = None,
    observers: Sequence[Any] = (),
) -> Options:
    from penstock.engine.run import Options

    return Options(scheduler, num_workers, memory_limit, progress, tuple(observers))


def _compute(
    collections: Sequence[Collection], options: Options, finalize: dict[str, Any]
) -> list[Any]:
    from penstock.engine.run import run

    prepared = [collection._prepare() for collection in collections]
    for _, finish in prepared:
        _check_keywords(finish, finalize)
    if any(collection._in_pandas for collection in collections):
        _import_pandas()
    groups = run([plan for plan, _ in prepared], options, user_line())
    results = []
    for _, finish in prepared:
        blocks = groups.pop(0)  # blocks go as soon as their result stands
        results.append(finish(blocks, **finalize))
    return results


def _check_keywords(finish: Callable[..., Any], finalize: dict[str, Any]) -> None:
    """Raise for a parameter that nothing takes, before anything runs."""
    if not finalize:
        return
    of_run = [*signature(Collection.compute).parameters][1:-1]
    _, *of_result = signature(finish).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in of_result):
        return
    known = [*of_run, *(one.name for one in of_result)]
    for name in finalize:
        if name not in known:
            raise TypeError(
                f"compute() got an unexpected keyword argument {name!r}; it takes "
                f"{', '.join(known)}"
            )


def _import_pandas() -> None:
    """Begin to import pandas, which takes a while, beside the tasks that need it last."""
    if "pandas" not in sys.modules:
        Thread(target=import_module, args=("pandas",), name="import-pandas", daemon=True).start()


def _persist(collections: Sequence[Any], options: Options) -> list[Any]:
    from penstock.engine.run import run_persist

    groups = run_persist([collection.plan for collection in collections], options, user_line())
    return [
        collection._from_handles(handles)
        for collection, handles in zip(collections, groups, strict=True)
    ]


def user_line() -> str | None:
    """Return the file and line of the innermost caller outside Penstock."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not filename.startswith(_PACKAGE):
            return f'File "{filename}", line {frame.f_lineno}'
        frame = frame.f_back
    return None


def noted(node: Node) -> Any:
    """Remember the user's line for `node`, and return it."""
    if node not in user_lines:
        line = user_line()
        if line is not None:
            user_lines[node] = line
    return node
