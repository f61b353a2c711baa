"""Names of arrays, parts of arrays, and what is written into them; what is refused, and how."""
# ruff: noqa: SIM108 - branches are what is tested

import numpy as np
import pytest
from rows import Cases, Refusals, caller, described, differences, reason

CASES = Cases()
over = CASES.over
REFUSALS = Refusals()
saying = REFUSALS.saying

RNG = np.random.default_rng(0)
VECTOR = RNG.normal(size=10)
MATRIX = RNG.normal(size=(3, 4))
PLACES = np.array([3, -2, 1, 0, 7, -1, 2, 4, 5, 6])
UNSIGNED = np.array([3, 2, 1, 0], np.uint8)
LONG = RNG.normal(size=100)
WIDE = RNG.normal(size=(10, 10))


# --- Indices --------------------------------------------------------------------------------------


@over(VECTOR, MATRIX, PLACES, UNSIGNED)
def read_by_index(v, m, places, unsigned):
    i, u = places[0], unsigned[1]
    c, d = v * 2.0, m + 1.0
    return (
        v[-1], v[i], v[places[1]], v[u], v[u - 1], m[-1, -2], m[u, i], m[u], m[:, i], c[-1], c[i],
        m[1:, places[1]], c[places[1]], c[u], d[u, i], d[-1, places[1]], d[u], d[:, i], d[::-1, 0],
        d[1, ::2], d[0, ::-2], d[..., 1], d[:, None, 2], d[None, 1:2], d[u][i], d[1][1:3],
        d.T[i][u],
        v[::2], v[::-2], v[-3:], v[:-8], v[1:100:3], v[5:1:-1], m[...], m[None], v[np.argmax(v)],
        v[(v > 0).argmax()], v[int(np.argmin(c))], (v + c)[2], (v[1:] - v[:-1])[::3],
    )  # fmt: skip


@over(VECTOR, MATRIX, PLACES)
def slices_of_known_length(v, m, places):
    k, one = places[0], 1
    end = k + 5
    c = m * 2.0
    before = np.mean(LONG[end + 10 : end + 15]), c[1, k - 1 : k + 1] + 0.0, np.sum(c[:, k - 1 : k])
    v[k : k + 3] = v[k + 1 : k + 4]
    c[0, one : one + 2] = 7.0
    m[k - 2, k - 3 : k + 1] += 1.0
    return (
        *before, v[k : k + 5], LONG[end - 4 : end], np.sum(LONG[k : k + 70]), c,
        np.max(m[:, one : one + 2]), m[one : 2 + one],
    )  # fmt: skip


@over(VECTOR, MATRIX, PLACES, UNSIGNED)
def written_by_index(v, m, places, unsigned):
    i, u = places[0], unsigned[1]
    c, d = v * 2.0, m + 1.0
    c[i] = 1.0
    c[-1] = 2
    c[1:4] = v[2:5]
    c[::3] = 0.5
    c[u] += 4.0
    c[places[1]] *= 2.0
    d[0] = 3.0
    d[:, 1] = v[:3]
    d[1:, 2:] = m[:2, :2]
    d[u, places[1]] = 9.0
    d[-1] = m[0]
    d[:, 0] += 1.0
    d[0, :2] *= v[0]
    e = np.zeros((2, 2, 2))
    e[1, 0] = v[:2]
    e[:, 1, 1] = v[2:4]
    e[0] = e[1]
    e[..., 0] = 7.0
    m[1:] = m[:-1]
    m[:, ::-1] = m
    m[u, 1:3] = v[:2] + 1.0
    m[:, i] -= v[:3]
    v[::-1] = v
    v[2:5] += v[3:6]
    v[i] = m.sum()
    return c, d, e


@over(VECTOR, MATRIX)
def written_lists(v, m):
    c = np.zeros((2, 3), np.int8)
    c[0] = [v[0] * 20, 1.0, 2]
    c[:, 1] = (4, v[0] > 0)
    m[0] = [1, 2, 3, 4.5]
    m[:, 1] = [v[0], True, -2]
    m[1:, 2:] = [[1, 2], [v[1], 4]]
    v[:3] = v[2], v[1], v[0]
    v[3:] = [7]
    d = np.zeros((2, 2))
    d[:] = [v[:2] + 1.0, m[0, :2] * 2.0]
    d[1:] = [[v[4], v[5]]]
    m[1:, :2] = np.array([m[2, :2], m[1, :2]])
    return c, d


