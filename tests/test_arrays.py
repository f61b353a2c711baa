"""Expressions over small arrays have NumPy's bits: of every element, operator and function."""

import numpy as np
import pytest
from rows import Cases, differences

CASES = Cases()
over = CASES.over

RNG = np.random.default_rng(0)
VECTOR, OTHER = RNG.normal(size=(2, 10))
MATRIX = RNG.normal(size=(3, 4))
CUBE = RNG.normal(size=(2, 3, 4))
SQUARE = RNG.normal(size=(3, 3))
MANY = RNG.normal(size=64)
SINGLE = VECTOR.astype(np.float32)
SPECIAL = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.0, 0.2, 0.7, -0.5])
SPECIAL32 = SPECIAL.astype(np.float32)
PERMUTED = RNG.permutation(SPECIAL)
BYTES = np.array([-128, 127, -1, 0, 1, 5, 100, -100, 7, -7], np.int8)
DIVISORS = np.array([1, 0, -1, 2, 0, 3, -7, 7, 5, 2], np.int8)
UNSIGNED = np.arange(0, 250, 25).astype(np.uint8)
WHOLE = np.array([-9, 3, -1, 0, 1, 2**62, -(2**63), 7, 8, -3])
PLACES = np.array([3, -2, 1, 0, 7, -1, 2, 4, 5, 6])
FLAGS = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0], bool)
ZEROS = np.array([0.0, -0.0] * 5)
TABLE = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])


# --- Arrays that are made -------------------------------------------------------------------------


@over(VECTOR)
def made_of_what_is_known(v):
    return (
        np.zeros(3), np.ones((2, 2), np.int8), np.full(2, 7), np.arange(2, 9, 3),
        np.linspace(0.0, 1.0, 5), np.eye(3), np.identity(2), np.array([1, 2.5]),
        np.array([[1], [2]]),
        np.tri(3), np.full((2, 2), True), np.arange(0.0, 1.0, 0.25),
    )  # fmt: skip


@over(VECTOR, BYTES, FLAGS)
def made_of_numbers(v, b, f):
    return (
        np.array([v[0], 1, v[1]]), np.array([b[0], b[1]]), np.array([b[0], v[1]]),
        np.array([b[0], 1]), np.array([f[0], b[1]]), np.array([[v[0], v[1]], v[2:4]]),
        np.array([v[0], v[1]], np.float32), np.array([b[0], 300.5], dtype=float), np.full(3, v[0]),
        np.full((2, 2), b[1]), np.full(2, v[3], np.float32), np.zeros_like(b), np.ones_like(v[:2]),
        np.full_like(b, 3), np.array([v[:2], v[2:4]]), np.asarray([v[0], 2]),
        np.array((b[0], b[1])),
        np.full_like(v[:3], b[4]), np.array([v[0] > 0, f[1]]), np.empty_like(v[:2]) * 0.0,
    )  # fmt: skip


@over(VECTOR, BYTES, FLAGS)
def converted(v, b, f):
    return (
        v.astype(np.float32), b.astype(float), f.astype(int), b.astype(np.uint8), v.copy(),
        (v * 100.0).astype(np.int8), (v * 10.0).astype(bool), np.copy(v), np.float32(v[0]) * v[:2],
        (v * 5.0).astype(int), f.astype(np.float32), b.astype(np.int64) * 1000, np.array(v[::2]),
    )  # fmt: skip


# --- Elementwise ----------------------------------------------------------------------------------


@over(VECTOR, OTHER)
@over(SPECIAL, PERMUTED)
@over(SINGLE, SPECIAL32)
def operators_of_floats(a, b):
    return (
        a + b, a - b, a * b, a / b, a // b, a % b, -a, +a, abs(a), a < b, a <= b, a > b, a >= b,
        a == b, a != b, a + a[0], a[1] * b, a / b[2], a // b[3], b[4] % a, b[5] - a,
    )  # fmt: skip


@over(SPECIAL)
@over(np.abs(VECTOR))
@over(SINGLE)
def powers_of_floats(a):
    return (
        a**2, a**0.5, a**-1, a**3, a**2.0, 2.0**a, a**1, a**0, a**1.5, 2**a, a**-2, a**a,
        np.power(a, 2), np.square(a), np.power(a, 0.5), np.power(a, a[0]),
    )  # fmt: skip


