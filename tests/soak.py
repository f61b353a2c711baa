"""Steps every id for very many steps, and looks on: `make soak`.

    python tests/soak.py --steps 1e9

An id at a time, some configuration of it runs twice from the same seeds: with one thread, stepped;
and with two, sent and received, in halves, or into the caller's arrays. Masked resets and snapshots
come in between. Both must return the same and end in the same state, and nothing may be written
beside any array. Each id gets the same time, whatever its speed, and each at least one turn.
"""

import faulthandler
import time
from dataclasses import dataclass
from typing import Annotated, Any

import canaries
import numpy as np
import oracle
import typer
from rich.console import Console
from rich.table import Table

import batchsim
from batchsim.compiler.layouts import flatten
from batchsim.registry import ENVIRONMENTS

CONFIGURATIONS: list[dict[str, Any]] = [
    {"autoreset_mode": "NextStep"},
    {"autoreset_mode": "SameStep", "record_episode_statistics": True},
    {"autoreset_mode": "Disabled"},
    {"autoreset_mode": "NextStep", "precision": "fast", "record_episode_statistics": True},
    {"autoreset_mode": "SameStep", "precision": "fast", "frame_stack": 3},
    {"autoreset_mode": "Disabled", "precision": "fast"},
]
"""Each id has them by turns; each is a kernel of its own."""

SIZES = [1, 8, 65, 133, 1000, 4096, 20_000]
MOST_BYTES = 16_000_000
"""Of the columns of one batch: pictures come in smaller batches."""

BETWEEN_EVENTS = 50
"""Steps; an event takes as long as some of them."""

SHORT = 25
"""The time limit in half of the turns, so that many episodes end."""


@dataclass
class Account:
    """What one id has done."""

    turns: int = 0
    seconds: float = 0.0
    steps: int = 0
    episodes: int = 0
    sends: int = 0
    resets: int = 0
    snapshots: int = 0

    def __add__(self, other):
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Account(*(a + b for a, b in pairs))


