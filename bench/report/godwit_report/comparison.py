"""Two runs side by side: by what factor the second is faster, and whether that is more than chance."""
import warnings
from dataclasses import dataclass

import numpy
import scipy.stats

from .reader import Measurement, Report

CONFIDENCE = 0.95
SAMPLES_MIN = 4  # With fewer a resampled median says nothing.
RESAMPLES = 4999


@dataclass(frozen=True)
class Comparison:
    measurement: Measurement  # Of the first run.
    first_s: float            # Medians.
    second_s: float
    ratio: float              # How often the second run does it while the first does it once.
    low: float | None         # Of the confidence interval; None: too few samples.
    high: float | None

    def verdict(self) -> str:
        if self.low is None or self.high is None:
            return "too few samples"
        if self.low <= 1 <= self.high:
            return "no difference shown"
        return "faster" if self.low > 1 else "slower"


def ratio_of_medians(first: numpy.ndarray, second: numpy.ndarray, axis: int) -> numpy.ndarray:
    return numpy.median(first, axis=axis) / numpy.median(second, axis=axis)


def compare(first: Measurement, second: Measurement) -> Comparison:
    low = high = None
    if min(len(first.samples), len(second.samples)) >= SAMPLES_MIN:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Samples that are all the same have no width, and that is so.
            interval = scipy.stats.bootstrap((first.samples, second.samples), ratio_of_medians, paired=False, vectorized=True,
                                             confidence_level=CONFIDENCE, n_resamples=RESAMPLES, method="percentile",
                                             random_state=1).confidence_interval
        low, high = float(interval.low), float(interval.high)
    return Comparison(first, first.median(), second.median(), first.median() / second.median(), low, high)


def compare_reports(first: Report, second: Report) -> tuple[list[Comparison], list[Measurement], list[Measurement]]:
    """What both have, and what the first or the second alone has. What was measured twice is taken in its order."""
    others: dict[tuple, list[Measurement]] = {}
    for one in second.measurements:
        others.setdefault(one.identity(), []).append(one)
    both, first_only = [], []
    for one in first.measurements:
        matches = others.get(one.identity())
        if matches:
            both.append(compare(one, matches.pop(0)))
        else:
            first_only.append(one)
    return both, first_only, [one for rest in others.values() for one in rest]
