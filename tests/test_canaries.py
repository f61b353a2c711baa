"""The canaries themselves: they change nothing, and see what is written beside an array."""

import ctypes
import signal
import subprocess
import sys
from pathlib import Path

import canaries
import numpy as np
import oracle
import pytest

import batchsim
from batchsim.compiler.layouts import flatten

PAGES = [False, pytest.param(True, marks=pytest.mark.skipif(not canaries.HAS_PAGES, reason=""))]


@pytest.fixture(params=PAGES, ids=["poison", "pages"])
def pages(request):
    return request.param


def test_batches_between_canaries_do_what_others_do(pages):
    with canaries.guard(pages) as guarded:
        env = batchsim.make_vec("CartPole-v1", 133, num_threads=2)
    twin = batchsim.make_vec("CartPole-v1", 133, num_threads=1)
    for array in flatten(env._tile):
        assert canaries._is_guarded(array)
    oracle.assert_same_reset(twin.reset(seed=0), env.reset(seed=0))
    actions = oracle.Actions(env)
    for _ in range(50):
        batch = actions()
        oracle.assert_same_step(twin.step(batch), oracle.send_and_receive(env, batch))
    guarded.check()
    env.close()
    twin.close()


def test_a_pool_between_canaries_hands_out_its_arrays_again():
    with canaries.guard() as guarded:
        env = batchsim.make_vec("CartPole-v1", 8)
        env.reset(seed=0)
        env.step(np.ones(8, np.int64))
        before = guarded.made
        for _ in range(20):
            env.step(np.ones(8, np.int64))
        assert guarded.made - before <= 2
        env.close()


@pytest.mark.parametrize("offset", [-1, 60, 75])
@pytest.mark.parametrize("alive", [True, False])
def test_a_byte_beside_an_array_is_noticed(offset, alive):
    with pytest.raises(AssertionError, match=rf"\(3, 5\) of float32, at its bytes {offset} to"):  # noqa: PT012, SIM117
        with canaries.guard() as guarded:
            array = guarded.zeros((3, 5), np.float32)
            ctypes.memset(array.ctypes.data + offset, 0, 1)
            if not alive:
                del array


@pytest.mark.skipif(not canaries.HAS_PAGES, reason="needs pages that can be protected")
def test_reading_the_byte_behind_an_array_before_a_page_ends_the_process():
    code = """
import ctypes, canaries, numpy
with canaries.guard(pages=True) as guarded:
    array = guarded.zeros((3, 5), numpy.float32)
    ctypes.string_at(array.ctypes.data, 60)
    print("whole", flush=True)
    ctypes.string_at(array.ctypes.data, 61)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "whole\n", done.stderr
    assert done.returncode == -signal.SIGSEGV
