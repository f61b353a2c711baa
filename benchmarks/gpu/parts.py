"""The parts, each run by a process of its own: `python -m benchmarks.gpu.parts NAME …`.

A part writes a line of JSON for each of its cases as soon as it is measured, so that one that is
ended loses nothing of what it has found.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch

import batchsim
from batchsim.batch.processors import available_cpus
from batchsim.torch import PPO, ActorCritic, Collector, checkpoint, hyperparameters_for
from batchsim.torch.nested import leaves
from benchmarks.gpu.sizes import FULL, SMALL, Sizes

__all__ = ["PARTS", "main"]

ROOT = Path(__file__).parents[2]
RESERVE = 3.0
"""Seconds before its time is up in which a part begins nothing more."""
GPU_TESTS = ("tests/test_collector.py", "-k", "gpu")
"""The tests that are skipped where there is no CUDA device."""


@dataclass
class Work:
    """What a part is asked for, and where it tells what it finds."""

    device: torch.device
    sizes: Sizes
    until: float
    """When it must be done, as `time.time` tells it."""
    file: Path

    def left(self) -> float:
        """Return the seconds that are left for it."""
        return self.until - time.time() - RESERVE

    def tell(self, **found: Any) -> None:
        """Write what was found, a line."""
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(found) + "\n")

    def measure(self, cases: list[dict[str, Any]], how: Callable[..., dict[str, Any]]) -> None:
        """Measure each case for which there is time; one that fails is told, the others go on."""
        for case in cases:
            if self.left() <= 0.0:
                self.tell(**case, failed="there was no time left for it")
                continue
            try:
                self.tell(**case, **how(self, **case))
            except Exception as error:
                traceback.print_exc()
                self.tell(
                    **case, failed=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
                )
            if self.device.type == "cuda":
                torch.cuda.empty_cache()


# -- kernels ---------------------------------------------------------------------------------------


def kernels(work: Work) -> None:
    """Compile all kernels that are needed, a process an id, so that no other part waits for it."""
    sizes = work.sizes
    ids = sorted({*sizes.collected, *sizes.trained, *sizes.profiled, *sizes.scaled})
    start = time.perf_counter()
    compile = "import sys, batchsim; batchsim.make_vec(sys.argv[1], 16, text_mode='tokens').close()"
    running = {id: subprocess.Popen([sys.executable, "-c", compile, id]) for id in ids}
    for id, process in running.items():
        failed = {"failed": f"status {process.returncode}"} if process.wait() else {}
        work.tell(env=id, seconds=time.perf_counter() - start, **failed)


# -- the collector ---------------------------------------------------------------------------------


def collector(work: Work) -> None:
    """Rollouts: environments on the host, the policy on the device."""
    graphs = (False, True) if work.device.type == "cuda" else (False,)
    sizes = work.sizes
    cases = product(sizes.num_envs, sizes.collected, (2, 1), graphs)
    names = ("num_envs", "env", "num_splits", "cuda_graph")
    work.measure([dict(zip(names, case, strict=True)) for case in cases], collect)


def collect(
    work: Work, env: str, num_envs: int, num_splits: int, cuda_graph: bool
) -> dict[str, Any]:
    """Return how fast rollouts are made, and where the time goes."""
    with closing(batchsim.make_vec(env, num_envs, text_mode="tokens")) as envs:
        policy = ActorCritic(envs.single_observation_space, envs.single_action_space)
        policy.to(work.device)
        of_a_step = sum(leaf.nbytes for leaf in leaves(envs.reset(seed=0)[0]))
        steps = min(max(work.sizes.memory // of_a_step, 4), 32)
        found = Collector(
            envs, policy, steps, num_splits, work.device, seed=0, cuda_graph=cuda_graph
        )
        # The first records graphs and finds out whether halves are worth a thread.
        found.collect()
        found.collect()
        synchronize(work.device)
        times = found.times
        before = times.environment, times.policy
        start, rollouts = time.perf_counter(), 0
        while rollouts < 2 or time.perf_counter() - start < work.sizes.seconds:
            found.collect()
            rollouts += 1
        synchronize(work.device)
        seconds = time.perf_counter() - start
        return {
            "policy": "convolutions" if policy.encoder.convolutions else "perceptron",
            "steps": steps,
            "steps_per_second": rollouts * steps * num_envs / seconds,
            "environment_share": (times.environment - before[0]) / seconds,
            "policy_share": (times.policy - before[1]) / seconds,
        }


def synchronize(device: torch.device) -> None:
    """Wait for what a GPU was given to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


