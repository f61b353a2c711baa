"""Maps: written into the grid of a row, from its own random stream where they differ."""

from batchsim.envs.egocentric.world import SIZE


def room(s, i, rows, columns, wall):
    """A room of free cells from (1, 1) on, in walls of a texture."""
    for row in range(SIZE):
        for column in range(SIZE):
            inside = 1 <= row <= rows and 1 <= column <= columns
            s.grid[i, row, column] = 0 if inside else wall + 1
