"""Draws from a few outcomes, as Gymnasium's `categorical_sample` makes them.

It takes one `random()` u and returns the first outcome whose cumulative probability exceeds u, or
outcome 0 if rounding has left all of them below u.
"""

from batchsim.random import random


def one_of_three(rng, i, p, q, r):
    """Return 0, 1 or 2 with probability p, q or r, which are not negative and sum to about 1."""
    u = random(rng, i)
    # No branches: nothing can guess which way they go, and a wrong guess costs more than the draw.
    k = int(u >= p) + int(u >= p + q)
    return k * int(u < p + q + r)


def one_of_equals(rng, i, sums):
    """Return the first k with u < sums[k], len(sums) if there is none.

    `sums` are the cumulative probabilities of len(sums) outcomes that are equally likely.
    """
    u = random(rng, i)
    n = len(sums)
    # Exact sums would give this k; those that were rounded, one beside it now and then.
    k = int(u * n)
    while k > 0 and u < sums[k - 1]:
        k -= 1
    while k < n and u >= sums[k]:
        k += 1
    return k
