"""The maps of a frozen lake: letters as arrays of tiles, and back."""

import numpy as np
from gymnasium.envs.toy_text.frozen_lake import MAPS

TILES = "GHFS"


def read_board(desc, name):
    """Return the places in `TILES` of a map's letters, (rows, columns), int8."""
    if desc is None:
        if name not in list(MAPS):
            raise ValueError(f"map_name is {name!r}; expected {' or '.join(map(repr, MAPS))}.")
        desc = MAPS[name]
    try:
        letters = np.asarray(desc, "c").astype("U1")
    except ValueError:  # rows of several lengths, or letters beyond ASCII
        letters = np.empty(0)
    if letters.ndim != 2 or letters.size == 0:
        raise ValueError(f"desc is {desc!r}; expected strings of one length, one a row of the map.")
    unknown = [letter for letter in letters.ravel().tolist() if letter not in set(TILES)]
    if unknown:
        raise ValueError(f"desc has the letter {unknown[0]!r}; expected S, F, H and G only.")
    if "S" not in letters:
        raise ValueError(f"desc is {desc!r}; expected the letter S, a start, in it.")
    return np.array([[TILES.index(letter) for letter in row] for row in letters], np.int8)


def letters_of(board):
    """Return the map's strings, one a row."""
    return tuple("".join(TILES[tile] for tile in row) for row in board)
