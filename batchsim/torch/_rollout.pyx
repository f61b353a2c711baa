"""Passes over a rollout [T, N]: advantages, backwards in time, and the episodes that ended in it."""

from libc.stdint cimport int64_t, uint8_t

ctypedef fused Reward:
    float
    double


def estimate_advantages(
    const Reward[:, ::1] rewards,
    const float[:, ::1] values,
    const uint8_t[:, ::1] terminated,
    const uint8_t[:, ::1] truncated,
    const uint8_t[::1] restarting,
    const float[:, ::1] final_values,
    double gamma,
    double gae_lambda,
    float[:, ::1] advantages,
    float[:, ::1] returns,
    uint8_t[:, ::1] valid,
    double[::1] last,
):
    """Fill `advantages`, `returns` and `valid`; `last` (N,) is scratch.

    `restarting` (N,) marks the rows whose first step resets them, with NEXT_STEP autoreset; with SAME_STEP
    it is None, and `final_values` (T, N) has the values of the observations that truncated episodes ended with.
    """
    cdef Py_ssize_t steps = rewards.shape[0], rows = rewards.shape[1], t, n
    cdef bint next_step = restarting is not None
    cdef double following
    cdef uint8_t over, restart
    with nogil:
        for n in range(rows):
            last[n] = 0.0
        for t in range(steps - 1, -1, -1):
            for n in range(rows):
                restart = 0
                if next_step:
                    restart = restarting[n] if t == 0 else terminated[t - 1, n] | truncated[t - 1, n]
                if restart:
                    # The action was ignored, and the reward is of no episode.
                    advantages[t, n] = 0.0
                    returns[t, n] = values[t, n]
                    valid[t, n] = 0
                    continue
                over = terminated[t, n] | truncated[t, n]
                if terminated[t, n]:
                    following = 0.0
                elif truncated[t, n] and not next_step:
                    following = final_values[t, n]
                else:
                    following = values[t + 1, n]
                if over:
                    last[n] = 0.0
                last[n] = rewards[t, n] + gamma * following - values[t, n] + gamma * gae_lambda * last[n]
                advantages[t, n] = <float> last[n]
                returns[t, n] = <float> (last[n] + values[t, n])
                valid[t, n] = 1


def count_episodes(
    const Reward[:, ::1] rewards,
    const uint8_t[:, ::1] terminated,
    const uint8_t[:, ::1] truncated,
    const uint8_t[:, ::1] valid,
    double[::1] totals,
    int64_t[::1] lengths,
):
    """Return the returns and lengths of the episodes that ended, in the order of time and row.

    `totals` and `lengths` (N,) are those of the episodes under way, and go on to the next rollout.
    """
    cdef Py_ssize_t steps = rewards.shape[0], rows = rewards.shape[1], t, n
    cdef list ended = []
    for t in range(steps):
        for n in range(rows):
            totals[n] += rewards[t, n]
            lengths[n] += valid[t, n]
            if terminated[t, n] | truncated[t, n]:
                ended.append((totals[n], lengths[n]))
                totals[n] = 0.0
                lengths[n] = 0
    return ended
