"""One environment in which everything that an author may write meets everything else.

It has sizes from a parameter, an argument and a table of the caller's, a column that survives
resets, working space, a truncation of its own beside a computed time limit, a text among its
observations, infos, and heirs with a hook. The oracle is the same as a Gymnasium class.
"""
# ruff: noqa: N802, N805 - the author's contract: plain functions, the first argument is the state

import copy
import pickle
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FrameStackObservation, TimeLimit
from test_texts import same

import batchsim
from batchsim import registry
from batchsim.family import env, merge
from batchsim.ladder import check, measure, runner
from batchsim.ladder.kind import Kind
from batchsim.ladder.rungs import RUNGS
from batchsim.random import integers, random, uniform
from batchsim.ranges import require_between

N = 70
"""More than one tile of rows."""
DEMAND = np.array([[1, 0], [0, 1], [2, 1], [0, 0], [1, 2]] * 3)
PRICES = np.array([1.5, 4.0])
EMPTY = -1
MESSAGE = Text(40, charset="abcdefghijklmnopqrstuvwxyz0123456789 ,:")


def told(tokens):
    day, count, games = tokens
    return f"day {day}: {count} good{'s' if count != 1 else ''}, game {games}"


class Shelf(NamedTuple):
    shelf: batchsim.column(np.int16, ("slots", 2))  # a good, and for how many days
    money: float
    day: int
    sold: int


class Memory(NamedTuple):
    games: int = -1
    best: float = 12.5


class Depot:
    """Buy goods, and sell what is asked for while it is fresh. Ends without money.

    ## Rewards

    The money that a day brings.
    """

    State = merge(Shelf, Memory)

    class Arguments(NamedTuple):
        names: str = "tea salt"
        demand: np.ndarray = DEMAND
        prices: np.ndarray = PRICES

    class Params(NamedTuple):
        slots: int = 3
        patience: int = 5
        decay: float = 0.1

    class Scratch(NamedTuple):
        left: batchsim.column(int, lambda p: len(p.names.split()))

    class Tables(NamedTuple):
        asked: np.ndarray  # (days, goods)
        price: np.ndarray  # (goods,)

    class Info(NamedTuple):
        sold: int

    def tables(p):
        asked, price = np.asarray(p.demand, int), np.asarray(p.prices, float)
        goods = len(p.names.split())
        if asked.ndim != 2 or price.shape != asked.shape[1:] or len(price) != goods:
            raise ValueError(f"names has {goods} goods; expected as many in demand and prices.")
        return Depot.Tables(asked, price)

    def OBSERVATION(p):
        return Dict(
            shelf=Box(-1, 99, (p.slots, 2), np.int16),
            money=Box(-np.inf, np.inf, (1 + len(p.names.split()),), np.float64),
            message=MESSAGE,
        )

    def ACTION(p):
        return Discrete(1 + len(p.names.split()))

    def TOKENS(p):
        return MultiDiscrete([len(p.asked) + 1, p.slots + 1, 10_000], np.int32)

    text = staticmethod(told)

    def MAX_EPISODE_STEPS(p):
        return p.patience * len(p.names.split())

    def check_params(params):
        if not 0.0 <= params.decay <= 1.0:
            raise ValueError(f"decay is {params.decay}; expected a number from 0 to 1.")

    def check_state(s, p):
        require_between("day", s.day, 0, len(p.asked))
        require_between("shelf", s.shelf, EMPTY, 99)

    def reset(s, i, p, rng):
        s.day[i] = integers(rng, i, 0, p.asked.shape[0])
        s.money[i] = uniform(rng, i, 2.0, 8.0)
        s.shelf[i] = EMPTY
        s.sold[i] = 0
        s.games[i] += 1

    def step(s, i, action, p, rng):
        before = s.money[i]
        if action > 0:
            buy(s, i, action - 1, p)
        s.sold[i] = 0
        for good in range(p.price.shape[0]):
            s.left[i, good] = p.asked[s.day[i], good]
        for slot in range(p.slots):
            good = int(s.shelf[i, slot, 0])
            if good == EMPTY:
                continue
            if s.left[i, good] > 0:
                s.left[i, good] -= 1
                s.money[i] += env.worth(s, i, p, rng, good, int(s.shelf[i, slot, 1]))
                s.sold[i] += 1
                s.shelf[i, slot, 0] = EMPTY
            elif random(rng, i) < p.decay:
                s.shelf[i, slot, 0] = EMPTY
            else:
                s.shelf[i, slot, 1] = int(s.shelf[i, slot, 1]) + 1
        s.day[i] += 1
        s.best[i] = max(s.best[i], s.money[i])
        return s.money[i] - before, s.money[i] < 0.0, s.day[i] == p.asked.shape[0]

    def observe(s, i, p, out):
        count = 0
        for slot in range(p.slots):
            for k in range(2):
                out.shelf[slot, k] = s.shelf[i, slot, k]
            count += int(s.shelf[i, slot, 0] != EMPTY)
        out.money[0] = s.money[i]
        for good in range(p.price.shape[0]):
            out.money[1 + good] = s.best[i] - p.price[good]
        out.message[0], out.message[1], out.message[2] = s.day[i], count, s.games[i]

    def inform(s, i, p, out):
        out.sold[0] = s.sold[i]


