"""Several ranks do together what one process does alone, but for the order of a sum."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
    pytest.skip("needs a PyTorch with gloo", allow_module_level=True)

import ranks as script  # noqa: E402
from command_line import status_of  # noqa: E402

import batchsim  # noqa: E402
from batchsim.__main__ import main  # noqa: E402
from batchsim.batch.processors import available_cpus  # noqa: E402
from batchsim.torch import PPO, Collector, Ranks, Settings, Training, join_ranks  # noqa: E402
from batchsim.torch import checkpoint as checkpoints  # noqa: E402
from batchsim.torch.distributed import ALONE, share_of_cpus  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

LAST_BIT = 2**-23
"""Of a float32 of size 1."""


def torchrun(*arguments):
    """Start two ranks; return what came of them."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment |= {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        + [str(argument) for argument in arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The directory in which two ranks have trained."""
    directory = tmp_path_factory.mktemp("together")
    done = torchrun(script.__file__, directory)
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same trainings in one process."""
    directory = tmp_path_factory.mktemp("alone")
    trainings = {name: Training(script.settings(name, directory)) for name in script.TRAININGS}
    for training in trainings.values():
        training.run()
        training.close()
    return trainings


def assert_near(name, one, other):
    """Only the order of sums differs: by a last bit of each gradient, which are at most 0.5 long.

    Adam divides that by no less than 1e-5, and adds up what it is left with.
    """
    how = script.TRAININGS[name][1]
    updates = how.iterations * how.epochs * how.minibatches
    bound = updates * how.learning_rate * LAST_BIT * how.max_gradient / 1e-5
    far = differences(one, other)
    assert all(distance < bound for distance in far.values()), far
    if name == "plain":  # whose actions are whole numbers
        assert all(place.startswith((".policy", ".optimizer")) for place in far), far


def state(directory):
    """What a checkpoint says, but for the time that it took."""
    found = checkpoints.load(Path(directory)).training
    del found["seconds"]
    return found


def differences(one, other, where=""):
    """By place, how far numbers in nested containers are from each other, where they are."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        pairs = [(f"{where}.{key}", one[key], other[key]) for key in one]
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        pairs = [(where, *pair) for pair in zip(one, other, strict=True)]
    elif one is None:
        assert other is None
        return {}
    else:
        one, other = torch.as_tensor(one), torch.as_tensor(other)
        assert one.shape == other.shape
        if torch.equal(one, other):
            return {}
        return {where: (one.double() - other.double()).abs().max().item()}
    return {
        place: far
        for name, mine, its in pairs
        for place, far in differences(mine, its, name).items()
    }


# -- the same training -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", script.TRAININGS)
def test_each_rank_sees_its_rows_of_what_one_process_sees(name, together, alone):
    whole = alone[name].ppo.collector.rollout
    for rank in (0, 1):
        rows = Ranks(rank, 2).rows_of(script.PLAIN.num_envs)
        seen, actions, rewards, over = torch.load(together / f"{name}-{rank}.pt")
        if actions.dtype == torch.int64:  # and so the same ones
            assert torch.equal(actions, whole.actions[:, rows])
            assert torch.equal(seen, whole.observations[:, rows])
            assert torch.equal(rewards, whole.rewards[:, rows])
        torch.testing.assert_close(seen, whole.observations[:, rows], atol=1e-3, rtol=0)
        assert torch.equal(over, whole.terminated[:, rows])


@pytest.mark.parametrize("name", script.TRAININGS)
def test_two_ranks_learn_what_one_process_learns_but_for_the_order_of_a_sum(name, together, alone):
    """Environments, noise, minibatches and statistics of episodes are the same bits."""
    assert_near(name, state(together / name), state(alone[name].settings.checkpoint))
    assert checkpoints.load(together / name).ranks == 2


