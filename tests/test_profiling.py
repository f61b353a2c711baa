"""The profiling sessions: each writes a report that names what it measured."""

import functools
import platform
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from batchsim import make_vec, registry
from batchsim.envs.egocentric.textures import BRICKS

pytest.importorskip("line_profiler")

ROOT = Path(__file__).parent.parent
# Python 3.15 has a package of this name.
sys.path.insert(0, str(ROOT))

from profiling import assembly, baseline, environment, host, kernel, pictures, ppo, report  # noqa: E402

x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly"
)

ENVIRONMENT = """
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete


class State(NamedTuple):
    x: float


OBSERVATION = Box(-10.0, 10.0, (1,), np.float32)
ACTION = Discrete(2)


def moved(x, action):
    return x + (0.5 if action == 1 else -0.5)


def reset(s, i, p, rng):
    s.x[i] = 0.0


def step(s, i, action, p, rng):
    s.x[i] = moved(s.x[i], action)
    return 1.0, abs(s.x[i]) > 2.0


def observe(s, i, p, out):
    out[0] = s.x[i]
"""


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run a session as a command; returns its status and report."""

    def call(session, *arguments):
        out = tmp_path / "report.md"
        argv = [session.__name__, *map(str, arguments), "--out", str(out)]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as end:
            report.main(session.session)
        return end.value.code or 0, out.read_text(encoding="utf-8") if out.exists() else ""

    return call


def assert_is_report(text, *names):
    """It has a head with machine and versions, something to say, and these names; no local path."""
    head, says = text.split("\n\n")[1], text.partition("## What this says\n\n")[2]
    assert re.match(
        r"Made by `python -m profiling\.\w+ .*` .*on .*; Python 3.*; \d{4}-\d\d-\d\d", head
    )
    assert 1 <= len(re.findall(r"^- ", says.partition("\n\n")[0], re.MULTILINE)) <= 3
    assert str(ROOT) not in text
    assert str(Path.home()) not in text
    for name in names:
        assert name in text, name


def test_the_baseline_shows_the_environment_its_wrappers_and_the_vector(run):
    status, text = run(baseline, "CartPole-v1", "--steps", "100", "--num-envs", "2")
    assert status == 0
    names = ["CartPoleEnv.step", "TimeLimit.step", "OrderEnforcing.step", "PassiveEnvChecker.step"]
    assert_is_report(text, *names, "SyncVectorEnv.step", "calls into NumPy")


def test_the_host_path_has_layers_and_the_lines_of_python(run):
    arguments = ("CartPole-v1", "--num-envs", "4", "--steps", "20", "--seconds", "0.01")
    status, text = run(host, *arguments, "--no-cython", "--no-perf")
    assert status == 0
    names = ["`Driver.step`", "`kernel(STEP)`", "Generators.seed", "Checks.convert", "seed_rows"]
    assert_is_report(text, "BatchEnv.reset", *names)


@pytest.mark.slow
def test_the_host_path_has_the_lines_of_cython(run):
    status, text = run(host, "CartPole-v1", "--num-envs", "4", "--steps", "20", "--no-perf")
    assert status == 0
    if sys.version_info[:2] == (3, 12):
        assert_is_report(text, "cannot be traced on Python 3.12")
    else:
        assert_is_report(
            text, "_begin, batchsim/batch/_driver.pyx", "take, batchsim/batch/_buffers.pyx"
        )


def test_an_environments_functions_are_profiled_with_those_they_call(run, tmp_path):
    file = tmp_path / "walk.py"
    file.write_text(ENVIRONMENT)
    status, text = run(environment, file, "--steps", "20", "--num-envs", "2")
    assert status == 0
    assert_is_report(text, "`reset`", "`step`", "`observe`", "`moved`", "s.x[i] = moved(")
    # Two rows, of which one that is over is reset instead of being stepped.
    calls = {name: int(n) for name, n in re.findall(r"^\| `(\w+)` +\| +(\d+)", text, re.MULTILINE)}
    assert calls["observe"] == 2 + 2 * 20
    assert calls["step"] + calls["reset"] == calls["observe"]
    assert calls["step"] == calls["moved"]


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_an_environment_is_profiled_in_both_precisions(run, precision):
    status, text = run(environment, "CartPole-v1", "--steps", "10", "--precision", precision)
    assert status == 0
    assert re.search(r"^ +\d+ +[01]\.\d\d +\d+ .* sintheta = sin\(theta\)", text, re.MULTILINE)


def test_an_iteration_of_ppo_is_split_into_its_parts(run):
    pytest.importorskip("torch")
    status, text = run(ppo, "CartPole-v1", "--num-envs", "4", "--steps", "8")
    assert status == 0
    assert_is_report(
        text,
        "Collector.collect",
        "Collector._act",
        "PPO._learn",
        "stepper.envs.step(actions, out=out)",
    )
    shares = re.findall(r"^\| \w+ +\|.*\| +([\d.]+)% \|$", text, re.MULTILINE)
    assert len(shares) == 4
    assert sum(map(float, shares)) == pytest.approx(100.0, abs=0.3)


@x86
def test_a_kernels_loops_are_counted_and_listed(run, tmp_path):
    status, text = run(kernel, "MountainCar-v0", "--precision", "fast")
    assert status == 0
    assert_is_report(text, "advance step", "restart reset", "observe")
    parts = set(re.findall(r"^\| \d+ [\w ()]+ +\| +(\w+) \|", text, re.MULTILINE))
    assert parts == {"advance", "restart", "observe"}
    listing = (tmp_path / "report.s").read_text(encoding="utf-8")
    assert "# mountain_car.py:" in listing
    assert str(ROOT) not in listing


@pytest.mark.parametrize("session", [environment, host, kernel, pictures, ppo])
def test_an_unknown_environment_is_one_sentence(run, capsys, session):
    assert run(session, "CartPol-v1") == (2, "")
    message = capsys.readouterr().err
    assert "did you mean 'CartPole-v1'?" in message
    assert message.count("\n") == 1


def test_an_unknown_id_of_gymnasium_is_one_sentence(run, capsys):
    assert run(baseline, "CartPol-v1") == (2, "")
    message = capsys.readouterr().err
    assert "'CartPol-v1'" in message
    assert message.count("\n") == 1


def test_ppo_refuses_a_batch_too_small_for_its_minibatches(run, capsys):
    pytest.importorskip("torch")
    assert run(ppo, "Pendulum-v1", "--num-envs", "2", "--steps", "1") == (2, "")
    assert "num_envs times steps is 2; expected" in capsys.readouterr().err


CODE = """
0000000000000000 <kernel>:
   0:	test   rdi,rdi
   3:	jle    40 <kernel+0x40>
   5:	movabs r9,0x0
			7: R_X86_64_64	floorf
   f:	movabs r8,0x0
			11: R_X86_64_64	.rodata.cst8+0x10
  19:	nop    DWORD PTR [rax]
  20:	vmovups zmm0,ZMMWORD PTR [rsi+rax*4]
  24:	vmulps zmm0,zmm0,ZMMWORD PTR [rsp+0x40]
  28:	vdivps zmm0,zmm0,zmm1
  2c:	vmovups ZMMWORD PTR [rsi+rax*4],zmm0
  30:	call   r9
  33:	add    rax,0x10
  37:	cmp    rdi,rax
  3a:	jne    20 <kernel+0x20>
  40:	ret
