"""Observations of kinds and of words: plain spaces to Gymnasium, vectors looked up to a policy."""

import contextlib
import doctest

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from gymnasium.vector.utils import batch_space

from batchsim import symbols
from batchsim.batch.spaces import stacked
from batchsim.symbols import Symbols, are_tokens, mark_tokens
from batchsim.torch.encoder import MOST_VALUES, Encoder
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


def test_a_batch_and_a_stack_of_symbols_are_symbols():
    batch = batch_space(SPACE, 5)
    assert batch == Box(0, 255, (5, 2, 3, 3), np.uint8)
    assert batch.counts == SPACE.counts
    assert (batch.sample() < SPACE.counts).all()
    assert stacked(SPACE, 2).counts == SPACE.counts


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
    expected = ones @ lookup.vectors + lookup.bias
    assert torch.allclose(lookup(seen.flatten(1)), expected, atol=1e-5)
    weights = torch.randn(expected.shape)
    found, wanted = (
        torch.autograd.grad((made * weights).sum(), lookup.vectors)[0]
        for made in (lookup(seen.flatten(1)), expected)
    )
    assert torch.allclose(found, wanted, atol=1e-5)


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


# --- Texts ----------------------------------------------------------------------------------------

WORDS = [
    MultiDiscrete([3, 1, 5]),
    MultiDiscrete([3, 2], np.uint8, start=[4, 0]),
    Box(-2, 3, (2,), np.int16),
    Box(np.array([0, 7], np.uint8), np.array([255, 7], np.uint8)),
]
PICTURES = [SPACE, Box(0, 255, (12, 16, 3), np.uint8)]


@pytest.mark.parametrize("space", WORDS)
def test_tokens_are_looked_up_whatever_their_space(space):
    assert not are_tokens(space)
    marked = mark_tokens(space)
    assert marked == space
    assert are_tokens(marked)
    encoder = Encoder(marked, normalize=True)
    assert encoder.kinds == ["text"]
    space.seed(0)
    torch.nn.init.normal_(encoder.texts["0"].lookup.vectors)
    rows = np.unique(np.stack([space.sample() for _ in range(20)]), axis=0)
    found = encoder(torch.from_numpy(rows))
    assert found.shape == (len(rows), encoder.features)
    assert len(found.unique(dim=0)) == len(rows) > 2
    frames = Encoder(stacked(marked, 2), normalize=False)
    assert frames.kinds == ["text"]
    assert frames(torch.from_numpy(np.stack([rows, rows], 1))).shape == (len(rows), frames.features)


@pytest.mark.parametrize(
    ("space", "kind"),
    [
        (MultiDiscrete([1]), "discrete"),  # which always says the same
        (Box(-(2**63), 2**63 - 1, (2,), np.int64), "numbers"),
        (Box(0, MOST_VALUES, (1,), np.int64), "numbers"),
    ],
)
def test_tokens_that_cannot_be_looked_up_are_what_they_would_be_else(space, kind):
    assert Encoder(mark_tokens(space), normalize=False).kinds == [kind]


@pytest.mark.parametrize("picture", PICTURES)
def test_what_is_said_decides_how_a_picture_is_looked_at(picture):
    """The text is no mere addition: what it does depends on the picture."""
    said = mark_tokens(MultiDiscrete([4, 3]))
    encoder = ActorCritic(Dict(mission=said, picture=picture), Discrete(3)).encoder
    assert encoder.kinds == ["text", "symbols" if picture is SPACE else "pixels"]
    picture.seed(3)
    pictures = torch.from_numpy(np.stack([picture.sample() for _ in range(2)]))
    missions = torch.tensor([[0, 1], [3, 2]])
    one, other = (
        encoder({"mission": mission.expand(2, 2), "picture": pictures})[:, 64:]
        for mission in missions
    )
    changes = other - one
    assert not torch.allclose(changes[0], changes[1], atol=1e-4)
    one.sum().backward()
    assert all(
        weight.grad is not None for name, weight in encoder.named_parameters() if weight.numel()
    )


def test_pictures_without_texts_are_not_modulated():
    assert not [name for name in Encoder(SPACE, False).state_dict() if "modulation" in name]
