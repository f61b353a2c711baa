"""Families: definitions that inherit from one class, and are what its functions say of each.

The oracle is a class of ordinary environments, one object an environment, written as one would in
Gymnasium: a base class whose `step` calls what its heirs override.
"""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import copy
import pickle
import re
import sys
import textwrap
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from test_cache import key_of

import batchsim
from batchsim import registry
from batchsim.compiler.safety import may_step_finished_rows
from batchsim.definition import CompileError, Definition
from batchsim.family import at_work, env, merge, page_of
from batchsim.random import integers, random, uniform

SPACE = Box(-np.inf, np.inf, (3,), np.float64)


class Body(NamedTuple):
    x: float
    lives: np.int8


class Purse(NamedTuple):
    coins: "np.int32"
    found: np.dtype((np.int16, (2,)))


class Pace(NamedTuple):
    pace: float = 0.5


class Luck(NamedTuple):
    luck: float = 0.25
    most: int = 3


class Walk:
    """Whoever walks, walks until it is at the goal or has no lives.

    ## Rewards

    What a walk says.

    ## Arguments

    - `pace`: of a step.
    """

    State = Body
    Params = Pace
    ACTION = Discrete(3)
    OBSERVATION = SPACE
    GOAL = 4.0

    class Options(NamedTuple):
        start: float = 0.0

    def reset(s, i, p, rng):
        s.x[i] = p.start + uniform(rng, i, -1.0, 1.0)
        s.lives[i] = 2

    def step(s, i, action, p, rng):
        reward = advance(s, i, action, p, rng)
        if int(s.lives[i]) <= 0:
            return reward - 1.0, True
        return reward, s.x[i] > env.GOAL

    def observe(s, i, p, out):
        out[0], out[1], out[2] = s.x[i], s.lives[i], env.GOAL


def advance(s, i, action, p, rng):
    """A helper of the module, which knows no definition, calls what the definition has."""
    s.x[i] += p.pace * action
    return env.reward(s, i, p, rng)


class Plain(Walk):
    """# Plain walk

    ## Rewards

    One a step, and at times a stumble.
    """

    def reward(s, i, p, rng):
        if random(rng, i) < 0.2:
            s.lives[i] -= 1
        return 1.0


class Rich(Walk):
    """One that finds coins, among other fields, and farther away."""

    State = merge(Walk.State, Purse)
    Params = merge(Pace, Luck)
    GOAL = 9.0
    INCOME = 2

    class Info(NamedTuple):
        coins: int

    def reset(s, i, p, rng):
        Walk.reset(s, i, p, rng)
        s.coins[i] = integers(rng, i, 0, 5)
        s.found[i] = 0

    def reward(s, i, p, rng):
        if random(rng, i) < p.luck:
            s.coins[i] += env.INCOME
            s.found[i, int(s.coins[i]) % 2] += 1
        if int(s.found[i, 1]) + int(s.found[i, 0]) > p.most:
            s.lives[i] = 0
        return env.INCOME * float(s.coins[i])

    def inform(s, i, p, out):
        out.coins[0] = s.coins[i]


class Richest(Rich):
    """The same with another constant, and a step of its own around its parent's."""

    INCOME = 5

    def step(s, i, action, p, rng):
        reward, terminated = Rich.step(s, i, action, p, rng)
        return reward + 0.125 * s.x[i], terminated


class WalkEnv(gymnasium.Env):
    """The oracle of `Walk`."""

    observation_space, action_space = SPACE, Discrete(3)
    goal = 4.0

    def __init__(self, pace=0.5):
        self.pace = pace

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = (options or {}).get("start", 0.0) + self.np_random.uniform(-1.0, 1.0)
        self.lives = 2
        self.begin()
        return self.observe(), self.infos()

    def begin(self):
        pass

    def infos(self):
        return {}

    def observe(self):
        return np.array([self.x, self.lives, self.goal])

    def step(self, action):
        self.x += self.pace * action
        reward = self.reward()
        if self.lives <= 0:
            return self.observe(), reward - 1.0, True, False, self.infos()
        return self.observe(), reward, bool(self.x > self.goal), False, self.infos()


