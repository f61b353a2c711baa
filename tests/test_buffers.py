"""An array that a call returned is never changed while anyone can see it, and yet is not copied."""

import gc
import hashlib
import os
import sys
import weakref

import numpy as np
import oracle
import pytest
from batchsim.batch._buffers import aligned_zeros

import batchsim
from batchsim.batch.infos import final_arrays

LIMIT = 13


@pytest.fixture(params=oracle.MODELS)
def name(request):
    return request.param


@pytest.fixture(params=oracle.MODES[:2], ids=lambda mode: mode.value)
def mode(request):
    return request.param


@pytest.fixture
def env(opened, name, mode):
    made = opened(
        batchsim.make_vec(
            name,
            6,
            autoreset_mode=mode,
            max_episode_steps=LIMIT,
            record_episode_statistics=True,
        )
    )
    made.reset(seed=0)
    return made


def arrays_of(results):
    """Every array in a step's results, those in the infos too, by name.

    It leaves no cycle behind: that would hold the arrays until the garbage collector runs.
    """
    found = dict(zip(oracle.STEP_NAMES, results[:4], strict=True))
    todo = [("infos.", results[4])]
    for prefix, infos in todo:
        for key, value in infos.items():
            if isinstance(value, dict):
                todo.append((f"{prefix}{key}.", value))
            else:
                found[prefix + key] = final_arrays(infos) if key == "final_obs" else value
    return found


def checksum(thing):
    """A hash of what can be seen through an array, a memoryview or a tensor."""
    array = thing.numpy() if hasattr(thing, "numpy") else np.asarray(thing)
    return hashlib.blake2b(array.tobytes(), digest_size=8).digest()


def same(array):
    return array


HOLD = {
    "the array": same,
    "a slice": lambda a: a[1:4],
    "a view": lambda a: a.view(),
    "a view of a view": lambda a: a[::2][1:],
    "another dtype": lambda a: a.view(np.uint8),
    "a transpose": lambda a: np.asarray(a).T,
    "a reshape": lambda a: a.reshape(-1),
    "a broadcast": lambda a: np.broadcast_to(a, (2, *a.shape)),
    "a memoryview": memoryview,
    "a cast memoryview": lambda a: memoryview(a.view(np.uint8)).cast("B"),
    "frombuffer": lambda a: np.frombuffer(a, a.dtype),
    "ndarray over it": lambda a: np.ndarray(a.shape, a.dtype, buffer=a),
    "a subclass": lambda a: a.view(np.recarray) if a.dtype.names else a.view(np.ma.MaskedArray),
    "its iterator": lambda a: a.flat,
    "sliding windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, 2, axis=0),
    "a torch tensor": lambda a: pytest.importorskip("torch").from_numpy(a),
    "a torch view": lambda a: pytest.importorskip("torch").from_numpy(a)[1:],
    "torch by dlpack": lambda a: pytest.importorskip("torch").from_dlpack(a),
    "numpy by dlpack": np.from_dlpack,
}


