"""How much sooner an agent learns on faster environments: predicted by Amdahl's law, then measured.

PPO is run on one Gymnasium object an environment, and its wall time split up. What the rungs of
the ladder take for the same steps then says how much faster the whole process would be with each
(Amdahl, 1967: only the share of the time that is spent in environments gets shorter). At last the
same PPO is run with batchsim: in exact precision it makes the same agent, bit for bit.
"""

from __future__ import annotations

import datetime
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

from batchsim import registry
from batchsim.checks import whole_number
from batchsim.ladder import runner
from batchsim.ladder.machine import describe_machine, find_versions
from batchsim.ladder.rungs import RUNGS
from batchsim.torch.ppo import PPO, Hyperparameters
from batchsim.torch.train import Settings, TimeSplit, Training

__all__ = ["Estimate", "EstimateSettings", "Prediction", "estimate", "to_json"]

SCHEMA = 1
MEASURED = {"driver": "exact", "fast": "fast"}
"""The rungs that PPO is run with, too, and their precision."""
WARM_UP = 1
"""Iterations before the measured ones: the first allocates what the others use again."""


@dataclass(frozen=True)
class EstimateSettings:
    """What to measure.

    Args:
        env_id: an id that Gymnasium has, too.
        hyperparameters: of PPO, the number of environments among them.
        iterations: of PPO that are measured, in each repetition.
        repeats: the whole processes are run so often, in turns; medians count.
        seconds: time to measure each rung for.
        rungs: of the ladder that there are predictions for.
        seed: of PPO.
        threads: of PyTorch; None to measure which number is best.

    Raises:
        TypeError, ValueError: for a value out of place.
    """

    env_id: str
    hyperparameters: Hyperparameters
    iterations: int = 20
    repeats: int = 5
    seconds: float = 0.5
    rungs: tuple[str, ...] = tuple(rung.name for rung in RUNGS)
    seed: int = 0
    threads: int | None = None

    def __post_init__(self) -> None:
        registry.find(self.env_id)
        whole_number("iterations", self.iterations, at_least=1)
        whole_number("repeats", self.repeats, at_least=1)
        # Those of every run.
        Settings(self.env_id, self.hyperparameters, seed=self.seed, threads=self.threads)

    @property
    def steps(self) -> int:
        """Of all environments together, in each repetition."""
        return self.iterations * self.hyperparameters.num_envs * self.hyperparameters.steps


@dataclass
class Prediction:
    """What a rung would make of the whole process, and what it did."""

    name: str
    environment: float | None
    """Seconds that it takes for the steps; None if it was not measured."""
    speedup: float | None
    """Of the whole process over the baseline, as predicted."""
    remark: str | None = None
    """Why it was not measured."""
    measured: TimeSplit | None = None
    """Of the whole process, if that was run."""
    measured_speedup: float | None = None

    @property
    def error(self) -> float | None:
        """By which part of the measured speed-up the predicted one is too high."""
        if self.speedup is None or self.measured_speedup is None:
            return None
        return self.speedup / self.measured_speedup - 1.0


@dataclass
class Estimate:
    """What was predicted and measured."""

    settings: EstimateSettings
    threads: int
    """Of PyTorch."""
    baseline: TimeSplit
    """Of PPO on Gymnasium's `SyncVectorEnv`."""
    predictions: list[Prediction]
    same_agent: bool
    """Whether batchsim in exact precision made the same parameters as the baseline."""
    date: str = field(default_factory=lambda: datetime.date.today().isoformat())
    machine: dict[str, str | int] = field(default_factory=describe_machine)
    versions: dict[str, str] = field(default_factory=lambda: find_versions("torch"))

    @property
    def share(self) -> float:
        """Which part of the baseline's time is spent in environments."""
        return self.baseline.environment / self.baseline.whole

    @property
    def limit(self) -> float:
        """The speed-up with environments that take no time at all."""
        return 1.0 / (1.0 - self.share)


def predict(baseline: TimeSplit, environment: float) -> float:
    """Return the speed-up of the whole process by Amdahl's law.

    Args:
        baseline: where its time goes.
        environment: seconds that faster environments take for the same steps.
    """
    return baseline.whole / (baseline.whole - baseline.environment + environment)