"""
LINES = """
environment.py:
environment.py                                  7                   0               x
environment.py                                  9                0x24               x
environment.py                                  0                0x30
"""


def test_a_loop_is_found_and_counted():
    code = assembly.parse_objdump(CODE, LINES, "folder")
    (loop,) = assembly.find_loops(code)
    assert loop.innermost
    assert loop.vectorised
    assert (loop.width, loop.stride) == (512, 16)
    assert dict(loop.counts) == {
        "instructions": 8,
        "packed": 2,
        "divisions": 1,
        "loads": 2,
        "stores": 1,
        "spilled loads": 1,
        "calls": 1,
        "jumps": 1,
    }
    assert dict(loop.called) == {"floorf": 1}
    places = [one.place and one.place[1] for _, one in loop.code]
    assert places == [7, 9, 9, 9, None, None, None, None]


def test_loops_within_loops_are_told_apart():
    code = assembly.parse(
        """
        xor eax, eax
.LBB0_1:
        xor ecx, ecx
.LBB0_2:
        vaddsd xmm0, xmm0, qword ptr [rsi + 8*rcx]
        inc rcx
        cmp rcx, rdx
        jne .LBB0_2
        inc rax
        cmp rax, rdi
        jne .LBB0_1
        ret
"""
    )
    outer, inner = assembly.find_loops(code)
    assert (outer.innermost, inner.innermost) == (False, True)
    assert (outer.counts["scalar"], inner.counts["scalar"]) == (0, 1)
    assert not inner.vectorised
    assert inner.stride == 1


def test_loops_are_found_in_every_function():
    code = assembly.parse(
        """
first:
.LBB0_1:
        vaddsd xmm0, xmm0, qword ptr [rsi + 8*rcx]
        inc rcx
        cmp rcx, rdx
        jne .LBB0_1
        ret
