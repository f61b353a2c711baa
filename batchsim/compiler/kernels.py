"""The tile loops: what happens to rows [lo, hi) in one task, written once for every environment.

The loops are plain Python with free names; `compile.py` binds them to an environment's functions
and either compiles them with Numba or runs them as they stand:

- `view(table, lo, hi)`: the columns of rows [lo, hi) as a `Tile`; `part_view(table, lo, hi)`: those
  that parts see;
- `reset`, `step`, `observe`, `inform`: the environment's own functions; of one whose rows do a
  part of a step together, `step` is its `finish`, `begin` and `together` come before, and `LANES`
  is how many rows that are;
- `parameters_at(tile, i)`: the parameters of row i; `reset_parameters_at(tile, i, options_row)`: as
  its reset sees them, with the options that a row was given, or the defaults for row -1;
- `observation_at(table, lo, hi, frames, place)`, `info_at(table, lo, hi, frames, place)`: arrays
  that are written, one row a frame; `OBSERVED`, what `observe` writes, `INFO`, `FINAL_INFO`,
  `OBSERVATION` and `FINAL_OBSERVATION`: where the table says which;
- `stack_at(table, lo, hi, frames, place)`: the arrays of stacked frames, one row an environment;
- `row_views(nested, i)`: row i of each array of a nested tuple;
- `state_at(state, i)`: the columns as the functions of row i see them;
- `chosen(choice, i)`: the action of row i;
- `outcome(returned)`: reward, terminated and truncated, of what `step` returned;
- `clear_rows(nested)`: zeros in each array of a nested tuple;
- `copy_rows(source, target)`: each array of a nested tuple into that of another;
- `copy_row(source, j, target, k)`: row j of each array of a nested tuple into row k of another's;
- `fetch_row(nested, i)`: starts to bring row i of each array into the cache;
- `flag_bits(flags, k)`: flags 64 k to 64 k + 63 as the bits of one word; `lowest_bit(word)`: the
  number of its lowest bit that is set; `without_lowest_bit(word)`;
- `observe_all`, `observe_listed`: draw the new frames of all rows, or of those listed, and write
  what they observe, the new frame or, with stacking, their last ones; `observe_again` draws those
  that are listed and writes all;
- `add_rewards`, `start_episodes`, `report_episodes`: the episode statistics, or functions that do
  nothing;
- `MARKS`: whether to note which row is at work, as in the checked mode, whose tiles begin at row 0;
- `HAS_OPTIONS`: whether there are reset options;
- `FRAMES`: how many frames are stacked, 1 without stacking;
- `ACTION`: the bounds of the action space.

A kernel consists of parts that are compiled by themselves, and kept on disk by themselves: the
loops around each of an environment's functions, and those over its actions and observations, which
all autoreset modes share, with statistics or without, with frames stacked or not; and `run_task`,
which calls them. It has none of an environment's functions in it and sees none of its arrays, so
nearly all environments share it.

Rows of a tile are numbered from zero, so that the loop index is visibly not negative: only then
does LLVM leave out Python's wrap-around of negative indices and turn the loop into vector
instructions. Work is split into several short loops for the same reason: a loop with a rare branch
in it is not vectorised.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

CHECK_ACTIONS = 0
STEP = 1
RESET = 2
"""The tasks of a kernel, its second argument."""


PARTS = (
    *("check_actions", "advance_rows", "restart_rows", "observe_rows", "inform_rows"),
    *("keep_observations", "stack_rows"),
)
"""The parts of a kernel, by the names that they are called by."""
PLACES = ("OBSERVED", "INFO", "FINAL_INFO", "OBSERVATION", "FINAL_OBSERVATION")
"""What places in the table are called by."""
BEFORE_TABLE = (*PARTS, "reports", *PLACES)
"""What the driver's table has before its first array, from there backwards: the addresses of the
parts, where the arrays behind `Tile.common` begin, and where those that parts write into.
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
    environment share what is compiled of its functions. `run_task` sees the first and the last, and
    finds in the table where the last begins: so environments share it.
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


def count_step(tile, i, limit):
    """Count the step of row i, truncate its episode at the time limit, and note if it is over."""
    # Sums of narrow integers are wide in compiled code; comparisons would be, too.
    elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    truncated = tile.truncated[i] | (elapsed >= limit)
    tile.elapsed[i] = elapsed
    tile.truncated[i] = truncated
    tile.pending[i] = tile.terminated[i] | truncated


def restart(tile, i, options_row):
    """Start an episode in row i, with the reset options of a row, or the defaults if it is -1."""
    if MARKS:
        tile.settings.row[0] = i
    p = reset_parameters_at(tile, i, options_row)
    reset(state_at(tile.state, i), i, p, tile.rng)
    tile.pending[i] = False


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


def keep_first_frame(frames, elapsed):
    """Where an episode begins, make all frames of a row the one that was observed."""
    if elapsed == 0:
        for k in range(1, FRAMES):
            copy_row(frames, 0, frames, k)


