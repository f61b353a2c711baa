"""The fifth stage: the whole definition, from `reset` and `step` down to what they call."""

from __future__ import annotations

import ast
import builtins
import copy
import keyword
import types
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from batchsim.convert import kinds
from batchsim.convert.assignment import elements_of
from batchsim.convert.attributes import Attribute, is_own, lookup, unindexed
from batchsim.convert.conversion import Conversion, RestartError
from batchsim.convert.functions import Writer
from batchsim.convert.kinds import Array, Kind, Number
from batchsim.convert.program import Program
from batchsim.convert.refusal import ConversionError, Refusal, at
from batchsim.convert.selects import choose
from batchsim.convert.values import (
    Group,
    Known,
    Made,
    Place,
    Plain,
    Self,
    Value,
    expression,
)
from batchsim.convert.watch import Sightings

__all__ = ["Composed", "compose"]

MOST_RESTARTS = 200
RESIZE = ("append", "appendleft", "extend", "insert", "pop", "popleft", "remove", "clear")
NO_INFOS = ("episode", "final_info", "final_obs", "view")
OBSERVATION = "observation"


class MomentError(RestartError):
    """What is observed, or told in infos, depends on when: it must be kept in columns."""


@dataclass
class Composed:
    """A definition before it is text.

    Attributes:
        whole: what is known of the class, and the functions that were written on the way.
        functions: `reset`, `step`, `observe` and, with infos, `inform`.
        infos: kinds of what infos hold, by name.
        has_column: whether the observation is a column.
    """

    whole: Conversion
    functions: list[ast.FunctionDef]
    infos: Mapping[str, Kind]
    has_column: bool


