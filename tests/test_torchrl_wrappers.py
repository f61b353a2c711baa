"""Every transform of TorchRL does over batchsim what it does over the originals."""

import inspect

import oracle
import pytest
from gymnasium.vector import AutoresetMode
from journals import Case as Wrapped
from journals import EndedError, Journal, assert_same_journals, plain

pytest.importorskip("torchrl")

import torch
from tensordict.nn import TensorDictModule
from torchrl.data import Unbounded
from torchrl.envs import GymEnv, GymWrapper, TransformedEnv, transforms

import batchsim
from batchsim.adapters.torchrl import TorchRLEnv, make_torchrl_env

pytestmark = pytest.mark.usefixtures("one_thread")

N = 3
SEED = 5
LIMIT = 9
IDS = ["CartPole-v1", "Pendulum-v1", "FrozenLake-v1", "Taxi-v4"]
SEEN = {"in_keys": ["observation"]}


def networks():
    """Of random network distillation: the one to be predicted, and the one that does."""
    torch.manual_seed(0)
    pool = torch.nn.AdaptiveAvgPool1d(1)  # takes observations of any length
    return [torch.nn.Sequential(pool, torch.nn.Linear(1, 4)) for _ in range(2)]


def of(name, *arguments, **settings):
    return lambda: getattr(transforms, name)(*arguments, **settings)


def after(first, then):
    return lambda: transforms.Compose(first(), then())


TRANSFORMS = {
    "ActionDiscretizer": [of("ActionDiscretizer", 5)],
    "ActionMask": [of("ActionMask")],
    "ActionScaling": [of("ActionScaling")],
    "BatchSizeTransform": [of("BatchSizeTransform", reshape_fn=lambda td: td.reshape(-1))],
    "BinarizeReward": [of("BinarizeReward")],
    "CatFrames": [
        of("CatFrames", 3, -1, **SEEN),
        of("CatFrames", 2, -1, padding="constant", **SEEN),
    ],
    "CatTensors": [
        after(
            of("RenameTransform", ["observation"], ["seen"], create_copy=True),
            of("CatTensors", ["seen", "observation"], "both"),
        )
    ],
    "ClipTransform": [of("ClipTransform", low=-0.02, high=0.5, **SEEN)],
    "Compose": [after(of("StepCounter"), of("RewardSum"))],
    "ConditionalSkip": [
        after(of("StepCounter"), of("ConditionalSkip", lambda td: td["step_count"] % 2 == 1))
    ],
    "DTypeCastTransform": [of("DTypeCastTransform", torch.float32, torch.float64, **SEEN)],
    "DeviceCastTransform": [of("DeviceCastTransform", "cpu")],
    "DiscreteActionProjection": [of("DiscreteActionProjection", 2, 4)],
    "DoubleToFloat": [of("DoubleToFloat")],
    "ExcludeTransform": [of("ExcludeTransform", "observation")],
    "ExpandAs": [of("ExpandAs", "reward", "observation", "spread")],
    "FiniteTensorDictCheck": [of("FiniteTensorDictCheck")],
    "FlattenAction": [of("FlattenAction")],
    "FlattenObservation": [of("FlattenObservation", -2, -1, **SEEN)],
    "FrameSkipTransform": [of("FrameSkipTransform", 3)],
    "Hash": [of("Hash", ["observation"], ["hash"])],
    "InitTracker": [of("InitTracker")],
    "LineariseRewards": [of("LineariseRewards", ["reward"])],
    "MeanActionSelector": [of("MeanActionSelector")],
    "ModuleTransform": [
        lambda: transforms.ModuleTransform(
            module=TensorDictModule(torch.sign, in_keys=["observation"], out_keys=["observation"])
        )
    ],
    "MultiAction": [of("MultiAction")],
    "NextObservationDelta": [of("NextObservationDelta", **SEEN)],
    "NoopResetEnv": [of("NoopResetEnv", 3, random=False)],
    "ObservationNorm": [of("ObservationNorm", 0.5, 2.0, **SEEN)],
    "PermuteTransform": [of("PermuteTransform", (-1,), **SEEN)],
    "PinMemoryTransform": [of("PinMemoryTransform")],
    "RandomTruncationTransform": [
        after(of("StepCounter"), of("RandomTruncationTransform", 2, 5, 0.5))
    ],
    "RemoveEmptySpecs": [of("RemoveEmptySpecs")],
    "RenameTransform": [of("RenameTransform", ["observation"], ["seen"])],
    "RewardClipping": [of("RewardClipping", -0.5, 0.5)],
    "RewardScaling": [
        of("RewardScaling", 1.0, 2.0),
        of("RewardScaling", 0.5, 3.0, standard_normal=True),
    ],
    "RewardSum": [of("RewardSum")],
    "RNDTransform": [lambda: transforms.RNDTransform(*networks(), **SEEN)],
    "SelectTransform": [of("SelectTransform", "observation")],
    "SignTransform": [of("SignTransform", in_keys=["reward"])],
    "SqueezeTransform": [of("SqueezeTransform", -1, **SEEN)],
    "Stack": [of("Stack", ["observation"], "stacked")],
    "StepCounter": [of("StepCounter"), of("StepCounter", 4)],
    "SuccessReward": [of("SuccessReward", "terminated")],
    "TargetReturn": [of("TargetReturn", 10.0), of("TargetReturn", 10.0, "constant")],
    "TensorDictPrimer": [
        lambda: transforms.TensorDictPrimer(
            hidden=Unbounded(4), default_value=1.0, expand_specs=True
        )
    ],
    "TerminateTransform": [
        after(of("StepCounter"), of("TerminateTransform", lambda td: td["step_count"] > 3))
    ],
    "TimeMaxPool": [of("TimeMaxPool", T=3, **SEEN)],
    "TrajCounter": [of("TrajCounter")],
    "UnaryTransform": [
        of("UnaryTransform", ["observation"], ["twice"], fn=lambda seen: seen + seen)
    ],
    "UnsqueezeTransform": [of("UnsqueezeTransform", -1, **SEEN)],
    "VecNorm": [of("VecNorm", **SEEN)],
    "VecNormV2": [of("VecNormV2", ["observation"])],
}
"""Functions that make them."""

