"""What authors get wrong is said by `make_vec` in one sentence, with file and line."""

import re

import pytest

import batchsim
from batchsim import registry

SOURCE = """
import math
import random
import time
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Box, Discrete

from batchsim.random import integers, uniform

NAMES = ["a", "b"]
TABLE = {{1: 2.0}}
SPEED = 0.5


class State(NamedTuple):
    x: float
    n: np.int32
    board: np.dtype((np.float64, (4, 4)))


class Params(NamedTuple):
    force: float = 1.0
    limits: tuple[float, float] = (0.0, 1.0)


ACTION = Discrete(2)
OBSERVATION = Box(-np.inf, np.inf, (2,), np.float64)


def keyword_only(x, *, y):
    return x + y


def recursive(n):
    return 0 if n < 1 else recursive(n - 1)


@lru_cache
def cached(x):
    return x


class Helper:
    def double(x):
        return 2.0 * x


def reset(s, i, p, rng):
    s.x[i] = uniform(rng, i, -1.0, 1.0)
    s.n[i] = 0


def step(s, i, action, p, rng):
    s.n[i] += 1
{body}
    return 1.0, s.n[i] > 10


def observe(s, i, p, out):
    out[0] = s.x[i]
    out[1] = s.n[i]
"""

MISTAKES = {
    # What is written in step: what the sentence has.
    "s.x[i] = s.board[i] @ s.board[i]": "@",
    "s.x[i] = np.unique(s.board[i, 0])[0]": "np.unique, which compiled code does not have",
    "s.x[i] = np.where(s.board[i, 0])[0][0]": "how many elements np.where finds is not known",
    "s.board[i, 0] += s.board[i]": "which does not fit into one of",
    "s.x[i] = np.flatnonzero(s.board[i])[0]": "np.argmax(mask) is the first",
    "s.x[i] = np.einsum('ij->', s.board[i])": "Write it with @, .T and np.sum",
    "s.x[i] = s.board[i, 0].tolist()[1]": "Use the array itself",
    "k = s.n[i]; s.x[i] = np.zeros(k)[0]": "what it is given must be known",
    "a = s.board[i, 0] + s.board[i, 0, 1:]": "do not go together",
    "a = s.board[i, 0][s.board[i, 0] > 0]": "how many elements a mask chooses is not known",
    "s.board[i, 0, s.board[i, 0] > 0] = 1.0": "write array[k][mask] = … instead",
    "k = np.zeros(2, int); a = s.board[i][:, k]": "an array of places beside slices",
    "a = s.board[i, 0] * 1.0; b = a; b[0] = 2.0; s.x[i] = a[0]": "or change a itself",
    "a = s.board[i, 0] * 1.0 if action else s.board[i, 0]": "a column's row on one path",
    "s.x[i] = {1, 2} == {2, 1}": "a set",
    "s.x[i] = max([1.0, 2.0])": "a list",
    "s.x[i] = list(range(3))[0]": "a list",
    "s.n[i] = s.board[i].nonexistent": "nonexistent",
    "s.x[i] = p.limits[0] + p.limit": "did you mean 'limits'?",
    "a = [1.0, 2.0]; s.x[i] = a[0]": "a list",
    "a = {'x': 1.0}; s.x[i] = a['x']": "a dict",
    "s.x[i] = sum([1.0, 2.0])": "a list",
    "s.x[i] = sum(k for k in range(3))": "a generator",
    "s.x[i] = [k * 2.0 for k in range(3)][1]": "a list",
    "s.x[i] = sorted((2.0, 1.0))[0]": "a list",
    "s.x[i] = rng.normal()": "rng.normal",
    "s.x[i] = rng.integers(0, 3)": "rng.integers",
    "s.x[i] = time.time()": "time.time, which no seed decides",
    "s.x[i] = float(f'{SPEED}')": "a string",
    "raise ValueError(action)": "`raise`",
    "try:\n        s.x[i] = 1.0\n    except ValueError:\n        pass": "`try`",
    "s.x[i] = recursive(3)": "calls itself",
    "s.x[i] = cached(1.0)": "cached",
    "s.x[i] = keyword_only(1.0, y=2.0)": "keyword",
    "s.x[i] = Helper().double(1.0)": "Helper",
    "global SPEED\n    SPEED = 2.0": "SPEED",
    "s.x[i] = NAMES[0] == 1": "NAMES",
    "s.x[i] = TABLE[1]": "TABLE",
    "s.y[i] = 1.0": "State has no field 'y'",
    "s.x[i] = p.fource": "no parameter 'fource' (did you mean 'force'?)",
    "s.x[i] = undefined": "undefined, which is not defined",
    "s.x[i] = self.x": "self",
    "p.force = 2.0": "may only read",
    "s.x = 1.0": "the whole column s.x",
    "s.x[i] = s.x.mean()": "the whole column s.x",
    "a, *b = (1.0, 2.0, 3.0); s.x[i] = a": "*b",
    "with s.x as x: s.x[i] = 1.0": "a context manager",
    "import os": "an import",
    "del action": "del",
    "x = 0 if action else 'a'; s.x[i] = x": "'a'",
    "x = 1\n    if action: x = (1.0, 2.0)\n    s.x[i] = x": "x is",
    "s.x[i] = any(s.board[i, 0])": "any",
    "s.x[i] = getattr(s, 'x')[i]": "getattr",
    "s.x[i] = eval('1.0')": "eval",
    "return 1.0": "expected reward, terminated",
    "return": "expected reward, terminated",
    "return 1.0, False, False, {}": "expected reward, terminated",
    "s.x[i] = complex(1.0, 2.0)": "complex",
    "s.x[i] = np.convolve(s.board[i, 0], s.board[i, 1])[0]": "convolve",
    "s.x[i] = math.factorial(3)": "factorial",
}


@pytest.mark.parametrize("body", MISTAKES)
def test_the_sentence_has_the_line(body, tmp_path):
    file = tmp_path / "mistaken.py"
    file.write_text(SOURCE.format(body=f"    {body}"))
    module = registry.load_file(file)
    line = next(
        k for k, text in enumerate(file.read_text().splitlines(), 1) if "s.n[i] += 1" in text
    )
    with pytest.raises((TypeError, ValueError)) as caught:
        batchsim.make_vec(module, 4).close()
    said = str(caught.value)
    assert "\n" not in said
    place = re.match(r".*mistaken\.py:(\d+): ", said)
    assert place, said
    if "recursive" not in body:  # That is wrong where it is defined.
        assert line < int(place[1]) <= line + 1 + body.count("\n"), said
    assert MISTAKES[body] in said
    assert len(said) < 400
