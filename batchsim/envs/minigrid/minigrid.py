"""What all ids of MiniGrid have in common."""
from typing import NamedTuple
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text

from batchsim.envs.minigrid.view import Scratch, look
from batchsim.envs.minigrid.world import World, lay_out
from batchsim.family import env

class Params(NamedTuple):
    agent_view_size: int = 7
    see_through_walls: bool = False

def OBSERVATION(p):
    n = p.agent_view_size
    return Dict(direction=Discrete(4), image=Box(0, 255, (n, n, 3), np.uint8), mission=Text(100))

def TOKENS(p):
    return MultiDiscrete([1])

class MiniGrid(World):
    Scratch, Params = Scratch, Params
    OBSERVATION = OBSERVATION
    TOKENS = TOKENS
    ACTION = Discrete(7)

    def observe(s, i, p, out):
        out.direction[0] = s.heading[i]
        out.mission[0] = 0
        look(s, i, p)
        n = p.agent_view_size
        for x in range(n):
            for y in range(n):
                code = int(s.seen[i, x * n + y])
                kind = code & 15
                is_door = kind > 10
                out.image[x, y, 0] = 4 if is_door else kind
                out.image[x, y, 1] = code >> 4 & 7
                out.image[x, y, 2] = kind - 10 if is_door else 0