class Apart(PPO):
    """Adds gradients up as two ranks do, in one process."""

    def _go_back(self, rows, samples, compared):
        own = self.hyperparameters.num_envs // 2
        of_rank = rows % self.hyperparameters.num_envs // own
        gradients, losses = [], []
        for rank in (0, 1):
            mine = of_rank == rank
            self.optimizer.zero_grad()
            losses.append(super()._go_back(rows[mine], [one[mine] for one in samples], compared))
            gradients.append([p.grad for p in self.policy.parameters()])
        for parameter, *both in zip(self.policy.parameters(), *gradients, strict=True):
            parameter.grad = torch.stack([g for g in both if g is not None]).sum(0)
        return losses[0] + losses[1]


@pytest.mark.parametrize("name", ["plain", "tiny"])
def test_where_sums_are_arranged_alike_all_bits_are_the_same(name, together):
    env, how = script.TRAININGS[name]
    # Halves act on their own, as ranks do.
    ppo = Apart(batchsim.make_vec(env, how.num_envs), how.replace(num_splits=2), seed=script.SEED)
    while not ppo.finished:
        ppo.iterate()
    expected = ppo.state_dict()
    del expected["seconds"]
    assert differences(state(together / name), expected) == {}


# -- the command -----------------------------------------------------------------------------------


def arguments():
    """Of the training `plain`, with a checkpoint after each iteration."""
    env, how = script.TRAININGS["plain"]
    found = [env, "--num-envs", how.num_envs, "--total-steps", how.total_steps]
    for name in ("steps", "epochs", "minibatches", "learning_rate"):
        found += ["--set", f"{name}={getattr(how, name)}"]
    found += ["--seed", script.SEED, "--threads", 1, "--episodes", 5, "--checkpoint-seconds", 0]
    return [str(argument) for argument in found]


class Killed:
    """A training of two ranks, of which one was killed; torchrun started both again."""

    def __init__(self, place):
        self.left, self.ended = place / "left", place / "ended"
        self.figures = place / "figures.json"
        started = ["--max-restarts=1", "--monitor-interval=2", script.__file__]
        more = ["--json", self.figures]
        self.done = torchrun(*started, self.left, self.ended, *arguments(), *more)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    return Killed(tmp_path_factory.mktemp("killed"))


def test_a_rank_that_dies_ends_the_training_with_a_sentence_and_a_checkpoint(killed):
    told = [line for line in killed.done.stderr.splitlines() if line.startswith("batchsim: ")]
    assert told == [
        "batchsim: Another of the 2 ranks has ended, or cannot be reached; where there is a "
        "checkpoint, --resume goes on from the last."
    ]
    found = checkpoints.load(killed.left)
    assert (found.training["iteration"], found.ranks) == (script.KILLED_AFTER, 2)


def test_ranks_that_are_started_again_go_on_to_the_same_bits(killed, together):
    assert killed.done.returncode == 0, killed.done.stderr
    assert differences(state(killed.ended), state(together / "plain")) == {}


def test_one_rank_shows_a_training_and_writes_its_figures(killed):
    steps = re.findall(r"^([\d,]+) steps: ", killed.done.stderr, re.M)
    assert steps == ["96", "192", "288", "384", "480", "576"]
    summary = killed.done.stdout.splitlines()
    assert len(summary) == 3
    assert " on cpu, 2 ranks of 1 thread each; " in summary[0]
    found = json.loads(killed.figures.read_text())
    assert (found["ranks"], found["steps"]) == (2, 576)


def test_another_number_of_ranks_goes_on_and_says_what_changes(killed, alone, capsys):
    more = ["--checkpoint", killed.left, "--resume"]
    assert status_of(main, "train", *arguments(), *more) == 0
    told = capsys.readouterr().err.splitlines()[0]
    start = f"batchsim: The checkpoint in {killed.left} was saved by 2 ranks; with 1 rank "
    assert told.startswith(start)
    assert "in another order" in told
    assert_near("plain", state(killed.left), state(alone["plain"].settings.checkpoint))