def buy(s, i, good, p):
    """Put a good into the first free slot, if there is one."""
    for slot in range(p.slots):
        if s.shelf[i, slot, 0] == EMPTY:
            s.shelf[i, slot, 0], s.shelf[i, slot, 1] = good, 0
            s.money[i] -= p.price[good]
            return


class Shop(Depot):
    """# Shop

    Asks one and a half times the price, less with every day.
    """

    FACTOR = 1.5

    def worth(s, i, p, rng, good, age):
        return env.FACTOR * p.price[good] - 0.25 * age


class Mood(NamedTuple):
    mood: np.int8


class Bazaar(Depot):
    """# Bazaar

    Haggles, and the better the worse the mood.
    """

    State = merge(Depot.State, Mood)

    def reset(s, i, p, rng):
        Depot.reset(s, i, p, rng)
        s.mood[i] = integers(rng, i, 0, 3)

    def worth(s, i, p, rng, good, age):
        s.mood[i] = (int(s.mood[i]) + 1) % 4
        return p.price[good] * uniform(rng, i, 0.5, 2.5) - int(s.mood[i])


class DepotEnv(gymnasium.Env):
    """`Depot` as one object."""

    def __init__(
        self, names="tea salt", demand=DEMAND, prices=PRICES, slots=3, patience=5, decay=0.1
    ):
        self.demand, self.prices, self.decay = demand, prices, decay
        self.slots, self.limit = slots, patience * len(names.split())
        self.observation_space = Dict(
            shelf=Box(-1, 99, (slots, 2), np.int16),
            money=Box(-np.inf, np.inf, (1 + len(prices),), np.float64),
            message=MESSAGE,
        )
        self.action_space = Discrete(1 + len(prices))
        self.games, self.best = -1, 12.5

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.day = int(self.np_random.integers(len(self.demand)))
        self.money = self.np_random.uniform(2.0, 8.0)
        self.shelf = [(EMPTY, EMPTY)] * self.slots
        self.games += 1
        return self.observation(), {"sold": 0}

    def step(self, action):
        before = self.money
        free = [slot for slot, (good, _) in enumerate(self.shelf) if good == EMPTY]
        if action and free:
            self.shelf[free[0]] = (int(action) - 1, 0)
            self.money -= float(self.prices[action - 1])
        sold, left = 0, self.demand[self.day].tolist()
        for slot, (good, age) in enumerate(self.shelf):
            if good == EMPTY:
                continue
            if left[good]:
                left[good] -= 1
                sold += 1
                self.money += self.worth(good, age)
                self.shelf[slot] = (EMPTY, age)
            elif self.np_random.random() < self.decay:
                self.shelf[slot] = (EMPTY, age)
            else:
                self.shelf[slot] = (good, age + 1)
        self.day += 1
        self.best = max(self.best, self.money)
        over = self.day == len(self.demand)
        return self.observation(), self.money - before, self.money < 0.0, over, {"sold": sold}

    def observation(self):
        count = sum(good != EMPTY for good, _ in self.shelf)
        return {
            "shelf": np.array(self.shelf, np.int16),
            "money": np.array([self.money, *(self.best - self.prices)]),
            "message": told((self.day, count, self.games)),
        }


