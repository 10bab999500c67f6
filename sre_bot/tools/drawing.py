"""A chart as a PNG for a phone at night: dark and opaque, so that it is the same in Slack's dark and light mode.

Colours are told apart by people who see few of them (Okabe and Ito's palette, doi.org/10.1080/10447315.2020, as it
stands out from a dark ground), and each line has a dash pattern too. matplotlib is imported by the first drawing only:
it costs a second that a server which draws nothing need not spend. It is not safe for threads, so one draws at a time.
"""

import io
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sre_bot.tools.chart import Chart, Curve
from sre_bot.tools.spec import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

WIDTH = 1200  # pixels; a phone shows it at a third, so nothing is written smaller than 26

_GROUND, _PLOT, _GRID, _INK, _FAINT = "#14171c", "#1b1f26", "#39404b", "#f4f6f8", "#b4bcc8"
_WARNING, _CRITICAL = "#ffb000", "#ff5f57"
_COLOURS = ("#56b4e9", "#f0e442", "#00c795", "#f49ac1", "#ffffff", "#e69f00", "#9d8cff", "#c49a6c")
_SOLID, _DASHED, _DOTTED, _MIXED = "-", (0, (6, 2)), (0, (1.2, 1.4)), (0, (6, 1.6, 1.2, 1.6))
_DASHES: tuple[Any, ...] = (_SOLID, _DASHED, _MIXED, _DOTTED, _SOLID, _DASHED, _MIXED, _DOTTED)

_TITLE, _TEXT = 36, 27  # pixels of a line of letters
_LETTER = 0.54  # mean width of a letter, in its height (DejaVu Sans)
_LINE = 40  # pixels from line to line
_MARGIN = 28
_INNER = WIDTH - 2 * _MARGIN
_SAMPLE = 80  # for a line's sample in the legend
_PLOT_HEIGHT = 430
_BELOW = 72  # under the plot, for its times
_TIMES = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
_MOST_TIMES = 6
_SHADES = 13  # of each colour on its way to the ground: the soft edges of lines and letters

_one_at_a_time = threading.Lock()


def draw(*charts: Chart) -> bytes:
    """The PNG, about 1200 x 750 pixels and 40 KB a chart; several are one below the other.

    Takes a quarter of a second for each; call it outside the event loop.
    """
    from matplotlib import rc_context

    # Text is shown as it is: a `$` in a label is no formula.
    with _one_at_a_time, rc_context({"font.family": "DejaVu Sans", "text.parse_math": False}):
        return _png([_raster(_compose(chart)) for chart in charts])


def _compose(chart: Chart) -> "Figure":
    """From top to bottom: title, time, legend, the curves, what was deployed."""
    entries = [_entry(curve, chart) for curve in chart.curves]
    columns = 2 if len(entries) > 1 and max(map(len, entries)) * _TEXT * _LETTER < _INNER / 2 - _SAMPLE else 1
    top = _MARGIN + _TITLE + _LINE + math.ceil(len(entries) / columns) * _LINE + 44
    sheet = _Sheet(top + _PLOT_HEIGHT + _BELOW + len(chart.markers) * _LINE + _MARGIN // 2)
    size = _TITLE if len(chart.title) * _TITLE * _LETTER < _INNER else _TEXT
    sheet.write(_MARGIN, _MARGIN + _TITLE / 2, _fit(chart.title, _INNER / 1.15, size), size, weight="bold")
    sheet.write(_MARGIN, _MARGIN + _TITLE + 26, _fit(_subtitle(chart), _INNER), colour=_FAINT)
    _write_legend(sheet, entries, columns)
    _write_deployments(sheet, chart)
    ticks = _value_ticks(chart)
    left = _MARGIN + 14 + max(map(len, ticks.values())) * _TEXT * _LETTER
    right = 2 * _MARGIN + max((len(name) for name, _, _ in _limit_names(chart)), default=0) * _TEXT * _LETTER
    _plot(sheet.add_axes(left, top, WIDTH - left - right, _PLOT_HEIGHT), chart, ticks)
    return sheet.figure


class _Sheet:
    """A figure of a height, on which things have a place in pixels from its upper left corner."""

    def __init__(self, height: int) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(WIDTH / 100, height / 100), dpi=100, facecolor=_GROUND)
        self.height = height

    def write(self, x: float, y: float, text: str, size: int = _TEXT, colour: str = _INK, weight: str = "") -> None:
        """One line of text; `y` is its middle."""
        self.figure.text(
            x / WIDTH,
            1 - y / self.height,
            text,
            fontsize=_points(size),
            color=colour,
            va="center",
            weight=weight or "normal",
        )

    def draw_line(self, x: float, y: float, length: float, **style: Any) -> None:  # noqa: ANN401
        """A line to the right."""
        from matplotlib.lines import Line2D

        height = 1 - y / self.height
        self.figure.add_artist(Line2D([x / WIDTH, (x + length) / WIDTH], [height, height], **style))

    def add_axes(self, x: float, y: float, width: float, height: float) -> "Axes":
        """Axes whose upper left corner is there."""
        bottom = 1 - (y + height) / self.height
        return self.figure.add_axes((x / WIDTH, bottom, width / WIDTH, height / self.height))


