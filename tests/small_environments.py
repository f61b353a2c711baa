"""Small environments as people write them: a class with arrays, a step of a few lines of NumPy.

`START` is what `reset` sets; `step` returns reward and whether the episode is over.
"""

import numpy as np
from gymnasium import spaces

DIRECTIONS = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])
CROSS = np.array([[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]])
MAZE = np.array([[0, 0, 0, 1], [1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]], np.int8)
GOAL = np.array([3, 3])
ARMS = np.array([0.1, 0.5, 0.3, 0.9])
PRICES = np.array([1.0, 1.02, 0.99, 1.05, 1.1, 1.08, 1.01, 0.97, 1.0, 1.03, 1.04, 1.06])
LOW, HIGH = np.array([-1.0, -2.0]), np.array([1.0, 2.0])
ROUTING = np.array([[0.0, 0.7, 0.2], [0.1, 0.0, 0.6], [0.0, 0.0, 0.0]])
GRAVITY = np.array([0.0, 0.0, -9.81])
GAINS = np.array([2.0, 0.1, 0.5])
DT = 0.05

TWO = spaces.Box(-1.0, 1.0, (2,), np.float64)
THREE = spaces.Box(-1.0, 1.0, (3,), np.float32)


class Pendulum:
    ACTION = spaces.Box(-2.0, 2.0, (1,), np.float64)
    START = {"angle": 0.5, "speed": 0.0}

    def step(self, action):
        torque = np.clip(action, -2.0, 2.0)[0]
        cost = self.angle**2 + 0.1 * self.speed**2 + 0.001 * (torque**2)
        speed = self.speed + (15.0 * np.sin(self.angle) + 3.0 * torque) * DT
        self.speed = np.clip(speed, -8.0, 8.0)
        self.angle = self.angle + self.speed * DT
        return -cost, False

    def observe(self):
        return np.array([np.cos(self.angle), np.sin(self.angle), self.speed])


class Maze:
    ACTION = spaces.Discrete(4)
    START = {"place": np.array([0, 0]), "visits": np.zeros((4, 4), np.int32)}

    def step(self, action):
        place = np.clip(self.place + DIRECTIONS[action], 0, 3)
        if MAZE[place[0], place[1]] == 0:
            self.place = place
        self.visits[self.place[0], self.place[1]] += 1
        done = np.all(self.place == GOAL)
        distance = np.abs(GOAL - self.place).sum()
        return 1.0 if done else -0.1 * distance, done

    def observe(self):
        return np.concatenate([self.place / 3.0, self.visits.ravel() / 10.0])


class Portfolio:
    ACTION = THREE
    START = {"t": 0, "window": np.ones(6), "weights": np.full(3, 1.0 / 3.0), "value": 1.0}

    def step(self, action):
        scores = np.exp(action.astype(np.float64) - np.max(action))
        weights = scores / scores.sum()
        turnover = np.abs(weights - self.weights).sum()
        self.t += 1
        self.window[:-1] = self.window[1:]
        self.window[-1] = PRICES[self.t % 12]
        returns = self.window[1:] / self.window[:-1] - 1.0
        growth = np.dot(weights, np.array([returns[-1], -returns[-1], 0.0])) - 0.001 * turnover
        self.weights = weights
        self.value *= 1.0 + growth
        return np.log(1.0 + growth), self.value < 0.5

    def observe(self):
        returns = np.log(self.window[1:] / self.window[:-1])
        features = [returns.mean(), returns.std(), returns.max() - returns.min(), self.value]
        return np.concatenate([returns, self.weights, features])


class Bandit:
    ACTION = spaces.Discrete(4)
    START = {"counts": np.zeros(4, np.int64), "means": np.zeros(4), "t": 0}

    def step(self, action):
        self.t += 1
        reward = ARMS[action] + 0.1 * np.sin(self.t * 1.0)
        self.counts[action] += 1
        self.means[action] += (reward - self.means[action]) / self.counts[action]
        regret = ARMS.max() - ARMS[action]
        return reward - regret, self.counts.sum() >= 25

    def observe(self):
        bonus = np.sqrt(2.0 * np.log(self.t + 1.0) / (self.counts + 1))
        best = np.argmax(self.means + bonus)
        return np.hstack([self.means, bonus, best, self.counts / (self.t + 1)])


