"""The figures: matplotlib's SVG, made fit to stand in a page. Sizes are chosen so that the text is readable on a phone."""
import io
import logging
import math
import os
import re
import statistics
import tempfile
import warnings
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

# It must be told before it is loaded. It has words for standard error when it makes its list of fonts, and when it may not keep
# it at home.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
if "MPLCONFIGDIR" not in os.environ and not os.access(os.path.expanduser("~"), os.W_OK | os.X_OK):
    own_directory = tempfile.TemporaryDirectory(prefix="godwit-report.")  # Until we end.
    os.environ["MPLCONFIGDIR"] = own_directory.name

import matplotlib  # noqa: E402
import matplotlib.ticker  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
import numpy  # noqa: E402

from . import text  # noqa: E402
from .comparison import Comparison  # noqa: E402
from .reader import Call, Measurement  # noqa: E402

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
WIDTH_INCHES = 4.8  # 346 units of the SVG: on a phone a unit is about a pixel.
FONT = 12
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#7a3db8", "#444444")
MARKERS = "osD^vP*X"
LINES_MAX = len(COLOURS)
ROWS_MAX = 16
DISTRIBUTION_SAMPLES_MIN = 20
CALLS_MAX = 2000  # With more of them, those that follow each other closely are drawn as one.

matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "godwit", "font.size": FONT, "axes.titlesize": FONT, "legend.fontsize": FONT,
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica"],
    "text.parse_math": False,  # Names are no formulae.
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd", "legend.frameon": False,
    "lines.linewidth": 1.8, "lines.markersize": 5,
})
warnings.filterwarnings("ignore", message="Glyph .* missing")  # The browser has other fonts.
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


@dataclass(frozen=True)
class Plot:
    title: str
    description: str  # What is to be seen, for who does not see it.
    svg: str


@dataclass
class Line:
    label: str
    xs: list[float]
    ys: list[float]
    is_ceiling: bool = False