class ShopEnv(DepotEnv):
    def worth(self, good, age):
        return 1.5 * float(self.prices[good]) - 0.25 * age


class BazaarEnv(DepotEnv):
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.mood = int(self.np_random.integers(3))
        return self.observation(), {"sold": 0}

    def worth(self, good, age):
        self.mood = (self.mood + 1) % 4
        return float(self.prices[good]) * self.np_random.uniform(0.5, 2.5) - self.mood


OTHERS = {
    "names": "tea salt silk",
    "demand": np.random.default_rng(0).integers(0, 2, (23, 3)),
    "prices": np.array([0.5, 1.25, 3.0]),
    "slots": 5,
    "patience": 6,
    "decay": 0.25,
}
KINDS = {
    "shop": (Shop, ShopEnv, {}),
    "bazaar": (Bazaar, BazaarEnv, {}),
    "shop of other sizes": (Shop, ShopEnv, OTHERS),
    "bazaar of other sizes": (Bazaar, BazaarEnv, OTHERS),
}
MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)
EACH = pytest.mark.parametrize("kind", KINDS)


def original(kind, frames=1):
    _, cls, given = KINDS[kind]
    made = cls(**given)
    limited = TimeLimit(made, made.limit)
    return limited if frames == 1 else FrameStackObservation(limited, frames)


def originals(kind, mode=AutoresetMode.NEXT_STEP, frames=1):
    return SyncVectorEnv([lambda: original(kind, frames)] * N, autoreset_mode=mode)


def batch(kind, **settings):
    definition, _, given = KINDS[kind]
    return batchsim.make_vec(definition, N, **given, **settings)


class Run:
    """Drives several batches with the same actions, and compares all that they return."""

    def __init__(self, envs, seed=3):
        self.envs = envs
        self.rng = np.random.default_rng(seed)
        self.mode = envs[0].metadata["autoreset_mode"]
        self.over = np.zeros(N, np.bool_)
        self.truncated = self.terminated = 0

    def together(self, call):
        first, *others = [call(env) for env in self.envs]
        assert all(same(first, other) for other in others)
        return first

    def reset(self, **given):
        return self.together(lambda env: env.reset(**copy.deepcopy(given)))

    def steps(self, count):
        for _ in range(count):
            if self.mode is AutoresetMode.DISABLED and self.over.any():
                self.reset(options={"reset_mask": self.over})
            actions = self.rng.integers(0, self.envs[0].single_action_space.n, N)
            found = self.together(lambda env, actions=actions: env.step(actions))
            self.over = found[2] | found[3]
            self.terminated += found[2].sum()
            self.truncated += found[3].sum()
        return found


@MODES
@EACH
@pytest.mark.parametrize("frames", [1, 2])
def test_a_batch_is_its_originals(kind, mode, frames, opened):
    settings = {"autoreset_mode": mode, "frame_stack": frames}
    envs = [
        opened(batch(kind, num_threads=1, **settings)),
        opened(batch(kind, num_threads=2, **settings)),
        opened(batch(kind, backend="reference", **settings)),
    ]
    reference = opened(originals(kind, mode, frames))
    for one in envs:
        assert one.single_observation_space == reference.single_observation_space
        assert one.observation_space == reference.observation_space
        assert one.max_episode_steps == original(kind).unwrapped.limit
        assert one.get_attr("games") == (-1,) * N
    run = Run([reference, *envs])
    run.reset(seed=3)
    run.steps(60)
    assert min(run.terminated, run.truncated) > 20
    for one in envs:
        oracle.assert_same_streams(reference, one)
        assert one.get_attr("games") == reference.get_attr("games")
        assert one.get_attr("best") == reference.get_attr("best")


