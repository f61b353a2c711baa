"""The command `doctor`: what it finds, on this machine and on others that are made up."""

import builtins
import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from batchsim.__main__ import main
from batchsim.batch import processors
from batchsim.compiler import cache
from batchsim.doctor import diagnosis as diagnosing
from batchsim.doctor import facts, measure, report
from batchsim.doctor.diagnosis import Diagnosis, examine, to_json
from batchsim.doctor.findings import judge

ROOT = Path(__file__).parent.parent

HEALTHY = {
    "versions": {
        "python": "3.12.1",
        "batchsim": "0.1.0",
        "numpy": "2.4.6",
        "torch": "2.13.0",
        "extension": {"cython": "3.3.1", "older_than_source": False},
    },
    "extras": {"torch": [], "render": ["pygame"], "sb3": ["stable_baselines3"]},
    "cpu": {
        "model": "A CPU",
        "vector_bits": 256,
        "features": ["avx2", "fma"],
        "fuses": True,
        "cpus": 16,
        "affinity": list(range(16)),
        "quota": None,
        "usable": 16,
    },
    "c_library": {"name": "glibc 2.36", "in_place": True},
    "threads": {"batchsim": 16, "environment": dict.fromkeys(facts.VARIABLES)},
    "load": {"average": [0.1, 0.2, 0.3], "busy": 0.02, "stolen": 0.0},
    "memory": {"total": 64e9, "available": 60e9, "limit": None},
    "checked": {"checked": False, "variable": None},
    "cards": {"cards": [], "driver": None},
    "steps": {
        "env_id": "CartPole-v1",
        "first_use": 0.3,
        "steps": [
            {"num_envs": 64, "threads": 1, "seconds": 1e-6, "ns_a_row": 15.6},
            {"num_envs": 64, "threads": 16, "seconds": 1e-6, "ns_a_row": 15.6},
            {"num_envs": 16384, "threads": 1, "seconds": 150e-6, "ns_a_row": 9.2},
            {"num_envs": 16384, "threads": 16, "seconds": 15e-6, "ns_a_row": 0.9},
        ],
    },
    "cache": {"directory": "/c", "chosen": None, "error": None, "files": 3, "bytes": 400_000},
    "wake_up": {"seconds": 20e-6},
    "torch": {"version": "2.13.0", "threads": 16, "interop_threads": 16},
    "cuda": {"available": False, "built_for": None, "why_not": "it is built without CUDA"},
    "forward": {
        "rows": 64,
        "timings": [
            {"threads": 1, "median": 1e-3, "mean": 1e-3, "slowest": 1e-3, "calls": 9},
            {"threads": 16, "median": 1e-4, "mean": 1e-4, "slowest": 1e-4, "calls": 9},
        ],
    },
}


def with_changes(changes):
    """The healthy machine with values at some paths replaced: {"cpu.usable": 1}."""
    changed = copy.deepcopy(HEALTHY)
    for path, value in changes.items():
        *parts, last = path.split(".")
        place = changed
        for part in parts:
            place = place[int(part)] if isinstance(place, list) else place[part]
        place[last] = value
    return changed


def test_a_healthy_machine_needs_nothing():
    found = judge(HEALTHY)
    assert {finding.level for finding in found} == {"ok"}
    assert all(not finding.do for finding in found)


MEAN = "forward.timings.1.mean"
CARD = {"cards": ["NVIDIA H100"], "driver": "570.1"}


