"""Text observations: strings as SyncVectorEnv returns them, made of tokens that kernels write."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import contextlib
import copy
import pickle
from typing import NamedTuple

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Space, Text, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import FrameStackObservation

import batchsim
from batchsim.batch import texts
from batchsim.batch.tokenizer import Tokenizer
from batchsim.random import integers

N = 11
COLOURS = ("red", "green", "blue")
LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789"
MISSION = Text(20, charset=LETTERS)
HINT = Text(12, min_length=0, charset=LETTERS)
WHERE = Discrete(9)


class Sentence(Space):
    """A space of its own, as MiniGrid's missions are: it has neither lengths nor letters."""

    def __init__(self, start):
        self.start = start
        super().__init__(dtype=str)

    def sample(self, mask=None, probability=None):
        return f"{self.start} {self.np_random.integers(9)}"

    def contains(self, x):
        return isinstance(x, str) and x.startswith(self.start)

    def __eq__(self, other):
        return isinstance(other, Sentence) and other.start == self.start

    __hash__ = None


def mission(tokens):
    colour, count = tokens
    return f"go {COLOURS[colour]} {count}"


def hint(tokens):
    return "hot" if tokens[0] else ""


class Walk:
    """Draws a colour and a place; a mission that changes every third step, a hint that flickers."""

    class State(NamedTuple):
        time: int
        colour: int
        place: int

    OBSERVATION = Dict(where=WHERE, mission=MISSION)
    ACTION = Discrete(2)
    TOKENS = Box(0, 1000, (2,), np.int16)
    text = staticmethod(mission)

    def reset(s, i, p, rng):
        s.time[i] = 0
        s.colour[i] = integers(rng, i, 0, 3)
        s.place[i] = 4

    def step(s, i, action, p, rng):
        s.time[i] += 1
        s.place[i] = integers(rng, i, 0, 9)
        return float(action), s.place[i] == 0

    def observe(s, i, p, out):
        out.where[0] = s.place[i]
        out.mission[0] = s.colour[i]
        out.mission[1] = s.time[i] // 3


class Sole(Walk):
    """The observation is a text."""

    OBSERVATION = MISSION

    def observe(s, i, p, out):
        out[0] = s.colour[i]
        out[1] = s.time[i] // 3


class Own(Walk):
    """The mission's space is none of Gymnasium's."""

    OBSERVATION = Dict(where=WHERE, mission=Sentence("go"))


class Several(Walk):
    """Texts in a Dict and in a Tuple, with tokens of other widths."""

    OBSERVATION = Dict(task=Dict(mission=MISSION), pair=Tuple((HINT, WHERE)))
    TOKENS = {  # noqa: RUF012
        "task.mission": MultiDiscrete([3, 1000], np.int32),
        "pair.0": Box(0, 1, (3,), np.uint8),
    }
    text = {"task.mission": mission, "pair.0": hint}  # noqa: RUF012

    def observe(s, i, p, out):
        out.pair[0][0] = s.place[i] % 2
        out.pair[0][1] = 0
        out.pair[0][2] = 1
        out.pair[1][0] = s.place[i]
        out.task.mission[0] = s.colour[i]
        out.task.mission[1] = s.time[i] // 3


