"""The errors that Penstock raises.

Each error is a `PenstockError` and also the builtin that fits, so both
``except PenstockError`` and ``except ValueError`` work::

    PenstockError
    ├── MemoryLimitError (MemoryError)   work that cannot fit under ``memory_limit``
    ├── SpillError (OSError)             the spill directory is full, capped or unusable
    ├── SourceError (OSError)            an input is missing, unreadable or changed under way
    ├── FormatError (ValueError)         an input is not what its name or its reader says
    │   └── ParseError                   one row or value of an input cannot be read
    │       └── TypeConflictError        a value contradicts the column's inferred type
    ├── SinkError (OSError)              an output cannot be written or committed
    ├── TargetExistsError (FileExistsError)
    ├── SchemaError (TypeError)          columns, dtypes or shapes that do not fit together
    ├── ColumnNotFoundError (KeyError)
    ├── UnsupportedError (NotImplementedError)   a documented limit of an operation
    └── MissingDependencyError (ImportError)     an optional extra is not installed
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PenstockError(Exception):
    """Root of every error that Penstock raises on purpose."""


class MemoryLimitError(PenstockError, MemoryError):
    """Work that cannot fit under ``memory_limit``, refused before it starts."""


class SpillError(PenstockError, OSError):
    """The spill directory is full, over ``spill_limit`` or cannot be used."""


class SourceError(PenstockError, OSError):
    """An input that is missing, unreadable or changed while it was read."""


class FormatError(PenstockError, ValueError):
    """An input that is not what its name or its reader says it is."""


class ParseError(FormatError):
    """A row or value of an input that cannot be read."""


class TypeConflictError(ParseError):
    """A value that contradicts the type inferred or given for its column.

    Attributes
    ----------
    column : str
        Name of the column.
    value : str
        The offending text.
    source : tuple or None
        Fingerprint of the source, once the engine knows it.
    """

    source: tuple | None = None

    def __init__(self, message: str, *, column: str, value: str) -> None:
        super().__init__(message)
        self.column = column
        self.value = value

    def __reduce__(self) -> tuple:
        return (_type_conflict, (self.args[0], self.column, self.value))


def _type_conflict(message: str, column: str, value: str) -> TypeConflictError:
    return TypeConflictError(message, column=column, value=value)


class SinkError(PenstockError, OSError):
    """An output that cannot be written or committed."""


class TargetExistsError(PenstockError, FileExistsError):
    """An output that is already there while ``mode`` forbids replacing it."""


class SchemaError(PenstockError, TypeError):
    """Columns, dtypes or shapes that do not fit together."""


class ColumnNotFoundError(PenstockError, KeyError):
    """A column name that a frame does not have."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class RowNotFoundError(PenstockError, KeyError):
    """A row label that an index cannot have."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class QueryNameError(PenstockError, NameError):
    """A name in a query that is no column, index level or local variable."""


class QuerySyntaxError(PenstockError, SyntaxError):
    """A query that is no expression."""


class UnsupportedError(PenstockError, NotImplementedError):
    """An operation or parameter that Penstock documents as not supported."""


class MissingDependencyError(PenstockError, ImportError):
    """An optional library that is not installed; the message says how to get it."""


def column_not_found(name: object, columns: Iterable[object]) -> ColumnNotFoundError:
    """Return a `ColumnNotFoundError` for `name` that suggests the nearest names."""
    known = [str(column) for column in columns]
    near = difflib.get_close_matches(str(name), known, n=3)
    hint = f"; did you mean {', '.join(map(repr, near))}?" if near else "."
    shown = ", ".join(map(repr, known[:20])) + (", ..." if len(known) > 20 else "")
    return ColumnNotFoundError(f"no column {name!r}{hint} The columns are: {shown}")


def missing_dependency(library: str, extra: str, purpose: str) -> MissingDependencyError:
    """Return the error for an optional `library` needed for `purpose`."""
    return MissingDependencyError(
        f"{purpose} needs {library}, which is not installed; pip install 'penstock[{extra}]'"
    )
