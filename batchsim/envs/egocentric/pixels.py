"""What walls and sprites agree upon: light, and how coarse a texture is looked at."""

from batchsim.envs.egocentric.textures import BITS
from batchsim.envs.egocentric.world import ITEMS, MONSTERS

WIDEST = 640
SPRITES = MONSTERS + ITEMS
SPRITE = 2  # the label of the first monster; 0 is floor or ceiling, 1 a wall
LIGHT = 256.0  # of what is near; 256 shows the colours of the atlas
FOG = 0.12  # how much darker it gets with each cell
FINEST = 2.0**0.5  # from so many texels a pixel on a texture is looked at coarser


def level_of(grain):
    """Return how often a texture is halved for so many of its texels a pixel, BITS at most."""
    level = 0
    while level < BITS and grain > FINEST:
        grain = 0.5 * grain
        level += 1
    return level
