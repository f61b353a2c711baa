"""The process that steps one setting of one peer, as it is told to on its standard input.

It imports nothing of batchsim that needs a compiler or Numba, so that it runs in a virtual
environment that has only the peer. A request is one line, a JSON list of a method of `Worker` and
its arguments; the answer is one line, `{"value": …}` or `{"error": …}`.
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import numpy as np

from batchsim.ladder.rung import Array
from batchsim.ladder.timing import time_block, time_calls, warm_up
from benchmarks.peers.peer import Peer

__all__ = ["Stepper", "Worker", "check"]

CHECK_CALLS = 200
"""Where there is no time limit to wait for."""


class Stepper:
    """A batch of a peer whose step includes that the observations are read.

    Args:
        peer: whose.
        number: of its setting.
        env_id, num_envs: of what and how many.
        actions: batches of actions, passed in turn.
        seed: of the first row.
    """

    def __init__(
        self, peer: Peer, number: int, env_id: str, num_envs: int, actions: Array, seed: int
    ) -> None:
        self.batch = peer.settings[number].make(env_id, num_envs)
        read = reader(self.batch.reset(seed=seed)[0])
        step = self.batch.step
        self.turn: Iterator[Any] = itertools.cycle([peer.prepare(array) for array in actions])
        self.close: Callable[[], Any] = self.batch.close

        def step_and_read(actions: Any) -> Any:
            results = step(actions)
            read(results[0])
            return results

        self.step = step_and_read


def reader(observations: Any) -> Callable[[Any], None]:
    """Return what copies observations like these into arrays that are allocated now.

    Text, which some environments have in their observations, is not copied.
    """
    if hasattr(observations, "dtype"):
        copy = np.empty(observations.shape, observations.dtype)

        def read(observations: Any) -> None:
            np.copyto(copy, observations)

        return read
    parts = _parts(observations)
    readers = {key: reader(part) for key, part in parts.items()}

    def read_parts(observations: Any) -> None:
        for key, read in readers.items():
            read(observations[key])

    return read_parts


def _parts(observations: Any) -> Mapping[Any, Any]:
    if isinstance(observations, Mapping):
        return observations
    if isinstance(observations, tuple):
        return {k: part for k, part in enumerate(observations) if not isinstance(part, str)}
    return {}


def check(stepper: Stepper, peer: Peer, rows: int, limit: int | None) -> str:
    """Step a batch past the time limit; return what was seen of its episodes.

    Raises:
        RuntimeError: if a row does not end its episodes in time, or not every row is stepped.
    """
    # The step that only resets comes on top.
    longest_allowed = None if limit is None else limit + (peer.autoreset == "next step")
    calls = CHECK_CALLS if longest_allowed is None else longest_allowed + 1
    ages = np.zeros(rows, int)
    lengths: list[int] = []
    for _ in range(calls):
        results = stepper.step(next(stepper.turn))
        over = peer.over(results)
        if over.shape != (rows,) or len(results[1]) != rows:
            raise RuntimeError(
                f"its flags have the shape {over.shape} and its rewards the length "
                f"{len(results[1])}; expected {rows} rows"
            )
        ages += 1
        lengths.extend(ages[over].tolist())
        ages[over] = 0
        if longest_allowed is not None and ages.max() >= longest_allowed:
            raise RuntimeError(
                f"row {ages.argmax()} has gone on for {ages.max()} steps; "
                f"expected an end after {limit} at most"
            )
    if not lengths:
        return f"no episode ended in {calls} calls"
    return (
        f"{len(lengths)} episodes ended in {calls} calls of {rows} environments, "
        f"after {np.mean(lengths):.4g} calls on average"
    )


class Worker:
    """One setting of one peer.

    Args:
        adapter: the module that defines the peer.
        name: the peer's.
        setting: the number of its setting.
    """

    def __init__(self, adapter: str, name: str, setting: int) -> None:
        peers: tuple[Peer, ...] = importlib.import_module(adapter).PEERS
        (self.peer,) = (peer for peer in peers if peer.name == name)
        self.setting = setting
        self.stepper: Stepper | None = None

    def version(self) -> str:
        """Return the version of the library."""
        if self.peer.package == "batchsim":
            import batchsim

            return batchsim.__version__
        return importlib.metadata.version(self.peer.package)

    def absent(self, env_id: str, num_envs: int) -> str | None:
        """Return why there is no such batch, or None."""
        return self.peer.absent(env_id, num_envs)

    def check(self, env_id: str, limit: int | None, actions: str, seed: int) -> str:
        """Step a small batch past the time limit; return what was seen of its episodes."""
        batches = np.load(actions)
        rows = batches.shape[1]
        stepper = Stepper(self.peer, self.setting, env_id, rows, batches, seed)
        try:
            return check(stepper, self.peer, rows, limit)
        finally:
            stepper.close()

    def open(self, env_id: str, num_envs: int, actions: str, seed: int, seconds: float) -> float:
        """Make a batch and warm it up; return the seconds that its fastest call took."""
        self.stepper = Stepper(self.peer, self.setting, env_id, num_envs, np.load(actions), seed)
        # What is compiled at the first use is not to count.
        self.stepper.step(next(self.stepper.turn))
        gc.collect()
        return warm_up(self.stepper, self.stepper.turn, seconds)  # type: ignore[arg-type]

    def block(self, calls: int) -> float:
        """Return the seconds that a block of calls took."""
        assert self.stepper is not None
        return time_block(self.stepper, self.stepper.turn, calls)  # type: ignore[arg-type]

    def latencies(self, calls: int) -> list[float]:
        """Return the seconds that each of so many calls took."""
        assert self.stepper is not None
        return time_calls(self.stepper, self.stepper.turn, calls)  # type: ignore[arg-type]

    def close(self) -> None:
        """Close the batch."""
        if self.stepper is not None:
            self.stepper.close()
            self.stepper = None


REQUESTS = ("absent", "block", "check", "close", "latencies", "open", "version")


def serve(worker: Callable[[], Worker], requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more; the first answer is to being made."""
    made: Worker | None = None
    for line in itertools.chain(["[]"], requests):
        try:
            request = json.loads(line)
            if made is None:
                made = worker()
                value = None
            else:
                assert request[0] in REQUESTS
                value = getattr(made, request[0])(*request[1:])
            answer = {"value": value}
        except Exception as error:
            # Whatever goes wrong in a peer is its result.
            first_line = str(error).strip().partition("\n")[0]
            answer = {"error": f"{type(error).__name__}: {first_line}"}
        print(json.dumps(answer), file=answers, flush=True)
        if made is None:
            return


def main(adapter: str, name: str, setting: str) -> None:
    """Answer on the standard output, which whatever the peer prints is kept away from."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        serve(lambda: Worker(adapter, name, int(setting)), sys.stdin, answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
