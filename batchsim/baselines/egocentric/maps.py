"""Maps: a grid of cells, each free or a wall, and how those of the scenarios are made."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np
import numpy.typing as npt

from batchsim.envs.egocentric.layout import Arguments, read_layout, settle
from batchsim.envs.egocentric.maps import ARENA, MIDDLE, paper
from batchsim.envs.egocentric.world import SIZE

__all__ = ["Drawn", "Layout", "Map", "Place", "Room", "arena", "corridor", "maze", "room"]

Layout = Sequence[str] | str | PathLike[str]
"""A map in letters, or the name of a file of its lines."""

Place = tuple[float, float]
"""x and y."""

Room = tuple[int, int]
"""Row and column of a room of a maze."""

WAYS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Out of a room of a maze: right, down, left, up, each a step in rows and in columns."""


class Map:
    """A square of cells.

    Args:
        cells: rows of columns; 0 is free, another number a wall of the texture before it.
    """

    def __init__(self, cells: list[list[int]]) -> None:
        self.cells = cells
        self.walls = np.array(cells)

    def is_free(self, x: float, y: float, radius: float) -> bool:
        """Return whether a square of this radius around a place touches no wall."""
        for row in range(int(y - radius), int(y + radius) + 1):
            cells = self.cells[row]
            for column in range(int(x - radius), int(x + radius) + 1):
                if cells[column] != 0:
                    return False
        return True

    def free_way(self, x: float, y: float, dx: float, dy: float) -> float:
        """Return the share of the way from (x, y) along (dx, dy) until a wall; at least 1 if there
        is none.
        """
        column, row = int(x), int(y)
        step_x, step_y = (1 if dx >= 0.0 else -1), (1 if dy >= 0.0 else -1)
        across_x = abs(1.0 / dx) if dx != 0.0 else 1e30
        across_y = abs(1.0 / dy) if dy != 0.0 else 1e30
        next_x = (column + 1 - x if dx >= 0.0 else x - column) * across_x
        next_y = (row + 1 - y if dy >= 0.0 else y - row) * across_y
        way = 0.0
        while self.cells[row][column] == 0 and way < 1.0:
            if next_x < next_y:
                way = next_x
                next_x += across_x
                column += step_x
            else:
                way = next_y
                next_y += across_y
                row += step_y
        return way

    def free_place(self, rng: np.random.Generator) -> Place:
        """Draw x and y of a place where a body fits, every free cell being equally likely."""
        row = column = 0
        while self.cells[row][column] != 0:
            row, column = int(rng.integers(1, SIZE - 1)), int(rng.integers(1, SIZE - 1))
        return column + rng.uniform(0.3, 0.7), row + rng.uniform(0.3, 0.7)


class Drawn:
    """A map that a caller has drawn.

    Args:
        layout: the map.
        has_goals: whether it says where the vest may lie.

    Raises:
        ValueError: if nobody can walk it.
    """

    def __init__(self, layout: Layout, has_goals: bool = False) -> None:
        rows = settle(Arguments(layout)).layout
        plan, self.starts, self.goals = read_layout(rows, has_goals)
        self.map = Map(plan.tolist())

    def start(self, rng: np.random.Generator) -> Place:
        """Draw where the player starts."""
        return self._middle(self.starts, rng)

    def goal(self, rng: np.random.Generator) -> Place:
        """Draw where the vest lies."""
        return self._middle(self.goals, rng)

    @staticmethod
    def _middle(cells: npt.NDArray[np.int32], rng: np.random.Generator) -> Place:
        row, column = divmod(int(cells[rng.integers(len(cells))]), SIZE)
        return column + 0.5, row + 0.5


def solid(wall: int) -> list[list[int]]:
    """Return cells that are all walls of a texture."""
    return [[wall + 1] * SIZE for _ in range(SIZE)]


def clear(cells: list[list[int]], row: int, column: int, rows: int, columns: int) -> None:
    """Make a rectangle of cells free."""
    for line in cells[row : row + rows]:
        line[column : column + columns] = [0] * columns


def room(rows: int, columns: int, wall: int) -> Map:
    """Return a room of free cells from (1, 1) on, in walls of a texture."""
    cells = solid(wall)
    clear(cells, 1, 1, rows, columns)
    return Map(cells)


def corridor(row: int, rows: int, columns: int, niches: tuple[int, ...], wall: int) -> Map:
    """Return a corridor from the left border on, with niches on both sides of these columns."""
    cells = solid(wall)
    clear(cells, row, 1, rows, columns)
    for column in niches:
        clear(cells, row - 1, column - 1, 1, 3)
        clear(cells, row + rows, column - 1, 1, 3)
    return Map(cells)


def arena(wall: int) -> Map:
    """Return a round room, as large as the grid allows."""
    cells = solid(wall)
    for row in range(SIZE):
        for column in range(SIZE):
            x, y = column + 0.5 - MIDDLE, row + 0.5 - MIDDLE
            if x * x + y * y < ARENA * ARENA:
                cells[row][column] = 0
    return Map(cells)


def maze(rng: np.random.Generator, side: int, width: int, door: int, loops: int) -> Map:
    """Dig a maze of `side` by `side` rooms, each of `width` by `width` cells.

    Depth first: from a room a door opens to a neighbour that has none yet, at random; where there
    is none, the way goes back. Up to `loops` more doors at random make further ways.
    """
    pitch = width + 1
    cells = [
        [paper(row // pitch, column // pitch) + 1 for column in range(SIZE)] for row in range(SIZE)
    ]

    def dig(place: Room) -> None:
        clear(cells, place[0] * pitch + 1, place[1] * pitch + 1, width, width)

    def open_door(one: Room, other: Room) -> None:
        # In the wall that ends the room to the left, or above.
        row, column = max(one[0], other[0]) * pitch, max(one[1], other[1]) * pitch
        first = (width - door) // 2 + 1
        if one[0] == other[0]:
            clear(cells, row + first, column, door, 1)
        else:
            clear(cells, row, column + first, 1, door)

    path = [(int(rng.integers(side)), int(rng.integers(side)))]
    dig(path[0])
    dug = set(path)
    while len(dug) < side * side:
        row, column = path[-1]
        chosen, choices = None, 0
        for down, right in WAYS:
            place = row + down, column + right
            if 0 <= place[0] < side and 0 <= place[1] < side and place not in dug:
                choices += 1
                if rng.integers(choices) == 0:
                    chosen = place
        if chosen is None:
            path.pop()
            continue
        open_door(path[-1], chosen)
        dig(chosen)
        dug.add(chosen)
        path.append(chosen)
    for _ in range(loops):
        row, column = int(rng.integers(side)), int(rng.integers(side))
        down, right = WAYS[rng.integers(2)]
        if row + down < side and column + right < side:
            open_door((row, column), (row + down, column + right))
    return Map(cells)
