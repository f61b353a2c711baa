"""What is known of a class while its functions are written."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from batchsim.convert import kinds, layout
from batchsim.convert.attributes import Attribute
from batchsim.convert.kinds import Array, Kind, Maybe, Number, Tuple
from batchsim.convert.layout import Codes, Room
from batchsim.convert.program import Program
from batchsim.convert.refusal import at
from batchsim.convert.values import Place, Value
from batchsim.convert.watch import Sightings

__all__ = ["TAKEN", "Conversion", "RestartError", "Written"]

TAKEN = frozenset(
    {"s", "i", "p", "rng", "out", "np", "math", "batchsim", "reset", "step", "observe", "inform"}
)
"""Names that the contract has for its own."""

MOST_SPREAD = 8  # elements of an array that may be columns of their own


class RestartError(Exception):
    """Something was found that changes how what is written already must be written."""


@dataclass
class Written:
    """A function that has been written.

    Attributes:
        name: its name.
        node: its tree.
        passed: which of s, i, p and rng it is given.
        result: what a call's value is: `_call` stands for the call; None of none.
        writes: names of attributes and columns that it changes.
        resizes: names of lists whose length it changes.
        draws: whether it draws.
    """

    name: str
    node: ast.FunctionDef | None = None
    passed: tuple[str, ...] = ()
    result: Value | None = None
    writes: set[str] = field(default_factory=set)
    resizes: set[str] = field(default_factory=set)
    draws: bool = False


@dataclass
class Conversion:
    """What is known of a class while its functions are written.

    Attributes:
        program, seen, attributes: what the stages before found.
        constants: of the module, by name: their trees.
        tables: arrays too large to be written, by name.
        state, scratch: kinds of what lies in columns, by name.
        functions: what has been written, by what it was written of; in the order of writing.
        fixed: lists that never change their length.
        copies: functions and variables in them that hold copies of what they are given.
        changing: numbers of expressions that copy a list for a loop that changes it.
        notes: sentences for the report.
        names: of functions of the module.
        variables: names of variables in any of them, which would hide a function's.
    """

    program: Program
    seen: Sightings
    attributes: dict[str, Attribute]
    codes: Codes = field(default_factory=Codes)
    capacities: Mapping[str, int] = field(default_factory=dict)
    constants: dict[str, ast.expr] = field(default_factory=dict)
    tables: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    state: dict[str, Kind] = field(default_factory=dict)
    scratch: dict[str, Kind] = field(default_factory=dict)
    functions: dict[Any, Written] = field(default_factory=dict)
    parameters: dict[str, Attribute] = field(default_factory=dict)
    derived: dict[str, ast.FunctionDef] = field(default_factory=dict)
    imports: dict[str, set[str]] = field(default_factory=dict)
    resized: set[str] = field(default_factory=set)
    gathered: set[str] = field(default_factory=set)
    changing: set[int] = field(default_factory=set)
    copies: set[tuple[str, str]] = field(default_factory=set)
    limits: dict[str, int] = field(default_factory=dict)
    placed: dict[str, tuple[Any, Place]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def imported(self, module: str, name: str) -> ast.expr:
        """Return a name that the definition imports."""
        self.imports.setdefault(module, set()).add(name)
        return ast.Name(name, ast.Load())

    def is_fixed(self, key: str, kind: kinds.Sequence) -> bool:
        """Return whether a list has always had one length, and nothing changes it."""
        return kind.least == kind.greatest > 0 and key not in self.resized

    def resize(self, key: str) -> None:
        """Note that a list's length changes; what was written without must be written again."""
        if key not in self.resized:
            self.resized.add(key)
            raise RestartError(key)

    def spread(self) -> None:
        """Let the elements of short arrays be columns of their own, which vectorise best."""
        for name, attribute in self.attributes.items():
            kind = attribute.kind
            if (
                attribute.role == "state"
                and name not in self.gathered
                and isinstance(kind, Array)
                and len(kind.shape) == 1
                and kind.shape[0] <= MOST_SPREAD
            ):
                element = Number(kind.dtype, False)
                attribute.kind = Tuple((element,) * kind.shape[0], kinds.SPREAD)

    def gather(self, name: str) -> None:
        """Let an array be one column after all, for it is computed with as an array."""
        for attribute in self.attributes.values():
            kind = attribute.kind
            if attribute.name in (name, f"_{name}") and isinstance(kind, Tuple):
                element = kind.members[0]
                assert isinstance(element, Number)
                attribute.kind = Array(element.dtype, (len(kind.members),))
                self.gathered.add(attribute.name)
        raise RestartError(name)

    def make_optional(self, place: Place, node: ast.AST) -> None:
        """Note that an attribute may be None, though it never was while episodes were watched."""
        for name in (place.name, f"_{place.name}"):
            attribute = self.attributes.get(name)
            if attribute is not None and attribute.kind == place.kind and not place.scratch:
                attribute.kind = Maybe(attribute.kind)
                raise RestartError(name)
        raise at(
            node,
            "None",
            f"it is assigned where {place.kind} was seen",
            "Use a number of its own, as -1.",
        )

    def keep(self, function: str, variable: str) -> None:
        """Note that a variable must hold a copy of what it is given."""
        self.copies.add((function, variable))
        raise RestartError(variable)

    def look_for_keys(self, place: Place, kind: kinds.Record) -> None:
        """Let an attribute be a dict whose keys are looked for, if what it holds is of one kind."""
        found = kinds.as_map(kind)
        for name in (place.name, f"_{place.name}"):
            attribute = self.attributes.get(name)
            if attribute is not None and attribute.kind == kind and not layout.trouble(found):
                attribute.kind = found
                raise RestartError(name)

    def change(self, k: int) -> None:
        """Note that a loop changes the list it goes through; all must be written again."""
        self.changing.add(k)
        raise RestartError(k)

    def room(self) -> Room:
        """Return what decides the room in columns, as far as it is known."""
        return Room(self.capacities, frozenset(self.resized))

    def named_tuple(self, names: tuple[str, ...]) -> type | None:
        """Return the author's class of named tuples with these members, if there is one."""
        found = {
            thing
            for module in self.program.loaded.values()
            for thing in vars(module).values()
            if isinstance(thing, type)
            and issubclass(thing, tuple)
            and getattr(thing, "_fields", None) == names
            and thing.__module__ in self.program.modules
        }
        return found.pop() if len(found) == 1 else None

    def field(self, kind: kinds.Object | kinds.Record, key: str, k: int) -> ast.expr:
        """Return the name of the constant by which a field of rows is found."""
        owner = kind.cls.__name__ if isinstance(kind, kinds.Object) else "field"
        for wanted in (key, f"{owner}_{key}"):
            name = "".join(c if c.isalnum() else "_" for c in wanted.strip("_").upper())
            known = self.constants.get(name)
            same = isinstance(known, ast.Constant) and type(known.value) is int and known.value == k
            if name.isidentifier() and (known is None or same) and name not in self.names:
                self.constants[name] = ast.Constant(k)
                return ast.Name(name, ast.Load())
        return ast.Constant(k)

    def free_name(self, wanted: str) -> str:
        """Return a name for something of the module that nothing else has, no variable either."""
        name = wanted
        while name in self.names or name in self.variables or name in TAKEN:
            name += "_"
        self.names.add(name)
        return name
