"""What agents are held against, and the table and curves that show it."""

import itertools
import json
import sys

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from batchsim import make_vec
from batchsim.torch import Hyperparameters
from batchsim.torch.evaluate import evaluation_seeds
from benchmarks import learning, references

EPISODES = 12


def test_no_plan_for_the_basic_scenario_beats_the_best(opened):
    """Every sequence of some actions, from each of some starts, against the search."""
    plans = np.array(list(itertools.product(range(4), repeat=6)))
    seeds = evaluation_seeds(EPISODES, 0)
    best = references.best_returns_of_basic(seeds)
    envs = opened(make_vec("EgoBasic-v0", len(plans), width=1, height=1))
    for seed, expected in zip(seeds, best, strict=True):
        envs.reset(seed=[seed] * len(plans))
        total, over = np.zeros(len(plans)), np.zeros(len(plans), bool)
        for step in range(plans.shape[1]):
            _, rewards, terminated, _, _ = envs.step(plans[:, step])
            total += np.where(over, 0.0, rewards)
            over |= terminated
        # Who has not hit by now has paid for all steps, and will for one more at least.
        within = total[over].max(initial=-np.inf)
        latest = 100 - 4 * plans.shape[1]
        assert within == expected if expected > latest else within == -np.inf
    assert (best > latest).any()


def test_the_mean_of_the_best_is_that_of_the_evaluations_episodes():
    seeds = evaluation_seeds(EPISODES, 3)
    best = references.best_of_basic(EPISODES, 3)
    assert best == references.best_returns_of_basic(seeds).mean()
    random = references.reference("EgoBasic-v0", EPISODES, 3).random
    assert random.episodes == EPISODES
    assert random.lowest < random.mean < best


def test_living_to_the_end_brings_a_point_a_tic():
    assert references.reference("EgoHealthGathering-v0", 2, 0).best == 4 * 525


def test_what_is_best_is_not_known_everywhere():
    assert references.reference("CartPole-v1", 2, 0).best is None


def run(module, arguments, monkeypatch):
    """The exit status of a benchmark's command."""
    import typer

    from batchsim.commands import options

    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command()(module.main)
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        options.run(app)
    return exit_.value.code or 0


def test_random_and_best_are_shown(monkeypatch, capsys):
    ids = "EgoBasic-v0,CartPole-v1"
    assert run(references, ["--env", ids, "--episodes", 3], monkeypatch) == 0
    shown = capsys.readouterr().out
    assert f"{references.best_of_basic(3, 0):,.1f}" in shown
    assert "unknown" in shown


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (references, ["--env", "EgoBasi-v0"], "--env names 'EgoBasi-v0' (did you mean 'EgoBasic-"),
        (references, ["--episodes", "0"], "--episodes is 0; expected a whole number of at least 1"),
        (references, ["--seed", "-1"], "--seed is -1; expected"),
        (learning, ["--plot", "curves.txt"], "The plot file is curves.txt; expected"),
        (learning, ["--plot", "no/such/curves.png"], "cannot be written"),
        (learning, ["--runs", "no/such.json"], "--runs names 'no/such.json', which cannot be read"),
        (learning, ["--env", "CartPol-v1"], "--env names 'CartPol-v1' (did you mean 'CartPole-v1'"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(module, arguments, message, monkeypatch, capsys):
    assert run(module, arguments, monkeypatch) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "column"),
    [
        ([], "gymnasium, s"),
        (["--no-baseline"], "at random"),
        (["--iterations", 2], "gymnasium, minutes"),
    ],
)
def test_a_table_figures_and_curves_are_written(options, column, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib")
    how = Hyperparameters(num_envs=8, steps=16, total_steps=512, minibatches=2)
    monkeypatch.setattr(learning, "hyperparameters_for", lambda id: how)
    threads = torch.get_num_threads()
    places = {name: tmp_path / f"learning.{name}" for name in ("json", "md", "png")}
    arguments = ["--env", "CartPole-v1", "--seeds", 2, "--json", places["json"]]
    arguments += ["--markdown", places["md"], "--plot", places["png"]]
    assert run(learning, [*arguments, *options], monkeypatch) == 0
    torch.set_num_threads(threads)
    runs = json.loads(places["json"].read_text())
    assert [found["ours"]["seed"] for found in runs] == [0, 1]
    for found in runs:
        assert [point["steps"] for point in found["curve"]] == [128, 256, 384, 512]
        seconds = [point["seconds"] for point in found["curve"]]
        assert seconds == sorted(seconds)
        assert seconds[0] > 0
        assert found["same_agent"] is (None if "--no-baseline" in options else True)
        assert (found["reference"] is None) is (not options)
        if found["sample"] is not None:
            assert found["sample"]["iterations"] == 2
            assert found["sample"]["of"] == 4
    lines = places["md"].read_text().splitlines()
    assert lines[2].count("|") == lines[-1].count("|") == lines[3].count("|")
    assert column in lines[2]
    assert "successes" not in lines[2], "CartPole pays at every step"
    assert places["png"].read_bytes().startswith(b"\x89PNG")
    assert "How soon an agent learns" in capsys.readouterr().out
    again = ["--runs", places["json"], "--markdown", places["md"]]
    assert run(learning, again, monkeypatch) == 0
    assert places["md"].read_text().splitlines() == lines
