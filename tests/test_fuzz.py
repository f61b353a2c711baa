"""Random definitions do the same in every way of running them, and random configurations of the
built-in ids do what Gymnasium does; both from new seeds each time.
"""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import ast
import builtins
import dis
import functools
import inspect
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import canaries
import gymnasium
import llvmlite.binding
import numba
import numpy as np
import pytest
import rows
from fuzz import (
    configurations,
    expressions,
    functions,
    generator,
    harness,
    machine_code,
    reducer,
    vocabulary,
)
from fuzz.__main__ import CPUS

import batchsim
from batchsim.compiler.safety import may_step_finished_rows
from batchsim.definition import Definition

ROOT = Path(__file__).parents[1]
X86 = platform.machine() in ("x86_64", "AMD64")


def new_seed():
    """A seed of its own for each run; BATCHSIM_FUZZ_SEED repeats one."""
    return int(os.environ.get("BATCHSIM_FUZZ_SEED", int.from_bytes(os.urandom(4), "little")))


@pytest.mark.timeout(3000)  # 6 kernels to compile, in the worst case twice
@pytest.mark.parametrize("share", range(4))
@pytest.mark.parametrize("cpu", ["avx512", "avx2"] if X86 else ["native"])
def test_random_definitions_do_the_same_in_every_way(cpu, share):
    has = {f"+{name}" for name, there in llvmlite.binding.get_host_cpu_features().items() if there}
    needed = set(CPUS[cpu].get("NUMBA_CPU_FEATURES", "").split(",")) - {""}
    if not needed <= has:
        pytest.skip(f"this processor has not {', '.join(sorted(needed - has))}")
    command = [sys.executable, "-m", "tests.fuzz", "--definitions", "6", "--cpu", cpu]
    command += ["--seed", str(new_seed()), "--first", str(6 * share)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(900)
@pytest.mark.parametrize("share", range(4))
def test_random_configurations_have_gymnasiums_bits(share):
    seed = new_seed()
    for number in range(10 * share, 10 * share + 10):
        try:
            configurations.check(seed, number)
        except AssertionError as difference:
            again = f"python -m tests.fuzz --configurations 1 --seed {seed} --first {number}"
            pytest.fail(f"{difference}\nagain: {again}")


def test_random_functions_of_rows_have_numpys_bits():
    seed = new_seed()
    for number in range(12):
        source = functions.generate(seed, number)
        try:
            different = rows.differences(functions.load(source), *source.arrays)
        except numba.TypingError as error:
            if "in an order that is not known" in str(error):
                continue  # Refused, as it may be on some processors.
            raise AssertionError(f"{seed}, {number}:\n{source.text}") from error
        assert different == [], f"{seed}, {number}:\n{source.text}"


# --- What is generated ----------------------------------------------------------------------------


@functools.cache
def text(number):
    return generator.generate(3, number)


def texts(count):
    return [text(number) for number in range(count)]


def test_a_number_of_a_seed_is_always_the_same_definition():
    assert generator.generate(3, 7).text == generator.generate(3, 7).text
    assert generator.generate(3, 7).text != generator.generate(4, 7).text


def test_every_kind_of_thing_is_generated():
    whole = "\n".join(source.text for source in texts(1000))
    nodes = list(ast.walk(ast.parse(whole)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    assert names >= {
        *("sin", "cos", "power", "wrap_angle", "wrap_turns", "sin32", "cos32"),
        *("random", "uniform", "integers", "standard_normal", "normal", "choice"),
        *("choice_weighted", "choice_without_replacement", "shuffle", "permutation"),
        *("binomial", "exponential", "gamma", "geometric", "poisson"),
    }
    for kind in generator.KINDS:
        assert f"RANDOM = {kind!r}" in whole or kind == "numpy.random.Generator"
    kinds = set(map(type, nodes))
    assert kinds >= {ast.For, ast.While, ast.Break, ast.Continue, ast.IfExp, ast.AugAssign}
    for part in ("Scratch", "Params", "Options", "Arguments", "Info"):
        assert f"class {part}(NamedTuple)" in whole
    for dtype in expressions.DTYPES:
        assert f": {generator.ANNOTATIONS.get(dtype, f'np.{dtype}')}\n" in whole
    for space in ("Discrete", "Box", "MultiDiscrete", "MultiBinary", "Dict", "Tuple"):
        assert f"OBSERVATION = spaces.{space}(" in whole
    # What has been miscompiled: small steps of vector functions, a narrow number under a flag.
    assert any("+ 0.05 * sin(" in source.text for source in texts(40))
    assert any("    s.a1[i] -= 1" in source.text for source in texts(1000))


def test_what_waits_for_a_switch_is_generated_with_it_alone():
    switch = frozenset(["promotion"])
    plain, other = (
        [generator.generate(3, k, on).text for k in range(60)] for on in (frozenset(), switch)
    )
    assert not any(" * 0.1)" in text for text in plain)
    assert any(" * 0.1)" in text for text in other)
    words = vocabulary.WORDS + vocabulary.CALLS
    assert {word.switch for word in words} - {""} == set(vocabulary.SWITCHES)


@pytest.fixture
def modules(tmp_path):
    """Some definitions, imported."""
    found = [
        harness.load(source.text, f"fuzz_some_{number}", tmp_path)
        for number, source in enumerate(texts(80))
    ]
    yield found
    for module in found:
        sys.modules.pop(module.__name__)


def test_functions_use_names_that_are_there(modules):
    for module in modules:
        known = {*vars(module), *dir(builtins)}
        for function in filter(inspect.isfunction, vars(module).values()):
            if function.__module__ == module.__name__:
                used = {i.argval for i in dis.get_instructions(function) if "GLOBAL" in i.opname}
                assert used <= known, function


def test_harmless_and_guarded_steps_are_both_common(modules):
    found = [may_step_finished_rows(Definition(module, "Random-v0")) for module in modules]
    assert 0.2 <= np.mean(found) <= 0.7


def test_machine_code_can_be_read_without_being_run(tmp_path):
    ((number, text, assembly),) = machine_code.assemblies(3, [0], tmp_path)
    assert (number, text) == (0, generator.generate(3, 0).text)
    assert "\tret" in assembly


# --- What is noticed ------------------------------------------------------------------------------


class WritesBesideColumns:
    class State(NamedTuple):
        x: float

    OBSERVATION = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float64)
    ACTION = gymnasium.spaces.Discrete(2)

    def reset(s, i, p, rng):
        s.x[i] = 0.0

    def step(s, i, action, p, rng):
        s.x[i + action] = 1.0
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = s.x[i]


class WritesBesideOutputs(WritesBesideColumns):
    """Finds no room for the second number of the last row."""

    def step(s, i, action, p, rng):
        return 0.0, False

    def observe(s, i, p, out):
        out[0] = s.x[i]
        out[1 + int(0.0 * s.x[i])] = s.x[i]  # A number that is written there would be refused.


@pytest.mark.parametrize("definition", [WritesBesideColumns, WritesBesideOutputs])
def test_what_is_written_beside_an_array_is_noticed(definition):
    noticed = pytest.raises(AssertionError, match="8 bytes beside an array")
    with noticed, canaries.guard() as guarded:
        env = batchsim.make_vec(definition, 5, num_threads=1)
        env.reset(seed=0)
        subject = harness.Subject("native", env, False, np.random.default_rng(0), guarded)
        for _ in range(5):
            subject.step(np.ones(5, np.int64))


DIFFERS = """
from typing import NamedTuple

import numpy as np
from gymnasium import spaces

OBSERVATION = spaces.Box(-np.inf, np.inf, (1,), np.float64)
ACTION = spaces.Discrete(2)


class State(NamedTuple):
    x: float
    a: np.int8


def reset(s, i, p, rng):
    s.x[i] = 0.0
    s.a[i] = 100


def step(s, i, action, p, rng):
    if action == 1:
        s.x[i] = float(int(s.a[i]) ** 10)
    return 0.0, False


def observe(s, i, p, out):
    out[0] = s.x[i]
"""


def test_a_difference_is_told_with_its_field_row_and_step(tmp_path):
    """Python's whole numbers have more than the 64 bits of compiled code."""
    source = generator.Source(DIFFERS, "plain", {}, {}, {})
    with pytest.raises(harness.Difference) as found:
        harness.check(DIFFERS, source, 1, 4, tmp_path, checked=False)
    told = str(found.value)
    assert "observation: " in told
    assert "step 0, native against reference" in told
    assert "[7.766279631452242e+18], not [1e+20]" in told


def test_a_definition_is_reduced_to_what_makes_it_fail():
    text = next(source.text for source in texts(100) if source.text.count("s.age[i] = min(") == 1)
    smaller = reducer.reduced(text, lambda some: "s.age[i] = min(" in some, attempts=1000)
    step = next(node for node in ast.parse(smaller).body if getattr(node, "name", "") == "step")
    assert [ast.unparse(node) for node in step.body] == ["s.age[i] = min(s.age[i] + 1, 1000)"]
