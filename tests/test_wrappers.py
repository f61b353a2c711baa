"""Every wrapper that Gymnasium exports does over batchsim what it does over the originals.

Both sides keep a journal: the spaces, what each call returned or raised, the frames, and in the end
what the wrapper has gathered and where the random stream stands. The journals are the same to the
bit and the type. A wrapper that an environment is no match for fails over both at the same point
with the same kind of exception.
"""

import gymnasium
import numpy as np
import oracle
import pytest
from gymnasium import spaces, wrappers
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as vector_wrappers
from journals import Case, Journal, assert_same_journals, stand_ins  # noqa: F401

import batchsim
from batchsim import registry

pytestmark = pytest.mark.usefixtures("stand_ins")

N = 3
SEED = 5
CHEAP = "CartPole-v1"
LIMIT = 9
"""Time limit of the episodes: many end early, many are cut short, within few steps."""
EGOCENTRIC = [
    name if name in oracle.ALL_BUT_SLOW else pytest.param(name, marks=pytest.mark.slow)
    for name in oracle.OWN
]
"""Their originals are slow, and their kernels take long to compile; one stands for them."""
IDS = [*oracle.IDS, *EGOCENTRIC]


# --- Wrappers of one environment ------------------------------------------------------------------


def named(module, name, *arguments, **settings):
    """A function that wraps; names are looked up late, as some fail without their library."""
    return lambda env: getattr(module, name)(env, *arguments, **settings)


def of(name, *arguments, **settings):
    return named(wrappers, name, *arguments, **settings)


def rendered(name, *arguments, **settings):
    """A wrapper of images, over observations that are images."""
    return lambda env: of(name, *arguments, **settings)(wrappers.AddRenderObservation(env))


def doubled(values):
    """Twice a number or an array; what has parts stays as it is."""
    return values if isinstance(values, (tuple, dict)) else values + values


def flat_shape(env):
    space = getattr(env, "single_observation_space", env.observation_space)
    return (1, *(space.shape or ()))


def torch_arrays(module):
    def wrap(env):
        torch = pytest.importorskip("torch")
        return module.ArrayConversion(env, np, torch)

    return wrap


def first_key(env):
    space = getattr(env, "single_observation_space", env.observation_space)
    keys = list(space.spaces) if isinstance(space, spaces.Dict) else [0, 2]
    return keys[:2]


