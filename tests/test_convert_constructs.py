"""Constructs of ordinary Python, one by one: each in a class of its own, proved as plain Python."""

import pickle
import sys

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from batchsim.containers import total
from batchsim.convert.refusal import ConversionError
from batchsim.convert.stages import Request, convert_class

CLASS = """
import itertools
import random
from collections import deque

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

LEVELS = np.arange(100) % 7
MAP = ["S.#", "..G"]


class Car:
    def __init__(self, left, lane):
        self.left = left
        self.lane = lane


class Env(gymnasium.Env):
    observation_space = Box(-1000.0, 1000.0, ({size},), np.float64)
    action_space = Discrete(3)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
{reset}
        return self.look(), {{}}

    def step(self, action):
        self.t += 1
        reward = 0.0
{step}
        return self.look(), reward, self.t >= 12, False, {{}}

    def around(self, row, column):
        for step in (-1, 1):
            if 0 <= row + step < 3:
                yield row + step, column
        yield from [(row, column)]

    def drawn(self):
        return [k for k in range(4) if self.np_random.random() < 0.5]

    def of(self, kind):
        return [k for k, m in self.things if m == kind]

    def look(self):
{look}
"""
LOOK = "return np.array([self.x, self.t], dtype=np.float64)"
CONSTRUCTS = {
    "a name for things of two kinds": (
        "self.x = 0.0",
        "u = np.array([action, 2.0])\nu = u[0] * u[1]\nself.x += u",
        LOOK,
    ),
    "places of an array, axis by axis": (
        "self.board = np.zeros((3, 4), np.int8)\nself.x = 0",
        "self.board[self.np_random.integers(3), action] = 1\n"
        "for row, column in zip(*np.nonzero(self.board)):\n    self.x += row - column",
        LOOK,
    ),
    "an observation that is put together": (
        "self.x = self.np_random.random()",
        "self.x *= 1.5",
        "found = []\nfor k in range(2):\n    found.append(self.x + k)\nreturn found",
    ),
    "a large array that is copied": (
        "self.levels = LEVELS.copy()\nself.x = 0",
        "self.levels[self.t] += action\nself.x = self.levels.max() + self.levels[self.t]",
        LOOK,
    ),
    "a deque that forgets": (
        "self.last = deque(maxlen=3)\nself.x = 0",
        "self.last.append(action + self.t)\nself.x = sum(self.last) - self.last[0]",
        LOOK,
    ),
    "None in a loop": (
        "self.best = None\nself.x = 0",
        "if self.best is None or action > self.best:\n    self.best = action\n"
        "self.x = -1 if self.best is None else self.best\n"
        "if self.t % 5 == 0:\n    self.best = None",
        LOOK,
    ),
    "the least by a key": (
        "self.things = [(k, int(self.np_random.integers(9))) for k in range(4)]\nself.x = 0",
        "nearest = min(self.things, key=lambda thing: abs(thing[1] - action))\nself.x = nearest[0]",
        LOOK,
    ),
    "a set of cells": (
        "self.seen = set()\nself.x = 0",
        "cell = (action, self.t % 3)\nif cell not in self.seen:\n    self.seen.add(cell)\n"
        "    reward = 1.0\nself.x = len(self.seen)",
        LOOK,
    ),
    "draws of the module random": (
        "self.x = random.uniform(0.0, 2.0)",
        "self.x += random.choice([1, 5, 9]) * random.random()",
        LOOK,
    ),
    "draws among arguments, in indices and in what is copied": (
        "self.x = 0",
        "info = {'gain': 0.0, 'cost': 1.0}\ninfo.update({'gain': random.random()})\n"
        "reward = info['gain'] - info['cost']\n"
        "self.x = {1: 7, 2: 9}.get(random.randrange(4), -1)\n"
        "self.x += LEVELS[self.np_random.integers(100)]\n"
        "kept, turned = tuple(self.drawn()), list(reversed(self.drawn()))\n"
        "self.x += sum(kept) * len(kept) - sum(turned) * len(turned)",
        LOOK,
    ),
    "else of loops, generators and products": (
        "self.board = np.zeros((3, 3), np.int8)\nself.x = 0",
        "for row, column in itertools.product(range(3), range(3)):\n"
        "    if self.board[row, column] == 0 and (row + column) % 3 == action:\n"
        "        self.board[row, column] = 1\n"
        "        reward += sum(r * c for r, c in self.around(row, column))\n"
        "self.x += int(self.board.sum())\n"
        "for k in range(3):\n"
        "    self.x += sum(r * c for r, c in itertools.product(range(k), range(3)))\n"
        "    if self.board[k, k] == 0:\n        break\n"
        "else:\n    self.board[:] = 0",
        LOOK,
    ),
    "dicts that change, keys that are computed": (
        "self.stock = {'ore': 1, 'wood': 2}\nself.x = 0",
        "info = {'sold': False, 'gain': 0.0}\n"
        "name = ['ore', 'wood', 'ore'][action]\n"
        "for k in range(self.t % 3):\n    info['sold'] = True\n    info['gain'] += 0.5 * k\n"
        "self.stock[name] += int(info['sold'])\n"
        "price = {1: 7, 2: 9}.get(self.t % 4, -1)\n"
        "reward = info['gain'] + {'ore': 0.5, 'wood': 0.25}[name]\n"
        "self.x = price + sum(self.stock.values()) + len({k: k * k for k in range(action)})",
        LOOK,
    ),
    "lists from calls, repeated and compared": (
        "self.things = [(k, k % 2) for k in range(5)]\nrandom.shuffle(self.things)\nself.x = 0",
        "one, other = self.of(0), self.of(1)\n"
        "reward = float(len(one) - len(other)) + np.mean(one) - np.std(other)\n"
        "padded = one + [0] * (6 - len(one))\n"
        "self.x = int(one == other) + next((k for k, m in self.things if m == action % 2), 9)\n"
        "self.things.append(random.sample(self.things, 2)[0])\n"
        "for k, m in filter(lambda thing: thing[0] > 2, list(zip(padded, one))):\n"
        "    self.x += max(map(abs, (k, -m)))",
        LOOK,
    ),
    "objects in lists": (
        "self.cars = [Car(3, 1), Car(0, 2)]\nself.x = 0",
        "for car in self.cars:\n    car.left -= 1\n"
        "self.cars = [car for car in self.cars if car.left > 0]\n"
        "if action:\n    self.cars.append(Car(self.t, action))\n"
        "self.x = sum(car.lane for car in self.cars)",
        LOOK,
    ),
    "a search for the way, a map of letters": (
        "self.visits = {}\nself.x = 0",
        "letter = MAP[self.t % 2][action]\n"
        "queue, seen = deque([(0, 0)]), {(0, 0)}\n"
        "while queue:\n    r, d = queue.popleft()\n    self.x += d\n"
        "    for step in (1, 2):\n"
        "        if r + step < 4 and (r + step, d) not in seen and letter != '#':\n"
        "            seen.add((r + step, d))\n            queue.append((r + step, d + 1))\n"
        "place = (action, self.t % 2)\n"
        "self.visits[place] = self.visits.get(place, 0) + 1\n"
        "reward = 1.0 / self.visits[place]",
        LOOK,
    ),
    "match, functions within functions, sort": (
        "self.cars = [Car(2, 0), Car(5, 1)]\nself.last = [4, 2]\nself.x = 0",
        "def twice(value):\n    return 2 * value\n"
        "match action:\n    case 0 | 1:\n        self.last.append(twice(self.t) % 5)\n"
        "    case _ if self.t % 2:\n        self.last.reverse()\n"
        "    case _:\n        self.last.sort(key=lambda k: -k)\n"
        "for car in self.cars[:]:\n    car.left -= 1\n"
        "    if car.left == 0:\n        self.cars.remove(car)\n"
        "self.cars.append(Car(3, action))\n"
        "self.x = self.last[0] + sum(car.left for car in self.cars)",
        LOOK,
    ),
    "draws for each element": (
        "self.ill = np.array([3, 5, 8])\nself.x = 0",
        "new = self.np_random.binomial(self.ill, np.array([0.2, 0.5, 0.9]))\n"
        "self.ill += new - np.random.poisson(self.ill * 0.3)\n"
        "self.ill = np.clip(self.ill, 0, 40)\nself.x = np.hypot(*self.ill[:2])",
        LOOK,
    ),
    "branches that only assign": (
        "self.x = 0.0\nself.count = 0",
        "if action == 0:\n    self.count += 1\n    self.x += 1.0\nelif self.count > 2:\n"
        "    self.count = 0\nelse:\n    self.x -= 0.5",
        LOOK,
    ),
}


