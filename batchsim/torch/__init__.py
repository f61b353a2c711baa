"""Rollouts of batches of environments for PyTorch policies, and a PPO that learns from them."""

from batchsim.torch.advantages import Advantages, generalised_advantages
from batchsim.torch.collector import Collector, Times
from batchsim.torch.policy import ActorCritic, Decision, Policy
from batchsim.torch.ppo import PPO, Hyperparameters, Iteration, TrainingError
from batchsim.torch.rollout import Rollout
from batchsim.torch.threads import ThreadChoice, pick_threads

__all__ = [
    "PPO",
    "ActorCritic",
    "Advantages",
    "Collector",
    "Decision",
    "Hyperparameters",
    "Iteration",
    "Policy",
    "Rollout",
    "ThreadChoice",
    "Times",
    "TrainingError",
    "generalised_advantages",
    "pick_threads",
]