def estimate(
    settings: EstimateSettings, on_progress: Callable[[str, float], None] = lambda doing, done: None
) -> Estimate:
    """Measure the baseline, predict, and measure batchsim.

    Args:
        settings: what to measure.
        on_progress: called as `on_progress(doing, done)` before each part: what comes now, and
            which share of the whole is done.
    """
    processes = ["baseline", *(name for name in MEASURED if name in settings.rungs)]
    parts = len(settings.rungs) + settings.repeats * len(processes)
    ladder = runner.climb(
        runner.Settings(
            settings.env_id,
            (settings.hyperparameters.num_envs,),
            settings.seconds,
            rungs=settings.rungs,
            check_steps=200,
        ),
        lambda _, doing, done: on_progress(doing, done * len(settings.rungs) / parts),
    )
    splits: dict[str, list[TimeSplit]] = {name: [] for name in processes}
    agents: dict[str, list[bytes]] = {}
    threads = settings.threads
    for repeat in range(settings.repeats):
        # Turned around each time, so that a drift of the machine's speed meets all alike.
        for k, name in enumerate(processes if repeat % 2 == 0 else processes[::-1]):
            done = len(settings.rungs) + repeat * len(processes) + k
            on_progress(f"PPO on {name}, {repeat + 1} of {settings.repeats}", done / parts)
            training = _training(settings, name, threads)
            threads = training.threads
            splits[name].append(_measure(training.ppo, settings.iterations))
            agents[name] = [p.detach().numpy().tobytes() for p in training.policy.parameters()]
            training.close()
    on_progress("", 1.0)
    assert threads is not None
    baseline = _median(splits["baseline"])
    predictions = [_prediction(row, baseline, settings) for row in ladder.rows]
    for prediction in predictions:
        if prediction.name in splits:
            prediction.measured = _median(splits[prediction.name])
            prediction.measured_speedup = baseline.whole / prediction.measured.whole
    same = agents.get("driver", agents["baseline"]) == agents["baseline"]
    return Estimate(settings, threads, baseline, predictions, same)


def _training(settings: EstimateSettings, name: str, threads: int | None) -> Training:
    h = settings.hyperparameters
    total = (WARM_UP + settings.iterations) * h.num_envs * h.steps
    return Training(
        Settings(
            settings.env_id,
            replace(h, total_steps=total),
            seed=settings.seed,
            device="cpu",
            precision=MEASURED.get(name, "exact"),
            baseline=name == "baseline",
            threads=threads,
        )
    )


def _measure(ppo: PPO, iterations: int) -> TimeSplit:
    """Return where the time of some iterations goes."""
    for _ in range(WARM_UP):
        ppo.iterate()
    begin, before = time.perf_counter(), _spent(ppo)
    for _ in range(iterations):
        ppo.iterate()
    whole = time.perf_counter() - begin
    environment, policy, learning = (
        now - then for now, then in zip(_spent(ppo), before, strict=True)
    )
    return TimeSplit(environment, policy, learning, whole - environment - policy - learning)


def _spent(ppo: PPO) -> tuple[float, float, float]:
    """Return the seconds in environments, policy and learning so far."""
    times = ppo.collector.times
    return times.environment, times.policy, ppo.learning_seconds


def _median(splits: Sequence[TimeSplit]) -> TimeSplit:
    """Return the split whose parts are the medians of the splits' parts."""
    return TimeSplit(
        **{
            name: statistics.median(getattr(split, name) for split in splits)
            for name in vars(splits[0])
        }
    )


def _prediction(row: runner.Row, baseline: TimeSplit, settings: EstimateSettings) -> Prediction:
    measurement = row.measurements.get(settings.hyperparameters.num_envs)
    if measurement is None:
        remark = row.failed or next(iter(row.absent.values()), None)
        if remark is None and row.verdict is not None:
            remark = row.verdict.detail
        return Prediction(row.rung.name, None, None, remark)
    seconds = settings.steps / measurement.steps_per_second
    return Prediction(row.rung.name, seconds, predict(baseline, seconds))


def to_json(found: Estimate) -> str:
    """Return an estimate as a JSON document, in plain SI units.

    Its keys: `schema` (1), `env_id`, `date`, `machine`, `versions`, `seed`, `threads` (of PyTorch),
    `hyperparameters`, `steps`, `repeats`, `baseline` (seconds in `environment`, `policy`,
    `learning`, `rest`), `environment_share`, `limit` (the speed-up with environments that take no
    time), `same_agent` (bool), and `rungs`, each with `name`, `environment` (seconds for the
    steps), `predicted_speedup`, `measured_speedup`, `measured` (seconds as in `baseline`), `error`
    (of the prediction, as a share) and `remark`, which are null where they do not apply.
    """
    settings = found.settings
    return json.dumps(
        {
            "schema": SCHEMA,
            "env_id": settings.env_id,
            "date": found.date,
            "machine": found.machine,
            "versions": found.versions,
            "seed": settings.seed,
            "threads": found.threads,
            "hyperparameters": asdict(settings.hyperparameters),
            "steps": settings.steps,
            "repeats": settings.repeats,
            "baseline": asdict(found.baseline),
            "environment_share": found.share,
            "limit": found.limit,
            "same_agent": found.same_agent,
            "rungs": [
                {
                    "name": one.name,
                    "environment": one.environment,
                    "predicted_speedup": one.speedup,
                    "measured_speedup": one.measured_speedup,
                    "measured": None if one.measured is None else asdict(one.measured),
                    "error": one.error,
                    "remark": one.remark,
                }
                for one in found.predictions
            ],
        },
        indent=2,
    )
