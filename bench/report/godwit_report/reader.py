"""Reports as they are in files: read strictly, so that a page never shows what was not measured."""
import json
import math
import pathlib
import re
import statistics
from dataclasses import dataclass, field
from typing import Any

from . import text

VERSION = 1
# Exit codes as docs/reference/errors.md has them.
UNREADABLE, OTHER_VERSION, DAMAGED = 11, 9, 14
GIB = 1 << 30
SECONDS_MIN, SECONDS_MAX = 1e-12, 1e9  # What else can hardly have been measured.


class ReportError(Exception):
    """What is wrong, in which file and at which key, for people; and the exit code."""

    def __init__(self, text: str, exit_code: int):
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Partner:
    """What was measured beside it in the same run, the raw loop as a rule; if as often, then sample by sample."""
    what: str
    bytes: int
    samples: tuple[float, ...]

    def rate(self) -> float:
        return self.bytes / statistics.median(self.samples) / GIB


@dataclass(frozen=True)
class Measurement:
    question: str
    what: str
    provider: str
    source: str
    destination: str
    size_bytes: int
    count: int
    samples: tuple[float, ...]  # Seconds that `count` operations of `size_bytes` took.
    parameters: dict[str, Any]
    details: dict[str, Any]
    partner: Partner | None

    def median(self) -> float:
        return statistics.median(self.samples)

    def rate(self) -> float:
        """GiB/s."""
        return self.size_bytes * self.count / self.median() / GIB

    def ratio(self) -> float | None:
        """Of rates: the median of the ratios of samples that were taken beside each other, or else of the medians."""
        if self.partner is None or self.partner.bytes == 0 or self.size_bytes == 0:
            return None
        bytes_moved = self.size_bytes * self.count
        if len(self.samples) != len(self.partner.samples):
            return self.rate() / self.partner.rate()
        return statistics.median((bytes_moved / own) / (self.partner.bytes / beside)
                                 for own, beside in zip(self.samples, self.partner.samples))

    def way(self) -> str:
        return f"{self.source} → {self.destination}" if self.source or self.destination else ""

    def identity(self) -> tuple:
        """The same in two reports: may be compared."""
        return (self.question, self.what, self.provider, self.source, self.destination, self.size_bytes, self.count,
                json.dumps(self.parameters, sort_keys=True))


@dataclass(frozen=True)
class Call:
    """One migration of a bulk run."""
    rank: int
    source: str
    destination: str
    begin_s: float
    end_s: float
    bytes: int
    objects: int
    failed: bool


@dataclass(frozen=True)
class Report:
    file: str
    tool: str
    version: str
    time: str
    command: list[str]
    machine: dict[str, Any]
    provider: str
    libraries: dict[str, Any]
    settings: dict[str, Any]
    notes: list[str]
    measurements: list[Measurement] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    others: dict[str, Any] = field(default_factory=dict)  # The tool's own keys that have one value.


KINDS = {str: "a text", int: "a whole number", float: "a number", dict: "an object", list: "a list", bool: "true or false",
         type(None): "null"}


class Reader:
    """One object of the file, asked for its keys; errors name the file and the way to the key."""

    def __init__(self, file: str, where: str, value: Any):
        self.file, self.where = file, where
        if not isinstance(value, dict):
            raise self.wrong("", f"must be an object, and is {KINDS[type(value)]}")
        self.value = value

    def wrong(self, key: str, problem: str) -> ReportError:
        where = f"{self.where}.{key}".strip(".")
        return ReportError(f"{self.file}: {where or 'the report'} {problem}", DAMAGED)

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        if key not in self.value:
            if default is None:
                raise self.wrong(key, "is missing")
            return default
        value = self.value[key]
        is_right = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
        if not is_right:
            raise self.wrong(key, f"must be {KINDS[kind]}, and is {KINDS[type(value)]}")
        if kind is float and not math.isfinite(value):
            raise self.wrong(key, "must be a finite number")
        return value

    def natural(self, key: str, least: int = 0) -> int:
        value = self.get(key, int)
        if value < least:
            raise self.wrong(key, f"must be at least {least}, and is {value}")
        return value

    def seconds(self, key: str) -> float:
        value = self.get(key, float)
        if not 0 <= value <= SECONDS_MAX:
            raise self.wrong(key, f"must be from 0 to {SECONDS_MAX:g} seconds, and is {value}")
        return float(value)

    def texts(self, key: str) -> list[str]:
        values = self.get(key, list, [])
        for i, value in enumerate(values):
            if not isinstance(value, str):
                raise self.wrong(f"{key}[{i}]", f"must be a text, and is {KINDS[type(value)]}")
        return values

    def samples(self, key: str) -> tuple[float, ...]:
        values = self.get(key, list)
        if not values:
            raise self.wrong(key, "is empty")
        for i, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not SECONDS_MIN <= value <= SECONDS_MAX:
                raise self.wrong(f"{key}[{i}]", f"must be a number of seconds, from {SECONDS_MIN:g} to {SECONDS_MAX:g}, and is "
                                 f"{text.shortened(json.dumps(value))}")
        return tuple(float(value) for value in values)

    def only(self, *keys: str) -> None:
        for key in self.value:
            if key not in keys:
                raise self.wrong(key, "is no key of a measurement")

    def objects(self, key: str) -> list["Reader"]:
        return [Reader(self.file, f"{self.where}.{key}[{i}]".strip("."), value) for i, value in enumerate(self.get(key, list))]


