"""One picture of all egocentric environments, two views of each.

python docs/examples/contact_sheet.py docs/egocentric.png
"""

import sys

import numpy as np
from PIL import Image, ImageDraw

import batchsim

WIDTH, HEIGHT, BORDER = 320, 180, 4
STEPS = 10


def views(name):
    """Return what two players see after some steps of random actions."""
    envs = batchsim.make_vec(name, num_envs=2, width=WIDTH, height=HEIGHT)
    observations, _ = envs.reset(seed=11)
    envs.action_space.seed(0)
    for _ in range(STEPS):
        observations, *_ = envs.step(envs.action_space.sample())
    envs.close()
    return observations


names = [name for name in batchsim.environments() if name.startswith("Ego")]
row, column = HEIGHT + BORDER, WIDTH + BORDER
sheet = np.full((row * len(names) // 2 + BORDER, column * 4 + BORDER, 3), 255, np.uint8)
for number, name in enumerate(names):
    for k, view in enumerate(views(name)):
        top = BORDER + number // 2 * row
        left = BORDER + (number % 2 * 2 + k) * column
        sheet[top : top + HEIGHT, left : left + WIDTH] = view
picture = Image.fromarray(sheet)
for number, name in enumerate(names):
    place = (BORDER + number % 2 * 2 * column + 6, BORDER + number // 2 * row + 4)
    ImageDraw.Draw(picture).text(place, name, fill="white")
# Refined: what is small, as monsters and items are, would get the colours of what is large.
picture.quantize(256, kmeans=8).save(sys.argv[1])