class Original(gymnasium.Env):
    """`Walk` and its variants as one object each."""

    action_space = Discrete(2)

    def __init__(self, kind):
        self.kind = kind
        self.observation_space = copy.deepcopy(kind.OBSERVATION)

    def observation(self):
        text, place = mission((self.colour, self.time // 3)), self.place
        if self.kind is Sole:
            return text
        if self.kind is Several:
            return {"task": {"mission": text}, "pair": (hint((place % 2,)), place)}
        return {"where": place, "mission": text}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time, self.place = 0, 4
        self.colour = int(self.np_random.integers(3))
        return self.observation(), {}

    def step(self, action):
        self.time += 1
        self.place = int(self.np_random.integers(9))
        return self.observation(), float(action), self.place == 0, False, {}


KINDS = [Walk, Sole, Own, Several]


def same(one, other):
    """Whether two results are the same, types and bits, whatever they are nested of."""
    if isinstance(one, dict):  # A step's infos are of a class of their own.
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        if one.dtype == object:
            return len(one) == len(other) and all(map(same, one, other))
        return oracle.bits(one) == oracle.bits(other)
    return type(one) is type(other) and one == other


def originals(kind, mode, frames=1, num_envs=N):
    def make():
        env = Original(kind)
        return env if frames == 1 else FrameStackObservation(env, frames)

    return SyncVectorEnv([make] * num_envs, autoreset_mode=mode)


def compare(reference, subjects, steps, seed=3):
    """Step all side by side; with DISABLED reset rows that are over."""
    rng = np.random.default_rng(seed)
    expected = reference.reset(seed=seed)
    assert all(same(expected, env.reset(seed=seed)) for env, _ in subjects)
    disabled = reference.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    over, finals = np.zeros(N, np.bool_), 0
    for _ in range(steps):
        if disabled and over.any():
            expected = reference.reset(options={"reset_mask": over.copy()})
            for env, _ in subjects:
                assert same(expected, env.reset(options={"reset_mask": over.copy()}))
        actions = rng.integers(0, 2, N)
        expected = reference.step(actions)
        for env, step in subjects:
            assert same(expected, step(env, actions))
        over = expected[2] | expected[3]
        finals += "final_obs" in expected[4]
    for env, _ in subjects:
        oracle.assert_same_streams(reference, env)
    return expected, finals


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_those_of_the_original(kind, mode, opened):
    made = {"num_envs": N, "autoreset_mode": mode}
    subjects = [
        (opened(batchsim.make_vec(kind, num_threads=1, **made)), oracle.step),
        (opened(batchsim.make_vec(kind, num_threads=3, **made)), oracle.send_and_receive),
        (opened(batchsim.make_vec(kind, backend="reference", **made)), oracle.step),
    ]
    reference = originals(kind, mode)
    for env, _ in subjects:
        assert env.single_observation_space == reference.single_observation_space
        assert env.observation_space == reference.observation_space
    observations, finals = compare(reference, subjects, 120)
    assert observations[0] in env.observation_space
    assert (finals > 20) == (mode is AutoresetMode.SAME_STEP)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("kind", [Walk, Sole, Several])
def test_stacked_texts_are_those_of_the_wrapper(kind, mode, opened):
    mode = AutoresetMode(mode)
    envs = opened(batchsim.make_vec(kind, N, autoreset_mode=mode, frame_stack=3))
    reference = originals(kind, mode, 3)
    assert envs.observation_space == reference.observation_space
    compare(reference, [(envs, oracle.step)], 60)
    single = opened(batchsim.make(kind, frame_stack=3))
    wrapped = FrameStackObservation(Original(kind), 3)
    assert single.observation_space == wrapped.observation_space
    assert same(wrapped.reset(seed=4), single.reset(seed=4))
    assert same(wrapped.step(1), single.step(1))


def test_gymnasium_stacks_no_other_spaces_of_strings():
    """So there is nothing that the frames of such a space would have to equal."""
    with pytest.raises(gymnasium.error.CustomSpaceError):
        FrameStackObservation(Original(Own), 2)
    envs = batchsim.make_vec(Own, 2, frame_stack=2, backend="reference")
    assert envs.reset(seed=0)[0]["mission"][0] == envs.reset(seed=0)[0]["mission"][1]


@pytest.mark.parametrize("kind", KINDS)
def test_one_environment_returns_a_str(kind, opened):
    env, original = opened(batchsim.make(kind)), Original(kind)
    assert env.observation_space == original.observation_space
    assert same(original.reset(seed=7), env.reset(seed=7))
    for _ in range(10):
        expected = original.step(1)
        assert same(expected, env.step(1))
        if expected[2]:
            assert same(original.reset(), env.reset())


def test_gymnasiums_checker_and_wrappers_take_texts(opened):
    from gymnasium.utils.env_checker import check_env
    from gymnasium.wrappers.vector import FlattenObservation

    check_env(opened(batchsim.make(Walk)), skip_render_check=True)
    vector = opened(batchsim.make_vec(Walk, 3))
    results = []
    for envs in (vector, originals(Walk, AutoresetMode.NEXT_STEP, num_envs=3)):
        try:
            results.append(FlattenObservation(envs).reset(seed=0)[0])
        except Exception as error:
            results.append((type(error), str(error)))
    assert same(*results)


# --- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_tokens_are_what_the_strings_are_made_of(mode, opened):
    made = {"num_envs": N, "autoreset_mode": mode}
    strings = opened(batchsim.make_vec(Several, **made))
    tokens = opened(batchsim.make_vec(Several, **made, text_mode="tokens"))
    assert tokens.text_mode == "tokens"
    space = tokens.single_observation_space
    assert space["task"]["mission"] == MultiDiscrete([3, 1000], np.int32)
    assert tokens.observation_space["pair"][0] == Box(0, 1, (N, 3), np.uint8)
    told, found = strings.reset(seed=0)[0], tokens.reset(seed=0)[0]
    for _ in range(40):
        rows = found["task"]["mission"]
        assert (rows.dtype, rows.shape) == (np.int32, (N, 2))
        assert told["task"]["mission"] == tuple(mission(row) for row in rows.tolist())
        assert told["pair"][0] == tuple(hint(row) for row in found["pair"][0].tolist())
        assert found in tokens.observation_space
        actions = np.ones(N, np.int64)
        (told, *_), (found, *_, infos) = strings.step(actions), tokens.step(actions)
        if "final_obs" in infos:
            row = int(np.flatnonzero(infos["_final_obs"])[0])
            assert infos["final_obs"][row]["pair"][0].shape == (3,)


def test_observations_without_a_text_are_the_same_either_way(opened):
    envs = opened(batchsim.make_vec("CartPole-v1", 2, text_mode="tokens"))
    assert envs.single_observation_space.shape == (4,)
    single = opened(batchsim.make(Walk, text_mode="tokens"))
    assert single.reset(seed=0)[0]["mission"].tolist() == [2, 0]


def test_snapshots_do_not_depend_on_the_form_of_texts(opened):
    strings = opened(batchsim.make_vec(Walk, N))
    tokens = opened(batchsim.make_vec(Walk, N, text_mode="tokens", autoreset_mode="Disabled"))
    strings.reset(seed=0)
    for _ in range(5):
        observations = strings.step(np.ones(N, np.int64))[0]
    tokens.reset(seed=1)
    found = tokens.set_state(strings.get_state())
    told = tuple(mission(row) for row in found["mission"].tolist())
    assert told == observations["mission"]


# --- what changes, and what is made anew ----------------------------------------------------------


def counting(calls, decode=mission):
    def text(tokens):
        assert type(tokens) is tuple
        assert all(type(token) is int for token in tokens)
        calls.append(tokens)
        return decode(tokens)

    return text


def variant(text, **names):
    return type("Variant", (Walk,), {"text": staticmethod(text), **names})


def test_only_new_tokens_are_decoded(opened):
    calls = []
    envs = opened(batchsim.make_vec(variant(counting(calls)), 64))
    first = envs.reset(seed=0)[0]["mission"]
    assert sorted(calls) == [(0, 0), (1, 0), (2, 0)]
    calls.clear()
    # No mission changes before the third step, but of rows that are over.
    assert envs.step(np.zeros(64, np.int64))[0]["mission"] is first
    assert calls == []
    for _ in range(30):
        envs.step(np.zeros(64, np.int64))
    assert len(calls) == len(set(calls))


def test_kept_strings_are_bounded(opened, monkeypatch):
    monkeypatch.setattr(texts, "MOST_KEPT", 4)
    calls = []
    envs = opened(batchsim.make_vec(variant(counting(calls)), N))
    reference = originals(Walk, AutoresetMode.NEXT_STEP)
    compare(reference, [(envs, oracle.step)], 60)
    (text,) = envs._layout.texts.values()
    assert len(text.kept) <= 4
    assert len(calls) > len(set(calls))


@pytest.mark.parametrize(
    ("count", "dtype"), [(1, np.int8), (3, np.int8), (6, np.uint16), (5, "i8")]
)
def test_tokens_of_every_width_are_compared_whole(count, dtype, opened):
    """Rows of 1, 3, 12 and 40 bytes, of which the last token alone changes."""

    class Wide(Walk):
        OBSERVATION = Text(100, charset=LETTERS)
        TOKENS = Box(0, 100, (count,), np.dtype(dtype).type)

        def text(tokens):
            return " ".join(map(str, tokens))

        def observe(s, i, p, out):
            out[:] = 1
            out[out.shape[0] - 1] = s.time[i] % 100

    envs = opened(batchsim.make_vec(Wide, N, backend="reference"))
    told = envs.reset(seed=0)[0]
    for t in range(12):
        times = envs.get_state()["state.time"].tolist()
        assert told == tuple(" ".join([*["1"] * (count - 1), str(time)]) for time in times), t
        told = envs.step(np.zeros(N, np.int64))[0]


def test_partial_resets_and_copies_tell_what_their_own_rows_do(opened):
    envs = opened(batchsim.make_vec(Several, N, autoreset_mode="Disabled"))
    reference = originals(Several, AutoresetMode.DISABLED)
    reference.reset(seed=1)
    envs.reset(seed=1)
    mask = np.arange(N) % 3 == 0
    seeds = [5] * N
    expected = reference.reset(seed=seeds, options={"reset_mask": mask.copy()})
    assert same(expected, envs.reset(seed=seeds, options={"reset_mask": mask}))
    twins = [opened(copy.deepcopy(envs)), opened(pickle.loads(pickle.dumps(envs)))]
    twins.append(opened(copy.copy(twins[0])))
    actions = np.ones(N, np.int64)
    expected = reference.step(actions)
    for env in (*twins, envs):
        assert env.observation_space == envs.observation_space
        assert same(expected, env.step(actions))
    tokens = opened(batchsim.make_vec(Walk, N, text_mode="tokens"))
    assert pickle.loads(pickle.dumps(tokens)).text_mode == "tokens"


def test_parts_tell_their_own_rows(opened):
    whole, twin = (opened(batchsim.make_vec(Walk, N)) for _ in range(2))
    whole.reset(seed=1)
    twin.reset(seed=1)
    parts = whole.split(2)
    for _ in range(20):
        told = [part.step(np.ones(part.num_envs, np.int64))[0]["mission"] for part in parts]
        assert told[0] + told[1] == twin.step(np.ones(N, np.int64))[0]["mission"]
    assert parts[1].observation_space["mission"] == Tuple([MISSION] * (N - (N + 1) // 2))


def test_rows_with_parameters_of_their_own_have_texts(opened):
    class Faster(Own):
        class Params(NamedTuple):
            pace: int = 1

        def observe(s, i, p, out):
            out.where[0] = s.place[i]
            out.mission[0] = s.colour[i]
            out.mission[1] = s.time[i] * p.pace

    envs = opened(batchsim.make_vec(Faster, 3, pace=[1, 2, 3], backend="reference"))
    assert envs.observation_space["mission"] == Tuple([Sentence("go")] * 3)
    envs.reset(seed=0)
    told = envs.step(np.zeros(3, np.int64))[0]["mission"]
    assert [text[-1] for text in told] == ["1", "2", "3"]


def test_spaces_of_texts_sample_for_themselves(opened):
    envs = opened(batchsim.make_vec(Walk, 4, backend="reference"))
    space = envs.observation_space
    space.seed(3)
    assert space.sample() in space
    assert len(set(space["mission"].sample())) > 1
    reference = originals(Walk, AutoresetMode.NEXT_STEP, num_envs=4).observation_space
    reference.seed(3)
    space.seed(3)
    assert same(reference.sample(), space.sample())


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["token", "STR", None, True])
def test_other_forms_are_refused(form):
    with pytest.raises(
        (TypeError, ValueError), match=r"^text_mode is .*; expected .*'str'.*'tokens'"
    ):
        batchsim.make_vec(Walk, 2, text_mode=form)


def test_out_takes_no_texts(opened):
    envs = opened(batchsim.make_vec(Walk, N))
    envs.reset(seed=0)
    where = np.zeros(N, np.int64)
    actions = np.ones(N, np.int64)
    observations = envs.step(actions, out=({"where": where, "mission": None}, None, None, None))[0]
    assert observations["where"] is where
    assert len(observations["mission"]) == N
    message = r"^The observation\['mission'\] in out is .*; expected None, since it is a text: with"
    for given in (np.zeros((N, 2), np.int16), ("a",) * N):
        with pytest.raises(ValueError, match=message):
            envs.step(actions, out=({"where": where, "mission": given}, None, None, None))
        with pytest.raises(ValueError, match=message):
            envs.reset(out={"where": where, "mission": given})
    sole = opened(batchsim.make_vec(Sole, N, backend="reference"))
    with pytest.raises(ValueError, match=r"^The observation in out is .*; expected None, since it"):
        sole.reset(seed=0, out=np.zeros((N, 2), np.int16))
    tokens = opened(batchsim.make_vec(Walk, N, text_mode="tokens"))
    held = np.zeros((N, 2), np.int16)
    assert tokens.reset(seed=0, out={"where": None, "mission": held})[0]["mission"] is held


BOX = Box(0, 9, (2,), np.int16)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            {"TOKENS": 4},
            "^TOKENS of V is 4 for 'mission'; expected a Box of whole numbers or a Mul",
        ),
        (
            {"TOKENS": Box(0, 1, (2,))},
            r"^TOKENS of V is Box\(0.0.*; expected a Box of whole numbers",
        ),
        ({"TOKENS": Box(0, 9, (2, 2), np.int16)}, "with one axis"),
        ({"TOKENS": Box(0, 9, (), np.int16)}, "with one axis"),
        ({"TOKENS": Box(0, 9, (0,), np.int16)}, "with one axis"),
        ({"TOKENS": Discrete(4)}, "^TOKENS of V is Discrete.*; expected a Box of whole numbers"),
        ({"TOKENS": np.int16}, "expected a Box of whole numbers"),
        ({"TOKENS": {"mision": BOX}}, "^TOKENS of V names 'mision' .did you mean 'mission'"),
        ({"TOKENS": {}}, "^TOKENS of V has nothing for the text 'mission'; expected one for each"),
        ({"text": 3}, r"^text of V is 3 for 'mission'; expected a function text\(tokens\)"),
        ({"text": {"mission": "go"}}, r"^text of V is 'go' for 'mission'; expected a function"),
        ({"text": {"mission": mission, "hint": hint}}, "^text of V names 'hint'; expected a text"),
        (
            {"OBSERVATION": Several.OBSERVATION},
            "TOKENS of V is Box.*; expected a dict with one for each of its texts: task.mission, p",
        ),
        (
            {"OBSERVATION": WHERE},
            r"^The definition of V has TOKENS, but OBSERVATION is Discrete\(9",
        ),
        ({"OBSERVATION": Dict(a=Discrete(2))}, "has TOKENS, but OBSERVATION is"),
    ],
)
def test_definitions_that_do_not_fit_are_refused(names, message):
    with pytest.raises(TypeError, match=message):
        batchsim.make_vec(type("V", (Walk,), names), 2, backend="reference")