@over(VECTOR, MATRIX)
def written_where_a_mask_says(v, m):
    a = v.copy()
    a[v > 0.2] = -1
    b = m * 1.0
    b[b > 0] = 0
    b[m < 0] = v[0]
    c = m.T * 1.0
    c[c > 0] = 5.0
    v[~(v > 0)] = v[0]
    m[m > 0] = np.float32(0.1)
    m.T[m.T < -1.0] = 3.5
    g = np.zeros(10, np.int8)
    g[(v > 0) & (v < 0.5)] = 3
    return a, b, c, c.sum(), g


@over(LONG)
def overlapping_slices_of_many(b):
    b[10:90] = b[5:85]
    b[5:85] = b[10:90]
    b[::-1] = b
    b[2:4] = b[1:3]
    b[:] = b[::-1]
    b[0:70] = b[69::-1]
    b[10:90] = b[5:85] * 2.0 + b[15:95]
    b[5:85] += b[10:90]
    b[::-1] += b
    b[20:] = b[:80] + b[0]
    b[20:] += b[20]
    return b.sum(), (b * b).sum(), b.argmax(), (b > 0).sum(), np.any(b > 3), b[::3][:5]


@over(WIDE)
def overlapping_parts_of_many(w):
    w[1:] = w[:-1]
    w[:] = w[0]
    w[:, 1] = w[1]
    w[2:5] = w[0] * 2.0
    w[:8, :8] = w[:8, :8].T @ w[1:9, 1:9]
    w[::-1] = w
    w[:-1] = w[1:] * 2.0 + w[:-1]
    w *= 0.5
    return w[1:9:2, 0:5:2].sum(axis=0), w[3] @ w[4]


@over(VECTOR, MATRIX)
def gone_through(v, m):
    total = np.zeros(12)
    for k, x in enumerate(v):
        total[0] += x * k
    for r in m:
        total[1] += r.sum()
        r[0] = total[1]
    for a, b in zip(v, v * 2.0):  # noqa: B905
        total[2] += a * b
    for a, b in zip(m.T, m.T):  # noqa: B905
        total[3] += a @ b
    for a in v[:3] + v[1:4]:
        total[4] += a
    for (k, a), b in zip(enumerate(v), v[::-1]):  # noqa: B905
        total[5] += k * a * b
    for k in range(len(m)):
        for j in range(m.shape[1]):
            total[6] += m[k, j] * k
    x, y, z = m[:, 0]
    (a, b), (c, d) = m[:2, :2]
    p, q = m[:2] * 2.0
    total[7] = x - y * z
    total[8] = a * d - b * c
    total[9] = p[1] + q[1]
    total[10] = m.size + (m + 1).ndim + len(m * 2) + (m.T + 1).shape[0]
    return total


# --- Names ----------------------------------------------------------------------------------------


def itself(x):
    return x


def scaled(x, c):
    if c > 0.0:
        if c > 1.0:
            x = x * 2.0
        else:
            x = x + 1.0
        x[0] = 0.5
    else:
        x = x - 1.0
    return x


def capped(v):
    if v[0] > 1.0:
        return v / v[0]
    return v


def both(x, y, c):
    if c > 0.0:
        return x, y
    return y, x


def predicted(x, p):
    return x + 1.0, p * 2.0


def moved(row, by):
    row += by
    row[0] = 3.0


@over(VECTOR)
@over(-VECTOR)
def names_of_arrays(v):
    a, b = v[:3] * 1.0, v[3:6] * 1.0
    a, b = b, a
    a[0] = 5.0
    c = a + 0.0 if v[0] > 0 else b + 0.0
    if v[1] > 0:
        d = a.copy()
    else:
        d = b.copy()
    d[0] = 9.0
    e = a.copy()
    t = (e, e * 2.0)
    x, y = t
    y[1] = 4.0
    return a, b, c, d, x, y