class Cart:
    ACTION = spaces.Discrete(2)
    START = {"state": np.array([0.0, 0.01, -0.02, 0.03])}

    def step(self, action):
        x, v, angle, spin = self.state
        force = 10.0 if action == 1 else -10.0
        c, s = np.cos(angle), np.sin(angle)
        push = (force + 0.05 * spin**2 * s) / 1.1
        turn = (9.8 * s - c * push) / (0.5 * (4.0 / 3.0 - 0.1 * c**2 / 1.1))
        self.state = self.state + 0.02 * np.array([v, push - 0.05 * turn * c / 1.1, spin, turn])
        done = np.any(np.abs(self.state[::2]) > np.array([2.4, 0.2]))
        return 1.0, done

    def observe(self):
        return self.state.astype(np.float32)


class Unicycle:
    ACTION = TWO
    START = {"pose": np.array([0.0, 0.0, 0.3]), "target": np.array([1.0, 0.5])}

    def step(self, action):
        heading = self.pose[2]
        self.pose += DT * np.array(
            [action[0] * np.cos(heading), action[0] * np.sin(heading), action[1]]
        )
        self.pose[2] = (self.pose[2] + np.pi) % (2 * np.pi) - np.pi
        offset = self.target - self.pose[:2]
        bearing = np.arctan2(offset[1], offset[0]) - self.pose[2]
        return -np.linalg.norm(offset) - 0.1 * abs(bearing), np.linalg.norm(offset) < 0.1

    def observe(self):
        c, s = np.cos(self.pose[2]), np.sin(self.pose[2])
        rotation = np.array([[c, s], [-s, c]])
        return np.concatenate([self.pose, rotation @ (self.target - self.pose[:2])])


class Particle:
    ACTION = TWO
    START = {"position": np.array([0.1, -0.2]), "velocity": np.zeros(2)}

    def step(self, action):
        self.velocity = 0.95 * self.velocity + 0.3 * action
        self.position += self.velocity
        hit = (self.position < LOW) | (self.position > HIGH)
        self.velocity[hit] = 0.0
        self.position = np.clip(self.position, LOW, HIGH)
        return -np.sum(self.position**2) - 0.1 * np.count_nonzero(hit), hit.all()

    def observe(self):
        return np.stack([self.position, self.velocity]).ravel()


class Vision:
    ACTION = spaces.Discrete(4)
    START = {"grid": np.arange(36, dtype=np.int8).reshape(6, 6) % 3, "row": 2, "column": 3}

    def step(self, action):
        d = DIRECTIONS[action]
        self.row = min(max(self.row + d[0], 1), 4)
        self.column = min(max(self.column + d[1], 1), 4)
        eaten = self.grid[self.row, self.column]
        self.grid[self.row, self.column] = 0
        return float(eaten), not np.any(self.grid[1:5, 1:5] > 1)

    def observe(self):
        window = np.zeros((3, 3))
        for r in range(3):
            for c in range(3):
                window[r, c] = self.grid[self.row + r - 1, self.column + c - 1]
        return np.concatenate([window.ravel() / 2.0, (window == 2).sum(axis=0)])


class LightsOut:
    ACTION = spaces.MultiDiscrete([5, 5])
    START = {"lights": np.array([[k % 2 == r % 3 for k in range(5)] for r in range(5)])}

    def step(self, action):
        for d in CROSS:
            r, c = action + d
            if 0 <= r < 5 and 0 <= c < 5:
                self.lights[r, c] = not self.lights[r, c]
        return -np.sum(self.lights) / 25.0, not self.lights.any()

    def observe(self):
        return np.hstack([self.lights.sum(axis=0), self.lights.mean(axis=1), self.lights.ravel()])