class PlainEnv(WalkEnv):
    def reward(self):
        if self.np_random.random() < 0.2:
            self.lives -= 1
        return 1.0


class RichEnv(WalkEnv):
    goal = 9.0
    income = 2

    def __init__(self, pace=0.5, luck=0.25, most=3):
        super().__init__(pace)
        self.luck, self.most = luck, most

    def begin(self):
        self.coins, self.found = int(self.np_random.integers(0, 5)), [0, 0]

    def infos(self):
        return {"coins": self.coins}

    def reward(self):
        if self.np_random.random() < self.luck:
            self.coins += self.income
            self.found[self.coins % 2] += 1
        if sum(self.found) > self.most:
            self.lives = 0
        return self.income * float(self.coins)


class RichestEnv(RichEnv):
    income = 5

    def step(self, action):
        observation, reward, *rest = super().step(action)
        return observation, reward + 0.125 * self.x, *rest


PAIRS = {Plain: PlainEnv, Rich: RichEnv, Richest: RichestEnv}
BACKENDS = ["reference", "native"]


@pytest.mark.parametrize(
    ("namespace", "mode"),
    [
        (Plain, AutoresetMode.NEXT_STEP),
        (Rich, AutoresetMode.DISABLED),
        *((Richest, mode) for mode in AutoresetMode),
    ],
)
def test_a_family_has_the_bits_of_a_class_of_ordinary_environments(namespace, mode):
    settings = {"num_envs": 70, "autoreset_mode": mode}
    subjects = {
        "one thread": (batchsim.make_vec(namespace, num_threads=1, **settings), oracle.step),
        "two threads": (batchsim.make_vec(namespace, num_threads=2, **settings), oracle.step),
        "sent": (batchsim.make_vec(namespace, **settings), oracle.send_and_receive),
        "reference": (batchsim.make_vec(namespace, backend="reference", **settings), oracle.step),
    }
    reference = SyncVectorEnv([PAIRS[namespace]] * 70, autoreset_mode=mode)
    pair = oracle.SideBySide(reference, subjects)
    pair.reset(seed=3, options={"start": 0.25})
    pair.run(120, oracle.Actions(reference, seed=1))
    pair.compare_streams()
    assert pair.episodes > 100
    pair.close()


def test_parameters_of_all_parts_are_the_callers(opened):
    given = {"pace": 0.75, "luck": 0.5, "most": 5}
    envs = opened(batchsim.make_vec(Rich, 8, luck=np.full(8, 0.5), pace=0.75, most=5))
    pair = oracle.SideBySide(
        SyncVectorEnv([lambda: RichEnv(**given)] * 8), {"batchsim": (envs, oracle.step)}
    )
    pair.reset(seed=1)
    pair.run(60, oracle.Actions(envs))
    pair.compare_streams()
    pair.reference.close()


@pytest.mark.parametrize("backend", BACKENDS)
def test_copies_snapshots_and_one_environment_go_on_alike(backend, opened):
    envs = opened(batchsim.make_vec(Rich, 6, backend=backend, frame_stack=2))
    envs.reset(seed=5)
    actions = oracle.Actions(envs)
    for _ in range(10):
        envs.step(actions())
    state = envs.get_state()
    others = [opened(copy.copy(envs)), opened(pickle.loads(pickle.dumps(envs)))]
    batch = [actions() for _ in range(20)]
    seen = [envs.step(action) for action in batch]
    for other in others:
        for action, expected in zip(batch, seen, strict=True):
            oracle.assert_same_step(expected, other.step(action))
    envs.set_state(state)
    for action, expected in zip(batch, seen, strict=True):
        oracle.assert_same_step(expected, envs.step(action))
    one = opened(batchsim.make(Rich, backend=backend))
    single = RichEnv()
    assert np.array_equal(one.reset(seed=9)[0], single.reset(seed=9)[0])
    for action in [2, 1, 0, 2]:
        found, expected = one.step(action), single.step(action)
        assert np.array_equal(found[0], expected[0])
        assert found[1:3] == expected[1:3]


