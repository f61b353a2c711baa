"""The last stage: steps the definition and the original side by side and compares all they hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from batchsim.batch.vector import BatchEnv
from batchsim.convert import kinds, layout
from batchsim.convert.compose import Composed
from batchsim.convert.kinds import Kind
from batchsim.convert.layout import Room
from batchsim.convert.program import SWAP, Marker, Program
from batchsim.convert.refusal import ConversionError, Refusal
from batchsim.convert.streams import Lender
from batchsim.convert.watch import Actions, Adapter, Sightings, same, silenced

__all__ = ["Mismatch", "Proof", "prove"]

ROWS = 8
LIMIT = 60  # steps of the time limit under which one of the modes is compared
SECONDS = 15.0  # of a mode


@dataclass(frozen=True)
class Mismatch:
    """The first difference that was found.

    Attributes:
        mode: the autoreset mode.
        step: how many steps after the reset; 0 is the reset itself.
        row: of which environment.
        what: `"reward"`, `"observation"`, a column …
        ours, theirs: the two values.
    """

    mode: str
    step: int
    row: int
    what: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        return (
            f"{self.what} of row {self.row} in step {self.step} ({self.mode}): "
            f"{_short(self.ours)} here, {_short(self.theirs)} in the original"
        )


@dataclass
class Proof:
    """What was compared.

    Attributes:
        steps: of environments.
        seeds: how many.
        modes: of autoreset.
        columns: names of those that were compared with attributes.
        episodes: how many ended.
        mismatch: the first difference; None if there is none.
        greatest: the greatest lengths of lists that were seen, by name.
        rate_of_original: steps a second of the original, one after the other.
        rate: steps a second of the definition, 4,096 rows on one thread.
    """

    steps: int = 0
    seeds: int = 0
    modes: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    episodes: int = 0
    mismatch: Mismatch | None = None
    greatest: dict[str, int] = field(default_factory=dict)
    rate_of_original: float = 0.0
    rate: float = 0.0

    def __bool__(self) -> bool:
        return self.mismatch is None


class Oracle:
    """Makes originals whose draws are all of one stream.

    Args:
        program, seen: what the stages before found.
        kwargs: arguments of the constructor.
    """

    def __init__(self, program: Program, seen: Sightings, kwargs: Mapping[str, Any]) -> None:
        self.lender = Lender()
        self.kwargs = kwargs
        self.cls: Any = program.imported(
            lambda tree: Marker(SWAP, seen.swapped).visit(tree),
            {SWAP: lambda k, value: self.lender.swap(value)},
            original=True,
        )

    def make(self) -> Adapter:
        """Return an original."""
        self.lender.env = None
        self.lender.first = np.random.default_rng(0)
        return Adapter(self.cls(**self.kwargs), self.lender)


def _short(value: Any) -> str:
    text = np.array2string(np.asarray(value), threshold=12, floatmode="unique")
    return " ".join(text.split())[:160]


def alike(ours: Any, theirs: Any) -> bool:
    """Return whether two values have the same bits, in the dtype of the first."""
    ours = np.asarray(ours)
    theirs = np.asarray(theirs)
    if ours.shape != theirs.shape:
        return False
    cast = theirs.astype(ours.dtype)
    if ours.dtype.kind == "f":
        # A float32 kept in a column of float64, and the like: its value counts. Zeros have signs.
        same = (ours == cast) & (np.signbit(ours) == np.signbit(cast))
        return bool(np.all(same | (np.isnan(ours) & np.isnan(cast))))
    return bool(np.array_equal(ours, cast))


def prove(
    program: Program,
    seen: Sightings,
    composed: Composed,
    room: Room,
    definition: Any,
    kwargs: Mapping[str, Any],
    steps: int = 20_000,
    progress: Callable[[float], None] | None = None,
    modes: Sequence[AutoresetMode] = tuple(AutoresetMode),
    timed: bool = True,
    backend: str = "native",
) -> Proof:
    """Compare a definition with its original, column by column, bit by bit.

    Args:
        program, seen, composed, room: what the stages before made.
        definition: the definition's module.
        kwargs: arguments of the original's constructor.
        steps: how many steps of environments are compared, in all modes together.
        progress: called with the share that is done, if given.
        modes: of autoreset.
        timed: whether both are timed, too.
        backend: of the definition; plain Python says where an exception comes from.
    """
    proof = Proof()
    oracle = Oracle(program, seen, kwargs)
    with silenced():
        for k, mode in enumerate(modes):
            limit = LIMIT if mode is AutoresetMode.SAME_STEP else None
            proof.modes.append(mode.value)
            _compare(
                proof,
                oracle,
                composed,
                room,
                definition,
                mode,
                limit,
                1000 * k,
                steps // len(modes),
                k,
                progress,
                backend,
            )
            if proof.mismatch is not None:
                return proof
        if timed:
            proof.rate_of_original = _rate_of_original(program, oracle)
            proof.rate = _rate(definition)
    return proof


def _compare(
    proof: Proof,
    oracle: Oracle,
    composed: Composed,
    room: Room,
    definition: Any,
    mode: AutoresetMode,
    limit: int | None,
    seed: int,
    steps: int,
    k: int,
    progress: Callable[[float], None] | None,
    backend: str,
) -> None:
    def make() -> Any:
        env = oracle.make()
        return env if limit is None else TimeLimit(env, limit)

    theirs = SyncVectorEnv([make] * ROWS, autoreset_mode=mode)
    arguments: dict[str, Any] = {"backend": backend}
    if limit is not None:
        arguments["max_episode_steps"] = limit
    ours = BatchEnv(definition, ROWS, autoreset_mode=mode, num_threads=1, **arguments)
    side = Side(proof, composed, room, ours, theirs, mode)
    seeds: list[int | None] = [seed + row for row in range(ROWS)]
    proof.seeds += ROWS
    side.both(0, ours.reset(seed=seeds), theirs.reset(seed=seeds))
    actions = [Actions(theirs.single_action_space, seed + row) for row in range(ROWS)]
    share = 1 if progress is None else max(1, steps // ROWS // 20)
    over = np.zeros(ROWS, bool)
    begun = time.monotonic()  # what was compiled is compiled
    for step in range(1, max(steps // ROWS, 2)):
        if not proof or time.monotonic() - begun > SECONDS:
            break
        if mode is AutoresetMode.DISABLED and over.any():
            options = {"reset_mask": over.copy()}
            side.both(step, ours.reset(options=options), theirs.reset(options=options), over)
            over[:] = False
            if not proof:
                break
        chosen = np.array([one.next() for one in actions])
        over = side.both(step, ours.step(chosen), theirs.step(chosen))
        proof.steps += ROWS
        if progress is not None and step % share == 0:
            progress((k + step * ROWS / steps) / 3)
    if proof:
        side.streams()
    ours.close()


class Side:
    """A definition and its original, side by side."""

    def __init__(
        self,
        proof: Proof,
        composed: Composed,
        room: Room,
        ours: BatchEnv,
        theirs: SyncVectorEnv,
        mode: AutoresetMode,
    ) -> None:
        self.proof = proof
        self.composed = composed
        self.room = room
        self.ours = ours
        self.theirs = theirs
        self.mode = mode
        self.codes = composed.whole.codes
        self.step = 0

    def differs(self, row: int, what: str, ours: Any, theirs: Any) -> None:
        """Keep the first difference."""
        if self.proof.mismatch is None:
            self.proof.mismatch = Mismatch(self.mode.value, self.step, row, what, ours, theirs)

    def both(self, step: int, ours: Any, theirs: Any, rows: Any = None) -> Any:
        """Compare what two calls returned, and what rows hold after them."""
        self.step = step
        self.attributes()
        self.constants()
        self.leaves("observation", ours[0], theirs[0])
        if len(ours) == 2:
            return rows
        for name, k in (("reward", 1), ("terminated", 2), ("truncated", 3)):
            self.rows(name, ours[k], theirs[k])
        self.infos(ours[4], theirs[4])
        over = ours[2] | ours[3]
        self.proof.episodes += int(over.sum())
        return over

    def rows(self, what: str, ours: Any, theirs: Any) -> None:
        """Compare two arrays row by row."""
        if alike(ours, theirs):
            return
        for row in range(ROWS):
            if not alike(ours[row], np.asarray(theirs)[row]):
                self.differs(row, what, ours[row], np.asarray(theirs)[row])
                return

    def leaves(self, what: str, ours: Any, theirs: Any) -> None:
        """Compare observations, leaf by leaf."""
        if isinstance(ours, dict):
            for key in ours:
                self.leaves(f"{what}.{key}", ours[key], theirs[key])
        elif isinstance(ours, tuple):
            for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                self.leaves(f"{what}[{k}]", one, other)
        else:
            self.rows(what, ours, theirs)

    def infos(self, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
        """Compare infos that both have."""
        # Gymnasium gives a batch's infos the dtype of its first row's: each original's own counts.
        for row, env in enumerate(self.theirs.envs):
            held = env.unwrapped.info  # type: ignore[attr-defined]
            for name in self.composed.infos:
                if name in held and not alike(ours[name][row], held[name]):
                    self.differs(row, f"info {name}", ours[name][row], held[name])
        if "final_obs" in theirs and "final_obs" in ours:
            for k in np.flatnonzero(theirs["_final_obs"]):
                self.leaves_of_row(
                    int(k), "final_obs", ours["final_obs"][k], theirs["final_obs"][k]
                )

    def leaves_of_row(self, row: int, what: str, ours: Any, theirs: Any) -> None:
        """Compare one row's observation, leaf by leaf."""
        if isinstance(ours, dict):
            for key in ours:
                self.leaves_of_row(row, f"{what}.{key}", ours[key], theirs[key])
        elif isinstance(ours, tuple):
            for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                self.leaves_of_row(row, f"{what}[{k}]", one, other)
        elif not alike(ours, theirs):
            self.differs(row, what, ours, theirs)

    def environments(self) -> Iterator[tuple[int, Any]]:
        """Yield each row and its original."""
        for row, env in enumerate(self.theirs.envs):
            yield row, env.unwrapped.env  # type: ignore[attr-defined]

    def attributes(self) -> None:
        """Compare columns with attributes."""
        whole = self.composed.whole
        columns = self.ours.get_state()
        compared = set()
        for name, attribute in whole.attributes.items():
            if attribute.role != "state":
                continue
            column = name if name in whole.state else name.lstrip("_")
            if column not in whole.state:
                continue
            compared.add(column)
            for row, env in self.environments():
                if name in vars(env):
                    self.attribute(row, vars(env)[name], attribute.kind, column, columns)
        self.proof.columns = sorted(compared)

    def attribute(
        self, row: int, value: Any, kind: Kind, name: str, columns: Mapping[str, Any]
    ) -> None:
        """Compare one row's columns with an attribute."""
        self._measure(value, kind, name)
        try:
            held = list(layout.flatten(value, kind, name, self.room, self.codes))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            self.differs(row, f"self.{name}", f"a {kind}", f"{value!r} ({error})")
            return
        if isinstance(value, set | frozenset) and held:
            self.elements(row, value, kind, name, columns)
        for column, index, part in held:
            found = (
                columns[f"state.{column}"][(row, *index)]
                if _fits(columns[f"state.{column}"], row, index)
                else None
            )
            if found is None:
                self.differs(row, f"self.{name}", "no room", f"an element {index}")
                return
            if not alike(found, part):
                where = f"[{', '.join(map(str, index))}]" if index else ""
                self.differs(row, f"self.{column}{where}", found, part)
                return

    def elements(
        self, row: int, value: Any, kind: Kind, name: str, columns: Mapping[str, Any]
    ) -> None:
        """Compare the elements of a set, in whatever order they lie."""
        assert isinstance(kind, kinds.Sequence)
        if f"state.{name}" not in columns or not kinds.is_numeric(kind.element):
            return
        ours = columns[f"state.{name}"][row][: len(value)]
        theirs = np.array(sorted(value), ours.dtype).reshape(ours.shape)
        ours = np.array(sorted(ours.tolist()), ours.dtype).reshape(ours.shape)
        if not alike(ours, theirs):
            self.differs(row, f"self.{name}", ours, theirs)

    def _measure(self, value: Any, kind: Kind, name: str) -> None:
        if isinstance(kind, kinds.Sequence | kinds.Map) and hasattr(value, "__len__"):
            greatest = self.proof.greatest
            greatest[name] = max(greatest.get(name, 0), len(value))

    def constants(self) -> None:
        """Compare attributes that are constants of the definition with those of the originals."""
        if self.step % 64:
            return
        whole = self.composed.whole
        own = whole.seen.own
        for name, attribute in whole.attributes.items():
            if attribute.role not in ("known", "parameter", "derived"):
                continue
            if isinstance(attribute.value, gymnasium.Space):
                continue
            for row, env in self.environments():
                if (
                    name in vars(env)
                    and kinds.is_numeric(attribute.kind)
                    and not same(attribute.value, vars(env)[name], own)
                ):
                    self.differs(row, f"self.{name}", attribute.value, vars(env)[name])
                    return

    def streams(self) -> None:
        """Compare where the streams are."""
        for row, env in self.environments():
            ours = self.ours.np_random[row].bit_generator.state["state"]
            theirs = env._np_random.bit_generator.state["state"]
            if ours != theirs:
                self.differs(row, "the random stream", ours["state"], theirs["state"])
                return