def read_partner(of: Reader) -> Partner | None:
    if of.value.get("compared_with") is None:
        return None
    reader = Reader(of.file, f"{of.where}.compared_with", of.value["compared_with"])
    reader.only("what", "bytes", "samples")
    return Partner(reader.get("what", str), reader.natural("bytes"), reader.samples("samples"))


def read_parameters(of: Reader) -> dict[str, Any]:
    reader = Reader(of.file, f"{of.where}.parameters", of.get("parameters", dict, {}))
    if reader.value.get("scaling") in ("weak", "strong") and "pairs" in reader.value:
        reader.natural("pairs", 1)  # Rates are drawn as multiples of those of the fewest.
    return reader.value


def read_measurement(reader: Reader, provider: str) -> Measurement:
    reader.only("question", "what", "provider", "from", "to", "unit", "size_bytes", "count", "parameters", "samples", "compared_with",
                "details")
    if reader.get("unit", str) != "s":
        raise reader.wrong("unit", f"must be \"s\", and is {json.dumps(reader.value['unit'])}")
    return Measurement(reader.get("question", str), reader.get("what", str), reader.get("provider", str, provider) or provider,
                       reader.get("from", str, ""), reader.get("to", str, ""), reader.natural("size_bytes"),
                       reader.natural("count", 1), reader.samples("samples"), read_parameters(reader), reader.get("details", dict, {}),
                       read_partner(reader))


def read_call(reader: Reader) -> Call:
    call = Call(reader.natural("rank"), reader.get("source", str), reader.get("destination", str), reader.seconds("begin_s"),
                reader.seconds("end_s"), reader.natural("bytes"), reader.natural("objects"),
                reader.value.get("error") not in (None, "", 0, "GODWIT_OK"))
    if call.end_s < call.begin_s:
        raise reader.wrong("end_s", f"must not be before begin_s, {call.begin_s}, and is {call.end_s}")
    return call


NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(value: Any) -> Any:
    """Without characters that a page cannot have."""
    if isinstance(value, str):
        return NO_TEXT.sub("\ufffd", value)
    if isinstance(value, list):
        return [clean(one) for one in value]
    if isinstance(value, dict):
        return {clean(key): clean(one) for key, one in value.items()}
    return value


def whole_number(digits: str) -> int | float:
    """Beyond 64 bits there is nothing to count."""
    return int(digits) if len(digits) <= 19 else float(digits)


def parse(file: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number of JSON")
    try:
        data = pathlib.Path(file).read_bytes()
    except OSError as error:
        raise ReportError(f"{file}: cannot be read: {error.strerror}", UNREADABLE) from error
    if not data.strip():
        raise ReportError(f"{file}: is empty; did the tool end before it wrote its report?", DAMAGED)
    try:
        return clean(json.loads(data.decode("utf-8"), parse_constant=refuse, parse_int=whole_number))
    except (ValueError, RecursionError) as error:  # Also what is not UTF-8.
        raise ReportError(f"{file}: is not JSON: {error}", DAMAGED) from error


KEYS = ("report_version", "tool", "version", "time", "command", "machine", "provider", "libraries", "settings", "notes", "measurements",
        "calls")


def read_report(file: str) -> Report:
    value = parse(file)
    if not isinstance(value, dict) or "report_version" not in value:
        raise ReportError(f"{file}: is no report of a Godwit tool: it has no report_version", DAMAGED)
    if value["report_version"] != VERSION or isinstance(value["report_version"], bool):
        raise ReportError(f"{file}: has report_version {json.dumps(value['report_version'])}; this godwit-report reads version {VERSION}: "
                          "use the one that came with the tool that wrote it", OTHER_VERSION)
    top = Reader(file, "", value)
    if "measurements" not in value and "calls" not in value:
        raise top.wrong("measurements", "is missing, and so is calls: there is nothing to show")
    provider = top.get("provider", str)
    return Report(file, top.get("tool", str), top.get("version", str), top.get("time", str, ""), top.texts("command"),
                  top.get("machine", dict), provider, top.get("libraries", dict, {}), top.get("settings", dict, {}),
                  top.texts("notes"),
                  [read_measurement(one, provider) for one in top.objects("measurements")] if "measurements" in value else [],
                  [read_call(one) for one in top.objects("calls")] if "calls" in value else [],
                  {key: one for key, one in value.items() if key not in KEYS and not isinstance(one, (list, dict))})
