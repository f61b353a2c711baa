"""Rollouts of batches of environments for PyTorch policies, and a PPO that learns from them."""

from batchsim.torch.advantages import Advantages, generalised_advantages
from batchsim.torch.checkpoint import load_policy
from batchsim.torch.collector import Collector, Times
from batchsim.torch.distributed import Ranks, join_ranks
from batchsim.torch.evaluate import Evaluation, evaluate
from batchsim.torch.policy import ActorCritic, Decision, Policy
from batchsim.torch.ppo import PPO, Hyperparameters, Iteration, TrainingError
from batchsim.torch.presets import hyperparameters_for
from batchsim.torch.rollout import Rollout
from batchsim.torch.threads import ThreadChoice, pick_threads
from batchsim.torch.train import Settings, TimeSplit, Training

__all__ = [
    "PPO",
    "ActorCritic",
    "Advantages",
    "Collector",
    "Decision",
    "Evaluation",
    "Hyperparameters",
    "Iteration",
    "Policy",
    "Ranks",
    "Rollout",
    "Settings",
    "ThreadChoice",
    "TimeSplit",
    "Times",
    "Training",
    "TrainingError",
    "evaluate",
    "generalised_advantages",
    "hyperparameters_for",
    "join_ranks",
    "load_policy",
    "pick_threads",
]
