"""Intervals against scipy, published examples and the truth of simulated worlds."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from planted import random_regression
from scipy import stats

from components.evaluator import intervals, names
from components.evaluator.answers import answers
from components.evaluator.intervals import UNKNOWN
from components.evaluator.ranking import areas_under_curve
from components.evaluator.regression import regression_metrics


def ends(estimate):
    return (estimate.low, estimate.high)


@hypothesis.given(st.integers(1, 3000), st.floats(0, 1))
def test_a_proportions_interval_is_scipys_wilson(n, share):
    hits = round(n * share)
    expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
    found = intervals.proportion(hits, n)
    assert found.value == hits / n
    assert ends(found) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.value <= found.high


def between(hits_a, n_a, hits_b, n_b):
    return intervals.difference(
        intervals.proportion(hits_a, n_a), intervals.proportion(hits_b, n_b)
    )


def test_of_nothing_nothing_is_known():
    nothing = np.zeros(0)
    assert intervals.proportion(0, 0) == UNKNOWN
    assert between(1, 2, 0, 0) == UNKNOWN
    assert intervals.paired_difference(nothing.astype(bool), nothing.astype(bool)) == (UNKNOWN, 1.0)
    assert intervals.mean(nothing) == UNKNOWN
    assert intervals.mean(np.array([3.0])) == UNKNOWN
    assert intervals.bootstrap(lambda weights: weights.sum(1), 0) == UNKNOWN
    assert intervals.bootstrap_counts(lambda c: c[:, :1], np.zeros(2, int)) == [UNKNOWN]


def test_what_is_not_a_number_has_no_interval():
    values = np.array([0.1, np.nan, 0.3])
    assert intervals.mean(values) == UNKNOWN
    assert intervals.bootstrap(lambda weights: weights @ values, 3) == UNKNOWN


def test_a_mean_has_students_interval():
    values = np.random.default_rng(1).exponential(size=40)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    found = intervals.mean(values)
    assert found.value == pytest.approx(values.mean())
    assert ends(found) == pytest.approx((expected.low, expected.high))


def test_newcombes_own_examples():
    """Statistics in Medicine 17:873, table II, method 10, examples (a) and (h)."""
    found = between(56, 70, 48, 80)
    assert (found.value, *ends(found)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert ends(between(10, 10, 0, 10)) == pytest.approx((0.6075, 1.0), abs=5e-5)


def hits(n, gained, lost):
    """Two models' hits of n examples, of which only the first got `gained`, only the other `lost`."""
    a, b = np.ones(n, bool), np.ones(n, bool)
    b[:gained] = False
    a[gained : gained + lost] = False
    return a, b


def test_a_paired_difference_is_tested_by_mcnemar():
    estimate, p = intervals.paired_difference(*hits(100, 12, 4))
    assert estimate.value == pytest.approx(0.08)
    assert p == pytest.approx(2 * stats.binom.cdf(4, 16, 0.5))
    # (gained + 1) / (n + 2) − (lost + 1) / (n + 2) = 8 / 102, error √((18/102 − (8/102)²) / 102)
    assert ends(estimate) == pytest.approx((8 / 102 - 0.0801, 8 / 102 + 0.0801), abs=1e-4)


def test_pairing_sees_what_two_separate_means_do_not():
    a, b = hits(1000, 15, 3)
    a[-300:] = b[-300:] = False
    paired, p = intervals.paired_difference(a, b)
    separate = between(a.sum(), 1000, b.sum(), 1000)
    assert paired.low > 0 > separate.low
    assert p < 0.01


def test_equal_answers_differ_by_nothing():
    a, b = hits(50, 0, 0)
    estimate, p = intervals.paired_difference(a, b)
    assert (estimate.value, p) == (0, 1)
    assert estimate.low < 0 < estimate.high


def test_a_paired_difference_of_values_is_a_t_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.3, 1, 30), rng.normal(0, 1, 30)
    expected = stats.ttest_rel(a, b)
    estimate, p = intervals.paired_difference(a, b)
    assert p == pytest.approx(expected.pvalue)
    assert ends(estimate) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert intervals.paired_difference(a, a)[1] == 1
    assert intervals.paired_difference(np.array([2.0, 2.0]), np.array([1.0, 1.0]))[1] == 0


