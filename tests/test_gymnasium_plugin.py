"""Ids are known to Gymnasium, whichever of the two packages is imported first, or neither."""

import subprocess
import sys
from pathlib import Path

import pytest

import batchsim
from batchsim import gymnasium_plugin

PTH = Path(gymnasium_plugin.__file__).with_suffix(".pth")
MAKE = (
    "envs = gymnasium.make_vec('batchsim/CartPole-v1', num_envs=8);"
    "env = gymnasium.make('batchsim/CartPole-v1');"
    "print(type(envs).__name__, type(env.unwrapped).__name__, env.spec.max_episode_steps)"
)


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("first", ["import batchsim, gymnasium", "import gymnasium, batchsim"])
def test_either_package_may_be_imported_first(first: str) -> None:
    assert run(f"{first}; {MAKE}") == "BatchEnv SingleEnv 500"


def test_without_importing_batchsim(tmp_path: Path) -> None:
    # The interpreter executes .pth files of its site directories at its start, in this way.
    (tmp_path / "batchsim.pth").write_text(PTH.read_text())
    code = f"import site; site.addsitedir({str(tmp_path)!r}); import gymnasium; {MAKE}"
    assert run(code) == "BatchEnv SingleEnv 500"


def test_python_starts_without_loading_batchsim_or_gymnasium(tmp_path: Path) -> None:
    (tmp_path / "batchsim.pth").write_text(PTH.read_text())
    code = (
        f"import site, sys; site.addsitedir({str(tmp_path)!r}); import json;"
        "print([name for name in ('batchsim', 'gymnasium', 'numba') if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_importing_batchsim_loads_neither_gymnasium_nor_the_compiler() -> None:
    code = (
        "import sys, batchsim; batchsim.environments();"
        "print([name for name in ('gymnasium', 'numba', 'torch') if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_environments_lists_the_registered_ids() -> None:
    assert {"CartPole-v1", "Pendulum-v1"} <= set(batchsim.environments())
