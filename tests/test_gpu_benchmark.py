"""`python -m benchmarks.gpu` measures, whatever fails: its own logic, on the CPU."""

import dataclasses
import json
import time

import pytest

pytest.importorskip("torch")

import torch
from command_line import status_of

from batchsim.commands import options
from benchmarks.gpu import __main__ as command
from benchmarks.gpu import parts, report
from benchmarks.gpu.sizes import FULL, SMALL

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def work(tmp_path):
    return parts.Work(torch.device("cpu"), SMALL, time.time() + 280, tmp_path / "part.jsonl")


def told(work):
    return [json.loads(line) for line in work.file.read_text(encoding="utf-8").splitlines()]


def run(*arguments):
    """The exit status of the command."""
    return status_of(lambda: options.run(command.app), *arguments)


def test_all_parts_together_take_less_than_eight_minutes():
    assert FULL.budgets.keys() == SMALL.budgets.keys() == parts.PARTS.keys()
    assert sum(FULL.budgets.values()) <= 465.0


def test_a_part_that_is_ended_or_fails_keeps_none_of_the_others_from_running(
    tmp_path, monkeypatch, capsys
):
    pytest.importorskip("matplotlib")
    budgets = {**SMALL.budgets, "idle": 0.01}
    monkeypatch.setattr(command, "SMALL", dataclasses.replace(SMALL, budgets=budgets))
    out = tmp_path / "found"
    status = run("--device", "cpu", "--small", "--parts", "idle,scaling", "--out", out)
    printed = capsys.readouterr()
    found = json.loads((out / "gpu.json").read_text(encoding="utf-8"))
    assert status == 1, printed.err
    assert found["parts"]["idle"]["failed"] == "it was ended after its 0 s"
    speeds = [case["steps_per_second"] for case in found["parts"]["scaling"]["cases"]]
    assert len(speeds) >= 1
    assert min(speeds) > 1e4
    assert "The part failed: it was ended" in (out / "gpu.md").read_text(encoding="utf-8")
    assert (out / "scaling.png").exists()
    assert not (out / "idle.png").exists()
    assert "idle: 0 s, 0 cases, it was ended" in printed.out


def test_rollouts_and_idle_shares_are_measured(work):
    parts.collector(work)
    parts.idle(work)
    rollouts, idle = told(work)[:2], told(work)[2:]
    for case in rollouts:
        assert case["policy"] == "perceptron"
        assert 0.5 < case["environment_share"] + case["policy_share"] <= 1.0
    assert [case["num_splits"] for case in idle] == [1, 2]
    assert all(0.0 < case["idle_share"] < 1.0 for case in idle)


def test_a_training_that_was_killed_becomes_the_same_agent(work):
    parts.train(work)
    (case,) = told(work)
    assert case["same_bits"]
    assert case["mean_return"] == case["resumed_mean_return"]
    assert 0 < case["killed_at"] < case["total_steps"]


def test_what_there_is_no_time_for_is_told_as_well_as_what_fails(work):
    cases = [{"env": "a"}, {"env": "b"}]

    def how(work, env):
        if env == "b":
            raise RuntimeError("no memory\nand more")
        return {"steps_per_second": 1.0}

    work.measure(cases, how)
    work.until = 0.0
    work.measure(cases, how)
    found = told(work)
    assert found[0] == {"env": "a", "steps_per_second": 1.0}
    assert [case.get("failed") for case in found[1:]] == [
        "RuntimeError: no memory",
        *["there was no time left for it"] * 2,
    ]
    part = {"cases": found, "failed": None}
    text = report.tables({"parts": {"scaling": part}})
    assert "| a | 1 |" in text
    assert "Failed: env b: RuntimeError: no memory." in text


@pytest.mark.parametrize(
    ("spans", "whole"),
    [
        ([], 0),
        ([(0, 2), (1, 4), (2, 3)], 4),
        ([(5, 6), (0, 1)], 2),
        ([(0, 9), (1, 2), (8, 10)], 10),
    ],
)
def test_time_in_which_operations_overlap_counts_once(spans, whole):
    assert parts.covered(spans) == whole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "device is 'tpu'; expected"),
        (["--device", "cpu", "--parts", "idle,idel"], "idel"),
        (["--device", "cpu"], "which is not empty; expected a new folder"),
    ],
)
def test_bad_input_is_one_sentence(arguments, message, tmp_path, capsys):
    (tmp_path / "figures.json").write_text("{}")
    assert run(*arguments, "--out", tmp_path) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out
