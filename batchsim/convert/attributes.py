"""The third stage: sorts what the environment holds: state, parameters, constants and the rest."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import gymnasium
import numpy as np

from batchsim.convert import kinds
from batchsim.convert.kinds import Kind, Number
from batchsim.convert.program import Program
from batchsim.convert.watch import Sightings

__all__ = ["Attribute", "Reach", "lookup", "sort_attributes"]

IGNORED = ("render", "close", "seed", "_render_frame", "_render_gui", "_render_text")
MUTATORS = ("append", "appendleft", "extend", "insert", "clear", "add", "update", "setdefault")


@dataclass
class Attribute:
    """An attribute of the environment, and what becomes of it.

    Attributes:
        name: its name.
        role: `"state"`, a column; `"parameter"`, which a caller may set; `"derived"`, an
            expression of parameters; `"known"`, a constant; `"dropped"`, which nothing reads;
            `"stream"`.
        kind: of its values.
        value: what it held when the environment had been made.
        node: the expression that it is derived by.
        survives: whether `reset` does not set it: an episode begins with what the last one left.
        rebound: whether it is given another object now and then.
    """

    name: str
    role: str
    kind: Kind
    value: Any = None
    node: ast.expr | None = None
    survives: bool = False
    rebound: bool = False


def lookup(cls: type, name: str, after: type | None = None) -> tuple[type, Any] | None:
    """Return the class and the raw attribute that a name means, or None.

    Args:
        after: begin behind this class in the order of bases, as `super()` does.
    """
    bases = list(cls.__mro__)
    if after is not None:
        bases = bases[bases.index(after) + 1 :]
    for base in bases:
        if name in vars(base):
            return base, vars(base)[name]
    return None


class Reach:
    """Which functions of the author's `reset` and `step` come to, and what they do with attributes.

    Attributes:
        read: names of attributes whose values are used.
        written: those that are assigned, or changed in place.
        of_reset: those that every `reset` assigns.
        lines: of each, the statements that write it.
        rebound: those that are given another object; others keep theirs, which may change in place.
    """

    def __init__(self, program: Program, cls: type) -> None:
        self.program = program
        self.cls = cls
        self.functions: dict[str, ast.AST] = {}
        self.read: set[str] = set()
        self.written: set[str] = set()
        self.rebound: set[str] = set()
        for start in ("reset", "step"):
            found: dict[str, ast.AST] = {}
            self._reach(start, found)
            for node in found.values():
                read, written = uses(node)
                self.read |= read
                self.written |= written
                self.rebound |= rebound(node)
            self.functions |= found
        self.of_reset = self._assigned_by("reset", None, ())
        self.lines: dict[str, list[ast.stmt]] = {}
        for function in self.functions.values():
            for node in ast.walk(function):
                parts = ast.iter_child_nodes(node)
                if isinstance(node, ast.stmt) and not any(isinstance(p, ast.stmt) for p in parts):
                    for name in uses(node)[1]:
                        self.lines.setdefault(name, []).append(node)

    def was_written(self, name: str, seen: Sightings) -> bool:
        """Return whether a line ran that writes an attribute, as far as can be told."""
        for node in self.lines.get(name, ()):
            marked = [part for part in ast.walk(node) if is_seen(part)]
            if not marked or any(getattr(part, "k", -1) in seen.kinds for part in marked):
                return True
        return False

    def _assigned_by(self, name: str, after: type | None, within: tuple[str, ...]) -> set[str]:
        """Return the attributes that a method assigns whatever happens."""
        found = lookup(self.cls, name, after)
        if found is None or (name in within and after is None) or len(within) > 12:
            return set()
        base, raw = found
        assigned: set[str] = set()
        for function in functions_of(raw):
            node = self.program.definition(function)
            if isinstance(node, ast.FunctionDef):
                assigned |= self._surely(node.body, base, (*within, name))
        return assigned

    def _surely(self, body: list[ast.stmt], base: type, within: tuple[str, ...]) -> set[str]:
        """Return the attributes that statements assign whatever happens."""
        found: set[str] = set()
        for node in body:
            match node:
                case ast.If():
                    found |= self._calls(node.test, base, within)
                    found |= self._surely(node.body, base, within) & self._surely(
                        node.orelse, base, within
                    )
                case ast.With():
                    found |= self._surely(node.body, base, within)
                case ast.For() | ast.While():
                    # What a loop fills was there before: only elements are assigned in it.
                    found |= {name for name in uses(node)[1] if name not in rebound(node)}
                case ast.Return() if node.value is not None:
                    return found | self._calls(node.value, base, within)
                case ast.Return() | ast.Raise() | ast.Try() | ast.FunctionDef():
                    pass
                case _:
                    found |= uses(node)[1] if not isinstance(node, ast.AugAssign) else set()
                    found |= self._calls(node, base, within)
        return found

    def _calls(self, node: ast.AST, base: type, within: tuple[str, ...]) -> set[str]:
        """Return the attributes that the methods assign that a statement calls."""
        found: set[str] = set()
        for part in ast.walk(node):
            if not isinstance(part, ast.Call) or not isinstance(part.func, ast.Attribute):
                continue
            owner = part.func.value
            if isinstance(owner, ast.Name) and owner.id == "self":
                found |= self._assigned_by(part.func.attr, None, within)
            elif (
                isinstance(owner, ast.Call)
                and isinstance(owner.func, ast.Name)
                and owner.func.id == "super"
            ):
                found |= self._assigned_by(part.func.attr, base, within)
        return found

    def _reach(self, name: str, found: dict[str, ast.AST]) -> None:
        for base in self.cls.__mro__:
            raw = vars(base).get(name)
            if raw is None or base.__module__ not in self.program.modules:
                continue
            for function in functions_of(raw):
                node = self.program.definition(function)
                key = f"{base.__qualname__}.{name}"
                if node is None or key in found:
                    continue
                found[key] = node
                for child in ast.walk(node):
                    if (
                        isinstance(child, ast.Attribute)
                        and child.attr not in IGNORED
                        and lookup(self.cls, child.attr) is not None
                    ):
                        self._reach(child.attr, found)


def functions_of(raw: Any) -> Iterator[types.FunctionType]:
    """Yield the functions in a class's attribute: a method's, a property's."""
    if isinstance(raw, property):
        for function in (raw.fget, raw.fset):
            if isinstance(function, types.FunctionType):
                yield function
    elif isinstance(raw, staticmethod | classmethod):
        function = raw.__func__
        if isinstance(function, types.FunctionType):
            yield function
    elif isinstance(raw, types.FunctionType):
        yield raw


