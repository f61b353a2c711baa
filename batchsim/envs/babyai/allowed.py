"""What the columns of a level may hold, so that nothing is looked for beyond the grid."""

import numpy as np

from batchsim.envs.babyai.things import MOST
from batchsim.envs.babyai.words import CLAUSES
from batchsim.envs.minigrid.allowed import CARRIED, grid_of, require_cells, require_places
from batchsim.envs.minigrid.cells import WALLED
from batchsim.envs.minigrid.grid import NOWHERE
from batchsim.ranges import require_between

EVERY_CLAUSE = (1 << CLAUSES) - 1


def check_level(s, p):
    """Raise ValueError unless rows hold what a level of BabyAI may.

    Args:
        s, p: as in `check_state`.
    """
    inside = grid_of(p)
    # Those of its places that have others of the grid on all sides.
    amidst = inside & np.all([np.roll(inside, -int(step)) for step in p.ahead], axis=0)
    require_between("the border", s.cells[:, inside & ~amidst], WALLED, WALLED)
    require_places("place", s.place, amidst)
    inside[NOWHERE] = amidst[NOWHERE] = True
    require_places("places", s.places, inside)
    require_places("lifted", s.lifted, amidst)
    for name in ("last", "numbers", "held"):
        require_between(name, getattr(s, name), 0, MOST)
    for name in ("strict", "begun", "done"):
        require_between(name, getattr(s, name), 0, EVERY_CLAUSE)
    require_between("part", s.part, 0, CLAUSES - 2)
    require_between("next_part", s.next_part, -1, CLAUSES - 2)
    require_between("limit", s.limit, 1, 2**31 - 1)
    require_cells("boxed", s.boxed, CARRIED)