@pytest.mark.parametrize("hold", HOLD)
def test_no_array_is_changed_while_it_is_held(env, hold):
    actions = oracle.Actions(env)
    rng = np.random.default_rng(1)
    held = []  # what is held, and its checksum when it was returned
    for t in range(400):
        results = env.step(actions()) if t % 3 else oracle.send_and_receive(env, actions())
        if t % 97 == 0:
            held.append((f"reset {t}", HOLD[hold](env.reset()[0])))
            held[-1] += (checksum(held[-1][1]),)
        for key, array in arrays_of(results).items():
            if rng.random() < 0.3:
                thing = HOLD[hold](array)
                held.append((f"{key} of step {t}", thing, checksum(thing)))
        del results, array
        if rng.random() < 0.1:  # Let go of some, so that their memory is used again.
            rng.shuffle(held)
            del held[: len(held) // 2]
        for where, thing, before in held[-20:]:
            assert checksum(thing) == before, where
    assert held
    for where, thing, before in held:
        assert checksum(thing) == before, where


def test_arrays_of_one_step_share_no_memory(env):
    actions = oracle.Actions(env)
    for _ in range(LIMIT):
        results = env.step(actions())
    arrays = list(arrays_of(results).values())
    assert len(arrays) >= 8
    for k, one in enumerate(arrays):
        for other in arrays[:k]:
            assert not np.shares_memory(one, other)


def test_arrays_are_not_the_environments_own(env):
    """Writing into what was returned does not change how the episode goes on."""
    twin = batchsim.make_vec(
        env.definition.name, 6, autoreset_mode=env.autoreset_mode, max_episode_steps=LIMIT
    )
    twin.reset(seed=0)
    actions = oracle.Actions(env)
    for t in range(60):
        batch = actions()
        found, expected = env.step(batch), twin.step(batch)
        for place in range(4):
            oracle.assert_same_array(expected[place], found[place], f"step {t}")
        for array in arrays_of(found).values():
            array[...] = 1
    twin.close()


def test_an_action_array_is_neither_kept_nor_changed(env):
    batch = oracle.Actions(env)()
    before = batch.copy()
    references = sys.getrefcount(batch)
    env.step(batch)
    assert sys.getrefcount(batch) == references
    env.send(batch)
    assert sys.getrefcount(batch) == references
    env.recv()
    assert batch.tobytes() == before.tobytes()


def pointers(results):
    return {key: array.ctypes.data for key, array in arrays_of(results).items()}


def test_released_arrays_are_used_again(env):
    actions = oracle.Actions(env)
    batch = actions()
    seen = [set() for _ in range(4)]
    for _ in range(300):
        results = env.step(batch)
        for place, array in enumerate(results[:4]):
            seen[place].add(array.ctypes.data)
        del results, array
    for addresses in seen:
        assert len(addresses) <= 12


def test_a_held_array_is_used_again_once_it_is_released(opened):
    env = opened(batchsim.make_vec("CartPole-v1", 6))
    env.reset(seed=0)
    batch = np.zeros(6, np.int64)
    array = env.step(batch)[0]
    address, reference = array.ctypes.data, weakref.ref(array)
    view = array[1:]
    del array
    for _ in range(300):
        assert env.step(batch)[0].ctypes.data != address
    del view
    addresses = {env.step(batch)[0].ctypes.data for _ in range(600)}
    # Either it was handed out again or, where the pool had forgotten it, it is gone.
    assert address in addresses or reference() is None


def reshape_in_place(array):
    array.shape = (-1, 1)


def retype_in_place(array):
    array.dtype = np.uint8


def flatten_in_place(array):
    array.shape = -1


def lock(array):
    array.flags.writeable = False


def restride(array):
    array.strides = (0,) * array.ndim


SPOIL = [reshape_in_place, retype_in_place, flatten_in_place, lock, restride]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of setting strides
@pytest.mark.parametrize("spoil", SPOIL)
def test_changing_an_array_in_place_does_not_poison_the_pool(name, mode, spoil):
    kwargs = {"autoreset_mode": mode, "max_episode_steps": 5, "record_episode_statistics": True}
    env, twin = (batchsim.make_vec(name, 6, **kwargs) for _ in range(2))
    env.reset(seed=0)
    twin.reset(seed=0)
    actions = oracle.Actions(env)
    for t in range(100):
        batch = actions()
        found, expected = env.step(batch), twin.step(batch)
        for place in range(4):
            oracle.assert_same_array(expected[place], found[place], f"step {t}")
        for array in arrays_of(found).values():
            assert array.flags.writeable
            assert array.flags.c_contiguous
            if array.dtype.itemsize > 1 or spoil is not retype_in_place:
                spoil(array)
        del found, array
    env.close()
    twin.close()


def test_outputs_start_on_a_cache_line(env):
    for array in env.step(oracle.Actions(env)())[:4]:
        assert array.ctypes.data % 64 == 0


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 0, 2), (7, 5), ()])
@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.float32, np.float64])
def test_aligned_zeros_are_zeros_of_that_shape(shape, dtype):
    array = aligned_zeros(shape, dtype)
    oracle.assert_same_array(np.zeros(shape, dtype), array, "zeros")
    assert array.flags.carray
    array[...] = 1


def test_arrays_outlive_their_environment(name):
    env = batchsim.make_vec(name, 6)
    observations, _ = env.reset(seed=0)
    results = env.step(oracle.Actions(env)())
    before = [checksum(array) for array in (observations, *results[:4])]
    env.close()
    del env
    gc.collect()
    other = batchsim.make_vec(name, 6)
    other.reset(seed=5)
    for _ in range(20):
        other.step(oracle.Actions(other)())
    assert [checksum(array) for array in (observations, *results[:4])] == before
    other.close()


# -- Writing into the caller's arrays --------------------------------------------------------------