def wins(board, player):
    marks = board == player
    lines = np.any(np.all(marks, axis=0)) or np.any(np.all(marks, axis=1))
    return lines or np.all(marks.diagonal()) or np.trace(np.fliplr(marks)) == 3


class TicTacToe:
    ACTION = spaces.Discrete(9)
    START = {"board": np.zeros((3, 3), np.int8), "player": 1}

    def step(self, action):
        r, c = action // 3, action % 3
        if self.board[r, c] != 0:
            return -1.0, True
        self.board[r, c] = self.player
        if wins(self.board, self.player):
            return 1.0, True
        self.player = -self.player
        return 0.0, np.all(self.board != 0)

    def observe(self):
        mine, theirs = self.board == self.player, self.board == -self.player
        return np.concatenate([mine.ravel(), theirs.ravel(), [self.player]])


class ConnectFour:
    ACTION = spaces.Discrete(7)
    START = {"board": np.zeros((6, 7), np.int8), "player": 1}

    def step(self, action):
        column = self.board[:, action]
        height = np.count_nonzero(column)
        if height == 6:
            return -1.0, True
        self.board[height, action] = self.player
        mine = (self.board == self.player).astype(int)
        across = mine[:, :-3] + mine[:, 1:-2] + mine[:, 2:-1] + mine[:, 3:]
        up = mine[:-3] + mine[1:-2] + mine[2:-1] + mine[3:]
        rising = mine[:-3, :-3] + mine[1:-2, 1:-2] + mine[2:-1, 2:-1] + mine[3:, 3:]
        won = across.max() == 4 or up.max() == 4 or np.any(rising == 4)
        self.player = -self.player
        return 1.0 if won else 0.0, won

    def observe(self):
        return (self.board * self.player).astype(np.float32).ravel()


class Inventory:
    ACTION = spaces.MultiDiscrete([4, 4, 4])
    START = {"stock": np.array([5, 5, 5]), "pipeline": np.zeros((2, 3), np.int64), "t": 0}

    def step(self, action):
        self.t += 1
        self.stock += self.pipeline[0]
        self.pipeline[0] = self.pipeline[1]
        self.pipeline[1] = action
        demand = (self.t * np.array([1, 2, 3])) % 5
        sold = np.minimum(self.stock, demand)
        self.stock -= sold
        short = demand - sold
        profit = sold @ np.array([3.0, 2.0, 4.0]) - 0.1 * self.stock.sum() - 1.5 * short.sum()
        return profit - np.dot(action, np.array([1.0, 0.5, 2.0])), bool(np.any(self.stock > 20))

    def observe(self):
        return np.vstack([self.stock, self.pipeline]).ravel() / 10


class Queues:
    ACTION = spaces.Discrete(3)
    START = {"length": np.array([2.0, 0.0, 1.0]), "served": np.zeros(3)}

    def step(self, action):
        rate = np.ones(3) * 0.2
        rate[action] = 1.0
        served = np.minimum(self.length, rate)
        self.length += ROUTING.T @ served - served
        self.length[0] += 0.5
        self.served += served
        overflow = np.maximum(self.length - 8.0, 0.0)
        self.length = np.minimum(self.length, 8.0)
        return -self.length.sum() - 5.0 * overflow.sum(), overflow.any()

    def observe(self):
        return np.append(self.length / 8.0, np.cumsum(self.served))


class Epidemic:
    ACTION = spaces.Box(0.0, 1.0, (1,), np.float32)
    START = {"people": np.array([0.95, 0.05, 0.0])}

    def step(self, action):
        contact = 0.6 * (1.0 - 0.8 * float(action[0]))
        infected = contact * self.people[0] * self.people[1]
        healed = 0.1 * self.people[1]
        self.people = self.people + np.array([-infected, infected - healed, healed])
        self.people /= self.people.sum()
        return -10.0 * self.people[1] - float(action[0]), self.people[1] < 1e-3

    def observe(self):
        shares = np.maximum(self.people, 1e-12)
        return np.hstack((self.people, -np.sum(shares * np.log(shares))))


