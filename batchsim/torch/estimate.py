"""How much sooner an agent learns on faster environments: predicted by Amdahl's law, then measured.

PPO is run on one Python object an environment, and its wall time split up. What the rungs of
the ladder take for the same steps then says how much faster the whole process would be with each
(Amdahl, 1967: only the share of the time that is spent in environments gets shorter). That law
takes the rest to stay as long as it was, and it does not: thousands of Python objects push policy
and networks out of the processor's caches. So the steps of the baseline are recorded, and PPO is
run once more on the record, which says how long the rest takes by itself. At last the same PPO is
run with batchsim: in exact precision it makes the same agent, bit for bit.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gymnasium.vector import VectorEnv

from batchsim import registry
from batchsim.batch.checks import whole_number
from batchsim.batch.vector import BatchEnv
from batchsim.ladder import measure
from batchsim.ladder.kind import Kind
from batchsim.ladder.machine import describe_machine, find_versions
from batchsim.ladder.rungs import RUNGS
from batchsim.ladder.runner import climb
from batchsim.torch.baseline import make_baseline
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
        env_id: an id with a per-object environment (`registry.original`).
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
        registry.original(self.env_id)
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
    amdahl: float | None
    """Speed-up of the whole process over the baseline, by Amdahl's law alone."""
    speedup: float | None
    """The same with what the rest takes by itself: the prediction."""
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
    """Of PPO on per-object environments in Gymnasium's `SyncVectorEnv`."""
    record: TimeSplit
    """Of PPO on the record of its steps."""
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
        return predict(self.baseline, _rest(self.record))


def predict(baseline: TimeSplit, rest: float, environment: float = 0.0) -> float:
    """Return the speed-up of the whole process.

    Args:
        baseline: where its time goes.
        rest: seconds that all but environments take; the baseline's own are Amdahl's law.
        environment: seconds that faster environments take for the same steps.
    """
    return baseline.whole / (rest + environment)


def _rest(split: TimeSplit) -> float:
    return split.whole - split.environment


