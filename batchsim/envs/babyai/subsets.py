"""Some of a list, each at random and none twice."""

from batchsim.envs.minigrid.cells import BY_NAME
from batchsim.random import integers


def draw_two(rng, i, count):
    """Return two different numbers below `count`."""
    one = integers(rng, i, 0, count)
    other = integers(rng, i, 0, count - 1)
    return one, other + 1 if other >= one else other


def draw_colours(rng, i, count):
    """Return so many different colours, as the octal digits of a number."""
    taken, digits = 0, 0
    for k in range(count):
        left = integers(rng, i, 0, len(BY_NAME) - k)
        for place in range(len(BY_NAME)):
            if taken >> place & 1 == 0:
                if left == 0:
                    taken |= 1 << place
                    digits |= BY_NAME[place] << 3 * k
                    break
                left -= 1
    return digits


def drawn(colours, k):
    """Return a colour of those drawn."""
    return colours >> 3 * k & 7