class Lander:
    ACTION = spaces.Discrete(4)
    START = {"position": np.array([0.1, 1.4]), "velocity": np.array([0.0, -0.1]), "tilt": 0.05}

    def step(self, action):
        thrust = np.zeros(2)
        if action == 2:
            thrust = np.array([-np.sin(self.tilt), np.cos(self.tilt)]) * 2.0
        elif action != 0:
            self.tilt += 0.05 * (action - 2)
        before = -np.linalg.norm(self.position) - np.linalg.norm(self.velocity)
        self.velocity += (thrust + np.array([0.0, -1.0])) * DT
        self.position += self.velocity * DT
        after = -np.linalg.norm(self.position) - np.linalg.norm(self.velocity)
        landed = self.position[1] <= 0.0
        soft = landed and np.abs(self.velocity).max() < 0.5
        return 100.0 * (after - before) + (10.0 if soft else 0.0), landed

    def observe(self):
        return np.hstack([self.position, self.velocity, self.tilt, self.position[1] < 0.1])


def rotation(angles):
    c, s = np.cos(angles), np.sin(angles)
    roll = np.array([[1.0, 0.0, 0.0], [0.0, c[0], -s[0]], [0.0, s[0], c[0]]])
    pitch = np.array([[c[1], 0.0, s[1]], [0.0, 1.0, 0.0], [-s[1], 0.0, c[1]]])
    return pitch @ roll


class Drone:
    ACTION = THREE
    START = {"place": np.zeros(3), "speed": np.zeros(3), "angles": np.array([0.1, -0.1])}

    def step(self, action):
        command = action.astype(np.float64)
        self.angles = np.clip(self.angles + 0.1 * command[:2], -0.6, 0.6)
        lift = rotation(self.angles) @ np.array([0.0, 0.0, 9.81 + 2.0 * command[2]])
        drag = 0.1 * np.linalg.norm(self.speed) * self.speed
        self.speed += DT * (lift + GRAVITY - drag)
        self.place += DT * self.speed
        error = self.place - np.array([0.0, 0.0, 1.0])
        return -np.sqrt(error @ error) - 0.01 * np.sum(np.square(action)), np.any(np.abs(error) > 5)

    def observe(self):
        turned = rotation(self.angles)
        return np.concatenate((turned.T @ self.speed, turned.flatten(), self.place))


class Flock:
    ACTION = TWO
    START = {
        "place": np.array([[0.0, 0.0], [1.0, 0.2], [-0.5, 0.8], [0.3, -0.9]]),
        "speed": np.zeros((4, 2)),
    }

    def step(self, action):
        offset = self.place[:, None, :] - self.place[None, :, :]
        distance = np.sqrt((offset**2).sum(axis=2)) + np.eye(4)
        push = (offset / distance[:, :, None] ** 3).sum(axis=1)
        pull = self.place.mean(axis=0) - self.place
        self.speed = 0.9 * self.speed + 0.02 * push + 0.1 * pull
        self.speed[0] += 0.1 * action
        length = np.linalg.norm(self.speed, axis=1)
        for k in range(4):
            if length[k] > 0.3:
                self.speed[k] *= 0.3 / length[k]
        self.place += self.speed
        return -distance.max(), np.min(distance + 10.0 * np.eye(4)) < 0.02

    def observe(self):
        return np.hstack([(self.place - self.place[0]).ravel(), self.speed.mean(axis=0)])


