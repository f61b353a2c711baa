"""What the tests of several ranks have each of them do: torchrun starts this file."""

import os
import shutil
import signal
import sys
from contextlib import closing
from pathlib import Path

import torch

from batchsim.__main__ import main
from batchsim.torch import PPO, Hyperparameters, Settings, Training, join_ranks

PLAIN = Hyperparameters(num_envs=6, steps=16, total_steps=6 * 16 * 6, epochs=2, minibatches=3)
TRAININGS = {
    "plain": ("CartPole-v1", PLAIN),
    # Noise that is correlated, statistics of what is seen, and halves of each rank's rows.
    "scaled": ("Pendulum-v1", PLAIN.replace(normalize=True, correlation=0.5, num_splits=2)),
    # Minibatches of three samples, of which a rank may have none.
    "tiny": ("CartPole-v1", PLAIN.replace(minibatches=40, total_steps=6 * 16 * 2)),
}
SEED = 3
KILLED_AFTER = 3
"""Iterations after which the second rank kills itself."""


def settings(name, directory, **changes):
    env, how = TRAININGS[name]
    return Settings(env, how, seed=SEED, threads=1, checkpoint=Path(directory, name), **changes)


def train_all(directory):
    with closing(join_ranks()) as ranks:
        for name in TRAININGS:
            training = Training(settings(name, directory), ranks)
            training.run()
            training.close()
            rollout = training.ppo.collector.rollout
            seen = [rollout.observations, rollout.actions, rollout.rewards, rollout.terminated]
            torch.save(seen, Path(directory, f"{name}-{ranks.rank}.pt"))
        told = [ranks.rank, training.most_threads, ranks.first_to_fail()]
        Path(directory, f"told-{ranks.rank}").write_text(repr(told))


def train_and_die(left, directory, arguments):
    """The command; but one rank dies, and what it leaves is copied before torchrun's next try."""
    iterate = PPO.iterate

    def dying(ppo):
        ranks = ppo.ranks
        if ranks.rank == 1 and not ranks.restarts and ppo.iteration == KILLED_AFTER:
            os.kill(os.getpid(), signal.SIGKILL)
        return iterate(ppo)

    PPO.iterate = dying
    if os.environ["RANK"] == "0" and os.environ["TORCHELASTIC_RESTART_COUNT"] != "0":
        shutil.copytree(directory, left)
    sys.argv = ["batchsim", "train", *arguments, "--checkpoint", directory]
    main()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        train_and_die(*sys.argv[1:3], sys.argv[3:])
    else:
        train_all(sys.argv[1])
