"""Environments in NumPy, transcribed line by line as definitions, do the same bit for bit."""

import ast
import importlib.util
import inspect
import sys
import textwrap

import numpy as np
import pytest
import small_environments
from small_environments import ENVIRONMENTS

import batchsim

ROWS = 3
STEPS = 40
HEADER = """\
from typing import NamedTuple

import numpy as np
from gymnasium import spaces
from small_environments import *

import batchsim


"""
SIGNATURES = {"step": "s, i, action, p, rng", "observe": "s, i, p, out"}


class Plain:
    """A row of an environment, its episodes one after the other as with NEXT_STEP."""

    def __init__(self, kind):
        self.env = kind()
        self.reset()

    def reset(self):
        self.is_over = False
        for name, value in self.env.START.items():
            setattr(self.env, name, np.array(value) if np.ndim(value) else value)

    def step(self, action):
        """Observation, reward and whether the episode is over."""
        if self.is_over:
            self.reset()
            return self.env.observe(), 0.0, False
        with np.errstate(all="ignore"):
            reward, self.is_over = self.env.step(action)
            return self.env.observe(), reward, self.is_over


class Transcribe(ast.NodeTransformer):
    """What an author does: `self.x` becomes `s.x[i]`, and what `observe` returns is written."""

    def visit_Attribute(self, node):
        self.generic_visit(node)
        if not isinstance(node.value, ast.Name) or node.value.id != "self":
            return node
        column = ast.Attribute(ast.Name("s", ast.Load()), node.attr, ast.Load())
        return ast.Subscript(column, ast.Name("i", ast.Load()), node.ctx)


def transcribed(kind):
    """The text of an environment's definition."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    members, starts = [], []
    for name, value in kind.START.items():
        array = np.asarray(value)
        shape = f", {array.shape}" if array.ndim else ""
        members.append(f"    {name}: batchsim.column(np.{np.dtype(array.dtype).name}{shape})")
        starts.append(f"    s.{name}[i] = {kind.__name__}.START['{name}']")
    lines = ["class State(NamedTuple):", *members, "", "", f"ACTION = {kind.__name__}.ACTION"]
    seen = Plain(kind).env.observe()
    lines.append(f"OBSERVATION = spaces.Box(-np.inf, np.inf, {seen.shape}, np.{seen.dtype.name})")
    for name, value in kind.START.items():
        lines.append(f"{name.upper()}_AT_START = {kind.__name__}.START[{name!r}]")
    lines += ["", "", "def reset(s, i, p, rng):"]
    lines += [f"    s.{name}[i] = {name.upper()}_AT_START" for name in kind.START]
    for function in tree.body:
        if isinstance(function, ast.FunctionDef):
            body = [ast.unparse(Transcribe().visit(line)) for line in function.body]
            if function.name == "observe":
                body[-1] = body[-1].replace("return ", "out[:] = ", 1)
            lines += ["", "", f"def {function.name}({SIGNATURES[function.name]}):"]
            lines += [textwrap.indent(line, "    ") for line in body]
    return HEADER + "\n".join(lines) + "\n"


def definition(kind, folder):
    """The definition of an environment, as a module."""
    name = f"transcribed_{kind.__name__.lower()}"
    file = folder / f"{name}.py"
    file.write_text(transcribed(kind))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ENVIRONMENTS, ids=lambda kind: kind.__name__)
def test_transcribed_environments_have_the_bits_of_the_originals(kind, tmp_path, opened):
    env = opened(batchsim.make_vec(definition(kind, tmp_path), ROWS, max_episode_steps=-1))
    plain = [Plain(kind) for _ in range(ROWS)]
    first, _ = env.reset(seed=0)
    assert first.tobytes() == np.stack([row.env.observe() for row in plain]).tobytes()
    env.action_space.seed(1)
    for _ in range(STEPS):
        actions = env.action_space.sample()
        found = env.step(actions)
        rows = [row.step(action) for row, action in zip(plain, actions, strict=True)]
        observations, rewards, over = map(np.array, zip(*rows, strict=True))
        assert found[0].tobytes() == observations.tobytes()
        assert found[1].tobytes() == rewards.astype(np.float64).tobytes()
        assert (found[2] == over).all()


def test_all_of_the_transcribed_are_there():
    assert len(ENVIRONMENTS) >= 20
    assert all(hasattr(small_environments, kind.__name__) for kind in ENVIRONMENTS)