@pytest.mark.parametrize("missing", ["TOKENS", "text"])
def test_a_text_needs_both_names(missing):
    names = {name: value for name, value in vars(Walk).items() if not name.startswith("__")}
    del names[missing]
    with pytest.raises(TypeError, match=f"^The definition of V has a text in .* but no {missing};"):
        batchsim.make_vec(type("V", (), names), 2, backend="reference")


# --- back to tokens -------------------------------------------------------------------------------


def tokenizer(names, text="mission"):
    """Of a variant of Walk."""
    with contextlib.closing(batchsim.make_vec(type("V", (Walk,), names), 1, **PLAIN)) as envs:
        return Tokenizer(envs.texts[text])


PLAIN = {"backend": "reference"}
FEW = MultiDiscrete([4, 5], np.int8, start=[0, 2])
"""Of which the colour 3 makes no text."""


@pytest.mark.parametrize(
    "names",
    [{"TOKENS": FEW}, {"tokenize": lambda text: (COLOURS.index(text[3:-2]), int(text[-1]))}],
)
def test_strings_are_made_tokens_again(names, monkeypatch):
    monkeypatch.setattr("batchsim.batch.tokenizer.MOST_KEPT", 4)
    found = tokenizer(names)
    given = [[(0, 2), (2, 3), (0, 2)], [(1, 6)], [(2, 4), (1, 6)], [(0, 5), (2, 3)]]
    for rows in given:
        tokens = found(tuple(map(mission, rows)))
        assert tokens.tolist() == list(map(list, rows))
        assert tokens.dtype == names.get("TOKENS", Walk.TOKENS).dtype


