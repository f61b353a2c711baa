"""RLlib's PPO over batchsim, sampled by several EnvRunners under Ray.

python docs/examples/rllib_ppo.py --env CartPole-v1
python docs/examples/rllib_ppo.py --env EgoBasic-v0 --num-envs 32 --iterations 60
python docs/examples/rllib_ppo.py --env CartPole-v1 --runner rllib

The last steps the same batches by RLlib's own EnvRunner, through `vector_entry_point`.
"""

import argparse
import time

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module import DefaultPPOTorchRLModule
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

from batchsim.adapters.rllib import BatchEnvRunner

RUNNERS = {"batchsim": BatchEnvRunner, "rllib": SingleAgentEnvRunner}


class Pixels(DefaultPPOTorchRLModule):
    """RLlib's network for pictures, of bytes: RLlib's convolutions take floats alone.

    So bytes are what is kept, and what is sent from the runners to the learner.
    """

    def _forward(self, batch, **kwargs):
        return super()._forward(scaled(batch), **kwargs)

    def _forward_train(self, batch, **kwargs):
        return super()._forward_train(scaled(batch), **kwargs)

    def compute_values(self, batch, embeddings=None):
        return super().compute_values(scaled(batch), embeddings)


def scaled(batch):
    """Return the batch with its pictures as floats from 0 to 1."""
    return {**batch, Columns.OBS: batch[Columns.OBS].float() / 255.0}


def configure(env, runner="batchsim", num_env_runners=2, num_envs=64, steps=32, seed=0):
    """Return the config of RLlib's PPO over an id of batchsim."""
    arguments = {"num_threads": 1}  # Runners are processes: the cores are theirs.
    batch = steps * num_envs * max(num_env_runners, 1)
    config = (
        PPOConfig()
        .debugging(seed=seed)
        .env_runners(
            env_runner_cls=RUNNERS[runner],
            gym_env_vectorize_mode="vector_entry_point",
            num_env_runners=num_env_runners,
            num_envs_per_env_runner=num_envs,
            rollout_fragment_length=steps,
        )
        .training(
            train_batch_size=batch,
            minibatch_size=min(256, batch),
            num_epochs=4,
            lr=5e-4,
            lambda_=0.95,
            entropy_coeff=0.01,
            vf_clip_param=1000.0,
            grad_clip=0.5,
        )
    )
    if env.startswith("Ego"):
        arguments |= {"width": 64, "height": 64}
        network = DefaultModelConfig(
            conv_filters=[[16, 8, 4], [32, 4, 2], [32, 3, 1]],
            conv_activation="relu",
            head_fcnet_hiddens=[128],
            vf_share_layers=True,
        )
        config = config.rl_module(
            rl_module_spec=RLModuleSpec(module_class=Pixels), model_config=network
        )
    else:
        config = config.rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[64, 64]))
    return config.environment(f"batchsim/{env}", env_config=arguments)


def train(config, iterations, show=print):
    """Train; return the mean return of the last episodes, after each iteration."""
    algorithm = config.build_algo()
    found = []
    try:
        start = time.perf_counter()
        for number in range(1, iterations + 1):
            sampled = algorithm.train()["env_runners"]
            steps = number * config.train_batch_size
            speed = steps / (time.perf_counter() - start)
            # There is none before the first episode has ended.
            found.append(sampled.get("episode_return_mean", float("nan")))
            show(f"{steps:9,} steps, {speed:7,.0f} a second, mean return {found[-1]:8.2f}")
    finally:
        algorithm.stop()
    return found


def main():
    """Read the command line, and train."""
    parser = argparse.ArgumentParser(description="RLlib's PPO over batchsim")
    parser.add_argument("--env", default="CartPole-v1")
    parser.add_argument("--runner", choices=RUNNERS, default="batchsim")
    parser.add_argument("--num-env-runners", type=int, default=2)
    parser.add_argument("--num-envs", type=int, default=64, help="of each runner")
    parser.add_argument("--iterations", type=int, default=30)
    given = vars(parser.parse_args())
    iterations = given.pop("iterations")
    ray.init(include_dashboard=False, num_cpus=given["num_env_runners"] + 1)
    try:
        train(configure(**given), iterations)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
