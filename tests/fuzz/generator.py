"""Writes random definitions: source text, and the arguments that a batch of it is made with.

A definition is written in one of six styles, as compiled code has loops of different kinds for
them: "plain" (the step is harmless in rows whose episode is over, so that all rows are stepped
without a branch), "substeps" (loops that can be unrolled, so that the step stands under a condition
and can still be vectorised), "loops" (scalar columns and any loops), "arrays" (columns of several
elements, tables, Scratch), "expressions" (of whole arrays) and "draws".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .expressions import DTYPES, FLOAT_RANGES, Column, dtype_range
from .statements import Statements
from .vocabulary import DEFAULT_SWITCHES, Expression, boolean

ANNOTATIONS = {"bool": "bool", "int64": "int", "float64": "float"}

HEADER = """\
\"\"\"{title}\"\"\"

import math
from typing import NamedTuple

import numpy as np
from gymnasium import spaces

import batchsim
from batchsim.math import cos, cos32, power, sin, sin32, wrap_angle, wrap_turns
{draws}
"""

COMMON = ("choice", "choice_weighted", "random", "shuffle", "uniform")
KINDS = {
    "numpy.random.Generator": (
        "batchsim.random",
        *("binomial", "choice_without_replacement", "exponential", "gamma", "geometric"),
        *("integers", "normal", "permutation", "poisson", "standard_normal"),
    ),
    "numpy.random.RandomState": (
        "batchsim.random_state",
        *("binomial", "exponential", "normal", "permutation", "poisson", "standard_normal"),
        "randint as integers",
    ),
    "random.Random": (
        "batchsim.python_random",
        *("gauss as normal", "normalvariate as standard_normal", "randrange as integers"),
        "sample as choice_without_replacement",
    ),
}
"""Of each kind of stream where its draws are, and which there are beside the common ones, under the
names of the first kind."""


@dataclass
class Source:
    """A random definition."""

    text: str
    style: str
    parameters: dict[str, tuple[Any, Callable[..., Any]]]
    """Of each parameter its default, and what draws other values: `draw(rng, n)` or, where n is
    None, of one value."""
    options: dict[str, Callable[..., Any]]
    arguments: dict[str, Callable[..., Any]]
    """What draws reset options and arguments."""


def pairs(rng: Any, low: float, high: float, n: int | None) -> Any:
    """Return two numbers, or two for each of n rows, in the memory column by column at times."""
    if n is None:
        return rng.uniform(low, high, 2)
    return (
        rng.uniform(low, high, (n, 2)) if rng.random() < 0.5 else rng.uniform(low, high, (2, n)).T
    )


class Generator(Statements):
    """Writes one definition."""

    # -- the parts of a definition -----------------------------------------------------------

    def generate(self, title: str) -> Source:
        """Write it."""
        kind = self.pick(list(KINDS), [4, 1, 1])
        module, *names = KINDS[kind]
        self.draws = {*COMMON, *(name.rpartition(" ")[2] for name in names)}
        imported = ",\n    ".join(sorted([*COMMON, *names]))
        draws = f"from {module} import (\n    {imported},\n)"
        if kind != "numpy.random.Generator":
            draws += f"\n\nRANDOM = {kind!r}"
        self.lines = HEADER.format(title=title, draws=draws).splitlines()
        self.make_columns()
        self.make_parameters()
        self.make_tables()
        self.make_helpers()
        action = self.make_action()
        observation = self.make_observation()
        self.write_reset()
        self.write_step(action)
        self.write_observe(observation)
        if self.chance(0.4):
            self.write_infos()
        return Source(
            "\n".join(self.lines) + "\n", self.style, self.parameters, self.options, self.arguments
        )

    def named_tuple(self, name: str, members: list[str]) -> None:
        """Write a class."""
        self.write("")
        self.write("")
        self.write(f"class {name}(NamedTuple):")
        for member in members:
            self.write(f"    {member}")

    def annotation(self, column: Column, *, late: bool = False) -> str:
        """Return a column's annotation; `late` where `Params` is written already."""
        scalar = ANNOTATIONS.get(column.dtype, f"np.{column.dtype}")
        if not column.shape:
            return scalar
        kind = f"np.{column.dtype if column.dtype != 'bool' else 'bool_'}"
        way = self.pick(["dtype", "numbers", "names", "function"])
        if way == "dtype":
            return f"np.dtype(({kind}, {column.shape}))"
        if way == "numbers":
            return f"batchsim.column({kind}, {column.shape})"
        named = [(not late or extent in self.sizes) and self.chance(0.7) for extent in column.shape]
        self.sizes |= {extent for extent, one in zip(column.shape, named, strict=True) if one}
        word = "p.d{}" if way == "function" else "'d{}'"
        extents = "".join(
            f"{word.format(extent) if one else extent}, "
            for extent, one in zip(column.shape, named, strict=True)
        )
        return f"batchsim.column({kind}, {'lambda p: ' if way == 'function' else ''}({extents}))"

    def new_column(self, prefix: str, dtype: str, shape: tuple[int, ...] = ()) -> Column:
        return Column(prefix, dtype, shape, *dtype_range(self.rng, dtype))

    def make_columns(self) -> None:
        self.sizes: set[int] = set()
        scalars = self.count(2, 6)
        chosen = [self.pick(DTYPES) for _ in range(scalars)] + ["float64"]
        if self.chance(0.7 if self.style == "substeps" else 0.3):
            chosen += ["bool", "int8"]
        self.rng.shuffle(chosen)
        for k, dtype in enumerate(chosen):
            self.columns.append(self.new_column(f"s.{'xabcdefgh'[k % 9]}{k}", dtype))
        self.columns.append(
            Column("s.age", str(self.pick(["int64", "int32", "int16"])), (), 0, 1000)
        )
        if self.style in ("arrays", "expressions") or (self.style == "draws" and self.chance(0.7)):
            for k in range(self.count(1, 4 if self.has_arrays else 2)):
                shape = self.pick([(3,), (5,), (8,), (2, 3), (4, 4), (2, 2, 2), (1,)])
                self.columns.append(self.new_column(f"s.m{k}", self.pick(DTYPES), shape))
        members = [f"{c.name[2:]}: {self.annotation(c)}" for c in self.columns]
        # What columns hold before the first reset, which may leave them alone.
        for k in range(len(members) - self.count(0, len(members)), len(members)):
            column = self.columns[k]
            value = self.literal(column.kind, column.low, column.high)
            members[k] += f" = {value.text if column.kind == 'bool' else repr(value.low)}"
        self.named_tuple("State", members)
        if self.style in ("arrays", "loops", "expressions") and self.chance(0.4):
            for k in range(self.count(1, 2)):
                shape = self.pick([(), (4,), (2, 3)])
                self.scratch.append(self.new_column(f"s.t{k}", self.pick(DTYPES), shape))
            self.named_tuple(
                "Scratch", [f"{c.name[2:]}: {self.annotation(c)}" for c in self.scratch]
            )

    def make_parameters(self) -> None:
        self.parameter_leaves, self.option_leaves = [], []
        members = []
        for k in range(self.count(0, 3)):
            way = self.pick(["float", "int", "bool", "tuple"])
            name = f"q{k}"
            if way == "float":
                low, high = self.pick(FLOAT_RANGES)
                members.append(f"{name}: float = {self.literal('float', low, high).low!r}")
                self.parameters[name] = (
                    low,
                    lambda rng, n, low=low, high=high: rng.uniform(low, high, n),
                )
                self.parameter_leaves.append(Expression(f"p.{name}", "float", low, high))
            elif way == "int":
                members.append(f"{name}: int = {self.count(-3, 9)}")
                self.parameters[name] = 0, lambda rng, n: rng.integers(-3, 10, n)
                self.parameter_leaves.append(Expression(f"p.{name}", "int", -3, 9))
            elif way == "bool":
                members.append(f"{name}: bool = {self.chance(0.5)}")
                self.parameters[name] = False, lambda rng, n: rng.random(n) < 0.5
                self.parameter_leaves.append(boolean(f"p.{name}"))
            else:
                members.append(f"{name}: tuple[float, float] = (-1.0, {self.count(0, 4)}.5)")
                self.parameters[name] = (
                    (),
                    lambda rng, n: pairs(rng, -1.0, 5.0, n),
                )
                self.parameter_leaves += [
                    Expression(f"p.{name}[{j}]", "float", -1.0, 5.0) for j in (0, 1)
                ]
        for extent in sorted(self.sizes):
            members.append(f"d{extent}: int = {extent}")
            self.parameter_leaves.append(Expression(f"p.d{extent}", "int", extent, extent))
        if members:
            self.named_tuple("Params", members)
        members = []
        if self.chance(0.4):
            members.append("low: float = -0.5")
            self.options["low"] = lambda rng, n: rng.uniform(-2.0, 2.0, n)
            self.option_leaves.append(Expression("p.low", "float", -2.0, 2.0))
        if self.chance(0.2):
            members.append("level: int = 1")
            self.options["level"] = lambda rng, n: rng.integers(0, 5, n)
            self.option_leaves.append(Expression("p.level", "int", 0, 5))
        if self.chance(0.2):
            members.append("span: tuple[float, float] = (-1.0, 2.5)")
            self.options["span"] = lambda rng, n: pairs(rng, -2.0, 3.0, n)
            self.option_leaves += [Expression(f"p.span[{j}]", "float", -2.0, 3.0) for j in (0, 1)]
        if members:
            self.named_tuple("Options", members)

    def make_tables(self) -> None:
        self.tables = []
        if self.style not in ("arrays", "draws", "expressions"):
            return
        if self.chance(0.5):
            values = [float(v) for v in self.rng.uniform(-4, 4, 5).round(2)]
            self.write("")
            self.write("")
            self.write(f"NUMBERS = np.array({values})")
            self.write(f"COUNTS = ({', '.join(str(self.count(-9, 9)) for _ in range(4))})")
            self.tables += [
                Column("NUMBERS", "float64", (5,), -4.0, 4.0),
                Column("COUNTS", "int64", (4,), -9, 9),
            ]
        if self.chance(0.5):
            dtype = self.pick(["int64", "int8", "uint8", "float64", "bool"])
            size = self.count(2, 5)
            self.named_tuple("Arguments", [f"size: int = {size}", "offset: int = 0"])
            self.named_tuple("Tables", ["grid: np.ndarray", "weights: np.ndarray"])
            self.write("")
            self.write("")
            self.write("def tables(arguments):")
            self.write("    n = arguments.size")
            self.write("    grid = (np.arange(n * n) + arguments.offset).reshape(n, n) % 7")
            scalar = "bool_" if dtype == "bool" else dtype
            self.write(f"    return Tables(grid.astype(np.{scalar}), np.arange(1.0, n + 1.0))")
            self.tables += [
                Column("p.grid", dtype, (size, size), 0, 6),
                Column("p.weights", "float64", (size,), 1.0, size),
            ]
            self.arguments["offset"] = lambda rng: int(rng.integers(0, 7))

    def make_helpers(self) -> None:
        self.helpers = []
        for k in range(self.count(0, 2)):
            self.forget()
            takes = [self.pick(["float", "int"]) for _ in range(self.count(1, 2))]
            names = [f"a{j}" for j in range(len(takes))]
            with_parameters = self.chance(0.3)
            self.write("")
            self.write("")
            self.write(f"def helper{k}({', '.join(names + ['p'] * with_parameters)}):")
            self.depth += 1
            for name, kind in zip(names, takes, strict=True):
                self.know(
                    Expression(name, kind, -100.0, 100.0)
                    if kind == "float"
                    else Expression(name, kind, -100, 100)
                )
            if with_parameters:
                self.know_parameters(options=False)
            result = Column("", "float64", (), -100.0, 100.0)
            if self.chance(0.5):
                with self.block(f"if {self.expression('bool').text}:"):
                    self.write(f"return {self.as_float(self.expression('float', 1), result)}")
            if self.style != "plain" and self.chance(0.5):
                self.write("total = 0.0")
                with self.block(f"for k in range({self.count(1, 4)}):"):
                    self.know(Expression("k", "int", 0, 3))
                    self.write(f"total += {self.as_float(self.expression('float', 1), result)}")
                self.know(Expression("total", "float", -400.0, 400.0))
            self.write(f"return {self.as_float(self.expression('float'), result)}")
            self.depth -= 1

            def call(
                k: int = k, takes: list[str] = takes, with_parameters: bool = with_parameters
            ) -> Expression:
                arguments = []
                for kind in takes:
                    like = Column("", "float64" if kind == "float" else "int64", (), -100, 100)
                    leaf = self.leaf(kind)
                    arguments.append(
                        self.fitted(
                            leaf, like._replace(low=-100.0, high=100.0) if kind == "float" else like
                        )
                    )
                arguments += ["p"] * with_parameters
                return Expression(f"helper{k}({', '.join(arguments)})", "float", -100.0, 100.0)

            self.made_helpers = [*getattr(self, "made_helpers", []), call]
        # None calls another one, nor itself.
        self.helpers = getattr(self, "made_helpers", [])

    def as_float(self, expression: Expression, column: Column) -> str:
        return self.fitted(expression, column)

    def make_action(self) -> tuple[str, list[Expression]]:
        """Return the space's text and the action's leaves."""
        way = self.pick(["discrete", "box", "multidiscrete", "multibinary"], [5, 3, 1.5, 0.7])
        if way == "discrete":
            n, start = self.count(2, 7), self.pick([0, 0, 0, -2, 3])
            return f"spaces.Discrete({n}, start={start})", [
                Expression("action", "int", start, start + n - 1)
            ]
        size = self.count(1, 3)
        leaves = []
        if way == "multibinary":
            space = f"spaces.MultiBinary({size})"
            leaves = [Expression(f"int(action[{k}])", "int", 0, 1) for k in range(size)]
        elif way == "multidiscrete":
            counts = [self.count(2, 6) for _ in range(size)]
            dtype = self.pick(["int64", "int32", "int8"])
            space = f"spaces.MultiDiscrete({counts}, dtype=np.{dtype})"
            leaves = [
                Expression(f"int(action[{k}])", "int", 0, n - 1) for k, n in enumerate(counts)
            ]
        else:
            dtype = self.pick(
                ["float32", "float64", "int8", "uint8", "int16", "int64"], [5, 3, 1, 1, 1, 1]
            )
            low, high = self.pick([(-1, 1), (0, 3), (-2, 2)])
            low = max(low, 0) if dtype.startswith("u") else low
            space = f"spaces.Box({low}, {high}, ({size},), np.{dtype})"
            like = Column("action", dtype, (), low, high)
            leaves = [self.as_wide(f"action[{k}]", like) for k in range(size)]
            if dtype == "float32":
                leaves += [Expression(f"action[{k}]", "float32", low, high) for k in range(size)]
        return space, leaves

    def make_space(self, depth: int) -> tuple[str, list[Column]]:
        """Return an observation space's text and the arrays to be written, by their path."""
        way = self.pick(
            ["box", "discrete", "multidiscrete", "multibinary", "dict", "tuple"],
            [7, 0.7, 0.7, 0.7, 1.5 if depth else 0, 1 if depth else 0],
        )
        if way in ("dict", "tuple"):
            parts = [self.make_space(depth - 1) for _ in range(self.count(1, 3))]
            leaves = []
            for k, (_, inner) in enumerate(parts):
                path = f".part{k}" if way == "dict" else f"[{k}]"
                leaves += [leaf._replace(name=path + leaf.name) for leaf in inner]
            texts = [
                f"part{k}={text}" if way == "dict" else text for k, (text, _) in enumerate(parts)
            ]
            return (
                f"spaces.Dict({', '.join(texts)})"
                if way == "dict"
                else f"spaces.Tuple(({', '.join(texts)},))"
            ), leaves
        if way == "discrete":
            n = self.count(2, 9)
            return f"spaces.Discrete({n})", [Column("", "int64", (1,), 0, n - 1)]
        if way == "multidiscrete":
            return "spaces.MultiDiscrete([4, 7])", [Column("", "int64", (2,), 0, 3)]
        if way == "multibinary":
            return "spaces.MultiBinary(3)", [Column("", "int8", (3,), 0, 1)]
        dtype = self.pick(DTYPES[1:], [1] * (len(DTYPES) - 3) + [5, 3])
        shape = self.pick(
            [(1,), (2,), (3,), (4,), (7,), (2, 3), (3, 2, 2), ()], [2, 3, 3, 3, 1, 1, 0.5, 0.5]
        )
        low, high = (-1e6, 1e6) if dtype.startswith("float") else dtype_range(self.rng, dtype)
        ends = ("-np.inf", "np.inf") if dtype.startswith("float") else (low, high)
        return f"spaces.Box({ends[0]}, {ends[1]}, {shape}, np.{dtype})", [
            Column("", dtype, shape or (1,), low, high)
        ]

    def make_observation(self) -> list[Column]:
        space, leaves = self.make_space(2)
        self.write("")
        self.write("")
        if self.chance(0.15):
            self.write("def OBSERVATION(p):")
            self.write(f"    return {space}")
        else:
            self.write(f"OBSERVATION = {space}")
        return leaves

    def start_scratch(self) -> None:
        """Scratch holds anything before it is written."""
        for column in self.scratch:
            value = self.constant(column)
            self.write(f"{column.name}[i] = {value.text}")

    @contextmanager
    def with_scratch(self) -> Iterator[None]:
        """Use Scratch as the other columns."""
        kept = self.columns
        if self.scratch:
            self.start_scratch()
            self.columns = [*kept, *self.scratch]
        yield
        self.columns = kept

    def write_reset(self) -> None:
        self.forget()
        self.write("")
        self.write("")
        self.write("def reset(s, i, p, rng):")
        self.depth += 1
        self.know_parameters()
        self.draw_sites = 0
        for _ in range(self.count(0, 2) if self.style != "draws" else self.count(1, 3)):
            self.drawn_local()
        kept = self.style != "plain" and self.chance(0.2)
        for column in self.columns:
            if kept and column.name != "s.age" and self.chance(0.2):
                continue
            if column.name == "s.age":
                self.write("s.age[i] = 0")
            elif column.shape:
                value = self.constant(column)
                self.write(f"{column.name}[i] = {value.text}")
            else:
                self.write(f"{column.name}[i] = {self.value_for(column, 1)}")
        if self.style != "plain":
            self.know_state()
            with self.with_scratch():
                self.returns = lambda: "return"
                self.statements(
                    self.count(0, 2), self.style != "plain", True, self.style == "draws"
                )
        self.depth -= 1

    def drawn_local(self) -> None:
        if self.chance(0.6):
            self.new_local(Expression("uniform(rng, i, -1.0, 1.0)", "float", -1.0, 1.0))
        else:
            self.new_local(Expression("integers(rng, i, 0, 5)", "int", 0, 4))

    def write_step(self, action: tuple[str, list[Expression]]) -> None:
        space, leaves = action
        self.forget()
        self.draw_sites = 0
        self.write("")
        self.write("")
        self.write(f"ACTION = {space}")
        self.write("")
        self.write("")
        self.write("def step(s, i, action, p, rng):")
        self.depth += 1
        self.know_parameters()
        self.know_state()
        for leaf in leaves:
            self.know(leaf)
            self.know(leaf)
        with self.with_scratch():
            for _ in range(self.count(0, 2)):
                self.declare()
            self.write(
                "s.age[i] = min(s.age[i] + 1, 1000)" if self.chance(0.5) else "s.age[i] += 1"
            )
            if self.lines[-1].endswith("+= 1"):
                self.write("if s.age[i] > 999:")
                self.write("    s.age[i] = 999")
            self.returns = self.final
            self.truncates = self.chance(0.3)
            loops = self.style != "plain"
            if self.style == "substeps":
                self.substeps()
            self.statements(
                self.count(3, 8),
                loops,
                self.style in ("arrays", "draws", "expressions"),
                self.style == "draws",
            )
            self.write(self.final())
        self.depth -= 1

    def final(self) -> str:
        reward = self.expression("float", 2)
        endings = ", ".join(self.ending() for _ in range(1 + self.truncates))
        return (
            f"return float({reward.text}), {endings}"
            if reward.kind == "float" and self.chance(0.3)
            else f"return {reward.text}, {endings}"
        )

    def ending(self) -> str:
        """Whether an episode is terminated, or truncated."""
        return self.pick(
            [
                f"s.age[i] >= {self.count(2, 12)}",
                f"{self.expression('bool').text} and s.age[i] > 1",
                f"{self.expression('bool').text} or s.age[i] > {self.count(3, 9)}",
                "False",
            ],
            [4, 3, 3, 0.5],
        )

    def write_observe(self, leaves: list[Column]) -> None:
        self.forget()
        self.write("")
        self.write("")
        self.write("def observe(s, i, p, out):")
        self.depth += 1
        self.know_parameters()
        self.know_state()
        with self.with_scratch():
            for leaf in leaves:
                self.write_array(leaf._replace(name=f"out{leaf.name}"))
        self.depth -= 1

    def write_array(self, array: Column) -> None:
        """Write every element of an array: one after the other, in loops, or all at once."""
        if self.has_arrays and math.prod(array.shape) <= 64 and self.chance(0.7):
            found = self.array(3, array.shape)
            every = ":" if len(array.shape) == 1 else "..."
            self.write(f"{array.name}[{every}] = {self.fit(found, array)}")
            return
        if len(array.shape) == 1 and array.shape[0] <= 4 and self.chance(0.7):
            for k in range(array.shape[0]):
                self.write(f"{array.name}[{k}] = {self.value_for(array, 1)}")
            return
        if self.chance(0.4):
            value = self.constant(array)
            self.write(
                f"{array.name}[:] = {value.text}"
                if len(array.shape) == 1
                else f"{array.name}[...] = {value.text}"
            )
            first = ", ".join("0" for _ in array.shape)
            self.write(f"{array.name}[{first}] = {self.value_for(array, 1)}")
            return
        names = [f"j{k}" for k in range(len(array.shape))]
        for name, length in zip(names, array.shape, strict=True):
            self.write(f"for {name} in range({length}):")
            self.depth += 1
            self.know(Expression(name, "int", 0, length - 1))
        self.write(f"{array.name}[{', '.join(names)}] = {self.value_for(array, 1)}")
        self.depth -= len(names)
        for name in names:
            self.leaves["int"] = [leaf for leaf in self.leaves["int"] if leaf.text != name]

    def write_infos(self) -> None:
        fields = []
        for k in range(self.count(1, 3)):
            shape = self.pick([(), (), (2,), (3, 2)])
            fields.append(self.new_column(f".f{k}", self.pick(DTYPES), shape))
        members = [f"{c.name[1:]}: {self.annotation(c, late=True)}" for c in fields]
        self.named_tuple("Info", members)
        whole = [c for c in fields if c.dtype == "float64" and not c.shape]
        if whole and self.chance(0.5):
            self.write("")
            self.write("")
            self.write(f'INFO_AT_RESET = {{"{whole[0].name[1:]}": int}}')
        self.forget()
        self.write("")
        self.write("")
        self.write("def inform(s, i, p, out):")
        self.depth += 1
        self.know_parameters()
        self.know_state()
        with self.with_scratch():
            for column in fields:
                self.write_array(
                    column._replace(name=f"out{column.name}", shape=column.shape or (1,))
                )
        self.depth -= 1


def generate(
    seed: int,
    number: int,
    switches: frozenset[str] = DEFAULT_SWITCHES,
    style: str | None = None,
) -> Source:
    """Return random definition `number` of a seed: the same one in every process."""
    rng = np.random.default_rng([seed, number])
    return Generator(rng, switches, style).generate(f"Random definition {number} of seed {seed}.")
