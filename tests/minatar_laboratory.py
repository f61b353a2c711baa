"""Games of MinAtar, put into situations that play seldom leads to, beside batches in the same.

What a batch's columns mean is said here in the words of the package's own objects, whose attributes
are read and written while they run: `told` makes of a row what such an object would hold.
"""

import numpy as np
from minatar_player import columns_of

GAMES = ("Asterix", "Breakout", "Freeway", "Seaquest", "SpaceInvaders")


def plain(value):
    """Return an attribute's value as plain numbers, lists and tuples."""
    if isinstance(value, np.ndarray):
        return value.astype(int).tolist()
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return None if value is None else int(value)


def read(game, names):
    """Return attributes of the object that plays a game."""
    return {name: plain(getattr(game.env, name)) for name in names}


def put(game, attributes, stream):
    """Put the object that plays a game into a state."""
    for name, value in attributes.items():
        old = getattr(game.env, name)
        setattr(
            game.env, name, np.array(value, old.dtype) if isinstance(old, np.ndarray) else value
        )
    game.env.terminal = False
    game.random.set_state(stream)


def told_breakout(s, k):
    board = np.zeros((10, 10), int)
    board[1:4] = s["bricks"][k]
    directions = {(-1, -1): 0, (1, -1): 1, (1, 1): 2, (-1, 1): 3}
    return {
        "pos": int(s["paddle"][k]),
        "ball_x": int(s["ball_x"][k]),
        "ball_y": int(s["ball_y"][k]),
        "last_x": int(s["trail_x"][k]),
        "last_y": int(s["trail_y"][k]),
        "ball_dir": directions[int(s["way_x"][k]), int(s["way_y"][k])],
        "strike": int(s["struck"][k]),
        "brick_map": board.tolist(),
    }


def told_freeway(s, k):
    lanes = zip(range(1, 9), s["car"][k], s["wait"][k], s["speed"][k], strict=True)
    return {
        "pos": int(s["row"][k]),
        "move_timer": int(s["pause"][k]),
        "terminate_timer": int(s["time_left"][k]),
        "cars": [[int(car), lane, int(wait), int(speed)] for lane, car, wait, speed in lanes],
    }


def told_space_invaders(s, k):
    aliens, bullets, enemy = np.zeros((3, 10, 10), int)
    for row, column in np.argwhere(s["aliens"][k]):
        aliens[(s["top"][k] + row) % 10, s["left"][k] + column] = 1
    for x, y in zip(s["bullet_x"][k], s["bullet_y"][k], strict=True):
        if y >= 0:
            bullets[y, x] = 1
    if s["enemy_y"][k] >= 0:
        enemy[s["enemy_y"][k], s["enemy_x"][k]] = 1
    return {
        "pos": int(s["cannon"][k]),
        "shot_timer": int(s["cooldown"][k]),
        "alien_map": aliens.tolist(),
        "f_bullet_map": bullets.tolist(),
        "e_bullet_map": enemy.tolist(),
        "alien_dir": int(s["way"][k]),
        "enemy_move_interval": int(s["interval"][k]),
        "alien_move_timer": int(s["march_timer"][k]),
        "alien_shot_timer": int(s["shot_timer"][k]),
    }


def told_asterix(s, k):
    lanes = zip(range(1, 9), s["place"][k], s["way"][k], s["gold"][k], strict=True)
    things = [
        None if x < 0 else [int(x), lane, int(way > 0), int(gold)] for lane, x, way, gold in lanes
    ]
    return {
        "player_x": int(s["x"][k]),
        "player_y": int(s["y"][k]),
        "entities": things,
        "spawn_speed": int(s["spawn_interval"][k]),
        "spawn_timer": int(s["spawn_timer"][k]),
        "move_speed": int(s["move_interval"][k]),
        "move_timer": int(s["move_timer"][k]),
        "ramp_timer": int(s["ramp_timer"][k]),
        "ramp_index": int(s["changes"][k]),
    }


def told_seaquest(s, k):
    def things(name, kept):
        rows = s[name][k, : s[f"num_{name}"][k], :kept].tolist()
        return [[x, y, int(way > 0), *timers] for x, y, way, *timers in rows]

    return {
        "oxygen": int(s["oxygen"][k]),
        "diver_count": int(s["crew"][k]),
        "sub_x": int(s["x"][k]),
        "sub_y": int(s["y"][k]),
        "sub_or": int(s["way"][k] > 0),
        "f_bullets": things("bullets", 3),
        "e_bullets": things("enemy_bullets", 3),
        "e_fish": things("fish", 4),
        "e_subs": things("submarines", 5),
        "divers": things("divers", 4),
        "e_spawn_speed": int(s["enemy_interval"][k]),
        "e_spawn_timer": int(s["enemy_timer"][k]),
        "d_spawn_timer": int(s["diver_timer"][k]),
        "move_speed": int(s["move_interval"][k]),
        "ramp_index": int(s["changes"][k]),
        "shot_timer": int(s["cooldown"][k]),
        "surface": int(s["is_up"][k]),
    }