def test_of_ranks_that_fail_together_one_says_why(together):
    told = [eval((together / f"told-{rank}").read_text()) for rank in (0, 1)]
    assert sorted(said for _, _, said in told) == [False, True]
    assert [rank for rank, _, _ in told] == [0, 1]
    share = max(1, available_cpus() // 2)
    assert [cpus for _, cpus, _ in told] == [share, share]


# -- what is whose ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3])
def test_samples_are_shared_out_by_row_in_their_order(size):
    steps, rows = 5, 6
    samples = torch.randperm(steps * rows, generator=torch.Generator().manual_seed(1))[:23]
    parts = [slice(0, 10), slice(10, 20), slice(20, 23)]
    numbers = torch.arange(steps * rows).view(steps, rows)
    found = {}
    for rank in range(size):
        ranks = Ranks(rank, size)
        own = numbers[:, ranks.rows_of(rows)].flatten()
        places, its_parts = ranks.share_out(samples, steps, rows, parts)
        for k, (part, its) in enumerate(zip(parts, its_parts, strict=True)):
            mine = own[places[its]].tolist()
            order = samples[part].tolist()
            assert mine == sorted(mine, key=order.index)
            found.setdefault(k, []).extend(mine)
    assert [sorted(found[k]) for k in found] == [sorted(samples[p].tolist()) for p in parts]


@pytest.mark.parametrize(
    ("mine", "everyones", "quota", "share"),
    [
        ({0, 1}, [{0, 1}, {0, 1}], None, 1),
        ({0, 1, 2, 3, 4}, [{0, 1, 2, 3, 4}] * 2, None, 2),
        ({0, 1}, [{0, 1}, {2, 3}], None, 2),  # each was started with its own
        ({0, 1, 2}, [{0, 1, 2}, {2, 3}], None, 2),
        ({0}, [{0}] * 8, None, 1),
        (set(range(64)), [set(range(64))] * 2, 8.0, 4),
    ],
)
def test_cpus_are_divided_among_those_that_may_use_them(mine, everyones, quota, share):
    assert share_of_cpus(mine, everyones, quota) == share


def test_rows_that_cannot_be_shared_evenly_are_refused():
    settings = Settings("CartPole-v1", script.PLAIN)
    with pytest.raises(ValueError, match=r"^num_envs is 6, which 4 ranks cannot share evenly; ex"):
        Training(settings, Ranks(1, 4))
    with contextlib.closing(batchsim.make_vec("CartPole-v1", 4, backend="reference")) as envs:
        with pytest.raises(ValueError, match="num_envs is 6, but there are 4 of them on each of 2"):
            PPO(envs, script.PLAIN, ranks=Ranks(0, 2))
        with pytest.raises(ValueError, match="seed is None for 2 ranks; expected one for all"):
            Collector(envs, None, 5, ranks=Ranks(0, 2))


def test_each_rank_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    cuda = torch.device("cuda")
    assert Ranks(3, 4, 1, 2).own_device(cuda) == torch.device("cuda:1") == chosen[0]
    assert Ranks(1, 2, 1, 2).own_device(torch.device("cpu")) == torch.device("cpu")
    assert ALONE.own_device(torch.device("cuda:1")) == torch.device("cuda:1")
    with pytest.raises(ValueError, match="device is 'cuda:1', but each of the 2 ranks has a GPU"):
        Ranks(0, 2, 0, 2).own_device(torch.device("cuda:1"))
    with pytest.raises(ValueError, match="There are 4 ranks on this machine, and 2 CUDA devices"):
        Ranks(0, 4, 0, 4).own_device(cuda)


def test_torchruns_environment_is_read_whole_or_refused(monkeypatch, capsys):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert join_ranks() is ALONE
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert join_ranks() is ALONE  # as one process learns what it learns anyway
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(ValueError, match="WORLD_SIZE is 'two'; expected whole numbers in RANK, WO"):
        join_ranks()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="LOCAL_RANK is ''; expected"):
        join_ranks()
    monkeypatch.setenv("LOCAL_RANK", "0")
    assert status_of(main, "ladder") == 2
    assert "torchrun has started 2 processes of ladder, which is for" in capsys.readouterr().err