def test_in_fast_precision_a_familys_constants_are_float32_too(opened):
    settings = {"precision": "fast", "num_envs": 9}
    pair = [opened(batchsim.make_vec(Richest, backend=b, **settings)) for b in BACKENDS]
    results = [envs.reset(seed=2) for envs in pair]
    oracle.assert_same_reset(*results)
    actions = oracle.Actions(pair[0])
    for _ in range(40):
        batch = actions()
        oracle.assert_same_step(*(envs.step(batch) for envs in pair))


def test_the_checked_mode_names_the_line_of_what_is_inherited(opened):
    class Far(Rich):
        def reward(s, i, p, rng):
            s.found[i, 7 + int(s.lives[i])] = 1
            return 0.0

    envs = opened(batchsim.make_vec(Far, 3, checked=True))
    envs.reset(seed=0)
    with pytest.raises(RuntimeError, match=r"Far failed in row 0, step 1 .*`s.found\[i, 7"):
        envs.step(np.zeros(3, int))


def test_check_passes_a_family():
    assert batchsim.check(Richest, num_envs=8, steps=60).hints == ()


# -- what is inherited is what runs, and what is kept --------------------------------------------


class Still:
    """A family whose rows may be stepped when they are over: plain numbers, no draws in step."""

    class State(NamedTuple):
        x: float

    ACTION = Discrete(2)
    OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)
    PACE = 0.5

    def reset(s, i, p, rng):
        s.x[i] = uniform(rng, i, 0.0, 1.0)

    def step(s, i, action, p, rng):
        s.x[i] = env.moved(s.x[i], action)
        return s.x[i], s.x[i] > 3.0

    def observe(s, i, p, out):
        out[0] = s.x[i]


class Quick(Still):
    def moved(x, action):
        return x + env.PACE * action


class Looping(Still):
    def moved(x, action):
        for _ in range(3):
            x += env.PACE * action
        return x


def test_a_hook_decides_whether_finished_rows_may_be_stepped():
    assert may_step_finished_rows(Definition(Quick, "Quick-v0"))
    assert not may_step_finished_rows(Definition(Looping, "Looping-v0"))


def faster(x, action):
    return x + 2.0 * env.PACE * action


def negative(s, i, p, out):
    out[0] = -s.x[i]