class Top(Writer):
    """Writes `reset`, `step` or `observe`, whose results are for the caller of the batch."""

    plan: Plan
    space: gymnasium.Space[Any]

    def do_Return(self, node: ast.Return) -> None:
        """Write what `reset` or `step` returns, or what is observed."""
        if self.top == "inform":
            assert node.value is not None
            self._write_infos(self.info_of(node.value), node)
            self.emit(ast.Return(None))
            return
        if self.top == "observe":
            value = self.expr(node.value) if node.value is not None else Known(None)
            self.write_out(ast.Name("out", ast.Load()), self.space, value, node)
            self.emit(ast.Return(None))
            return
        source = node.value
        old = self.whole.seen.old_api
        count = 1 if self.top == "reset" else 4 if old else 5
        if self.top == "reset" and self.plan.reset_returns_pair:
            count = 2
        if count == 1:
            members: list[Any] = [source]
        elif isinstance(source, ast.Tuple) and len(source.elts) == count:
            members = list(source.elts)
        else:
            assert source is not None
            members = list(self.members(self.expr(source), count, node))

        def value_of(k: int) -> Value:
            member = members[k]
            return member if isinstance(member, Value) else self.expr(member)

        if self.plan.observe is None:
            place = self.observation_place()
            self.write_observation(place, value_of(0), node)
        if self.top == "reset":
            if count == 2:
                self._inform(members[1], node)
            self.emit(ast.Return(None))
            return
        reward = self.number(value_of(1), node)
        flags = [self._flag(value_of(2), node)]
        if old:
            truncated: ast.expr = ast.Constant(False)
        else:
            truncated = self._flag(value_of(3), node)
        if self.plan.truncates:
            flags.append(truncated)
        self._inform(members[count - 1], node)
        self.emit(ast.Return(ast.Tuple([reward, *flags], ast.Load())))

    def number(self, value: Value, node: ast.AST) -> ast.expr:
        """Return a reward."""
        kind = self.kind_of_value(value)
        found = self.plain(value, node)
        if isinstance(kind, Array):
            return expression("_0[0]" if len(kind.shape) == 1 else "_0[0, 0]", found)
        return found

    def _flag(self, value: Value, node: ast.AST) -> ast.expr:
        kind = self.kind_of_value(value)
        if isinstance(kind, Number) and kind.dtype.kind != "b" and not isinstance(value, Known):
            return expression("_0 != 0", self.plain(value, node))
        return self.condition(value, node)

    def _inform(self, source: Any, node: ast.Return) -> None:
        """Write what infos hold into columns."""
        if not self.plan.infos or self.plan.inform is not None:
            return
        value = source if isinstance(source, Value) else self.info_of(source)
        for name, kind in self.plan.infos.items():
            held = self._info(value, name)
            if held is None and self.top == "reset":
                held = Known(np.zeros((), kind.dtype).item())
            if held is not None:
                column = f"info_{name}"
                self.whole.state[column] = kind
                self.assign(Place(kind, column), held, node)

    def _info(self, value: Value, name: str) -> Value | None:
        """Return what an info holds under a key; None if it has no such key."""
        if isinstance(value, Made):
            return value.fields.get(name)
        if isinstance(value, Known) and isinstance(value.value, dict):
            return Known(value.value[name]) if name in value.value else None
        if isinstance(value, Place) and isinstance(value.kind, kinds.Record):
            part = dict(value.kind.fields).get(name)
            return self.load(value.part(name, part)) if part is not None else None
        return None

    def _write_infos(self, value: Value, node: ast.AST) -> None:
        """Write infos into `out`."""
        for name in self.plan.infos:
            held = self._info(value, name)
            if held is None:
                raise at(node, "the info", f"it has no {name!r} here, and has it elsewhere")
            self._set(expression(f"out.{name}[0]"), self.plain(held, node))

    def info_of(self, node: ast.expr) -> Value:
        """Return an info; what it holds besides numbers is left out."""
        if isinstance(node, ast.Dict):
            made = Made()
            for key, part in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in self.plan.infos:
                    made.fields[key.value] = self.expr(part)
            return made
        return self.expr(node)

    def observation_place(self) -> Place:
        """Return the columns of an observation that is kept."""
        kind = kind_of_space(self.space)
        self.whole.state[OBSERVATION] = kind
        return Place(kind, OBSERVATION)

    def write_observation(self, place: Place, value: Value, node: ast.AST) -> None:
        """Write an observation into its columns."""
        if isinstance(place.kind, kinds.Record):
            for key, part in place.kind.fields:
                self.write_observation(place.part(key, part), self.key_of(value, key, node), node)
            return
        if isinstance(place.kind, kinds.Tuple):
            members = self.members(value, len(place.kind.members), node)
            for k, (part, member) in enumerate(zip(place.kind.members, members, strict=True)):
                self.write_observation(place.part(str(k), part), member, node)
            return
        self.write_array(place.leaf(), place.kind, value, node)

    def key_of(self, value: Value, key: str, node: ast.AST) -> Value:
        """Return what an observation that is a dict holds under a key."""
        if isinstance(value, Made) and key in value.fields:
            return value.fields[key]
        if isinstance(value, Known) and isinstance(value.value, dict):
            return Known(value.value[key])
        if isinstance(value, Place):
            found = self.field(value, key)
            if found is not None:
                return self.load(found)
        raise at(node, "the observation", f"it has no key {key!r}")

    def write_array(self, target: ast.expr, kind: Kind, value: Value, node: ast.AST) -> None:
        """Write a number, or an array of the space's shape."""
        if isinstance(value, Place):
            value = self.load(value)
        copied = value.node if isinstance(value, Plain) else None
        if (
            isinstance(copied, ast.Call)
            and isinstance(copied.func, ast.Attribute)
            and copied.func.attr == "copy"
            and not copied.args
        ):
            value = Plain(copied.func.value, self.kind_of_value(value))
        if isinstance(kind, Number):
            self._set(target, self.number(value, node))
            return
        assert isinstance(kind, Array)
        if (
            isinstance(value, Place)
            and isinstance(value.kind, kinds.Sequence)
            and not self.is_fixed(value)
        ):
            n = kind.shape[0]
            seen = self.whole.seen.observation
            numbers = isinstance(value.kind.element, Number) and len(kind.shape) == 1
            of_one_length = isinstance(seen, kinds.Sequence) and seen.least == seen.greatest == n
            if numbers and of_one_length:
                # It is put together element by element, but always of so many.
                self._set(_all_of(target), value.leaf("", ast.Slice(None, ast.Constant(n))))
                return
            raise at(
                node,
                "the observation",
                "it is a list whose length changes",
                "Let it be an array of the space's shape.",
            )
        items = self._items(value, kind)
        if items is not None:
            for k, item in enumerate(items):
                self._set(ast.Subscript(copy.deepcopy(target), ast.Constant(k), ast.Load()), item)
            return
        found = self.plain(value, node)
        held = self.kind_of_value(value)
        if (
            isinstance(held, Array)
            and held.shape != kind.shape
            and kinds.size_of(held) == kinds.size_of(kind)
        ):
            raise at(
                node,
                "the observation",
                f"its shape is {held.shape}, and that of its space {kind.shape}",
                "Let the two be the same.",
            )
        self._set(_all_of(target), found)

    def _items(self, value: Value, kind: Array) -> list[ast.expr] | None:
        """Return the elements of an array that is written out as a list of numbers."""
        if len(kind.shape) != 1:
            return None
        if isinstance(value, Group) and len(value.members) == kind.shape[0]:
            if all(isinstance(self.kind_of_value(m), Number) for m in value.members):
                return [self.plain(member, self.node) for member in value.members]
            return None
        elements = elements_of(value, kind.dtype, np.dtype(float))
        return elements if elements is not None and len(elements) == kind.shape[0] else None

    def write_out(
        self, out: ast.expr, space: gymnasium.Space[Any], value: Value, node: ast.AST
    ) -> None:
        """Write an observation into `out`."""
        if isinstance(space, spaces.Dict):
            for key, part in space.items():
                inner = ast.Attribute(copy.deepcopy(out), key, ast.Load())
                self.write_out(inner, part, self.key_of(value, key, node), node)
            return
        if isinstance(space, spaces.Tuple):
            members = self.members(value, len(space.spaces), node)
            for k, (part, member) in enumerate(zip(space.spaces, members, strict=True)):
                self.write_out(expression(f"_0[{k}]", out), part, member, node)
            return
        kind = kind_of_space(space)
        target = expression("_0[0]", out) if isinstance(kind, Number) else out
        self.write_array(target, kind, value, node)


