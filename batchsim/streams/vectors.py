"""Normal vectors, as numpy's `Generator.multivariate_normal` draws them.

NumPy multiplies independent normal numbers by a factor of the covariance matrix, and BLAS decides
by the processor in which order the products are added. Compiled code calls the loop of `np.matmul`
that NumPy calls, with the same strides, and so has the same bits.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba.extending import overload, register_jitable

from batchsim.streams.pcg64 import Streams
from batchsim.streams.words import float64
from batchsim.streams.ziggurat import standard_normal

__all__ = ["factor_of", "normal_vector"]


def factor_of(covariance: Any) -> npt.NDArray[np.float64]:
    """Return the factor (d, d) that NumPy makes of a covariance matrix by default, by `svd`."""
    matrix = np.asarray(covariance, np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the covariance has shape {matrix.shape}, expected (d, d)")
    vectors, values, _ = np.linalg.svd(matrix)
    return np.ascontiguousarray(vectors * np.sqrt(values))


@register_jitable
def normal_vector(rng: Streams, i: int, mean: Any, factor: Any, out: Any) -> None:
    """Write a vector (d,) of this mean (d,), and of the covariance of a factor (d, d)."""
    for k in range(len(out)):
        out[k] = standard_normal(rng, i)
    _multiply(factor, out)
    for k in range(len(out)):
        out[k] = float64(mean[k]) + float64(out[k])


def _multiply(factor: Any, x: Any) -> None:
    """Replace a vector by its product with the factor."""
    # Copied by elements: arrays may be watched while an environment is checked.
    size = len(x)
    row = np.array([[float64(x[k]) for k in range(size)]])
    matrix = np.array([[float64(factor[j, k]) for k in range(size)] for j in range(size)])
    product = np.matmul(row, matrix.T)[0].tolist()
    for k in range(size):
        x[k] = product[k]


@overload(_multiply)
def _multiply_compiled(factor, x):  # type: ignore[no-untyped-def]
    # Of the compiler, which those that only draw in Python do without.
    from batchsim.compiler.gufuncs import multiply_in_place

    return lambda factor, x: multiply_in_place(factor, x)
