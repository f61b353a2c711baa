"""The status bar: health, kills and ammunition, in figures on the lowest part of the picture."""

import math

from batchsim.raster import paint

SHARE = 9  # of the picture's height is one for the bar
ROWS, COLUMNS = 5, 3  # of a figure
# Each a number of 15 bits, the first of which is the upper left one.
FIGURES = (
    0b111101101101111,
    0b010110010010111,
    0b111001111100111,
    0b111001111001111,
    0b101101111001001,
    0b111100111001111,
    0b111100111101111,
    0b111001010010010,
    0b111101111101111,
    0b111101111001111,
)
GROUND, RED, WHITE, YELLOW = 0x201C1C, 0x3C3CE0, 0xE0E0E0, 0x40C8E8  # blue, green and red


def draw_status(s, i, p, picture):
    """Draw the bar over the picture."""
    height = max(1, p.height // SHARE)
    size = max(1, (height - 2) // ROWS)
    above = (height - ROWS * size) // 2
    for y in range(height):
        for x in range(p.width):
            colour = colour_at(s, i, p, size, y - above, x)
            row = p.height - height + y
            paint(picture, row, x, colour, 256, p.grayscale, p.channels_first)


def colour_at(s, i, p, size, y, x):
    """Return the colour of a pixel of the bar: health to the left, kills, ammunition."""
    across = 3 * (COLUMNS + 1) * size
    third = 3 * x // p.width
    if third == 0:
        number, colour, left = math.ceil(s.health[i]), RED, size
    elif third == 1:
        number, colour, left = int(s.kills[i]), WHITE, (p.width - across) // 2
    else:
        number, colour, left = int(s.ammo[i]), YELLOW, p.width - across
    number = min(number, 999)
    row, column = y // size, (x - left) // size
    place = column // (COLUMNS + 1)  # hundreds, tens, ones
    column %= COLUMNS + 1
    if not (0 <= row < ROWS and 0 <= place < 3 and column < COLUMNS):
        return GROUND
    unit = 100 if place == 0 else (10 if place == 1 else 1)
    if number < unit and unit > 1:
        return GROUND
    figure = FIGURES[number // unit % 10]
    return colour if figure >> (ROWS * COLUMNS - 1 - row * COLUMNS - column) & 1 == 1 else GROUND