@over(VECTOR, OTHER)
@over(SPECIAL, PERMUTED)
@over(SPECIAL32, SINGLE)
def functions_of_floats(a, b):
    return (
        np.minimum(a, b), np.maximum(a, b), np.fmin(a, b), np.fmax(a, b), np.sign(a), np.floor(a),
        np.ceil(a), np.rint(a), np.trunc(a), np.copysign(a, b), np.fmod(a, b), np.isnan(a),
        np.isfinite(a), np.isinf(a), np.signbit(a), np.logical_and(a, b), np.logical_not(a),
        np.logical_xor(a[1], b), np.logical_or(b, float(a[2])), np.logical_and(a, 0.5),
        np.sqrt(a), np.round(a * 7.7, 1), np.round(a), np.abs(a), np.hypot(a, b), np.arctan2(a, b),
        np.clip(a, -0.5, 0.5), np.clip(a, b, 0.7), np.clip(a, b, b), np.maximum(a, 0.0),
        np.minimum(0.0, a), np.where(a > 0.0, a, b), np.where(a > b, 1.0, b), np.reciprocal(a),
    )  # fmt: skip


@over(VECTOR, OTHER)
@over(SPECIAL, PERMUTED)
@over(SINGLE, SPECIAL32)
def transcendental_functions(a, b):
    return (
        np.exp(a), np.log(a), np.sin(a), np.cos(a), np.tan(a), np.tanh(a), np.arctan(a), np.cbrt(a),
        np.log1p(b), np.expm1(b), np.arcsin(b), np.sinh(b), np.exp2(a), np.deg2rad(a), np.log10(b),
        np.exp(a[:3]), np.sin(b[::2]),
    )  # fmt: skip


@over(SINGLE, BYTES)
def narrow_arrays_beside_numbers(a, b):
    return (
        a * 0.1, a + 1, a / 3, 2 - a, a > 0.1, np.maximum(a, 0.1), np.clip(a, -0.3, 0.3),
        np.where(a > 0.1, a, 0.1), a + 1e300, a * 16777217, a % 0.3, a // 0.3, a * a[0], a + b,
        a * b[0], b * 0.5, b + 100, b / 3, 1 - b, b * 2, b // 3, b % -3, b - 1, b * b[0], 17 // b,
        b / a, b * float(a[0]), a * float(b[0]), np.add(b, 1), np.minimum(b, -100), b + a[0],
    )  # fmt: skip


@over(BYTES, DIVISORS)
@over(WHOLE, PLACES)
@over(UNSIGNED, UNSIGNED[::-1].copy())
def operators_of_whole_numbers(a, b):
    return (
        a + b, a - b, a * b, a // b, a % b, a & b, a | b, a ^ b, ~a, -a, abs(a), a**2, a**3, a**1,
        a**0, a << 3, a >> 2, a == b, a < b, np.maximum(a, b), np.minimum(a, 5), np.sign(a),
        np.where(b > 0, a, 0), np.clip(a, 2, 5), a * a[0], a + b[3], a // b[1], a % a[0],
        np.square(a),
        np.gcd(a, b), a << (b & 3), a >> (b & 3), 7 // b, 7 % b, np.logical_or(a, b), b[2] - a,
    )  # fmt: skip


@over(WHOLE)
@over(BYTES.astype(np.int32))
def whole_numbers_that_become_floats(a):
    return a / 3, a**0.5, a**2.0, np.sqrt(a), np.exp(a * 1e-9), a * 0.5, a / a, np.sin(a), a + 1.5


@over(BYTES, WHOLE)
@over(UNSIGNED, WHOLE)
@over(WHOLE, WHOLE)
@over(WHOLE.view(np.uint64), WHOLE)
def comparisons_with_numbers_beyond_a_type(a, b):
    count = 3 + 100 * b.shape[0]
    return (
        a > 300, a > -1, a == 5, a != -129, a < 300, a >= -1, a < b[2], a >= b[7], np.less(a, -1),
        a < int(b[0]), a < count, a == b[5],
    )  # fmt: skip


