"""What kernels are compiled for: masked vector loops around calls, which LLVM gets wrong."""
# ruff: noqa: N805 - the author's contract: plain functions, whose first argument is the state

import os
import re
import subprocess
import sys
from typing import NamedTuple

import llvmlite.binding as llvm
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import batchsim
from batchsim.compiler import compile, target
from batchsim.compiler.lanes import FUSES
from batchsim.math import sin
from batchsim.random import uniform

AVX512 = "+avx2,+avx512bw,+avx512cd,+avx512dq,+avx512f,+avx512vl,+bmi,+bmi2,+f16c,+fma"
TRIPLE = "x86_64-unknown-linux-gnu"

# The fewest lines that LLVM 20 to 22 make wrong code of: a mask from eight bytes is needed for
# eight numbers before two calls, and for these and eight bytes after them.
MASK_OVER_CALLS = """
declare <8 x double> @f(<8 x double>)
declare <8 x double> @llvm.masked.load.v8f64.p0(ptr, i32, <8 x i1>, <8 x double>)
declare void @llvm.masked.store.v8f64.p0(<8 x double>, ptr, i32, <8 x i1>)
declare void @llvm.masked.store.v8i8.p0(<8 x i8>, ptr, i32, <8 x i1>)

define void @step(ptr %over, ptr %x, ptr %flags) {
  %bytes = load <8 x i8>, ptr %over, align 1
  %mask = icmp eq <8 x i8> %bytes, zeroinitializer
  %a = call <8 x double> @llvm.masked.load.v8f64.p0(ptr %x, i32 8, <8 x i1> %mask, <8 x double> poison)
  %b = call <8 x double> @f(<8 x double> %a)
  %c = call <8 x double> @f(<8 x double> %b)
  call void @llvm.masked.store.v8f64.p0(<8 x double> %c, ptr %x, i32 8, <8 x i1> %mask)
  call void @llvm.masked.store.v8i8.p0(<8 x i8> zeroinitializer, ptr %flags, i32 1, <8 x i1> %mask)
  ret void
}
"""  # noqa: E501


def assembly(features):
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        kind = llvm.Target.from_triple(TRIPLE)
        module = llvm.parse_assembly(MASK_OVER_CALLS)
    except RuntimeError as error:  # another processor's LLVM, or one of before opaque pointers
        pytest.skip(f"this LLVM cannot compile it: {error}")
    module.triple = TRIPLE
    machine = kind.create_target_machine(cpu="skylake-avx512", features=features, opt=3)
    return machine.emit_assembly(module)


def clears_upper_bits(text):
    """Whether anything is done between the comparison and the masked store of bytes that clears the
    upper eight of the sixteen bits that the comparison sets.
    """
    # In either syntax of assembly: Numba may have chosen Intel's for the whole process.
    compared = re.search(r"vptestnmb\s.*", text).end()
    stored = re.search(r"vmovdqu8\s.*\{%?k\d\}", text).start()
    return re.search(r"kmovb\s+%?k\d, %?k\d|kshiftrw", text[compared:stored]) is not None


def test_this_llvm_has_the_fault_that_is_kept_out_of_kernels():
    """Skipped where LLVM is right: once it is for all versions in use, leave nothing out."""
    if clears_upper_bits(assembly(AVX512)):
        pytest.skip(f"LLVM {llvm.llvm_version_info} clears the upper bits of masks")
    assert clears_upper_bits(assembly(target.without_faults(AVX512, TRIPLE)))


def test_features_that_would_bring_what_is_left_out_go_with_it():
    # Half-precision numbers need avx512dq.
    text = assembly(target.without_faults(f"{AVX512},+avx512fp16", TRIPLE))
    assert clears_upper_bits(text)
    assert "kmovb" not in text


def test_nothing_is_left_out_on_other_processors():
    assert target.without_faults("+neon", "aarch64-apple-darwin") == "+neon"
    assert target.without_faults("", TRIPLE) == "-avx512dq"


def test_kernels_are_compiled_for_what_is_left():
    if not target.processor()[0].startswith("x86"):
        pytest.skip("no x86 processor")
    assert target.processor()[2].endswith("-avx512dq")


