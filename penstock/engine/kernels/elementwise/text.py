"""Text: everything of pandas' ``.str`` that gives one column, native where it is hot.

Several columns (``expand=True``) are several expressions on a shared one:
``str.get(i)`` of ``str.split``, or ``str.extract`` with ``column=i``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.engine.kernels.convert import is_text
from penstock.engine.kernels.elementwise.registry import Op, Value, register
from penstock.engine.kernels.missing import fill_false, is_missing, null_mask
from penstock.errors import UnsupportedError

METHODS = (
    "capitalize", "casefold", "cat", "center", "contains", "count", "decode", "encode", "endswith",
    "extract", "find", "findall", "fullmatch", "get", "index", "isalnum", "isalpha", "isascii",
    "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "len",
    "ljust", "lower", "lstrip", "match", "normalize", "pad", "partition", "removeprefix",
    "removesuffix", "repeat", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit",
    "rstrip", "slice", "slice_replace", "split", "startswith", "strip", "swapcase", "title",
    "translate", "upper", "wrap", "zfill",
)  # fmt: skip
_LISTS = frozenset({"split", "rsplit", "partition", "rpartition", "findall"})
# Syntax that Python's regular expressions have and RE2 has not, or reads otherwise.
_NOT_RE2 = re.compile(
    r"\(\?(?!:|P<)|\\(?![.\\\[\]()*+?{}|^$/dDsSwWn\"' -])|\$|[^\x00-\x7f]|\\[dDsSwW]"
)


def _text(args: list[Any]) -> pa.Array | None:
    return args[0] if is_text(args[0].type) else None


def _simple(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        if options or _text(args) is None:
            return NotImplemented
        return pc.call_function(function, [args[0]])

    return native


def _len(args: list[Any], options: dict[str, Any]) -> Any:
    if _text(args) is None:
        return NotImplemented
    return pc.utf8_length(args[0]).cast(pa.int64())


def _strip(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        if _text(args) is None:
            return NotImplemented
        characters = options.get("to_strip")
        if characters is None:
            return pc.call_function(f"{function}_whitespace", [args[0]])
        if not isinstance(characters, str):
            return NotImplemented
        return getattr(pc, function)(args[0], characters=characters)

    return native


def _contains(args: list[Any], options: dict[str, Any]) -> Any:
    pattern = options.get("pat")
    if _text(args) is None or not isinstance(pattern, str) or options.get("flags", 0):
        return NotImplemented
    if not is_missing(options.get("na")) and "na" in options and options["na"] is not False:
        return NotImplemented
    ignore_case = not options.get("case", True)
    if not options.get("regex", True):
        if ignore_case and not pattern.isascii():
            return NotImplemented
        found = pc.match_substring(args[0], pattern, ignore_case=ignore_case)
    elif ignore_case:
        return NotImplemented
    elif re.escape(pattern) == pattern:  # no syntax in it: several times faster
        found = pc.match_substring(args[0], pattern)
    elif _NOT_RE2.search(pattern):
        return NotImplemented
    else:
        re.compile(pattern)  # Python's error for a pattern that is none
        found = pc.match_substring_regex(args[0], pattern)
    return fill_false(found)


def _affix(function: str) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        patterns = options.get("pat")
        if _text(args) is None or options.get("na", False) is not False:
            return NotImplemented
        if isinstance(patterns, str):
            patterns = (patterns,)
        if not isinstance(patterns, tuple) or not patterns:
            return NotImplemented
        if not all(isinstance(pattern, str) for pattern in patterns):
            return NotImplemented
        found = getattr(pc, function)(args[0], patterns[0])
        for pattern in patterns[1:]:
            found = pc.or_(found, getattr(pc, function)(args[0], pattern))
        return fill_false(found)

    return native


def _slice(args: list[Any], options: dict[str, Any]) -> Any:
    start, stop, step = (options.get(name) for name in ("start", "stop", "step"))
    start = 0 if start is None else start
    step = 1 if step is None else step
    if _text(args) is None or step != 1 or not isinstance(start, int):
        return NotImplemented
    if start < 0 or (stop is not None and (not isinstance(stop, int) or stop < 0)):
        return NotImplemented
    if stop is not None and stop <= start:
        return NotImplemented
    return pc.utf8_slice_codeunits(args[0], start=start, stop=stop, step=1)


def _replace(args: list[Any], options: dict[str, Any]) -> Any:
    pattern, new = options.get("pat"), options.get("repl")
    if _text(args) is None or not isinstance(pattern, str) or not isinstance(new, str):
        return NotImplemented
    if options.get("regex", False) or options.get("case") is not None or options.get("flags", 0):
        return NotImplemented
    count = options.get("n", -1)
    if not pattern or not isinstance(count, int) or count == 0:
        return NotImplemented
    return pc.replace_substring(
        args[0], pattern, new, max_replacements=None if count < 0 else count
    )


def _split(reverse: bool) -> Callable[[list[Any], dict[str, Any]], Any]:
    def native(args: list[Any], options: dict[str, Any]) -> Any:
        pattern, count, regex = options.get("pat"), options.get("n", -1), options.get("regex")
        if _text(args) is None or options.get("expand") or not isinstance(pattern, str):
            return NotImplemented
        literal = reverse or regex is False or (regex is None and len(pattern) == 1)
        if not literal or not pattern or not (count is None or type(count) is int):
            return NotImplemented
        limit = None if count is None or count <= 0 else count
        return pc.split_pattern(args[0], pattern, max_splits=limit, reverse=reverse)

    return native


def _get(args: list[Any], options: dict[str, Any]) -> Any:
    """The i-th item of lists: null where a list is shorter."""
    array, i = args[0], options.get("i")
    if not pa.types.is_list(array.type) or not isinstance(i, int):
        return NotImplemented
    offsets = array.offsets.to_numpy()
    starts, ends = offsets[:-1], offsets[1:]
    places = starts + i if i >= 0 else ends + i
    outside = (places < starts) | (places >= ends)
    if array.null_count:
        outside |= null_mask(array)
    return array.values.take(pa.array(places, mask=outside))


_NATIVE: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {
    "len": _len,
    "lower": _simple("utf8_lower"),
    "upper": _simple("utf8_upper"),
    "strip": _strip("utf8_trim"),
    "lstrip": _strip("utf8_ltrim"),
    "rstrip": _strip("utf8_rtrim"),
    "contains": _contains,
    "startswith": _affix("starts_with"),
    "endswith": _affix("ends_with"),
    "slice": _slice,
    "replace": _replace,
    "get": _get,
    "split": _split(reverse=False),
    "rsplit": _split(reverse=True),
}


def _pandas(name: str) -> Callable[..., Any]:
    def fallback(x: Any, *others: Any, **options: Any) -> Any:
        if options.pop("expand", False):
            raise UnsupportedError(
                f"str.{name} with expand=True gives several columns; a column is one of them"
            )
        if name in ("split", "rsplit", "partition", "rpartition"):
            options["expand"] = False
        return getattr(x.str, name)(*others, **options)

    return fallback


def _extract(x: Any, pat: str, flags: int = 0, expand: bool = False, column: int = 0) -> Any:
    return x.str.extract(pat, flags=flags, expand=True).iloc[:, column]


def _cat(x: Any, *others: Any, sep: str | None = None, na_rep: str | None = None) -> Any:
    if not others:
        raise UnsupportedError(
            "str.cat without others joins the rows of a whole column; use sum() or compute() first"
        )
    return x.str.cat(list(others), sep=sep, na_rep=na_rep)


def _get_type(args: Sequence[Any], options: dict[str, Any]) -> pa.DataType | None:
    array = args[0].array if isinstance(args[0], Value) else None
    if array is not None and pa.types.is_list(array.type):
        return array.type.value_type
    return None


def _result(name: str) -> Any:
    if name in _LISTS:
        return pa.list_(pa.string())
    if name == "encode":
        return pa.binary()
    if name in ("decode", "join"):
        return pa.string()
    if name == "get":
        return _get_type
    return None


_FALLBACKS: dict[str, Callable[..., Any]] = {"extract": _extract, "cat": _cat}

for _name in METHODS:
    register(
        Op(
            f"str.{_name}",
            -1 if _name == "cat" else 1,
            _FALLBACKS.get(_name) or _pandas(_name),
            _NATIVE.get(_name),
            accessor="str",
            result=_result(_name),
        )
    )
