"""One picture of grid worlds, one of each kind.

python docs/examples/grid_sheet.py docs/grid-worlds.png
"""

import sys

from PIL import Image, ImageDraw

import batchsim
from batchsim.registry import ENVIRONMENTS

SIDE, TEXT, COLUMNS = 176, 16, 8


def picture_of(name):
    """Return what one environment looks like after a reset, as large as a place on the sheet."""
    envs = batchsim.make_vec(name, 1, render_mode="rgb_array", backend="reference")
    envs.reset(seed=3)  # Nothing is compiled for one look.
    picture = Image.fromarray(envs.render()[0])
    envs.close()
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return picture


kinds = {}  # the last id of each definition, which is the largest
for name, entry in ENVIRONMENTS.items():
    if entry.package == "minigrid":
        kinds[entry.module] = name
names = list(kinds.values())
rows = -(-len(names) // COLUMNS)
sheet = Image.new("RGB", (COLUMNS * (SIDE + 8), rows * (SIDE + TEXT + 8)), "white")
for number, name in enumerate(names):
    left = number % COLUMNS * (SIDE + 8) + 4
    top = number // COLUMNS * (SIDE + TEXT + 8) + 4
    label = name.removeprefix("MiniGrid-").removesuffix("-v0")
    ImageDraw.Draw(sheet).text((left, top), label, fill="black")
    sheet.paste(picture_of(name), (left, top + TEXT))
sheet.quantize(64).save(sys.argv[1])
