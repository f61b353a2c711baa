"""The tile loops: what happens to rows [lo, hi) in one task, written once for every environment.

The loops are plain Python with free names; `compile.py` binds them to an environment's functions
and either compiles them with Numba or runs them as they stand:

- `view(table, lo, hi)`: the columns of rows [lo, hi) as a `Tile`;
- `reset`, `step`, `observe`, `inform`: the environment's own functions;
- `row_parameters(constants, columns, i)`: `constants` with the values that `columns` have in row i;
- `with_tables(parameters, tables)`: `parameters` with the arrays that all rows share;
- `row_views(nested, i)`: row i of each array of a nested tuple;
- `state_at(state, i)`: the columns as the functions of row i see them;
- `outcome(returned)`: reward, terminated and truncated, of what `step` returned;
- `clear_row(nested, i)`: zeros in row i of each array of a nested tuple;
- `copy_row(source, j, target, k)`: row j of each array of a nested tuple into row k of another's;
- `fetch_row(nested, i)`: starts to bring row i of each array into the cache;
- `flag_bits(flags, k)`: flags 64 k to 64 k + 63 as the bits of one word; `lowest_bit(word)`: the
  number of its lowest bit that is set; `without_lowest_bit(word)`;
- `observe_new`, `observe_again`: write what a row observes into an array, its new frame or, with
  stacking, its last ones; `observe_new` alone, once a step, draws the new one among them;
- `draw_frame`: draws the new frame of a row that was reset among its last ones, or does nothing;
- `add_reward`, `start_episode`, `report_episodes`: the episode statistics, or functions that do
  nothing;
- `mark`: notes which row is at work, in the checked mode, or does nothing;
- `PARAMETERS`: the values that are compiled in;
- `FRAMES`: how many frames are stacked;
- `ACTION`: the bounds of the action space.

Rows of a tile are numbered from zero, so that the loop index is visibly not negative: only then
does LLVM leave out Python's wrap-around of negative indices and turn the loop into vector
instructions. Work is split into several short loops for the same reason: a loop with a rare branch
in it is not vectorised.
"""

from __future__ import annotations

from typing import Any, NamedTuple

CHECK_ACTIONS = 0
STEP = 1
RESET = 2
"""The tasks of a kernel, its second argument."""


class Settings(NamedTuple):
    """Values that all rows share, most in arrays of one element; a view does not slice them."""

    time_limit: Any
    """Steps after which an episode is truncated (dtype of `Tile.elapsed`)."""
    now: Any
    """Clock at the start of the step in seconds (float64)."""
    row: Any
    """The row at work, in the checked mode (int64)."""
    lengths: Any
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
    """

    state: Any
    parameters: Any
    """Those that differ from row to row."""
    common: Any
    """Those that are not the defaults, which are compiled in: arrays of one row, for all rows of
    the batch. So one kernel serves all values. A view does not slice them.
    """
    options: Any
    tables: Any
    """Arrays that all rows share; a view does not slice them."""
    rng: Any
    elapsed: Any
    """Steps since the start of the episode (the narrowest integers that hold the time limit)."""
    pending: Any
    """The row's episode is over and it has not been reset (bool)."""
    finished: Any
    """Scratch: numbers of rows found by a scan (int32)."""
    selected: Any
    """The rows that `RESET` resets (bool)."""
    episode: Any
    settings: Any
    action: Any
    """What callers pass: (N,) for a `Discrete` space, else flattened to (N, elements)."""
    choice: Any
    """What `step` gets as its action: for a `Discrete` space the actions as the check wrote them
    down, in int32, of which twice as many fit into a vector as of the callers' int64; for others
    the memory of `action`, in the space's shape.
    """
    frames: Any
    """With stacking the last frames of each row, nested as an observation, arrays (N, FRAMES, …),
    else empty: that of an episode's step t is the one numbered t modulo FRAMES.
    """
    observation: Any
    """An array (N, …), or a nested tuple of them; every row is an array."""
    reward: Any
    terminated: Any
    truncated: Any
    final_observation: Any
    info: Any
    """A namedtuple of arrays (N, …), empty if the environment has no infos."""
    final_info: Any


class DiscreteBounds(NamedTuple):
    """Actions of a `Discrete` space: start <= action < start + n."""

    start: Any
    last: Any


