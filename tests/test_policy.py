"""Distributions are PyTorch's, noise is what was asked for, and encoders take every space."""

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Sequence, Text, Tuple
from torch import distributions, nn
from torch.nn import functional

from batchsim.torch import ActorCritic
from batchsim.torch import encoder as encoders
from batchsim.torch.encoder import ByteConvolution, Encoder, Normalizer
from batchsim.torch.policy import converter, distribution_of

pytestmark = pytest.mark.usefixtures("one_thread")

SEES = Box(-np.inf, np.inf, (3,), np.float32)
SAMPLES = 40_000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_policy(actions, sees=SEES, **arguments):
    return ActorCritic(sees, actions, generator=generator(), **arguments)


def random_like(shape, seed=0):
    return torch.randn(shape, generator=generator(seed))


# -- distributions ---------------------------------------------------------------------------------


def categorical(logits):
    return distributions.Categorical(logits=logits)


@pytest.mark.parametrize(
    "space",
    [
        Discrete(1),
        Discrete(5, start=3),
        MultiDiscrete([2, 5, 3]),
        MultiDiscrete([4]),
        MultiBinary(3),
    ],
)
def test_choices_are_distributed_as_pytorchs(space):
    kind = distribution_of(space)
    counts = getattr(space, "nvec", np.full(space.shape or (1,), getattr(space, "n", 2)))
    counts = [2] * 3 if isinstance(space, MultiBinary) else counts.tolist()
    logits = 3.0 * random_like((50, sum(counts)))
    each = [categorical(part) for part in torch.split(logits, counts, -1)]
    actions = torch.stack([one.sample() for one in each], -1)
    given = actions.squeeze(-1) if isinstance(space, Discrete) else actions
    log_prob, entropy = kind.log_prob_and_entropy(logits, given)
    expected = sum(one.log_prob(actions[:, k]) for k, one in enumerate(each))
    torch.testing.assert_close(log_prob, expected)
    torch.testing.assert_close(kind.log_prob(logits, given), expected)
    torch.testing.assert_close(entropy, sum(one.entropy() for one in each))
    best = torch.stack([one.logits.argmax(-1) for one in each], -1)
    assert torch.equal(kind.mode(logits), best.reshape(given.shape))
    assert given.shape[1:] == kind.shape


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3)])
def test_numbers_are_distributed_as_pytorchs(shape):
    kind = distribution_of(Box(-1, 1, shape, np.float32))
    size = int(np.prod(shape))
    mean, log_std = random_like((50, size)), random_like((50, size), 1)
    parameters = torch.cat([mean, log_std], -1)
    normal = distributions.Independent(distributions.Normal(mean, log_std.exp()), 1)
    noise = random_like((50, size), 2)
    actions = kind.sample(parameters, noise)
    assert actions.shape == (50, *shape)
    torch.testing.assert_close(actions.view(50, size), mean + log_std.exp() * noise)
    log_prob, entropy = kind.log_prob_and_entropy(parameters, actions)
    torch.testing.assert_close(log_prob, normal.log_prob(actions.view(50, size)))
    torch.testing.assert_close(kind.log_prob(parameters, actions), log_prob)
    torch.testing.assert_close(entropy, normal.entropy())
    assert torch.equal(kind.mode(parameters), mean.view(50, *shape))


def chi_square(counts, probabilities):
    """How far counts are from what is expected; about as much as there are classes."""
    expected = counts.sum() * probabilities
    return ((counts - expected) ** 2 / expected).sum()


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.parametrize("space", [Discrete(4), MultiDiscrete([3, 4])])
def test_actions_are_as_frequent_as_they_are_probable(space, correlation):
    policy = make_policy(space, correlation=correlation)
    sizes = policy.distribution.counts
    logits = random_like(sum(sizes), 7)
    # Rows are independent of each other, however correlated a row's steps are.
    noise = policy.draw(2, SAMPLES, generator(1))[-1]
    actions = policy.distribution.sample(logits, noise).view(SAMPLES, -1)
    for k, part in enumerate(torch.split(logits, sizes)):
        counts = torch.bincount(actions[:, k], minlength=sizes[k]).double()
        # 99.99 % of samples of three degrees of freedom are below 21.
        assert chi_square(counts, part.softmax(-1).double()) < 21.0
    if len(sizes) > 1:
        related = np.corrcoef(actions.numpy().T)[0, 1]
        assert abs(related) < 4.0 / np.sqrt(SAMPLES)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("space", [Box(-1, 1, (2,), np.float32), Discrete(3)])
