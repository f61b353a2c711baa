"""Landers and walkers move by the bits of the installed Box2D: in the air, on the ground, at rest.

Kernels of this family take half a minute to compile. One of a lander and one of a walker stand for
the rest in compiled code, and a walker's in fast precision; plain Python and `--slow` see all.
"""

import numpy as np
import oracle
import pytest
from gymnasium.vector import AutoresetMode
from numpy.testing import assert_array_equal

import batchsim

LANDERS = ["LunarLander-v3", "LunarLanderContinuous-v3"]
WALKERS = ["BipedalWalker-v3", "BipedalWalkerHardcore-v3"]
SIZES = [(1, AutoresetMode.NEXT_STEP), (5, AutoresetMode.SAME_STEP), (64, AutoresetMode.DISABLED)]
ALL_IN_FAST = [
    "BipedalWalker-v3",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (*LANDERS, "BipedalWalkerHardcore-v3")
    ),
]
FREE, IN_CONTACT, REWARD = 2e-5, 1e-4, 2e-4
"""How far fast precision may be from exact after one step, in observations of rows that touch
nothing and of 99 % of others, and in rewards of the former.
"""
WIND = {"enable_wind": True, "wind_power": 18.0, "turbulence_power": 1.9, "gravity": -7.5}

pytest.importorskip("Box2D")
pytestmark = pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")


class Expert:
    """Upstream's heuristic in most rows; others act at random, or to the utmost."""

    def __init__(self, pair, seed=0):
        self.envs = [env.unwrapped for env in pair.reference.envs]
        self.random = oracle.Actions(pair.reference, seed)
        self.plans = [self.plan(env) for env in self.envs]

    def plan(self, env):
        """Return a function of an observation that acts in an environment."""
        if hasattr(env, "lander"):
            from gymnasium.envs.box2d.lunar_lander import heuristic

            return lambda state: heuristic(env, state)
        from gymnasium.envs.box2d.bipedal_walker import BipedalWalkerHeuristics

        return BipedalWalkerHeuristics().step_heuristic

    def __call__(self):
        actions = self.random()
        for k, (env, plan) in enumerate(zip(self.envs, self.plans, strict=True)):
            if k % 4 != 3:
                actions[k] = plan(observed(env))
        return actions


def observed(env):
    """Return what an upstream environment would observe now, but for what a walker sees."""
    if hasattr(env, "lander"):
        place, velocity = env.lander.position, env.lander.linearVelocity
        x, y = (place.x - 10.0) / 10.0, (place.y - env.helipad_y - 18 / 30) / (400 / 30 / 2)
        vx, vy = velocity.x * 10.0 / 50, velocity.y * (400 / 30 / 2) / 50
        legs = [leg.ground_contact for leg in env.legs]
        return [x, y, vx, vy, env.lander.angle, 0.4 * env.lander.angularVelocity, *legs]
    velocity = env.hull.linearVelocity
    state = [env.hull.angle, 0.04 * env.hull.angularVelocity, 0.12 * velocity.x, 0.08 * velocity.y]
    for hip in (0, 2):
        for joint, shift, unit in ((hip, 0.0, 4.0), (hip + 1, 1.0, 6.0)):
            state += [env.joints[joint].angle + shift, env.joints[joint].speed / unit]
        state.append(float(env.legs[hip + 1].ground_contact))
    return state


def play(beside, name, num_envs, mode, steps, seed=0, **kwargs):
    """Compare steps of experts and others; return how often what happened."""
    pair = beside(name, num_envs, mode, **kwargs)
    pair.reset(seed=seed)
    counts = {"landed": 0, "failed": 0, "standing": 0}
    step = pair.step

    def counted(actions):
        expected = step(actions)
        counts["landed"] += int((expected[1] == 100).sum())
        counts["failed"] += int((expected[1] == -100).sum())
        legs = [6, 7] if name in LANDERS else [8, 13]
        counts["standing"] += int((expected[0][:, legs] > 0).any(axis=1).sum())
        return expected

    pair.step = counted
    pair.run(steps, Expert(pair, seed))
    pair.compare_streams()
    return counts