@pytest.mark.parametrize(
    ("changes", "level", "found", "do"),
    [
        (
            {MEAN: 31e-3},
            "problem",
            "A forward of 64 rows takes 31.0 ms with 16 threads and 1.00 ms with 1, on average: "
            "PyTorch's threads spin",
            "set OMP_WAIT_POLICY=passive before Python starts",
        ),
        (
            {MEAN: 31e-3, "threads.environment": {"OMP_WAIT_POLICY": "PASSIVE"}},
            "advice",
            "A forward of 64 rows takes 31.0 ms with 16 threads",
            "call torch.set_num_threads(1)",
        ),
        ({MEAN: 2e-3}, "advice", "takes 2.00 ms with 16 threads", "torch.set_num_threads(1)"),
        ({MEAN: 1e-3}, "advice", "more threads gain little", "OMP_WAIT_POLICY=passive"),
        (
            {"cpu.usable": 1, "cpu.affinity": [3], "torch.threads": 1},
            "advice",
            "Only 1 of 16 CPUs may be used: the affinity mask allows CPU 3.",
            "start Python with more",
        ),
        (
            {"cpu.usable": 2, "cpu.quota": 1.5, "torch.threads": 2},
            "advice",
            "Only 2 of 16 CPUs may be used: the control group's quota is 1.5 CPUs.",
            "raise the quota",
        ),
        (
            {"torch.threads": 32},
            "advice",
            "PyTorch computes with 32 threads where 16 CPUs may be used.",
            "Call torch.set_num_threads(16)",
        ),
        (
            {"c_library.in_place": False, "steps.steps.2.ns_a_row": 14.04},
            "advice",
            "glibc 2.36 does not compute as batchsim knows it: exact precision calls the C "
            "library's sine and cosine (CartPole takes 14.0 ns a row; computed in place, about 9)",
            'precision="fast"',
        ),
        (
            {"c_library.in_place": False, "cpu.fuses": False},
            "advice",
            "The CPU fuses no product and sum: exact precision calls",
            'precision="fast"',
        ),
        ({"load.busy": 1.04}, "advice", "Other processes keep 1.0 of the CPUs busy", "Stop them"),
        ({"load.stolen": 0.3}, "advice", "The hypervisor gives 0.3 CPUs' time", "Expect"),
        ({"memory.available": 2e8}, "advice", "Only 200 MB of memory", "rollouts short"),
        (
            {"cache.error": "Permission denied", "steps.first_use": 4.2},
            "problem",
            "The cache directory /c cannot be written (Permission denied): kernels are compiled "
            "anew in each process (4.2 s for CartPole).",
            "Set BATCHSIM_CACHE_DIR",
        ),
        (
            {"checked": {"checked": True, "variable": "1"}},
            "advice",
            "BATCHSIM_CHECKED=1: every index is checked, and steps are some times slower.",
            "Unset BATCHSIM_CHECKED",
        ),
        (
            {"versions.extension.older_than_source": True},
            "advice",
            "The extension modules are older than their source.",
            "pip install --editable",
        ),
        (
            {"steps.steps.3.seconds": 150e-6},
            "advice",
            "16 threads step 16,384 rows 1.0 times as fast as one",
            "num_threads=1",
        ),
        ({"steps": {"missing": "OSError: no"}}, "problem", "could not be stepped: OSError", "test"),
        ({"wake_up.seconds": 1e-3}, "advice", "needs 1.00 ms to wake up", "more environments"),
        (
            {"torch": {"missing": "PyTorch cannot be loaded: no libgomp", "broken": True}},
            "problem",
            "PyTorch cannot be loaded: no libgomp.",
            "Install PyTorch anew",
        ),
        (
            {"cards": CARD},
            "advice",
            "There is a NVIDIA H100 that PyTorch cannot use: it is built without CUDA.",
            "(570.1)",
        ),
        (
            {"cards": CARD, "cuda": {"available": True, "name": "NVIDIA H100"}},
            "ok",
            "PyTorch computes on NVIDIA H100.",
            "",
        ),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, dict) else None,
)
def test_a_finding_says_what_is_and_what_to_do(changes, level, found, do):
    findings = judge(with_changes(changes))
    (match,) = [finding for finding in findings if found in finding.found]
    assert match.level == level
    assert do in match.do
    assert bool(match.do) == (level != "ok")
    others = {finding.level for finding in findings if finding is not match}
    assert others == {"ok"}


