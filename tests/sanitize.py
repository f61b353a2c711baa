"""Builds the extension modules with GCC's sanitizers and stresses them: `make sanitize`.

    python tests/sanitize.py [thread] [address] [undefined]

Each build lies in a place of its own below build/, and the installed one stays as it is. Before the
stress tests run, each sanitizer must find a fault that is made on purpose: one that finds nothing
may be one that does not look.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
BUILD = ROOT / "build"

# Two halves are stepped by the workers while the whole is: the documentation forbids it.
RACE = """
import numpy as np, witness, os, batchsim
with witness.watching(os.environ["BATCHSIM_WITNESS"]):
    env = batchsim.make_vec("CartPole-v1", 20_000, num_threads=2)
    env.reset(seed=0)
    for _ in range(5):
        env.step(np.ones(20_000, np.int64))
    for _ in range(20):
        halves = env.split()
        for made in (*halves, env):
            made.send(np.ones(made.num_envs, np.int64))
        for made in (*halves, env):
            made.recv()
"""

# The values want a row more than the rewards have.
OVERRUN = """
import numpy as np, test_stress
zeros = lambda dtype: np.zeros((3, 999), dtype)
number, flag = np.float32, np.uint8
test_stress.load_rollout_loops().estimate_advantages(
    zeros(number), zeros(number), zeros(flag), zeros(flag), np.zeros(999, flag), None, 0.9, 0.9,
    zeros(number), zeros(number), zeros(flag), np.zeros(999))
"""

OVERFLOW = """
import numpy as np, test_stress
ones = np.ones((1, 1), np.uint8)
test_stress.load_rollout_loops().count_episodes(
    np.ones((1, 1)), ones, ones, ones, np.zeros(1), np.array([2**63 - 1]))
"""

FAULTS = {
    "undefined": (OVERFLOW, "signed integer overflow"),
    "address": (OVERRUN, "heap-buffer-overflow"),
    "thread": (RACE, "data race"),
}
"""A program with a fault for each sanitizer, and what is reported of it. The first sanitizer slows
Python down least, and leaves the kernels that it compiled to the others."""

OPTIONS = {
    # Without die_after_fork no child of a process with threads may start any.
    # No report needs to be suppressed: of what is not instrumented (Python, NumPy, LLVM), locks and
    # memcpy are seen, and nothing else.
    "thread": "die_after_fork=0 history_size=7",
    # What Python holds when it ends is no leak.
    "address": "detect_leaks=0 detect_stack_use_after_return=1",
    "undefined": "print_stacktrace=1",
}
RUNTIMES = {"thread": ["libtsan.so"], "address": ["libasan.so"], "undefined": []}


def library_of_gcc(name):
    """Return the path of one of the compiler's own libraries."""
    command = ["g++", f"-print-file-name={name}"]
    path = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    if not os.path.isabs(path):
        sys.exit(f"GCC has no {name}; install it (Debian and Ubuntu: apt install g++).")
    return path


def build(sanitizer, folder):
    """Build the package, and the witness, into `folder`."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "setup.py", "-q", "build", "--parallel", "2"]
    command += ["--build-base", folder, "--build-lib", folder / "lib"]
    run(command, cwd=ROOT, env={**os.environ, "BATCHSIM_SANITIZE": sanitizer})
    flags = ["-std=c++20", "-O1", "-g", "-fPIC", "-shared", f"-fsanitize={sanitizer}"]
    run(["g++", *flags, TESTS / "witness.cpp", "-o", folder / "witness.so"])


def run(command, **kwargs):
    """Run a command that must succeed."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **kwargs
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{command[0]} failed (exit status {done.returncode}).")


def environment(sanitizer, folder):
    """Return the environment variables that Python runs with under the sanitizer."""
    options = f"{OPTIONS[sanitizer]} exitcode=66 log_path={folder / 'report'}"
    name = {"thread": "TSAN", "address": "ASAN", "undefined": "UBSAN"}[sanitizer]
    # The C++ library too: the runtimes look for it when they start, before any module needs it.
    preloaded = [library_of_gcc(file) for file in (*RUNTIMES[sanitizer], "libstdc++.so")]
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(preloaded),
        f"{name}_OPTIONS": options,
        "PYTHONPATH": str(folder / "lib"),
        "PYTHONMALLOC": "malloc",  # each of Python's objects a block that the sanitizer knows
        "BATCHSIM_CACHE_DIR": str(BUILD / "sanitize-kernels"),
        "BATCHSIM_WITNESS": str(folder / "witness.so"),
        "BATCHSIM_STRESS": os.environ.get("BATCHSIM_STRESS", "3"),
        "OMP_WAIT_POLICY": "passive",
    }


def command_of(*arguments):
    """Return how Python is run: with a memory map that ThreadSanitizer can live with."""
    bits = Path("/proc/sys/vm/mmap_rnd_bits")
    fixed = ["setarch", "-R"] if bits.exists() and int(bits.read_text()) > 28 else []
    return [*fixed, sys.executable, *arguments]


def reports(folder):
    """Return what the sanitizer has reported, and forget it."""
    found = sorted(folder.glob("report.*"))
    texts = [path.read_text(errors="replace") for path in found]
    for path in found:
        path.unlink()
    return "".join(texts)


def check(sanitizer):
    """Return what is wrong under a sanitizer, or None."""
    folder = BUILD / f"sanitize-{sanitizer}"
    start = time.monotonic()
    print(f"{sanitizer}: building", flush=True)
    build(sanitizer, folder)
    built = time.monotonic()
    variables = environment(sanitizer, folder)
    program, report = FAULTS[sanitizer]
    # In the folder of the tests, where no batchsim lies that would be imported instead.
    subprocess.run(
        command_of("-c", program), cwd=TESTS, env=variables, stderr=subprocess.DEVNULL, check=False
    )
    if report not in reports(folder):
        return f"it did not report the {report} that was made on purpose"
    pytest = ["-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "test_stress.py"]
    done = subprocess.run(command_of(*pytest), cwd=TESTS, env=variables, check=False)
    ended = time.monotonic()
    print(f"{sanitizer}: built in {built - start:.0f} s, stressed in {ended - built:.0f} s")
    found = reports(folder)
    if found:
        return f"it reported:\n{found}"
    return f"the stress tests ended with status {done.returncode}" if done.returncode else None


def main():
    """Check with each sanitizer that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sanitizers", nargs="*", choices=[*FAULTS, []], metavar="sanitizer")
    chosen = parser.parse_args().sanitizers or list(FAULTS)
    if not sys.platform.startswith("linux"):
        sys.exit("The sanitizers are run on Linux only.")
    failures = {sanitizer: check(sanitizer) for sanitizer in chosen}
    for sanitizer, failure in failures.items():
        print(f"{sanitizer}: {failure or 'clean'}")
    sys.exit(any(failures.values()))


if __name__ == "__main__":
    main()
