"""The checks that come before any timing: each rung against the per-object environments."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.vector import SyncVectorEnv

from batchsim.ladder.kind import Kind
from batchsim.ladder.rung import Array, Make, Verdict

__all__ = [
    "SEED",
    "draw_actions",
    "draw_from",
    "observation_bytes",
    "oracle",
    "same_bits",
    "within_tolerance",
]

SEED = 12345
MAX_FLAG_DIFFERENCES = 1e-4
"""Share of steps in which a state within rounding of a threshold may fall on its other side."""
MAX_PIXEL_DIFFERENCES = 0.01
"""Share of the numbers in pictures, in `fast` precision. Each is a colour of a texture: from a pose
rounded to float32, a pixel may show the next texel or the wall behind an edge, which has another
colour altogether. So it counts how many are others, not by how much."""
ENDS = ("reward", "terminated", "truncated")
"""What a step returns behind the observations."""


class Trajectory(NamedTuple):
    """What a batch returns from its reset on."""

    actions: list[Array]
    outputs: list[list[Array]]
    digest: str


def draw_actions(kind: Kind, num_envs: int, count: int) -> list[Array]:
    """Return `count` batches of random actions, the same for every caller."""
    return draw_from(kind.spaces[1], num_envs, count)


def observation_bytes(kind: Kind) -> int:
    """Return how much memory one observation takes."""
    return sum(array.nbytes for array in _arrays(kind.spaces[0].sample()))


def draw_from(single_space: gymnasium.Space[Any], num_envs: int, count: int) -> list[Array]:
    """Return `count` batches of random actions of one environment's action space."""
    space = gymnasium.vector.utils.batch_space(single_space, num_envs)
    space.seed(SEED)
    return [space.sample() for _ in range(count)]


def oracle(kind: Kind, rows: int, steps: int) -> Trajectory:
    """Return the trajectory of per-object environments in Gymnasium's `SyncVectorEnv`, which all
    rungs are compared with. It is kept by the kind.
    """
    if (rows, steps) not in kind.trajectories:
        kind.trajectories[rows, steps] = _step_originals(kind, rows, steps)
    found: Trajectory = kind.trajectories[rows, steps]
    return found


def _step_originals(kind: Kind, rows: int, steps: int) -> Trajectory:
    actions = draw_actions(kind, rows, steps)
    batch = SyncVectorEnv([kind.original.make] * rows)
    digest = hashlib.sha256()
    outputs = [_arrays((batch.reset(seed=SEED)[0],))]
    outputs.extend(_arrays(batch.step(action)[:4]) for action in actions)
    batch.close()
    for arrays in outputs:
        _add(digest, arrays)
    return Trajectory(actions, outputs, digest.hexdigest())


def same_bits(make: Make, kind: Kind, rows: int, steps: int) -> Verdict:
    """Compare every bit of a trajectory from the same seeds and actions."""
    expected = oracle(kind, rows, steps)
    digest = hashlib.sha256()
    batch = make(kind, rows)
    try:
        found = _arrays((batch.reset(seed=SEED)[0],))
        for step, arrays in enumerate(expected.outputs):
            if step > 0:
                found = _arrays(batch.step(expected.actions[step - 1])[:4])
            difference = _difference(found, arrays, ENDS if step > 0 else ())
            if difference:
                return Verdict(False, f"step {step}: {difference}")
            _add(digest, found)
    finally:
        batch.close()
    return Verdict(True, f"same bits over {steps:,} steps of {rows} rows", digest.hexdigest())


def _arrays(step: Any) -> list[Array]:
    """Return the arrays of a step, those of Dict and Tuple observations one by one.

    A text becomes an array of strings.
    """
    if isinstance(step, Mapping):
        return [array for part in step.values() for array in _arrays(part)]
    if isinstance(step, str) or (isinstance(step, tuple) and step and isinstance(step[0], str)):
        return [np.array(step)]
    if isinstance(step, tuple):
        return [array for part in step for array in _arrays(part)]
    return [step]


def _add(digest: Any, arrays: list[Array]) -> None:
    for array in arrays:
        digest.update(array.dtype.str.encode())
        digest.update(array.tobytes())


def _difference(found: list[Array], expected: list[Array], others: Sequence[str]) -> str | None:
    """Say where the arrays of observations, and of the `others` behind them, differ first."""
    for name, left, right in zip(_names(found, others), found, expected, strict=True):
        if _is_text(left) and _is_text(right):
            wide = np.result_type(left, right)  # Each is as wide as its longest string.
            left, right = left.astype(wide), right.astype(wide)
        if left.dtype != right.dtype or left.shape != right.shape:
            return f"the {name} is {left.dtype} {left.shape}; expected {right.dtype} {right.shape}"
        if left.tobytes() != right.tobytes():
            row = next(k for k in range(len(left)) if left[k].tobytes() != right[k].tobytes())
            if _is_pictures(right):
                count = int((left[row] != right[row]).sum())
                return f"{count:,} of {left[row].size:,} numbers in the picture of row {row} differ"
            return f"the {name} of row {row} is {left[row]}; expected {right[row]}"
    return None


