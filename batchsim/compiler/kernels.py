"""What happens to rows [lo, hi) in one task: the loops around an environment's functions, written
once for every environment, and the tasks that run them.

The loops are plain Python with free names; `compile.py` binds them to an environment's functions
and either compiles them with Numba or runs them as they stand:

- `view(table, lo, hi)`: the columns of rows [lo, hi) as a `Tile`; `part_view(table, lo, hi)`: those
  that a part sees;
- `reset`, `step`, `observe`, `inform`: the environment's own functions; of one whose rows do a
  part of a step together, `step` is its `finish`, `begin` and `together` come before, and `LANES`
  is how many rows that are;
- `parameters_at(tile, i)`: the parameters of row i; `reset_parameters_at(tile, i, options_row)`: as
  its reset sees them, with the options that a row was given, or the defaults for row -1;
- `observation_at(table, lo, hi, frames, place)`, `info_at(table, lo, hi, frames, place)`: arrays
  that are written, one row a frame, where `place` says;
- `row_views(nested, i)`: row i of each array of a nested tuple;
- `state_at(state, i)`: the columns as the functions of row i see them;
- `chosen(choice, i)`: the action of row i;
- `outcome(returned)`: reward, terminated and truncated, of what `step` returned;
- `clear_rows(nested)`: zeros in each array of a nested tuple;
- `MARKS`: whether to note which row is at work, as in the checked mode, whose tiles begin at row 0.

A kernel consists of parts that are compiled by themselves, and kept on disk by themselves: the
loops around each of an environment's functions, which all autoreset modes share, with statistics or
without, with frames stacked or not. What calls them is the same for all environments, and is built
with the package: `_loops.hpp`. The reference backend does the same with the tasks at the end of
this file.

Rows of a tile are numbered from zero, so that the loop index is visibly not negative: only then
does LLVM leave out Python's wrap-around of negative indices and turn the loop into vector
instructions. Work is split into several short loops for the same reason: a loop with a rare branch
in it is not vectorised. Numbers of listed rows are made as wide as others are (`int`), so that an
environment's functions are compiled for one type of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

CHECK_ACTIONS = 0
STEP = 1
RESET = 2
"""The tasks of a kernel, its second argument."""


PARTS = ("advance_rows", "restart_rows", "observe_rows", "inform_rows")
"""The parts of a kernel, by the names that they are called by."""
BEFORE_TABLE = ("loops",)
"""What the driver's table has before its first array: where the words are that describe a batch to
_loops.hpp.
"""


class Settings(NamedTuple):
    """Values that all rows share, most in arrays of one element; a view does not slice them."""

    time_limit: Any
    """Steps after which an episode is truncated (int64)."""
    now: Any
    """Clock at the start of the step in seconds (float64)."""
    row: Any
    """The row at work, in the checked mode (int64)."""
    table_lengths: Any
    """Of each table (int64), so that one kernel serves tables of all lengths."""


class Episode(NamedTuple):
    """Statistics of the running episode of each row, and what is reported of finished ones."""

    total: Any
    started: Any
    returns: Any
    lengths: Any
    durations: Any


class Tile(NamedTuple):
    """Every array that a kernel reads or writes, one row an environment.

    The order of the arrays, nested ones included, is the order of the driver's table of pointers.
    First comes what every environment has; then what is an environment's own, from `state` to
    `common`; last what batches of one environment differ in. The parts of a kernel see the first
    two, and of parameters, options and tables those that their code names: so batches of an
    environment share what is compiled of its functions.
    """

    rng: Any
    pending: Any
    """The row's episode is over and it has not been reset (bool)."""
    finished: Any
    """Scratch: numbers of rows found by a scan, for a while those of their frames (int32)."""
    selected: Any
    """The rows that `RESET` resets (bool)."""
    settings: Any
    reward: Any
    terminated: Any
    truncated: Any
    action: Any
    """What callers pass: (N,) for a `Discrete` space, else flattened to (N, elements)."""
    choice: Any
    """What `step` gets as its action: for a `Discrete` space the actions as the check wrote them
    down, in int32, of which twice as many fit into a vector as of the callers' int64; for others
    the memory of `action`, in the space's shape.
    """
    elapsed: Any
    """Steps since the start of the episode (the narrowest integers that hold the time limit)."""
    state: Any
    options: Any
    tables: Any
    """Arrays that all rows share; a view does not slice them."""
    parameters: Any
    """Those that differ from row to row."""
    common: Any
    """Those that are not the defaults, which are compiled in: arrays of one row, for all rows of
    the batch. So one kernel serves all values. A view does not slice them.
    """
    episode: Any
    info: Any
    """A namedtuple of arrays (N, …), empty if the environment has no infos."""
    final_info: Any
    frames: Any
    """With stacking the last frames of each row, nested as an observation, arrays (N, FRAMES, …),
    else empty: that of an episode's step t is the one numbered t modulo FRAMES.
    """
    observation: Any
    """An array (N, …), or a nested tuple of them; every row is an array."""
    final_observation: Any