class Turn:
    """One configuration of one id, run for a while."""

    def __init__(self, name, configuration, rng, guarded):
        self.rng, self.guarded, self.done = rng, guarded, Account(turns=1)
        settings = dict(configuration)
        if ENVIRONMENTS[name].max_episode_steps is not None and rng.random() < 0.5:
            settings["max_episode_steps"] = SHORT
        one = batchsim.make_vec(name, 1, **settings)
        row = sum(array.nbytes for array in flatten(one._tile))
        one.close()
        self.rows = int(
            rng.choice([size for size in SIZES if size == 1 or size * row <= MOST_BYTES])
        )
        self.serial, self.parallel = (
            batchsim.make_vec(name, self.rows, num_threads=threads, **settings)
            for threads in (1, 2)
        )
        self.disabled = configuration["autoreset_mode"] == "Disabled"
        actions = oracle.Actions(self.serial, seed=int(rng.integers(2**32)))
        self.batches = [actions() for _ in range(16)]
        self.settings = settings
        self.out = None

    def run(self, seconds):
        """Step both for so long; raises AssertionError for what is wrong."""
        start = time.perf_counter()
        self.reset(seed=int(self.rng.integers(2**40)))
        number = 0
        while time.perf_counter() < start + seconds:
            for _ in range(BETWEEN_EVENTS):
                self.step(number)
                number += 1
            self.rng.choice([self.reset_some, self.copy_rows, self.go_back, self.step_halves])()
        self.compare_states()
        self.guarded.check()
        self.done.seconds = time.perf_counter() - start
        self.serial.close()
        self.parallel.close()

    def reset(self, **arguments):
        """Reset both."""
        resets = [env.reset(**arguments) for env in (self.serial, self.parallel)]
        oracle.assert_same_reset(*resets, "reset")
        self.done.resets += 1

    def step(self, number):
        """Step both, one in one way or another; compare every seventh step."""
        batch = self.batches[number % len(self.batches)]
        expected = self.serial.step(batch)
        if number % 3:
            self.parallel.send(batch)
            found = self.parallel.recv()
            self.done.sends += 1
        else:
            if self.out is None:
                shapes = [(part.shape, part.dtype) for part in expected[1:4]]
                self.out = (None, *(self.guarded.zeros(*both) for both in shapes))
            found = self.parallel.step(batch, out=self.out)
        over = expected[2] | expected[3]
        self.done.steps += 2 * self.rows
        self.done.episodes += 2 * int(np.count_nonzero(over))
        if number % 7 == 0:
            for results in (expected, found):
                results[4].get("episode", {}).pop("t", None)
            oracle.assert_same_step(expected, found, f"step {number}")
        if self.disabled and over.any():
            self.reset(options={"reset_mask": over})

    def reset_some(self):
        """Reset some rows, from seeds or going on with their streams."""
        mask = self.rng.random(self.rows) < 0.3
        mask[self.rng.integers(self.rows)] = True
        seed = int(self.rng.integers(2**40)) if self.rng.random() < 0.5 else None
        self.reset(seed=seed, options={"reset_mask": mask})

    def copy_rows(self):
        """Make some rows go on as others do."""
        taken, given = (
            self.rng.permutation(self.rows)[: 1 + self.rows // 4].tolist() for _ in range(2)
        )
        for env in (self.serial, self.parallel):
            env.set_state(env.get_state(taken), given)
        self.done.snapshots += 1

    def go_back(self):
        """Step on from a snapshot, twice: the same must come of it."""
        if self.disabled:
            return
        before = self.parallel.get_state()
        first = [self.parallel.step(batch)[:4] for batch in self.batches[:4]]
        self.parallel.set_state(before)
        again = [self.parallel.step(batch)[:4] for batch in self.batches[:4]]
        self.parallel.set_state(before)
        for one, other in zip(first, again, strict=True):
            oracle.assert_same_array(one, other, "from a snapshot")
        self.done.steps += 8 * self.rows
        self.done.snapshots += 1

    def step_halves(self):
        """Step the halves of one while both are under way."""
        if self.disabled or self.rows < 2:
            return
        halves = self.parallel.split(2)
        first = halves[0].num_envs
        for batch in self.batches[:4]:
            halves[0].send(batch[:first])
            halves[1].send(batch[first:])
            for half in halves:
                half.recv()
            self.serial.step(batch)
        for half in halves:
            half.close()
        self.done.steps += 8 * self.rows
        self.done.sends += 8

    def compare_states(self):
        """Compare everything that decides how the rows go on."""
        expected, found = self.serial.get_state(), self.parallel.get_state()
        assert expected.pop("seed").tolist() == found["seed"].tolist(), "seeds"
        expected.pop("episode.started", None)  # the time of day
        for name, column in expected.items():
            oracle.assert_same_array(column, found[name], name)


def soak(
    steps: Annotated[float, typer.Option(min=1, help="Environment steps in all.")] = 1e9,
    seconds: Annotated[float, typer.Option(min=0.01, help="How long each turn steps.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Decides sizes, actions and events.")] = 0,
    only: Annotated[str, typer.Option(help="Ids that contain this.")] = "",
) -> None:
    """Step every id for very many steps, between canaries."""
    faulthandler.enable()
    names = [name for name in batchsim.environments() if only in name]
    if not names:
        raise typer.BadParameter(f"--only is {only!r}; no id contains it.")
    rng = np.random.default_rng(seed)
    accounts = {name: Account() for name in names}
    number = 0
    while number == 0 or sum(account.steps for account in accounts.values()) < steps:
        for k, name in enumerate(names):
            # In the same round each id has another configuration.
            configuration = CONFIGURATIONS[(number + k) % len(CONFIGURATIONS)]
            accounts[name] += take_turn(name, configuration, rng, seconds, number)
        number += 1
    show(accounts)


def take_turn(name, configuration, rng, seconds, number):
    """Run a turn, every second one with arrays that end where a page does; say what it was."""
    with canaries.guard(pages=canaries.HAS_PAGES and number % 2 == 1) as guarded:
        turn = Turn(name, configuration, rng, guarded)
        # What follows may be the last thing heard of it.
        print(f"{name}, N = {turn.rows}, {turn.settings}", flush=True)
        turn.run(seconds)
    return turn.done


def show(accounts):
    """Print what every id has done."""
    table = Table(title="Soak: nothing differed, and every canary is whole")
    table.add_column("id")
    for title in ("turns", "seconds", "steps", "steps/s", *list(vars(Account()))[3:]):
        table.add_column(title, justify="right")
    total = sum(accounts.values(), Account())
    for name, done in {**accounts, "all": total}.items():
        rate = done.steps / done.seconds if done.seconds else 0.0
        counts = (done.episodes, done.sends, done.resets, done.snapshots)
        table.add_row(
            name,
            str(done.turns),
            f"{done.seconds:.1f}",
            f"{done.steps:,}",
            f"{rate:,.0f}",
            *(f"{count:,}" for count in counts),
            end_section=name == list(accounts)[-1],
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(soak)
    app()
