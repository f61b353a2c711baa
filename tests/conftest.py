"""Set-up of the tests: a kernel cache of their own, and the option `--slow`."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

if "BATCHSIM_CACHE_DIR" not in os.environ:
    # Before batchsim is imported: every kernel is compiled once, by whichever process needs it
    # first, and never comes from an earlier state of the code.
    _directory = tempfile.mkdtemp(prefix="batchsim-tests-")
    os.environ["BATCHSIM_CACHE_DIR"] = _directory
    _owner = os.getpid()

    @atexit.register
    def _remove_cache():
        if os.getpid() == _owner:  # not in a forked child
            shutil.rmtree(_directory, ignore_errors=True)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; runs with --slow only")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes minutes; run with --slow"))


# The kernels that many tests need; a run of them all compiles these first, on all processors.
MANY_TESTS = 500
COMPILE = """
import batchsim
for settings in {settings}:
    for name in batchsim.environments():
        batchsim.make_vec(name, **settings).close()
"""
SETTINGS = [
    {"autoreset_mode": mode, "precision": precision, "record_episode_statistics": statistics}
    for precision, statistics in (("exact", False), ("exact", True), ("fast", False))
    for mode in ("NextStep", "SameStep", "Disabled")
    if precision == "exact" or mode != "Disabled"
]


def pytest_collection_finish(session):
    if len(session.items) < MANY_TESTS or session.config.option.collectonly:
        return
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMPILE.format(settings=SETTINGS[k::workers])],
            env=environment,
            stderr=subprocess.DEVNULL,  # A test says it better.
        )
        for k in range(min(workers, len(SETTINGS)))
    ]
    for process in processes:
        process.wait()


@pytest.fixture
def opened():
    """Close at the end of the test whatever was passed through this function."""
    envs = []

    def keep(env):
        envs.append(env)
        return env

    yield keep
    for env in envs:
        env.close()
