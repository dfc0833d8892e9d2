"""95 % intervals and paired tests, by formula where a good one is known, else by bootstrap."""

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy import stats

from components.evaluator.verdict import Estimate

UNKNOWN = Estimate(value=None, low=None, high=None)
REPLICATES = 1000
_TAIL = 0.025  # of the probability, on each side
_Z = float(stats.norm.ppf(1 - _TAIL))
_CHUNK = 2_000_000  # weights at a time: 16 MB


def proportion(hits: int, n: int) -> Estimate:
    """Wilson's score interval (E. B. Wilson 1927, JASA 22:209; recommended by Brown, Cai, DasGupta 2001).

    Args:
        hits: of `n` independent trials.
        n: none means that nothing is known.
    """
    if n == 0:
        return UNKNOWN
    p, shrunk = hits / n, 1 + _Z**2 / n
    centre = (p + _Z**2 / (2 * n)) / shrunk
    half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / shrunk
    # 0 and 1 are exact, whatever rounding makes of them.
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Estimate(value=p, low=low, high=high)


def mean(values: np.ndarray) -> Estimate:
    """Student's t interval of the mean of independent float [n]; nothing is known of fewer than 2 values."""
    value = float(np.mean(values)) if len(values) else math.nan
    if len(values) < 2 or not math.isfinite(value):
        return UNKNOWN
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf(1 - _TAIL, len(values) - 1)) * error
    return Estimate(value=value, low=value - half, high=value + half)


def difference(a: Estimate, b: Estimate) -> Estimate:
    """How far one of two independent values is above the other.

    The interval follows from theirs: Zou and Donner (2008, Statistics in Medicine 27:1693). Of two
    proportions it is Newcombe's hybrid score interval (1998, Statistics in Medicine 17:873, method 10).

    Args:
        a: the first, with its 95 % interval.
        b: the second; if nothing is known of one, nothing is known of the difference.
    """
    if UNKNOWN in (a, b):
        return UNKNOWN
    (a_value, a_low, a_high), (b_value, b_low, b_high) = known(a), known(b)
    value = a_value - b_value
    return Estimate(
        value=value,
        low=value - math.hypot(a_value - a_low, b_high - b_value),
        high=value + math.hypot(a_high - a_value, b_value - b_low),
    )


def known(estimate: Estimate) -> tuple[float, float, float]:
    """Value, low and high end of an estimate that is not unknown."""
    value, low, high = estimate.value, estimate.low, estimate.high
    assert value is not None
    assert low is not None
    assert high is not None
    return value, low, high


def paired_difference(a: np.ndarray, b: np.ndarray) -> tuple[Estimate, float]:
    """Mean of a − b on the same examples, and the p-value of a two-sided test that it is 0.

    Of hits: the adjusted Wald interval of Bonett and Price (2012, J. Educ. Behav. Stat. 37:479), and
    McNemar's exact test. Of other values: the paired t interval and t test.

    Args:
        a: bool or float [n].
        b: likewise.

    Returns:
        The difference, and p, which is 1 where nothing differs or fewer than two values are compared.
    """
    if a.dtype != bool or b.dtype != bool:
        return _paired_t(a.astype(float) - b.astype(float))
    n, gained, lost = len(a), int((a & ~b).sum()), int((b & ~a).sum())
    if n == 0:
        return UNKNOWN, 1.0
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = _Z * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    estimate = Estimate(
        value=(gained - lost) / n,
        low=max(-1.0, up - down - half),
        high=min(1.0, up - down + half),
    )
    discordant = gained + lost
    return estimate, float(stats.binomtest(gained, discordant).pvalue) if discordant else 1.0


def _paired_t(differences: np.ndarray) -> tuple[Estimate, float]:
    estimate = mean(differences)
    if estimate.value is None or not differences.any():
        return estimate, 1.0
    if np.ptp(differences) == 0:  # a constant difference, of which t is infinite
        return estimate, 0.0
    return estimate, float(stats.ttest_1samp(differences, 0).pvalue)


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray],
    n: int,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Estimate:
    """Interval of any statistic of `n` independent examples; see `bootstraps`.

    Args:
        statistic: float64 [r, n], how often each example was drawn → float [r].
        n: examples.
        seed: of the drawing.
        replicates: samples drawn.
    """
    [estimate] = bootstraps(lambda weights: statistic(weights)[:, None], n, seed, replicates)
    return estimate


def bootstraps(
    statistics: Callable[[np.ndarray], np.ndarray],
    n: int,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> list[Estimate]:
    """Intervals of m statistics from the same resamples: bias-corrected percentiles.

    Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 14.3, with no acceleration. The
    correction matters: a resample repeats examples, so that its calibration error is too high and its
    macro-F1 too low by about as much as the sample's own are.

    Args:
        statistics: float64 [r, n], how often each example was drawn → float [r, m]; called with ones [1, n]
            for the value itself.
        n: examples.
        seed: of the drawing.
        replicates: samples drawn.
    """
    values = statistics(np.ones((1, n)))[0]
    if n == 0:
        return [UNKNOWN] * len(values)
    drawn = np.concatenate([statistics(weights) for weights in _resamples(n, seed, replicates)])
    return [bias_corrected(value, column) for value, column in zip(values, drawn.T, strict=True)]


def bootstrap_counts(
    statistics: Callable[[np.ndarray], np.ndarray],
    counts: np.ndarray,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> list[Estimate]:
    """`bootstraps` of statistics that depend on the examples only through counts of kinds.

    To draw n examples is then to draw the counts from a multinomial distribution, at a cost that does not
    grow with n.

    Args:
        statistics: int64 [r, kinds] → float [r, m].
        counts: int [kinds], e.g. the cells of a confusion matrix.
        seed: of the drawing.
        replicates: samples drawn.
    """
    values = statistics(counts[None].astype(np.int64))[0]
    n = int(counts.sum())
    if n == 0:
        return [UNKNOWN] * len(values)
    kinds = np.flatnonzero(counts)  # an empty kind is never drawn
    drawn = np.zeros((replicates, len(counts)), np.int64)
    drawn[:, kinds] = np.random.default_rng(seed).multinomial(n, counts[kinds] / n, replicates)
    return [
        bias_corrected(value, column)
        for value, column in zip(values, statistics(drawn).T, strict=True)
    ]


def bias_corrected(value: float, drawn: np.ndarray) -> Estimate:
    """The interval of a value from its bootstrap replicates, float [r], without those that are NaN."""
    drawn = drawn[np.isfinite(drawn)]
    if not math.isfinite(value) or not len(drawn):
        return UNKNOWN
    below = ((drawn < value).sum() + 0.5 * (drawn == value).sum()) / len(drawn)
    if below in (0, 1):  # then no correction is known
        below = 0.5
    shift = 2 * stats.norm.ppf(below)
    tails = stats.norm.cdf([shift - _Z, shift + _Z])
    low, high = np.quantile(drawn, tails)
    return Estimate(value=float(value), low=min(float(low), value), high=max(float(high), value))


def _resamples(n: int, seed: int, replicates: int) -> Iterator[np.ndarray]:
    """Float64 [r, n] counts of n draws with replacement, `replicates` rows in all."""
    rng, rows = np.random.default_rng(seed), max(1, _CHUNK // n)
    for start in range(0, replicates, rows):
        r = min(rows, replicates - start)
        drawn = rng.integers(0, n, (r, n)) + np.arange(r)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=r * n).reshape(r, n).astype(float)