@pytest.mark.parametrize("function", ["step", "send"])
@pytest.mark.parametrize("place", range(4))
def test_outputs_in_the_memory_of_the_actions_are_refused(opened, name, place, function):
    env, twin = opened(batchsim.make_vec(name, 6)), opened(batchsim.make_vec(name, 6))
    oracle.assert_same_reset(twin.reset(seed=1), env.reset(seed=1))
    good = oracle.Actions(twin)()
    outputs = (*twin.step(good)[:4],)
    env.step(good)
    # Actions begin in the last bytes of the output: a part is enough.
    output = outputs[place]
    before = output.nbytes // good.itemsize * good.itemsize - good.itemsize
    memory = np.zeros(max(before, 0) + good.nbytes + output.nbytes, np.uint8)
    actions = memory[max(before, 0) :][: good.nbytes].view(good.dtype).reshape(good.shape)
    actions[:] = good
    out = [None] * 4
    out[place] = memory[: output.nbytes].view(output.dtype).reshape(output.shape)
    kept = memory.copy()
    message = "^An array in out shares memory with the actions; expected separate ones.$"
    with pytest.raises(ValueError, match=message):
        getattr(env, function)(actions, out=tuple(out))
    assert (memory == kept).all()
    oracle.assert_same_step(twin.step(good), env.step(actions), "afterwards")


def test_an_array_of_more_bytes_than_there_can_be_is_refused_before_it_is_allocated():
    # The product of the axes is 2**64 and more, or 0 in 64 bits.
    message = r"^An array of shape \(\d.* would have [\d,]+ bytes\.$"
    for shape in [(2**31, 2**31, 2), (2**32, 2**32), (2**62, 4, 4), (2**61,)]:
        with pytest.raises(MemoryError, match=message):
            aligned_zeros(shape, np.float64)


def test_an_array_of_more_axes_than_numpy_has_is_refused():
    with pytest.raises(ValueError, match="65 axes"):
        aligned_zeros((1,) * 65, np.int8)


def storage(env, steps, reward=np.float64):
    """Rollout storage [T, N, …] for each of the four outputs."""
    n = env.num_envs
    return (
        np.full((steps + 1, *env.observation_space.shape), 7, env.observation_space.dtype),
        np.full((steps, n), 7, reward),
        np.ones((steps, n), np.bool_),
        np.ones((steps, n), np.bool_),
    )


@pytest.mark.parametrize("function", ["step", "send"])
@pytest.mark.parametrize("num_envs", [1, 6, 500])
def test_steps_are_written_into_rollout_storage(opened, name, mode, function, num_envs):
    kwargs = {"autoreset_mode": mode, "max_episode_steps": LIMIT, "num_threads": 2}
    env, twin = (opened(batchsim.make_vec(name, num_envs, **kwargs)) for _ in range(2))
    steps = 40
    observations, rewards, terminated, truncated = storage(env, steps)
    row = observations[0]
    assert env.reset(seed=3, out=row)[0] is row
    oracle.assert_same_array(twin.reset(seed=3)[0], observations[0], "reset")
    actions = oracle.Actions(env)
    expected = []
    for t in range(steps):
        batch = actions()
        out = (observations[t + 1], rewards[t], terminated[t], truncated[t])
        if function == "step":
            found = env.step(batch, out=out)
        else:
            env.send(batch, out=out)
            found = env.recv()
        for one, other in zip(found[:4], out, strict=True):
            assert one is other
        expected.append(twin.step(batch))
        oracle.assert_same_step(expected[-1], found, f"step {t}")
    for t, results in enumerate(expected):
        for array, whole in zip(
            results[:4], (observations[1:], rewards, terminated, truncated), strict=True
        ):
            oracle.assert_same_array(array, whole[t], f"step {t} in the storage")


def test_any_of_the_outputs_may_be_left_to_the_pool(opened, name):
    env, twin = (opened(batchsim.make_vec(name, 6, max_episode_steps=LIMIT)) for _ in range(2))
    env.reset(seed=3)
    twin.reset(seed=3)
    actions = oracle.Actions(env)
    for t in range(32):
        arrays = [whole[0] for whole in storage(env, 1)]
        out = [array if t >> place & 1 else None for place, array in enumerate(arrays)]
        batch = actions()
        found = env.step(batch, out=tuple(out) if t % 2 else out)
        oracle.assert_same_step(twin.step(batch), found, f"step {t}")
        for given, returned, mine in zip(out, found[:4], arrays, strict=True):
            assert (returned is mine) == (given is not None)


