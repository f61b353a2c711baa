"""A player of MinAtar's games that looks ahead, so that they show what seldom happens.

What would come of an action is tried in copies of the batch, whose random streams are copied too.
"""

from collections import Counter

import numpy as np

import batchsim

AHEAD = 9  # steps


def columns_of(snapshot):
    """Return the columns of a snapshot by name."""
    return {name[6:]: v for name, v in snapshot.items() if name.startswith("state.")}


def wish_seaquest(s):
    """Fetch divers until there are six, go up with them, and then, with fewer than none, again."""
    up = (s["crew"] == 6) | (s["crew"] < 0) | (s["oxygen"] < 40) & (s["crew"] != 0)
    x, y = s["divers"][:, :, 0], s["divers"][:, :, 1]
    away = abs(x - s["x"][:, None]) + abs(y - s["y"][:, None])
    away = np.where(np.arange(3) < s["num_divers"][:, None], away, 12).min(1)
    diving = np.where(up, s["y"] - 20, away)
    return 3.0 * abs(s["crew"]) - 0.2 * diving + 4.0 * (s["crew"] < 0) * s["changes"]


WISHES = {
    "Asterix": lambda s: np.zeros(len(s["x"])),
    "Breakout": lambda s: -0.1 * abs(s["paddle"] - s["ball_x"]),
    "Freeway": lambda s: -0.1 * s["row"],
    "Seaquest": wish_seaquest,
    "SpaceInvaders": lambda s: -0.1 * s["top"],
}
"""What a state is worth beside the rewards."""


class Player:
    """Repeatable actions, one a row, for a batch of a game. Two in three rows look ahead.

    `seen` counts what happened.
    """

    def __init__(self, name, envs, seed=0, tries=12, **settings):
        self.game = name.removeprefix("MinAtar/").rpartition("-")[0]
        self.envs, self.tries = envs, tries
        self.rng = np.random.default_rng(seed)
        self.looks = np.arange(envs.num_envs) % 3 > 0
        self.number = int(envs.single_action_space.n)
        many = int(self.looks.sum()) * tries
        self.copies = batchsim.make_vec(name, many, num_threads=1, **settings)
        self.copies.reset(seed=0)
        self.seen = Counter()
        self.before = self.elapsed = None

    def __call__(self):
        snapshot = self.envs.get_state()
        self.note(columns_of(snapshot), snapshot["elapsed"])
        actions = self.rng.integers(self.number, size=self.envs.num_envs)
        state = {k: v[self.looks].repeat(self.tries, 0) for k, v in snapshot.items()}
        self.copies.set_state(state)
        many = self.copies.num_envs
        first = self.rng.integers(self.number, size=many)
        alive, worth = np.ones(many, bool), np.zeros(many)
        for ahead in range(AHEAD):
            if ahead == 0:
                tried = first
            else:  # What leads somewhere is mostly done again.
                others = self.rng.integers(self.number, size=many)
                tried = np.where(self.rng.random(many) < 0.7, tried, others)
            _, rewards, over, _, _ = self.copies.step(tried)
            worth += alive * rewards * 0.98**ahead
            alive &= ~over
        worth += np.where(alive, WISHES[self.game](columns_of(self.copies.get_state())), -20.0)
        worth += 1e-3 * self.rng.random(many)
        best = worth.reshape(-1, self.tries).argmax(1)
        actions[self.looks] = first.reshape(-1, self.tries)[np.arange(len(best)), best]
        return actions

    def note(self, now, elapsed):
        """Count what happened in the last step where that was none of an episode's first."""
        if self.before is not None:
            goes_on = elapsed > self.elapsed
            for what, happened in EVENTS[self.game](self.before, now).items():
                self.seen[what] += int((happened & goes_on).sum())
        self.before, self.elapsed = now, elapsed

    def close(self):
        """Close the copies."""
        self.copies.close()


def events_asterix(was, now):
    return {
        "ramps": now["changes"] > was["changes"],
        "ramps to their end": (now["spawn_interval"] == 1) & (was["spawn_interval"] > 1),
        "rows full": (now["place"] >= 0).all(1),
    }


def events_breakout(was, now):
    return {
        "bricks": now["bricks"].sum((1, 2)) == was["bricks"].sum((1, 2)) - 1,
        "no brick left": ~now["bricks"].any((1, 2)),
        "new bricks": now["bricks"].all((1, 2)) & ~was["bricks"].any((1, 2)),
        "passing through": was["struck"] & now["struck"],
    }


def events_freeway(was, now):
    goals = (now["speed"] != was["speed"]).any(1)
    return {
        "goals": goals,
        "hits": (now["row"] == 9) & (was["row"] < 9) & ~goals,
        "ends": now["time_left"] < 0,
    }


def events_seaquest(was, now):
    up = now["is_up"] & ~was["is_up"] & (now["oxygen"] == 200)
    return {
        "surfacings": up & (was["crew"] > 0) & (was["crew"] < 6),
        "surfacings with six": up & (was["crew"] == 6) & (now["crew"] == -1),
        "surfacings with less than none": up & (was["crew"] < 0),
        "ramps to their end": (now["enemy_interval"] == 1) & (was["enemy_interval"] > 1),
        "divers": now["crew"] > was["crew"],
        "twelve enemies": now["num_fish"] + now["num_submarines"] >= 12,
        "suffocated": now["oxygen"] < 0,
    }


def events_space_invaders(was, now):
    return {
        "waves": (now["remaining"] == 24) & (was["remaining"] < 24),
        "ramps": now["interval"] < was["interval"],
        "ramps to their end": (now["interval"] == 6) & (was["interval"] > 6),
        "aliens down": now["top"] > was["top"],
        "aliens low": now["top"] > 5,
    }


EVENTS = {
    "Asterix": events_asterix,
    "Breakout": events_breakout,
    "Freeway": events_freeway,
    "Seaquest": events_seaquest,
    "SpaceInvaders": events_space_invaders,
}