@pytest.mark.parametrize(
    ("names", "text", "string", "error", "message"),
    [
        ({}, "mission", "", ValueError, r"^The definition of V has too many tokens of 'mission'"),
        (
            {"TOKENS": FEW},
            "mission",
            "go up",
            ValueError,
            "^No tokens of V of 'mission' make 'go u",
        ),
        (
            {"OBSERVATION": Dict(mission=HINT), "TOKENS": BOX, "text": staticmethod(hint)},
            "mission",
            "hot",
            ValueError,
            "make 'hot', or several do; expected a string that text makes",
        ),
        ({"tokenize": lambda text: (0, 0)}, "mission", "go red 1", ValueError, "make 'go red 1'"),
        (
            {"tokenize": lambda text: 1 / 0},
            "mission",
            "",
            RuntimeError,
            "^tokenize of V raised Zero",
        ),
        ({"tokenize": lambda text: "ab"}, "mission", "", RuntimeError, "raised TypeError for ''"),
        ({"tokenize": 3}, "mission", "", TypeError, r"^tokenize of V is 3 for .* tokenize\(text\)"),
    ],
)
def test_strings_that_cannot_be_made_tokens_are_refused(names, text, string, error, message):
    with pytest.raises(error, match=message):
        tokenizer(names, text)((string,))