def totals(counts):
    return {event: sum(one[event] for one in counts) for event in counts[0]}


def test_a_lander_has_upstreams_bits(beside):
    steps = {1: 2500, 5: 700, 64: 70}
    seen = totals([play(beside, "LunarLander-v3", n, mode, steps[n], n) for n, mode in SIZES])
    assert seen["landed"] >= 5
    assert seen["failed"] >= 8
    assert seen["standing"] >= 500


def test_a_walker_has_upstreams_bits(beside):
    steps = {1: 500, 5: 150, 64: 12}
    seen = totals([play(beside, "BipedalWalker-v3", n, mode, steps[n], n) for n, mode in SIZES])
    assert seen["failed"] >= 3
    assert seen["standing"] >= 700


@pytest.mark.parametrize(
    ("name", "steps", "kwargs"),
    [
        ("LunarLander-v3", 100, {}),
        ("LunarLanderContinuous-v3", 100, WIND),
        ("BipedalWalker-v3", 25, {}),
        ("BipedalWalkerHardcore-v3", 60, {}),
    ],
)
def test_plain_python_has_upstreams_bits(beside, name, steps, kwargs):
    play(
        beside, name, 1, AutoresetMode.SAME_STEP, steps, 4,
        native=False, reference_backend=True, **kwargs,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", LANDERS)
@pytest.mark.parametrize("kwargs", [{}, WIND], ids=["calm", "wind"])
def test_500_000_steps_of_a_lander_have_upstreams_bits(beside, name, mode, kwargs):
    seen = play(beside, name, 64, mode, 1400, 2026, **kwargs)
    print(f"{name}, {mode.value}, {kwargs}: {seen} in {64 * 1400} steps")
    assert seen["landed"] >= 20


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", WALKERS)
def test_500_000_steps_of_a_walker_have_upstreams_bits(beside, name, mode):
    seen = play(beside, name, 64, mode, 2700, 2026)
    print(f"{name}, {mode.value}: {seen} in {64 * 2700} steps")
    assert seen["failed"] >= 100


@pytest.mark.parametrize("gravity", [-12.0, 0.0, 3.0])
def test_a_gravity_that_upstream_refuses_is_refused(gravity):
    with pytest.raises(ValueError, match=rf"gravity is {gravity}; expected more than -12\.0"):
        batchsim.make_vec("LunarLander-v3", 2, gravity=gravity, backend="reference")


@pytest.mark.parametrize("name", ["LunarLander-v3", "BipedalWalker-v3"])
def test_a_branch_in_the_air_and_on_the_ground_replays_the_same_bits(opened, name):
    envs = opened(batchsim.make_vec(name, 6))
    envs.reset(seed=3)
    envs.action_space.seed(0)
    actions = [envs.action_space.sample() for _ in range(300)]
    for t in range(0, 300, 75):
        saved = envs.get_state()
        first = [envs.step(row) for row in actions[t : t + 75]]
        envs.set_state(saved)
        for row, expected in zip(actions[t : t + 75], first, strict=True):
            for one, other in zip(envs.step(row)[:4], expected, strict=False):
                assert_array_equal(one, other)


def test_a_lander_does_not_notice_which_rows_are_solved_beside_it(opened):
    actions = np.random.default_rng(0).integers(0, 4, (120, 34))
    sizes = [34], [1] * 6 + [2] * 4 + [3] * 4 + [8]  # fewer than three rows are solved one by one
    found = []
    for parts in sizes:
        first, columns = 0, []
        for size in parts:
            envs = opened(batchsim.make_vec("LunarLander-v3", size, num_threads=1))
            rows = slice(first, first + size)
            start = envs.reset(seed=list(range(first, first + size)))[0]
            columns.append(np.array([start, *(envs.step(row[rows])[0] for row in actions)]))
            first += size
        found.append(np.concatenate(columns, axis=1))
    assert_array_equal(*found)


@pytest.fixture
def in_both(opened):
    def make(name, num_envs, mode):
        return [
            opened(batchsim.make_vec(name, num_envs, precision=precision, autoreset_mode=mode))
            for precision in ("exact", "fast")
        ]

    return make


def touching(envs):
    """Return which rows touch the ground."""
    state = envs._tile.state
    return (state.is_used & state.is_touching).any(axis=1)


@pytest.mark.parametrize("name", ALL_IN_FAST)
def test_a_step_in_fast_precision_is_near_exact(in_both, name):
    exact, fast = in_both(name, 64, "Disabled")
    exact.reset(seed=2)
    fast.reset(seed=2)
    exact.action_space.seed(2)
    seen = 14 if name in WALKERS else 8  # A ray may pass a corner on either side.
    free, in_contact, rewards = [], [], []
    for _ in range(120):
        for one, other in zip(exact._tile.state, fast._tile.state, strict=True):
            other[:] = one
        fast._tile.rng.state[:] = exact._tile.rng.state
        touches = touching(exact)
        actions = exact.action_space.sample()
        right, found = exact.step(actions), fast.step(actions)
        for env in (exact, fast):
            touches |= touching(env)
        error = np.abs(right[0] - found[0])[:, :seen].max(axis=1)
        free.append(error[~touches])
        in_contact.append(error[touches])
        same = ~touches & (right[2] == found[2])
        rewards.append(np.abs(right[1] - found[1])[same])
        over = right[2] | right[3] | found[2] | found[3]
        if over.any():
            for env in (exact, fast):
                env.reset(options={"reset_mask": over})
    assert min(map(len, map(np.concatenate, (free, in_contact)))) > 500
    assert np.concatenate(free).max() <= FREE
    assert np.quantile(np.concatenate(in_contact), 0.99) <= IN_CONTACT
    assert np.concatenate(rewards).max() <= REWARD


@pytest.mark.parametrize("name", ALL_IN_FAST)
def test_returns_in_fast_precision_are_those_of_exact(in_both, name):
    totals = []
    for envs in in_both(name, 256, "SameStep"):
        envs.reset(seed=7)
        envs.action_space.seed(7)
        totals.append(sum(envs.step(envs.action_space.sample())[1] for _ in range(150)))
    exact, fast = totals
    error = np.sqrt((exact.var() + fast.var()) / len(exact))
    assert abs(exact.mean() - fast.mean()) <= 4 * error


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        ("LunarLander-v3", "contacts", 34, "contacts is 34; expected from 0 to 33"),
        ("LunarLander-v3", "limit", 3, "limit is 3; expected from 0 to 2"),
        ("LunarLander-v3", "is_used", True, "the number of slots in use is 33"),
        ("BipedalWalker-v3", "root", 300, "the root of the tree is"),
        ("BipedalWalker-v3", "child", 300, "parent of a child is"),
        ("BipedalWalker-v3", "height", 3, "child is -1; expected from 0 to 486"),
        ("BipedalWalker-v3", "polygons", 1, "whether a shape is in the tree is False"),
    ],
)
def test_a_world_whose_indices_lead_elsewhere_is_refused(opened, name, column, value, message):
    envs = opened(batchsim.make_vec(name, 2, backend="reference"))
    envs.reset(seed=0)
    state = envs.get_state()
    state[f"state.{column}"][...] = value
    with pytest.raises(ValueError, match=message):
        envs.set_state(state)


@pytest.mark.parametrize("name", ["LunarLander-v3", *WALKERS])
def test_a_picture_is_upstreams_but_for_sparks_and_rays(beside, name):
    pair = beside(name, 1, native=False, reference_backend=True, render_mode="rgb_array")
    pair.reset(seed=1)
    actions = np.zeros(
        (1,) if name == "LunarLander-v3" else (1, 4), pair.reference.action_space.dtype
    )
    pair.run(8, lambda: actions)
    pair.reference.envs[0].unwrapped.lidar = []
    (ours,) = pair.subjects["reference"][0].render()
    assert_array_equal(ours, pair.reference.render()[0])
