"""What an environment of MiniGrid observes, as its caller chooses: the arguments `view` and `form`.

Each is what one of MiniGrid's wrappers makes, bit for bit. A view is what the image shows, and a
form what is observed beside the image. Both are classes whose functions a definition goes on with.

Source: Chevalier-Boisvert and others, "Minigrid & Miniworld" (2023), `minigrid/wrappers.py`.
"""

import functools
from typing import NamedTuple

import numpy as np

import batchsim
from batchsim.envs.minigrid.encodings import Full, OneHot, Symbolic
from batchsim.envs.minigrid.forms import Flat, Image
from batchsim.envs.minigrid.pictures import Rgb, RgbPartial
from batchsim.family import merge

LARGEST_TILE = 128


class Views(NamedTuple):
    """The arguments that say what is observed."""

    view: str = "partial"
    form: str = "dict"
    tile_size: int = 8  # pixels of a tile's side in a view of colours


# What each adds to a definition.
VIEWS = {
    "partial": (), "full": (Full,), "onehot": (OneHot,), "symbolic": (Symbolic,), "rgb": (Rgb,),
    "rgb_partial": (RgbPartial,),
}  # fmt: skip
FORMS = {"dict": (), "image": (Image,), "flat": (Flat,)}


def choose(definition, arguments):
    """Return the class that a definition goes on with for what its caller wants to observe."""
    for name, known in ("view", VIEWS), ("form", FORMS):
        given = getattr(arguments, name)
        if not isinstance(given, str) or given not in known:
            expected = ", ".join(map(repr, known))
            raise ValueError(f"{name} is {given!r}; expected one of {expected}.")
    size = arguments.tile_size
    if not 1 <= size <= LARGEST_TILE:
        raise ValueError(f"tile_size is {size!r}; expected a number from 1 to {LARGEST_TILE}.")
    if (arguments.view, arguments.form) == ("symbolic", "flat"):
        raise ValueError("form is 'flat', which has no numbers below 0; expected another view.")
    return made(definition, arguments.view, arguments.form)


@functools.cache
def made(definition, view, form):
    """Return the class of a definition with a view and a form."""
    if (view, form) == ("partial", "dict"):
        return definition
    bases = (*FORMS[form], *VIEWS[view], definition)
    parts = [definition.Scratch, *(base.SCRATCH for base in bases if hasattr(base, "SCRATCH"))]
    if form == "flat":
        image = batchsim.column(np.uint8, bases[1].shape_of)
        tokens = batchsim.column(np.uint8, len(definition.WORDS))
        parts.append(NamedTuple("Flattened", [("image", image), ("tokens", tokens)]))
    names = {
        "__doc__": definition.__doc__,
        "__module__": definition.__module__,
        "Scratch": merge(*parts),
    }
    return type(definition.__name__, bases, names)
