"""Tries the wheel in dist as a user would: `make test-wheel`.

It is installed into bare virtual environments outside the clone: once with the newest dependencies
and no compiler on the machine, as far as the example can see, and once with the oldest ones, with
which the core tests run.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs" / "examples" / "first_steps.py"
OLDEST = ROOT / "requirements" / "oldest.txt"
KNOWN = "import gymnasium; gymnasium.make_vec('batchsim/CartPole-v1', num_envs=2).close()"
"""What works without an import of batchsim, by the file that the wheel installs for it."""
CORE = (
    *("attributes", "contract", "definition", "invariance", "parity"),
    *("random", "snapshots", "spaces"),
)
"""The tests that need nothing besides what the package itself requires."""
OF_LATER_GYMNASIUM = (
    # It has no Taxi-v4, which came with 1.3.
    *("Taxi", "methods_of_the_original", "thresholds_of_a_spec"),
    # Its wrapper counts episodes otherwise in SAME_STEP, until 1.4.
    "recorded_statistics_equal",
)
"""What the oldest Gymnasium cannot be asked for: parts of the names of tests."""


def find_wheel():
    """Return the one wheel in dist that is built for this Python."""
    tag = f"cp{sysconfig.get_config_var('py_version_nodot')}"
    found = sorted((ROOT / "dist").glob(f"batchsim-*-{tag}-{tag}-*.whl"))
    if len(found) != 1:
        sys.exit(f"dist has {len(found)} wheels for {tag}; expected one (make wheel).")
    return found[0]


def installed(folder, *requirements):
    """Return the programs' folder of a new virtual environment with these."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run([programs / "python", "-m", "pip", "install", "--quiet", *requirements], folder)
    return programs


def run(command, folder, **variables):
    """Run a command that must succeed, in a folder from which the clone is not imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept |= {"BATCHSIM_CACHE_DIR": str(folder / "cache"), **variables}
    done = subprocess.run([str(part) for part in command], cwd=folder, env=kept, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed (exit status {done.returncode}).")


def main():
    """Try the wheel in both environments."""
    wheel = find_wheel()
    with tempfile.TemporaryDirectory(prefix="batchsim-wheel-") as scratch:
        bare = Path(scratch, "bare")
        programs = installed(bare, wheel)
        no_compiler = {"PATH": str(programs), "CC": "false", "CXX": "false"}
        run([programs / "python", EXAMPLE], bare, **no_compiler)
        run([programs / "python", "-c", KNOWN], bare, **no_compiler)
        print(f"{wheel.name} steps in a bare environment without a compiler.", flush=True)

        oldest = Path(scratch, "oldest")
        programs = installed(oldest, wheel, "--requirement", OLDEST)
        files = [ROOT / "tests" / f"test_{name}.py" for name in CORE]
        but = f"not ({' or '.join(OF_LATER_GYMNASIUM)})"
        run([programs / "pytest", "--quiet", "-k", but, "--numprocesses", "auto", *files], oldest)
        print(f"{wheel.name} passes the core tests with the oldest dependencies.")


if __name__ == "__main__":
    main()
