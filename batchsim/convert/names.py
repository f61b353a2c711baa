"""Variables, attributes and properties."""

from __future__ import annotations

import ast
import builtins
import enum
import inspect
import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from batchsim.convert import kinds
from batchsim.convert.attributes import MUTATORS, lookup, unindexed
from batchsim.convert.comparisons import Comparisons
from batchsim.convert.kinds import INT, UNKNOWN, Array, Kind, Maybe, Member, Tuple
from batchsim.convert.refusal import at
from batchsim.convert.streams import Draw as ForeignDraw
from batchsim.convert.streams import Draws, SpaceDraw
from batchsim.convert.values import (
    Bound,
    Choice,
    Draw,
    Group,
    Idle,
    Known,
    Made,
    Perhaps,
    Place,
    Plain,
    Self,
    Streams,
    Value,
    constant,
    expression,
)

__all__ = ["Names"]

DRAWS = {
    # A generator's methods: their parameters with defaults, as `batchsim.random` names them.
    "random": "size=None",
    "uniform": "low=0.0, high=1.0, size=None",
    "integers": "low, high=None, size=None, dtype=None, endpoint=False",
    "normal": "loc=0.0, scale=1.0, size=None",
    "standard_normal": "size=None",
    "exponential": "scale=1.0, size=None",
    "standard_exponential": "size=None",
    "poisson": "lam=1.0, size=None",
    "binomial": "n, p, size=None",
    "beta": "a, b, size=None",
    "gamma": "shape, scale=1.0, size=None",
    "lognormal": "mean=0.0, sigma=1.0, size=None",
    "geometric": "p, size=None",
    "laplace": "loc=0.0, scale=1.0, size=None",
    "gumbel": "loc=0.0, scale=1.0, size=None",
    "logistic": "loc=0.0, scale=1.0, size=None",
    "rayleigh": "scale=1.0, size=None",
    "weibull": "a, size=None",
    "chisquare": "df, size=None",
}