CHANGES = {
    "a hook": (Quick, "moved", faster),
    "a constant of the definition": (Quick, "PACE", 0.25),
    "a constant of the family": (Still, "PACE", 0.25),
    "a function of the family": (Still, "observe", negative),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_definition_overrides_and_inherits_is_in_its_kernels_key(change, monkeypatch):
    owner, name, value = CHANGES[change]
    definition = Definition(Quick, "Quick-v0")
    before = key_of(definition, monkeypatch)
    assert key_of(definition, monkeypatch) == before
    monkeypatch.setattr(owner, name, value, raising=False)
    assert key_of(Definition(Quick, "Quick-v0"), monkeypatch) != before


def test_what_no_function_reads_is_not_in_the_key(monkeypatch):
    definition = Definition(Quick, "Quick-v0")
    before = key_of(definition, monkeypatch)
    monkeypatch.setattr(Still, "UNUSED", 2.0, raising=False)
    assert key_of(definition, monkeypatch) == before


def test_definitions_of_a_family_are_found_and_pickled_by_their_names():
    definition = pickle.loads(pickle.dumps(Definition(Rich, "Rich-v0")))
    assert definition.namespace is Rich
    assert definition.columns == Definition(Rich, "Rich-v0").columns


# -- ids -----------------------------------------------------------------------------------------


def test_an_id_is_a_definition_with_arguments(registered, opened):
    batchsim.register(Rich, "Rich-v0")
    kwargs = {"luck": 0.75, "most": 9}
    batchsim.register(Rich, "Lucky-v0", max_episode_steps=7, kwargs=kwargs)
    kwargs["luck"] = 0.0
    lucky = opened(batchsim.make_vec("Lucky-v0", 5))
    known = opened(gymnasium.make_vec("batchsim/Lucky-v0", num_envs=5))
    by_hand = opened(batchsim.make_vec(Rich, 5, luck=0.75, most=9, max_episode_steps=7))
    assert opened(batchsim.make_vec("Rich-v0", 5)).get_attr("luck") == (0.25,) * 5
    assert lucky.get_attr("luck") == (0.75,) * 5
    for envs in (lucky, known):
        oracle.assert_same_reset(by_hand.reset(seed=1), envs.reset(seed=1))
        for _ in range(20):
            oracle.assert_same_step(by_hand.step(np.ones(5, int)), envs.step(np.ones(5, int)))
    assert opened(batchsim.make_vec("Lucky-v0", 2, luck=0.5)).get_attr("luck") == (0.5, 0.5)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"lucky": 1.0}, r"unexpected keyword argument 'lucky' \(did you mean 'luck'\?\)"),
        ({"luck": "much"}, "parameter 'luck' is 'much'; expected a number"),
        ("luck", "kwargs is 'luck'; expected a dict"),
    ],
)
def test_arguments_of_an_id_are_refused_when_it_is_registered(kwargs, message, registered):
    with pytest.raises((TypeError, ValueError), match=message):
        batchsim.register(Rich, "Lucky-v0", kwargs=kwargs)
    assert "Lucky-v0" not in batchsim.environments()
    assert "batchsim/Lucky-v0" not in gymnasium.registry


