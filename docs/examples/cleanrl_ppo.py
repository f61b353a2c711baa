"""PPO in one file, over Gymnasium's environments or batchsim's: one line tells them apart.

python docs/examples/cleanrl_ppo.py --simulator batchsim --num-envs 64
python docs/examples/cleanrl_ppo.py --simulator gymnasium

With the same arguments both end with the same weights, bit for bit.
"""

import argparse
import time
from dataclasses import dataclass, fields

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

import batchsim


@dataclass
class Arguments:
    """What the command line sets."""

    simulator: str = "batchsim"
    env_id: str = "CartPole-v1"
    num_envs: int = 16
    num_steps: int = 128
    total_steps: int = 150_000
    seed: int = 1
    learning_rate: float = 1e-3
    gamma: float = 0.99
    gae_lambda: float = 0.95
    epochs: int = 4
    minibatches: int = 4
    clip: float = 0.2
    entropy_weight: float = 0.01
    value_weight: float = 0.5
    max_grad_norm: float = 0.5
    threads: int = 1


def layer(inputs: int, outputs: int, gain: float) -> nn.Linear:
    """Return a linear layer with orthogonal weights."""
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


def network(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    """Return two hidden layers and an output."""
    return nn.Sequential(
        layer(inputs, 64, 2**0.5),
        nn.Tanh(),
        layer(64, 64, 2**0.5),
        nn.Tanh(),
        layer(64, outputs, gain),
    )


class Agent(nn.Module):
    """A policy and a value function."""

    def __init__(self, observations: int, actions: int) -> None:
        super().__init__()
        self.actor = network(observations, actions, 0.01)
        self.critic = network(observations, 1, 1.0)

    def policy(self, observations: torch.Tensor) -> Categorical:
        """Return the distribution of actions."""
        return Categorical(logits=self.actor(observations))

    def value(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the expected return of each observation."""
        return self.critic(observations).squeeze(-1)


def train(args: Arguments) -> tuple[Agent, list[float]]:
    """Train an agent; returns it, and the return of each episode that ended meanwhile."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)

    if args.simulator == "batchsim":
        envs = batchsim.make_vec(args.env_id, args.num_envs)
    else:
        envs = gym.make_vec(args.env_id, args.num_envs, vectorization_mode="sync")
    envs = gym.wrappers.vector.RecordEpisodeStatistics(envs)

    shape = (args.num_steps, args.num_envs)
    size = int(np.prod(envs.single_observation_space.shape))
    agent = Agent(size, int(envs.single_action_space.n))
    optimizer = torch.optim.Adam(agent.parameters(), args.learning_rate, eps=1e-5)

    # One observation more than steps: the one after the last step.
    observations = torch.zeros(args.num_steps + 1, args.num_envs, size)
    actions = torch.zeros(shape, dtype=torch.int64)
    log_probs, rewards = torch.zeros(shape), torch.zeros(shape)
    terminated, over = torch.zeros(shape), torch.zeros(shape)
    # A step that follows the end of an episode only resets its row (NEXT_STEP): nothing is learnt
    # from it.
    real = torch.zeros(shape, dtype=torch.bool)

    episodes: list[float] = []
    observation, _ = envs.reset(seed=args.seed)
    was_over = np.zeros(args.num_envs, np.bool_)
    iterations = max(1, args.total_steps // (args.num_steps * args.num_envs))
    for iteration in range(iterations):
        for group in optimizer.param_groups:
            group["lr"] = args.learning_rate * (1.0 - iteration / iterations)

        with torch.no_grad():
            for t in range(args.num_steps):
                observations[t] = torch.from_numpy(observation)
                policy = agent.policy(observations[t])
                actions[t] = policy.sample()
                log_probs[t] = policy.log_prob(actions[t])
                observation, reward, ended, cut, infos = envs.step(actions[t].numpy())
                real[t] = torch.from_numpy(~was_over)
                was_over = ended | cut
                rewards[t] = torch.from_numpy(reward)
                terminated[t], over[t] = torch.from_numpy(ended), torch.from_numpy(was_over)
                if "episode" in infos:
                    episodes += infos["episode"]["r"][infos["_episode"]].tolist()
            observations[-1] = torch.from_numpy(observation)

            # The observation after a step is the episode's last one where it ended, so its value
            # may stand in for what a truncated episode would still have brought.
            values = agent.value(observations)
            advantages = torch.zeros(shape)
            advantage = torch.zeros(args.num_envs)
            for t in reversed(range(args.num_steps)):
                following = args.gamma * values[t + 1] * (1.0 - terminated[t])
                advantage = advantage * args.gamma * args.gae_lambda * (1.0 - over[t])
                advantage = advantage + rewards[t] + following - values[t]
                advantages[t] = advantage
            targets = advantages + values[:-1]

        taken = real.flatten().nonzero().squeeze(-1)
        flat_observations = observations[:-1].flatten(0, 1)
        flat_actions, flat_log_probs = actions.flatten(), log_probs.flatten()
        flat_advantages, flat_targets = advantages.flatten(), targets.flatten()
        for _ in range(args.epochs):
            for rows in taken[torch.randperm(len(taken))].chunk(args.minibatches):
                policy = agent.policy(flat_observations[rows])
                gain = flat_advantages[rows]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                ratio = (policy.log_prob(flat_actions[rows]) - flat_log_probs[rows]).exp()
                clipped = ratio.clamp(1.0 - args.clip, 1.0 + args.clip)
                actor_loss = -torch.min(gain * ratio, gain * clipped).mean()
                value = agent.value(flat_observations[rows])
                critic_loss = 0.5 * (value - flat_targets[rows]).square().mean()
                loss = (
                    actor_loss
                    + args.value_weight * critic_loss
                    - args.entropy_weight * policy.entropy().mean()
                )
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), args.max_grad_norm)
                optimizer.step()
    envs.close()
    return agent, episodes


def main() -> None:
    """Train as the command line says, and print what came of it."""
    parser = argparse.ArgumentParser(description="PPO in one file.")
    for field in fields(Arguments):
        choices = ("batchsim", "gymnasium") if field.name == "simulator" else None
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=field.type, default=field.default, choices=choices)
    args = Arguments(**vars(parser.parse_args()))
    start = time.perf_counter()
    _, episodes = train(args)
    seconds = time.perf_counter() - start
    print(f"{args.total_steps / seconds:,.0f} steps/s, {len(episodes):,} episodes")
    print(f"mean return of the last 50: {np.mean(episodes[-50:]):.1f}")


if __name__ == "__main__":
    main()