class DiscreteBounds(NamedTuple):
    """Actions of a `Discrete` space: start <= action < start + n."""

    start: Any
    last: Any


class BoxBounds(NamedTuple):
    """Actions of several elements: low <= action <= high, arrays (elements,)."""

    low: Any
    high: Any


# --- A row ----------------------------------------------------------------------------------------


def number_chosen(choice, i):
    """Return the action of row i, a whole number, as wide as callers pass it: so sums of it are."""
    return np.int64(choice[i])


def elements_chosen(choice, i):
    """Return the action of row i, an array."""
    return choice[i]


def advance(tile, i):
    """Step row i."""
    if MARKS:
        tile.settings.row[0] = i
    p = parameters_at(tile, i)
    returned = step(state_at(tile.state, i), i, chosen(tile.choice, i), p, tile.rng)
    reward, terminated, truncated = outcome(returned)
    tile.reward[i] = reward
    tile.terminated[i] = terminated
    tile.truncated[i] = truncated


def start(tile, i):
    """Begin the step of row i, which `advance` finishes."""
    if MARKS:
        tile.settings.row[0] = i
    begin(state_at(tile.state, i), i, chosen(tile.choice, i), parameters_at(tile, i), tile.rng)


def restart(tile, i, options_row):
    """Start an episode in row i, with the reset options of a row, or the defaults if it is -1."""
    if MARKS:
        tile.settings.row[0] = i
    p = reset_parameters_at(tile, i, options_row)
    reset(state_at(tile.state, i), i, p, tile.rng)
    tile.pending[i] = False


def restart_listed(tile, count, is_step):
    """Start episodes in the first `count` rows that are listed, with the defaults of options."""
    for k in range(count):
        i = int(tile.finished[k])
        restart(tile, i, -1)  # A constant: so are the defaults, then.
        if is_step != 0:
            tile.reward[i] = 0
            tile.terminated[i] = False
            tile.truncated[i] = False


def observe_row(tile, i, out):
    """Write the observation of row i into `out`."""
    if MARKS:
        tile.settings.row[0] = i
    observe(state_at(tile.state, i), i, parameters_at(tile, i), out)


def inform_row(tile, i, out):
    """Write the infos of row i into `out`."""
    if MARKS:
        tile.settings.row[0] = i
    inform(state_at(tile.state, i), i, parameters_at(tile, i), out)


# --- Parts: loops over the rows, compiled by themselves -------------------------------------------


def advance_rows(table, lo, hi, all_rows, _, __):
    """Step the rows.

    Those that are over are stepped as well, and then overwritten by their reset: the loop has no
    branch.
    """
    tile = part_view(table, lo, hi)
    for i in range(tile.reward.shape[0]):
        advance(tile, i)
    return 0


def advance_rows_guarded(table, lo, hi, all_rows, _, __):
    """Step the rows, those that are over only if `all_rows` is not 0: it could do harm."""
    tile = part_view(table, lo, hi)
    for i in range(tile.reward.shape[0]):
        if all_rows != 0 or not tile.pending[i]:
            advance(tile, i)
    return 0


