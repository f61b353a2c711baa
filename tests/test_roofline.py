"""The roofline: what a step moves and computes, and the limits that follow; no times are tested."""

import functools
import itertools
import json
import math
import sys
from typing import NamedTuple

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from batchsim.random import uniform
from benchmarks.roofline import __main__ as command_line
from benchmarks.roofline import machine, plot
from benchmarks.roofline.code import Code, count_instructions
from benchmarks.roofline.count import Counts, count_step
from benchmarks.roofline.limit import Limit, find_limit
from benchmarks.roofline.machine import Curve, Machine, Rates
from benchmarks.roofline.measure import Times
from benchmarks.roofline.run import Kernel, Point, Result, Settings, losses

KIB, MIB = 1 << 10, 1 << 20


class MadeUp:
    """Operations and bytes that can be counted at a glance."""

    class State(NamedTuple):
        x: float
        grid: np.dtype((np.int8, (3,)))
        never_touched: float

    class Params(NamedTuple):
        third: float = 3.0
        half: float = 2.0

    ACTION = Discrete(3)
    OBSERVATION = Box(-np.inf, np.inf, (1,), np.float32)

    @staticmethod
    def reset(s, i, p, rng):
        s.x[i] = 1.0
        for k in range(3):
            s.grid[i, k] = 0
        s.never_touched[i] = 0.0

    @staticmethod
    def step(s, i, action, p, rng):
        x = s.x[i]
        z = x * x + 1.0  # a product and a sum
        same = x * x + 1.0  # nothing new
        constant = p.third * p.half + 1.0  # known when a kernel is compiled
        s.grid[i, action] = 1
        s.x[i] = math.sqrt(z) / p.third  # a root and a division
        reward = max(same / p.half, constant)  # a product, as a half is exact, and a comparison
        return reward, False

    @staticmethod
    def observe(s, i, p, out):
        out[0] = s.x[i]


class Drawing(MadeUp):
    """Draws a random number in each step."""

    @staticmethod
    def step(s, i, action, p, rng):
        s.x[i] = uniform(rng, i, 0.0, 1.0)
        return 0.0, False


@functools.cache
def cartpole(precision):
    return count_step("CartPole-v1", precision)


def test_cartpoles_operations_in_fast_precision_are_those_of_a_hand_count():
    # The angle reduced once for sine and cosine: multiplied by 2/pi, a half added and rounded down;
    # three products subtracted; squared.
    reduction = {"multiply": 1 + 3 + 1, "add": 1 + 3, "round": 1}
    # r + r s (c3 + s (c5 + s (c7 + s c9))), s the square, and 1 + s (c2 + s (c4 + s (c6 + s c8)));
    # each of the two functions is one of them.
    polynomials = {"multiply": 5 + 4, "add": 4 + 4}
    # temp: 3 products, a sum, a division. thetaacc: above the line 2 products and a difference,
    # below it 3 products, a difference and a division, and the division itself. xacc: 2 products, a
    # division, a difference. Four values forward: 4 products and 4 sums.
    dynamics = {"multiply": 3 + 2 + 3 + 2 + 4, "add": 1 + 1 + 1 + 1 + 4, "divide": 1 + 1 + 1 + 1}
    for kind in ("multiply", "add", "divide", "round", "square_root"):
        by_hand = sum(part.get(kind, 0) for part in (reduction, polynomials, dynamics))
        assert cartpole("fast").of(kind, 32) == by_hand, kind
        assert cartpole("fast").of(kind, 64) == 0, kind
    assert not cartpole("fast").calls


def test_cartpoles_operations_in_exact_precision_are_those_of_a_hand_count():
    counts = cartpole("exact")
    # The dynamics alone; sine and cosine of one angle are one function of the C library.
    assert [counts.of(kind, 64) for kind in ("multiply", "add", "divide")] == [14, 8, 4]
    assert counts.calls == {"sincos": 1}
    assert counts.of("convert", 64) == 4  # of the state, to the observation's float32
    assert all(abs(angle) < 0.5 for (angle,) in counts.arguments["sincos"])


@pytest.mark.parametrize(("precision", "number"), [("fast", 4), ("exact", 8)])
def test_cartpoles_bytes_are_those_of_a_hand_count(precision, number):
    state, action, observation, reward, flags = 4 * number, 8, 4 * 4, number, 2
    elapsed, pending = 2, 1  # 500 steps fit into int16
    counts = cartpole(precision)
    assert counts.read_bytes == state + action + elapsed + pending
    assert counts.written_bytes == state + observation + reward + flags + elapsed + pending
    outputs = observation + reward + flags
    assert counts.footprint_bytes == state + action + elapsed + pending + outputs


