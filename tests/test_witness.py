"""What the witness tells sanitizers of the arrays that a kernel's tasks read and write is so."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import witness

import batchsim
from batchsim.actions import OWN
from batchsim.batch.allocation import table_of
from batchsim.compiler.kernels import BEFORE_TABLE

N = 70
TASKS = {"check": witness.CHECK, "step": witness.STEP, "reset": witness.RESET}
SETTINGS = {
    "plain": ("CartPole-v1", {}),
    "parameters, statistics and frames": (
        "CartPole-v1",
        {
            "length": [0.4 + k / 1000 for k in range(N)],
            "record_episode_statistics": True,
            "frame_stack": 3,
        },
    ),
    "numbers": ("Pendulum-v1", {"max_episode_steps": 7}),
    "infos and tables": ("FrozenLake-v1", {}),
}


def run(loops, tile, arrays, task):
    """Run a task of a batch's kernel on these arrays, which have the places of a tile's."""
    whole = table_of(tile, loops.address)
    table = whole[len(BEFORE_TABLE) :]
    table[:] = [array.ctypes.data for array in arrays]
    result, exception = ctypes.c_int64(), ctypes.c_void_p()
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    call = ctypes.CFUNCTYPE(ctypes.c_int32, pointer, pointer, pointer, number, number, number)(
        loops.kernel
    )
    places = ctypes.byref(result), ctypes.byref(exception), table.ctypes.data
    assert call(*places, task.bit_length() - 1, 0, N) == 0
    return arrays


def copies(arrays):
    return [np.array(array, order="C") for array in arrays]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_tasks_read_and_write_what_the_witness_says(settings, mode):
    name, arguments = SETTINGS[settings]
    envs = batchsim.make_vec(name, N, autoreset_mode=mode, num_threads=1, **arguments)
    envs.reset(seed=0)
    tile = envs._tile
    tile.pending[:] = np.arange(N) % 3 == 0
    tile.selected[:] = np.arange(N) % 2 == 0
    fields, arrays, readers, writers = zip(
        *witness.uses(tile, envs._choice_is_action()), strict=True
    )
    random = np.random.default_rng(0)
    loops = envs._kernels.of(OWN).loops
    for task, bit in TASKS.items():
        after = run(loops, tile, copies(arrays), bit)
        for k, field in enumerate(fields):
            if not writers[k] & bit:
                assert after[k].tobytes() == arrays[k].tobytes(), f"{task} writes {field}"
            if not (readers[k] | writers[k]) & bit:
                scrambled = copies(arrays)
                noise = random.bytes(arrays[k].nbytes)
                scrambled[k] = np.frombuffer(bytearray(noise), arrays[k].dtype)
                run(loops, tile, scrambled, bit)
                assert scrambled[k].tobytes() == noise, f"{task} writes {field}"
                for j in range(len(arrays)):
                    same = j == k or scrambled[j].tobytes() == after[j].tobytes()
                    assert same, f"{task} reads {field}"
    envs.close()


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_a_witnessed_batch_does_the_same(tmp_path):
    library = tmp_path / "witness.so"
    source = Path(__file__).with_name("witness.cpp")
    subprocess.run(["g++", "-std=c++20", "-fPIC", "-shared", source, "-o", library], check=True)
    plain = batchsim.make_vec("CartPole-v1", N, num_threads=1)
    with witness.watching(library):
        watched = batchsim.make_vec("CartPole-v1", N, num_threads=1)
    for envs in (plain, watched):
        envs.reset(seed=0)
    for k in range(30):
        actions = (np.arange(N) + k) % 2
        for one, other in zip(plain.step(actions)[:4], watched.step(actions)[:4], strict=True):
            assert one.tobytes() == other.tobytes()
    plain.close()
    watched.close()