@EACH
def test_one_environment_is_its_original(kind, opened):
    definition, _, given = KINDS[kind]
    one, reference = opened(batchsim.make(definition, **given)), original(kind)
    assert one.observation_space == reference.observation_space
    rng = np.random.default_rng(0)
    assert same(reference.reset(seed=5), one.reset(seed=5))
    for _ in range(80):
        action = int(rng.integers(one.action_space.n))
        expected = reference.step(action)
        assert same(tuple(map(plain, expected)), tuple(map(plain, one.step(action))))
        if expected[2] or expected[3]:
            assert same(reference.reset(), one.reset())


def plain(value):
    """A number or truth value of Python's; rewards of NumPy's scalars are the same numbers."""
    return value.item() if isinstance(value, np.generic) else value


@MODES
@EACH
def test_copies_pickles_and_snapshots_go_on_alike(kind, mode, opened):
    settings = {"autoreset_mode": mode, "frame_stack": 2}
    reference = opened(originals(kind, mode, 2))
    run = Run([reference, opened(batch(kind, **settings))])
    run.reset(seed=4)
    run.steps(17)
    first = run.envs[1]
    others = [copy.copy(first), copy.deepcopy(first), pickle.loads(pickle.dumps(first))]
    for backend in ("native", "reference"):
        other = batch(kind, backend=backend, num_threads=2, **settings)
        other.reset(seed=99)
        other.set_state(first.get_state())
        others.append(other)
    run.envs += map(opened, others)
    run.steps(25)
    for one in run.envs[1:]:
        oracle.assert_same_streams(reference, one)
        assert one.max_episode_steps == first.max_episode_steps
        with pytest.raises(ValueError, match="patience decides the time limit"):
            one.set_attr("patience", 2)
        with pytest.raises(AttributeError, match=r"it decides the shape of State\.shelf"):
            one.set_attr("slots", 2)


@EACH
@pytest.mark.parametrize("frames", [1, 2])
def test_tokens_are_what_texts_are_made_of(kind, frames, opened):
    texts = opened(batch(kind, frame_stack=frames))
    tokens = opened(batch(kind, frame_stack=frames, text_mode="tokens"))
    rng = np.random.default_rng(0)
    found = [env.reset(seed=0)[0] for env in (texts, tokens)]
    for _ in range(30):
        assert same(found[0]["shelf"], found[1]["shelf"])
        rows = found[1]["message"].reshape(N, frames, 3)
        by_frame = (found[0]["message"],) if frames == 1 else found[0]["message"]
        for frame, messages in enumerate(by_frame):
            assert messages == tuple(map(told, rows[:, frame].tolist()))
        actions = rng.integers(0, texts.single_action_space.n, N)
        found = [env.step(actions)[0] for env in (texts, tokens)]


@EACH
def test_fast_precision_goes_on(kind, opened):
    envs = opened(batch(kind, precision="fast", record_episode_statistics=True))
    assert envs.get_attr("best") == (12.5,) * N
    envs.reset(seed=0)
    envs.action_space.seed(0)
    finished = 0
    for _ in range(40):
        observations, rewards, terminated, truncated, _ = envs.step(envs.action_space.sample())
        assert rewards.dtype == np.float32
        assert np.isfinite(observations["money"]).all()
        finished += (terminated | truncated).sum()
    assert finished > N
    assert observations["message"][0].startswith("day ")