def _write_legend(sheet: _Sheet, entries: Sequence[str], columns: int) -> None:
    wide = _INNER / columns
    for number, entry in enumerate(entries):
        x = _MARGIN + wide * (number % columns)
        y = _MARGIN + _TITLE + _LINE + 26 + _LINE * (number // columns)
        sheet.draw_line(x, y, 64, color=_COLOURS[number], linestyle=_DASHES[number], linewidth=4)
        sheet.write(x + _SAMPLE, y, _fit(entry, wide - _SAMPLE))


def _write_deployments(sheet: _Sheet, chart: Chart) -> None:
    for number, marker in enumerate(reversed(chart.markers)):
        y = sheet.height - _MARGIN / 2 - _LINE * (number + 0.5)
        sheet.write(_MARGIN, y, marker.sign, weight="bold")
        sheet.write(_MARGIN + 34, y, _fit(f"{_time(marker.time)} {marker.text}", _INNER - 34), colour=_FAINT)


def _plot(axes: "Axes", chart: Chart, ticks: Mapping[float, str]) -> None:
    window = chart.window
    axes.set_facecolor(_PLOT)
    axes.set_xlim(window.start, window.end)
    axes.set_ylim(chart.low - 0.012 * (chart.high - chart.low), chart.high)  # a line at zero keeps its width
    axes.grid(color=_GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_FAINT, labelsize=_points(_TEXT), length=0, pad=8)
    axes.tick_params("x", pad=14)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_yticks(list(ticks), list(ticks.values()))
    times = list(_time_ticks(window.start, window.end))
    axes.set_xticks(times, [_time(moment, window.end - window.start) for moment in times])
    _plot_curves(axes, chart)
    _plot_limits(axes, chart)
    _plot_deployments(axes, chart)


def _plot_curves(axes: "Axes", chart: Chart) -> None:
    for number, curve in enumerate(chart.curves):
        style = {"color": _COLOURS[number], "linestyle": _DASHES[number], "linewidth": 3.2, "solid_capstyle": "round"}
        axes.plot(chart.times, curve.values, zorder=4 - number / 10, **style)
        alone = list(_alone(curve.values))
        dots = [chart.times[place] for place in alone], [curve.values[place] for place in alone]
        axes.plot(*dots, "o", color=_COLOURS[number], markersize=6, zorder=4, clip_on=False)


def _plot_limits(axes: "Axes", chart: Chart) -> None:
    for limit in chart.limits:
        colour = _CRITICAL if limit.critical else _WARNING
        axes.axhline(limit.value, color=colour, linewidth=2.4, linestyle=(0, (10, 5)), zorder=3)
    for (name, colour, place), _ in zip(_limit_names(chart), chart.limits, strict=True):
        axes.annotate(
            name,
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            color=colour,
            fontsize=_points(_TEXT),
            va="center",
            annotation_clip=False,
        )


def _plot_deployments(axes: "Axes", chart: Chart) -> None:
    for marker in chart.markers:
        axes.axvline(marker.time, color=_INK, linewidth=2, linestyle=(0, (2, 3)), zorder=2)
        axes.annotate(
            marker.sign,
            (marker.time, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 9),
            textcoords="offset points",
            color=_GROUND,
            fontsize=_points(_TEXT),
            weight="bold",
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.18", "facecolor": _INK, "edgecolor": "none"},
            annotation_clip=False,
        )


def _limit_names(chart: Chart) -> list[tuple[str, str, float]]:
    """Each threshold's name, colour and place on the axis: beside its line, but not on the name below it."""
    apart = (chart.high - chart.low) * 34 / _PLOT_HEIGHT
    named: list[tuple[str, str, float]] = []
    for limit in chart.limits:
        place = max(limit.value, named[-1][2] + apart) if named else limit.value
        name = f"{limit.name.replace('critical', 'crit').replace('warning', 'warn')} {chart.scale.show(limit.value)}"
        named.append((name, _CRITICAL if limit.critical else _WARNING, place))
    return named


def _entry(curve: Curve, chart: Chart) -> str:
    last = chart.scale.show(curve.last) if curve.last is not None else "NO DATA"
    return f"{shorten(curve.name, 44)}  {last}"


def _subtitle(chart: Chart) -> str:
    window = chart.window
    day = time.strftime("%d %b %Y", time.gmtime(window.start))
    length = window.end - window.start
    parts = [f"{day}, {_time(window.start, length)}–{_time(window.end, length)} UTC"]  # noqa: RUF001
    parts += [f"{limit.name} {chart.scale.show(limit.value)} lies above" for limit in chart.beyond]
    parts += ["axis not from 0"] if chart.low > 0 else []
    parts += ["gaps: no data"] if chart.has_gaps else []
    parts += ["latest values:"]
    return " · ".join(parts)


def _value_ticks(chart: Chart) -> dict[float, str]:
    """What is written on the value axis, with as many digits as tell its figures apart."""
    from matplotlib.ticker import MaxNLocator

    ticks = [float(tick) for tick in MaxNLocator(5).tick_values(chart.low, chart.high)]
    ticks = [tick for tick in ticks if chart.low <= tick <= chart.high]
    labels = [chart.scale.show(tick) for tick in ticks]
    for digits in range(4, 16):
        if len(set(labels)) == len(labels):
            break
        labels = [f"{tick:.{digits}g}{chart.scale.unit}" for tick in ticks]
    return dict(zip(ticks, labels, strict=True))


def _time_ticks(start: float, end: float) -> Iterator[float]:
    step = next((step for step in _TIMES if (end - start) / step <= _MOST_TIMES), (end - start) / _MOST_TIMES)
    first = math.ceil(start / step)
    for number in range(first, math.floor(end / step) + 1):
        yield number * step


def _time(moment: float, length: float = 3600.0) -> str:
    """A time in UTC, as exact as a range of `length` seconds needs."""
    form = "%H:%M:%S" if length < 240 else "%H:%M" if length <= 100_000 else "%d %b %H:%M" if length < 5e5 else "%d %b"
    return time.strftime(form, time.gmtime(moment))


def _alone(values: Sequence[float]) -> Iterator[int]:
    """Points between two gaps, through which no line goes."""
    for place, value in enumerate(values):
        around = (*values[max(place - 1, 0) : place], *values[place + 1 : place + 2])
        if not math.isnan(value) and all(map(math.isnan, around)):
            yield place


def _fit(text: str, width: float, size: int = _TEXT) -> str:
    return shorten(text, max(8, int(width / (size * _LETTER))))


def _points(pixels: int) -> float:
    return pixels * 0.72


def _raster(figure: "Figure") -> "Image":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    FigureCanvasAgg(figure)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="rgba", facecolor=_GROUND)
    size = tuple(round(inches * figure.dpi) for inches in figure.get_size_inches())
    return Image.frombytes("RGBA", size, drawn.getvalue()).convert("RGB")


def _png(images: "Sequence[Image]") -> bytes:
    """With a palette: a third of the bytes, and the same to the eye."""
    from PIL import Image

    sheet = Image.new("RGB", (WIDTH, sum(image.height for image in images)), _GROUND)
    top = 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height
    palette = Image.new("P", (1, 1))
    palette.putpalette(list(_palette()))
    written = io.BytesIO()
    sheet.quantize(palette=palette, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return written.getvalue()


def _palette() -> Iterator[int]:
    """Red, green and blue of every colour that is used and of its shades; a palette made to measure would lose some."""
    ground = bytes.fromhex(_PLOT[1:])
    yield from bytes.fromhex(_GROUND[1:])
    for colour in (*_COLOURS, _WARNING, _CRITICAL, _INK, _FAINT, _GRID):
        for shade in range(_SHADES):
            for full, none in zip(bytes.fromhex(colour[1:]), ground, strict=True):
                yield round(none + (full - none) * shade / (_SHADES - 1))
