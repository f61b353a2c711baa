"""How many threads PyTorch computes with: the choice, never the times of this machine."""

import itertools
import time
from dataclasses import FrozenInstanceError

import pytest

torch = pytest.importorskip("torch")

from batchsim.torch import threads  # noqa: E402
from batchsim.torch.threads import Timing, pick_threads, time_threads  # noqa: E402

FASTEST = 0.001


@pytest.fixture(autouse=True)
def old_setting():
    old = torch.get_num_threads()
    yield old
    torch.set_num_threads(old)


def work_that_takes(seconds, calls=None):
    """A function that sleeps as long as `seconds` says for the number of threads that is set."""

    def work():
        number = torch.get_num_threads()
        if calls is not None:
            calls.append(number)
        time.sleep(seconds[number])

    return work


def timings(**seconds):
    """Timings by number of threads, written as one=0.1."""
    numbers = {"one": 1, "two": 2, "four": 4}
    return {numbers[name]: Timing(value, value, value, 9) for name, value in seconds.items()}


def test_more_threads_win_where_they_are_much_faster():
    choice = pick_threads(work_that_takes({1: 10 * FASTEST, 2: FASTEST}), candidates=[2, 1])
    assert choice.threads == 2 == torch.get_num_threads()
    assert list(choice.seconds) == [1, 2]
    assert choice.seconds[1] > choice.seconds[2] >= FASTEST


def test_one_thread_wins_a_draw():
    choice = pick_threads(work_that_takes({1: FASTEST, 2: FASTEST}), candidates=[1, 2])
    assert choice.threads == 1 == torch.get_num_threads()
    assert choice.reason.startswith("1 thread: a call takes ")
    assert "2 threads" in choice.reason
    assert choice.reason.count(". ") == 0


@pytest.mark.parametrize(
    ("found", "best"),
    [
        (timings(one=1.0, two=0.9), 1),
        (timings(one=1.0, two=0.8), 2),
        (timings(one=1.0, two=0.9, four=0.8), 4),
        (timings(one=1.0, two=0.5, four=0.45), 2),
        (timings(one=1.0, two=5.0, four=0.1), 4),
        (timings(two=1.0, four=0.9), 2),
    ],
)
def test_the_fewest_win_unless_more_are_a_fifth_faster(found, best):
    assert threads._best(found) == best


def test_rare_slow_calls_count_against_more_threads():
    found = {1: Timing(1.0, 1.0, 1.1, 100), 2: Timing(0.5, 3.0, 200.0, 100)}
    assert threads._best(found) == 1
    assert "(mean 3.00 s)" in threads._explain(1, found)


def test_a_hopeless_number_of_threads_gets_no_more_turns():
    calls = []
    found = time_threads(work_that_takes({1: FASTEST, 2: 0.05}, calls), [1, 2])
    assert calls.count(2) == 2
    assert calls.count(1) > 20
    assert found[2].calls == 1


def test_work_that_takes_longer_than_all_the_time_is_called_once_each():
    calls = []
    found = time_threads(work_that_takes({1: 0.04, 2: 0.04}, calls), [1, 2], seconds=0.05)
    assert calls == [1, 2]
    assert [timing.calls for timing in found.values()] == [1, 1]


def test_candidates_take_turns():
    calls = []
    time_threads(work_that_takes({1: FASTEST, 2: FASTEST}, calls), [1, 2], seconds=0.1)
    changes = sum(now != then for now, then in itertools.pairwise(calls))
    assert changes >= 3


def test_by_default_one_the_current_and_all_cpus_are_candidates(monkeypatch):
    monkeypatch.setattr(threads, "available_cpus", lambda: 3)
    torch.set_num_threads(2)
    choice = pick_threads(lambda: None)
    assert list(choice.seconds) == [1, 2, 3]
    assert torch.get_num_threads() == choice.threads


def test_one_candidate_is_set_unmeasured():
    def work():
        raise AssertionError("measured")

    choice = pick_threads(work, candidates=[2, 2])
    assert choice.threads == 2 == torch.get_num_threads()
    assert choice.seconds == {}
    assert choice.reason == "2 threads: the only candidate, so that nothing was measured."


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_the_old_setting_comes_back_when_work_raises(error, old_setting):
    def work():
        if torch.get_num_threads() == 2:
            raise error

    torch.set_num_threads(3)
    with pytest.raises(error):
        pick_threads(work, candidates=[1, 2])
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(
    ("candidates", "error", "message"),
    [
        ([0, 1], ValueError, "candidates[0] is 0; expected a whole number of at least 1"),
        ([1, -2], ValueError, "candidates[1] is -2; expected a whole number"),
        ([1, 10**9], ValueError, "candidates[1] is 1000000000; expected a whole number"),
        ([1.5], TypeError, "candidates[0] is 1.5; expected a whole number"),
        ([True, 2], TypeError, "candidates[0] is True; expected a whole number"),
        (["2"], TypeError, "candidates[0] is '2'; expected a whole number"),
        ([], ValueError, "candidates is empty; expected numbers of threads, such as [1, 2]."),
        (2, TypeError, "candidates is 2; expected numbers of threads"),
        ("12", TypeError, "candidates is '12'; expected numbers of threads"),
    ],
)
def test_bad_candidates_are_refused_in_one_sentence(candidates, error, message, old_setting):
    with pytest.raises(error) as caught:
        pick_threads(lambda: None, candidates=candidates)
    assert message in str(caught.value)
    assert torch.get_num_threads() == old_setting


def test_work_must_be_a_function(old_setting):
    with pytest.raises(TypeError, match="work is 7; expected a function without arguments"):
        pick_threads(7, candidates=[1, 2])
    assert torch.get_num_threads() == old_setting


def test_a_choice_cannot_be_changed():
    choice = pick_threads(lambda: None, candidates=[1])
    with pytest.raises(FrozenInstanceError):
        choice.threads = 2