@pytest.mark.parametrize("name", ["BabyAI-BossLevel-v0", "MiniGrid-PutNear-6x6-N2-v0"])
def test_missions_of_grid_worlds_are_made_tokens_again(name, opened):
    strings, tokens = (
        opened(batchsim.make_vec(name, 24, backend="reference", text_mode=mode))
        for mode in ("str", "tokens")
    )
    told, expected = strings.reset(seed=5)[0]["mission"], tokens.reset(seed=5)[0]["mission"]
    found = Tokenizer(strings.texts["mission"])(told)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert not tokens.texts


def test_observations_by_parameter_may_have_a_text_or_none(opened):
    class Chosen(Walk):
        class Params(NamedTuple):
            told: bool = True

        def OBSERVATION(p):  # noqa: N802
            return Dict(mission=MISSION) if p.told else BOX

        def TOKENS(p):  # noqa: N802
            return BOX

        def observe(s, i, p, out):
            from batchsim.parts import part

            part(out, "mission")[0] = s.colour[i]
            part(out, "mission")[1] = 0

    told = opened(batchsim.make_vec(Chosen, 2, backend="reference"))
    silent = opened(batchsim.make_vec(Chosen, 2, told=False, backend="reference"))
    assert told.reset(seed=0)[0]["mission"][0] == mission(silent.reset(seed=0)[0][0])
    with pytest.raises(ValueError, match=r"row 1 the observation space .* expected the same key"):
        batchsim.make_vec(Chosen, 2, told=[True, False], backend="reference")