def _names(arrays: list[Array], others: Sequence[str]) -> list[str]:
    return ["observation"] * (len(arrays) - len(others)) + list(others)


def within_tolerance(make: Make, kind: Kind, rows: int, steps: int) -> Verdict:
    """Compare steps of a `BatchEnv` in `fast` precision with `exact` ones from the same state.

    The exact batch visits the states. Before each step both are put into its state, rounded to what
    the fast one can hold. No number may be further off than the definition's tolerance, absolute
    below 1 and relative above, but in the share of rows that it states. Of pictures
    `MAX_PIXEL_DIFFERENCES` may differ, and of rows whose episodes end or whose texts are others
    `MAX_FLAG_DIFFERENCES`.
    """
    from batchsim.batch.vector import BatchEnv

    exact = kind.make_vec(rows)
    fast = make(kind, rows)
    assert isinstance(fast, BatchEnv)
    tolerance, rare = exact.definition.fast_tolerance
    worst = 0.0
    flags = pixels = seen = apart = 0
    first = zip(_arrays(fast.reset(seed=SEED)[0]), _arrays(exact.reset(seed=SEED)[0]), strict=True)
    for left, right in first:
        if not _is_pictures(right) and not _is_text(right):
            worst = max(worst, float(_distances(left, right).max()))
    try:
        for step, actions in enumerate(draw_actions(kind, rows, steps), start=1):
            _copy_state(exact, fast)
            expected = _arrays(exact.step(actions)[:4])
            found = _arrays(fast.step(actions)[:4])
            same = (found[-2] == expected[-2]) & (found[-1] == expected[-1])
            for left, right in zip(found, expected, strict=True):
                if _is_text(right):
                    same &= left == right
            flags += rows - int(same.sum())
            are_near = np.ones(rows, bool)
            for name, left, right in list(zip(_names(found, ENDS), found, expected, strict=True))[
                :-2
            ]:
                if _is_pictures(right):
                    pixels += int((left != right).sum())
                    seen += right.size
                    continue
                if _is_text(right):
                    continue
                distances = _distances(left, right)
                are_near &= distances <= tolerance
                if not (rare or are_near.all()):
                    wrong = distances.max()
                    return Verdict(False, f"step {step}: the {name} is off by {wrong:.1e}")
                worst = max(worst, float(distances[are_near].max(initial=0.0)))
            apart += rows - int(are_near.sum())
    finally:
        exact.close()
        fast.close()
    if flags > MAX_FLAG_DIFFERENCES * rows * steps:
        return Verdict(
            False, f"{flags:,} of {rows * steps:,} steps end an episode or tell a text otherwise"
        )
    if apart > rare * rows * steps:
        return Verdict(
            False, f"{apart:,} of {rows * steps:,} steps are off by more than {tolerance:.0e}"
        )
    detail = f"one step within {worst:.1e} of exact in {rows * steps:,} states"
    if rare:
        detail += f" but {apart:,}, of which {rare:.1%} may be further off"
    detail += f"; {tolerance:.0e} is allowed"
    if seen:
        share = pixels / seen
        pictures = f"{share:.4%} of the numbers in pictures differ from exact ones"
        if share > MAX_PIXEL_DIFFERENCES:
            return Verdict(False, pictures)
        # Before the rest, which the report goes on from.
        detail = f"{pictures}, of which {MAX_PIXEL_DIFFERENCES:.0%} may; else {detail}"
    return Verdict(True, detail)


def _is_pictures(array: Array) -> bool:
    """Tell whether a part of a batch of observations is pictures: bytes in rows and columns."""
    return array.dtype == np.uint8 and array.ndim >= 3


def _is_text(array: Array) -> bool:
    return array.dtype.kind == "U"


def _copy_state(exact: Any, fast: Any) -> None:
    for source, target in zip(exact._tile.state, fast._tile.state, strict=True):
        target[:] = source
        source[:] = target
    for name in ("elapsed", "pending"):
        getattr(fast._tile, name)[:] = getattr(exact._tile, name)
    for source, target in zip(exact._tile.rng, fast._tile.rng, strict=True):
        target[:] = source


def _distances(found: Array, expected: Array) -> Array:
    """Return the largest error of each row."""
    exact = expected.astype(np.float64)
    errors = np.abs(found - exact) / np.maximum(1.0, np.abs(exact))
    furthest: Array = errors.reshape(len(errors), -1).max(axis=1)
    return furthest