TOLD = {
    "Asterix": told_asterix,
    "Breakout": told_breakout,
    "Freeway": told_freeway,
    "Seaquest": told_seaquest,
    "SpaceInvaders": told_space_invaders,
}


def arrange_breakout(s, k, rng):
    s["paddle"][k] = rng.integers(10)
    s["ball_x"][k], s["ball_y"][k] = rng.integers(10), rng.choice([0, 1, 2, 3, 4, 5, 8, 8, 8])
    s["trail_x"][k], s["trail_y"][k] = rng.integers(10, size=2)
    if rng.random() < 0.7:  # The paddle is where it may meet the ball.
        s["paddle"][k] = np.clip(s["ball_x"][k] + rng.integers(-2, 3), 0, 9)
    s["way_x"][k], s["way_y"][k] = rng.choice([-1, 1], 2)
    s["struck"][k] = rng.random() < 0.5
    s["bricks"][k] = rng.random((3, 10)) < rng.choice([0.0, 0.5, 0.9])


def arrange_freeway(s, k, rng):
    s["row"][k] = rng.choice([1, 1, 1, *range(1, 10)])
    s["pause"][k] = rng.choice([0, 0, 0, 1, 2, 3])
    s["time_left"][k] = rng.choice([0, 1, 1000])
    s["car"][k] = np.where(rng.random(8) < 0.5, rng.integers(3, 6, 8), rng.integers(0, 10, 8))
    s["speed"][k] = rng.integers(1, 6, 8) * rng.choice([-1, 1], 8)
    s["wait"][k] = rng.integers(0, abs(s["speed"][k]) + 1)


def arrange_space_invaders(s, k, rng):
    aliens = rng.random((4, 6)) < rng.choice([0.02, 0.2, 0.9])
    aliens[rng.integers(4), rng.integers(6)] = True
    s["aliens"][k], s["remaining"][k] = aliens, aliens.sum()
    columns, rows = np.flatnonzero(aliens.any(0)), np.flatnonzero(aliens.any(1))
    ends = -columns[0], 9 - columns[-1]
    s["left"][k] = rng.choice([*ends, rng.integers(ends[0], ends[1] + 1)])
    s["top"][k] = rng.choice([9 - rows[-1], rng.integers(0, 10 - rows[-1])])
    s["way"][k] = rng.choice([-1, 1])
    s["interval"][k] = rng.integers(6, 13)
    s["cannon"][k] = rng.integers(10)
    s["cooldown"][k] = rng.choice([0, 0, 1, 4])
    s["march_timer"][k], s["shot_timer"][k] = rng.choice([0, 0, 1, 5], 2)
    s["bullet_x"][k] = rng.permutation(10)[:2]
    s["bullet_y"][k] = rng.integers(-1, 9, 2)
    if s["cooldown"][k] == 0 and rng.random() < 0.7:
        s["bullet_y"][k, rng.integers(2)] = -1
    row, column = rng.choice(np.argwhere(aliens))
    if rng.random() < 0.5:  # A bullet is about to hit an alien.
        s["bullet_x"][k, 0] = np.clip(s["left"][k] + column + rng.integers(-1, 2), 0, 9)
        s["bullet_y"][k, 0] = np.clip(s["top"][k] + row + rng.integers(0, 3), 0, 8)
    if s["bullet_x"][k, 0] == s["bullet_x"][k, 1]:
        s["bullet_y"][k, 1] = -1
    if s["cooldown"][k] == 0 and (s["bullet_y"][k] >= 0).all():
        s["bullet_y"][k, rng.integers(2)] = -1
    s["enemy_x"][k] = np.clip(s["cannon"][k] + rng.integers(-2, 3), 0, 9)
    s["enemy_y"][k] = rng.choice([-1, 8, 8, 9, 3])
    if s["shot_timer"][k] == 0 and s["enemy_y"][k] < 9:
        s["enemy_y"][k] = -1


