"""What this machine does in a second or two of measuring."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from typing import Any

__all__ = ["SIZES", "time_steps", "time_wake_up"]

ENV_ID = "CartPole-v1"
SIZES = (64, 16_384)
WARM_UP_SECONDS = 0.05
BLOCK_SECONDS = 0.01
BLOCKS = 7
WAKE_UPS = 50


def time_steps(threads: int) -> dict[str, Any]:
    """Step CartPole in exact precision with one thread and with `threads`.

    Returns:
        `first_use`, the seconds that loading or compiling took, and `steps`, a list with the
        numbers of environments and threads, the seconds of a call and the nanoseconds of a row.
    """
    start = time.perf_counter()
    _open(SIZES[0], 1).close()
    first_use = time.perf_counter() - start
    steps = [found for size in SIZES for found in _time_size(size, sorted({1, threads}))]
    return {"env_id": ENV_ID, "first_use": first_use, "steps": steps}


def _open(num_envs: int, threads: int) -> Any:
    from batchsim.batch.vector import make_vec

    # What is measured is the machine, not the mode that is asked for.
    return make_vec(ENV_ID, num_envs, num_threads=threads, checked=False)


def _time_size(num_envs: int, threads: list[int]) -> list[dict[str, Any]]:
    from batchsim.ladder.check import draw_from
    from batchsim.ladder.timing import time_block, warm_up

    batches = {number: _open(num_envs, number) for number in threads}
    space = batches[threads[0]].single_action_space
    turn = itertools.cycle(draw_from(space, num_envs, 16))
    seconds: dict[int, list[float]] = {number: [] for number in threads}
    try:
        calls = {}
        for number, batch in batches.items():
            batch.reset(seed=0)
            call = warm_up(batch, turn, WARM_UP_SECONDS)
            calls[number] = max(1, int(BLOCK_SECONDS / call))
        # In turns, so that what else the machine does meets both.
        for _ in range(BLOCKS):
            for number, batch in batches.items():
                block = time_block(batch, turn, calls[number])
                seconds[number].append(block / calls[number])
    finally:
        for batch in batches.values():
            batch.close()
    medians = {number: statistics.median(found) for number, found in seconds.items()}
    return [
        {
            "num_envs": num_envs,
            "threads": number,
            "seconds": call,
            "ns_a_row": 1e9 * call / num_envs,
        }
        for number, call in medians.items()
    ]


def time_wake_up() -> dict[str, float]:
    """Return the median seconds until a thread that sleeps runs again once it is woken.

    A thread of Python, which must take the GIL too; the driver's own threads need less.
    """
    begin, done = threading.Semaphore(0), threading.Semaphore(0)
    woken = [0.0]

    def wait() -> None:
        for _ in range(WAKE_UPS):
            begin.acquire()
            woken[0] = time.perf_counter()
            done.release()

    sleeper = threading.Thread(target=wait, daemon=True)
    sleeper.start()
    found = []
    for _ in range(WAKE_UPS):
        time.sleep(0.001)  # until it sleeps
        start = time.perf_counter()
        begin.release()
        done.acquire()
        found.append(woken[0] - start)
    sleeper.join()
    return {"seconds": statistics.median(found)}