def _all_of(target: ast.expr) -> ast.expr:
    """Return all elements of an array that is to be written: of `out`, `out.key` or a column."""
    whole = isinstance(target, ast.Attribute) or isinstance(unindexed(target), ast.Name)
    return expression("_0[:]", target) if whole else target


@dataclass
class Plan:
    """What is decided before anything is written.

    Attributes:
        observe: the expression that all of `reset` and `step` return as their observation, if they
            do; the observation is a column if not.
        skipped: statements that only make that observation.
        truncates: whether `step` itself truncates.
        infos: kinds of what infos hold.
        inform: the expression that all of `step` return as their info, if they do; what infos hold
            is in columns if not.
        reset_returns_pair: whether `reset` returns an observation and an info.
    """

    observe: ast.expr | None
    skipped: set[int]
    truncates: bool
    infos: dict[str, Number]
    inform: ast.expr | None
    reset_returns_pair: bool


def kind_of_space(space: gymnasium.Space[Any]) -> Kind:
    """Return the kind of a space's members as they lie in a batch."""
    if isinstance(space, spaces.Discrete):
        return Number(np.dtype(np.int64), False)
    if isinstance(space, spaces.Dict):
        return kinds.Record(tuple((key, kind_of_space(part)) for key, part in space.items()))
    if isinstance(space, spaces.Tuple):
        return kinds.Tuple(tuple(map(kind_of_space, space.spaces)), kinds.SPREAD)
    if isinstance(space, spaces.Box | spaces.MultiDiscrete | spaces.MultiBinary):
        assert space.dtype is not None
        if space.shape == ():
            return Number(np.dtype(space.dtype), False)
        return Array(np.dtype(space.dtype), space.shape)
    raise ConversionError(Refusal("", 0, "", type(space).__name__, "this space has no arrays"))


