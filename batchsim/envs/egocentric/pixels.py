"""How a pixel is written, and what walls and sprites agree upon."""

from batchsim.envs.egocentric.world import ITEMS, MONSTERS
from batchsim.lookup import lit

WIDEST = 640
SPRITES = MONSTERS + ITEMS
LIGHT = 256.0  # of what is near; 256 shows the colours of the atlas
FOG = 0.12  # how much darker it gets with each cell


def paint(p, out, y, x, colour, light):
    """Write a pixel: a colour of the atlas, lit from 0 (black) to 256 (as it is)."""
    even, odd = lit(colour, light)
    red, green, blue = (even >> 8) & 255, (odd >> 8) & 255, (even >> 24) & 255
    if p.grayscale:
        red = (77 * red + 150 * green + 29 * blue) >> 8
    if p.channels_first:
        out[0, y, x] = red
        if not p.grayscale:
            out[1, y, x] = green
            out[2, y, x] = blue
    else:
        out[y, x, 0] = red
        if not p.grayscale:
            out[y, x, 1] = green
            out[y, x, 2] = blue