class Substeps:
    """Two calls of a vector function in a loop over rows that are stepped if they are not over."""

    class State(NamedTuple):
        x: float
        n: int

    ACTION = Discrete(2)
    OBSERVATION = Box(-np.inf, np.inf, (1,), np.float64)

    def reset(s, i, p, rng):
        s.x[i] = uniform(rng, i, -1.0, 1.0)
        s.n[i] = 0

    def step(s, i, action, p, rng):
        for _ in range(2):
            s.x[i] = s.x[i] + 0.05 * sin(s.x[i]) + 0.02 * (action - 0.5)
        s.n[i] += 1
        return s.x[i], s.n[i] >= 15

    def observe(s, i, p, out):
        out[0] = s.x[i]


class Falling:
    """Two calls of a vector function and a column of bytes, under an author's own condition."""

    class State(NamedTuple):
        x: float
        falling: bool
        lives: np.int8

    ACTION = Discrete(2)
    OBSERVATION = Box(-np.inf, np.inf, (2,), np.float64)

    def reset(s, i, p, rng):
        s.x[i] = uniform(rng, i, -1.0, 1.0)
        s.falling[i] = uniform(rng, i, 0.0, 1.0) < 0.3
        s.lives[i] = 100

    def step(s, i, action, p, rng):
        if not s.falling[i]:
            s.x[i] = s.x[i] + 0.05 * sin(s.x[i])
            s.x[i] = s.x[i] + 0.05 * sin(s.x[i])
            s.lives[i] -= 1
        return s.x[i], s.lives[i] <= 80

    def observe(s, i, p, out):
        out[0] = s.x[i]
        out[1] = s.lives[i]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
@pytest.mark.parametrize("definition", [Substeps, Falling])
def test_masked_loops_around_calls_step_each_row_once(definition, mode):
    native, reference = (
        batchsim.make_vec(definition, 1000, autoreset_mode=mode, backend=backend)
        for backend in ("native", "reference")
    )
    actions = np.random.default_rng(1).integers(0, 2, (25, 1000))
    np.testing.assert_array_equal(*(envs.reset(seed=3)[0] for envs in (native, reference)))
    for k in range(14 if mode == "Disabled" else 25):
        for one, other in zip(native.step(actions[k]), reference.step(actions[k]), strict=True):
            if isinstance(one, np.ndarray):
                np.testing.assert_array_equal(one, other, err_msg=f"step {k}")


def test_nothing_is_optimised_but_the_parts_of_a_kernel(monkeypatch, tmp_path):
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compile, "_loaded", {})
    monkeypatch.setattr(compile, "_loaded_code", {})
    optimised = []
    original = target._Library._optimize_final_module

    def optimise(library):
        optimised.append(library)
        original(library)

    monkeypatch.setattr(target._Library, "_optimize_final_module", optimise)
    batchsim.make_vec(Substeps, 3)
    assert len(optimised) == 3
    # Versions for vectors, which the loop alone calls, are in the part that steps rows.
    assert "batchsim_sin_" in optimised[0].get_asm_str() or not FUSES


def test_masked_loops_write_their_own_rows_alone():
    envs = batchsim.make_vec(Substeps, 1024)
    envs.reset(seed=3)
    flags = np.ones((3, 1024), np.bool_)
    for _ in range(20):
        envs.step(np.zeros(1024, np.int64), out=(None, None, None, flags[1]))
        assert flags[0].all()
        assert flags[2].all()


ASSEMBLE = """
import sys
import batchsim
from batchsim.batch import vector
from batchsim.compiler import compile
sys.path.insert(0, {tests!r})
import test_target

def print_assembly(spec):
    for part in compile.assemble(spec):
        print(part.assembly)
    raise SystemExit

vector.compile.compile_native = print_assembly
batchsim.make_vec(test_target.Falling, 64)
"""


def test_on_processors_with_masks_no_kernel_clears_their_upper_bits_by_a_copy():
    """Compiled, not run: every x86 processor can tell."""
    if not target.processor()[0].startswith("x86"):
        pytest.skip("no x86 processor")
    features = {"NUMBA_CPU_NAME": "skylake-avx512", "NUMBA_CPU_FEATURES": AVX512}
    code = ASSEMBLE.format(tests=os.path.dirname(__file__))
    text = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **features},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert re.search(r"vptestnmb\s+%xmm", text), "no mask of bytes: the example shows nothing"
    assert re.search(r"vmovdqu8\s+%xmm\d+, .*\{%k\d\}", text)
    assert "kmovb" not in text
