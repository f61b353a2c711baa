"""Pictures by Gymnasium's renderers: its environments, with their bodies put where ours are."""

import itertools

import numpy as np


def draw_lander(chunks, width, height):
    """Return a function (s, i) -> frame (400, 600, 3) for LunarLander.

    Args:
        chunks: the number of corners of the moon.
        width, height: of the picture in metres.
    """
    from gymnasium.envs.box2d.lunar_lander import LunarLander

    original = LunarLander(render_mode="rgb_array")
    original.reset(seed=0)

    def draw(s, i):
        heights = s.height[i]
        surface = [
            (width / (chunks - 1) * k, 0.33 * (heights[k - 1] + heights[k] + heights[k + 1]))
            for k in range(chunks)
        ]
        original.sky_polys = [
            [left, right, (right[0], height), (left[0], height)]
            for left, right in itertools.pairwise(surface)
        ]
        put(original.lander, s, i, 0)
        for k, leg in enumerate(original.legs):
            put(leg, s, i, 1 + k)
        return original.render()

    return draw


class _Ground:
    """A shape of the ground, as the renderer asks for a body's: itself its body and its fixture."""

    def __init__(self, vertices, color1, color2):
        from Box2D import b2Transform

        self.vertices, self.color1, self.color2 = vertices, color1, color2
        self.transform = b2Transform()
        self.transform.SetIdentity()
        self.fixtures = [self]
        self.body = self.shape = self


def draw_walker(width, scale, step, polygons_of):
    """Return a function (s, i) -> frame (400, 600, 3) for BipedalWalker.

    Args:
        width: of the picture in metres.
        scale: pixels a metre.
        step: from corner to corner of the ground, in metres.
        polygons_of: a function (s, i) that returns the corners of each polygon of the ground.
    """
    from gymnasium.envs.box2d.bipedal_walker import BipedalWalker

    original = BipedalWalker(render_mode="rgb_array")
    original.reset(seed=0)
    original.lidar = []  # A ray would flash in some frames of a hundred.

    def draw(s, i):
        surface = [(k * step, y) for k, y in enumerate(s.terrain_y[i].tolist())]
        original.terrain_poly = [
            ([left, right, (right[0], 0), (left[0], 0)], (102, 153, 76))
            for left, right in itertools.pairwise(surface)
        ]
        clouds = [[tuple(corner) for corner in cloud] for cloud in s.cloud[i].tolist()]
        original.cloud_poly = [
            (cloud, min(x for x, _ in cloud), max(x for x, _ in cloud)) for cloud in clouds
        ]
        ground = [_Ground(corners, (255,) * 3, (153,) * 3) for corners in polygons_of(s, i)]
        for k, (x1, y1, x2, y2) in enumerate(s.ground[i, : len(surface) - 1].tolist()):
            green = (76, 255 if k % 2 == 0 else 204, 76)
            ground.append(_Ground([(x1, y1), (x2, y2)], green, green))
        original.drawlist = ground[::-1] + original.legs + [original.hull]
        for k, body in enumerate([original.hull, *original.legs]):
            put(body, s, i, k)
        original.scroll = float(s.place[i, 0, 0]) - width / 5
        return original.render()

    return draw


def put(body, s, i, k):
    """Put a body of Box2D where body k of row i is."""
    body.transform = np.asarray(s.place[i, k], float).tolist(), float(s.angle[i, k])