OF_DATA = {
    *("ActionChunkTransform", "BurnInTransform", "MultiStepTransform", "NextStateReconstructor"),
    *("PolicyAgeFilter", "RandomCropTensorDict", "Reward2GoTransform"),
}
"""They change what a replay buffer holds, and see no environment."""

OF_PICTURES = {
    *("CenterCrop", "Crop", "DecodeVideoTransform", "GrayScale", "R3MTransform", "Resize"),
    *("ToTensorImage", "VC1Transform", "VIPRewardTransform", "VIPTransform"),
}
"""They take pictures, and four of them networks to be downloaded."""

OF_OTHERS = {
    "ActionTokenizerTransform": "needs a tokenizer of robots' actions",
    "AutoResetTransform": "is for environments that reset themselves",
    "ConditionalPolicySwitch": "chooses between policies",
    "EndOfLifeTransform": "asks an Atari emulator",
    "MacroPrimitiveTransform": "is for robots' arms",
    "ObservationTransform": "is the others' base",
    "RayTransform": "needs Ray",
    "Timer": "measures times",
    "Tokenizer": "needs a tokenizer of texts",
    "Transform": "is the others' base",
    "VecGymEnvTransform": "is for Gymnasium's vectors that reset themselves",
    "gSDENoise": "is for a policy's noise",
}


UNDEFINED = {
    # An original takes the first number of an action of any shape, batchsim none of a wrong shape.
    ("DiscreteActionProjection", "Pendulum-v1"),
    # It steps on after the end of an episode, where Gymnasium leaves open what happens: batchsim
    # refuses to.
    ("FrameSkipTransform", "FrozenLake-v1"),
}
"""Transforms and ids that do not go together, and fail over batchsim alone."""


def cases_of(name):
    return [
        Wrapped(transform, make)
        for transform, makes in TRANSFORMS.items()
        for make in makes
        if (transform, name) not in UNDEFINED
    ]


def test_every_transform_is_compared():
    found = inspect.getmembers(transforms, inspect.isclass)
    known = {name for name, what in found if issubclass(what, transforms.Transform)}
    assert known == {*TRANSFORMS, *OF_DATA, *OF_PICTURES, *OF_OTHERS}


class Rollout(Journal):
    """Of an environment of TorchRL."""

    def wrap(self):
        torch.manual_seed(SEED)
        try:
            self.env = TransformedEnv(self.env, self.case.wrap())
            for name in ("output_spec", "input_spec"):
                self.note(name, getattr(self.env, name))
        except Exception as error:
            self.note("wrap", type(error).__name__)
            raise EndedError from error

    def drive(self, steps):
        self.env.set_seed(SEED)
        if isinstance(self.env.base_env, TorchRLEnv):
            # A seed holds for the next reset; TorchRL's own environments make that one at once.
            self.env.base_env.reset()
        torch.manual_seed(SEED)
        for reset in ("rollout", "second rollout"):
            self.attempt(reset, self.env.rollout, steps, break_when_any_done=False)

    def look_back(self):
        self.note("state", [(key, plain(value)) for key, value in self.env.state_dict().items()])

    def tell(self, found):
        entries = found.items(include_nested=True, leaves_only=True)
        return sorted((str(key), plain(value)) for key, value in entries)

    def note(self, what, value):
        # Of a step of rows whose episodes are over the originals say by an assertion that it is
        # none, which FrameSkipTransform makes.
        super().note(what, "AssertionError" if value == "ResetNeeded" else value)


def compare(sides, case, steps):
    journals = [Rollout(env, case) for env in sides]
    for journal in journals:
        journal.keep(steps)
        assert_same_journals(journals[0], journal, case)


@pytest.mark.parametrize("name", IDS)
def test_transforms_of_a_batch_see_no_difference(name):
    for case in cases_of(name):
        originals = oracle.upstream(name, N, AutoresetMode.DISABLED, max_episode_steps=LIMIT)
        sides = [GymWrapper(originals), make_torchrl_env(name, N, max_episode_steps=LIMIT)]
        compare(sides, case, 14)


@pytest.mark.parametrize("name", IDS)
def test_transforms_of_one_see_no_difference(name):
    for case in cases_of(name):
        sides = [GymEnv(id, max_episode_steps=LIMIT) for id in (name, f"batchsim/{name}")]
        compare(sides, case, 12)


@pytest.mark.parametrize("name", ["CartPole-v1", "FrozenLake-v1"])
def test_transforms_of_a_wrapped_batch_see_no_difference(name):
    """In TorchRL's own wrapper of Gymnasium's vectors, a seed included."""
    settings = {"max_episode_steps": LIMIT}
    for case in cases_of(name):
        sides = [
            GymWrapper(oracle.upstream(name, N, AutoresetMode.DISABLED, **settings)),
            GymWrapper(batchsim.make_vec(name, N, autoreset_mode="Disabled", **settings)),
        ]
        compare(sides, case, 14)