def test_a_bootstrap_of_the_mean_is_near_the_t_interval_and_repeats_itself():
    values = np.random.default_rng(3).normal(2, 1, 400)
    statistic = lambda weights: weights @ values / weights.sum(1)  # noqa: E731
    found = intervals.bootstrap(statistic, 400, seed=5, replicates=4000)
    expected = intervals.mean(values)
    assert found.value == pytest.approx(values.mean())
    assert ends(found) == pytest.approx(ends(expected), abs=0.01)
    assert found == intervals.bootstrap(statistic, 400, seed=5, replicates=4000)
    assert found != intervals.bootstrap(statistic, 400, seed=6, replicates=4000)


def test_counts_and_examples_give_one_interval():
    """With so many examples, resamples are drawn in chunks of 20."""
    kinds = np.repeat([0, 1, 2], [60_000, 30_000, 10_000])
    one_hot = np.eye(3)[kinds]
    share = lambda counts: (counts[:, 1] / counts.sum(1))[:, None]  # noqa: E731
    [by_counts] = intervals.bootstrap_counts(share, np.bincount(kinds), replicates=2000)
    [by_example] = intervals.bootstraps(lambda w: share(w @ one_hot), len(kinds), replicates=100)
    assert by_counts.value == by_example.value == 0.3
    assert ends(by_counts) == pytest.approx(ends(intervals.proportion(30_000, 100_000)), abs=2e-4)
    assert ends(by_example) == pytest.approx(ends(by_counts), abs=1.5e-3)


def covered(estimates, truth) -> float:
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


@pytest.mark.parametrize(("n", "p"), [(457, 0.9), (60, 0.8), (2000, 0.97)])
def test_wilsons_interval_covers_the_truth(n, p):
    """Exactly: the probability of all outcomes whose interval holds p."""
    inside = [(e := intervals.proportion(k, n)).low <= p <= e.high for k in range(n + 1)]
    assert 0.93 <= stats.binom.pmf(np.arange(n + 1), n, p) @ inside <= 0.97


@pytest.mark.parametrize(("n", "gain", "loss"), [(300, 0.05, 0.05), (1000, 0.06, 0.04)])
def test_the_paired_differences_interval_covers_the_truth(n, gain, loss):
    rng = np.random.default_rng(4)
    counts = rng.multinomial(n, [gain, loss, 1 - gain - loss], 2000)
    found = [intervals.paired_difference(*hits(n, g, s))[0] for g, s, _ in counts]
    assert 0.93 <= covered(found, gain - loss) <= 0.97


def test_the_difference_of_groups_interval_covers_the_truth():
    rng = np.random.default_rng(5)
    draws = zip(rng.binomial(80, 0.85, 2000), rng.binomial(150, 0.8, 2000), strict=True)
    found = [between(a, 80, b, 150) for a, b in draws]
    assert 0.93 <= covered(found, 0.05) <= 0.97


def test_the_means_interval_covers_the_truth():
    """Of losses, which are skewed."""
    rng = np.random.default_rng(6)
    assert (
        0.93 <= covered([intervals.mean(rng.exponential(size=200)) for _ in range(2000)], 1) <= 0.97
    )


def test_delongs_interval_covers_the_truth():
    rng = np.random.default_rng(7)
    found = []
    for _ in range(800):
        own = rng.random(300) < 0.2
        areas, _ = areas_under_curve(rng.normal(own * 1.2)[:, None], own[:, None], np.array([0]))
        found += areas
    assert 0.93 <= covered(found, stats.norm.cdf(1.2 / 2**0.5)) <= 0.97


def test_the_intervals_of_numbers_cover_the_truth():
    """Bivariate normal; its rank correlation is 6 / pi * asin(r / 2) (Pearson 1907)."""
    rng = np.random.default_rng(8)
    found: dict[str, list] = {names.RMSE: [], names.R2: [], names.SPEARMAN: []}
    for seed in range(300):
        predictions = random_regression(seed=rng.integers(2**32))
        metrics = regression_metrics(predictions, answers(predictions), seed)
        for name, estimates in found.items():
            estimates.append(metrics[name])
    r = 1 / (1 + 0.5**2) ** 0.5
    truth = {names.RMSE: 0.5, names.R2: 1 - 0.5**2, names.SPEARMAN: 6 / np.pi * np.arcsin(r / 2)}
    for name, estimates in found.items():
        assert 0.93 <= covered(estimates, truth[name]) <= 0.97, name