def test_a_file_may_define_several_environments(tmp_path, monkeypatch, opened):
    (tmp_path / "two_walks.py").write_text(
        "from test_family import Plain, Rich\n\nclass Far(Plain):\n    GOAL = 30.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    far = registry.resolve("two_walks:Far")
    entry = registry.Entry("two_walks:Far", 50)
    monkeypatch.setitem(registry._entries, "Far-v0", entry)
    try:
        envs = opened(batchsim.make_vec("Far-v0", 2, backend="reference"))
        assert envs.definition.namespace is far
        assert envs.spec.max_episode_steps == 50
        assert registry.read(envs.definition)[1] is entry
        assert envs.reset(seed=0)[0][0, 2] == 30.0
    finally:
        sys.modules.pop("two_walks", None)


# -- parts ---------------------------------------------------------------------------------------


def test_merged_fields_keep_their_order_annotations_and_defaults():
    both = merge(Body, Purse)
    assert both._fields == ("x", "lives", "coins", "found")
    columns = Definition(Rich, "Rich-v0").columns
    assert columns["coins"].dtype == np.int32
    assert columns["found"].shape == (2,)
    assert merge(Pace, Luck)() == (0.5, 0.25, 3)
    assert merge(both, NamedTuple("Age", [("years", int)]))._fields[-1] == "years"
    some = merge(NamedTuple("One", [("a", int)]), Pace)
    assert some(1) == (1, 0.5)
    none_last = merge(Pace, Body)
    assert none_last._field_defaults == {"pace": 0.5}


def test_merged_values_are_pickled_by_their_parts():
    values = merge(Pace, Luck)(pace=0.125)
    again = pickle.loads(pickle.dumps(values))
    assert again == values
    assert again._fields == values._fields


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((), "merge got no part"),
        ((Body, 3), "merge got 3; expected classes with NamedTuple"),
        ((Body, Walk), "merge got <class 'test_family.Walk'>; expected classes with NamedTuple"),
        ((Body, Body), r"merge got Body \(line \d+ of .*test_family.py\) twice"),
        ((merge(Body, Purse), Body), r"merge got Body .* twice, by itself or in another part"),
        (
            (Body, NamedTuple("Other", [("x", int)])),
            r"merge got the field 'x' of both Body \(line .*\) and Other; expected different names",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_a_sentence(parts, message):
    with pytest.raises(TypeError, match=message) as error:
        merge(*parts)
    assert str(error.value).endswith(".")


def test_a_field_of_a_part_is_refused_where_it_is_written():
    class Wrong(NamedTuple):
        name: str

    class Named(Plain):
        State = merge(Body, Wrong)

    with pytest.raises(batchsim.checking.CheckError, match=r"State.name is annotated str") as error:
        batchsim.check(Named)
    assert error.value.problems[0].line == Wrong_line()


def Wrong_line():  # noqa: N802
    text = open(__file__).read()  # noqa: SIM115
    return text[: text.index("        name: str")].count("\n") + 1


# -- pages ---------------------------------------------------------------------------------------


def test_a_page_has_the_sections_that_are_inherited_and_not_replaced():
    page = page_of(Plain)
    assert page.startswith("# Plain walk\n\n## Rewards\n\nOne a step")
    assert page.endswith("## Arguments\n\n- `pace`: of a step.")
    assert "Whoever" not in page
    assert "What a walk says" not in page
    assert page_of(Rich).startswith("One that finds coins")
    assert page_of(type("Silent", (Plain,), {})) == page
    assert page_of(sys.modules[__name__]) == __doc__.strip()


# -- mistakes ------------------------------------------------------------------------------------


class WithoutHook(Walk):
    def rewards(s, i, p, rng):
        return 1.0


class WithoutConstant(Walk):
    def reward(s, i, p, rng):
        return env.WORTH


class WithoutColumn(Plain):
    class State(NamedTuple):
        x: float


class WithoutParameter(Plain):
    class Params(NamedTuple):
        speed: float = 1.0


class HookOfClass(Walk):
    @classmethod
    def reward(cls, s, i, p, rng):
        return 1.0


class StepOfClass(Plain):
    @classmethod
    def step(cls, s, i, action, p, rng):
        return 1.0, True


class CallsSuper(Plain):
    def reset(s, i, p, rng):
        super().reset(s, i, p, rng)


class CallsNobody(Plain):
    def reset(s, i, p, rng):
        Walk.rset(s, i, p, rng)


class PassesEnv(Walk):
    def reward(s, i, p, rng):
        return float(env)


MISTAKES = {
    WithoutHook: (
        "return env.reward(s, i, p, rng)",
        "advance uses env.reward, but WithoutHook has no 'reward' (did you mean 'rewards'?).",
        "Write `def reward(s, i, p, rng):` in WithoutHook, or in a class that it inherits from.",
    ),
    WithoutConstant: (
        "return env.WORTH",
        "reward uses env.WORTH, but WithoutConstant has no 'WORTH'.",
        "Write `WORTH = …` in WithoutConstant, or in a class that it inherits from.",
    ),
    WithoutColumn: (
        "s.lives[i] = 2",
        "reset uses s.lives, but State of WithoutColumn has no field 'lives'.",
        "write `State = merge(Walk.State, …)` in WithoutColumn",
    ),
    WithoutParameter: (
        "s.x[i] += p.pace * action",
        "advance uses p.pace, but there is no parameter 'pace'",
        "The parameters are: speed, start.",
    ),
    HookOfClass: (
        "return env.reward(s, i, p, rng)",
        "advance calls env.reward, a classmethod, which cannot be compiled.",
        "Leave the decorator and `cls` out, and write `env`",
    ),
    CallsSuper: (
        "super().reset(s, i, p, rng)",
        "reset uses super(), which cannot be compiled.",
        "Name the class: `Family.reset(…)`",
    ),
    CallsNobody: (
        "Walk.rset(s, i, p, rng)",
        "reset uses Walk.rset, but Walk has no 'rset' (did you mean 'reset'?).",
        "Write `def rset(s, i, p, rng):` in Walk",
    ),
    PassesEnv: (
        "return float(env)",
        "reward uses env as a value, which cannot be compiled.",
        "Write what is meant of the definition: `env.name`.",
    ),
}


@pytest.mark.parametrize("namespace", MISTAKES)
def test_a_mistake_in_a_family_is_told_with_its_line_and_what_to_write(namespace):
    line, message, hint = MISTAKES[namespace]
    numbers = [n for n, text in enumerate(open(__file__), 1) if text.strip() == line]  # noqa: SIM115
    with pytest.raises(batchsim.checking.CheckError) as error:
        batchsim.check(namespace)
    problem = next(problem for problem in error.value.problems if message in problem.message)
    assert problem.file == __file__
    assert problem.line in numbers
    assert hint in problem.hint
    for backend in BACKENDS:
        if backend == "reference" and namespace in (WithoutColumn, WithoutParameter):
            continue  # As plain Python they run until they come to it.
        with pytest.raises(CompileError, match=re.escape(message)) as error:
            batchsim.make_vec(namespace, 2, backend=backend)
        assert hint in str(error.value)


def test_a_function_that_is_compiled_is_no_classmethod():
    with pytest.raises(TypeError, match="step of StepOfClass is a classmethod; expected a plain"):
        batchsim.make_vec(StepOfClass, 2)
    with pytest.raises(batchsim.checking.CheckError, match="step is a classmethod"):
        batchsim.check(StepOfClass)


def test_env_stands_for_nothing_where_no_batch_runs():
    with pytest.raises(AttributeError, match=r"env.GOAL is known where a batch runs reset, step"):
        env.GOAL  # noqa: B018
    with at_work(Rich):
        assert env.GOAL == 9.0
        with at_work(Plain):
            assert env.GOAL == 4.0
        assert env.GOAL == 9.0
    assert repr(env) == "batchsim.family.env"
    assert copy.copy(env) is env
    assert pickle.loads(pickle.dumps(env)) is env


def test_ordinary_python_of_a_family_knows_its_definition_as_a_classmethod(opened):
    class Drawn(Plain):
        @classmethod
        def OBSERVATION(cls, p):  # noqa: N802
            return Box(0.0, cls.GOAL, (3,), np.float64)

        @classmethod
        def check_params(cls, params):
            if params.pace > cls.GOAL:
                raise ValueError(f"pace is {params.pace}; expected at most {cls.GOAL}.")

        @classmethod
        def check_state(cls, s, p):
            assert cls.GOAL

        @classmethod
        def renderer(cls, p):
            return lambda s, i: np.full((2, 2, 3), int(cls.GOAL), np.uint8)

    class Farther(Drawn):
        GOAL = 6.0

    envs = opened(batchsim.make_vec(Farther, 2, backend="reference", render_mode="rgb_array"))
    assert envs.single_observation_space.high[0] == 6.0
    envs.reset(seed=0)
    envs.set_state(envs.get_state())
    assert (envs.render()[0] == 6).all()
    with pytest.raises(ValueError, match=r"pace is 7.0; expected at most 6.0"):
        batchsim.make_vec(Farther, 2, pace=7.0)


def test_the_command_names_definitions_of_a_file(tmp_path):
    file = tmp_path / "walks.py"
    file.write_text(
        textwrap.dedent("""
            from typing import NamedTuple
            from batchsim.family import merge
            from test_family import Plain

            class Age(NamedTuple):
                x: int

            class Old(Plain):
                State = merge(Plain.State, Age)
            """)
    )
    with pytest.raises(ValueError, match=r"the field 'x' of both Body .* and Age .*\(line 10\)"):
        registry.resolve(f"{file}:Old")
