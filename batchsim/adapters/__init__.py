"""Batches as training libraries expect them: one module a library, each imported on demand.

`batchsim.adapters.sb3` is for Stable-Baselines3, `batchsim.adapters.torchrl` for TorchRL,
`batchsim.adapters.rllib` for RLlib.
"""