# -- idle share ------------------------------------------------------------------------------------


def idle(work: Work) -> None:
    """How much of an iteration of PPO the device does nothing in, with and without splits."""
    cases = [{"env": env, "num_splits": splits} for env in work.sizes.profiled for splits in (1, 2)]
    work.measure(cases, profile)


def profile(work: Work, env: str, num_splits: int) -> dict[str, Any]:
    """Return the share of an iteration in which no operation runs on the device."""
    how = hyperparameters_for(env, num_splits=num_splits)
    with closing(batchsim.make_vec(env, how.num_envs, text_mode="tokens")) as envs:
        ppo = PPO(envs, how, seed=0, device=work.device)
        ppo.iterate()
        synchronize(work.device)
        on_gpu = work.device.type == "cuda"
        activities = [torch.profiler.ProfilerActivity.CPU]
        if on_gpu:
            activities = [torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as found:
            start = time.perf_counter()
            ppo.iterate()
            synchronize(work.device)
            seconds = time.perf_counter() - start
        kind = torch.autograd.DeviceType.CUDA if on_gpu else torch.autograd.DeviceType.CPU
        spans = [
            (event.time_range.start, event.time_range.end)
            for event in found.events()
            if event.device_type == kind
        ]
        steps = how.num_envs * how.steps
        return {
            "idle_share": 1.0 - min(1e-6 * covered(spans) / seconds, 1.0),
            "operations": len(spans),
            "steps_per_second": steps / seconds,
        }


def covered(spans: list[tuple[float, float]]) -> float:
    """Return how long at least one of these spans of time lasts."""
    whole, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        whole += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return whole


# -- training --------------------------------------------------------------------------------------


def train(work: Work) -> None:
    """`train`, whole, and again killed and resumed: it should become the same agent."""
    cases = [{"env": env, "total_steps": steps} for env, steps in work.sizes.trained.items()]
    work.measure(cases, kill_and_resume)


def kill_and_resume(work: Work, env: str, total_steps: int) -> dict[str, Any]:
    """Return the figures of a training, and whether a broken one became the same agent."""
    folder = work.file.parent / "training" / env
    whole, broken = folder / "whole", folder / "broken"
    command = [sys.executable, "-m", "batchsim", "train", env, "--device", work.device.type]
    command += ["--total-steps", str(total_steps), "--episodes", "20", "--threads", "1"]
    saving = ["--checkpoint", str(broken), "--checkpoint-seconds", "0"]
    folder.mkdir(parents=True)
    # No figures without it: the first of the two writes a checkpoint at its end alone.
    rarely = ["--checkpoint", str(whole), "--checkpoint-seconds", "1e9"]
    end(work, start(command, *rarely, "--json", str(folder / "whole.json")))
    figures = json.loads((folder / "whole.json").read_text(encoding="utf-8"))
    killed_at = kill_halfway(work, start(command, *saving), broken, total_steps)
    end(work, start(command, *saving, "--resume", "--json", str(folder / "resumed.json")))
    resumed = json.loads((folder / "resumed.json").read_text(encoding="utf-8"))
    agents = [checkpoint.load_policy(place, env).state_dict() for place in (whole, broken)]
    difference = max(
        float((agents[0][name].double() - agents[1][name].double()).abs().max())
        for name in agents[0]
    )
    return {
        "steps_per_second": figures["steps_per_second"],
        "seconds": figures["seconds"],
        "times": figures["times"],
        "mean_return": figures["evaluation"]["mean"],
        "killed_at": killed_at,
        "resumed_mean_return": resumed["evaluation"]["mean"],
        "same_bits": difference == 0.0,
        "largest_difference": difference,
    }


def start(command: list[str], *more: str) -> subprocess.Popen[bytes]:
    """Start a training, whose progress nobody reads."""
    return subprocess.Popen([*command, *more], cwd=ROOT, stdout=subprocess.DEVNULL)


def end(work: Work, process: subprocess.Popen[bytes]) -> None:
    """Wait for a training.

    Raises:
        RuntimeError: if it fails, or takes more time than there is.
    """
    try:
        status = process.wait(max(work.left(), 1.0))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError("a training took longer than there was time") from None
    if status:
        raise RuntimeError(f"a training ended with status {status}")


def kill_halfway(
    work: Work, process: subprocess.Popen[bytes], folder: Path, total_steps: int
) -> int:
    """Kill a training as soon as a checkpoint of it is halfway; return its steps."""
    try:
        while process.poll() is None and work.left() > 0.0:
            if steps_saved(folder) >= total_steps / 2:
                break
            time.sleep(0.1)  # Reading a checkpoint takes a while, too.
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
    steps = steps_saved(folder)
    if not 0 < steps < total_steps:
        raise RuntimeError("a training could not be killed halfway")
    return steps


def steps_saved(folder: Path) -> int:
    """Return how far the checkpoint in a folder has come; 0 without one."""
    if not (folder / checkpoint.FILE).exists():
        return 0
    found = checkpoint.load(folder)
    how = found.hyperparameters
    return int(found.training["iteration"]) * how.num_envs * how.steps


# -- scaling ---------------------------------------------------------------------------------------


def scaling(work: Work) -> None:
    """Steps of the environments alone, over so many cores."""
    cores = [number for number in work.sizes.cores if number <= available_cpus()]
    cases = [{"env": env, "cores": number} for env in work.sizes.scaled for number in cores]
    work.measure(cases, scale)


def scale(work: Work, env: str, cores: int) -> dict[str, Any]:
    """Return how many steps a second so many threads take, on as many processors."""
    whole = os.sched_getaffinity(0)
    n = work.sizes.scaled_num_envs
    try:
        os.sched_setaffinity(0, sorted(whole)[:cores])
        with closing(batchsim.make_vec(env, n, num_threads=cores, text_mode="tokens")) as envs:
            envs.reset(seed=0)
            envs.action_space.seed(0)
            actions = [envs.action_space.sample() for _ in range(4)]
            for k in range(4):
                envs.step(actions[k])
            start, steps = time.perf_counter(), 0
            while steps < 8 or time.perf_counter() - start < work.sizes.seconds:
                envs.step(actions[steps % 4])
                steps += 1
            seconds = time.perf_counter() - start
    finally:
        os.sched_setaffinity(0, whole)
    return {"num_envs": n, "steps_per_second": steps * n / seconds}


# -- tests -----------------------------------------------------------------------------------------


def tests(work: Work) -> None:
    """The tests that need a CUDA device."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*command, *GPU_TESTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=max(work.left(), 1.0),
        check=False,
    )
    print(found.stdout, found.stderr, sep="\n")
    failed = {"failed": f"status {found.returncode}"} if found.returncode else {}
    lines = found.stdout.strip().splitlines()
    work.tell(summary=lines[-1].strip("= ") if lines else "", **failed)


PARTS: dict[str, Callable[[Work], None]] = {
    part.__name__: part for part in (kernels, collector, idle, train, scaling, tests)
}
"""In the order in which they run: what is told first would be missed most."""


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(description="One part of python -m benchmarks.gpu")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--device", required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--until", type=float, required=True)
    parser.add_argument("--file", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    sizes = SMALL if given.small else FULL
    PARTS[given.part](Work(torch.device(given.device), sizes, given.until, given.file))


if __name__ == "__main__":
    main()
