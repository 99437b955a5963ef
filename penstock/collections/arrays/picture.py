"""An array in a notebook: its facts in a table, and a picture of its chunks."""

from __future__ import annotations

import html
import math
from itertools import accumulate
from typing import Any

from penstock.config import format_bytes

_LARGEST = 120.0  # pixels of the longest axis
_LEAST = 12.0
_LINES = 18  # as many lines an axis shows at most
_SLANT = 0.42  # how the third axis goes back
_FILL, _LINE = "#8fb8de", "#3d5a73"


def as_html(array: Any) -> str:
    """Return a table of facts beside a picture of the chunks.

    Parameters
    ----------
    array : Array

    Returns
    -------
    str
    """
    shape = tuple(array.shape)
    known = all(extent == extent for extent in shape)
    chunk = tuple(max(sizes) for sizes in array.chunks)
    rows = [
        ("Bytes", *(_bytes(each, array.itemsize) for each in (shape, chunk))),
        ("Shape", *map(_shown, (shape, chunk))),
        ("Count", array.plan.name, f"{array.npartitions} chunks"),
        ("Type", str(array.dtype), "numpy.ndarray"),
    ]
    cells = "".join(
        f"<tr><th>{name}</th><td>{html.escape(whole)}</td><td>{html.escape(part)}</td></tr>"
        for name, whole, part in rows
    )
    table = f"<table><tr><td></td><th>Array</th><th>Chunk</th></tr>{cells}</table>"
    picture = picture_of(array.chunks) if known and shape and all(shape) else ""
    return f'<table><tr><td>{table}</td><td style="border:none">{picture}</td></tr></table>'


def _shown(sizes: tuple[Any, ...]) -> str:
    return "(" + ", ".join("?" if n != n else str(n) for n in sizes) + ")"


def _bytes(sizes: tuple[Any, ...], itemsize: int) -> str:
    count = math.prod(sizes)
    return "unknown" if count != count else format_bytes(int(count) * itemsize)


def picture_of(chunks: tuple[tuple[int, ...], ...]) -> str:
    """Return an SVG picture of a grid of chunks; of more than three axes, the last three.

    Examples
    --------
    >>> picture_of(((2, 2), (3,))).startswith("<svg")
    True
    """
    axes = list(chunks[-3:])
    while len(axes) < 2:
        axes.insert(0, (1,))
    lengths = _lengths([sum(sizes) for sizes in axes])
    cuts = [_cuts(sizes, length) for sizes, length in zip(axes, lengths, strict=True)]
    lines: list[str] = []
    if len(axes) == 2:
        (height, width), (rows, columns) = lengths, cuts
        depth, steps = 0.0, [0.0]
    else:
        (back, height, width), (deep, rows, columns) = lengths, cuts
        depth, steps = back * _SLANT, [cut * _SLANT for cut in deep]
    x0, y0 = depth, depth
    face = [(x0, y0), (x0 + width, y0), (x0 + width, y0 + height), (x0, y0 + height)]
    shapes = [_polygon(face)]
    lines += [_line(x0, y0 + row, x0 + width, y0 + row) for row in rows]
    lines += [_line(x0 + column, y0, x0 + column, y0 + height) for column in columns]
    if depth:
        top = [(0.0, 0.0), (width, 0.0), (width + depth, depth), (depth, depth)]
        side = [(0.0, 0.0), (depth, depth), (depth, depth + height), (0.0, height)]
        shapes = [_polygon(side), _polygon(top), *shapes]
        lines += [_line(step, step, step + width, step) for step in steps]
        lines += [_line(step, step, step, step + height) for step in steps]
        lines += [_line(column, 0, column + depth, depth) for column in columns]
        lines += [_line(0, row, depth, row + depth) for row in rows]
    shape = [sum(sizes) for sizes in axes][-len(chunks) :]
    right, below = x0 + width, y0 + height
    labels = [_text(x0 + width / 2, below + 14, str(shape[-1]))]
    if len(shape) > 1:
        labels.append(_text(right + 6, y0 + height / 2, str(shape[-2]), anchor="start"))
    if len(shape) > 2:
        labels.append(_text(depth / 2 - 4, below - depth / 2 + 12, str(shape[0]), anchor="end"))
    left = 40 if len(shape) > 2 else 6
    size = f'width="{right + left + 60:.0f}" height="{below + 24:.0f}"'
    body = "".join([*shapes, *lines, *labels])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="stroke:{_LINE};stroke-width:1">'
        f'<g transform="translate({left},4)">{body}</g></svg>'
    )


def _lengths(shape: list[int]) -> list[float]:
    """Return pixels per axis: in proportion, but such that short ones can be seen."""
    longest = max(shape)
    return [max(_LEAST, _LARGEST * (extent / longest) ** 0.5) for extent in shape]


def _cuts(sizes: tuple[int, ...], length: float) -> list[float]:
    """Return where lines go along an axis; of many chunks, some."""
    bounds = [0, *accumulate(sizes)]
    total = bounds[-1]
    if len(bounds) > _LINES:
        every = (len(bounds) - 1) / (_LINES - 1)
        bounds = [bounds[round(place * every)] for place in range(_LINES)]
    return [bound / total * length for bound in bounds]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _polygon(points: list[tuple[float, float]]) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{text}" style="fill:{_FILL}"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    style = "stroke:none;fill:currentColor;font-size:12px"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{style}">{text}</text>'
