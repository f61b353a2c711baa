"""What people watch: the board, each thing in the colour of its channel.

Source: Green, "A colour scheme for the display of astronomical intensity images", Bulletin of the
Astronomical Society of India 39 (2011), whose scheme MinAtar's own pictures have, in 256 shades.
"""

import numpy as np

TILE = 32  # pixels of a cell's side
SHADES = 256
START, ROTATIONS = 0.5, -1.5
COSINES = np.array([-0.14861, -0.29227, 1.97294])
SINES = np.array([1.78277, -0.90649, 0.0])


def cubehelix(count):
    """Return colours of rising lightness, (count, 3) uint8, without black and white."""
    places = np.linspace(0.0, 1.0, count + 2)[1:-1]
    light = np.floor(places * SHADES)[:, None] / (SHADES - 1)
    angle = 2 * np.pi * (START / 3 + ROTATIONS * light)
    away = light * (1 - light) / 2
    colours = light + away * (COSINES * np.cos(angle) + SINES * np.sin(angle))
    return np.rint(255 * np.clip(colours, 0.0, 1.0)).astype(np.uint8)


def painter(definition, p):
    """Return a function (s, i) -> frame (320, 320, 3); of a cell's channels the last one shows."""
    board = np.zeros(definition.OBSERVATION.shape, bool)
    channels = board.shape[2]
    colours = np.concatenate([np.zeros((1, 3), np.uint8), cubehelix(channels)])
    numbers = np.arange(1, channels + 1)

    def draw(s, i):
        board[:] = False
        definition.show(s, i, p, board)
        cells = colours[(board * numbers).max(2)]
        return cells.repeat(TILE, 0).repeat(TILE, 1)

    return draw