def indented(text, depth):
    return "\n".join(" " * 4 * depth + line for line in text.splitlines())


def converted(tmp_path, reset, step, look):
    parts = {"reset": indented(reset, 2), "step": indented(step, 2), "look": indented(look, 2)}
    return proved(tmp_path, CLASS.format(size=2, **parts))


def proved(tmp_path, text):
    file = tmp_path / f"env_{abs(hash(text))}.py"
    file.write_text(text)
    asked = Request(
        str(file),
        "Env",
        pickle.dumps({}),
        "",
        tuple(sys.path),
        300,
        file=tmp_path / "definition.py",
        capacities={},
        modes=(AutoresetMode.NEXT_STEP,),
        timed=False,
        backend="reference",
    )
    return convert_class(asked, lambda **said: None)[0]


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_is_converted_and_proved(name, tmp_path):
    report = converted(tmp_path, *CONSTRUCTS[name])
    assert report.proof.mismatches == 0
    assert report.proof.episodes > 8


def test_an_observation_of_several_parts_that_is_drawn_is_kept_in_columns(tmp_path):
    look = "return int(self.np_random.integers(5)), np.array([self.x, self.t], np.float64)"
    parts = {"reset": "        self.x = 0.0", "step": "        self.x += action"}
    text = CLASS.format(size=2, look=indented(look, 2), **parts)
    box = "Box(-1000.0, 1000.0, (2,), np.float64)"
    report = proved(tmp_path, text.replace(box, f"gymnasium.spaces.Tuple((Discrete(5), {box}))"))
    assert report.proof.mismatches == 0
    assert report.proof.episodes > 8


