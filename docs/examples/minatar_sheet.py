"""One picture of MinAtar's games, after some random actions.

python docs/examples/minatar_sheet.py docs/minatar.png
"""

import sys

from PIL import Image, ImageDraw

import batchsim

SIDE, TEXT, BORDER = 160, 16, 8
STEPS = 120


def picture_of(name):
    """Return what the oldest of many episodes of a game looks like, or of one as old."""
    envs = batchsim.make_vec(name, 64, render_mode="rgb_array")
    envs.reset(seed=1)
    envs.action_space.seed(1)
    for _ in range(STEPS):
        envs.step(envs.action_space.sample())
    oldest = envs.get_state()["elapsed"].argmax()
    picture = Image.fromarray(envs.render()[oldest])
    envs.close()
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


names = [name for name in batchsim.environments() if name.startswith("MinAtar/")][1::2]
width = len(names) * (SIDE + BORDER) + BORDER
sheet = Image.new("RGB", (width, TEXT + SIDE + 2 * BORDER), "white")
for number, name in enumerate(names):
    left = BORDER + number * (SIDE + BORDER)
    label = name.removeprefix("MinAtar/").removesuffix("-v1")
    ImageDraw.Draw(sheet).text((left, BORDER), label, fill="black")
    sheet.paste(picture_of(name), (left, TEXT + BORDER))
sheet.quantize(32).save(sys.argv[1])