def compose(
    program: Program,
    seen: Sightings,
    attributes: dict[str, Attribute],
    capacities: Mapping[str, int],
    observation_column: bool = False,
) -> Composed:
    """Write the definition of a class.

    Args:
        program, seen, attributes: what the stages before found.
        capacities: room for the elements of lists, by name.
        observation_column: whether the observation is a column in any case.

    Raises:
        ConversionError: if something of the class is not converted.
    """
    resized = set(resized_in(program))
    scratch: dict[str, Kind] = {}
    gathered: set[str] = set()
    changing: set[int] = set()
    copies: set[tuple[str, str]] = set()
    for _ in range(MOST_RESTARTS):
        whole = Conversion(program, seen, attributes, capacities=capacities)
        whole.resized, whole.scratch = resized, dict(scratch)
        whole.limits = limits_of(seen)
        whole.gathered, whole.changing, whole.copies = gathered, changing, copies
        whole.spread()
        try:
            return _written(whole, observation_column)
        except RestartError as error:
            observation_column |= isinstance(error, MomentError)
            resized |= whole.resized
            scratch = whole.scratch
    raise ConversionError(Refusal("", 0, "", "the class", "its writing came to no end"))


def resized_in(program: Program) -> Iterator[str]:
    """Yield the attributes whose lengths some line changes, though it may not have run."""
    for module in program.modules.values():
        for node in ast.walk(module.tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in RESIZE
                and is_own(node.func.value)
            ):
                yield node.func.value.attr


def limits_of(seen: Sightings) -> dict[str, int]:
    """Return the `maxlen` of the environment's deques, by name."""
    return {
        name: value.maxlen
        for name, value in vars(seen.env).items()
        if isinstance(value, deque) and value.maxlen is not None
    }


def _function(whole: Conversion, name: str) -> tuple[types.FunctionType, ast.FunctionDef]:
    cls = type(whole.seen.env)
    found = lookup(cls, name)
    node = whole.program.definition(found[1]) if found is not None else None
    if found is None or not isinstance(node, ast.FunctionDef):
        raise ConversionError(
            Refusal("", 0, "", f"{cls.__name__}.{name}", "its source is not the author's")
        )
    return found[1], node


def _written(whole: Conversion, observation_column: bool) -> Composed:
    reset, reset_node = _function(whole, "reset")
    step, step_node = _function(whole, "step")
    plan = _plan(whole, reset_node, step_node, observation_column)
    space = whole.seen.env.observation_space
    functions = []
    observe = None
    if plan.observe is not None:
        observe = _of_state(whole, plan, plan.observe, "observe", step, space)
        if observe.written.draws or observe.written.writes - set(whole.scratch):
            # What is observed depends on when: it is kept from where the original makes it.
            raise MomentError("observe")
        functions.append(observe.written.node)
    for name, function, node in (("reset", reset, reset_node), ("step", step, step_node)):
        writer = _top(whole, plan, space, function, node, name)
        arguments = [argument.arg for argument in node.args.args]
        bound: dict[str, Value] = {arguments[0]: Self()}
        for other in (*node.args.args[1:], *node.args.kwonlyargs):
            bound[other.arg] = Known(None)
        if name == "step":
            kind = _kind_of_action(whole.seen.env.action_space)
            bound[arguments[1]] = Plain(ast.Name("action", ast.Load()), kind)
            writer.renamed[arguments[1]] = "action"
        writer.names.update(bound)
        writer.statements(node.body)
        writer.finish(("action",) if name == "step" else ())
        if name == "step" and writer.written.node is not None:
            choose(writer.written.node, frozenset(whole.derived))
        functions.append(writer.written.node)
    if observe is None:
        functions.append(_observe_column(whole, space))
    if plan.inform is not None:
        inform = _of_state(whole, plan, plan.inform, "inform", step, space)
        if inform.written.draws or inform.written.writes - set(whole.scratch):
            raise MomentError("inform")
        functions.append(inform.written.node)
    ordered = sorted(
        (f for f in functions if f is not None),
        key=lambda f: ("reset", "step", "observe", "inform").index(f.name),
    )
    return Composed(whole, ordered, plan.infos, plan.observe is None)