def test_fast_rewards_are_written_into_float32(opened, name):
    env = opened(batchsim.make_vec(name, 6, precision="fast"))
    observations, rewards, terminated, truncated = storage(env, 1, np.float32)
    env.reset(seed=0)
    out = (observations[0], rewards[0], terminated[0], truncated[0])
    assert env.step(oracle.Actions(env)(), out=out)[1] is out[1]
    assert not (rewards == 7).any()


def test_the_callers_arrays_never_enter_the_pool(opened, name):
    env = opened(batchsim.make_vec(name, 6))
    env.reset(seed=0)
    actions = oracle.Actions(env)
    mine = [whole[0] for whole in storage(env, 1)]
    env.step(actions(), out=mine)
    before = [checksum(array) for array in mine]
    addresses = {array.ctypes.data for array in mine}
    for _ in range(50):
        results = env.step(actions())
        assert not addresses & {array.ctypes.data for array in results[:4]}
        del results
    assert [checksum(array) for array in mine] == before


def test_torch_can_share_the_storage(opened, name):
    torch = pytest.importorskip("torch")
    env, twin = (opened(batchsim.make_vec(name, 6)) for _ in range(2))
    tensor = torch.zeros((10, *env.observation_space.shape))
    env.reset(seed=0)
    twin.reset(seed=0)
    actions = oracle.Actions(env)
    for t in range(10):
        batch = actions()
        env.step(batch, out=(tensor[t].numpy(), None, None, None))
        oracle.assert_same_array(twin.step(batch)[0], tensor[t].numpy(), f"step {t}")


# -- Memory ----------------------------------------------------------------------------------------


def resident():
    """Memory of this process in KiB, as the kernel counts it now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def assert_memory_stays_flat(precision, env_steps, num_envs=1024, **kwargs):
    env = batchsim.make_vec("CartPole-v1", num_envs, precision=precision, **kwargs)
    env.reset(seed=0)
    actions = oracle.Actions(env)
    batches = [actions() for _ in range(8)]

    def run(calls):
        for t in range(calls):
            env.step(batches[t % 8])

    run(1000)
    gc.collect()
    before = resident()
    run(env_steps // num_envs)
    gc.collect()
    after = resident()
    env.close()
    # One array of observations that leaked in every step would be 16 KiB a call.
    assert after - before < 2048, f"{after - before} KiB more than before"


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize(("precision", "env_steps"), [("fast", 100_000_000), ("exact", 10_000_000)])
def test_memory_stays_flat(precision, env_steps):
    assert_memory_stays_flat(precision, env_steps)


@needs_proc
@pytest.mark.parametrize(
    "kwargs",
    [
        {"autoreset_mode": "SameStep", "max_episode_steps": 5},
        {"record_episode_statistics": True, "max_episode_steps": 5},
        {"num_threads": 2},
    ],
    ids=["final observations", "statistics", "two threads"],
)
def test_memory_stays_flat_whatever_is_returned(kwargs):
    assert_memory_stays_flat("exact", 2_000_000, num_envs=256, **kwargs)


@needs_proc
@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("precision", "env_steps"), [("fast", 1_000_000_000), ("exact", 100_000_000)]
)
def test_memory_stays_flat_for_very_long(precision, env_steps):
    assert_memory_stays_flat(precision, env_steps)


@needs_proc
def test_memory_of_held_arrays_is_given_back(opened):
    env = opened(batchsim.make_vec("CartPole-v1", 4096))
    env.reset(seed=0)
    batch = np.zeros(4096, np.int64)
    for _ in range(300):
        env.step(batch)
    growth = []
    for _ in range(4):
        held = [env.step(batch) for _ in range(400)]
        assert len({id(results[0]) for results in held}) == 400
        growth.append(resident())
        del held
        gc.collect()
    assert growth[-1] - growth[0] < 8192


@needs_proc
def test_refused_steps_leak_nothing(opened):
    env = opened(batchsim.make_vec("CartPole-v1", 1024))
    env.reset(seed=0)
    bad = np.full(1024, 2)
    good = np.zeros(1024, np.int64)

    def run():
        for _ in range(1500):
            with pytest.raises(ValueError, match="row 0"):
                env.step(bad)
            with pytest.raises(ValueError, match="shape"):
                env.step(good[:-1])
            with pytest.raises(ValueError, match="out"):
                env.step(good, out=(None, None, None, good))

    run()
    before = resident()
    run()
    assert resident() - before < 1024