def test_problems_come_first():
    found = judge(with_changes({"cache.error": "No", "load.busy": 2.0}))
    levels = [finding.level for finding in found]
    assert levels[:3] == ["problem", "advice", "ok"]


@pytest.mark.parametrize("part", HEALTHY)
def test_a_part_that_is_missing_stops_nothing(part, capsys):
    changed = {**HEALTHY, part: {"missing": "OSError: it is not there"}}
    report.print_diagnosis(Diagnosis("today", changed, tuple(judge(changed))))
    printed = capsys.readouterr().out
    shown = part not in ("forward", "wake_up")
    assert ("OSError: it is not there" in printed) == shown


def test_all_parts_missing_stop_nothing(capsys):
    changed = {part: {"missing": "nothing"} for part in HEALTHY}
    diagnosis = Diagnosis("today", changed, tuple(judge(changed)))
    report.print_diagnosis(diagnosis)
    assert "nothing" in capsys.readouterr().out
    assert not diagnosis.sound


def test_unknown_values_are_shown_as_not_found(capsys):
    changed = with_changes(
        {
            "load": dict.fromkeys(HEALTHY["load"]),
            "memory": dict.fromkeys(HEALTHY["memory"]),
            "cpu.affinity": None,
            "cpu.cpus": None,
        }
    )
    assert {finding.level for finding in judge(changed)} == {"ok"}
    report.print_diagnosis(Diagnosis("today", changed, ()))
    assert capsys.readouterr().out.count("not found") == 8


# --- The facts ------------------------------------------------------------------------------------


def test_extras_are_those_of_the_package():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    extras = {line.partition(" = [")[0] for line in section.splitlines() if " = [" in line}
    assert set(facts.EXTRAS) <= extras


def test_an_extra_lacks_the_modules_that_are_not_installed(monkeypatch):
    monkeypatch.setattr(facts, "EXTRAS", {"some": ("json", "no_such_module")})
    assert facts.describe_extras() == {"some": ["no_such_module"]}
    monkeypatch.setitem(sys.modules, "json", None)
    assert facts.describe_extras() == {"some": ["json", "no_such_module"]}


@pytest.mark.parametrize(
    ("numbers", "text"), [([0], "0"), ([0, 1, 2, 3], "0-3"), ([8, 0, 1, 5], "0-1,5,8"), ([], "")]
)
def test_cpus_are_written_as_ranges(numbers, text):
    assert facts.format_cpus(numbers) == text