class Softmax:
    ACTION = spaces.Discrete(3)
    START = {"logits": np.zeros(3), "memory": np.zeros(4)}

    def step(self, action):
        scores = np.exp(self.logits - self.logits.max())
        policy = scores / np.sum(scores)
        target = np.zeros(3)
        target[action] = 1.0
        self.logits += 0.5 * (target - policy)
        self.memory = np.roll(self.memory, 1)
        self.memory[0] = policy[action]
        entropy = -(policy * np.log(policy)).sum()
        return entropy, policy.max() > 0.99

    def observe(self):
        order = np.where(self.logits > self.logits.mean(), 1.0, -1.0)
        return np.concatenate(
            [self.logits, order, self.memory[::-1], np.full(1, self.memory.std())]
        )


class Normalised:
    ACTION = THREE
    START = {"x": np.array([1.0, -2.0, 0.5]), "mean": np.zeros(3), "var": np.ones(3), "n": 1e-4}

    def step(self, action):
        self.x = 0.9 * self.x + action
        delta = self.x - self.mean
        total = self.n + 1.0
        self.mean += delta / total
        self.var = (self.var * self.n + delta**2 * self.n / total) / total
        self.n = total
        return float(np.tanh(self.x).prod()), False

    def observe(self):
        return np.clip((self.x - self.mean) / np.sqrt(self.var + 1e-8), -10.0, 10.0)


class Averages:
    ACTION = spaces.Discrete(3)
    START = {"t": 0, "fast": 1.0, "slow": 1.0, "last": np.ones(3, np.float32), "held": 0}

    def step(self, action):
        self.t += 1
        price = PRICES[self.t % len(PRICES)]
        self.fast += 0.5 * (price - self.fast)
        self.slow = 0.9 * self.slow + 0.1 * price
        change = price - self.last[-1]
        self.last[:2] = self.last[1:]
        self.last[2] = price
        reward = self.held * change
        self.held = action - 1
        return float(reward), False

    def observe(self):
        signals = np.array([self.fast - self.slow, self.held], dtype=np.float32)
        return np.concatenate([self.last, signals, np.sign(self.last[1:] - self.last[:-1])])


class Controller:
    ACTION = TWO
    START = {"x": np.zeros(2), "v": np.zeros(2), "integral": np.zeros(2), "error": np.zeros(2)}

    def step(self, action):
        error = action - self.x
        self.integral = np.clip(self.integral + error * DT, -1.0, 1.0)
        terms = np.stack([error, self.integral, (error - self.error) / DT])
        force = GAINS @ terms
        self.error = error
        self.v += DT * (np.clip(force, -5.0, 5.0) - 0.2 * np.sign(self.v) * self.v**2)
        self.x += DT * self.v
        return -np.abs(error).mean(), np.abs(self.x).max() > 3

    def observe(self):
        return np.column_stack((self.x, self.v, self.error)).ravel()


class Tracker:
    ACTION = spaces.Box(-1.0, 1.0, (1,), np.float64)
    START = {"x": np.array([0.0, 1.0]), "estimate": np.zeros(2), "p": np.eye(2), "t": 0}

    def step(self, action):
        f = np.array([[1.0, DT], [0.0, 1.0]])
        self.x = f @ self.x + np.array([0.0, DT]) * action[0]
        self.t += 1
        seen = self.x[0] + 0.1 * np.sin(7.0 * self.t)
        estimate = f @ self.estimate
        p = f @ self.p @ f.T + 0.01 * np.eye(2)
        gain = p[:, 0] / (p[0, 0] + 0.1)
        self.estimate = estimate + gain * (seen - estimate[0])
        self.p = p - np.outer(gain, p[0])
        return -np.linalg.norm(self.x - self.estimate), np.trace(self.p) > 10

    def observe(self):
        return np.hstack([self.estimate, self.p.ravel(), np.linalg.det(self.p)])


ENVIRONMENTS = [
    Pendulum, Maze, Portfolio, Bandit, Cart, Unicycle, Particle, Vision, LightsOut, TicTacToe,
    ConnectFour, Inventory, Queues, Epidemic, Lander, Drone, Flock, Softmax, Normalised, Averages,
    Controller, Tracker,
]  # fmt: skip
