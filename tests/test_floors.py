"""The floors under the benchmarks' ratios: when one is missed, and what is said then."""

import itertools
import os

import numpy as np
import pytest

import batchsim
from benchmarks import floors, vizdoom
from benchmarks.pairs import Pair, Ratio, Side, median_interval


class Measured(Pair):
    """A pair whose ratios are those given, one a measurement."""

    def __init__(self, *ratios):
        self.ours = Side("ours", lambda: None, 1)
        self.theirs = Side("theirs", lambda: None, 1)
        self.coming = iter(ratios)
        self.longer = []
        self.samples = {}
        self.measure(1)

    def measure(self, longer=1):
        ratio = next(self.coming)
        self.longer.append(longer)
        self.samples = {"ours": [1e-9] * 5, "theirs": [ratio * 1e-9] * 5}


def test_a_median_lies_in_its_interval():
    samples = np.random.default_rng(0).normal(10.0, 1.0, 40)
    median, low, high = median_interval(samples)
    assert low <= median <= high
    assert median == np.median(samples)
    assert median_interval(samples) == (median, low, high)


def test_a_pair_times_both_sides_by_turns():
    order = []
    numbers = itertools.count()
    ours = Side("ours", lambda: order.append(("ours", next(numbers))), 4)
    theirs = Side("theirs", lambda: order.append(("theirs", next(numbers))), 2)
    pair = Pair(ours, theirs)
    pair.calls = {"ours": 1, "theirs": 1}
    order.clear()
    pair.measure()
    assert [side for side, _ in order] == ["theirs", "ours"] * pair.rounds
    assert len(pair.samples["ours"]) == len(pair.samples["theirs"]) == pair.rounds
    assert pair.ratio().low <= pair.ratio().median <= pair.ratio().high


def test_a_ratio_above_its_floor_is_measured_once():
    pair = Measured(5.0)
    assert [ratio.median for ratio in floors.reach(pair, 4.0)] == [5.0]


def test_a_ratio_under_its_floor_is_measured_twice_more_and_longer():
    pair = Measured(3.0, 3.5, 3.9)
    ratios = floors.reach(pair, 4.0)
    assert [round(ratio.median, 6) for ratio in ratios] == [3.0, 3.5, 3.9]
    assert pair.longer == [1, floors.LONGER, floors.LONGER]


def test_a_ratio_that_recovers_is_reached():
    assert [round(ratio.median, 6) for ratio in floors.reach(Measured(3.0, 4.5), 4.0)] == [3.0, 4.5]


def test_a_miss_says_which_by_how_much_and_since_when():
    pair = Measured(3.0, 3.0, 3.0)
    entry = {
        "floor": 4.0,
        "typical": 8.0,
        "date": "2026-01-31",
        "commit": "abc1234",
        "machine": "a CPU, 2 threads",
    }
    text = floors.explain("step-of-something", pair, floors.reach(pair, 4.0), entry)
    assert "step-of-something is 3 (3 to 3) then 3" in text
    assert "25% under its floor of 4" in text
    assert "It was 8 on 2026-01-31 at commit abc1234" in text
    assert "git bisect start HEAD abc1234" in text
    assert "BENCH_ARGS='-k step-of-something'" in text


def test_a_record_keeps_floors_and_comments(tmp_path):
    file = tmp_path / "floors.toml"
    file.write_text(
        "# why\n[a-pair]\nfloor = 2.5 # well under\n\n[another]\nfloor = 1\ntypical = 3\n"
    )
    floors.record({"a-pair": Ratio(4.321, 4.0, 5.0)}, file)
    text = file.read_text()
    assert text.startswith("# why\n[a-pair]\nfloor = 2.5 # well under\n")
    read = floors.read(file)
    assert read["a-pair"]["typical"] == 4.32
    assert read["another"] == {"floor": 1, "typical": 3}


def test_floors_stand_well_under_what_is_typical():
    for name, entry in floors.read().items():
        assert 0 < entry["floor"] <= 0.8 * entry["typical"], name


def test_an_unknown_compiler_is_named(monkeypatch):
    from benchmarks import c_library

    c_library.load.cache_clear()
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(RuntimeError, match=r"need a C compiler; no-such-compiler cannot be run"):
        c_library.load("cartpole.c", "-DNUMBER=double")
    c_library.load.cache_clear()


def test_vizdoom_is_played_with_the_buttons_of_ours():
    for id, scenario in (("EgoBasic-v0", "basic"), ("EgoBattle-v0", "deathmatch")):
        envs = batchsim.make_vec(id, 1)
        choices = np.atleast_1d(getattr(envs.single_action_space, "nvec", 4))
        envs.close()
        groups = vizdoom.BUTTONS[scenario]
        assert [len(group) + 1 for group in groups] == choices.tolist()
        pressed = vizdoom.draw_buttons(scenario, 1000)
        for last, group in zip(itertools.accumulate(map(len, groups)), groups, strict=True):
            held = pressed[:, last - len(group) : last].sum(1)
            assert set(held) == {0, 1}


def test_an_absent_peer_is_named():
    assert vizdoom.why_absent("numpy") is None or not hasattr(os, "sched_setaffinity")
    assert "no_such_peer is not installed" in vizdoom.why_absent("numpy", "no_such_peer")