IMAGES = "rgb_array"
SINGLE = {
    "AtariPreprocessing": [Case("AtariPreprocessing", of("AtariPreprocessing"))],
    "DelayObservation": [Case("DelayObservation", of("DelayObservation", 2))],
    "DtypeObservation": [
        Case("DtypeObservation", of("DtypeObservation", np.float64)),
        Case("DtypeObservation", of("DtypeObservation", np.int32)),
    ],
    "DiscretizeObservation": [
        Case("DiscretizeObservation", of("DiscretizeObservation", 5)),
        Case("DiscretizeObservation", of("DiscretizeObservation", 5, multidiscrete=True)),
    ],
    "FilterObservation": [
        Case("FilterObservation", lambda env: wrappers.FilterObservation(env, first_key(env))),
        Case(
            "FilterObservation",
            lambda env: wrappers.FilterObservation(
                wrappers.TimeAwareObservation(env, flatten=False), ["time"]
            ),
        ),
    ],
    "FlattenObservation": [
        Case("FlattenObservation", of("FlattenObservation")),
        Case(
            "FlattenObservation",
            lambda env: wrappers.FlattenObservation(wrappers.FrameStackObservation(env, 2)),
        ),
    ],
    "FrameStackObservation": [
        Case("FrameStackObservation", of("FrameStackObservation", 3)),
        Case("FrameStackObservation", of("FrameStackObservation", 2, padding_type="zero")),
    ],
    "GrayscaleObservation": [
        Case("GrayscaleObservation", of("GrayscaleObservation")),
        Case("GrayscaleObservation", rendered("GrayscaleObservation", True), IMAGES),
    ],
    "TransformObservation": [
        Case("TransformObservation", of("TransformObservation", doubled, None))
    ],
    "MaxAndSkipObservation": [Case("MaxAndSkipObservation", of("MaxAndSkipObservation", 3))],
    "NormalizeObservation": [Case("NormalizeObservation", of("NormalizeObservation"))],
    "AddRenderObservation": [
        Case("AddRenderObservation", of("AddRenderObservation")),
        Case("AddRenderObservation", of("AddRenderObservation"), IMAGES),
        Case("AddRenderObservation", of("AddRenderObservation", render_only=False), IMAGES),
    ],
    "ResizeObservation": [
        Case("ResizeObservation", of("ResizeObservation", (20, 30))),
        Case("ResizeObservation", rendered("ResizeObservation", (20, 30)), IMAGES),
    ],
    "ReshapeObservation": [
        Case("ReshapeObservation", lambda env: wrappers.ReshapeObservation(env, flat_shape(env)))
    ],
    "RescaleObservation": [
        Case("RescaleObservation", of("RescaleObservation", np.float32(-1), np.float32(1)))
    ],
    "TimeAwareObservation": [
        Case("TimeAwareObservation", of("TimeAwareObservation")),
        Case("TimeAwareObservation", of("TimeAwareObservation", normalize_time=True)),
        Case("TimeAwareObservation", of("TimeAwareObservation", flatten=False)),
    ],
    "ClipAction": [Case("ClipAction", of("ClipAction"))],
    "DiscretizeAction": [
        Case("DiscretizeAction", of("DiscretizeAction", 5)),
        Case("DiscretizeAction", of("DiscretizeAction", 5, multidiscrete=True)),
    ],
    "TransformAction": [
        Case("TransformAction", lambda env: wrappers.TransformAction(env, toggled(env), None))
    ],
    "RescaleAction": [Case("RescaleAction", of("RescaleAction", np.float32(0), np.float32(1)))],
    "StickyAction": [
        Case("StickyAction", of("StickyAction", 0.4)),
        Case("StickyAction", of("StickyAction", 0.4, (1, 4))),
    ],
    "RepeatAction": [Case("RepeatAction", of("RepeatAction", 3))],
    "ClipReward": [
        Case("ClipReward", of("ClipReward", -0.5, 0.5)),
        Case("ClipReward", of("ClipReward", max_reward=np.float32(0.25))),
    ],
    "TransformReward": [Case("TransformReward", of("TransformReward", doubled))],
    "NormalizeReward": [Case("NormalizeReward", of("NormalizeReward", 0.9))],
    "TimeLimit": [Case("TimeLimit", of("TimeLimit", 4))],
    "Autoreset": [Case("Autoreset", of("Autoreset"))],
    "PassiveEnvChecker": [
        Case("PassiveEnvChecker", of("PassiveEnvChecker")),
        Case("PassiveEnvChecker", of("PassiveEnvChecker"), IMAGES),
    ],
    "OrderEnforcing": [
        Case("OrderEnforcing", of("OrderEnforcing")),
        Case("OrderEnforcing", of("OrderEnforcing", True), IMAGES),
    ],
    "RecordEpisodeStatistics": [Case("RecordEpisodeStatistics", of("RecordEpisodeStatistics", 2))],
    "AddWhiteNoise": [
        Case("AddWhiteNoise", of("AddWhiteNoise", 0.4)),
        Case("AddWhiteNoise", of("AddWhiteNoise", 0.4), IMAGES),
        Case("AddWhiteNoise", of("AddWhiteNoise", 0.4, is_noise_grayscale=True), IMAGES),
    ],
    "ObstructView": [
        Case("ObstructView", of("ObstructView", 0.2, 8), IMAGES),
        Case("ObstructView", of("ObstructView", 0.2, 8, is_noise_grayscale=True), IMAGES),
    ],
    "RenderCollection": [
        Case("RenderCollection", of("RenderCollection")),
        Case("RenderCollection", of("RenderCollection"), IMAGES),
        Case("RenderCollection", of("RenderCollection", False, False), IMAGES),
    ],
    "RecordVideo": [
        Case("RecordVideo", of("RecordVideo", "videos", gc_trigger=None)),
        Case("RecordVideo", of("RecordVideo", "videos", gc_trigger=None), IMAGES),
        Case(
            "RecordVideo",
            of(
                "RecordVideo",
                "videos",
                step_trigger=lambda k: k % 8 == 3,
                video_length=4,
                fps=7,
                gc_trigger=None,
            ),
            IMAGES,
        ),
    ],
    "HumanRendering": [
        Case("HumanRendering", of("HumanRendering")),
        Case("HumanRendering", of("HumanRendering"), IMAGES),
    ],
    "ArrayConversion": [Case("ArrayConversion", torch_arrays(wrappers), tensors=True)],
    "JaxToNumpy": [Case("JaxToNumpy", of("JaxToNumpy"))],
    "JaxToTorch": [Case("JaxToTorch", of("JaxToTorch"))],
    "NumpyToTorch": [Case("NumpyToTorch", of("NumpyToTorch"), tensors=True)],
}


def toggled(env):
    """Another action of the same space: the opposite one."""
    space = env.action_space
    if isinstance(space, spaces.Discrete):
        return lambda action: space.n - 1 - action
    if isinstance(space, spaces.MultiDiscrete):
        return lambda actions: space.nvec - 1 - actions
    return lambda action: space.low + space.high - action


# --- Wrappers of vectors --------------------------------------------------------------------------


def many(name, *arguments, **settings):
    return named(vector_wrappers, name, *arguments, **settings)


