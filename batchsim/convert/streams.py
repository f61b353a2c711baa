"""Draws that a class makes elsewhere than from `self.np_random`, and what they become.

Where a class draws from `random`, `numpy.random`, a generator of its own or a space, one episode
cannot be repeated by its seed, or not by the environment's. The batch has one stream a row, that
of `np_random`. So these draws are replaced by draws of the row's stream: in the original too, when
it is compared with. Each replacement is said once, as an expression: the original evaluates it
with the generator's methods, and the converter writes it with the functions of `batchsim.random`.
"""

from __future__ import annotations

import ast
import inspect
import random
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

__all__ = ["FOREIGN", "Draws", "Foreign", "Lender"]


@dataclass(frozen=True)
class Foreign:
    """A function that draws from a stream of its own.

    Attributes:
        name: as it is written, `random.randint`.
        arguments: its parameters as Python writes them.
        draws: what it becomes; the generator's methods are free names in it.
    """

    name: str
    arguments: str
    draws: str

    @property
    def tree(self) -> ast.Lambda:
        """What it becomes, as the tree of a function of its arguments."""
        found = ast.parse(f"lambda {self.arguments}: {self.draws}", mode="eval").body
        assert isinstance(found, ast.Lambda)
        return found

    @property
    def signature(self) -> inspect.Signature:
        """The signature of its arguments."""
        return inspect.signature(eval(f"lambda {self.arguments}: None"))


_OF_NUMPY = {
    "random": ("size=None", "random(size)"),
    "random_sample": ("size=None", "random(size)"),
    "ranf": ("size=None", "random(size)"),
    "sample": ("size=None", "random(size)"),
    "uniform": ("low=0.0, high=1.0, size=None", "uniform(low, high, size)"),
    "normal": ("loc=0.0, scale=1.0, size=None", "normal(loc, scale, size)"),
    "standard_normal": ("size=None", "standard_normal(size)"),
    "exponential": ("scale=1.0, size=None", "exponential(scale, size)"),
    "poisson": ("lam=1.0, size=None", "poisson(lam, size)"),
    "binomial": ("n, p, size=None", "binomial(n, p, size)"),
    "beta": ("a, b, size=None", "beta(a, b, size)"),
    "gamma": ("shape, scale=1.0, size=None", "gamma(shape, scale, size)"),
    "lognormal": ("mean=0.0, sigma=1.0, size=None", "lognormal(mean, sigma, size)"),
    "geometric": ("p, size=None", "geometric(p, size)"),
    "laplace": ("loc=0.0, scale=1.0, size=None", "laplace(loc, scale, size)"),
    "choice": (
        "a, size=None, replace=True, p=None",
        "choice(a, size=size, replace=replace, p=p)",
    ),
    "shuffle": ("x", "shuffle(x)"),
    "permutation": ("x", "permutation(x)"),
}
_OF_RANDOM = {
    "random": ("", "random()"),
    "uniform": ("a, b", "uniform(a, b)"),
    "randint": ("a, b", "integers(a, b + 1)"),
    "choice": ("seq", "seq[integers(0, len(seq))]"),
    "gauss": ("mu=0.0, sigma=1.0", "normal(mu, sigma)"),
    "normalvariate": ("mu=0.0, sigma=1.0", "normal(mu, sigma)"),
    "expovariate": ("lambd=1.0", "exponential(1.0 / lambd)"),
    "betavariate": ("alpha, beta", "beta(alpha, beta)"),
    "gammavariate": ("alpha, beta", "gamma(alpha, beta)"),
    "lognormvariate": ("mu=0.0, sigma=1.0", "lognormal(mu, sigma)"),
    "sample": (
        "population, k",
        "[population[j] for j in choice(len(population), k, replace=False)]",
    ),
    "getrandbits": ("k", "integers(0, 2**k)"),
    "shuffle": ("x", "shuffle(x)"),
}
_VARIANTS = {
    # Functions that mean different things by how many arguments they are given.
    "random.randrange": (
        ("stop", "integers(0, stop)"),
        ("start, stop", "integers(start, stop)"),
    ),
    "random.choices": (
        ("population, *, k=1", "[population[j] for j in integers(0, len(population), k)]"),
        (
            "population, weights, *, k=1",
            "[population[j] for j in "
            "choice(len(population), k, p=np.array(weights) / np.sum(weights))]",
        ),
    ),
    "numpy.random.randint": (
        ("low", "int(integers(0, low))"),
        ("low, high", "int(integers(low, high))"),
        ("low, *, size, dtype=int", "integers(0, low, size)"),
        ("low, high, size, dtype=int", "integers(low, high, size)"),
        ("low, high=None, size=None, dtype=int", "integers(low, high, size)"),
    ),
    "numpy.random.random_integers": (
        ("low", "integers(1, low + 1)"),
        ("low, high", "integers(low, high + 1)"),
    ),
    "numpy.random.rand": (
        ("", "random()"),
        ("m", "random(m)"),
        ("m, n", "random((m, n))"),
    ),
    "numpy.random.randn": (
        ("", "standard_normal()"),
        ("m", "standard_normal(m)"),
        ("m, n", "standard_normal((m, n))"),
    ),
    "gymnasium.spaces.Discrete.sample": (("", "integers(start, start + n)"),),
    "gymnasium.spaces.Box.sample": (("", "uniform(low, high).astype(dtype)"),),
}

