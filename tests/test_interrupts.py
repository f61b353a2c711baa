"""Ctrl-C, and whatever else a signal's handler raises, is let through at any moment, and leaves a
batch that can be reset and closed.
"""

import contextlib
import gc
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import NamedTuple

import numpy as np
import oracle
import pytest
from gymnasium import error
from gymnasium.spaces import Box, Discrete
from numba.core.compiler import run_frontend

import batchsim
from batchsim.compiler import interrupts
from batchsim.math import sin
from batchsim.random import uniform

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer's signal"),
    pytest.mark.timeout(method="thread"),  # The timer is in use.
]

N = 70
GO_ON, WORK, HANG = 0, 1, 2
BROKEN_OFF = "^step.. was called after a call that was broken off"


class Row(NamedTuple):
    turns: int
    work: int
    value: float


class Options(NamedTuple):
    start: int = 0
    work: int = 1


class Endless:
    """An environment with a `while` that does not end: for action 2, and for a negative start."""

    ID = "Endless-v0"
    State = Row
    Options = Options
    OBSERVATION = Box(-np.inf, np.inf, (2,), np.float64)
    ACTION = Discrete(3)

    @staticmethod
    def reset(s, i, p, rng):
        s.turns[i] = p.start
        while s.turns[i] < 0:
            s.turns[i] = p.start
        s.work[i] = p.work
        s.value[i] = uniform(rng, i, 0.0, 1.0)

    @staticmethod
    def step(s, i, action, p, rng):
        while action == HANG:
            pass
        if action == WORK:
            for _ in range(s.work[i]):
                s.value[i] = sin(s.value[i])
        k = 0
        while k < 600:  # more turns than from one poll to the next
            k += 1 + int(s.value[i])
        s.turns[i] += k
        s.value[i] += uniform(rng, i, 0.0, 1.0)
        return s.value[i], False

    @staticmethod
    def observe(s, i, p, out):
        out[0] = s.value[i]
        out[1] = s.turns[i]

    @staticmethod
    def renderer(p):
        return lambda state, row: np.full((8, 8, 3), int(state.turns[row]) % 256, np.uint8)


def make(num_envs=N, **kwargs):
    return batchsim.make_vec(Endless, num_envs, render_mode="rgb_array", **kwargs)


class Interrupt(BaseException):
    """What the handler of these tests raises."""


def interrupt(*_):
    raise Interrupt


@pytest.fixture(autouse=True)
def handler():
    """Raise `Interrupt` when the timer ends."""
    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def interrupted(call, seconds):
    """Call again and again until the signal comes, after so many seconds."""
    with contextlib.suppress(Interrupt):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        while True:
            call()