@over(FLAGS, RNG.permutation(FLAGS))
def operators_of_truth_values(a, b):
    return (
        a + b, a * b, a & b, a | b, a ^ b, ~a, a == b, a != b, a < b, a >= b, a + 1, a * 2.5, a / b,
        abs(a), a // b, a % b, a**b, a + True, a * a[0], np.where(a, 1, b), np.logical_xor(a, b),
        a.sum(), a.mean(), a.max(), a.argmax(), np.cumsum(a), a.any(), a.all(), -a.astype(int),
        a.astype(int) - b, np.logical_not(a), np.maximum(a, b), np.invert(a), a & True,
    )  # fmt: skip


@over(BYTES, UNSIGNED, SINGLE, PLACES)
@over(FLAGS, UNSIGNED, SINGLE, BYTES)
@over(VECTOR, PLACES, BYTES, UNSIGNED)
def arrays_of_two_types(a, b, c, d):
    return (
        a + b, a * c, c + d, b * d, a / c, c * 1.5, b + c, np.where(d > 0, a, c), np.maximum(c, b),
        np.concatenate([a[:5], b[:5]]), np.array([a[0], 1, b[0], c[0], d[0], True, 2.5]),
        np.stack([a, d]), a == c, b < d, np.append(a[:2], c[0]), np.hstack([a[0], b[:2], 1]),
    )  # fmt: skip


@over(MATRIX, VECTOR)
def broadcast(m, v):
    column = v[:3].reshape(3, 1)
    return (
        m + v[:4], m * column, column + v[:4], m - m[:, :1], m / m[0], column * column.T,
        m[:, None, 0] + v[:2], np.maximum(m, column), np.where(m > column, m, v[:4]), v[:1] + v,
        m[None] * 2.0, np.broadcast_to(v[:2], (3, 2)) + 0.0, np.clip(m, column, 0.5),
        (v[:3, None] - v[None, :3]) ** 2, np.hypot(column, v[:4]), m[0][:, None] * m[0],
    )  # fmt: skip


@over(VECTOR, SINGLE, BYTES)
def clipped_and_chosen_numbers(v, f, b):
    x = v[0]
    return (
        np.clip(x, -0.1, 0.1), np.clip(x, v[1], 0.5), np.clip(int(3 * x) + 5, 0, 3),
        np.clip(f[0], -0.5, 0.5), np.clip(-0.0, 0.0, x), np.clip(v[2], -1, 1),
        np.where(v > 0, 1, 0),
        np.where(v > 0, 1, 2.5), np.where(v > 0, f[0], 1), np.where(v > 0, f[0], float(v[0])),
        np.where(f > 0, f, 1), np.where(v > 0, True, False), np.where(v > 0, x, 0),
        np.where(b, b, 1),
        np.clip(f, f[1], 0.5), np.clip(b, b[2], 7), np.clip(v, f[0], f[2]), np.zeros(len(TABLE)),
    )  # fmt: skip


@over(SINGLE, BYTES, VECTOR, PLACES)
def narrow_arrays_in_place(a, b, v, places):
    a -= v
    b += places
    b //= 3
    c, d = a * 2, b * 2
    c -= v
    c[:4] *= v[:4]
    c += 1
    c /= d[3]
    d -= places
    d[2:] //= places[:8] + 3
    d <<= 1
    e = np.array([1.5, 2.5], np.float32)
    e -= v[:2]
    v[::2] -= places[::2]
    v += a
    return c, d, e


# --- Rearranged, reduced, multiplied --------------------------------------------------------------


@over(MATRIX, VECTOR)
def rearranged(m, v):
    return (
        m.T, m.T.copy(), m.ravel(), m.T.ravel(), m.reshape(4, 3), m.reshape((2, -1)), m.flatten(),
        m.T.flatten(), np.transpose(m), np.flip(v), np.flip(m, axis=1), np.roll(v, 3),
        np.roll(v, -1),
        np.roll(m, 1, axis=0), np.repeat(v[:3], 2), np.tile(v[:2], 3), np.concatenate([v, v[:2]]),
        np.stack([v, v], axis=1), np.hstack([v[:2], 1.0]),
        np.column_stack([v, v]), np.expand_dims(v, 0), np.squeeze(m[:1]), np.append(v, 1.0),
        np.rot90(m), np.fliplr(m), np.swapaxes(m, 0, 1), np.diagonal(m), np.atleast_2d(v),
        (m * 2.0).T, (m * 2.0).reshape(2, 6), (m + 1.0).ravel(), (m + 1.0).T.ravel(), (-v)[::-1],
        np.concatenate([m, m], axis=1), np.concatenate((m[:1], m), axis=0), np.stack((m, m)),
    )  # fmt: skip