FOREIGN: dict[str, tuple[Foreign, ...]] = {
    **{
        f"numpy.random.{name}": (Foreign(f"np.random.{name}", *said),)
        for name, said in _OF_NUMPY.items()
    },
    **{f"random.{name}": (Foreign(f"random.{name}", *said),) for name, said in _OF_RANDOM.items()},
    **{
        name: tuple(Foreign(name, *said) for said in variants)
        for name, variants in _VARIANTS.items()
    },
}
"""What draws from a stream of its own, by the full name of the function; variants by arguments."""

SEEDS = ("seed", "set_state")
"""Functions that only seed a stream; they do nothing."""


def variant(name: str, args: int, keywords: frozenset[str]) -> Foreign | None:
    """Return what a call with so many arguments, and these keywords, becomes."""
    for foreign in FOREIGN.get(name, ()):
        try:
            foreign.signature.bind(*[0] * args, **dict.fromkeys(keywords, 0))
        except TypeError:
            continue
        return foreign
    return None


class Lender:
    """Lends the generator of the environment that is at work to all draws elsewhere.

    Attributes:
        env: that environment, whose `np_random` it is; None while it is being made.
        used: the full names of the functions that drew from it.
    """

    def __init__(self) -> None:
        self.env: Any = None
        self.first = np.random.default_rng(0)
        self.used: set[str] = set()
        self.modules = {
            id(random): Draws(self, "random", random),
            id(np.random): Draws(self, "numpy.random", np.random),
        }
        self.functions: dict[int, Any] = {}
        for draws in self.modules.values():
            for name in dir(draws.module):
                thing = getattr(draws.module, name)
                if callable(thing) and draws.replaces(name):
                    self.functions[id(thing)] = (thing, getattr(draws, name))

    @property
    def generator(self) -> np.random.Generator:
        """The generator that is lent: what the original's reset makes anew counts at once."""
        found = getattr(self.env, "_np_random", None)
        return self.first if found is None else found

    def swap(self, value: Any) -> Any:
        """Return what stands in place of a value: of a module or function that draws, another."""
        if isinstance(value, types.ModuleType):
            return self.modules.get(id(value), value)
        if callable(value):
            known = self.functions.get(id(value))
            if known is not None:
                return known[1]
            owner = getattr(value, "__self__", None)
            if isinstance(owner, gymnasium.Space) and value.__name__ == "sample":
                return SpaceDraw(self, owner)
        return value


class Draws:
    """Stands in place of a module, or of a generator, that draws from a stream of its own."""

    def __init__(self, lender: Lender, name: str, module: types.ModuleType | None) -> None:
        self.lender = lender
        self.kind = name
        self.module = module
        self.is_stream = module is None
        self.draws: dict[str, Draw] = {}

    def replaces(self, name: str) -> bool:
        """Return whether a function of the module is replaced."""
        return (
            f"{self.kind}.{name}" in FOREIGN
            or name in SEEDS
            or name in ("default_rng", "RandomState", "Random", "Generator")
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in SEEDS:
            return nothing
        if name in ("default_rng", "RandomState", "Random", "Generator", "SystemRandom"):
            kind = "random" if name in ("Random", "SystemRandom") else "numpy.random"
            return Maker(self.lender, kind, name)
        full = f"{self.kind}.{name}"
        if full not in FOREIGN and self.is_stream:
            return getattr(self.lender.generator, name)
        if full in FOREIGN:
            return self.draws.setdefault(full, Draw(self.lender, full))
        return getattr(self.module, name)


class Maker:
    """Stands in place of what makes a generator."""

    def __init__(self, lender: Lender, kind: str, name: str) -> None:
        self.lender = lender
        self.kind = kind
        self.foreign = f"{kind}.{name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Draws:
        return Draws(self.lender, self.kind, None)


class Draw:
    """Stands in place of a function that draws."""

    def __init__(self, lender: Lender, foreign: str) -> None:
        self.lender = lender
        self.foreign = foreign
        self.made: dict[tuple[int, frozenset[str]], Callable[..., Any]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        key = (len(args), frozenset(kwargs))
        if key not in self.made:
            found = variant(self.foreign, *key)
            if found is None:
                raise TypeError(f"{self.foreign} with {len(args)} arguments is not replaced")
            self.made[key] = eval(
                compile(ast.Expression(found.tree), f"<{found.name}>", "eval"),
                _Methods(self.lender),
            )
        self.lender.used.add(self.foreign)
        return self.made[key](*args, **kwargs)


class SpaceDraw(Draw):
    """Stands in place of a space's `sample`."""

    def __init__(self, lender: Lender, space: gymnasium.Space[Any]) -> None:
        kind = type(space).__name__
        super().__init__(lender, f"gymnasium.spaces.{kind}.sample")
        self.space = space

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found = variant(self.foreign, 0, frozenset())
        if found is None:
            raise TypeError(f"{self.foreign} is not replaced")
        self.lender.used.add(self.foreign)
        names = {**vars(self.space), "low": getattr(self.space, "low", None)}
        names["n"], names["start"] = (getattr(self.space, key, 0) for key in ("n", "start"))
        names["high"] = getattr(self.space, "high", None)
        names["dtype"] = self.space.dtype
        tree = compile(ast.Expression(found.tree.body), f"<{found.name}>", "eval")
        return eval(tree, _Methods(self.lender), names)


class _Methods(dict[str, Any]):
    """The names in a replacement: the generator's methods, and Python's own functions."""

    def __init__(self, lender: Lender) -> None:
        super().__init__(len=len, range=range, int=int, np=np)
        self.lender = lender

    def __missing__(self, name: str) -> Any:
        return getattr(self.lender.generator, name)


def nothing(*args: Any, **kwargs: Any) -> None:
    """Do what seeding a stream does that is not there."""