second:
        xor eax, eax
.LBB1_1:
        vaddpd zmm0, zmm0, zmmword ptr [rsi + 8*rax]
        add rax, 8
        cmp rax, rdx
        jne .LBB1_1
        ret
"""
    )
    assert [one.function for one in code] == ["first"] * 5 + ["second"] * 6
    first, second = assembly.find_loops(code)
    assert [place for place, _ in first.code] == [0, 1, 2, 3]
    assert [place for place, _ in second.code] == [6, 7, 8, 9]
    assert (first.vectorised, second.vectorised) == (False, True)


def test_functions_of_cython_have_their_names_in_python():
    prefix = "__pyx_f_8batchsim_5batch"
    assert host.demangled(f"{prefix}_8_buffers_10BufferPool_take") == "BufferPool.take"
    assert host.demangled(f"{prefix}_7_driver_6Driver__begin") == "Driver._begin"


def test_lines_of_the_first_file_have_its_name():
    heading = "CU: kernels.py:\n" + LINES.partition("\n")[2].partition("\n")[2]
    assert assembly.parse_lines(heading, "folder")[0] == ("folder/kernels.py", 7)


@pytest.fixture
def plain_pictures(monkeypatch):
    """Variants that run as plain Python: nobody waits for seven compilations."""
    monkeypatch.setattr(pictures, "make_vec", functools.partial(make_vec, backend="reference"))
    monkeypatch.setattr(pictures, "ROUNDS", 3)


def test_pictures_divides_a_step_into_its_parts(run, plain_pictures):
    options = "--num-envs", 2, "--steps", 3, "--width", 16, "--height", 9
    status, text = run(pictures, "EgoBasic-v0", *options)
    assert status == 0
    assert_is_report(text, "16 x 9 pixels", *pictures.MEANINGS)
    rows = re.findall(r"^\| [a-z -]+ \| +([\d,-]+) \| +[\d.-]+% \|$", text, re.MULTILINE)
    whole = re.search(r"takes ([\d,]+) ns on one core", text)
    parts = [int(row.replace(",", "")) for row in rows]
    assert len(parts) == len(pictures.MEANINGS)
    assert abs(sum(parts) - int(whole[1].replace(",", ""))) <= len(parts)  # rounded


def test_pictures_leaves_out_what_it_says(plain_pictures):
    definition, entry = registry.read("EgoBattle-v0")
    made = pictures.make_variants(definition, entry, 8, width=32, height=18)
    original = make_vec("EgoBattle-v0", 8, backend="reference", width=32, height=18)
    original.reset(seed=1)
    state = original.get_state()
    picture = original.set_state(state)
    np.testing.assert_array_equal(made["whole"].set_state(state), picture)
    without_sprites = made["sprites"].set_state(state)
    state["state.monster"][:], state["state.item"][:] = 0, 0
    np.testing.assert_array_equal(without_sprites, original.set_state(state))
    assert (without_sprites != picture).any()
    out = np.zeros_like(picture)
    actions = original.action_space.sample()
    for part in ("colours and write-out", "walls", "floor and ceiling", "rays"):
        made[part].set_state(state)
        made[part].step(actions, out=(out, None, None, None))
        assert not out.any()
    assert (made["bytes"].set_state(state) == 127).all()
    for envs in (*made.values(), original):
        envs.close()


def test_pictures_without_walls_are_floor_and_ceiling():
    definition, _ = registry.read("EgoBattle-v0")
    replaced = {"draw_sprites": pictures.nothing, "project": pictures.no_walls}
    bare = pictures.variant(definition, replaced)
    envs = make_vec(bare, 4, backend="reference", width=32, height=18)
    picture, _ = envs.reset(seed=1)
    state = envs.get_state()
    state["state.grid"][state["state.grid"] > 0] = BRICKS + 1
    far = [*range(7), *range(11, 18)]  # from the horizon
    np.testing.assert_array_equal(envs.set_state(state)[:, far], picture[:, far])
    whole = make_vec(pictures.variant(definition, {}), 4, backend="reference", width=32, height=18)
    whole.reset(seed=1)
    same = (whole.set_state(state)[:, far] == picture[:, far]).all(-1)
    assert 0.2 < same.mean() < 1.0
    envs.close()
    whole.close()


def test_pictures_refuses_what_draws_none(run, capsys):
    status, text = run(pictures, "CartPole-v1")
    assert (status, text) == (2, "")
    assert "CartPole-v1 does not draw with batchsim's renderer" in capsys.readouterr().err