class BoxBounds(NamedTuple):
    """Actions of several elements: low <= action <= high, arrays (elements,)."""

    low: Any
    high: Any


def check_discrete(table, lo, hi):
    """Return 0, or 1 if the action of any row in [lo, hi) is not in the space; write `choice`."""
    tile = view(table, lo, hi)
    start = ACTION.start
    last = ACTION.last
    bad = False
    for i in range(tile.action.shape[0]):
        action = tile.action[i]
        bad |= action < start or action > last
        tile.choice[i] = action
    return 1 if bad else 0


def check_box(table, lo, hi):
    """Return 0, or 1 if any action in rows [lo, hi) is out of bounds or NaN."""
    tile = view(table, lo, hi)
    low = ACTION.low
    high = ACTION.high
    bad = False
    for i in range(tile.action.shape[0]):
        for k in range(low.shape[0]):
            # NaN fails both comparisons.
            bad |= not (tile.action[i, k] >= low[k] and tile.action[i, k] <= high[k])
    return 1 if bad else 0


def parameters_of(tile, i):
    """Return the parameters of row i."""
    same = row_parameters(PARAMETERS, tile.common, 0)
    return with_tables(row_parameters(same, tile.parameters, i), tile.tables)


def advance(tile, i):
    """Step row i, count the step and set its flags."""
    mark(tile, i)
    p = parameters_of(tile, i)
    returned = step(state_at(tile.state, i), i, tile.choice[i], p, tile.rng)
    reward, terminated, truncated = outcome(returned)
    # Sums of narrow integers are wide in compiled code; comparisons would be, too.
    elapsed = tile.elapsed.dtype.type(tile.elapsed[i] + 1)
    truncated |= elapsed >= tile.settings.time_limit[0]
    tile.reward[i] = reward
    tile.elapsed[i] = elapsed
    tile.terminated[i] = terminated
    tile.truncated[i] = truncated
    tile.pending[i] = terminated or truncated
    add_reward(tile, i)


def restart(tile, i):
    """Start a new episode in row i."""
    mark(tile, i)
    reset(state_at(tile.state, i), i, parameters_of(tile, i), tile.rng)
    tile.elapsed[i] = 0
    tile.pending[i] = False
    start_episode(tile, i)


def observe_row(tile, i, observation):
    """Write the observation of row i into its row of `observation`: `observe_new` and
    `observe_again` without stacking.
    """
    mark(tile, i)
    observe(state_at(tile.state, i), i, parameters_of(tile, i), row_views(observation, i))


def inform_row(tile, i, info):
    """Write the infos of row i into its row of `info`."""
    mark(tile, i)
    inform(state_at(tile.state, i), i, parameters_of(tile, i), row_views(info, i))