@over(CUBE)
def views_of_views(k):
    k.T[0, 1, 1] = 9.0
    k.transpose(2, 0, 1)[3, 1, 2] = 8.0
    k[1].T[2, 0] = 7.0
    k.reshape(6, 4)[5] += 1.0
    k.ravel()[0] = -1.0
    np.swapaxes(k, 0, 2)[1, 0] *= 2.0
    k[::-1, 1:, ::2][0, 0] = 3.0
    return k.T, k.transpose(1, 2, 0), k[0].T[1:, ::-1]


@over(MATRIX, CUBE)
@over(MATRIX.astype(np.float32), CUBE.astype(np.float32))
@over(RNG.integers(-9, 9, (3, 4)), RNG.integers(-9, 9, (2, 3, 4)))
def reduced_along_axes(m, k):
    return (
        m.sum(axis=0), m.T.sum(axis=0), m.sum(axis=-1), m.T.sum(), m.T.mean(axis=1), k.sum(axis=0),
        k.sum(axis=1), k.sum(axis=2), k.sum(), k.T.sum(), m.max(axis=0), m.argmax(axis=1),
        m.argmin(axis=0), np.any(m > 1, axis=0), np.all(m > -1, axis=1), np.cumsum(m, axis=0),
        np.count_nonzero(m > 0, axis=1), np.cumsum(m.T, axis=1), m.std(axis=0),
        m.var(axis=1, ddof=1),
        m - m.mean(axis=0, keepdims=True), m / m.sum(axis=1, keepdims=True), m[::-1].sum(axis=0),
        m[:, ::-1].sum(axis=1), m[::2, ::2].sum(), m[:2, 1:3].T.sum(axis=0), np.sum(m[:, 1]),
        np.prod(m, axis=1), np.ptp(m, axis=0), np.sum(m > 0), np.mean(m > 0), np.trace(m[:, :3]),
        (m.T * 2).sum(axis=0), (m[::-1] + m).sum(axis=1), k.transpose(2, 0, 1).max(axis=0),
        np.argmax(m), np.min(k, axis=1), k.T.mean(axis=0), np.cumprod(m, axis=1), m.T.argmax(),
    )  # fmt: skip


@over(MANY)
@over(MANY.astype(np.float32))
def sums_of_many(a):
    r = a.reshape(8, 8)
    return (
        a.sum(), a.mean(), a[:9].sum(), a[:8].sum(), a[1:18].sum(), a[::3].sum(), a.std(), a.prod(),
        a[::-1].sum(), (a * a).sum(), np.sum(a**2), np.sqrt(np.sum(np.square(a))), a.max(),
        r.sum(), r.sum(axis=0), r.sum(axis=1), r.T.sum(axis=0), r.T.sum(axis=1), r.T.mean(),
        (r.T * 1.0).sum(axis=0), (r.T + r).sum(), r[::2, 1:6].sum(), r[::2, 1:6].sum(axis=0),
        np.cumsum(a), a[::-2].mean(), (a[::-1] + a).sum(), r[::-1, ::-1].sum(axis=0),
    )  # fmt: skip


@over(SPECIAL)
@over(SPECIAL32)
@over(ZEROS)
@over(-ZEROS)
@over(WHOLE)
@over(BYTES)
@over(UNSIGNED)
def extremes_of_special_numbers(a):
    return (
        a.max(), a.min(), a.argmax(), a.argmin(), a.sum(), np.max(np.abs(a)), a.any(), a.all(),
        np.count_nonzero(a), np.prod(a), a.mean(), np.cumsum(a), np.amax(a), a[:2].max(),
        a[:1].sum(),
    )  # fmt: skip