def raises_late(tokens):
    if tokens[1] >= 1:
        raise LookupError("no such word")
    return "go"


def returns_bytes_late(tokens):
    return b"go" if tokens[1] >= 1 else "go"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            raises_late,
            RuntimeError,
            r"^text of Variant raised LookupError for the tokens \(\d, 1\)",
        ),
        (
            returns_bytes_late,
            TypeError,
            r"^text of Variant returned b'go' for .*; expected a str\.$",
        ),
    ],
)
def test_a_text_that_fails_is_told_and_the_rows_go_on(text, kind, message, opened):
    envs = opened(batchsim.make_vec(variant(text), N, autoreset_mode="SameStep"))
    twin = opened(batchsim.make_vec(Walk, N, autoreset_mode="SameStep"))
    actions = np.zeros(N, np.int64)
    envs.reset(seed=0)
    twin.reset(seed=0)
    failed = 0
    for _ in range(8):
        try:
            envs.step(actions)
        except kind:
            failed += 1
        twin.step(actions)
    assert failed
    one, other = envs.get_state(), twin.get_state()
    assert all(np.array_equal(one[name], other[name]) for name in one if name != "fingerprint")
    while envs.get_state()["state.time"].max() < 2:
        envs.step(actions)
    with pytest.raises(kind, match=message):
        envs.step(actions)


