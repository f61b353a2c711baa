"""`batchsim.convert` writes the definition of a class, proves it equal, or says why it cannot."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from convertible import CASES
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import batchsim
from batchsim.__main__ import main
from batchsim.convert import ConversionError, pipeline
from batchsim.convert.attributes import sort_attributes
from batchsim.convert.compose import compose
from batchsim.convert.lines import lines_of
from batchsim.convert.program import load
from batchsim.convert.report import Compared, FromAttribute, Length, Place, Report
from batchsim.convert.source import text_of
from batchsim.convert.stages import MistakeError, Request, convert_class
from batchsim.convert.watch import watch

FOLDER = Path(__file__).parent / "convertible"
PLAIN = {"pendulum", "walker", "courier", "greenhouse", "inventory"}
"""Proved as plain Python, to the same bits: compiling takes most of a proof's time, and the others
have all that is in these.
"""

COUNTER = '''
import gymnasium
import numpy as np


class Counter(gymnasium.Env):
    """Counts up by what is drawn, until a limit."""

    def __init__(self, limit=5.0, most=3):
        self.limit = limit
        self.most = most
        self.observation_space = gymnasium.spaces.Box(0.0, 100.0, (1,), np.float64)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0.0
        return self.observe(), {}

    def step(self, action):
        self.count += self.np_random.random() * (1 + action)
        return self.observe(), 1.0, self.count >= self.limit, False, {}

    def observe(self):
        return np.array([self.count])
'''


def request(tmp_path, file, qualified, steps=600, **more):
    given = {"capacities": {}, "modes": (AutoresetMode.NEXT_STEP,), "timed": False, **more}
    return Request(
        str(file),
        qualified,
        pickle.dumps(given.pop("arguments", {})),
        "",
        tuple(sys.path),
        steps,
        file=tmp_path / "definition.py",
        **given,
    )


@pytest.fixture
def counter(tmp_path):
    path = tmp_path / "counter.py"
    path.write_text(COUNTER)
    return path


@pytest.mark.parametrize("name", CASES)
def test_a_class_is_converted_and_proved(name, tmp_path):
    case = CASES[name]
    asked = request(
        *(tmp_path, FOLDER / f"{name}.py", case.original),
        arguments=case.arguments[-1],
        backend="reference" if name in PLAIN else "native",
    )
    report, sources = convert_class(asked, lambda **said: None)
    assert report.proof.mismatches == 0
    assert report.proof.columns
    assert str(FOLDER / f"{name}.py") in sources


@pytest.mark.parametrize("name", CASES)
def test_a_variant_is_refused_with_its_reason(name, tmp_path, monkeypatch):
    case = CASES[name]
    file = FOLDER / f"{name}.py"
    if "hangs" in case.why:
        monkeypatch.setitem(pipeline.PATIENCE, "watching", 4)
        with pytest.raises(ConversionError) as found:
            batchsim.convert(f"{file}:{case.refused}", steps=600)
    else:
        more = {"capacities": {"trail": 3}} if "beyond its capacity" in case.why else {}
        with pytest.raises(ConversionError) as found:
            convert_class(request(tmp_path, file, case.refused, **more), lambda **said: None)
    refusal = found.value.refusals[0]
    assert case.why in str(refusal)
    assert refusal.file == str(file)
    assert file.read_text().splitlines()[refusal.line - 1].strip() == refusal.source


def test_make_vec_takes_a_class_and_converts_it_once(counter, capfd, monkeypatch):
    monkeypatch.syspath_prepend(counter.parent)
    monkeypatch.delitem(sys.modules, "counter", raising=False)
    import counter as module

    envs = batchsim.make_vec(module.Counter, num_envs=3, autoreset_mode="SameStep", limit=2.0)
    assert re.fullmatch(
        r"batchsim: Counter is being converted, and runs as .*counter.py, .* equal.\n",
        capfd.readouterr().err,
    )
    theirs = SyncVectorEnv([lambda: module.Counter(limit=2.0)] * 3, autoreset_mode="SameStep")
    assert np.array_equal(envs.reset(seed=5)[0], theirs.reset(seed=5)[0])
    for _ in range(20):
        ours = envs.step(np.array([0, 1, 0]))
        others = theirs.step(np.array([0, 1, 0]))
        for k in range(4):
            assert np.array_equal(ours[k], others[k])

    monkeypatch.setattr(pipeline, "_Worker", None)  # nothing runs again …
    env = batchsim.make(module.Counter, limit=2.0)
    assert env.reset(seed=5)[0] == envs.reset(seed=[5, 6, 7])[0][0]
    assert "being converted" not in capfd.readouterr().err
    counter.write_text(COUNTER + "\n# Other bytes.\n")
    with pytest.raises(TypeError):  # … unless a file has changed
        batchsim.make(module.Counter, limit=2.0)


def run(*arguments):
    """Run the command line in this process; return its exit status."""
    before = sys.argv
    sys.argv = ["batchsim", "convert", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    return ended.value.code or 0


def test_the_command_writes_a_definition_and_reports(counter, tmp_path, capfd):
    out, told = tmp_path / "counter_batch.py", tmp_path / "told.json"
    arguments = (f"{counter}:Counter", "--steps", 240, "--out", out, "--json", told)
    assert run(*arguments, "--kwargs", "limit=3.0", "--kwargs", '{"most": 4}') == 0
    said = " ".join(capfd.readouterr().out.split())
    assert said.startswith("counter:Counter(limit=3.0, most=4) is converted:")
    for part in ("count float64", "limit 3.0", "most", "0 mismatches", "times as fast"):
        assert part in said
    report = json.loads(told.read_text())
    assert [column["name"] for column in report["columns"]] == ["count"]
    assert report["dropped"] == ["action_space", "most", "observation_space"]
    out.write_text(out.read_text() + "\n# Mine.\n")
    assert run(*arguments, "--kwargs", "limit=3.0", "--kwargs", '{"most": 4}') == 2
    assert "holds something else already" in capfd.readouterr().err


BAD = """
import os
import time

