"""Everything at once, for a short time: what `make sanitize` runs with each sanitizer.

Every array that a kernel may write lies between canaries. `BATCHSIM_STRESS=10` stresses ten times
as long.
"""

import gc
import importlib.util
import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import canaries
import numpy as np
import oracle
import pytest
import witness
from batchsim.batch._driver import live_threads
from batchsim.ladder._cython_loops import CartPole, Pendulum
from gymnasium import error
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim.math import sin
from batchsim.random import integers, uniform

# Forking with threads is a part of it.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

TIMES = int(os.environ.get("BATCHSIM_STRESS", "1"))
SIZES = [1, 7, 8, 9, 63, 64, 65, 133, 581, 1000]
SETTINGS = [
    ("CartPole-v1", {"autoreset_mode": "SameStep", "record_episode_statistics": True}),
    ("Pendulum-v1", {}),
    ("FrozenLake-v1", {"autoreset_mode": "SameStep"}),
]
"""Kinds of batches: with final observations and statistics, with actions of numbers, with infos."""


class Ripples(NamedTuple):
    level: float
    board: np.dtype((np.int8, (3, 5)))
    hot: bool
    count: np.int8


class Found(NamedTuple):
    level: float


class SlowRipples:
    """Rows of some microseconds, so that tiles are few and small; columns of several widths."""

    ID = "SlowRipples-v0"
    State = Ripples
    Info = Found
    OBSERVATION = Box(-np.inf, np.inf, (3,), np.float32)
    ACTION = Discrete(3)

    @staticmethod
    def reset(s, i, p, rng):
        s.level[i] = uniform(rng, i, 0.0, 1.0)
        s.board[i] = 0
        s.count[i] = 0
        s.hot[i] = False

    @staticmethod
    def step(s, i, action, p, rng):
        for _ in range(100):
            s.level[i] = sin(s.level[i] + action)
        s.board[i, integers(rng, i, 0, 3), integers(rng, i, 0, 5)] += 1
        s.hot[i] = s.level[i] > 0.5
        if s.hot[i]:
            s.count[i] += 1
        return s.level[i], s.count[i] > 6

    @staticmethod
    def observe(s, i, p, out):
        out[0] = s.level[i]
        out[1] = s.count[i]
        out[2] = s.board[i, 2, 4]

    @staticmethod
    def inform(s, i, p, out):
        out.level[0] = s.level[i]


KINDS = [*SETTINGS, (SlowRipples, {})]


@pytest.fixture(scope="module", autouse=True)
def kernels():
    """Compile every kernel first: no thread waits for another's compiler then."""
    for kind in range(len(KINDS)):
        make(kind, 1).close()


@pytest.fixture(autouse=True)
def guarded():
    """Canaries around the arrays of every batch, and a witness where a sanitizer needs one."""
    library = os.environ.get("BATCHSIM_WITNESS")
    with canaries.guard() as made:
        if library is None:
            yield made
        else:
            with witness.watching(library):
                yield made


def make(kind=0, num_envs=581, num_threads=2, **settings):
    """Return a batch of one of the KINDS with short episodes."""
    name, others = KINDS[kind]
    settings = {"max_episode_steps": 13, **others, **settings}
    return batchsim.make_vec(name, num_envs, num_threads=num_threads, **settings)


def batches_of(env, count=8, seed=0):
    """Return some random batches of actions."""
    if isinstance(env.single_action_space, Discrete):
        space, rng = env.single_action_space, np.random.default_rng(seed)
        return [
            rng.integers(space.start, space.start + space.n, env.num_envs) for _ in range(count)
        ]
    actions = oracle.Actions(env, seed)
    return [actions() for _ in range(count)]


def in_threads(functions):
    """Run each in a thread of its own; raise what one of them raised."""
    failures = []

    def run(function):
        try:
            function()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


def assert_same_step(expected, found, where=""):
    """Assert that two steps returned the same but for how long episodes took."""
    for results in (expected, found):
        results[4].get("episode", {}).pop("t", None)
    oracle.assert_same_step(expected, found, where)


def outputs(guarded, results):
    """Return arrays for `out` like those of a step's results."""
    return tuple(guarded.zeros(array.shape, array.dtype) for array in results[:4])


# -- Batches ---------------------------------------------------------------------------------------