def test_the_operations_of_a_made_up_environment_are_known():
    counts = count_step(MadeUp, "fast", rows=2, steps=16)
    floats = {name: number for name, number in counts.operations.items() if name != "integer"}
    assert floats == {
        "multiply32": 2,
        "add32": 1,
        "divide32": 1,
        "square_root32": 1,
        "compare32": 1,
    }
    assert counts.flops == 5
    assert (counts.draws, counts.calls) == (0, {})


def test_the_bytes_of_a_made_up_environment_are_known():
    counts = count_step(MadeUp, "fast", rows=2, steps=16)
    x, action, elapsed, pending = 4, 8, 8, 1  # without a time limit, elapsed is int64
    grid, observation, reward, flags = 1, 4, 4, 2  # one element of the grid
    assert counts.read_bytes == x + action + elapsed + pending
    assert counts.written_bytes == x + grid + observation + reward + flags + elapsed + pending


def test_a_draw_moves_the_random_stream():
    without = count_step(MadeUp, "fast", rows=2, steps=16)
    counts = count_step(Drawing, "fast", rows=2, steps=16)
    words = 8
    assert counts.draws == 1
    # Position and increment are read, the position is written; x is not read, the grid not written.
    assert counts.read_bytes == without.read_bytes - 4 + 4 * words
    assert counts.written_bytes == without.written_bytes - 1 + 2 * words


def test_counting_changes_nothing_that_is_counted():
    assert count_step(MadeUp, "exact", rows=2, steps=16) == count_step(
        MadeUp, "exact", rows=2, steps=16
    )


# --- Limits ---------------------------------------------------------------------------------------


def made_up_machine():
    operations = {f"{kind}{bits}": 8.0 for kind in ("add", "multiply") for bits in (32, 64)}
    operations |= {"mixed32": 16.0, "mixed64": 8.0}
    operations |= {f"{kind}{bits}": 1.0 for kind in ("divide", "square_root") for bits in (32, 64)}
    curve = Curve((8 * KIB, 32 * KIB, 4 * MIB), (100.0, 100.0, 10.0))
    loops = ("read", "write", "copy", "mix")
    levels = {name: dict.fromkeys(loops, rate) for name, rate in (("L1", 100.0), ("memory", 10.0))}
    rates = Rates(curve, levels, operations)
    return Machine({"L1": 32 * KIB}, "a test", 64, 3.0, 1, rates, rates)


def made_up_counts(bytes=50.0, calls=None, **operations):
    return Counts(bytes / 2, bytes / 2, bytes, operations, calls or {}, {}, 0.0)


@pytest.mark.parametrize(
    ("counts", "num_envs", "binding", "ns"),
    [
        (made_up_counts(), 10, "L1 bandwidth", 0.5),
        (made_up_counts(), 1_000_000, "memory", 5.0),
        (made_up_counts(add32=80), 10, "arithmetic", 10.0),
        (made_up_counts(add32=80, multiply32=80), 10, "arithmetic", 10.0),
        (made_up_counts(add64=80, multiply64=80), 10, "arithmetic", 20.0),
        (made_up_counts(divide32=2, square_root64=1), 10, "divider", 3.0),
        (made_up_counts(calls={"sin": 2}), 10, "libm", 14.0),
    ],
)
def test_the_slowest_part_is_the_limit(counts, num_envs, binding, ns):
    limit = find_limit(counts, made_up_machine(), num_envs, 1, {"sin": 7.0})
    assert (limit.binding, limit.ns) == (binding, pytest.approx(ns))


def test_bandwidth_is_interpolated_between_the_sizes_that_were_measured():
    curve = Curve((KIB, 4 * KIB), (100.0, 25.0))
    assert curve.at(KIB / 2) == pytest.approx(100.0)
    assert curve.at(2 * KIB) == pytest.approx(50.0)
    assert curve.at(MIB) == pytest.approx(25.0)


def made_up_kernel(env_id="CartPole-v1", precision="fast", kernel_ns=4.0, **operations):
    counts = made_up_counts(**(operations or {"add32": 20, "multiply32": 28}))
    limit = find_limit(counts, made_up_machine(), 1024, 1, {})
    times = Times(kernel_ns, 0.25, 0.5)
    point = Point(1024, 50 * 1024, limit, limit, times, kernel_ns + 1.5, kernel_ns + 1.5)
    return Kernel(env_id, precision, counts, {}, Code(48, 0, 200), (point,))


def test_the_losses_and_the_limit_are_the_time_of_a_step():
    kernel = made_up_kernel(kernel_ns=20.0)
    (point,) = kernel.points
    found = losses(kernel, point)
    assert set(found) == {"host overhead", "action check", "resets", "other instructions"}
    assert sum(found.values()) + point.limit.ns == pytest.approx(point.step)