from counter import Counter


class Hanging(Counter):
    def step(self, action):
        while True:
            time.sleep(0.01)


class Ending(Counter):
    def step(self, action):
        os.kill(os.getpid(), 9)
"""


def test_a_class_that_hangs_or_ends_the_process_is_told_so(counter, monkeypatch, capfd):
    file = counter.parent / "bad.py"
    file.write_text(BAD)
    monkeypatch.setitem(pipeline.PATIENCE, "watching", 2)
    assert run(f"{file}:Hanging", "--steps", 240) == 1
    said = capfd.readouterr().err
    assert re.search(rf"{file}:11: it hangs: watching gave no sign of life for 2 s", said)
    assert run(f"{file}:Ending", "--steps", 240) == 1
    assert "while watching it was ended by SIGKILL" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["counter"], "The class is 'counter'; expected module:Class"),
        (["nothing.py:Counter"], "There is no file"),
        (["{file}:Counter", "--steps", "7"], "--steps is 7; expected a whole number of at least"),
        (["{file}:Counter", "--kwargs", "limit"], "--kwargs is 'limit'; expected name=value"),
        (["{file}:Counter", "--kwargs", "{{limit}}"], "--kwargs is '{limit}', which is no JSON"),
        (["{file}:Counter", "--capacity", "a=many"], "The capacity of 'a' is 'many'; expected"),
        (["{file}:Counter", "--out", "counter.txt"], "out is 'counter.txt'; expected the name of"),
    ],
)
def test_a_typing_mistake_is_answered_in_a_sentence(counter, arguments, sentence, capfd):
    assert run(*(part.format(file=counter) for part in arguments)) == 2
    said = capfd.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_names_that_there_are_not_are_answered_with_those_that_there_are(counter, tmp_path):
    def convert(**more):
        convert_class(request(tmp_path, counter, "Counter", 240, **more), lambda **said: None)

    with pytest.raises(MistakeError, match=r"no argument 'limt' \(did you mean 'limit'"):
        convert(arguments={"limt": 3.0})
    with pytest.raises(MistakeError, match=r"There is no list 'counts'; there are none\."):
        convert(capacities={"counts": 3})


def test_a_class_without_a_file_is_refused(counter):
    class Local(batchsim.SingleEnv):
        pass

    with pytest.raises(ValueError, match="is defined within a function"):
        batchsim.convert(Local)
    typed = f"{COUNTER}\nimport batchsim\nbatchsim.make_vec(Counter)\n"
    ended = subprocess.run(
        [sys.executable, "-"], input=typed, capture_output=True, text=True, check=False
    )
    assert "Counter is defined in a notebook or at a prompt" in ended.stderr
    with pytest.raises(ValueError, match=r"The argument limit is .*, which cannot be pickled"):
        batchsim.convert(f"{counter}:Counter", limit=lambda: 3.0)


def test_each_line_of_a_definition_knows_the_line_that_it_was_written_for():
    """So that what the compiler says of the one is said of the other."""
    program = load(str(FOLDER / "pendulum.py"), "MotorPendulum")
    seen = watch(program, {}, 240)
    composed = compose(program, seen, sort_attributes(program, seen), {})
    text = text_of(composed, "A pendulum.")
    found = lines_of(composed, text)
    theirs = (FOLDER / "pendulum.py").read_text().splitlines()
    pairs = {
        line.strip(): theirs[found[k][1] - 1].strip()
        for k, line in enumerate(text.splitlines(), 1)
        if k in found
    }
    assert pairs["s.theta[i] += s.omega[i] * p.dt"] == "self.theta += self.omega * self.dt"
    assert pairs["s.t[i] += 1"] == "self.t += 1"


def test_a_report_is_the_same_after_json():
    report = Report(
        "a:B",
        "c=1",
        "d.py",
        columns=(FromAttribute("x", "float64", (2,), "self.x"),),
        streams=(Place("b.py", 3, "random.random()"),),
        lengths=(Length("y", 8, 4, False),),
        proof=Compared(seeds=1, modes=("NextStep",), columns=("x",)),
    )
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report