def test_noise_has_the_distribution_and_the_correlation_asked_for(space, correlation):
    policy = make_policy(space, correlation=correlation)
    noise = policy.draw(12, SAMPLES, generator(2)).double()
    assert noise.shape == (12, SAMPLES, policy.distribution.outputs)
    if isinstance(space, Discrete):
        # The uniform numbers that Gumbel noise is made of, as normal ones.
        uniform = torch.exp(-torch.exp(-noise))
        noise = torch.special.ndtri(uniform.clamp(1e-7, 1 - 1e-7))
    bound = 4.5 / np.sqrt(SAMPLES)
    assert (noise.mean(1).abs() < bound).all()
    assert ((noise.var(1) - 1.0).abs() < 1.5 * bound).all()
    # Beyond 1.96 are 5 %, whatever the mean and the variance are.
    assert (((noise.abs() > 1.96).double().mean(1) - 0.05).abs() < 0.25 * bound).all()
    for lag in (1, 3):
        product = (noise[lag:] * noise[:-lag]).mean(1)
        assert ((product - correlation**lag).abs() < 1.5 * bound).all()


def test_noise_is_the_generators_alone():
    for correlation in (0.0, 0.5):
        policy = make_policy(Discrete(3), correlation=correlation)
        one, other = (policy.draw(5, 6, generator(3)) for _ in range(2))
        assert torch.equal(one, other)
        assert not torch.equal(one, policy.draw(5, 6, generator(4)))


@pytest.mark.parametrize(
    "space",
    [
        Text(3),
        Tuple((Discrete(2), Discrete(2))),
        MultiDiscrete([[2, 3]]),
        MultiBinary((2, 2)),
        Box(0, 9, (2,), np.int64),
    ],
)
def test_a_space_without_a_distribution_is_refused(space):
    with pytest.raises(TypeError) as caught:
        distribution_of(space)
    assert str(caught.value) == (
        f"The action space is {space}; expected Discrete, a Box of floats, or a MultiDiscrete or "
        "MultiBinary with one axis."
    )


@pytest.mark.parametrize(
    "space",
    [
        Discrete(3),
        Discrete(3, start=-7),
        MultiDiscrete([2, 3]),
        MultiDiscrete([2, 3], start=[4, -1]),
        MultiBinary(4),
        Box(-1, 2, (2, 3), np.float32),
        Box(np.array([-1.0, -np.inf]), np.array([np.inf, 2.0]), dtype=np.float64),
        Box(-np.inf, np.inf, (), np.float32),
        Box(-0.1, 0.1, (2,), np.float16),
    ],
)
def test_converted_actions_are_members_of_the_space(space):
    policy = make_policy(space, log_std=1.0)
    convert = converter(space)
    with torch.no_grad():
        noise = policy.draw(1, 200, generator())[0]
        actions = policy.act(random_like((200, 3)), noise).actions
    converted = convert(actions.numpy())
    assert converted.dtype == space.dtype
    assert all(np.asarray(action) in space for action in converted)
    if not isinstance(space, Box):
        assert len(np.unique(converted.reshape(200, -1), axis=0)) > 2


# -- the network -----------------------------------------------------------------------------------

ACTIONS = [Discrete(3), MultiDiscrete([2, 3]), MultiBinary(2), Box(-1, 1, (2,), np.float32)]