def arrange_asterix(s, k, rng):
    s["x"][k], s["y"][k] = rng.integers(10), rng.integers(1, 9)
    near = np.clip(s["x"][k] + rng.integers(-2, 3, 8), 0, 9)
    s["place"][k] = np.where(rng.random(8) < 0.6, near, rng.choice([0, 9, 4], 8))
    s["place"][k][rng.random(8) < rng.choice([0.0, 0.1, 0.5, 1.0])] = -1
    s["way"][k] = rng.choice([-1, 1], 8)
    s["gold"][k] = rng.random(8) < 0.5
    changes = rng.integers(10)
    s["changes"][k], s["spawn_interval"][k] = changes, 10 - changes
    s["move_interval"][k] = max(5 - changes // 2, 1)
    s["spawn_timer"][k], s["move_timer"][k] = rng.choice([0, 0, 1, 3], 2)
    s["ramp_timer"][k] = rng.choice([-1, 0, 1, 50])


def arrange_seaquest(s, k, rng):
    x, y = rng.integers(10), rng.choice([0, 1, 1, 2, 8, *range(9)])
    s["x"][k], s["y"][k] = x, y
    s["way"][k] = -1 if x == 0 else 1 if x == 9 else rng.choice([-1, 1])
    s["oxygen"][k] = rng.choice([0, 1, 19, 20, 100, rng.integers(0, 201)])
    s["crew"][k] = rng.choice([-1, 0, 1, 5, 6, 6])
    s["cooldown"][k] = rng.choice([0, 0, 1, 4])
    s["is_up"][k] = y == 0 and rng.random() < 0.7
    changes = rng.integers(20)
    s["changes"][k], s["enemy_interval"][k] = changes, 20 - changes
    s["move_interval"][k] = max(5 - changes // 2, 2)
    s["enemy_timer"][k], s["diver_timer"][k] = rng.choice([0, 0, 1, 7], 2)
    crowded = rng.random() < 0.5
    for name, most in (
        ("bullets", 2), ("enemy_bullets", 5), ("fish", 9), ("submarines", 6), ("divers", 2)
    ):  # fmt: skip
        count = rng.integers(0, most + 1)
        things = s[name][k]
        s[f"num_{name}"][k] = count
        things[:count, 0] = np.clip(x + rng.integers(-2, 3, count), 0, 9)
        things[:count, 1] = np.clip(y + rng.integers(-1, 2, count), 1, 8)
        if not crowded:
            away = rng.random(count) < 0.5
            things[:count, 0][away] = rng.choice([0, 9, 4, 5], away.sum())
            things[:count, 1][away] = rng.integers(1, 9, away.sum())
        things[:count, 2] = rng.choice([-1, 1], count)
        if crowded and name in ("fish", "submarines"):
            things[:count, 2] = np.where(things[:count, 1] % 2, 1, -1)
        things[:count, 3:] = rng.choice([0, 0, 1, 2], (count, things.shape[1] - 3))


ARRANGE = {
    "Asterix": arrange_asterix,
    "Breakout": arrange_breakout,
    "Freeway": arrange_freeway,
    "Seaquest": arrange_seaquest,
    "SpaceInvaders": arrange_space_invaders,
}


class Laboratory:
    """A batch and as many of the package's games, in the same situations.

    Args:
        game: one of GAMES.
        envs: a batch of it, with the actions that the game knows, which resets nothing at once.
        seed: of the situations.
        ramping: whether the games become more difficult, as those of the batch.
    """

    def __init__(self, game, envs, seed=0, ramping=True):
        from minatar import Environment

        self.game, self.envs = game, envs
        self.rng = np.random.default_rng(seed)
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in game)[1:]
        self.games = [
            Environment(name, sticky_action_prob=0.1, difficulty_ramping=ramping)
            for _ in range(envs.num_envs)
        ]
        for each in self.games:
            each.seed(0)  # Until then its game draws from a stream of its own.
            each.reset()
        self.envs.reset(seed=seed)
        self.rewards = self.ends = 0

    def told(self, columns, k):
        """Return row k of a snapshot's columns in the words of the package."""
        return TOLD[self.game](columns, k)

    def arrange(self):
        """Put batch and games into new situations; both show the same."""
        snapshot = self.envs.get_state()
        columns = columns_of(snapshot)
        for k, game in enumerate(self.games):
            ARRANGE[self.game](columns, k, self.rng)
            columns["last_action"][k] = game.last_action
            stream = snapshot["rng.key"][k], int(snapshot["rng.position"][k])
            put(game, self.told(columns, k), ("MT19937", *stream))
        snapshot["pending"][:] = False  # Episodes that are over go on from there, too.
        shown = self.envs.set_state(snapshot)
        self.compare(shown, "arranged")

    def compare(self, shown, where):
        """Assert that batch and games show and hold the same."""
        snapshot = self.envs.get_state()
        columns = columns_of(snapshot)
        for k, game in enumerate(self.games):
            told = self.told(columns, k)
            held = read(game, told)
            assert told == held, f"{where}, row {k}:\n" + "\n".join(
                f"{name}: {told[name]}, not {held[name]}"
                for name in told
                if told[name] != held[name]
            )
            differ = np.argwhere(game.state() != shown[k]).tolist()
            assert not differ, f"{where}, row {k}: {differ}"
            stream = game.random.get_state()
            assert stream[2] == snapshot["rng.position"][k], f"{where}, row {k}: random stream"

    def step(self):
        """Step batch and games with random actions; both do the same."""
        actions = self.rng.integers(self.envs.single_action_space.n, size=len(self.games))
        before = columns_of(self.envs.get_state())
        shown, rewards, ends, _, _ = self.envs.step(actions)
        deeds = self.games[0].minimal_action_set()
        for k, game in enumerate(self.games):
            reward, end = game.act(deeds[actions[k]])
            where = f"row {k}, action {deeds[actions[k]]}, was {self.told(before, k)}"
            assert (reward, end) == (rewards[k], ends[k]), where
        self.compare(shown, "stepped")
        self.rewards += int((rewards > 0).sum())
        self.ends += int(ends.sum())