# --- training -------------------------------------------------------------------------------------


def test_policies_and_collectors_name_the_argument():
    torch = pytest.importorskip("torch")
    from batchsim.torch import ActorCritic, Collector

    envs = batchsim.make_vec(Walk, 4, backend="reference")
    message = (
        r"^The observation space is or holds Text.*; make the environments with text_mode='tokens'"
    )
    with pytest.raises(TypeError, match=message):
        ActorCritic(envs.single_observation_space, envs.single_action_space)
    tokens = batchsim.make_vec(Walk, 4, text_mode="tokens")
    policy = ActorCritic(tokens.single_observation_space, tokens.single_action_space)
    with pytest.raises(TypeError, match=message):
        Collector(envs, policy, steps=4)
    rollout = Collector(tokens, policy, steps=4, seed=0).collect()
    assert rollout.observations["mission"].shape == (5, 4, 2)
    assert rollout.observations["mission"].dtype == torch.int16


def test_training_reads_tokens():
    pytest.importorskip("torch")
    from batchsim.torch.presets import hyperparameters_for
    from batchsim.torch.train import Settings

    settings = Settings(Walk, hyperparameters_for(Walk))
    assert settings.arguments == {"text_mode": "tokens"}


def test_stable_baselines3_names_the_argument():
    pytest.importorskip("stable_baselines3")
    from batchsim.adapters.sb3 import make_sb3_vec_env

    with pytest.raises(TypeError, match=r"is or holds Text.*make the environments with text_m"):
        make_sb3_vec_env(Walk, 2, backend="reference")
    envs = make_sb3_vec_env(Walk, 2, backend="reference", text_mode="tokens")
    assert envs.reset()["mission"].shape == (2, 2)


def test_torchrl_names_the_argument():
    pytest.importorskip("torchrl")
    from batchsim.adapters.torchrl import make_torchrl_env

    with pytest.raises(TypeError, match=r"is or holds Text.*make the environments with text_m"):
        make_torchrl_env(Walk, 2, backend="reference")
    env = make_torchrl_env(Walk, 2, backend="reference", text_mode="tokens")
    assert env.reset()["mission"].shape == (2, 2)
