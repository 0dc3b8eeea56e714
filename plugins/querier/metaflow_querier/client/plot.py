"""Lines over time on a terminal, drawn with the dots of Braille: two by four in each character."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime

__all__ = ["Series", "plot_lines"]

Series = tuple[str, Sequence[tuple[float, float]]]
"""A name, and its points: seconds since 1970 and value."""

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_COLOURS = ("36", "33", "35", "32", "34", "31")
_MOST = len(_COLOURS)


def plot_lines(
    series: Sequence[Series], *, width: int | None = None, height: int = 12, colour: bool = True
) -> list[str]:
    """The lines of a plot, with axes and a legend; empty where there is nothing to draw.

    :param width: in characters; default that of the terminal.
    """
    drawn = [(name, [(t, v) for t, v in points if math.isfinite(v)]) for name, points in series]
    drawn = [each for each in drawn if each[1]][:_MOST]
    if not drawn:
        return []
    moments = [t for _, points in drawn for t, _ in points]
    values = [v for _, points in drawn for _, v in points]
    low, high = min(values), max(values)
    low = 0.0 if 0 < low < 0.6 * high else low
    high = high if high > low else low + 1
    first, last = min(moments), max(moments)
    labels = [_short(high - (high - low) * row / max(1, height - 1)) for row in range(height)]
    margin = max(map(len, labels)) + 1
    columns = max(20, (width or shutil.get_terminal_size().columns) - margin - 2)
    cells = [[(0, -1)] * columns for _ in range(height)]
    for index, (_, points) in enumerate(drawn):
        before: tuple[int, int] | None = None
        for t, v in sorted(points):
            x = round((t - first) / (last - first) * (columns * 2 - 1)) if last > first else columns
            y = round((high - v) / (high - low) * (height * 4 - 1))
            for px, py in _between(before, (x, y)):
                bits, owner = cells[py // 4][px // 2]
                cells[py // 4][px // 2] = (bits | _DOTS[py % 4][px % 2], index if owner < 0 else owner)
            before = (x, y)
    lines = [f"{labels[row]:>{margin - 1}} │{_row(cells[row], colour)}" for row in range(height)]
    lines.append(" " * margin + "└" + "─" * columns)
    begin, end = _moment(first, first, last), _moment(last, first, last)
    lines.append(" " * (margin + 1) + begin + " " * max(1, columns - len(begin) - len(end)) + end)
    lines += [_painted("■ ", index, colour) + name for index, (name, _) in enumerate(drawn)]
    if len(series) > len(drawn):
        lines.append(f"and {len(series) - len(drawn)} more series that are not drawn")
    return lines


def _between(start: tuple[int, int] | None, end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a straight line, its start left out."""
    if start is None:
        return [end]
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (round(start[0] + (end[0] - start[0]) * step / steps), round(start[1] + (end[1] - start[1]) * step / steps))
        for step in range(1, steps + 1)
    ]


def _row(cells: Sequence[tuple[int, int]], colour: bool) -> str:
    return "".join(_painted(chr(0x2800 + bits), owner, colour) if bits else " " for bits, owner in cells).rstrip()


def _painted(text: str, index: int, colour: bool) -> str:
    return f"\033[{_COLOURS[index % _MOST]}m{text}\033[0m" if colour else text


def _short(value: float) -> str:
    size = abs(value)
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.4g}{letter}"
    return f"{value:.4g}"


def _moment(at: float, first: float, last: float) -> str:
    form = "%Y-%m-%d %H:%M" if last - first > 86_400 else "%Y-%m-%d %H:%M:%S" if at == first else "%H:%M:%S"
    return datetime.fromtimestamp(at, UTC).strftime(form)
