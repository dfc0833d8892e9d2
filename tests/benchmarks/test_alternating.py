import pytest

from benchmarks.alternating import alternate, compare, spread, turns


def test_each_round_begins_with_another_contender():
    assert [turns(["a", "b", "c"], number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_contenders_take_turns_and_keep_their_results():
    calls = []

    def contender(name):
        def run(number):
            calls.append(name)
            return f"{name}{number}"

        return run

    told = []
    results = alternate({"a": contender("a"), "b": contender("b")}, 2, told.append)
    assert calls == ["a", "b", "b", "a"]
    assert results == {"a": ["a0", "a1"], "b": ["b0", "b1"]}
    assert told[2] == "round 2 of 2: b"


def test_the_ratio_is_the_median_of_the_pairs_not_of_the_medians():
    row = compare("speed", "some work", [1.0, 2.0, 4.0], [3.0, 2.0, 4.8], "s")
    assert row == {
        "name": "speed",
        "work": "some work",
        "ours": 2.0,
        "peer": 3.0,
        "unit": "s",
        "ratio": pytest.approx(1.2),
        "ratio_min": 1.0,
        "ratio_max": 3.0,
        "pairs": 3,
    }


@pytest.mark.parametrize(("ours", "peer"), [([], []), ([1.0], [1.0, 2.0])])
def test_unpaired_measurements_are_refused(ours, peer):
    with pytest.raises(ValueError, match="speed, some work"):
        compare("speed", "some work", ours, peer, "s")


def test_the_spread_shows_median_and_both_ends():
    assert spread([3.0, 1.0, 2.26]) == "2.3 (1.0 – 3.0)"