def stack_frames(frames, elapsed, stack):
    """Write the frames of a row into its observation, the oldest first."""
    frame = int(elapsed) % FRAMES
    for k in range(FRAMES):
        # After the newest comes the oldest.
        frame = frame + 1 if frame + 1 < FRAMES else 0
        copy_row(frames, frame, stack, k)


def listed_row(tile, k):
    """Return the number of the k-th row that is listed, in 64 bits as others are: what the
    environment's functions call is compiled for one type of it.
    """
    return int(tile.finished[k])


# --- Parts: loops over the rows, compiled by themselves -------------------------------------------


def check_discrete(table, lo, hi, _, __, ___):
    """Return 0, or 1 if the action of any row in [lo, hi) is not in the space; write `choice`."""
    tile = part_view(table, lo, hi)
    start = ACTION.start
    last = ACTION.last
    bad = False
    for i in range(tile.action.shape[0]):
        action = tile.action[i]
        bad |= action < start or action > last
        tile.choice[i] = action
    return 1 if bad else 0


def check_box(table, lo, hi, _, __, ___):
    """Return 0, or 1 if any action in rows [lo, hi) is out of bounds or NaN."""
    tile = part_view(table, lo, hi)
    low = ACTION.low
    high = ACTION.high
    bad = False
    for i in range(tile.action.shape[0]):
        for k in range(low.shape[0]):
            # NaN fails both comparisons.
            bad |= not (tile.action[i, k] >= low[k] and tile.action[i, k] <= high[k])
    return 1 if bad else 0


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
    tile = part_view(table, lo, hi)
    if HAS_OPTIONS and with_options != 0:
        for k in range(count):
            i = listed_row(tile, k)
            restart(tile, i, i)
        return 0
    for k in range(count):
        i = listed_row(tile, k)
        restart(tile, i, -1)  # A constant: so are the defaults, then.
        if is_step != 0:
            tile.reward[i] = 0
            tile.terminated[i] = False
            tile.truncated[i] = False
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
            frame = listed_row(tile, k)
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
            i = listed_row(tile, k)
            inform_row(tile, i, row_views(info, i))
    return 0


def keep_observations(table, lo, hi, frames, _, __):
    """Copy what all rows observe to where their last observations are, before some are reset.

    Args:
        table, lo, hi: the tile.
        frames: how many a row has.
    """
    observation = observation_at(table, lo, hi, frames, OBSERVATION)
    copy_rows(observation, observation_at(table, lo, hi, frames, FINAL_OBSERVATION))
    return 0


def stack_rows(table, lo, hi, count, all_rows, _):
    """Write the frames of the first `count` rows that are listed into their observations.

    Args:
        table, lo, hi: the tile.
        count: how many rows have a new frame.
        all_rows: whether to write the frames of all rows.
    """
    tile = part_view(table, lo, hi)
    frames = stack_at(table, lo, hi, 1, OBSERVED)
    stacks = stack_at(table, lo, hi, 1, OBSERVATION)
    for k in range(count):
        i = listed_row(tile, k)
        keep_first_frame(row_views(frames, i), tile.elapsed[i])
    for k in range(tile.elapsed.shape[0] if all_rows != 0 else count):
        i = k if all_rows != 0 else listed_row(tile, k)
        stack_frames(row_views(frames, i), tile.elapsed[i], row_views(stacks, i))
    return 0


def skip_rows(table, lo, hi, _, __, ___):
    """In place of a part that there is nothing to do for, as of an environment without infos."""
    return 0


# --- Lists of rows --------------------------------------------------------------------------------


