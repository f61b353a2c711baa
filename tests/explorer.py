"""A player that goes to things and does something there, so that grid worlds show all they can.

Random actions hardly ever pick up a key, and never open the door that it belongs to. The player
looks at the per-object environments, not at the batch that is compared with them.
"""

from collections import Counter, deque

import numpy as np

TURN_LEFT, TURN_RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
HEADINGS = ((1, 0), (0, 1), (-1, 0), (0, -1))
THINGS = ("key", "ball", "box")


class Explorer:
    """Repeatable actions, one a row, for environments of MiniGrid in a `SyncVectorEnv`.

    `seen` counts what was done: the kind of thing ahead, its state, what was carried, the action.
    """

    def __init__(self, reference, seed=0):
        self.envs = [env.unwrapped for env in reference.envs]
        self.rng = np.random.default_rng(seed)
        self.plans = [deque() for _ in self.envs]
        self.choices = int(reference.single_action_space.n)
        self.seen = Counter()

    def __call__(self):
        return np.array([self.act(k, env) for k, env in enumerate(self.envs)])

    def act(self, k, env):
        """Return the action of a row, and note what it meets."""
        plan = self.plans[k]
        if self.rng.random() < 0.03 or env.step_count == 0:
            plan.clear()
        if not plan:
            plan.extend(self.plan(env))
        action = plan.popleft() if plan else int(self.rng.integers(self.choices))
        if action >= self.choices:
            action = FORWARD
        ahead = thing_at(env, *env.front_pos)
        held = env.carrying.type if env.carrying else "nothing"
        self.seen[describe(ahead), held, action] += 1
        if action == FORWARD and ahead is not None and not ahead.can_overlap():
            plan.clear()  # Something came into the way.
        return action

    def plan(self, env):
        """Return actions that lead to something, and one to do there."""
        cells = [(x, y, env.grid.get(x, y)) for x in range(env.width) for y in range(env.height)]
        carrying = env.carrying
        if carrying and self.rng.random() < 0.3:
            free = [(x, y) for x, y, thing in cells if thing is None]
            return self.way(env, free[self.rng.integers(len(free))], [DROP])
        targets = [cell for cell in cells if cell[2] is not None and cell[2].type != "wall"]
        if not targets:
            return []
        words = set(env.mission.replace(",", "").split())
        named = [cell for cell in targets if {cell[2].type, cell[2].color} <= words]
        if named and self.rng.random() < 0.4:
            targets = named
        x, y, thing = targets[self.rng.integers(len(targets))]
        if thing.type == "lava" and self.rng.random() < 0.8:
            return []
        return self.way(env, (x, y), self.deeds(env, thing))

    def deeds(self, env, thing):
        """Return what to do before a thing."""
        if thing.type in ("goal", "lava"):
            return [FORWARD]
        draw = self.rng.random()
        if draw < 0.1:
            return [DONE]
        if thing.type == "door":
            return [TOGGLE, TOGGLE] if draw < 0.2 else [TOGGLE]
        if thing.type == "box" and draw < 0.25:
            return [TOGGLE]
        if env.carrying and draw < 0.7:
            return [DROP, TURN_LEFT, DROP, TURN_RIGHT, PICKUP]
        return [PICKUP]

    def way(self, env, target, deeds):
        """Return actions that end before a target, heading there, and then the deeds."""
        start = (*(int(c) for c in env.agent_pos), int(env.agent_dir))
        came = {start: None}
        queue = deque([start])
        while queue:
            state = queue.popleft()
            x, y, heading = state
            dx, dy = HEADINGS[heading]
            ahead = x + dx, y + dy
            if ahead == target:
                return [*self.trace(env, came, state), *deeds]
            turns = [(x, y, (heading + 3) % 4), (x, y, (heading + 1) % 4)]
            inside = 0 <= ahead[0] < env.width and 0 <= ahead[1] < env.height
            if inside and passable(env, thing_at(env, *ahead)):
                turns.append((*ahead, heading))
            for action, following in enumerate(turns):
                if following not in came:
                    came[following] = state, action
                    queue.append(following)
        return list(self.rng.integers(0, 3, 4))  # There is no way: wander.

    def trace(self, env, came, state):
        """Return the actions that led to a state, doors opened on the way."""
        actions = []
        while came[state] is not None:
            state, action = came[state]
            actions.append(action)
            if action == FORWARD:
                dx, dy = HEADINGS[state[2]]
                door = thing_at(env, state[0] + dx, state[1] + dy)
                if door is not None and door.type == "door" and not door.is_open:
                    actions.append(TOGGLE)
        return actions[::-1]


def passable(env, thing):
    """Tell whether the agent can get to where a thing is, or can open it."""
    if thing is None or thing.type in ("floor", "goal"):
        return True
    if thing.type != "door":
        return False
    key = env.carrying
    has_key = key is not None and key.type == "key" and key.color == thing.color
    return thing.is_open or not thing.is_locked or has_key


def thing_at(env, x, y):
    """Return what is in a cell; None beyond the grid too."""
    inside = 0 <= x < env.width and 0 <= y < env.height
    return env.grid.get(x, y) if inside else None


def describe(thing):
    """Return the kind of a thing, a door's state included."""
    if thing is None:
        return "empty"
    if thing.type == "door":
        return "open door" if thing.is_open else "locked" if thing.is_locked else "closed"
    return thing.type