def finish(figure: Figure, title: str, description: str, number: int) -> Plot:
    """Takes the picture out of matplotlib's file, and gives it names of its own and words for who cannot see it."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(out.getvalue())
    prefix = f"plot{number}-"
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                element.set(key, prefix + value)
            elif key == f"{{{XLINK}}}href" and value.startswith("#"):
                element.set(key, "#" + prefix + value[1:])
            elif "url(#" in value:
                element.set(key, value.replace("url(#", "url(#" + prefix))
    for child in [child for child in root if child.tag.endswith("}metadata") or child.tag.endswith("}defs") and len(child) == 1
                  and child[0].tag.endswith("}style")]:
        root.remove(child)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}title {prefix}description")
    for at, (tag, words) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": prefix + ("title" if at == 0 else "description")})
        element.text = words
        root.insert(at, element)
    return Plot(title, description, re.sub(r"\n\s*", "\n", ElementTree.tostring(root, encoding="unicode")))


def new_figure(rows_below: int = 0, height_inches: float = 3.1):
    figure = Figure(figsize=(WIDTH_INCHES, height_inches + 0.22 * rows_below), layout="constrained")
    return figure, figure.add_subplot()


def legend(axes, lines: int) -> None:
    if lines:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.12, -0.22), borderaxespad=0, labelspacing=0.25, handlelength=2.2)


def size_axis(axis, sizes: list[float]) -> None:
    """Powers of two, named, and no more of them than there is room for."""
    distinct = sorted(set(sizes))
    apart = math.log2(distinct[-1] / distinct[0]) / 4.2
    shown = [distinct[-1]]
    for one in reversed(distinct):
        if math.log2(shown[-1] / one) >= apart:
            shown.append(one)
    axis.set_major_locator(matplotlib.ticker.FixedLocator(shown))
    axis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: text.size(value)))


def draw(axes, lines: list[Line]) -> None:
    own = ceilings = 0
    for line in lines:
        if line.is_ceiling:
            axes.plot(line.xs, line.ys, linestyle=("--", "-.", ":")[ceilings % 3], color="#555555", marker="_",
                      label=text.shortened(line.label))
            ceilings += 1
            continue
        axes.plot(line.xs, line.ys, color=COLOURS[own % LINES_MAX], marker=MARKERS[own % LINES_MAX],
                  label=text.shortened(line.label))
        own += 1


def rate_over_size(title: str, lines: list[Line], number: int) -> Plot:
    figure, axes = new_figure(len(lines))
    draw(axes, lines)
    axes.set_xscale("log", base=2)
    size_axis(axes.xaxis, [x for line in lines for x in line.xs])
    rates = [y for line in lines for y in line.ys]
    if max(rates) > 100 * min(rates):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("size")
    axes.set_ylabel("GiB/s")
    legend(axes, len(lines))
    best = [f"{line.label}: at most {text.number(max(line.ys))} GiB/s" for line in lines]
    return finish(figure, title, "Rate in GiB/s over size. " + "; ".join(best) + ".", number)


def latency(title: str, group: list[Measurement], number: int) -> Plot:
    beside = {one.partner.what: statistics.median(one.partner.samples) / (one.partner.bytes / one.size_bytes) * 1e6
              for one in group if one.partner is not None and one.partner.bytes > 0 and one.size_bytes > 0}
    figure, axes = new_figure(len(group) + len(beside))
    words = []
    for i, one in enumerate(group):
        times = numpy.sort(numpy.asarray(one.samples)) * 1e6
        axes.step(times, numpy.arange(1, len(times) + 1) / len(times) * 100, where="post", color=COLOURS[i % LINES_MAX],
                  linestyle=("-", "--", "-.", ":")[i % 4], label=text.shortened(f"{one.what} {one.way()}".strip()))
        words.append(f"{one.what}: median {text.seconds(numpy.median(times) / 1e6)}, "
                     f"99 % within {text.seconds(numpy.percentile(times, 99) / 1e6)}")
    for i, (what, microseconds) in enumerate(beside.items()):
        axes.axvline(microseconds, color="#555555", linestyle=("--", "-.", ":")[i % 3],
                     label=text.shortened(f"{what}, mean of each sample"))
        words.append(f"{what}, measured beside it: {text.seconds(microseconds / 1e6)}")
    axes.set_xscale("log")
    least, most = axes.get_xlim()
    axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1,) if most / least > 200 else (1, 2, 5)))
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.set_ylim(0, 101)
    axes.set_xlabel("µs of one operation")
    axes.set_ylabel("% took no longer")
    legend(axes, len(group) + len(beside))
    return finish(figure, title, "Which part of the operations took no longer. " + "; ".join(words) + ".", number)


def scaling(title: str, lines: list[Line], number: int) -> Plot:
    """Rates over pairs, each as a multiple of its own at the fewest pairs; the ideal is the same line for all."""
    figure, axes = new_figure(len(lines) + 1)
    pairs = sorted({x for line in lines for x in line.xs})
    axes.plot(pairs, [x / pairs[0] for x in pairs], linestyle="--", color="black", label="ideal")
    draw(axes, lines)
    axes.xaxis.set_major_locator(matplotlib.ticker.FixedLocator(pairs))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pairs of ranks")
    axes.set_ylabel(f"times the rate of {pairs[0]:g}")
    legend(axes, len(lines) + 1)
    last = [f"{line.label}: {text.number(line.ys[-1])} times at {line.xs[-1]:g} pairs" for line in lines]
    return finish(figure, title, "How the rate of all pairs together grows. " + "; ".join(last) + ".", number)


def lanes(calls: list[Call]) -> list[int]:
    """For each call the first lane that is free when it begins; in order of their beginnings."""
    ends: list[float] = []
    chosen = []
    for call in calls:
        lane = next((i for i, end in enumerate(ends) if end <= call.begin_s), len(ends))
        ends[lane:lane + 1] = [call.end_s]
        chosen.append(lane)
    return chosen


def timeline(title: str, calls: list[Call], number: int) -> Plot:
    ranks = sorted({call.rank for call in calls})
    destinations = sorted({call.destination for call in calls})
    figure, axes = new_figure(min(len(destinations), LINES_MAX) + 1, min(1.4 + 0.34 * len(ranks), 12))
    nothing = max(call.end_s for call in calls) / 2000  # Too short a gap to be seen.
    for row, rank in enumerate(ranks):
        own = sorted((call for call in calls if call.rank == rank), key=lambda call: call.begin_s)
        at = lanes(own)
        height = 0.8 / (max(at) + 1)
        bars: dict[tuple[int, str, bool], list[tuple[float, float]]] = {}
        for call, lane in zip(own, at):
            bar = bars.setdefault((lane, call.destination, call.failed), [])
            if bar and len(calls) > CALLS_MAX and call.begin_s - sum(bar[-1]) < nothing:
                bar[-1] = (bar[-1][0], call.end_s - bar[-1][0])
            else:
                bar.append((call.begin_s, call.end_s - call.begin_s))
        for (lane, destination, is_failed), bar in bars.items():
            axes.broken_barh(bar, (row - 0.4 + lane * height, height * 0.9), hatch="///" if is_failed else None, edgecolor="white",
                             facecolors="#c00000" if is_failed else COLOURS[destinations.index(destination) % LINES_MAX],
                             linewidth=0.3)
    for i, destination in enumerate(destinations[:LINES_MAX]):
        axes.plot([], [], color=COLOURS[i], linewidth=6, label=text.shortened(f"to {destination}"))
    failed = sum(call.failed for call in calls)
    if failed:
        axes.plot([], [], color="#c00000", linewidth=6, label=f"failed ({failed})")
    step = -(-len(ranks) // 30)
    axes.set_yticks(range(0, len(ranks), step), [str(rank) for rank in ranks[::step]])
    axes.set_ylim(len(ranks) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("seconds since the start")
    axes.set_ylabel("rank")
    axes.legend(loc="upper left", bbox_to_anchor=(-0.12, -0.62 / (figure.get_figheight() - 1.2)), borderaxespad=0,
                labelspacing=0.25, handlelength=1.2)
    end = max(call.end_s for call in calls)
    return finish(figure, title, f"{len(calls)} calls of {len(ranks)} ranks within {end:.2f} s, {text.size(sum(c.bytes for c in calls))}, "
                  f"to {len(destinations)} destinations; {failed} failed.", number)


def ratios(title: str, rows: list[Comparison], number: int) -> Plot:
    figure, axes = new_figure(height_inches=1.0 + 0.5 * len(rows))
    for row, one in enumerate(rows):
        colour = {"faster": "#00704a", "slower": "#c00000"}.get(one.verdict(), "#555555")
        axes.plot([one.low or one.ratio, one.high or one.ratio], [row, row], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot([one.ratio], [row], marker="o", color=colour)
        # Above its line: beside it there would be no room on a phone.
        label = f"{one.measurement.what} {text.size(one.measurement.size_bytes)} {one.measurement.way()}"
        axes.annotate(text.shortened(label, 44), (0, row - 0.2), xycoords=("axes fraction", "data"), va="bottom",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0})
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks([])
    axes.set_ylim(len(rows) - 0.6, -0.9)
    axes.set_xlabel("times as fast as the first run")
    words = [f"{one.measurement.what} {text.size(one.measurement.size_bytes)}: {text.number(one.ratio)}, {one.verdict()}" for one in rows]
    return finish(figure, title, "Ratios with 95 % confidence intervals. " + "; ".join(words) + ".", number)