VECTOR = {
    "VectorizeTransformObservation": [
        Case(
            "VectorizeTransformObservation",
            many(
                "VectorizeTransformObservation",
                wrappers.TransformObservation,
                func=doubled,
                observation_space=None,
            ),
        ),
        Case(
            "VectorizeTransformObservation",
            many("VectorizeTransformObservation", wrappers.FlattenObservation),
        ),
    ],
    "VectorizeTransformAction": [
        Case(
            "VectorizeTransformAction",
            many("VectorizeTransformAction", wrappers.DiscretizeAction, bins=5),
        ),
        Case("VectorizeTransformAction", many("VectorizeTransformAction", wrappers.ClipAction)),
    ],
    "VectorizeTransformReward": [
        Case(
            "VectorizeTransformReward",
            many(
                "VectorizeTransformReward",
                wrappers.ClipReward,
                min_reward=-0.5,
                max_reward=0.5,
            ),
        )
    ],
    "DictInfoToList": [
        Case("DictInfoToList", many("DictInfoToList")),
        Case(
            "DictInfoToList",
            lambda envs: vector_wrappers.DictInfoToList(
                vector_wrappers.RecordEpisodeStatistics(envs)
            ),
        ),
    ],
    "TransformObservation": [Case("TransformObservation", many("TransformObservation", doubled))],
    "FilterObservation": [
        Case(
            "FilterObservation",
            lambda envs: vector_wrappers.FilterObservation(envs, first_key(envs)),
        )
    ],
    "FlattenObservation": [Case("FlattenObservation", many("FlattenObservation"))],
    "GrayscaleObservation": [
        Case("GrayscaleObservation", many("GrayscaleObservation")),
        Case("GrayscaleObservation", many("GrayscaleObservation", keep_dim=True)),
    ],
    "ResizeObservation": [Case("ResizeObservation", many("ResizeObservation", (20, 30)))],
    "ReshapeObservation": [
        Case(
            "ReshapeObservation",
            lambda envs: vector_wrappers.ReshapeObservation(envs, flat_shape(envs)),
        )
    ],
    "RescaleObservation": [
        Case("RescaleObservation", many("RescaleObservation", np.float32(-1), np.float32(1)))
    ],
    "DtypeObservation": [
        Case("DtypeObservation", many("DtypeObservation", np.float64)),
        Case("DtypeObservation", many("DtypeObservation", np.int32)),
    ],
    "NormalizeObservation": [Case("NormalizeObservation", many("NormalizeObservation"))],
    "TransformAction": [
        Case(
            "TransformAction",
            lambda envs: vector_wrappers.TransformAction(envs, toggled(envs)),
        )
    ],
    "ClipAction": [Case("ClipAction", many("ClipAction"))],
    "RescaleAction": [Case("RescaleAction", many("RescaleAction", 0.0, 1.0))],
    "TransformReward": [Case("TransformReward", many("TransformReward", doubled))],
    "ClipReward": [Case("ClipReward", many("ClipReward", -0.5, 0.5))],
    "NormalizeReward": [Case("NormalizeReward", many("NormalizeReward", 0.9))],
    "RecordEpisodeStatistics": [
        Case("RecordEpisodeStatistics", many("RecordEpisodeStatistics", 4))
    ],
    "RecordVideo": [
        Case("RecordVideo", many("RecordVideo", "videos", gc_trigger=None)),
        Case("RecordVideo", many("RecordVideo", "videos", gc_trigger=None), IMAGES),
        Case(
            "RecordVideo",
            many(
                "RecordVideo",
                "videos",
                step_trigger=lambda k: k % 8 == 3,
                video_length=4,
                gc_trigger=None,
            ),
            IMAGES,
        ),
    ],
    "HumanRendering": [
        Case("HumanRendering", many("HumanRendering")),
        Case("HumanRendering", many("HumanRendering"), IMAGES),
    ],
    "ArrayConversion": [Case("ArrayConversion", torch_arrays(vector_wrappers), tensors=True)],
    "JaxToNumpy": [Case("JaxToNumpy", many("JaxToNumpy"))],
    "JaxToTorch": [Case("JaxToTorch", many("JaxToTorch"))],
    "NumpyToTorch": [Case("NumpyToTorch", many("NumpyToTorch"), tensors=True)],
}


def test_every_wrapper_is_compared():
    assert set(SINGLE) == set(wrappers.__all__) - {"vector"}
    assert set(VECTOR) == set(vector_wrappers.__all__)


# --- Side by side ---------------------------------------------------------------------------------