@EACH
def test_the_check_passes(kind):
    definition, _, given = KINDS[kind]
    report = batchsim.check(definition, steps=60, **given)
    assert {hint.kind for hint in report.hints} <= {"same-length"}


def test_what_does_not_fit_is_refused_in_a_sentence():
    refused = {
        "names": ("tea", "names has 1 goods; expected as many in demand and prices"),
        "prices": ([1.0], "names has 2 goods; expected as many in demand and prices"),
        "slots": (0, r"State.shelf of Shop gets the shape \(0, 2\); expected numbers of at least"),
        "patience": (0, "MAX_EPISODE_STEPS of Shop returned 0; expected a positive whole number"),
        "decay": (1.5, "decay is 1.5; expected a number from 0 to 1"),
    }
    for name, (value, message) in refused.items():
        with pytest.raises(ValueError, match=message):
            batchsim.make_vec(Shop, 2, **{name: value})
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}x'.*'{name}'"):
            batchsim.make_vec(Shop, 2, **{f"{name}x": value})
    for name in ("slots", "patience"):
        with pytest.raises(ValueError, match=f"he parameter '{name}'"):
            batchsim.make_vec(Shop, 2, **{name: [3, 4]})
    with pytest.raises(TypeError, match="worth"):
        batchsim.make_vec(Depot, 2)


# --- The ladder, and training on the originals ----------------------------------------------------


@pytest.fixture
def registered():
    """`Bazaar` and its original, both as Bazaar-v0."""
    before = dict(registry._entries)
    batchsim.register(Bazaar, "Bazaar-v0")
    gymnasium.register("Bazaar-v0", entry_point=BazaarEnv, max_episode_steps=BazaarEnv().limit)
    yield "Bazaar-v0"
    for name in ("Bazaar-v0", "batchsim/Bazaar-v0"):
        gymnasium.registry.pop(name)
    registry._entries.clear()
    registry._entries.update(before)


def test_the_ladder_leaves_out_what_makes_no_texts(registered):
    kind = Kind(registered)
    names = tuple(rung.name for rung in RUNGS)
    settings = measure.Settings(kind, (2, 8), 0.01, names, check_rows=4, check_steps=60)
    rows = {row.rung.name: row for row in runner.climb(settings).rows}
    reasons = {name: set(row.absent.values()) for name, row in rows.items() if row.absent}
    assert reasons.pop("soa-numpy") == reasons.pop("cython")
    assert reasons == {name: {"it makes no texts"} for name in ("numba", "numba-parallel")}
    for name in ("python", "multiprocessing", "driver", "fast"):
        assert rows[name].failed is None, name
        assert rows[name].verdict.correct, rows[name].verdict.detail
        assert rows[name].measurements.keys() == {2, 8}
    with pytest.raises(ValueError, match="text_mode is 'tokens', but Bazaar-v0, the per-object"):
        Kind(registered, {"text_mode": "tokens"})


def test_the_ladder_tells_the_first_text_that_differs(registered):
    kind = Kind(registered)

    class Wrong(batchsim.BatchEnv):
        def step(self, actions):
            results = super().step(actions)
            first, *others = results[0]["message"]
            results[0]["message"] = (f"{first}?", *others)
            return results

    def make(kind, num_envs):
        return Wrong(kind.env_id, num_envs, backend="reference")

    verdict = check.same_bits(make, kind, 3, 5)
    assert not verdict.correct
    assert "step 1: the observation of row 0 is day" in verdict.detail


def test_training_on_originals_whose_texts_cannot_be_made_tokens_is_refused(registered):
    from batchsim.torch.ppo import Hyperparameters
    from batchsim.torch.train import Settings, Training

    hyperparameters = Hyperparameters(num_envs=4, steps=8, total_steps=64)
    settings = Settings(registered, hyperparameters, baseline=True)
    with pytest.raises(ValueError, match="of Bazaar-v0 has too many tokens of 'message'"):
        Training(settings)