def _fits(array: Any, row: int, index: tuple[int, ...]) -> bool:
    return all(k < n for k, n in zip((row, *index), array.shape, strict=False))


def _rate_of_original(program: Program, oracle: Oracle) -> float:
    env = program.cls(**oracle.kwargs)  # as it is, without draws that are lent
    adapter = Adapter(env, oracle.lender)
    adapter.reset(seed=0)
    actions = Actions(adapter.action_space, 0)
    chosen = [actions.next() for _ in range(64)]
    begun = time.perf_counter()
    count = 0
    while time.perf_counter() - begun < 0.5:
        *_, terminated, truncated, _ = adapter.step(chosen[count % 64])
        count += 1
        if terminated or truncated:
            adapter.reset()
    return count / (time.perf_counter() - begun)


def _rate(definition: Any) -> float:
    n = 4096
    envs = BatchEnv(definition, n, num_threads=1)
    envs.reset(seed=0)
    envs.action_space.seed(0)
    chosen = [envs.action_space.sample() for _ in range(4)]
    for action in chosen:
        envs.step(action)
    begun = time.perf_counter()
    count = 0
    while time.perf_counter() - begun < 0.5:
        envs.step(chosen[count % 4])
        count += 1
    return n * count / (time.perf_counter() - begun)


def refused(mismatch: Mismatch) -> ConversionError:
    """Return the error that says where the definition and the original differ."""
    return ConversionError(
        Refusal(
            "",
            0,
            "",
            "the proof",
            f"the definition does not do what the class does: {mismatch}",
            "Look at the lines that compute it; the definition is in the file that was written.",
        )
    )