@over(RNG.normal(size=(8, 8)), RNG.normal(size=(8, 8)), RNG.normal(size=8))
@over(SQUARE, SQUARE.T.copy(), SQUARE[0].copy())
def products(a, b, v):
    return (
        a @ v, v @ a, a @ b, a @ b.T, a.T @ b, v @ v, np.dot(v, v), np.dot(a, v), a @ a.T,
        np.linalg.norm(v), np.linalg.norm(a, axis=1), np.linalg.solve(a, v), np.linalg.inv(a),
        np.linalg.det(a), np.outer(v, v), np.inner(v, v), np.trace(a), a[:2, :2] @ v[:2],
        v[:3] @ b[:3, :3], a[:, 1] @ b[:, 2], np.cross(v[:3], a[0, :3]), a[::2, ::2] @ b[::2, ::2],
        (a + b) @ (v * 2.0), np.linalg.cholesky(a[:3, :3] @ a[:3, :3].T + np.eye(3)), v[::-1] @ v,
    )  # fmt: skip


@over(RNG.integers(-5, 5, (3, 3)), RNG.integers(-5, 5, 3))
@over(RNG.integers(-5, 5, (3, 3)).astype(np.int8), RNG.integers(-5, 5, 3).astype(np.int8))
@over(SQUARE.astype(np.float32), SQUARE[1].astype(np.float32))
def products_of_other_numbers(a, v):
    return a @ v, v @ a, a @ a, v @ v, np.dot(a, v), np.outer(v, v), a.T @ a, np.trace(a)


# --- Larger arrays --------------------------------------------------------------------------------


WIDE = RNG.normal(size=(16, 16))
LINE = RNG.normal(size=16)
FEW = RNG.normal(size=(4, 16))
BOARD = RNG.integers(0, 4, (20, 10)).astype(np.int8)
GRID, OTHER_GRID = RNG.normal(size=(2, 10, 10))


@over(WIDE, WIDE @ WIDE.T, LINE, FEW, np.zeros((16, 16)))
@over(*(a.astype(np.float32) for a in (WIDE, WIDE @ WIDE.T, LINE, FEW, np.zeros((16, 16)))))
def matrices_of_sixteen_rows(a, b, v, h, out):
    out[:] = np.linalg.inv(a)
    a[:] = a @ b @ a.T + b
    x = np.linalg.solve(a, v)
    s = h @ a @ h.T
    gain = a @ h.T @ np.linalg.inv(s)
    b[:] = np.linalg.solve(a, b)
    a[:] = np.linalg.cholesky(b @ b.T + 1.0)
    b[:] = (b * 2.0) @ a[:, ::-1]
    w = h.T * 1.0
    a[:] = w @ w.T
    return (
        x, s, gain, np.linalg.det(b), a.T @ v, np.dot(a, v), v @ a @ v, np.sum(h.T @ h), v @ b,
        w @ x[:4], np.linalg.solve(b, h.T),
    )  # fmt: skip


@over(BOARD[:10], BOARD[:10].astype(np.int64), BOARD[:10] > 1)
def products_of_many_whole_numbers(a, b, c):
    a[:] = a @ a.T
    b[:] = a @ b
    return np.sum(c @ c), np.sum(b @ b[0]), b[:, 0] @ a


@over(GRID, OTHER_GRID, BOARD)
@over(GRID.astype(np.float32), OTHER_GRID.astype(np.float32), BOARD)
def many_elements_chosen_and_moved(a, b, board):
    a[:] = np.where(a > 0.0, a, b)
    a[:] = a.T * 2.0 + b
    b[:] = np.roll(b, 1, axis=0)
    b[:] = np.roll(b, -1) + a
    a[:] = np.where(np.roll(a, 1, axis=1) > a, a.T, 0.0)
    a[:] = np.flip(a * 2.0, axis=1)
    a[:] = np.clip(a, -1.0, 1.0)
    a[1:] = np.where(a[1:] > 0.0, a[:-1], a[1:])
    a[:] = a[::-1] * 1.0
    a[:, :] = np.concatenate([b[:5], a[:5]])
    b[:] = np.pad(a[1:9, 1:9], 1)
    b += np.rot90(a)
    board[:] = np.where(board == 3, 0, board)
    board[1:] = np.where(board[1:] > 0, board[:-1], board[1:])
    board[:] = np.roll(board, 1, axis=0)
    board[:] = np.repeat(board[:10], 2, axis=0)
    around = np.sum(np.roll(board, 1, axis=0) == board)
    a[:] = np.tile(b[:2], (5, 1))
    b[:] = b.reshape(20, 5).ravel().reshape(10, 10).T
    b[:] = (b * 0.5).T + np.roll(b, 1).T
    return (
        around, np.sum(np.where(board > 1, 1, 0)), np.any(board.T == 2),
        np.max(np.where(a > b, a, b)), a.sum(), (a * 2.0).sum(), np.argmax(np.roll(a, 3)),
    )  # fmt: skip


