"""Maps: written into the grid of a row, from its own random stream where they differ."""

from batchsim.envs.egocentric.textures import BRICKS, METAL, STONE, WOOD
from batchsim.envs.egocentric.world import SIZE
from batchsim.random import integers, uniform

MIDDLE = SIZE / 2
ARENA = MIDDLE - 1.5  # the radius of the round room

# The ways out of a room of a maze: right, down, left, up.
RIGHT, DOWN = (1, 0, -1, 0), (0, 1, 0, -1)
VISITED = 128  # marks a room while a maze is dug, with the way back to the room before


def room(s, i, rows, columns, wall):
    """A room of free cells from (1, 1) on, in walls of a texture."""
    for row in range(SIZE):
        for column in range(SIZE):
            inside = 1 <= row <= rows and 1 <= column <= columns
            s.grid[i, row, column] = 0 if inside else wall + 1


def arena(s, i, wall):
    """A round room, as large as the grid allows."""
    for row in range(SIZE):
        for column in range(SIZE):
            x, y = column + 0.5 - MIDDLE, row + 0.5 - MIDDLE
            s.grid[i, row, column] = 0 if x * x + y * y < ARENA * ARENA else wall + 1


def block(s, i, row, column, rows, columns, value):
    """Write a value into a rectangle of cells."""
    for y in range(row, row + rows):
        for x in range(column, column + columns):
            s.grid[i, y, x] = value


def maze(s, i, rng, side, width, door, loops):
    """Dig a maze of `side` by `side` rooms, each of `width` by `width` cells.

    Depth first: from a room a door opens to a neighbour that has none yet, at random; where there
    is none, the way goes back. So each room is reached from each other, by one way; up to `loops`
    more doors at random make further ones. The way back is noted in the first cell of each room,
    which is cleared at last. A wall has the texture of the room to its right and below.
    """
    pitch = width + 1
    for row in range(SIZE):
        for column in range(SIZE):
            s.grid[i, row, column] = paper(row // pitch, column // pitch) + 1
    row, column = integers(rng, i, 0, side), integers(rng, i, 0, side)
    dig(s, i, row, column, width, VISITED)
    rooms = 1
    while rooms < side * side:
        way, choices = -1, 0
        for k in range(4):
            y, x = row + DOWN[k], column + RIGHT[k]
            if (
                0 <= y < side
                and 0 <= x < side
                and s.grid[i, y * pitch + 1, x * pitch + 1] < VISITED
            ):
                choices += 1
                if integers(rng, i, 0, choices) == 0:
                    way = k
        if way >= 0:
            open_door(s, i, row, column, way, width, door)
            row, column = row + DOWN[way], column + RIGHT[way]
            dig(s, i, row, column, width, VISITED + way)
            rooms += 1
        else:
            way = int(s.grid[i, row * pitch + 1, column * pitch + 1]) - VISITED
            row, column = row - DOWN[way], column - RIGHT[way]
    for _ in range(loops):
        row, column, way = (
            integers(rng, i, 0, side),
            integers(rng, i, 0, side),
            integers(rng, i, 0, 2),
        )
        if row + DOWN[way] < side and column + RIGHT[way] < side:
            open_door(s, i, row, column, way, width, door)
    for row in range(side):
        for column in range(side):
            s.grid[i, row * pitch + 1, column * pitch + 1] = 0


def paper(row, column):
    """The texture of a room's walls."""
    k = (row + 2 * column) % 4
    return BRICKS if k == 0 else (STONE if k == 1 else (METAL if k == 2 else WOOD))


def dig(s, i, row, column, width, mark):
    """Clear a room of a maze, and leave a mark in its first cell."""
    pitch = width + 1
    block(s, i, row * pitch + 1, column * pitch + 1, width, width, 0)
    s.grid[i, row * pitch + 1, column * pitch + 1] = mark


def open_door(s, i, row, column, way, width, door):
    """Clear the middle of the wall between a room of a maze and its neighbour."""
    pitch = width + 1
    first = (width - door) // 2 + 1
    if RIGHT[way] != 0:
        wall = column * pitch + (pitch if RIGHT[way] > 0 else 0)
        block(s, i, row * pitch + first, wall, door, 1, 0)
    else:
        wall = row * pitch + (pitch if DOWN[way] > 0 else 0)
        block(s, i, wall, column * pitch + first, 1, door, 0)


def free_place(s, i, rng):
    """Draw a place where a body fits, every free cell being equally likely."""
    row, column = 0, 0
    while s.grid[i, row, column] != 0:
        row, column = integers(rng, i, 1, SIZE - 1), integers(rng, i, 1, SIZE - 1)
    return column + uniform(rng, i, 0.3, 0.7), row + uniform(rng, i, 0.3, 0.7)


def far_place(s, i, rng, distance):
    """Draw a place where a body fits, so far from the player if one is found soon."""
    x, y = free_place(s, i, rng)
    for _ in range(20):
        dx, dy = x - s.x[i], y - s.y[i]
        if dx * dx + dy * dy >= distance * distance:
            break
        x, y = free_place(s, i, rng)
    return x, y


def distances(grid, row, column):
    """How many cells each free cell of a grid (rows, columns) is from one; -1 if out of reach.

    Ordinary Python: a breadth-first search, for tests and for whoever draws maps.
    """
    found = {(row, column): 0}
    todo = [(row, column)]
    for y, x in todo:
        for dy, dx in zip(DOWN, RIGHT, strict=True):
            cell = y + dy, x + dx
            if cell not in found and grid[cell] == 0:
                found[cell] = found[y, x] + 1
                todo.append(cell)
    return [[found.get((y, x), -1) for x in range(len(grid[y]))] for y in range(len(grid))]