def test_the_load_is_that_of_others_on_the_cpus_that_may_be_used(monkeypatch, tmp_path):
    """CPU 1 is someone else's: how busy it is does not count."""
    tick = os.sysconf("SC_CLK_TCK")
    stat = tmp_path / "stat"
    line = "cpu0 {user} 0 0 {idle} 0 0 0 {steal} 0 0\ncpu1 {idle} 0 0 0 0 0 0 0 0 0\nintr 7\n"
    stat.write_text(line.format(user=0, idle=9, steal=0))
    monkeypatch.setattr(facts, "PROC", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    clock = iter([10.0, 12.0])

    def sleep(seconds):
        stat.write_text(line.format(user=tick, idle=9, steal=tick // 2))

    fake = SimpleNamespace(perf_counter=lambda: next(clock), process_time=lambda: 1.0, sleep=sleep)
    monkeypatch.setattr(facts, "time", fake)
    found = facts.describe_load()
    assert found["busy"] == 0.5
    assert found["stolen"] == 0.25


def test_a_machine_without_proc_is_described(monkeypatch, tmp_path):
    monkeypatch.setattr(facts, "PROC", tmp_path / "none")
    monkeypatch.setattr(facts, "CGROUP", tmp_path / "none")
    monkeypatch.setattr(processors, "QUOTA", tmp_path / "none")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert facts.describe_load()["busy"] is None
    assert facts.describe_memory()["available"] is None
    assert facts.describe_memory()["limit"] is None
    cpu = facts.describe_cpu()
    assert cpu["affinity"] is None
    assert cpu["quota"] is None


@pytest.mark.parametrize(
    ("text", "quota", "cpus"),
    [
        ("max 100000", None, 8),
        ("150000 100000\n", 1.5, 2),
        ("20000 100000", 0.2, 1),
        ("900000 100000", 9.0, 8),
        ("garbage", None, 8),
    ],
)
def test_the_quota_is_the_control_groups(text, quota, cpus, monkeypatch, tmp_path):
    monkeypatch.setattr(processors, "QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    (tmp_path / "cpu.max").write_text(text)
    assert facts.describe_cpu()["quota"] == quota
    assert facts.describe_cpu()["usable"] == cpus


@pytest.mark.parametrize(
    ("output", "status"), [("A100, 570.1\\nB200, 570.1", 0), ("No devices", 9)]
)
def test_cards_are_those_that_nvidias_tool_names(output, status, monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{output}\\n'\nexit {status}\n")
    tool.chmod(0o755)
    monkeypatch.setattr(facts, "shutil", SimpleNamespace(which=lambda name: str(tool)))
    found = diagnosing._attempt(facts.describe_cards)
    if status == 0:
        assert found == {"cards": ["A100", "B200"], "driver": "570.1"}
    else:
        assert found == {"missing": "OSError: No devices"}


def test_the_extension_knows_what_built_it():
    extension = facts.describe_versions()["extension"]
    assert extension["cython"][0].isdecimal()


def test_what_fails_says_why():
    def fail():
        raise PermissionError("not for you\nand more")

    assert diagnosing._attempt(fail) == {"missing": "PermissionError: not for you"}


def test_a_cache_that_is_no_directory_cannot_be_written(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.write_text("in the way")
    for path in (file, file / "below"):
        monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(path))
        assert cache.find_error()
        assert cache.files() == []
        found = facts.describe_cache()
        assert found["error"]
        assert found["directory"] == str(path) == found["chosen"]


def test_looking_at_the_cache_leaves_nothing_in_it(monkeypatch, tmp_path):
    monkeypatch.setenv("BATCHSIM_CACHE_DIR", str(tmp_path / "cache"))
    assert cache.find_error() is None
    assert list((tmp_path / "cache").iterdir()) == []
    (tmp_path / "cache" / "a.kernel").write_bytes(b"12345")
    assert facts.describe_cache()["files"] == 1
    assert facts.describe_cache()["bytes"] == 5


def test_the_variables_are_those_of_the_process(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setenv("BATCHSIM_CHECKED", "1")
    environment = facts.describe_threads()["environment"]
    assert environment["OMP_WAIT_POLICY"] == "passive"
    assert environment["MKL_NUM_THREADS"] is None
    assert facts.describe_checked() == {"checked": True, "variable": "1"}


# --- PyTorch --------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Measure as little as possible."""
    monkeypatch.setattr(measure, "BLOCKS", 1)
    monkeypatch.setattr(measure, "WARM_UP_SECONDS", 1e-4)
    monkeypatch.setattr(measure, "BLOCK_SECONDS", 1e-4)
    monkeypatch.setattr(measure, "WAKE_UPS", 3)
    monkeypatch.setattr(facts, "LOAD_SECONDS", 0.01)


def pretend(monkeypatch, error):
    """Let importing batchsim.torch raise `error`."""
    import_module = builtins.__import__

    def fail(name, *arguments, **keywords):
        if name == "batchsim.torch":
            raise error
        return import_module(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", fail)


def test_without_torch_the_rest_is_found(monkeypatch, quick, capsys):
    pretend(monkeypatch, ModuleNotFoundError("No module named 'torch'", name="torch"))
    diagnosis = examine()
    for part in ("torch", "cuda", "forward"):
        assert diagnosis.facts[part] == {"missing": "PyTorch is not installed"}
    assert diagnosis.facts["steps"]["steps"]
    report.print_diagnosis(diagnosis)
    assert "PyTorch is not installed" in capsys.readouterr().out
    assert not any("PyTorch" in finding.found for finding in diagnosis.findings)


def test_a_torch_that_cannot_be_loaded_is_a_problem(monkeypatch):
    pytest.importorskip("torch")
    pretend(monkeypatch, OSError("libgomp.so.1: cannot open shared object file\nmore"))
    found = diagnosing._attempt(lambda: diagnosing._torch("describe_torch"))
    assert found["broken"]
    assert found["missing"].endswith("libgomp.so.1: cannot open shared object file")


def test_torch_is_asked_and_left_as_it_was():
    torch = pytest.importorskip("torch")
    from batchsim.torch import facts as torch_facts

    old = torch.get_num_threads()
    found = torch_facts.describe_forward(2)
    assert [timing["threads"] for timing in found["timings"]] == [1, 2]
    assert torch.get_num_threads() == old == torch_facts.describe_torch()["threads"]
    assert torch_facts.describe_cuda()["available"] == torch.cuda.is_available()


@pytest.mark.parametrize(
    ("built_for", "why"),
    [(None, "this PyTorch is built without CUDA"), ("13.0", "Found no NVIDIA driver")],
)
def test_why_there_is_no_cuda(built_for, why, monkeypatch):
    torch = pytest.importorskip("torch")
    from batchsim.torch import facts as torch_facts

    def init():
        raise RuntimeError("Found no NVIDIA driver\nGet one.")

    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    assert torch_facts.describe_cuda()["why_not"] == why


# --- The command ----------------------------------------------------------------------------------


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["batchsim", "doctor", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code


@pytest.mark.parametrize(
    ("changes", "status"), [({}, 0), ({"load.busy": 2.0}, 0), ({"cache.error": "No"}, 1)]
)
def test_only_a_problem_makes_the_exit_status_1(changes, status, monkeypatch, capsys, tmp_path):
    changed = with_changes(changes)
    diagnosis = Diagnosis("today", changed, tuple(judge(changed)))
    monkeypatch.setattr(diagnosing, "examine", lambda progress: diagnosis)
    file = tmp_path / "doctor.json"
    assert (run(monkeypatch, "--json", str(file)) or 0) == status
    printed = capsys.readouterr()
    assert printed.err == ""
    for finding in diagnosis.findings:
        assert finding.found.split(":")[0] in printed.out
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document == json.loads(to_json(diagnosis))
    assert document["schema"] == 1
    assert document["cpu"] == changed["cpu"]
    assert document["findings"][0].keys() == {"level", "found", "do"}


def test_a_file_that_cannot_be_written_is_refused_first(monkeypatch, capsys):
    monkeypatch.setattr(diagnosing, "examine", None)
    assert run(monkeypatch, "--json", "no/such/directory/x.json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "cannot be written" in printed.err


def test_bad_arguments_are_one_sentence_and_status_2(monkeypatch, capsys):
    assert run(monkeypatch, "--colour") == 2
    assert capsys.readouterr().err.startswith("batchsim: ")


def test_the_help_names_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["batchsim", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "doctor" in capsys.readouterr().out
    run(monkeypatch, "--help")
    printed = capsys.readouterr().out
    assert "--json" in printed
    assert "exit status is 1 if there is a problem" in printed


def test_the_command_examines_this_machine(tmp_path):
    """With a file in place of the cache directory: that is a problem, and no warning."""
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    file = tmp_path / "doctor.json"
    done = subprocess.run(
        [sys.executable, "-m", "batchsim", "doctor", "--json", str(file)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "BATCHSIM_CACHE_DIR": str(blocked), "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= report.WIDTH
    for title in ("Machine and installation", "Measured", "Findings", "problem"):
        assert title in done.stdout
    document = json.loads(file.read_text(encoding="utf-8"))
    assert set(HEALTHY) <= set(document)
    sizes = {step["num_envs"] for step in document["steps"]["steps"]}
    assert sizes == {64, 16_384}
    assert document["versions"]["python"] == sys.version.split()[0]
    assert any("cannot be written" in found["found"] for found in document["findings"])