# --- Places and orders ----------------------------------------------------------------------------


@over(VECTOR, MATRIX, PLACES[:6], np.array([2, 0, 1, 2], np.uint8), RNG.normal(size=(20, 30)))
@over(SINGLE, MATRIX, BYTES % 10, np.array([2, 0, 1, 2], np.uint8), RNG.normal(size=(20, 30)))
def gathered(v, m, places, few, many):
    a, part = v * 2.0, places[:4] % 4
    b, c, d, e, f = a[places], m[few], m[few, part], many[places, 5], m.T[part]
    g, h = v[[0, 2, 1]], v[np.argsort(v)]
    a[places] = 1.5
    a[places[:2]] += v[:2]
    k = a.copy()
    k[places] = v[: len(places)]
    m[few] = np.arange(4.0)
    m[few, part] = 7
    many[places, places] += 1.0
    many[places[:2]] = 3
    v[places] = v[places[::-1]]
    b[0] = 3.0
    return (
        a, b, c, d, e, f, g, h, k, f.sum(axis=0), v[places].sum(), m[:, 0][few],
        v[places[:4].reshape(2, 2)], (m * 1.0)[few, 1], v[part[0]],
    )  # fmt: skip


@over(VECTOR, MATRIX, PLACES, PERMUTED, UNSIGNED)
@over(SINGLE, MATRIX.astype(np.float32), BYTES, SPECIAL32, FLAGS)
def sorted_numbers(v, m, places, special, few):
    a = np.sort(v)
    b, c = np.sort(special), np.argsort(special)
    d = np.argsort(special, kind="stable")
    v.sort()
    e = special * 1.0
    e.sort()
    m.sort(axis=0)
    return (
        a, b, c, d, e, np.sort(m, axis=1), np.sort(m, axis=None), np.argsort(m, axis=1),
        np.sort(m.T)[::-1], few.argsort(), np.sort(places), np.sort(v > 0), np.argsort(-special),
        np.sort([v[3], v[1]]), np.sort(m.T).sum(),
    )  # fmt: skip


@pytest.mark.parametrize(("function", "arrays", "how"), CASES)
def test_compiled_expressions_have_numpys_bits(function, arrays, how):
    assert differences(function, *arrays, **how) == []


@pytest.mark.parametrize(("function", "arrays", "how"), CASES[::9])
def test_with_indices_checked_they_are_the_same(function, arrays, how):
    assert differences(function, *arrays, checked=True, **how) == []


def fast_expressions(v, m):
    force = np.clip(v[:4], -1.0, 1.0)
    speed = np.linalg.norm(force)
    return (
        force / speed, np.exp(v), np.sin(v) * np.cos(v), m @ force, m.sum(axis=0), m.mean(), v**2,
        np.where(m > 0.0, m, np.tanh(m)), np.arctan2(v, v[0]), v.std(), np.sqrt(np.abs(v)), m.T @ m,
        np.hypot(v, 1.0), v % 0.7, np.cumsum(v), np.linalg.solve(m[:, :3], v[:3]),
        np.array([v[0], 1]),
    )  # fmt: skip


def test_fast_precision_is_near():
    from rows import parts, run

    results, _ = run(fast_expressions, VECTOR, MATRIX, precision="fast")
    for one, other in zip(parts(fast_expressions(VECTOR, MATRIX)), results, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)