def _top(
    whole: Conversion,
    plan: Plan,
    space: gymnasium.Space[Any],
    function: types.FunctionType,
    node: ast.FunctionDef,
    name: str,
) -> Top:
    writer = Top(whole, function, node, name, None, top=name)
    writer.plan, writer.space, writer.skipped = plan, space, plan.skipped
    return writer


def _kind_of_action(space: gymnasium.Space[Any]) -> Kind:
    kind = kind_of_space(space)
    if not isinstance(kind, Number | Array):
        raise ConversionError(
            Refusal("", 0, "", type(space).__name__, "actions of this space are not taken")
        )
    return kind


def _of_state(
    whole: Conversion,
    plan: Plan,
    node: ast.expr,
    name: str,
    function: types.FunctionType,
    space: gymnasium.Space[Any],
) -> Top:
    """Write `observe` or `inform`; if it is a method of the author's, with that method's body."""
    body: ast.FunctionDef | None = None
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not node.args
        and not node.keywords
    ):
        found = lookup(type(whole.seen.env), node.func.attr)
        tree = whole.program.definition(found[1]) if found is not None else None
        if isinstance(tree, ast.FunctionDef) and found is not None:
            function, body = found[1], tree
    if body is None:
        body = ast.FunctionDef(
            name=name,
            args=ast.arguments([], [ast.arg("self")], None, [], [], None, []),
            body=[ast.copy_location(ast.Return(node), node)],
            decorator_list=[],
            lineno=getattr(node, "lineno", 1),
        )
        body.source = getattr(node, "source", None)  # type: ignore[attr-defined]
    writer = _top(whole, plan, space, function, body, name)
    writer.names[body.args.args[0].arg] = Self()
    for other in body.args.args[1:]:
        default = body.args.defaults
        writer.names[other.arg] = writer.expr(default[0]) if default else Known(None)
    writer.statements(body.body)
    writer.finish(())
    assert writer.written.node is not None
    writer.written.node.args.args = [ast.arg(name) for name in ("s", "i", "p", "out")]
    return writer


def _observe_column(whole: Conversion, space: gymnasium.Space[Any]) -> ast.FunctionDef:
    body: list[ast.stmt] = []

    def write(out: ast.expr, place: Place) -> None:
        match place.kind:
            case kinds.Record():
                for key, part in place.kind.fields:
                    write(ast.Attribute(out, key, ast.Load()), place.part(key, part))
            case kinds.Tuple():
                for k, part in enumerate(place.kind.members):
                    write(expression(f"_0[{k}]", out), place.part(str(k), part))
            case _:
                where: ast.expr = ast.Slice() if isinstance(place.kind, Array) else ast.Constant(0)
                target = ast.Subscript(out, where, ast.Store())
                body.append(ast.Assign([target], place.leaf(), lineno=1))

    write(ast.Name("out", ast.Load()), Place(kind_of_space(space), OBSERVATION))
    return ast.FunctionDef(
        name="observe",
        args=ast.arguments(
            [], [ast.arg(n) for n in ("s", "i", "p", "out")], None, [], [], None, []
        ),
        body=body,
        decorator_list=[],
        lineno=1,
    )