def uses(function: ast.AST) -> tuple[set[str], set[str]]:
    """Return the attributes of `self` that a function reads, and those that it writes."""
    read: set[str] = set()
    written: set[str] = set()
    passed: set[int] = set()
    for node in ast.walk(function):
        base = _changed(node)
        if base is not None:
            written.add(base.attr)
            passed.add(id(base))
        if isinstance(node, ast.If):
            passed |= _only_for_its_own(node)
    for node in ast.walk(function):
        if is_own(node) and id(node) not in passed:
            if isinstance(node.ctx, ast.Load):
                read.add(node.attr)
            else:
                written.add(node.attr)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "getattr":
            named = [part.value for part in node.args if isinstance(part, ast.Constant)]
            read |= {value for value in named if isinstance(value, str)}
    return read, written


def _only_for_its_own(node: ast.If) -> set[int]:
    """Return, of `if not self.log: self.log = {}`, the uses of the log: no reading of it."""
    asked = [part for part in ast.walk(node.test) if is_own(part)]
    changed = set()
    for part in node.body:
        targets = part.targets if isinstance(part, ast.Assign) else [_changed(part)]
        if not all(target is not None and is_own(whole_of(target)) for target in targets):
            return set()
        changed |= {whole_of(target).attr for target in targets}
    names = {part.attr for part in asked}
    return (
        set(map(id, asked)) if not node.orelse and names == changed and len(names) == 1 else set()
    )


def rebound(function: ast.AST) -> set[str]:
    """Return the attributes of `self` that a function gives another object."""
    return {
        target.attr
        for node in ast.walk(function)
        if not isinstance(node, ast.AugAssign)
        for target in ast.iter_child_nodes(node)
        if is_own(target) and isinstance(target.ctx, ast.Store)
    }


def is_seen(node: ast.AST) -> Any:
    """Return whether what a node evaluates to is noted wherever it runs."""
    return isinstance(node, ast.Attribute | ast.Name | ast.Call | ast.BinOp) and isinstance(
        getattr(node, "ctx", ast.Load()), ast.Load
    )