def test_vector_code_is_told_from_its_instructions():
    listing = """
     4:\tvmulps %zmm1,%zmm2,%zmm3
     a:\tvaddps (%rax),%zmm2,%zmm3
    10:\tvpermt2ps %zmm1,%zmm2,%zmm3
    16:\tvdivps %zmm1,%zmm2,%zmm3
    1c:\tvaddps %xmm1,%xmm2,%xmm3
    22:\tvmulss %xmm1,%xmm2,%xmm3
    28:\tvmulpd %zmm1,%zmm2,%zmm3
    """
    code = count_instructions(listing)
    assert code == Code(packed32=2, packed64=1, packed=5)
    assert code.is_vector_code(made_up_counts(add32=3, multiply32=3))
    assert not code.is_vector_code(made_up_counts(add32=6, multiply32=3))
    assert count_instructions("   4:\tfmul v0.4s, v1.4s, v2.4s") is None


# --- The machine and the command line -------------------------------------------------------------


@pytest.fixture
def small_machine(monkeypatch):
    """A machine that is measured in little time."""
    caches = {"L1": 32 * KIB, "L2": 256 * KIB}
    monkeypatch.setattr(machine, "find_caches", lambda: (caches, "a test"))
    monkeypatch.setattr(machine, "LEAST_MEMORY", MIB)
    monkeypatch.setattr(machine, "SWEEPS", 1)


def test_the_caches_are_found_in_ascending_order():
    caches, source = machine.find_caches()
    assert source
    assert list(caches) == sorted(caches)
    assert sorted(caches.values()) == list(caches.values())


@pytest.mark.usefixtures("small_machine")
def test_the_command_writes_json_and_two_plots(tmp_path, monkeypatch, capsys):
    files = {"--json": tmp_path / "roofline.json", "--plot": tmp_path / "roofline.png"}
    arguments = ["--precision", "fast", "--num-envs", "64,128", "--seconds", "0.002"]
    arguments += [str(part) for pair in files.items() for part in pair]
    assert run(monkeypatch, *arguments) == 0
    assert "CartPole-v1 fast" in capsys.readouterr().out
    document = json.loads(files["--json"].read_text())
    (kernel,) = document["kernels"]
    assert kernel["counts"]["operations"]["divide32"] == 4
    assert [point["num_envs"] for point in kernel["points"]] == [64, 128]
    assert all(point["limit"]["binding"] for point in kernel["points"])
    assert document["measured"]["one"]["operations"]["add32"] > 0.0
    for path in (files["--plot"], tmp_path / "roofline-steps.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--env", "CartPole-v2"], "did you mean 'CartPole-v1'?"),
        (["--env", "CartPole-v1,Pendulm-v1"], "did you mean 'Pendulum-v1'?"),
        (["--precision", "exakt"], "did you mean 'exact'?"),
        (["--num-envs", "0"], "expected positive whole numbers"),
        (["--seconds", "-1"], "expected a positive number"),
        (["--plot", "roofline.gif3"], "expected a name that ends in .png or .svg"),
        (["--json", "/nowhere/roofline.json"], "cannot be written"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_status_2(arguments, sentence, monkeypatch, capsys):
    assert run(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def run(monkeypatch, *arguments):
    """Return the status that the command ends with."""
    monkeypatch.setattr(sys, "argv", ["roofline", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    return ended.value.code or 0


def test_names_in_the_roofline_do_not_overlap(tmp_path, monkeypatch):
    boxes = []
    draw_points = plot._draw_points

    def draw(*arguments):
        boxes.extend(draw_points(*arguments))
        return boxes

    monkeypatch.setattr(plot, "_draw_points", draw)
    kernels = [
        made_up_kernel(f"Environment{k}-v0", kind, 4.0 + 0.02 * k, add32=20 + k)
        for k in range(6)
        for kind in ("fast", "exact")
    ]
    settings = Settings(
        tuple({kernel.env_id: 0 for kernel in kernels}), ("fast", "exact"), (1024,), 1.0
    )
    description = {"cpu": "a CPU", "threads": 1, "system": "a system"}
    result = Result(settings, "2026-01-01", description, {}, made_up_machine(), tuple(kernels))
    plot.draw_roofline(result, tmp_path / "roofline.svg")
    assert len(boxes) == len(kernels)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_a_limit_names_the_level_that_its_working_set_lies_in():
    assert Limit(1.0, 0.5, 0.5, 0.0, "L2").binding == "L2 bandwidth"
    assert Limit(1.0, 0.5, 0.5, 0.0, "memory").binding == "memory"