@over(VECTOR)
def arrays_that_loops_carry(v):
    a = np.zeros(3)
    for k in range(3):
        if v[k] > 0:
            a[k] = 1
            continue
        b = a.copy()
        b[k] = -1
        a = b
    c = np.zeros(3)
    while c[0] < 5.0:
        c[0] += 1
        c = c * 1.5
        if c[1] > 100.0:
            break
        c[1] = c[0]
    before = v[:3] * 1.0
    now = before + 1.0
    for _ in range(4):
        before, now = now, now + before
    x, p = v[:3] * 1.0, np.eye(3)
    for _ in range(3):
        x, p = predicted(x, p)
        x[2] = 0.5
    return a, c, before, now, x, p


@over(VECTOR)
@over(-2.0 * VECTOR)
def arrays_that_functions_return(v):
    a = v[:3] * 3.0
    a = capped(a)
    a[1] = 9.0
    b = itself(a + 1.0)
    b[0] = 4.0
    c, d = both(v[:2] * 1.0, v[2:4] * 1.0, v[0])
    total = np.zeros(3)
    for k in range(5):
        total += scaled(v[:3] * 1.0, v[k])
    e = v[3:6].copy()
    moved(v[6:9], 2.0)
    moved(v[7:], e[0])
    return a, b, c, d, total, e


@over(VECTOR, MATRIX)
def references_are_memory(v, m):
    r = v[:3]
    c = r
    c[0] = 100.0
    d = r * 1.0
    v[1] = -3.0
    first = r[0] + c[1]
    t = m.T
    t[1, 2] = 99.0
    flat = m.ravel()
    flat[0] = -5.0
    again = r
    again += 1.0
    r[:] = d[::-1]
    last = itself(m[1])
    last[0] = 12.0
    return first, m[2, 1], m[0, 0], d, c


def middle(x):
    return x[1:4]


def first_row(m):
    return m[0]


@over(VECTOR, MATRIX)
def rows_that_functions_return(v, m):
    a = middle(v) + 1.0
    b = first_row(m)
    b[1] = 7.0
    middle(v)[0] = 5.0
    c = m * 2.0
    c.fill(3)
    c[0].sum()
    m[1].fill(v[0])
    m[:, 3].fill(1)
    d = middle(c[0] * 2.0)
    return a, c, d


@over(VECTOR, MATRIX)
def swapped_in_loops(v, m):
    a, b = v[:3] * 1.0, v[3:6] * 2.0
    for k in range(5):
        a, b = b, a
        a[k % 3] = k
    c = v * 1.0
    for j in range(3):
        for k in range(4):
            c[j], c[k] = c[k], c[j]
            if c[j] > c[k]:
                number = c[j]
                c[j] = c[k]
                c[k] = number
    d = m * 1.0
    total = np.float64(0.0)
    for k in range(2):
        row = d[k]
        total += row[0]
        d[k] = d[k + 1] * 2.0
        row = d[k + 1].copy()
        d[k + 1] = d[k]
        d[k] = row
    old, new = v[:3] * 1.0, np.zeros(3)
    for k in range(4):
        new[0] = old[1] + k
        new[1:] = old[:2] * 0.5
        old, new = new, old
    return a, b, c, d, np.array([total]), old, new


@pytest.mark.parametrize(("function", "arrays", "how"), CASES)
def test_compiled_names_and_indices_are_numpys(function, arrays, how):
    assert differences(function, *arrays, **how) == []


def beyond(v, places):
    c = v * 2.0
    return c[places[0] + 20]


def cut_off(v, places):
    k = places[4]
    return np.sum(v[k : k + 4])


@pytest.mark.parametrize("function", [beyond, cut_off])
def test_computed_indices_are_checked(function):
    result = np.zeros(1)
    wanted = described([np.zeros(())])
    _, main = caller(function, described([VECTOR, PLACES]), wanted, "exact", True)
    with pytest.raises(IndexError):
        main(VECTOR, PLACES, result)


# --- What is refused ------------------------------------------------------------------------------


@saying("d is changed in place, and c may be the same array", VECTOR)
def another_name(v):
    c = v * 1.0
    d = c
    d[0] = 5.0
    return c


@saying("d is changed in place, and c may be the same array", VECTOR)
def a_part(v):
    c = v * 1.0
    d = c[1:]
    d[0] = 5.0
    return c


@saying("c is changed in place, and d may be the same array", VECTOR)
def the_whole_of_a_part(v):
    c = v * 1.0
    d = c[1:]
    c[2] = 5.0
    return d