def live(guarded, rng, steps):
    """A batch's whole life, beside a twin of one thread that is only stepped."""
    kind = int(rng.integers(len(KINDS)))
    n = int(rng.choice(SIZES))
    env = make(kind, n, int(rng.integers(1, 6)))
    twin = make(kind, n, 1)
    batches = batches_of(env, seed=n)
    held, out = [], None
    oracle.assert_same_reset(twin.reset(seed=n), env.reset(seed=n))
    for t in range(steps):
        batch = batches[t % len(batches)]
        expected = twin.step(batch)
        into = None if out is None or rng.random() < 0.5 else out
        if rng.random() < 0.5:
            env.send(batch, out=into)
            found = env.recv()
        else:
            found = env.step(batch, out=into)
        assert_same_step(expected, found, f"{env}, step {t}")
        if out is None:
            out = outputs(guarded, found)
        choice = rng.random()
        if choice < 0.1:
            mask = rng.random(n) < 0.5
            mask[0] = True
            options = {"reset_mask": mask}
            seed = int(rng.integers(1000))
            resets = [made.reset(seed=seed, options=dict(options)) for made in (twin, env)]
            oracle.assert_same_reset(*resets)
        elif choice < 0.2:
            rows = rng.permutation(n)[: 1 + n // 2]
            env.set_state(env.get_state(rows), rows)
        elif choice < 0.5 and into is None:
            # Keep some results for a while, and only a view of some.
            held.append((found[0][n // 2 :], found[0][n // 2 :].tobytes()))
            del held[: -int(rng.integers(1, 9))]
        for view, before in held:
            assert view.tobytes() == before
    ending = rng.integers(3)
    if ending == 0:
        env.send(batches[0])
    if ending < 2:
        env.close()
    twin.close()


def test_many_threads_make_step_and_close_batches(guarded):
    before = live_threads()

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(3 * TIMES):
            live(guarded, rng, 30)
        guarded.check()

    in_threads([lambda seed=seed: work(seed) for seed in range(4)])
    gc.collect()
    assert live_threads() == before


@pytest.mark.parametrize("kind", [0, 2, 3])
def test_halves_stepped_by_two_threads_do_what_the_whole_does(opened, kind):
    env, twin = opened(make(kind)), opened(make(kind, num_threads=1))
    env.reset(seed=3)
    twin.reset(seed=3)
    batches = batches_of(env)
    steps = 40 * TIMES
    halves = [opened(part) for part in env.split(2)]
    first = halves[0].num_envs
    found = [[], []]

    def work(k, rows):
        for t in range(steps):
            batch = batches[t % len(batches)][rows]
            call = oracle.send_and_receive if (t + k) % 3 else oracle.step
            found[k].append(call(halves[k], batch)[:4])

    in_threads([lambda: work(0, slice(0, first)), lambda: work(1, slice(first, None))])
    for t in range(steps):
        expected = twin.step(batches[t % len(batches)])
        for k, name in enumerate(oracle.STEP_NAMES):
            halves_of_it = np.concatenate([found[0][t][k], found[1][t][k]])
            oracle.assert_same_array(expected[k], halves_of_it, f"step {t}: {name}")
    oracle.assert_same_streams(twin, env)


def test_threads_come_and_go_while_steps_are_under_way(opened):
    env, twin = opened(make(3, 200)), opened(make(3, 200, 1))
    env.reset(seed=0)
    twin.reset(seed=0)
    batches = batches_of(env)
    stop = threading.Event()

    def come_and_go():
        threads = 1
        while not stop.is_set():
            threads = threads % 6 + 1
            other = make(0, 300, threads)
            other.reset(seed=0)
            other.send(np.ones(300, np.int64))
            other.close()

    def work():
        try:
            for t in range(150 * TIMES):
                batch = batches[t % len(batches)]
                expected = twin.step(batch)
                found = (oracle.send_and_receive if t % 2 else oracle.step)(env, batch)
                assert_same_step(expected, found, f"step {t}")
        finally:
            stop.set()

    in_threads([work, come_and_go])


def test_many_sent_steps_are_received_in_any_order_by_any_thread(opened):
    envs = [opened(make(k % len(KINDS), 150 + 50 * k, 1 + k % 3)) for k in range(6)]
    twins = [opened(make(k % len(KINDS), env.num_envs, 1)) for k, env in enumerate(envs)]
    for made in (*envs, *twins):
        made.reset(seed=made.num_envs)
    batches = [batches_of(env) for env in envs]
    rng = np.random.default_rng(0)
    for t in range(25 * TIMES):
        expected = [twin.step(batches[k][t % 8]) for k, twin in enumerate(twins)]
        for env, actions in zip(envs, batches, strict=True):
            env.send(actions[t % 8])

        def receive(members, t=t, expected=expected):
            for k in members:
                assert_same_step(expected[k], envs[k].recv(), f"{k}, step {t}")

        order = rng.permutation(len(envs))
        in_threads([lambda k=k: receive(k) for k in np.split(order, 2)])


def test_one_batch_shared_by_threads_refuses_all_but_one(opened):
    env = opened(make(3, 300))
    env.reset(seed=0)
    batches = batches_of(env)
    narrow = [batch.astype(np.int8) for batch in batches]  # converted, where others may slip in
    done = []

    def work(k):
        for t in range(60 * TIMES):
            batch = (batches if k else narrow)[t % len(batches)]
            try:
                env.step(batch)
                done.append(k)
                if t % 7 == 0:
                    env.set_state(env.get_state([0, 1]), [2, 3])
                    env.reset(options={"reset_mask": np.arange(300) % 2 == 0})
            except error.AlreadyPendingCallError:
                time.sleep(0)

    in_threads([lambda k=k: work(k) for k in range(3)])
    assert done
    env.step(batches[0])


class Interrupt(BaseException):
    """What Ctrl-C raises here."""


@pytest.mark.parametrize("kind", [0, 3])
def test_a_batch_whose_calls_are_interrupted_can_be_reset_and_stepped(opened, kind):
    env, twin = opened(make(kind, 400)), opened(make(kind, 400, 1))
    batches = batches_of(env)
    env.reset(seed=0)
    main, armed, ended = threading.get_ident(), [False], threading.Event()
    interrupts = []

    def interrupt(*_):
        if armed[0]:
            armed[0] = False
            raise Interrupt

    def hammer():
        rng = np.random.default_rng(kind)
        while not ended.wait(float(rng.uniform(0.0, 0.003))):
            signal.pthread_kill(main, signal.SIGINT)

    before = signal.signal(signal.SIGINT, interrupt)
    hammerer = threading.Thread(target=hammer)
    hammerer.start()
    try:
        # On a machine that is busy with other things, interrupts may be late.
        for turn in itertools.takewhile(
            lambda turn: turn < 20 * TIMES or not interrupts, range(2000 * TIMES)
        ):
            armed[0] = True
            try:
                for t in range(30):
                    (oracle.send_and_receive if (turn + t) % 2 else oracle.step)(
                        env, batches[t % 8]
                    )
            except Interrupt:
                interrupts.append(turn)
            finally:
                armed[0] = False
            try:
                # A step that was sent may be under way still.
                env.recv()
            except (error.NoAsyncCallError, error.ResetNeeded):
                pass
            oracle.assert_same_reset(twin.reset(seed=turn), env.reset(seed=turn))
            assert_same_step(twin.step(batches[0]), env.step(batches[0]))
    finally:
        ended.set()
        hammerer.join()
        signal.signal(signal.SIGINT, before)
    assert interrupts


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_forked_while_threads_step_work_and_leave_the_parents_alone(opened, guarded):
    env, twin = opened(make(3, 200)), opened(make(3, 200, 1))
    other, other_twin = opened(make(0)), make(0, num_threads=1)
    batches, others = batches_of(env), batches_of(other)
    env.reset(seed=0)
    twin.reset(seed=0)
    other_twin.reset(seed=1)
    expected = other_twin.step(others[0])
    stop, steps = threading.Event(), [0]

    def work():
        while not stop.is_set():
            oracle.send_and_receive(env, batches[steps[0] % len(batches)])
            steps[0] += 1

    def fork():
        child = os.fork()
        if child == 0:
            status = 1
            try:
                signal.alarm(60)  # a child that hangs is killed
                other.reset(seed=1)
                for _ in range(2):
                    assert_same_step(expected, oracle.send_and_receive(other, others[0]))
                    other.reset(seed=1)
                # Another thread of the parent's was at work on it.
                env.reset(seed=2)
                oracle.send_and_receive(env, batches[0])
                guarded.check()
                env.close()
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0

    def forks():
        try:
            for _ in range(4 * TIMES):
                fork()
        finally:
            stop.set()

    in_threads([work, forks])
    for t in range(steps[0]):
        twin.step(batches[t % len(batches)])
    assert_same_step(twin.step(batches[0]), env.step(batches[0]))


# -- Parts -----------------------------------------------------------------------------------------


def test_a_pool_never_hands_out_what_is_held():
    def work(seed):
        rng = np.random.default_rng(seed)
        env = make(seed % 2, 64 + seed, 2)
        env.reset(seed=seed)
        batches = batches_of(env)
        held = {}
        for t in range(200 * TIMES):
            results = env.step(batches[t % 8])
            key = int(rng.integers(12))
            held[key] = [(array[k:], array[k:].tobytes()) for k, array in enumerate(results[:4])]
            if rng.random() < 0.1:
                held.clear()
            for kept in held.values():
                for view, before in kept:
                    assert view.tobytes() == before
        env.close()

    in_threads([lambda seed=seed: work(seed) for seed in range(3)])


def load_rollout_loops():
    """Return the extension module without the package it is in, which imports PyTorch."""
    folder = Path(batchsim.__file__).parent / "torch"
    path = next(path for path in folder.glob("_rollout.*") if path.suffix in (".so", ".pyd"))
    spec = importlib.util.spec_from_file_location("batchsim.torch._rollout", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loops_over_rollouts_write_what_they_should_in_any_number_of_threads(guarded, dtype):
    loops = load_rollout_loops()

    def random_rollout(rng, steps, rows):
        values = (rng.standard_normal((steps, rows)), rng.standard_normal((steps + 1, rows)))
        flags = [guarded.copy((rng.random((steps, rows)) < 0.2).astype(np.uint8)) for _ in range(2)]
        return (
            guarded.copy(values[0].astype(dtype)),
            guarded.copy(values[1].astype(np.float32)),
            *flags,
        )

    def estimate(rollout, first, finals):
        steps, rows = rollout[0].shape
        found = [guarded.zeros((steps, rows), t) for t in (np.float32, np.float32, np.uint8)]
        loops.estimate_advantages(
            *rollout, first, finals, 0.99, 0.95, *found, guarded.zeros((rows,), np.float64)
        )
        totals, lengths = guarded.zeros((rows,), np.float64), guarded.zeros((rows,), np.int64)
        episodes = loops.count_episodes(rollout[0], *rollout[2:], found[2], totals, lengths)
        return *found, episodes, totals, lengths

    def assert_same(one, other):
        for a, b in zip(one, other, strict=True):
            assert np.array_equal(a, b)

    rng = np.random.default_rng(0)
    for steps, rows in ((1, 1), (3, 7), (16, 64), (5, 133)):
        rollout = random_rollout(rng, steps, rows)
        restarting = guarded.copy((rng.random(rows) < 0.2).astype(np.uint8))
        finals = guarded.copy(rng.standard_normal((steps, rows)).astype(np.float32))
        for ends in ((restarting, None), (None, finals)):
            expected = estimate(rollout, *ends)

            def work(rollout=rollout, ends=ends, expected=expected):
                for _ in range(20 * TIMES):
                    assert_same(expected, estimate(rollout, *ends))

            in_threads([work] * 3)


@pytest.mark.parametrize(("loop", "name"), [(CartPole, "CartPole-v1"), (Pendulum, "Pendulum-v1")])
def test_hand_written_loops_in_threads_do_what_batches_do(loop, name):
    def work(seed):
        env = batchsim.make_vec(name, 133, num_threads=1, max_episode_steps=13)
        rows = loop(133, 13)
        assert env.reset(seed=seed)[0].tobytes() == rows.reset(seed=seed)[0].tobytes()
        batches = batches_of(env, seed=seed)
        for t in range(60 * TIMES):
            expected, found = env.step(batches[t % 8]), rows.step(batches[t % 8])
            for one, other in zip(expected[:4], found[:4], strict=True):
                oracle.assert_same_array(one, other, f"step {t}")
        env.close()

    in_threads([lambda seed=seed: work(seed) for seed in range(3)])