class OfOne(Journal):
    """Of one environment."""

    def wrap(self):
        super().wrap()
        if self.env.spec is not None:
            added = [(one.name, one.entry_point) for one in self.env.spec.additional_wrappers]
            self.note("spec", [one for one in added if one[0] != Numbers.__name__])

    def drive(self, steps):
        self.env.action_space.seed(SEED)
        self.attempt("reset", self.env.reset, seed=SEED)
        for k in range(steps):
            found = self.attempt(f"step {k}", self.env.step, self.action())
            if self.case.render_mode is not None and k % 3 == 1:
                self.attempt("render", self.env.render)
            if (found[2] or found[3]) and "Autoreset" not in self.case.wrapper:
                self.attempt(f"reset after {k}", self.env.reset, seed=k if k % 3 == 0 else None)


class OfMany(Journal):
    """Of a vector."""

    def wrap(self):
        super().wrap()
        for name in ("single_observation_space", "single_action_space", "num_envs"):
            self.note(name, getattr(self.env, name))

    def drive(self, steps):
        disabled = self.env.metadata["autoreset_mode"] is AutoresetMode.DISABLED
        self.env.action_space.seed(SEED)
        self.attempt("reset", self.env.reset, seed=SEED)
        for k in range(steps):
            found = self.attempt(f"step {k}", self.env.step, self.action())
            if self.case.render_mode is not None and k % 3 == 1:
                self.attempt("render", self.env.render)
            over = np.asarray(found[2]) | np.asarray(found[3])
            if disabled and over.any():
                self.attempt(f"reset after {k}", self.env.reset, options={"reset_mask": over})
            if k == steps // 2:
                self.attempt("second reset", self.env.reset, seed=2 * SEED)


class Numbers(gymnasium.ActionWrapper):
    """Gives an original of toy text numbers: it looks them up in a dict, where no array is a key.

    With actions that are tensors it fails over the original; batchsim takes an array of one number.
    """

    def action(self, action):
        return int(action) if isinstance(self.action_space, spaces.Discrete) else action


class Copying(gymnasium.vector.VectorWrapper):
    """Keeps the caller's options, out of which SyncVectorEnv takes the mask.

    Wrappers that read the mask after it miss it, and forget the episodes of all rows.
    """

    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=seed, options=options and dict(options))


def settings_of(name, case):
    if name in oracle.OWN:
        # The originals in batchsim.baselines have no `render_mode`: they draw nothing. Wrappers
        # that go through a picture number by number take their time.
        return {"max_episode_steps": 3, "width": 32, "height": 18}
    return {"render_mode": case.render_mode, "max_episode_steps": LIMIT}


def cases_of(table, name):
    cases = [case for cases in table.values() for case in cases]
    if name in oracle.OWN:
        return [case._replace(drawn=False) for case in cases if case.render_mode is None]
    return cases


def steps_of(name, case):
    if name in oracle.OWN:
        return 8
    return 40 if case.render_mode is None else 12


def sides_of_one(name, case):
    """The original, and batchsim's in both ways of making it, of which frames take but one."""
    settings = settings_of(name, case)
    original = gymnasium.make(registry.original(name), **settings)
    sides = [
        Numbers(original) if case.tensors else original,
        gymnasium.make(f"batchsim/{name}", **settings),
    ]
    return sides if case.render_mode is not None else [*sides, batchsim.make(name, **settings)]


def sides_of_many(name, case, mode):
    """The originals one after the other, and a batch."""
    settings = settings_of(name, case)
    originals = oracle.upstream(name, N, mode, **settings)
    return [
        Copying(originals) if mode is AutoresetMode.DISABLED else originals,
        batchsim.make_vec(name, N, autoreset_mode=mode, **settings),
    ]


def compare(journals, steps):
    for journal in journals:
        journal.keep(steps)
    for journal in journals[1:]:
        assert_same_journals(journals[0], journal, journal.case)


def compare_one(name, case):
    compare([OfOne(env, case) for env in sides_of_one(name, case)], steps_of(name, case))


def compare_many(name, case, mode):
    sides = sides_of_many(name, case, mode)
    compare([OfMany(envs, case) for envs in sides], steps_of(name, case))


@pytest.mark.parametrize("wrapper", SINGLE)
def test_a_wrapper_of_one_sees_no_difference(wrapper):
    for case in SINGLE[wrapper]:
        compare_one(CHEAP, case)


@pytest.mark.parametrize("name", [name for name in IDS if name != CHEAP])
def test_wrappers_of_one_see_no_difference(name):
    for case in cases_of(SINGLE, name):
        compare_one(name, case)


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)
@pytest.mark.parametrize("wrapper", VECTOR)
def test_a_wrapper_of_many_sees_no_difference(wrapper, mode):
    for case in VECTOR[wrapper]:
        compare_many(CHEAP, case, mode)


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.name)
@pytest.mark.parametrize("name", [name for name in IDS if name != CHEAP])
def test_wrappers_of_many_see_no_difference(name, mode):
    for case in cases_of(VECTOR, name):
        compare_many(name, case, mode)