def list_pending(tile):
    """Write the numbers of the pending rows into `tile.finished`; return how many there are."""
    rows = tile.pending.shape[0]
    count = 0
    # A row at a time costs more than most environments' dynamics; few rows are over.
    for word in range(rows // 64):
        bits = flag_bits(tile.pending, word)
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
        count += tile.pending[i]
    return count


def count_pending(tile):
    """Return how many rows are over."""
    count = 0
    for i in range(tile.pending.shape[0]):
        count += tile.pending[i]
    return count


def restart_listed(tile, count):
    """NEXT_STEP: the rows that were over before this step start anew in it, whatever their
    action.
    """
    for k in range(count):
        i = tile.finished[k]
        restart(tile, i)
        tile.reward[i] = 0
        tile.terminated[i] = False
        tile.truncated[i] = False


def step_next_step(table, lo, hi):
    """One step with `AutoresetMode.NEXT_STEP`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    count = list_pending(tile)
    # Rows that are over are stepped as well and then overwritten by their reset: the loop has no
    # branch. Environments whose `step` could do harm there run `step_next_step_guarded` instead.
    for i in range(tile.reward.shape[0]):
        advance(tile, i)
    restart_listed(tile, count)
    report_episodes(tile)
    for i in range(tile.reward.shape[0]):
        observe_new(tile, i, tile.observation)
    for i in range(tile.reward.shape[0]):
        inform_row(tile, i, tile.info)
    return count_pending(tile)


def step_next_step_guarded(table, lo, hi):
    """As `step_next_step`, but a row whose episode is over is not stepped."""
    tile = view(table, lo, hi)
    count = list_pending(tile)
    for i in range(tile.reward.shape[0]):
        if not tile.pending[i]:
            advance(tile, i)
    restart_listed(tile, count)
    report_episodes(tile)
    for i in range(tile.reward.shape[0]):
        observe_new(tile, i, tile.observation)
    for i in range(tile.reward.shape[0]):
        inform_row(tile, i, tile.info)
    return count_pending(tile)


def step_same_step(table, lo, hi):
    """One step with `AutoresetMode.SAME_STEP`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    for i in range(tile.reward.shape[0]):
        advance(tile, i)
    report_episodes(tile)
    for i in range(tile.reward.shape[0]):
        observe_new(tile, i, tile.final_observation)
    for i in range(tile.reward.shape[0]):
        observe_again(tile, i, tile.observation)
    for i in range(tile.reward.shape[0]):
        inform_row(tile, i, tile.info)
        clear_row(tile.final_info, i)
    count = list_pending(tile)
    for k in range(count):
        i = tile.finished[k]
        inform_row(tile, i, tile.final_info)
        restart(tile, i)
        observe_new(tile, i, tile.observation)
        inform_row(tile, i, tile.info)
    return count


def step_disabled(table, lo, hi):
    """One step with `AutoresetMode.DISABLED`; returns how many episodes ended in it."""
    tile = view(table, lo, hi)
    for i in range(tile.reward.shape[0]):
        advance(tile, i)
    report_episodes(tile)
    for i in range(tile.reward.shape[0]):
        observe_new(tile, i, tile.observation)
    for i in range(tile.reward.shape[0]):
        inform_row(tile, i, tile.info)
    return count_pending(tile)


def reset_selected(table, lo, hi):
    """Start new episodes in the selected rows, with the options' values; observe all rows."""
    tile = view(table, lo, hi)
    for i in range(tile.selected.shape[0]):
        if tile.selected[i]:
            mark(tile, i)
            reset(
                state_at(tile.state, i),
                i,
                row_parameters(parameters_of(tile, i), tile.options, i),
                tile.rng,
            )
            tile.elapsed[i] = 0
            tile.pending[i] = False
            start_episode(tile, i)
            draw_frame(tile, i)
            inform_row(tile, i, tile.info)
        else:
            clear_row(tile.info, i)
        observe_again(tile, i, tile.observation)
    return 0


def no_info(s, i, p, out):
    """`inform` of an environment without infos."""


def keep_frame(tile, i):
    """`draw_frame` with stacking: in place of the oldest one, or of all where an episode begins."""
    mark(tile, i)
    frames = row_views(tile.frames, i)
    newest = int(tile.elapsed[i]) % FRAMES
    observe(state_at(tile.state, i), i, parameters_of(tile, i), row_views(frames, newest))
    if tile.elapsed[i] == 0:
        for k in range(1, FRAMES):
            copy_row(frames, 0, frames, k)


def copy_frames(tile, i, observation):
    """`observe_again` with stacking: the frames of row i, the oldest first."""
    frames = row_views(tile.frames, i)
    stack = row_views(observation, i)
    frame = int(tile.elapsed[i]) % FRAMES
    for k in range(FRAMES):
        # After the newest comes the oldest.
        frame = frame + 1 if frame + 1 < FRAMES else 0
        copy_row(frames, frame, stack, k)


def observe_frames(tile, i, observation):
    """`observe_new` with stacking."""
    keep_frame(tile, i)
    copy_frames(tile, i, observation)


def keep_reward(tile, i):
    """`add_reward` with statistics: the undiscounted return so far."""
    tile.episode.total[i] += tile.reward[i]


def keep_start(tile, i):
    """`start_episode` with statistics."""
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


def mark_row(tile, i):
    """`mark` in the checked mode, whose tiles begin at row 0."""
    tile.settings.row[0] = i


def skip_row(tile, i):
    """`add_reward` and `start_episode` without statistics, `draw_frame` without stacking, `mark`
    without the checked mode.
    """


def skip_all(tile):
    """`report_episodes` without statistics."""


def run_task(table, task, lo, hi):
    """The kernel: run `task` on rows [lo, hi)."""
    if task == STEP:
        return step_rows(table, lo, hi)
    if task == RESET:
        return reset_selected(table, lo, hi)
    return check_actions(table, lo, hi)