class Recorded(VectorEnv[Any, Any, Any]):
    """Steps environments, and keeps what they return."""

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        self.envs = envs
        self.num_envs = envs.num_envs
        self.metadata = envs.metadata
        self.observation_space = envs.observation_space
        self.action_space = envs.action_space
        self.single_observation_space = envs.single_observation_space
        self.single_action_space = envs.single_action_space
        self.results: list[Any] = []

    def reset(self, **arguments: Any) -> Any:
        """Reset the environments."""
        self.results = [self.envs.reset(**arguments)]
        return self.results[0]

    def step(self, actions: Any) -> Any:
        """Step the environments."""
        self.results.append(self.envs.step(actions))
        return self.results[-1]

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments."""
        self.envs.close()


class Record(Recorded):
    """Returns what was recorded, whatever the actions: the same that led to it."""

    def __init__(self, recorded: Recorded) -> None:
        super().__init__(recorded.envs)
        self.results = recorded.results
        self.steps = 0

    def reset(self, **arguments: Any) -> Any:
        """Return the first observations."""
        self.steps = 0
        return self.results[0]

    def step(self, actions: Any) -> Any:
        """Return what the next step returned."""
        self.steps += 1
        return self.results[self.steps]


def estimate(
    settings: EstimateSettings, on_progress: Callable[[str, float], None] = lambda doing, done: None
) -> Estimate:
    """Measure the baseline, predict, and measure batchsim.

    Args:
        settings: what to measure.
        on_progress: called as `on_progress(doing, done)` before each part: what comes now, and
            which share of the whole is done.
    """
    processes = ["baseline", "record", *(name for name in MEASURED if name in settings.rungs)]
    parts = len(settings.rungs) + settings.repeats * len(processes)
    ladder = climb(
        measure.Settings(
            Kind(settings.env_id),
            (settings.hyperparameters.num_envs,),
            settings.seconds,
            rungs=settings.rungs,
            check_steps=200,
        ),
        lambda _, doing, done: on_progress(doing, done * len(settings.rungs) / parts),
    )
    with _training(settings) as training:
        threads = training.threads
    splits: dict[str, list[TimeSplit]] = {name: [] for name in processes}
    agents: dict[str, list[bytes]] = {}
    recorded = Recorded(_make(settings, "baseline"))
    for repeat in range(settings.repeats):
        # Turned around each time, so that a drift of the machine's speed meets all alike.
        for k, name in enumerate(processes if repeat % 2 == 0 else processes[::-1]):
            done = len(settings.rungs) + repeat * len(processes) + k
            on_progress(f"PPO on {name}, {repeat + 1} of {settings.repeats}", done / parts)
            if name == "baseline":
                envs: Any = recorded
            else:
                envs = Record(recorded) if name == "record" else _make(settings, name)
            ppo = PPO(envs, settings.hyperparameters, seed=settings.seed)
            splits[name].append(_measure(ppo, settings.iterations))
            agents[name] = [p.detach().numpy().tobytes() for p in ppo.policy.parameters()]
            if name in MEASURED:
                envs.close()
    recorded.close()
    on_progress("", 1.0)
    baseline, record = _median(splits["baseline"]), _median(splits["record"])
    predictions = [_prediction(row, baseline, record, settings) for row in ladder.rows]
    for prediction in predictions:
        if prediction.name in splits:
            prediction.measured = _median(splits[prediction.name])
            prediction.measured_speedup = baseline.whole / prediction.measured.whole
    same = agents.get("driver", agents["baseline"]) == agents["baseline"] == agents["record"]
    return Estimate(settings, threads, baseline, record, predictions, same)


def _training(settings: EstimateSettings) -> contextlib.closing[Training]:
    """Return a training, which finds out how many threads PyTorch should have."""
    how, threads = settings.hyperparameters, settings.threads
    return contextlib.closing(
        Training(Settings(settings.env_id, how, device="cpu", threads=threads))
    )


def _make(settings: EstimateSettings, name: str) -> VectorEnv[Any, Any, Any]:
    num_envs = settings.hyperparameters.num_envs
    if name == "baseline":
        return make_baseline(settings.env_id, num_envs)
    return BatchEnv(settings.env_id, num_envs, precision=MEASURED[name], text_mode="tokens")


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


def _prediction(
    row: measure.Row, baseline: TimeSplit, record: TimeSplit, settings: EstimateSettings
) -> Prediction:
    measurement = row.measurements.get(settings.hyperparameters.num_envs)
    if measurement is None:
        remark = row.failed or next(iter(row.absent.values()), None)
        if remark is None and row.verdict is not None:
            remark = row.verdict.detail
        return Prediction(row.rung.name, None, None, None, remark)
    seconds = settings.steps / measurement.steps_per_second
    return Prediction(
        row.rung.name,
        seconds,
        predict(baseline, _rest(baseline), seconds),
        predict(baseline, _rest(record), seconds),
    )


def to_json(found: Estimate) -> str:
    """Return an estimate as a JSON document, in plain SI units.

    Its keys: `schema` (1), `env_id`, `date`, `machine`, `versions`, `seed`, `threads` (of PyTorch),
    `hyperparameters`, `steps`, `repeats`, `baseline` (seconds in `environment`, `policy`,
    `learning`, `rest`), `record` (the same on the record of its steps), `environment_share`,
    `limit` (the speed-up with environments that take no time), `same_agent` (bool), and `rungs`,
    each with `name`, `environment` (seconds for the steps), `amdahl_speedup`, `predicted_speedup`,
    `measured_speedup`, `measured` (seconds as in `baseline`), `error` (of the prediction, as a
    share) and `remark`, which are null where they do not apply.
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
            "record": asdict(found.record),
            "environment_share": found.share,
            "limit": found.limit,
            "same_agent": found.same_agent,
            "rungs": [
                {
                    "name": one.name,
                    "environment": one.environment,
                    "amdahl_speedup": one.amdahl,
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
