"""Maps that a caller draws in letters: read, refused if nobody can walk them, and laid."""

import os
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from batchsim.envs.egocentric.maps import distances
from batchsim.envs.egocentric.textures import BRICKS, METAL, STONE, WOOD, atlas
from batchsim.envs.egocentric.world import SIZE
from batchsim.random import integers

WALLS = {"#": BRICKS, "S": STONE, "M": METAL, "W": WOOD}
FREE, START, GOAL = ".", "P", "V"


class Arguments(NamedTuple):
    layout: Sequence[str] | str | os.PathLike[str] | None = None


class Tables(NamedTuple):
    atlas: np.ndarray  # (textures * AREA,)
    has_layout: np.ndarray  # (1,), whether there is one; else what follows means nothing
    plan: np.ndarray  # (SIZE, SIZE), as a row's grid
    starts: np.ndarray  # (n,), cells where the player may start, row * SIZE + column
    goals: np.ndarray  # (n,), cells where the vest may lie


def settle(arguments):
    """Return the arguments with the rows of a map in place of its text, or of a file's name."""
    layout = arguments.layout
    if isinstance(layout, str) and "\n" in layout:
        text = layout
    elif isinstance(layout, os.PathLike) or (isinstance(layout, str) and layout):
        try:
            text = Path(layout).read_text(encoding="utf-8-sig")  # some editors sign what they write
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ValueError(
                f"layout is {str(layout)!r}, a file that cannot be read: {why}."
            ) from error
    else:
        # Equal to the rows of a file: a training may go on from either.
        return Arguments(tuple(layout)) if isinstance(layout, list) else arguments
    return Arguments(tuple(line.strip() for line in text.strip().splitlines()))


def to_tables(arguments, has_goals):
    """Return the tables of a scenario, whose maps say where a vest may lie or have none."""
    if arguments.layout is None:
        none = np.zeros(1, np.int32)
        return Tables(atlas(), np.array([False]), np.zeros((SIZE, SIZE), np.uint8), none, none)
    return Tables(atlas(), np.array([True]), *read_layout(arguments.layout, has_goals))


def read_layout(rows, has_goals):
    """Return `plan`, `starts` and `goals` of `Tables`."""
    letters = _letters(rows, has_goals)
    plan = np.full((SIZE, SIZE), BRICKS + 1, np.uint8)
    height, width = letters.shape
    plan[:height, :width] = [[WALLS.get(letter, -1) + 1 for letter in row] for row in letters]
    free = np.argwhere(plan == 0).tolist()
    for row, column in free:
        if row in (0, height - 1) or column in (0, width - 1):
            raise ValueError(
                f"layout is open at row {row}, column {column}, counted from 0; "
                "expected walls all around."
            )
    starts, goals = (np.argwhere(letters == letter).tolist() for letter in (START, GOAL))
    if has_goals and not goals:
        raise ValueError(f"layout has no {GOAL!r}; expected one, the place of the vest.")
    starts = starts or [cell for cell in free if cell not in goals]
    if not starts:
        raise ValueError(f"layout has no place to start at; expected {FREE!r} or {START!r} in it.")
    ways = distances(plan, *starts[0])
    for row, column in free:
        if ways[row][column] < 0:
            there = "row {}, column {}".format(*starts[0])
            raise ValueError(
                f"layout has no way from {there} to row {row}, column {column}, counted from 0; "
                "expected one between any two free cells."
            )
    return plan, _cells(starts), _cells(goals or starts)


def _letters(rows, has_goals):
    """Return the letters of a layout, (rows, columns)."""
    is_text = isinstance(rows, Sequence) and all(isinstance(row, str) for row in rows)
    if not is_text or isinstance(rows, str) or not rows or not rows[0]:
        raise ValueError(
            f"layout is {reprlib.repr(rows)}; expected strings of one length, one a row of the "
            "map, a text of such lines, or the name of a file of it."
        )
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"layout has {len(row)} letters in row {number} and {len(rows[0])} in row 0; "
                "expected rows of one length."
            )
    if max(len(rows), len(rows[0])) > SIZE:
        raise ValueError(
            f"layout has {len(rows)} rows of {len(rows[0])} letters; "
            f"expected at most {SIZE} of each."
        )
    known = [*WALLS, FREE, START, *([GOAL] if has_goals else [])]
    letters = np.array([list(row) for row in rows])
    for (row, column), letter in np.ndenumerate(letters):
        if letter not in known:
            expected = ", ".join(map(repr, known))
            raise ValueError(
                f"layout has {str(letter)!r} in row {row}, column {column}; expected {expected}."
            )
    return letters


def _cells(places):
    return np.array([row * SIZE + column for row, column in places], np.int32)


def lay(s, i, p, rng):
    """Write the given map into the grid; return a place to start at."""
    for row in range(SIZE):
        for column in range(SIZE):
            s.grid[i, row, column] = p.plan[row, column]
    return place_of(i, p.starts, rng)


def place_of(i, cells, rng):
    """Return the middle of one of these cells."""
    cell = int(cells[integers(rng, i, 0, cells.shape[0])])
    return cell % SIZE + 0.5, cell // SIZE + 0.5