def advance_rows_together(table, lo, hi, all_rows, _, __):
    """Step the rows, `LANES` at a time: each begins, what they do together, each finishes.

    Those that are over are stepped only if `all_rows` is 1. Of that and the row's flag one
    comparison is made: of two, LLVM makes two loops, with all of the step in each.
    """
    tile = part_view(table, lo, hi)
    count = tile.reward.shape[0]
    for group in range((count + LANES - 1) // LANES):
        first = group * LANES
        last = min(first + LANES, count)
        for i in range(first, last):
            if tile.pending[i] <= all_rows:
                start(tile, i)
        together(state_at(tile.state, first), first, last)
        for i in range(first, last):
            if tile.pending[i] <= all_rows:
                advance(tile, i)
    return 0


def restart_rows(table, lo, hi, count, is_step, with_options):
    """Start episodes in the first `count` rows that are listed in `finished`.

    Args:
        table, lo, hi: the tile.
        count: how many rows.
        is_step: whether this is all that the rows do in a step, so that they are given no reward.
        with_options: whether the options are those of the reset, or else the defaults.
    """
    restart_listed(part_view(table, lo, hi), count, is_step)
    return 0


def restart_rows_with_options(table, lo, hi, count, is_step, with_options):
    """`restart_rows` of an environment that has reset options."""
    tile = part_view(table, lo, hi)
    if with_options == 0:
        restart_listed(tile, count, is_step)
        return 0
    for k in range(count):
        i = int(tile.finished[k])
        restart(tile, i, i)
    return 0


def observe_rows(table, lo, hi, count, frames, place):
    """Observe the first `count` frames that are listed in `finished`, or all if it is negative.

    Args:
        table, lo, hi: the tile.
        count: how many frames; they are numbered through all rows.
        frames: how many a row has.
        place: where the table says which arrays are written.
    """
    tile = part_view(table, lo, hi)
    observation = observation_at(table, lo, hi, frames, place)
    if count < 0:
        for i in range(tile.reward.shape[0]):
            observe_row(tile, i, row_views(observation, i))
    else:
        for k in range(count):
            frame = int(tile.finished[k])
            i = frame // frames if frames > 1 else frame
            observe_row(tile, i, row_views(observation, frame))
    return 0


def inform_rows(table, lo, hi, count, place, clears):
    """Write the infos of the first `count` listed rows, or of all rows if it is negative.

    Args:
        table, lo, hi: the tile.
        count: how many rows.
        place: where the table says which arrays are written.
        clears: whether the infos of the others are to be zeros, or else stay.
    """
    tile = part_view(table, lo, hi)
    info = info_at(table, lo, hi, 1, place)
    if clears != 0:
        clear_rows(info)
    if count < 0:
        for i in range(tile.reward.shape[0]):
            inform_row(tile, i, row_views(info, i))
    else:
        for k in range(count):
            i = int(tile.finished[k])
            inform_row(tile, i, row_views(info, i))
    return 0


# --- Tasks of the reference backend ---------------------------------------------------------------
#
# _loops.hpp does the same for machine code; its functions have these names. Free names more:
#
# - `check_actions`: that of a `Discrete` space or of others; `ACTION`: the bounds of the space;
# - `step_rows`: the step of the autoreset mode;
# - `FRAMES`: how many frames are stacked, 1 without stacking;
# - `OBSERVED`, what `observe` writes, `INFO` and `FINAL_INFO`: places, as parts are given them;
# - `leaves(nested)`: the arrays of a nested tuple.


def check_discrete(tile):
    """Return whether the action of any row is not in the space; write `choice`."""
    tile.choice[:] = tile.action
    return np.any((tile.action < ACTION.start) | (tile.action > ACTION.last))


def check_box(tile):
    """Return whether any action is out of bounds or NaN."""
    return not np.all((tile.action >= ACTION.low) & (tile.action <= ACTION.high))


def list_flagged(tile, flags):
    """Write the numbers of the rows with a flag into `tile.finished`; return how many there are."""
    (rows,) = flags.nonzero()
    tile.finished[: len(rows)] = rows
    return len(rows)


def start_counts(tile, count, first):
    """Count the steps of the first `count` rows that are listed from `first` on."""
    tile.elapsed[tile.finished[:count]] = first


def count_steps(tile):
    """Count the step of each row, truncate episodes at the time limit, and note which are over."""
    tile.elapsed[:] += 1
    tile.truncated[:] |= tile.elapsed >= tile.settings.time_limit[0]
    tile.pending[:] = tile.terminated | tile.truncated


def add_rewards(tile):
    """Add to the undiscounted returns so far, with statistics."""
    if tile.episode:
        tile.episode.total[:] += tile.reward


def start_episodes(tile, count):
    """Begin the statistics of the first `count` rows that are listed."""
    if tile.episode:
        rows = tile.finished[:count]
        tile.episode.total[rows] = 0
        tile.episode.started[rows] = tile.settings.now[0]


def report_episodes(tile):
    """With statistics: return, length and duration of the rows that are over, 0 of others."""
    if tile.episode:
        episode = tile.episode
        episode.returns[:] = np.where(tile.pending, episode.total, 0.0)
        episode.lengths[:] = np.where(tile.pending, tile.elapsed, 0)
        durations = tile.settings.now[0] - episode.started
        episode.durations[:] = np.where(tile.pending, durations, 0.0)


def observe_newest(table, lo, hi, tile, count):
    """Observe the newest frames of the first `count` rows that are listed."""
    rows = tile.finished[:count].copy()
    tile.finished[:count] = rows * FRAMES + tile.elapsed[rows] % FRAMES
    observe_rows(table, lo, hi, count, FRAMES, OBSERVED)
    tile.finished[:count] = rows


def stack(tile, began, stacked):
    """Write the frames of the rows `stacked` into their observations, the oldest first.

    Where an episode begins, all frames of those of the rows `began` are the one that was observed.
    """
    for frames, stacks in zip(leaves(tile.frames), leaves(tile.observation), strict=True):
        for i in began:
            if tile.elapsed[i] == 0:
                frames[i, 1:] = frames[i, 0]
        for i in stacked:
            # After the newest comes the oldest.
            stacks[i] = np.roll(frames[i], -1 - int(tile.elapsed[i]) % FRAMES, 0)


def observe_all(table, lo, hi, tile):
    """Observe all rows."""
    if FRAMES == 1:
        observe_rows(table, lo, hi, -1, 1, OBSERVED)
        return
    tile.finished[:] = np.arange(hi - lo)
    observe_listed(table, lo, hi, tile, hi - lo)


def observe_listed(table, lo, hi, tile, count):
    """Observe the first `count` rows that are listed: with stacking in place of the oldest frame,
    or of all where an episode begins.
    """
    if FRAMES == 1:
        observe_rows(table, lo, hi, count, 1, OBSERVED)
        return
    observe_newest(table, lo, hi, tile, count)
    rows = tile.finished[:count]
    stack(tile, rows, rows)


def keep_observations(tile):
    """Copy what all rows observe to where their last observations are, before some are reset."""
    kept = zip(leaves(tile.observation), leaves(tile.final_observation), strict=True)
    for observation, final in kept:
        final[:] = observation


def inform_some(table, lo, hi, count, place, clears):
    """Write infos, if there are any: as `inform_rows`."""
    if table.info:
        inform_rows(table, lo, hi, count, place, clears)


def step_next_step(table, lo, hi):
    """One step with `AutoresetMode.NEXT_STEP`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    count = list_flagged(tile, tile.pending)
    advance_rows(table, lo, hi, 0, 0, 0)
    start_counts(tile, count, -1)  # This step, in which they are reset, counts as the others do.
    count_steps(tile)
    add_rewards(tile)
    # The rows that were over before this step start anew in it, whatever their action.
    restart_rows(table, lo, hi, count, 1, 0)
    start_episodes(tile, count)
    report_episodes(tile)
    observe_all(table, lo, hi, tile)
    inform_some(table, lo, hi, -1, INFO, 0)
    return np.count_nonzero(tile.pending)


def step_same_step(table, lo, hi):
    """One step with `AutoresetMode.SAME_STEP`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    advance_rows(table, lo, hi, 1, 0, 0)
    count_steps(tile)
    add_rewards(tile)
    report_episodes(tile)
    observe_all(table, lo, hi, tile)
    keep_observations(tile)
    inform_some(table, lo, hi, -1, INFO, 0)
    count = list_flagged(tile, tile.pending)
    inform_some(table, lo, hi, count, FINAL_INFO, 1)
    restart_rows(table, lo, hi, count, 0, 0)
    start_counts(tile, count, 0)
    start_episodes(tile, count)
    observe_listed(table, lo, hi, tile, count)
    inform_some(table, lo, hi, count, INFO, 0)
    return count


def step_disabled(table, lo, hi):
    """One step with `AutoresetMode.DISABLED`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    advance_rows(table, lo, hi, 1, 0, 0)
    count_steps(tile)
    add_rewards(tile)
    report_episodes(tile)
    observe_all(table, lo, hi, tile)
    inform_some(table, lo, hi, -1, INFO, 0)
    return np.count_nonzero(tile.pending)


def reset_selected(table, lo, hi):
    """Start new episodes in the selected rows, with the options' values; observe all rows."""
    tile = view(table, lo, hi)
    count = list_flagged(tile, tile.selected)
    restart_rows(table, lo, hi, count, 0, 1)
    start_counts(tile, count, 0)
    start_episodes(tile, count)
    if FRAMES == 1:
        observe_rows(table, lo, hi, -1, 1, OBSERVED)
    else:
        observe_newest(table, lo, hi, tile, count)
        stack(tile, tile.finished[:count], range(hi - lo))
    inform_some(table, lo, hi, count, INFO, 1)
    return 0


def run_task(table, task, lo, hi):
    """The kernel: run `task` on rows [lo, hi)."""
    if task == STEP:
        return step_rows(table, lo, hi)
    if task == RESET:
        return reset_selected(table, lo, hi)
    return int(check_actions(view(table, lo, hi)))


def no_info(s, i, p, out):
    """`inform` of an environment without infos."""