def _plan(
    whole: Conversion,
    reset: ast.FunctionDef,
    step: ast.FunctionDef,
    observation_column: bool,
) -> Plan:
    skipped: set[int] = set()
    returns_of_reset = _returns(reset)
    returns_of_step = _returns(step)
    pair = any(
        (isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2)
        or (
            node.value is not None
            and isinstance(whole.seen.kinds.get(getattr(node.value, "k", -1)), kinds.Tuple)
            and not whole.seen.old_api
            and not isinstance(node.value, ast.Tuple)
        )
        for node in returns_of_reset
    )
    found: list[ast.expr | None] = []
    for function, returns in ((reset, returns_of_reset), (step, returns_of_step)):
        for node in returns:
            first: ast.expr | None = node.value
            if isinstance(first, ast.Tuple) and (function is step or len(first.elts) == 2):
                first = first.elts[0]
            elif function is step or pair:
                first = None
            found.append(_resolved(function, first, len(returns), skipped))
    same = bool(found) and all(
        node is not None and ast.dump(node) == ast.dump(found[0])  # type: ignore[arg-type]
        for node in found
    )
    usable = same and found[0] is not None and _is_of_self(found[0])
    if not usable or observation_column:
        skipped = set()
    truncates = not whole.seen.old_api and any(
        not (
            isinstance(node.value, ast.Tuple)
            and len(node.value.elts) == 5
            and isinstance(node.value.elts[3], ast.Constant)
            and not node.value.elts[3].value
        )
        for node in returns_of_step
    )
    infos = {
        name: kind
        for name, kind in whole.seen.infos.items()
        if isinstance(kind, Number)
        and name in (whole.seen.always or ())
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and name not in NO_INFOS
    }
    inform = None
    if infos and not observation_column:
        inform = _informing(step, returns_of_step, skipped)
    return Plan(
        None if not usable or observation_column else found[0],
        skipped,
        truncates,
        infos,
        inform,
        pair,
    )


def _informing(
    step: ast.FunctionDef, returns: list[ast.Return], skipped: set[int]
) -> ast.expr | None:
    """Return the expression of state that all of `step` return as info, or None."""
    found: list[ast.expr | None] = []
    passed: set[int] = set()
    for node in returns:
        last = node.value.elts[-1] if isinstance(node.value, ast.Tuple) else None
        found.append(_resolved(step, last, len(returns), passed))
    first = found[0] if found else None
    if first is None or not _is_of_self(first):
        return None
    if any(node is None or ast.dump(node) != ast.dump(first) for node in found):
        return None
    skipped |= passed
    return first


def _returns(function: ast.FunctionDef) -> list[ast.Return]:
    return [node for node in ast.walk(function) if isinstance(node, ast.Return)]


def _resolved(
    function: ast.FunctionDef, node: ast.expr | None, returns: int, skipped: set[int]
) -> ast.expr | None:
    """Return the expression of a variable that is assigned once and used in returns alone."""
    if not isinstance(node, ast.Name):
        return node
    assigned = [
        part
        for part in ast.walk(function)
        if isinstance(part, ast.Assign | ast.AnnAssign | ast.AugAssign)
        and any(
            isinstance(name, ast.Name) and name.id == node.id and isinstance(name.ctx, ast.Store)
            for name in ast.walk(part)
        )
    ]
    used = [
        part
        for part in ast.walk(function)
        if isinstance(part, ast.Name) and part.id == node.id and isinstance(part.ctx, ast.Load)
    ]
    if len(assigned) != 1 or not isinstance(assigned[0], ast.Assign) or len(used) > returns:
        return None
    target = assigned[0].targets[0]
    if not isinstance(target, ast.Name):
        return None
    skipped.add(id(assigned[0]))
    return assigned[0].value


def _is_of_self(node: ast.expr) -> bool:
    """Return whether an expression needs no variables but `self`."""
    own = {
        target.id
        for part in ast.walk(node)
        if isinstance(part, ast.comprehension)
        for target in ast.walk(part.target)
        if isinstance(target, ast.Name)
    }
    for part in ast.walk(node):
        known = ("self", "np", "numpy", "math", *own)
        if isinstance(part, ast.Name) and part.id not in known and not hasattr(builtins, part.id):
            return False
    return True