@pytest.mark.parametrize(
    ("reset", "step", "words"),
    [
        (
            "self.state = np.zeros(2)\nself.x = 0.0",
            "self.x = float(self.state[0] * 0.1)\n"
            "self.state = np.array([0.1 * self.t, action], np.float32)",
            "float32 here and float64 there",
        ),
        ("self.x = 0", "for cell in {self.t, action}:\n    self.x += cell", "for over a set"),
        ("self.x = 0", "self.x = round(self.t / 7, 2)", "round"),
        (
            "self.x = 0",
            "for k, m in itertools.product(range(3), range(3)):\n    if k * m == action:\n"
            "        self.x = k\n        break",
            "a `break` would leave one loop of several",
        ),
        ("self.x = 0", "import time\nself.x = time.time()", "time"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_its_line(reset, step, words, tmp_path):
    with pytest.raises(ConversionError, match=words) as found:
        converted(tmp_path, reset, step, LOOK)
    refusal = found.value.refusals[0]
    assert refusal.source
    assert refusal.line


@pytest.mark.parametrize("count", [0, 7, 8, 17, 128, 129, 300, 1025, 4096])
def test_a_list_is_added_up_as_numpy_adds_an_array(count):
    numbers = np.random.default_rng(count).lognormal(0.0, 5.0, count)
    assert total(numbers, count) == np.sum(numbers)
