"""Observations of kinds: a Box to Gymnasium, and vectors looked up to a policy."""

import contextlib
import doctest

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete

from batchsim import symbols
from batchsim.symbols import Symbols
from batchsim.torch.policy import ActorCritic
from batchsim.torch.ppo import Hyperparameters
from batchsim.torch.train import Settings, Training

SPACE = Symbols((2, 3, 3), (5, 4, 2))


def test_the_example_in_the_docstring_runs():
    assert not doctest.testmod(symbols, extraglobs={"np": np, "Box": Box}).failed


def test_symbols_are_a_box_of_bytes():
    assert Box(0, 255, (2, 3, 3), np.uint8) == SPACE
    SPACE.seed(1)
    samples = np.stack([SPACE.sample() for _ in range(100)])
    assert samples.dtype == np.uint8
    assert samples.max((0, 1, 2)).tolist() == [4, 3, 1]
    assert all(sample in SPACE for sample in samples)


def test_counts_are_one_a_byte():
    with pytest.raises(ValueError, match=r"counts is \(3, 4\); expected 3 numbers"):
        Symbols((2, 2, 3), (3, 4))


def test_what_is_looked_up_is_a_layer_over_ones_among_zeros():
    policy = ActorCritic(SPACE, Discrete(4))
    lookup = policy.encoder.lookups["0"]
    seen = torch.from_numpy(np.stack([SPACE.sample() for _ in range(7)]))
    ones = torch.cat(
        [
            torch.nn.functional.one_hot(seen[:, x, y, k].long(), count)
            for x in range(2)
            for y in range(3)
            for k, count in enumerate(SPACE.counts)
        ],
        -1,
    ).float()
    expected = torch.relu(ones @ lookup.vectors.weight + lookup.bias)
    assert torch.allclose(lookup(seen), expected, atol=1e-5)


def test_symbols_may_be_parts_of_an_observation():
    space = Dict(image=SPACE, direction=Discrete(4))
    policy = ActorCritic(space, Discrete(3))
    seen = {"image": torch.zeros(5, 2, 3, 3).byte(), "direction": torch.zeros(5, dtype=torch.int64)}
    assert policy.value(seen).shape == (5,)


def test_a_grid_world_is_trained_on():
    how = Hyperparameters(num_envs=16, steps=8, total_steps=256, minibatches=2)
    settings = Settings("MiniGrid-Empty-5x5-v0", how, device="cpu")
    with contextlib.closing(Training(settings)) as training:
        training.run()
        assert training.steps >= 256