class Names(Comparisons):
    """Variables, attributes and properties."""

    def kind_of_variable(self, name: str) -> Kind:
        """Return the kind of all that a variable was seen to hold."""
        seen = self.whole.seen.kinds
        found: Kind = UNKNOWN
        for node in ast.walk(self.node):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                found = kinds.join(found, seen.get(node.k, UNKNOWN))  # type: ignore[attr-defined]
        for value in self.bindings.get(name, []):
            if value is not None:
                found = kinds.join(found, seen.get(value.k, UNKNOWN))  # type: ignore[attr-defined]
                if isinstance(value, ast.Constant):
                    found = kinds.join(found, kinds.kind_of(value.value))
        return found

    def bind(self, name: str, value: Value, node: ast.AST) -> None:
        """Write the assignment of a value to a variable."""
        once = len(self.bindings.get(name, ())) == 1
        if isinstance(value, Known) and isinstance(value.value, dict) and self._is_changed(name):
            value = Made({key: Known(member) for key, member in value.value.items()})
        if once and isinstance(value, Made) and self._is_changed(name):
            fields = value.fields.items()
            value = Made({key: self.entry(name, key, held, node) for key, held in fields})
        empty = isinstance(value, Made) and not value.fields and not self._is_changed(name)
        if name == "_" or empty or isinstance(value, Self | Streams | Idle | Bound):
            self.names[name] = value
            return
        if (
            once
            and isinstance(value, Known)
            and not (isinstance(value.value, int | float | np.ndarray) and self._is_changed(name))
            and not (isinstance(value.value, set | list) and self._is_mutated(name))
        ):
            self.names[name] = value
            return
        kind = self.kind_of_variable(name)
        if once and isinstance(value, Plain) and self.is_plain(value.kind):
            kind = value.kind  # other callers may have seen other kinds
        if once and isinstance(value, Place) and isinstance(value.kind, kinds.Sequence):
            kind = value.kind if isinstance(kind, Array) else kind  # of one length, as it happened
        written = self.variable(name)
        if UNKNOWN in kinds.walk(kind):
            kind = kinds.join(kind, self.kind_of_value(value))
        if isinstance(kind, kinds.Other) and not once:
            # A name for things of several kinds: one variable for each.
            kind = self.kind_of_value(value)
            before = self.names.get(name)
            if isinstance(before, Plain) and before.kind != kind and name in self.names:
                written = self.fresh(written)
        if isinstance(kind, kinds.Unknown) and isinstance(value, Plain):
            self.say(f"{written} = _0", value.node)  # of a line that never ran
            self.names[name] = Plain(ast.Name(written, ast.Load()), kind)
        elif self.is_plain(kind):
            node_ = self.plain(value, node)
            if self._is_of_moment(value) and not self._is_changed(name):
                node_ = expression("_0.copy()", node_)
            self.say(f"{written} = _0", node_)
            self.names[name] = Plain(ast.Name(written, ast.Load()), kind)
        elif isinstance(kind, Maybe) and self.is_plain(kind.value):
            self._bind_perhaps(name, written, value, kind, node)
        elif once and isinstance(value, Place) and (self.name, name) not in self.whole.copies:
            self.names[name] = self.frozen(value)
        elif (
            once
            and isinstance(value, Group)
            and (isinstance(kind, Tuple | kinds.Unknown | kinds.Other) or self._is_kept(name, kind))
        ):
            self.names[name] = replace(
                value, members=[self._held(member, node) for member in value.members]
            )
        elif once and isinstance(value, Made | Perhaps):
            self.names[name] = value
        elif (
            not once
            and isinstance(value, Place)
            and isinstance(self.names.get(name), Place)
            and value == self.names[name]
        ):
            pass
        else:
            place = self.scratch_place(name, kind, node)
            self.assign(place, value, node)
            self.names[name] = place

    def _bind_perhaps(
        self, name: str, written: str, value: Value, kind: Maybe, node: ast.AST
    ) -> None:
        missing, inner = self.optional(value, node)
        if inner is not None:
            self.say(f"{written} = _0", self.plain(inner, node))
        elif not isinstance(self.names.get(name), Perhaps):
            self.say(f"{written} = _0", self.default(kind.value))
        self.say(f"{written}_missing = _0", missing)
        self.names[name] = Perhaps(
            ast.Name(f"{written}_missing", ast.Load()),
            Plain(ast.Name(written, ast.Load()), kind.value),
        )

    def _is_kept(self, name: str, kind: Kind) -> bool:
        """Return whether a variable is a list of arrays of several lengths that never changes."""
        ragged = isinstance(kind, kinds.Sequence) and isinstance(kind.element, kinds.Sequence)
        return (
            ragged
            and not self._is_changed(name)
            and not any(
                isinstance(part, ast.Attribute)
                and isinstance(part.value, ast.Name)
                and part.value.id == name
                for part in ast.walk(self.node)
            )
        )

    def _is_mutated(self, name: str) -> bool:
        """Return whether a method changes a variable in place, as `append` or `add`."""
        return any(
            isinstance(node, ast.Attribute)
            and node.attr in (*MUTATORS, "remove", "discard", "pop")
            and isinstance(node.value, ast.Name)
            and node.value.id == name
            for node in ast.walk(self.node)
        )

    def _is_changed(self, name: str) -> bool:
        """Return whether a variable is changed in place: its elements, or by `+=`."""
        for node in ast.walk(self.node):
            base: ast.AST | None = None
            if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
                base = node.value
            elif isinstance(node, ast.AugAssign):
                base = node.target
            elif isinstance(node, ast.Attribute) and node.attr == "update":
                base = node.value
            base = unindexed(base) if base is not None else None
            if isinstance(base, ast.Name) and base.id == name:
                return True
        return False

    def of_Name(self, node: ast.Name) -> Value:
        """A variable, or something of the module."""
        if node.id in self.names:
            return self.names[node.id]
        space = self.function.__globals__
        if node.id in space:
            value = self.whole.seen.lender.swap(space[node.id])
            return self.constant(value, node.id)
        if hasattr(builtins, node.id):
            return Known(getattr(builtins, node.id), ast.Name(node.id, ast.Load()))
        closure = self.function.__closure__ or ()
        for name, cell in zip(self.function.__code__.co_freevars, closure, strict=False):
            if name == node.id:
                return Known(cell.cell_contents)
        raise at(
            node, node.id, "no value was seen here: it is a variable that nothing has assigned yet"
        )

    def constant(self, value: Any, name: str) -> Known:
        """Return a number of the module under its name there."""
        if type(value) in (bool, int, float) and (
            not isinstance(value, float) or math.isfinite(value)
        ):
            wanted = name.lstrip("_").upper()
            known = self.whole.constants.get(wanted)
            same = known is not None and ast.dump(known) == ast.dump(constant(value))
            if known is None or same:
                self.whole.constants[wanted] = constant(value)
                return Known(value, ast.Name(wanted, ast.Load()))
        return Known(value, name=name)

    def of_Attribute(self, node: ast.Attribute) -> Value:
        """An attribute."""
        base = self.expr(node.value)
        match base:
            case Self():
                return self.attribute(node)
            case Streams():
                return Draw(node.attr)
            case Known():
                return self.attribute_of_known(base, node)
            case Place():
                return self.attribute_of_place(base, node)
            case Perhaps():
                return self.attribute_of_plain(self.expr_of(base.value), node)
            case Plain():
                return self.attribute_of_plain(base, node)
            case Group() if node.attr == "shape":
                return Known((len(base.members),))
            case Group():
                named = self.named_member(base, node)
                if named is not None:
                    return named
        raise at(node, f".{node.attr}", f"{self.words(base)} has no such attribute here")

    def attribute_of_known(self, base: Known, node: ast.Attribute) -> Value:
        """An attribute of a module, a class, a space or the like."""
        if isinstance(base.value, np.random.Generator):
            return Draw(node.attr)
        try:
            value = getattr(base.value, node.attr)
        except AttributeError as error:
            raise at(node, f".{node.attr}", f"{error}") from error
        value = self.whole.seen.lender.swap(value)
        if isinstance(value, ForeignDraw):
            space = value.space if isinstance(value, SpaceDraw) else None
            return Draw(value.foreign, foreign=True, space=space)
        if isinstance(value, np.random.Generator) or (isinstance(value, Draws) and value.is_stream):
            return Streams(value.kind if isinstance(value, Draws) else "")
        numpy_scalar = isinstance(base.value, types.ModuleType) and base.value in (np, math)
        if numpy_scalar and type(value) is float:
            return Known(
                value,
                ast.Attribute(
                    ast.Name(base.value.__name__.replace("numpy", "np"), ast.Load()),
                    node.attr,
                    ast.Load(),
                ),
            )
        if isinstance(base.value, (types.ModuleType, type)):
            if isinstance(value, enum.Enum):
                return Known(value)
            return self.constant(value, node.attr)
        return Known(value, name=node.attr)

    def attribute_of_place(self, base: Place, node: ast.Attribute) -> Value:
        """An attribute of an object in columns, or of an array."""
        kind = base.kind.value if isinstance(base.kind, Maybe) else base.kind
        if isinstance(kind, kinds.Object):
            place = self.field(base, node.attr)
            if place is not None:
                return self.load(place)
            found = lookup(kind.cls, node.attr)
            if found is not None:
                return self.method_or_property(found[1], base.part("", kind), node)
        if isinstance(kind, kinds.Sequence) and kind.form == "array" and node.attr == "shape":
            rest = kind.element.shape if isinstance(kind.element, Array) else ()
            return Group([self.length(base, node), *map(Known, rest)])
        if isinstance(kind, kinds.Sequence) and kind.form == "array" and node.attr == "size":
            inner = kinds.size_of(kind.element) if isinstance(kind.element, Array) else 1
            return self.operation(self.length(base, node), ast.Mult(), Known(inner), node)
        if isinstance(kind, kinds.Record):
            raise at(node, f".{node.attr}", "a dict has no such attribute here")
        loaded = self.load(base)
        if isinstance(loaded, Plain):
            return self.attribute_of_plain(loaded, node)
        raise at(node, f".{node.attr}", f"it was not seen on {base.kind}")

    def attribute_of_plain(self, base: Value, node: ast.Attribute) -> Value:
        """`.value` of a member of an enumeration, `.shape` and the like of an array."""
        kind = self.kind_of_value(base)
        named = self.named_member(base, node)
        if named is not None:
            return named
        if isinstance(base, Place):
            return self.attribute_of_place(base, node)
        if isinstance(kind, Member) and node.attr == "value":
            if all(isinstance(member.value, int) for member in kind.enumeration):
                return Plain(self.plain(base, node), INT)
            raise at(node, ".value", f"the values of {kind} are no whole numbers")
        if isinstance(kind, Member) and node.attr == "name":
            codes = {self.whole.codes.of(m): self.whole.codes.of(m.name) for m in kind.enumeration}
            first = min(codes)
            table = np.array([codes.get(k, 0) for k in range(first, max(codes) + 1)])
            place = self.constant_place(Known(table), f"{kind.enumeration.__name__}_names", node)
            where = self.plain(base, node)
            if first:
                where = expression("_0 - _1", where, constant(first))
            return Plain(place.leaf("", where), self.seen_kind(node))
        if isinstance(kind, Member):
            found = lookup(kind.enumeration, node.attr)
            if found is not None:
                return self.method_or_property(found[1], base, node)
        if isinstance(kind, Array) and node.attr in ("shape", "size", "ndim", "dtype"):
            if node.attr == "shape":
                return Known(kind.shape)
            if node.attr == "dtype":
                return Known(kind.dtype.type)
            return Known(kinds.size_of(kind) if node.attr == "size" else len(kind.shape))
        if node.attr == "T":
            return Plain(ast.Attribute(self.plain(base, node), "T", ast.Load()))
        raise at(node, f".{node.attr}", f"it is no attribute of {kind} that a definition knows")

    def named_member(self, base: Value, node: ast.Attribute) -> Value | None:
        """Return a member of a named tuple by its name."""
        for kind in self.named_kinds(base, node.value):
            if node.attr in kind.names:
                found = base.value if isinstance(base, Perhaps) else base
                return self.members(found, len(kind.members), node)[kind.names.index(node.attr)]
        return None

    def named_kinds(self, value: Value, node: ast.expr) -> Iterator[Tuple]:
        """Yield the kinds of named tuples that a value is known, or was seen, to be."""
        for kind in (self.kind_of_value(value), self.seen_kind(node)):
            kind = kind.value if isinstance(kind, Maybe) else kind
            if isinstance(kind, Tuple) and kind.names:
                yield kind

    def attribute(self, node: ast.Attribute) -> Value:
        """An attribute of the environment."""
        name = node.attr
        attribute = self.whole.attributes.get(name)
        cls = type(self.whole.seen.env)
        found = lookup(cls, name)
        if name in ("np_random", "_np_random"):
            return Streams()
        if attribute is None or (found is not None and isinstance(found[1], property)):
            if found is not None:
                return self.method_or_property(found[1], Self(), node)
            if name in self.whole.seen.attributes:
                attribute = self.whole.attributes[name]
            else:
                raise at(
                    node,
                    f"self.{name}",
                    "nothing was seen to assign it",
                    "Give it a value in the constructor.",
                )
        match attribute.role:
            case "stream":
                held = self.whole.seen.initial.get(name)
                return Streams(held.kind if isinstance(held, Draws) else "")
            case "known" | "dropped":
                if attribute.role == "dropped":
                    raise at(node, f"self.{name}", "it is not kept, for nothing seemed to read it")
                if type(attribute.value) in (int, bool, float):
                    return self.constant(attribute.value, name)
                return Known(attribute.value, name=name)
            case "parameter":
                self.whole.parameters[name] = attribute
                return Plain(expression(f"p.{name.lstrip('_')}"), attribute.kind)
            case "derived":
                return Plain(self.derived(name, node), attribute.kind)
        return self.load(self.state_place(name, node))

    def method_or_property(self, raw: Any, owner: Value, node: ast.Attribute) -> Value:
        """A method, the value of a property, or a constant of the class."""
        if isinstance(raw, property):
            if raw.fget is None or not isinstance(raw.fget, types.FunctionType):
                raise at(node, f".{node.attr}", "it is no property of the author's")
            return self.call_function(raw.fget, owner, [], {}, node)
        if isinstance(raw, staticmethod):
            return Bound(raw.__func__)
        if isinstance(raw, classmethod):
            return Bound(raw.__func__, Known(type(self.whole.seen.env)))
        if isinstance(raw, types.FunctionType):
            return Bound(raw, owner)
        return self.constant(raw, node.attr)

    def _named_tuple(self, cls: Any, node: ast.Call) -> Value:
        """Return what a class of named tuples makes."""
        given = dict(zip(cls._fields, self.in_order(node.args), strict=False))
        given |= {key: self.expr(part) for key, part in self._keywords(node).items()}
        members = [given.get(name) or Known(cls._field_defaults[name]) for name in cls._fields]
        if all(isinstance(member, Known) for member in members):
            return Known(cls(*[member.value for member in members if isinstance(member, Known)]))
        return Group(members, names=cls._fields)

    def _bind_draw(
        self, name: str, node: ast.Call
    ) -> tuple[dict[str, ast.expr | None], dict[str, Array]]:
        """Return the arguments of a draw, and the kinds of those that are arrays."""
        signature = inspect.signature(eval(f"lambda {DRAWS[name]}: None"))
        values = self.in_order(node.args)
        keywords = {key: self.expr(part) for key, part in self._keywords(node).items()}
        try:
            bound = signature.bind(*values, **keywords)
        except TypeError as error:
            raise at(node, name, f"{error}") from error
        bound.apply_defaults()
        found: dict[str, ast.expr | None] = {}
        wide: dict[str, Array] = {}
        for key, value in bound.arguments.items():
            if isinstance(value, Value):
                kind = self.kind_of_value(value)
                if isinstance(kind, Array) and key != "size":
                    wide[key] = kind
                if (isinstance(value, Known) and value.value is None) or key == "dtype":
                    found[key] = None
                else:
                    found[key] = self.plain(value, node)
            else:
                found[key] = None if value is None else constant(value)
        return found, wide

    def _option(self, key: Value, fields: Mapping[Any, Value], node: ast.Subscript) -> Value:
        """Return what a dict that is written out holds under a computed key."""
        options: list[tuple[Value, Value]] = [
            (Known(known), value) for known, value in fields.items()
        ]
        if all(
            isinstance(value, Bound) or callable(getattr(value, "value", None))
            for _, value in options
        ):
            return Choice(key, options)
        return self.chosen_of(key, options, node)
