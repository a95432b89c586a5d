"""The page: what is grouped into which figure and table, and the template that they go into."""
import pathlib
import statistics
from collections import defaultdict
from typing import Any, Callable, Iterable

import jinja2
import markupsafe
import numpy

from . import plots, text
from .comparison import Comparison, compare_reports
from .plots import Line, Plot
from .reader import Measurement, Report


class Numbers:
    """Figures are numbered over the whole page: their parts have names."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        self.last += 1
        return self.last


def grouped(measurements: Iterable[Measurement], key: Callable[[Measurement], Any]) -> dict[Any, list[Measurement]]:
    groups: dict[Any, list[Measurement]] = defaultdict(list)
    for one in measurements:
        groups[key(one)].append(one)
    return groups


def is_scaling(one: Measurement) -> bool:
    return one.parameters.get("scaling") in ("weak", "strong") and "pairs" in one.parameters


def label_of(group: list[Measurement], what: str, provider: str, way: str) -> str:
    """The provider only where a way was measured over several."""
    providers = {one.provider for one in group if one.what == what}
    return ", ".join(filter(None, (what, provider if len(providers) > 1 else "", way)))


def parts_of(lines: list[Line]) -> list[list[Line]]:
    """No more lines in a figure than can be told apart; the ceilings in each."""
    own, ceilings = [line for line in lines if not line.is_ceiling], [line for line in lines if line.is_ceiling]
    return [own[at:at + plots.LINES_MAX] + ceilings for at in range(0, len(own), plots.LINES_MAX)] or [ceilings][:len(ceilings)]


def is_distribution(one: Measurement) -> bool:
    """Of single operations, and many enough of them."""
    return one.count == 1 and len(one.samples) >= plots.DISTRIBUTION_SAMPLES_MIN


def rate_plots(report: Report, numbers: Numbers) -> list[Plot]:
    """One of each question: a line of each way, and the ceilings that were measured beside them."""
    made = []
    of_latency = {one.question for one in report.measurements if is_distribution(one)}  # Shown as such.
    shown = (one for one in report.measurements if one.size_bytes > 0 and not is_scaling(one) and one.question not in of_latency)
    for question, group in grouped(shown, lambda one: one.question).items():
        beside: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for one in group:
            if one.partner is not None and one.partner.bytes > 0:
                beside[one.partner.what][one.size_bytes].append(one.partner.rate())
        lines = []
        for (what, provider, way), ones in grouped(group, lambda one: (one.what, one.provider, one.way())).items():
            sizes = grouped(ones, lambda one: one.size_bytes)
            if len(sizes) > 1:
                lines.append(Line(label_of(group, what, provider, way), sorted(sizes),
                                  [statistics.median(one.rate() for one in sizes[size]) for size in sorted(sizes)],
                                  is_ceiling=what in beside))
        if not lines:
            continue
        for what in beside.keys() - {one.what for one in group}:  # Else it has its line.
            sizes = sorted(beside[what])
            lines.append(Line(f"{what}, measured beside it", sizes, [statistics.median(beside[what][size]) for size in sizes],
                              is_ceiling=True))
        made += [plots.rate_over_size(f"{question}: rate over size", part, numbers.next()) for part in parts_of(lines)]
    return made


def latency_plots(report: Report, numbers: Numbers) -> list[Plot]:
    made = []
    groups = grouped(filter(is_distribution, report.measurements), lambda one: (one.question, one.size_bytes))
    for (question, size), group in groups.items():
        title = f"latency of {text.size(size)}" if question == "latency" else f"{question}: latency of {text.size(size)}"
        made += [plots.latency(title, group[at:at + plots.LINES_MAX], numbers.next()) for at in range(0, len(group), plots.LINES_MAX)]
    return made


def scaling_plots(report: Report, numbers: Numbers) -> list[Plot]:
    made = []
    of_kind = grouped(filter(is_scaling, report.measurements), lambda one: one.parameters["scaling"])
    for kind, group in of_kind.items():
        beside = {one.partner.what for one in group if one.partner is not None}
        lines = []
        for (what, provider, way), ones in grouped(group, lambda one: (one.what, one.provider, one.way())).items():
            rates = {one.parameters["pairs"]: one.rate() for one in ones if one.size_bytes > 0}
            pairs = sorted(rates)
            if len(pairs) > 1:
                lines.append(Line(label_of(group, what, provider, way), pairs, [rates[count] / rates[pairs[0]] for count in pairs],
                                  is_ceiling=what in beside))
        explained = "as much for each pair" if kind == "weak" else "as much in all"
        made += [plots.scaling(f"{kind} scaling: {explained}", part, numbers.next()) for part in parts_of(lines)]
    return made


def measurement_row(one: Measurement) -> list[str]:
    times = numpy.asarray(one.samples)
    parameters = "; ".join(f"{key} {text.value(key, value)}" for key, value in one.parameters.items())
    return [one.what, one.provider, one.way(), text.size(one.size_bytes), f"{one.count:,}", text.seconds(one.median()),
            f"{text.seconds(times.min())} … {text.seconds(times.max())}", str(len(times)),
            text.number(one.rate()) if one.size_bytes else "–", text.number(one.count / one.median()),
            f"{text.number(one.ratio())} of {one.partner.what}" if one.ratio() is not None and one.partner else "–", parameters]


MEASUREMENT_HEAD = ["what", "provider", "way", "size", "count", "median", "least … most", "samples", "GiB/s", "per second", "ratio",
                    "parameters"]
DETAIL_HEAD = ["what", "way", "size", "detail", "value"]
PERCENTILE_HEAD = ["what", "way", "size", "samples", "p50", "p90", "p99", "most"]
RANK_HEAD = ["rank", "calls", "failed", "objects", "bytes", "busy seconds", "GiB/s while busy"]
COMPARISON_HEAD = ["question", "what", "provider", "way", "size", "first", "second", "ratio", "95 % interval", "outcome"]


def detail_rows(measurements: list[Measurement]) -> list[list[str]]:
    def shown(key: str, value: Any) -> str:
        if isinstance(value, list) and value and all(isinstance(one, (int, float)) for one in value):
            return f"median {text.value(key, statistics.median(value))} ({text.value(key, min(value))} … {text.value(key, max(value))})"
        return text.value(key, value)
    return [[one.what, one.way(), text.size(one.size_bytes), key, shown(key, value)]
            for one in measurements for key, value in one.details.items()]


def percentile_rows(measurements: list[Measurement]) -> list[list[str]]:
    rows = []
    for one in measurements:
        if is_distribution(one):
            times = numpy.asarray(one.samples)
            rows.append([one.what, one.way(), text.size(one.size_bytes), str(len(times)),
                         *(text.seconds(value) for value in numpy.percentile(times, (50, 90, 99, 100)))])
    return rows


def rank_rows(report: Report) -> list[list[str]]:
    rows = []
    for rank in sorted({call.rank for call in report.calls}):
        own = [call for call in report.calls if call.rank == rank]
        busy = sum(call.end_s - call.begin_s for call in own)
        moved = sum(call.bytes for call in own)
        rows.append([str(rank), str(len(own)), str(sum(call.failed for call in own)), f"{sum(call.objects for call in own):,}",
                     text.size(moved), f"{busy:.2f}", text.number(moved / (1 << 30) / busy if busy else None)])
    return rows


def comparison_row(one: Comparison) -> list[str]:
    of = one.measurement
    interval = f"{one.low:.3f} … {one.high:.3f}" if one.low is not None else "–"
    return [of.question, of.what, of.provider, of.way(), text.size(of.size_bytes), text.seconds(one.first_s),
            text.seconds(one.second_s), f"{one.ratio:.3f}", interval, one.verdict()]


def facts(report: Report) -> list[tuple[str, str]]:
    rows = [("tool", f"{report.tool} {report.version}"), ("time", report.time), ("command", " ".join(report.command)),
            ("provider", report.provider)]
    rows += [(key, text.value(key, value)) for key, value in report.libraries.items()]
    rows += [(key.replace("_bytes", "").replace("_", " "), text.value(key, value)) for key, value in report.machine.items()]
    return [(key, value) for key, value in rows if value]


def section_of(report: Report, numbers: Numbers) -> dict[str, Any]:
    by_question = grouped(report.measurements, lambda one: one.question)
    return {
        "name": pathlib.Path(report.file).name, "facts": facts(report), "notes": report.notes,
        "others": [(key, text.value(key, value)) for key, value in report.others.items()],
        "settings": [(key, text.value(key, value)) for key, value in report.settings.items()],
        "rates": rate_plots(report, numbers), "latencies": latency_plots(report, numbers), "scalings": scaling_plots(report, numbers),
        "timeline": [plots.timeline("what each rank did when", report.calls, numbers.next())] if report.calls else [],
        "ranks": rank_rows(report),
        "tables": [(question, [measurement_row(one) for one in group]) for question, group in by_question.items()],
        "percentiles": percentile_rows(report.measurements), "details": detail_rows(report.measurements),
    }


def comparison_of(first: Report, second: Report, numbers: Numbers) -> dict[str, Any]:
    both, first_only, second_only = compare_reports(first, second)
    parts = [both[at:at + plots.ROWS_MAX] for at in range(0, len(both), plots.ROWS_MAX)]
    differences = [(key, dict(facts(first)).get(key, "–"), dict(facts(second)).get(key, "–")) for key in
                   dict.fromkeys([key for key, _ in facts(first) + facts(second)])]
    outcomes = [one.verdict() for one in both]
    return {
        "first": pathlib.Path(first.file).name, "second": pathlib.Path(second.file).name,
        "summary": ", ".join(f"{outcomes.count(word)} {word}" for word in ("faster", "slower", "no difference shown", "too few samples")
                             if word in outcomes),
        "plots": [plots.ratios("how much faster the second run is", part, numbers.next()) for part in parts],
        "rows": [comparison_row(one) for one in both],
        "differences": [row for row in differences if row[1] != row[2] and row[0] not in ("time", "load")],
        "alone": [(f"only in the {which}", f"{one.question}: {one.what}", one.way(), text.size(one.size_bytes))
                  for which, ones in (("first", first_only), ("second", second_only)) for one in ones],
    }


def page_of(reports: list[Report], is_comparison: bool) -> str:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["picture"] = lambda plot: markupsafe.Markup(plot.svg)  # Made by us of escaped text.
    numbers = Numbers()
    return environment.get_template("page.html").render(
        comparison=comparison_of(*reports, numbers) if is_comparison else None,
        sections=[section_of(report, numbers) for report in reports],
        heads={"measurement": MEASUREMENT_HEAD, "detail": DETAIL_HEAD, "percentile": PERCENTILE_HEAD, "rank": RANK_HEAD,
               "comparison": COMPARISON_HEAD})