@pytest.mark.parametrize("space", ACTIONS)
def test_what_was_done_is_evaluated_as_it_was_decided(space):
    policy = make_policy(space, normalize=True)
    policy.encoder.show(5.0 + random_like((100, 3)))
    policy.rescale_values(100.0 + random_like(50), 1.0)
    seen = random_like((20, 3), 1)
    decision = policy.act(seen, policy.draw(1, 20, generator())[0])
    assert decision.log_probs.shape == decision.values.shape == (20,)
    log_probs, entropy, scaled = policy.evaluate(seen, decision.actions)
    torch.testing.assert_close(log_probs, decision.log_probs)
    torch.testing.assert_close(scaled * policy.value_std + policy.value_mean, decision.values)
    torch.testing.assert_close(policy.value(seen), decision.values)
    assert entropy.shape == (20,)
    assert policy.best(seen).shape == decision.actions.shape


@pytest.mark.parametrize("space", ACTIONS)
def test_a_policy_begins_nearly_uniform(space):
    policy = make_policy(space, log_std=-0.5)
    entropy = policy.evaluate(random_like((50, 3)), policy.best(random_like((50, 3))))[1]
    most = sum(np.log(count) for count in getattr(policy.distribution, "counts", []))
    if isinstance(space, Box):
        normal = distributions.Normal(torch.zeros(2), torch.full((2,), np.exp(-0.5)))
        most = normal.entropy().sum().item()
        assert (policy.best(random_like((50, 3))).abs() < 0.1).all()
    np.testing.assert_allclose(entropy.detach(), most, atol=1e-3)