def interrupted_after(seconds, call):
    """Call once; the signal comes after so many seconds."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    call()


def time_of(call):
    start = time.perf_counter()
    for _ in range(5):
        call()
    return (time.perf_counter() - start) / 5


ACTIONS = np.full(N, WORK)
CALLS = {
    "reset": lambda envs: envs.reset(seed=1),
    "reset with options": lambda envs: envs.reset(options={"start": 5, "work": np.arange(N)}),
    "reset of some": lambda envs: envs.reset(seed=2, options={"reset_mask": np.arange(N) < 9}),
    "step": lambda envs: envs.step(ACTIONS),
    "step with a list": lambda envs: envs.step(ACTIONS.tolist()),
    "send and recv": lambda envs: oracle.send_and_receive(envs, ACTIONS),
    "get_state": lambda envs: envs.get_state([3, 1]),
    "set_state": lambda envs: envs.set_state(envs.get_state()),
    "render": lambda envs: envs.render(env_ids=range(5)),
    "split": lambda envs: envs.split(2),
    "np_random": lambda envs: envs.np_random,
}


@pytest.mark.parametrize("settings", [{}, {"backend": "reference"}, {"checked": True}], ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_an_interrupt_at_any_moment_leaves_a_batch_that_can_be_reset(
    opened, request, call, settings
):
    envs, twin = opened(make(**settings)), opened(make())
    expected = twin.reset(seed=7), twin.step(ACTIONS)
    envs.reset(seed=0)
    typical = time_of(lambda: CALLS[call](envs))
    turn = typical + time_of(lambda: envs.step(envs.reset(seed=7) and ACTIONS))
    turns, seconds = (4000, 60.0) if request.config.getoption("--slow") else (150, 0.2)
    rng = random.Random(call)
    for _ in range(max(5, min(turns, int(seconds / turn)))):
        interrupted(lambda: CALLS[call](envs), rng.uniform(1e-6, 3 * typical))
        with contextlib.suppress(error.NoAsyncCallError, error.ResetNeeded):
            envs.recv()  # if the interrupt came between it and send
        oracle.assert_same_reset(expected[0], envs.reset(seed=7))
        oracle.assert_same_step(expected[1], envs.step(ACTIONS), call)


def test_an_interrupted_close_can_be_repeated(request):
    rng = random.Random(1)
    for _ in range(400 if request.config.getoption("--slow") else 15):
        envs = make(backend="reference")
        envs.reset(seed=0)
        envs.send(np.zeros(N, np.int64))
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 1e-4))
            envs.close()
            time.sleep(1)
        except Interrupt:
            pass
        envs.close()
        with pytest.raises(error.ClosedEnvironmentError):
            envs.step(np.zeros(N, np.int64))


def assert_broken_off(envs):
    """The rows are in an unknown state, and all is well after a reset."""
    actions = np.zeros(envs.num_envs, np.int64)
    with pytest.raises(error.ResetNeeded, match=BROKEN_OFF):
        envs.step(actions)
    with pytest.raises(error.ResetNeeded, match="broken off"):
        envs.get_state()
    with pytest.raises(error.ResetNeeded, match="outside the reset_mask"):
        envs.reset(options={"reset_mask": np.arange(envs.num_envs) == 1})
    twin = make(envs.num_envs)
    oracle.assert_same_reset(twin.reset(seed=4), envs.reset(seed=4))
    oracle.assert_same_step(twin.step(actions), envs.step(actions), "afterwards")
    twin.close()


def step(envs, actions):
    envs.step(actions)


def send_and_receive(envs, actions):
    with contextlib.suppress(error.AlreadyPendingCallError):  # sent the last time
        envs.send(actions)
    envs.recv()


def must_be_reset(envs):
    try:
        envs.get_state()
    except error.ResetNeeded:
        return True
    except error.AlreadyPendingCallError:  # It was sent, and not interrupted.
        pass
    return False


def break_off(envs, call):
    """Interrupt a call that does not end while it is at work, not before."""
    seconds = 0.02
    while not must_be_reset(envs):
        with pytest.raises(Interrupt):
            interrupted_after(seconds, call)
        seconds *= 3
    assert_broken_off(envs)


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("method", [step, send_and_receive])
@pytest.mark.parametrize(("num_envs", "num_threads"), [(2, 1), (5000, 1), (5000, 2)])
def test_a_while_without_end_is_left(opened, num_envs, num_threads, method, checked):
    envs = opened(make(num_envs, num_threads=num_threads, checked=checked))
    envs.reset(seed=0)
    actions = np.zeros(num_envs, np.int64)
    for _ in range(0 if checked else 20):  # until it is known how long a row takes
        envs.step(actions)
    for row in (0, num_envs - 1):
        actions[:] = GO_ON
        actions[row] = HANG
        break_off(envs, lambda: method(envs, actions))


def test_a_reset_without_end_is_left(opened):
    envs = opened(make())
    envs.reset(seed=0)
    for _ in range(2):
        break_off(envs, lambda: envs.reset(options={"start": -1}))


def test_ctrl_c_leaves_a_while_without_end(opened):
    envs = opened(make())
    envs.reset(seed=0)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            envs.step(np.full(N, HANG))
    finally:
        signal.signal(signal.SIGINT, before)
    assert_broken_off(envs)


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("method", [step, send_and_receive])
@pytest.mark.parametrize("timed", [False, True])
def test_a_long_step_lets_an_interrupt_through_between_tiles(opened, num_threads, method, timed):
    envs = opened(make(5_000, num_threads=num_threads))
    envs.reset(seed=0)
    for _ in range(20 * timed):
        envs.step(np.full(5_000, GO_ON))
    envs.reset(seed=0, options={"work": 200_000})  # ten seconds
    break_off(envs, lambda: method(envs, np.full(5_000, WORK)))


def test_a_handler_that_returns_changes_nothing(opened):
    envs, twin = opened(make(num_threads=2)), opened(make(num_threads=1))
    envs.reset(seed=0, options={"work": 2000})
    twin.reset(seed=0, options={"work": 2000})
    expected = [twin.step(ACTIONS) for _ in range(20)]
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 1e-3, 1e-3)
    for results in expected:
        oracle.assert_same_step(results, envs.step(ACTIONS), "with signals")
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert seen


def test_a_handler_cannot_call_what_is_at_work(opened):
    envs = opened(make())
    envs.reset(seed=0)
    signal.signal(signal.SIGALRM, lambda *_: envs.step(ACTIONS))
    with pytest.raises(error.AlreadyPendingCallError, match=r"^step\(\) was called while"):
        interrupted_after(0.5, lambda: envs.step(np.full(N, HANG)))
    signal.signal(signal.SIGALRM, interrupt)
    assert_broken_off(envs)


@pytest.mark.parametrize("how", ["close", "forget"])
def test_closing_during_a_while_without_end_can_be_interrupted(how):
    envs = make()
    envs.reset(seed=0)
    envs.send(np.full(N, HANG))
    if how == "close":
        with pytest.raises(Interrupt):
            interrupted_after(0.5, envs.close)
        with pytest.raises(error.ClosedEnvironmentError):
            envs.recv()
        envs.close()
        return
    # Python cannot raise where an object ends: what Ctrl-C raises comes with the next line. That
    # must not be a callback that ends with the object too, where Python drops what is raised: the
    # twin keeps the kernels, and no other garbage is left to collect.
    twin = make()
    gc.collect()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        envs.closed = True  # Gymnasium's own end would close, and lose what that raises
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            timer.start()
            del envs
            time.sleep(1)
    finally:
        signal.signal(signal.SIGINT, before)
        twin.close()


def polled_loops(function):
    """How many loops of a function are counted when it is compiled."""
    state = SimpleNamespace(
        func_ir=run_frontend(function), func_id=SimpleNamespace(modname=function.__module__)
    )
    interrupts._PollInLoops().run_pass(state)
    blocks = state.func_ir.blocks.values()
    return sum(str(block.body[0]).startswith("$poll") for block in blocks)


def loops(s, i, p, n):
    for k in range(n):
        while s.x[i] < k:
            s.x[i] += 1.0
        for row in p.table:
            s.x[i] += row
            while True:
                s.x[i] -= 1.0
                for _ in range(3):
                    break
                if s.x[i] < 0.0:
                    break
    while n > 0:
        n -= 1
        for _ in range(n):
            s.x[i] += 1.0
    while True:
        pass


def test_loops_over_ranges_and_arrays_are_not_counted():
    """However long they are: a jump over more than 255 instructions is written differently."""
    assert polled_loops(loops) == 4
    body = "        x = x * 0.5 + math.sin(x) * math.cos(x)\n" * 60
    for count, head in [(0, "for k in range(n)"), (1, "while x > n"), (1, "while True")]:
        names = {"math": math}
        exec(f"def long(x, n):\n    {head}:\n{body}    return x\n", names)
        assert polled_loops(FunctionType(names["long"].__code__, {"math": math})) == count, head


OF_ANOTHER_THREAD = """
import os, threading, time
import numpy as np
from test_interrupts import HANG, make
envs = make(1, num_threads=1)
envs.reset(seed=0)
for _ in range(20):
    envs.step(np.zeros(1, np.int64))  # so short that the GIL is kept
threading.Thread(target=lambda: envs.step(np.full(1, HANG)), daemon=True).start()
time.sleep(0.3)
print("goes on", flush=True)
os._exit(0)
"""


def test_a_while_without_end_in_a_short_step_does_not_stop_other_threads():
    done = subprocess.run(
        [sys.executable, "-c", OF_ANOTHER_THREAD],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "goes on\n", done.stderr
