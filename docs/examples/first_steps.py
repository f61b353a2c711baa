"""The first steps: a thousand steps of 1,024 CartPoles."""

import numpy as np

import batchsim

envs = batchsim.make_vec("CartPole-v1", num_envs=1024)  # instead of gymnasium.make_vec(…)
observations, infos = envs.reset(seed=0)
for _ in range(1000):
    actions = (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)
    observations, rewards, terminations, truncations, infos = envs.step(actions)
print("mean reward of the last step:", rewards.mean())
envs.close()