def test_the_same_generator_gives_the_same_weights():
    pixels = Box(0, 255, (10, 10, 4), np.uint8)
    one, other = (make_policy(Discrete(2), pixels).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rescaling_leaves_values_as_they_are():
    policy = make_policy(Discrete(2))
    seen = random_like((100, 3))
    for k, returns in enumerate(
        (random_like(50), 1000.0 + 3.0 * random_like(50), 1e-3 * random_like(50), torch.ones(50))
    ):
        for rate in (1.0, 0.1):
            before, mean = policy.value(seen), policy.value_mean.abs().item()
            policy.rescale_values(returns, rate)
            after = policy.value(seen)
            # As near as float32 is to the mean it comes from, and to the one it goes to.
            scale = max(1.0, mean, policy.value_mean.item())
            assert (after - before).abs().max() < 1e-5 * scale, (k, rate)


def test_rescaling_goes_towards_the_returns():
    policy = make_policy(Discrete(2))
    returns = 40.0 + 8.0 * random_like(500)
    policy.rescale_values(returns, 1.0)
    assert policy.value_mean.item() == pytest.approx(returns.mean().item(), rel=1e-6)
    assert policy.value_std.item() == pytest.approx(returns.std(correction=0).item(), rel=1e-6)
    before = policy.value_mean.item()
    policy.rescale_values(torch.full((10,), 140.0), 0.1)
    assert policy.value_mean.item() == pytest.approx(before + 0.1 * (140.0 - before), rel=1e-6)


@pytest.mark.parametrize("loc", [0.0, 30.0])
def test_a_normalizer_knows_all_that_it_was_shown(loc):
    rng = np.random.default_rng(0)
    normalizer = Normalizer(3)
    shown = []
    for rows in (1, 7, 500, 64, 2):
        batch = (loc + rng.standard_normal((rows, 3)) * [1.0, 10.0, 0.1] + len(shown)).astype("f4")
        shown.append(batch)
        normalizer.show(torch.from_numpy(batch))
        every = np.concatenate(shown).astype(np.float64)
        np.testing.assert_allclose(normalizer.mean, every.mean(0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(normalizer.variance, every.var(0), rtol=1e-4, atol=1e-6)
        assert normalizer.count.item() == len(every)
    found = normalizer(torch.from_numpy(shown[2])).numpy()
    expected = np.clip((shown[2] - every.mean(0)) / np.sqrt(every.var(0) + 1e-8), -10, 10)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_normalizer_leaves_numbers_before_it_was_shown_any():
    assert Normalizer(2)(torch.tensor([[1.5, -300.0]])).tolist() == [[1.5, -10.0]]


# -- encoders --------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("space", "observations", "expected"),
    [
        (Box(-9, 9, (), np.float32), torch.tensor([2.0, 3.0]), [[2.0], [3.0]]),
        (Box(-9, 9, (2,), np.float64), torch.tensor([[1.0, 2.0]]).double(), [[1.0, 2.0]]),
        (Box(-9, 9, (2, 2), np.int16), torch.tensor([[[1, 2], [3, 4]]]).short(), [[1, 2, 3, 4]]),
        (Box(0, 255, (3,), np.uint8), torch.tensor([[0, 7, 9]], dtype=torch.uint8), [[0, 7, 9]]),
        (MultiBinary(3), torch.tensor([[1, 0, 1]], dtype=torch.int8), [[1, 0, 1]]),
        (Discrete(3, start=-1), torch.tensor([-1, 1]), [[1, 0, 0], [0, 0, 1]]),
        (
            MultiDiscrete([2, 3], start=[5, 0]),
            torch.tensor([[6, 2], [5, 0]]),
            [[0, 1, 0, 0, 1], [1, 0, 1, 0, 0]],
        ),
        (
            Dict({"where": Discrete(2), "pair": Tuple((Box(-9, 9, (1,)), MultiBinary(1)))}),
            {
                "pair": (torch.tensor([[4.0]]), torch.tensor([[1]], dtype=torch.int8)),
                "where": torch.tensor([1]),
            },
            [[4, 1, 0, 1]],
        ),
    ],
)
def test_an_encoder_makes_vectors_of_any_space(space, observations, expected, normalize):
    encoder = Encoder(space, normalize)
    found = encoder(observations)
    assert found.dtype == torch.float32
    assert found.tolist() == expected
    assert found.shape[1] == encoder.features
    encoder.show(observations)
    assert encoder(observations).isfinite().all()
    if normalize:
        count = sum(isinstance(leaf, Box) for leaf in _leaf_spaces(space))
        assert len(encoder.normalizers) == count


def _leaf_spaces(space):
    if isinstance(space, (Dict, Tuple)):
        return [
            leaf
            for part in getattr(space, "spaces", space)
            for leaf in _leaf_spaces(space[part] if isinstance(space, Dict) else part)
        ]
    return [space]


@pytest.mark.parametrize(
    ("shape", "channels"),
    [
        ((10, 10, 4), 4),
        ((84, 84, 4), 4),
        ((3, 64, 64), 3),
        ((3, 3, 1), 1),
        ((72, 128, 3), 3),
        ((1, 1, 1), 1),
        ((1, 9, 2), 1),
        ((200, 7, 3), 3),
        ((4, 72, 128, 3), 12),
        ((4, 84, 84, 1), 4),
        ((4, 3, 64, 64), 12),
        ((2, 1, 20, 24), 2),
        ((1, 9, 9, 3), 3),
    ],
)
def test_pictures_of_any_size_are_encoded(shape, channels):
    encoder = Encoder(Box(0, 255, shape, np.uint8), True)
    pixels = torch.randint(0, 256, (2, *shape), generator=generator()).to(torch.uint8)
    assert encoder(pixels).shape == (2, encoder.features)
    assert encoder.convolutions["0"].layers[0].in_channels == channels
    encoder(pixels).sum().backward()
    assert all(weight.grad is not None for weight in encoder.parameters())


@pytest.mark.parametrize("rows", [0, 1, 6, 7])
@pytest.mark.parametrize("at_a_time", [1, 3, 100])
def test_bytes_are_convolved_as_numbers_from_0_to_1(rows, at_a_time, monkeypatch):
    """Outputs and gradients are PyTorch's own, however many rows are converted at a time."""
    monkeypatch.setattr(encoders, "CACHED", at_a_time * 3 * 20 * 24)
    bytes_, plain = ByteConvolution(3, 5, 8, 4), nn.Conv2d(3, 5, 8, 4)
    plain.load_state_dict(bytes_.state_dict())
    pixels = torch.randint(0, 256, (rows, 3, 20, 24), generator=generator()).to(torch.uint8)
    found, expected = bytes_(pixels), plain(pixels / 255)
    torch.testing.assert_close(found, expected)
    weights = random_like(expected.shape)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for one, other in zip(bytes_.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_a_pictures_channels_may_be_first_or_last():
    """The same picture gives the same features, whichever axis its channels lie on."""
    last = Encoder(Box(0, 255, (20, 24, 3), np.uint8), False)
    first = Encoder(Box(0, 255, (3, 20, 24), np.uint8), False)
    first.load_state_dict(last.state_dict())
    pixels = torch.randint(0, 256, (2, 20, 24, 3), generator=generator()).to(torch.uint8)
    torch.testing.assert_close(first(pixels.permute(0, 3, 1, 2).contiguous()), last(pixels))


@pytest.mark.parametrize("shape", [(3, 20, 24, 2), (3, 2, 20, 24)])
def test_stacked_frames_are_one_picture_with_the_channels_of_all(shape):
    """The features are those of one frame that has the channels of the first, of the second, …"""
    stack = Encoder(Box(0, 255, shape, np.uint8), False)
    frame = Encoder(Box(0, 255, (6, 20, 24), np.uint8), False)
    frame.load_state_dict(stack.state_dict())
    pixels = torch.randint(0, 256, (5, *shape), generator=generator()).to(torch.uint8)
    frames = [one.permute(0, 3, 1, 2) if shape[-1] == 2 else one for one in pixels.unbind(1)]
    torch.testing.assert_close(stack(pixels), frame(torch.cat(frames, 1)))


@pytest.mark.parametrize("rows", [0, 5])
@pytest.mark.parametrize(
    ("shape", "counts"),
    [
        ((10, 10, 4), (4, 4)),
        ((10, 10, 10), (4, 4)),
        ((9, 11, 3), (4, 5)),
        ((3, 8, 7), (3, 3)),
        ((2, 10, 10, 4), (4, 4)),
        ((2, 3, 9, 12), (4, 5)),
        ((3, 3, 2), (1, 1)),
    ],
)
def test_boards_of_flags_are_convolved_to_the_last_cell(shape, counts, rows):
    """Windows give what PyTorch's convolution gives, channels first or last, frames stacked."""
    encoder = Encoder(Box(0, 1, shape, np.bool_), False)
    (board,) = encoder.boards.values()
    flags = random_like((rows, *shape)) > 0.5
    last = shape[-1] <= min(shape[-3:-1])
    maps = (flags.movedim(-1, -3) if last else flags).flatten(1, -3).float()
    size = [min(4, cells) for cells in maps.shape[2:]]
    missing = [(s - cells) % 2 for s, cells in zip(size, maps.shape[2:], strict=True)]
    maps = functional.pad(maps, [0, missing[1], 0, missing[0]])
    weight = board.look.weight.view(-1, *size, maps.shape[1]).movedim(-1, 1)
    seen = functional.conv2d(maps, weight, board.look.bias, stride=2)
    assert seen.shape[2:] == counts
    expected = torch.relu(board.linear(torch.relu(seen).movedim(1, -1).flatten(1)))
    torch.testing.assert_close(encoder(flags), expected)


def test_numbers_beside_pictures_are_normalised():
    space = Dict({"pixels": Box(0, 255, (8, 8, 3), np.uint8), "speed": Box(-9, 9, (1,))})
    policy = make_policy(Discrete(2), space, normalize=True)
    seen = {
        "pixels": torch.zeros(4, 8, 8, 3, dtype=torch.uint8),
        "speed": torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
    }
    policy.encoder.show(seen)
    (normalizer,) = policy.encoder.normalizers.values()
    assert normalizer.mean.item() == 2.5
    assert policy.value(seen).shape == (4,)


def test_other_observation_spaces_are_refused():
    with pytest.raises(TypeError, match=r"^The observation space is Seq.*; expected Box, Discrete"):
        make_policy(Discrete(2), Sequence(Discrete(3)))
    with pytest.raises(
        TypeError, match=r"^The observation space is or holds Text.*text_mode='tokens'"
    ):
        make_policy(Discrete(2), Text(3))