@saying("changed in place", VECTOR)
def another_shape(v):
    a = v[:4] * 1.0
    b = a.reshape(2, 2)
    b[0, 0] = 1.0
    return a


@saying("changed in place", VECTOR)
def another_array(v):
    a = v * 1.0
    b = np.asarray(a)
    b[0] = 1.0
    return a


@saying("changed in place while a `for` or an expression uses it", VECTOR)
def what_is_gone_through(v):
    c = np.zeros(3)
    for x in c:
        c[0] = x + 1
    return c


@saying("changed in place", VECTOR)
def rows_of_what_is_gone_through(v):
    a = np.zeros((2, 2))
    for r in a:
        r[0] = 1.0
    return a


@saying("changed in place", VECTOR)
def what_was_before(v):
    a = np.zeros(3)
    previous = a
    for k in range(3):
        previous = a
        a[0] = 7.0 * k
    return previous


@saying("c is changed in place, and a may be the same array", VECTOR)
def one_of_two(v):
    a, b = v[:3] * 1.0, v[3:6] * 1.0
    if v[0] > 0:
        c = a
    else:
        c = b
    c[0] = 9.0
    return a


@saying("a is changed in place, and b may be the same array", VECTOR)
def in_place_beside_another_name(v):
    a = np.zeros(3)
    b = a
    a += 1.0
    return a, b


@saying("an array that has no name is changed in place", VECTOR)
def a_part_of_a_part(v):
    c = np.zeros((2, 2))
    c[0][1] = 1.0
    return c


@saying("an array that has no name is changed in place", VECTOR)
def a_part_of_a_tuple(v):
    a = v * 1.0
    t = (a, a)
    t[0][1] = 4.0
    return t[1]


@saying("x is changed in place, and a may be the same array", VECTOR)
def a_member_of_a_tuple(v):
    a = v * 1.0
    x, _ = (a, a * 2.0)
    x[1] = 4.0
    return a


def change(x):
    x[0] = 1.0
    return x


@saying("x is changed in place, and is the caller's array", VECTOR)
def in_a_function(v):
    c = np.zeros(3)
    return change(c)


@saying("d is changed in place, and c may be the same array", VECTOR)
def what_a_function_may_return(v):
    c = v[:3] * 1.0
    d = capped(c)
    d[1] = 9.0
    return c


@saying("c is changed in place, and d may be the same array", VECTOR)
def two_that_a_function_returns(v):
    c, d = both(v[:3] * 1.0, v[3:6] * 1.0, v[0])
    c[0] = 4.0
    return c, d


@saying("Cannot unify", VECTOR)
def a_row_or_an_array(v):
    if v[0] > 0:
        a = v
    else:
        a = np.zeros(10)
    return a[0]


@saying("np.zeros: what it is given must be known", PLACES)
def a_computed_shape(places):
    return np.zeros(places[0])


@saying("expected at most 64 elements", VECTOR)
def too_many(v):
    return np.outer(v, v)


@saying("do not go together", VECTOR)
def shapes_that_differ(v):
    return np.add(v[:3], v[:4])


@saying("do not go together", VECTOR)
def what_does_not_fit(v):
    v[:3] = v[:4] * 1.0


@saying("do not go together", VECTOR)
def a_list_that_does_not_fit(v):
    v[:3] = [1.0, 2.0]


@saying("is written where", MATRIX)
def more_than_fits(m):
    m[:1] = m[1:]


@saying("is beyond the 10 elements", VECTOR)
def an_index_beyond(v):
    return v[10]


@saying("has 1 axes and is indexed by 2", VECTOR)
def too_many_indices(v):
    return v[0, 1]


@saying("is empty", VECTOR)
def an_empty_slice(v):
    return v[3:3]


@saying("whose bounds are known", VECTOR, PLACES)
def computed_bounds(v, places):
    c = v * 2.0
    return c[places[3] : places[3] + 2]


@saying("whose bounds are known", VECTOR, PLACES)
def computed_bounds_to_write(v, places):
    v[places[3] : places[3] + 2] = v[:2] * 2.0


@saying("an index has an array of places beside slices", MATRIX, UNSIGNED)
def places_beside_slices(m, unsigned):
    return m[:, unsigned]