def list_flagged(tile, flags):
    """Write the numbers of the rows with a flag into `tile.finished`; return how many there are."""
    rows = flags.shape[0]
    count = 0
    # A row at a time costs more than most environments' dynamics; few rows are over.
    for word in range(rows // 64):
        bits = flag_bits(flags, word)
        while bits != 0:
            i = 64 * word + lowest_bit(bits)
            tile.finished[count] = i
            count += 1
            # Of many environments the random streams are far away, and seldom used.
            fetch_row(tile.rng, i)
            bits = without_lowest_bit(bits)
    for i in range(rows // 64 * 64, rows):
        # No branch: which rows are finished is random, and a wrong guess costs more than the store.
        tile.finished[count] = i
        count += flags[i]
    return count


def count_pending(tile):
    """Return how many rows are over."""
    count = 0
    for i in range(tile.pending.shape[0]):
        count += tile.pending[i]
    return count


def count_steps(tile):
    """`count_step` of all rows; the flags of those that are about to be reset are of no use."""
    limit = tile.elapsed.dtype.type(tile.settings.time_limit[0])
    for i in range(tile.pending.shape[0]):
        count_step(tile, i, limit)


def start_counts(tile, count, first):
    """Count the steps of the first `count` rows that are listed from `first` on."""
    for k in range(count):
        tile.elapsed[tile.finished[k]] = first


# --- Steps ----------------------------------------------------------------------------------------


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
    inform_rows(table, lo, hi, -1, INFO, 0)
    return count_pending(tile)


def step_same_step(table, lo, hi):
    """One step with `AutoresetMode.SAME_STEP`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    advance_rows(table, lo, hi, 1, 0, 0)
    count_steps(tile)
    add_rewards(tile)
    report_episodes(tile)
    observe_all(table, lo, hi, tile)
    keep_observations(table, lo, hi, FRAMES, 0, 0)
    inform_rows(table, lo, hi, -1, INFO, 0)
    count = list_flagged(tile, tile.pending)
    inform_rows(table, lo, hi, count, FINAL_INFO, 1)
    restart_rows(table, lo, hi, count, 0, 0)
    start_counts(tile, count, 0)
    start_episodes(tile, count)
    observe_listed(table, lo, hi, tile, count)
    inform_rows(table, lo, hi, count, INFO, 0)
    return count


def step_disabled(table, lo, hi):
    """One step with `AutoresetMode.DISABLED`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    advance_rows(table, lo, hi, 1, 0, 0)
    count_steps(tile)
    add_rewards(tile)
    report_episodes(tile)
    observe_all(table, lo, hi, tile)
    inform_rows(table, lo, hi, -1, INFO, 0)
    return count_pending(tile)


def reset_selected(table, lo, hi):
    """Start new episodes in the selected rows, with the options' values; observe all rows."""
    tile = view(table, lo, hi)
    count = list_flagged(tile, tile.selected)
    restart_rows(table, lo, hi, count, 0, 1)
    start_counts(tile, count, 0)
    start_episodes(tile, count)
    observe_again(table, lo, hi, tile, count)
    inform_rows(table, lo, hi, count, INFO, 1)
    return 0


# --- Observations ---------------------------------------------------------------------------------


def observe_plain(table, lo, hi, tile):
    """`observe_all` without stacking."""
    observe_rows(table, lo, hi, -1, 1, OBSERVED)


def observe_plain_listed(table, lo, hi, tile, count):
    """`observe_listed` without stacking."""
    observe_rows(table, lo, hi, count, 1, OBSERVED)


def observe_plain_again(table, lo, hi, tile, count):
    """`observe_again` without stacking."""
    observe_rows(table, lo, hi, -1, 1, OBSERVED)


def observe_frames(table, lo, hi, tile):
    """`observe_all` with stacking."""
    rows = tile.finished.shape[0]
    for i in range(rows):
        tile.finished[i] = i
    observe_frames_listed(table, lo, hi, tile, rows)


def observe_frames_listed(table, lo, hi, tile, count):
    """`observe_listed` with stacking: in place of the oldest frame, or of all where an episode
    begins.
    """
    observe_newest(table, lo, hi, tile, count)
    stack_rows(table, lo, hi, count, 0, 0)


def observe_frames_again(table, lo, hi, tile, count):
    """`observe_again` with stacking."""
    observe_newest(table, lo, hi, tile, count)
    stack_rows(table, lo, hi, count, 1, 0)


def observe_newest(table, lo, hi, tile, count):
    """Observe the newest frames of the first `count` rows that are listed."""
    for k in range(count):
        i = int(tile.finished[k])
        tile.finished[k] = i * FRAMES + int(tile.elapsed[i]) % FRAMES
    observe_rows(table, lo, hi, count, FRAMES, OBSERVED)
    for k in range(count):
        tile.finished[k] //= FRAMES


def no_info(s, i, p, out):
    """`inform` of an environment without infos."""


# --- Statistics -----------------------------------------------------------------------------------


def keep_rewards(tile):
    """`add_rewards` with statistics: the undiscounted returns so far."""
    for i in range(tile.reward.shape[0]):
        tile.episode.total[i] += tile.reward[i]


def keep_starts(tile, count):
    """`start_episodes` with statistics."""
    for k in range(count):
        i = tile.finished[k]
        tile.episode.total[i] = 0
        tile.episode.started[i] = tile.settings.now[0]


def keep_episodes(tile):
    """`report_episodes` with statistics: return, length and duration of the finished rows, else
    0.
    """
    now = tile.settings.now[0]
    for i in range(tile.pending.shape[0]):
        over = tile.pending[i]
        tile.episode.returns[i] = tile.episode.total[i] if over else 0.0
        tile.episode.lengths[i] = tile.elapsed[i] if over else 0
        tile.episode.durations[i] = now - tile.episode.started[i] if over else 0.0


def skip_all(tile):
    """`add_rewards` and `report_episodes` without statistics."""


def skip_listed(tile, count):
    """`start_episodes` without statistics."""


def run_task(table, task, lo, hi):
    """The kernel: run `task` on rows [lo, hi)."""
    if task == STEP:
        return step_rows(table, lo, hi)
    if task == RESET:
        return reset_selected(table, lo, hi)
    return check_actions(table, lo, hi, 0, 0, 0)