def is_own(node: Any) -> TypeGuard[ast.Attribute]:
    """Return whether an expression is an attribute of `self`."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _changed(node: ast.AST) -> Any:
    """Return the attribute of `self` that a statement changes in place without using it."""
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in MUTATORS
    ):
        return whole_of(node.value.func.value)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return whole_of(node.value)
    return None


def whole_of(node: ast.AST) -> Any:
    """Return the attribute of `self` that an element is of."""
    node = unindexed(node)
    return node if is_own(node) else None


def unindexed(node: ast.AST) -> Any:
    """Return what an element, or an element of an element, is of."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def sort_attributes(program: Program, seen: Sightings) -> dict[str, Attribute]:
    """Return what becomes of each attribute of the environment."""
    cls = type(seen.env)
    reach = Reach(program, cls)
    assigned = _assigned_once(program, cls)
    found: dict[str, Attribute] = {}
    names = sorted({*seen.made, *seen.attributes})
    for name in names:
        kind = seen.made.get(name, kinds.UNKNOWN)
        later = seen.attributes.get(name, kinds.UNKNOWN)
        value = seen.initial.get(name)
        if (
            name in ("_np_random", "np_random", "_np_random_seed")
            or isinstance(later, kinds.Stream)
            or isinstance(value, np.random.Generator)
        ):
            found[name] = Attribute(name, "stream", kinds.Stream())
        elif name not in reach.read:
            found[name] = Attribute(name, "dropped", later)
        elif (isinstance(value, gymnasium.Space) and name not in seen.changed) or (
            name in seen.initial and name not in seen.changed and not reach.was_written(name, seen)
        ):
            found[name] = Attribute(name, "known", kind, value)
        elif name in seen.changed or (
            name in reach.written and not _is_made_once(name, kind, value, reach)
        ):
            survives = name not in reach.of_reset
            # What the constructor leaves counts only if an episode can begin with it.
            whole = kinds.join(kind, later) if survives and name in seen.made else later
            found[name] = Attribute(
                name, "state", whole, value, survives=survives, rebound=name in reach.rebound
            )
        else:
            found[name] = Attribute(name, "known", kind, value)
    for name in reach.written - found.keys() - reach.read:
        # What lies in the class itself, and nothing looks at.
        held = lookup(cls, name)
        if held is not None and isinstance(held[1], list | dict | set | np.ndarray):
            found[name] = Attribute(name, "dropped", kinds.UNKNOWN, held[1])
    for name, attribute in found.items():
        if attribute.role == "known" and isinstance(attribute.kind, Number):
            _as_parameter(attribute, assigned.get(name), found)
    # What only other parameters are computed from is one too.
    left = [attribute for attribute in found.values() if attribute.role == "derived"]
    while left:
        for node in ast.walk(left.pop().node or ast.Constant(0)):
            other = found.get(node.attr) if is_own(node) else None
            if other is not None and other.role == "dropped" and name_is_set(other, seen):
                other.role, other.kind, other.value = (
                    "known",
                    seen.made[other.name],
                    seen.initial[other.name],
                )
                if isinstance(other.kind, Number):
                    _as_parameter(other, assigned.get(other.name), found)
                if other.role == "derived":
                    left.append(other)
    return found


def _is_made_once(name: str, kind: Kind, value: Any, reach: Reach) -> bool:
    """Return whether an attribute that never changed is an array that no column can begin with."""
    if name in reach.of_reset or not isinstance(kind, kinds.Array):
        return False
    return bool(np.unique(value).size > 1)


def name_is_set(attribute: Attribute, seen: Sightings) -> bool:
    """Return whether the constructor sets an attribute."""
    return attribute.name in seen.initial


def _assigned_once(program: Program, cls: type) -> dict[str, ast.expr]:
    """Return the expressions of attributes that a constructor assigns once, in no branch."""
    found: dict[str, ast.expr] = {}
    several: set[str] = set()
    for base in cls.__mro__:
        raw = vars(base).get("__init__")
        node = program.definition(raw) if isinstance(raw, types.FunctionType) else None
        if not isinstance(node, ast.FunctionDef):
            continue
        straight = {id(child) for child in node.body}
        for child in ast.walk(node):
            targets = child.targets if isinstance(child, ast.Assign) else []
            if isinstance(child, ast.AnnAssign) and child.value is not None:
                targets = [child.target]
            for target in targets:
                if not is_own(target):
                    continue
                assert isinstance(target, ast.Attribute)
                assert isinstance(child, ast.Assign | ast.AnnAssign)
                if target.attr in found or id(child) not in straight or child.value is None:
                    several.add(target.attr)
                else:
                    found[target.attr] = child.value
    return {name: node for name, node in found.items() if name not in several}


def _as_parameter(
    attribute: Attribute,
    node: ast.expr | None,
    all_of_them: Mapping[str, Attribute],
) -> None:
    """Let a number be a parameter if the constructor just takes it, of floating point."""
    assert isinstance(attribute.kind, Number)
    if node is None or attribute.kind.dtype.kind != "f" or not attribute.kind.python:
        return
    inner = node
    if (
        isinstance(inner, ast.Call)
        and isinstance(inner.func, ast.Name)
        and inner.func.id == "float"
    ):
        inner = inner.args[0] if inner.args else inner
    if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub):
        inner = inner.operand
    if isinstance(inner, ast.Constant) or (isinstance(inner, ast.Name) and inner is node):
        attribute.role = "parameter"
        return
    reads = [child for child in ast.walk(node) if isinstance(child, ast.Name | ast.Attribute)]
    own = [child for child in reads if is_own(child)]
    modules = ("self", "np", "math", "numpy")
    if (
        own
        and all(child.attr in all_of_them for child in own if isinstance(child, ast.Attribute))
        and all(child.id in modules for child in reads if isinstance(child, ast.Name))
    ):
        attribute.role = "derived"
        attribute.node = node