@saying("np.add in place makes float64 numbers", PLACES)
def fractions_in_place(places):
    places += 0.5


@saying("which does not fit into one of (4,)", MATRIX)
def more_in_place_than_fits(m):
    m[0] += m


@saying("how many elements np.where finds is not known", VECTOR)
def places_of_a_mask(v):
    return np.where(v > 0)[0]


@saying("how many elements np.nonzero finds is not known", VECTOR)
def places_of_a_mask_by_a_method(v):
    return (v > 0).nonzero()


@saying("expected at most 256 elements", np.zeros((20, 20)))
def too_large_a_matrix(w):
    w[:] = w @ w


@saying("is kept, or handed on", WIDE)
def a_name_of_many(w):
    x = np.roll(w, 1)
    return x.sum()


@saying("an expression over an array of many elements is indexed", WIDE)
def an_element_of_many(w):
    return np.roll(w, 1)[0, 0]


@saying("c is changed in place, and a may be the same array", VECTOR)
def a_third_name_of_what_is_swapped(v):
    a, b = v[:3] * 1.0, v[3:6] * 2.0
    c = a
    for _ in range(3):
        a, b = b, a
        c[0] = 1.0
    return a, b


@saying("tmp may be the same array", MATRIX)
def rows_swapped_without_a_copy(m):
    a = m * 1.0
    for k in range(2):
        tmp = a[k]
        a[k] = a[k + 1]
        a[k + 1] = tmp
    return a


@saying("how many elements a mask chooses is not known", VECTOR)
def chosen_by_a_mask(v):
    return (v * 2.0)[v > 0].sum()


@saying("write array[:] = np.where(mask, …, array)", VECTOR)
def an_array_where_a_mask_says(v):
    v[v > 0] = v * 2.0


@saying("A mask of the shape", MATRIX)
def a_mask_of_rows(m):
    m[m[:, 0] > 0] = 1.0


@saying("write np.array([…])", MATRIX)
def rows_in_a_list(m):
    m[:2] = [m[1], m[0]]


@saying("write np.array([…])", MATRIX)
def its_own_parts_in_a_list(m):
    d = m * 1.0
    d[:2] = [d[1], d[0]]
    return d


@saying("does not exist for", VECTOR > 0)
def a_difference_of_truth_values(f):
    return np.subtract(f, f)


@saying("is beyond int8", VECTOR.astype(np.int8))
def a_number_beyond_a_type(b):
    return b + 300


@saying("is raised in place", VECTOR)
def a_power_in_place(v):
    v **= 2


@saying("write float(…) or int(…) around it", VECTOR, VECTOR.astype(np.float32))
def a_width_in_doubt(v, f):
    return f * v[0]


@saying("np.clip of row(float32, 10) and float64", VECTOR, VECTOR.astype(np.float32))
def bounds_in_doubt(v, f):
    return np.clip(f, v[0], 0.7)


@saying("np.where of row(float32, 10) and float64", VECTOR, VECTOR.astype(np.float32))
def a_choice_in_doubt(v, f):
    return np.where(v > 0, f, v[0])


@saying("float16", VECTOR.astype(np.int8))
def half_floats(b):
    return np.sqrt(b)


@saying("axis 2 is not one", MATRIX)
def no_such_axis(m):
    return m.sum(axis=2)


@saying("expected one number", MATRIX)
def two_axes(m):
    return m.sum(axis=(0, 1))


@saying("axis must be known", MATRIX, PLACES)
def a_computed_axis(m, places):
    return m.sum(axis=places[3])


@saying("np.median adds in another order", VECTOR)
def a_median(v):
    return np.median(v)


@saying("needs both bounds", VECTOR)
def one_bound(v):
    return np.clip(v, 0.0, None)


@saying("expected that of numbers", VECTOR)
def complex_numbers(v):
    return v.astype(np.complex128)


@saying("parts of the shapes", VECTOR)
def a_ragged_array(v):
    return np.array([v[:2], v[:3]])


@pytest.mark.parametrize(("function", "sentence", "arrays"), REFUSALS)
def test_what_is_not_computed_is_refused_with_a_sentence(function, sentence, arrays):
    said = reason(function, *arrays)
    assert said is not None
    assert sentence in said
