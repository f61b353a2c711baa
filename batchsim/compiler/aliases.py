"""Which variables may be the same array: what is changed in place must be one of them alone.

In NumPy `b = a` is another name of the same array, and `a[1:3]` is a part of it. In compiled code
an array that an expression made is copied instead. That differs as soon as it is changed under one
of the names, and another is read afterwards; such code is refused. Rows of columns are memory, and
never copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numba.core import cgutils, ir, types
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.errors import TypingError
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from batchsim.compiler.arrays import (
    TUPLE,
    Large,
    RowIterator,
    Value,
    broadcast,
    find,
    pattern_of,
)
from batchsim.compiler.assignment import is_mask, write, write_where
from batchsim.compiler.elementwise import (
    BINARY,
    choose,
    in_doubt,
    is_array,
    require_in_place,
)
from batchsim.compiler.gathering import chosen as chosen_by
from batchsim.compiler.gathering import write_chosen
from batchsim.compiler.refusals import RefusedError
from batchsim.compiler.rows import mark_addresses
from batchsim.compiler.ufuncs import MARK

__all__ = [
    "ALIASES",
    "CERTAIN",
    "CheckAliases",
    "LowerWithArrays",
    "shares_memory",
]

CERTAIN = "batchsim_certain"
"""In a function's metadata: the names of operands that are certain to be Python's numbers."""
ALIASES = "batchsim_aliases"
"""What `CheckAliases` leaves in a function's metadata: what each part of its result may be."""

_sharing: set[int] = set()


def shares_memory(stand_in: Any) -> Any:
    """Note that the result of what stands for a function may be its argument; return it."""
    _sharing.add(id(stand_in))
    return stand_in


class _Groups:
    """Sets of names that may be the same array."""

    def __init__(self) -> None:
        self.parent: dict[Any, Any] = {}

    def root(self, name: Any) -> Any:
        while self.parent.setdefault(name, name) != name:
            name = self.parent[name]
        return name

    def join(self, one: Any, other: Any) -> None:
        self.parent[self.root(one)] = self.root(other)

    def members(self, name: Any) -> list[Any]:
        root = self.root(name)
        return [other for other in list(self.parent) if self.root(other) == root]


class Caller:
    """An argument, as the caller's."""

    def __init__(self, index: int, part: int | None) -> None:
        self.identity = index, part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Caller) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


def _holds_arrays(kind: Any) -> bool:
    if isinstance(kind, TUPLE):
        return any(map(_holds_arrays, kind.types))
    iterators = (RowIterator, types.EnumerateType, types.ZipType, types.Pair)
    return isinstance(kind, (Value, *iterators))


class _Analysis:
    def __init__(self, function: Any, typemap: Any, calltypes: Any) -> None:
        self.function, self.typemap, self.calltypes = function, typemap, calltypes
        self.groups = _Groups()
        self.changed: dict[Any, ir.Var] = {}
        """By statement: the variable that it changes in place."""
        self.returned: list[ir.Var] = []
        self.relations: dict[Any, list[tuple[Any, Any]]] = {}
        """By statement: what it sets, and what that may be the same array as."""
        self.statement: Any = None

    def relate(self, one: Any, other: Any) -> None:
        """Note that what the statement sets may be the same array as something."""
        self.groups.join(one, other)
        self.relations.setdefault(self.statement, []).append((one, other))

    def kind(self, variable: ir.Var) -> Any:
        return self.typemap[variable.name]

    def nodes(self, variable: ir.Var) -> list[Any]:
        """Return what stands for a variable, or for each part of a tuple."""
        kind = self.kind(variable)
        if isinstance(kind, TUPLE):
            return [(variable.name, k) for k in range(len(kind.types))]
        return [variable.name]

    def join(self, one: ir.Var, other: ir.Var) -> None:
        mine, others = self.nodes(one), self.nodes(other)
        if len(mine) == len(others):
            for a, b in zip(mine, others, strict=True):
                self.relate(a, b)
            return
        for a in mine:
            for b in others:
                self.relate(a, b)

    def run(self) -> None:
        for block in self.function.blocks.values():
            for statement in block.body:
                if isinstance(statement, ir.Assign):
                    self.assign(statement)
                elif isinstance(statement, (ir.SetItem, ir.StaticSetItem)):
                    if isinstance(self.kind(statement.target), Value):
                        statement.target = self.origin(statement.target)
                        self.changed[statement] = statement.target
                elif isinstance(statement, ir.Return):
                    self.returned.append(statement.value)

    def origin(self, variable: ir.Var) -> ir.Var:
        """Return the variable that one of the compiler's own is a copy of."""
        while variable.name.startswith("$"):
            value = self.definition(variable)
            if not isinstance(value, ir.Var):
                break
            variable = value
        return variable

    def is_part(self, variable: ir.Var) -> bool:
        """Tell whether a variable of the compiler's own is a part of an array."""
        value = self.definition(variable) if variable.name.startswith("$") else None
        return isinstance(value, ir.Expr) and value.op in ("getitem", "static_getitem")

    def definition(self, variable: ir.Var) -> Any:
        try:
            return self.function.get_definition(variable)
        except KeyError:
            return None

    def changed_by(self, value: Any) -> Any:
        """Return the variable that an operator changes in place, None of anything else."""
        if not isinstance(value, ir.Expr):
            return None
        return value.lhs if value.op == "inplace_binop" else None

    def stand_in(self, call: Any) -> Any:
        """Return what stands for a function that is called, None if it is none of batchsim's."""
        defined = self.definition(call.func)
        if isinstance(defined, ir.Global) and defined.name == "stand_in":
            return defined.value
        return None

    def assign(self, statement: ir.Assign) -> None:
        self.statement = statement
        target = statement.target
        value: Any = statement.value
        operand = self.changed_by(value)
        if operand is not None and isinstance(self.kind(operand), Value):
            changed = self.origin(operand)
            # `array[k] += 1` is stored afterwards, where it came from.
            if not self.is_part(changed):
                self.changed[statement] = changed
        if not _holds_arrays(self.kind(target)):
            return
        if isinstance(value, ir.Arg):
            many = isinstance(self.kind(target), TUPLE)
            for k, node in enumerate(self.nodes(target)):
                self.relate(node, Caller(value.index, k if many else None))
        elif isinstance(value, ir.Var):
            self.join(target, value)
        elif isinstance(value, ir.Expr):
            self.expression(target, value)

    def expression(self, target: ir.Var, value: ir.Expr) -> None:
        if value.op in ("binop", "unary"):
            return
        if value.op == "inplace_binop":
            self.join(target, value.lhs)
            return
        if value.op == "build_tuple":
            for node, item in zip(self.nodes(target), value.items, strict=True):
                if _holds_arrays(self.kind(item)):
                    for part in self.nodes(item):
                        self.relate(node, part)
            return
        if value.op == "static_getitem" and isinstance(value.index, int):
            nodes = self.nodes(value.value)
            if isinstance(self.kind(value.value), TUPLE):
                for node in self.nodes(target):
                    self.relate(node, nodes[value.index])
                return
        if value.op == "call":
            self.call(target, value)
            return
        if value.op == "getitem" and isinstance(self.kind(target), Value):
            array = self.kind(value.value)
            if is_array(array) and chosen_by(array, self.kind(value.index)) is not None:
                return  # A copy.
        for variable in value.list_vars():
            if _holds_arrays(self.kind(variable)):
                self.join(target, variable)

    def call(self, target: ir.Var, value: ir.Expr) -> None:
        arguments = [*value.args, *(variable for _, variable in value.kws)]
        kind = self.kind(value.func)
        if isinstance(kind, types.Dispatcher):
            summary = _summary(kind.dispatcher, self.calltypes[value])
            if summary is not None:
                self.call_of_known(target, arguments, summary)
                return
        stand_in = self.stand_in(value)
        if stand_in is not None and id(stand_in) not in _sharing:
            return
        for variable in arguments:
            if _holds_arrays(self.kind(variable)):
                self.join(target, variable)

    def call_of_known(self, target: ir.Var, arguments: list[ir.Var], summary: Any) -> None:
        for node, tokens in zip(self.nodes(target), summary, strict=False):
            for token in tokens:
                if isinstance(token, Caller):
                    index, part = token.identity
                    nodes = self.nodes(arguments[index])
                    for one in nodes if part is None else [nodes[part]]:
                        self.relate(node, one)
                else:
                    self.relate(node, (target.name, "own", token))

    def summary(self) -> list[set[Any]]:
        """Return of each part of the result: arguments, and numbers of arrays of its own."""
        parts: list[set[Any]] = []
        for variable in self.returned:
            variable = self.origin_of_result(variable)
            if not _holds_arrays(self.kind(variable)):
                continue
            nodes = self.nodes(variable)
            while len(parts) < len(nodes):
                parts.append(set())
            for part, node in zip(parts, nodes, strict=True):
                part.add(hash(self.groups.root(node)))
                part.update(
                    other for other in self.groups.members(node) if isinstance(other, Caller)
                )
        return parts

    def origin_of_result(self, variable: ir.Var) -> ir.Var:
        value = self.definition(variable)
        if isinstance(value, ir.Expr) and value.op == "cast":
            variable = value.value
        return variable

    def check(self) -> None:
        """Refuse a function in which an array is changed, and read by another name afterwards.

        Raises:
            RefusedError: there is one.
        """
        if not self.changed:
            return
        pairs: Any = None
        for statement, live in _live_after(self.function.blocks, self.changed):
            variable = self.changed[statement]
            if not isinstance(statement, ir.Assign):
                self.check_list(statement)
            own = variable.unversioned_name
            if own.startswith("$"):
                raise RefusedError(
                    "an array that has no name is changed in place: write array[k, j] = … instead "
                    "of array[k][j] = …",
                    statement.loc,
                )
            result = statement.target.name if isinstance(statement, ir.Assign) else variable.name
            for other in self.groups.members(variable.name):
                name = other[0] if isinstance(other, tuple) else other
                if not isinstance(other, Caller) and (name not in live or name == result):
                    continue
                pairs = _pairs_at(self) if pairs is None else pairs
                if frozenset((variable.name, other)) in pairs[statement]:
                    raise RefusedError(self.reason(own, other, name), statement.loc)

    def check_list(self, statement: Any) -> None:
        """Refuse a list of an array's own parts that is written into it.

        Raises:
            RefusedError: NumPy reads them after it has written into them.
        """
        if not isinstance(self.kind(statement.value), TUPLE):
            return
        own = self.groups.root(statement.target.name)
        if any(self.groups.root(node) == own for node in self.nodes(statement.value)):
            raise RefusedError(
                "a list of an array's own parts is written into it: write np.array([…])",
                statement.loc,
            )

    def reason(self, own: str, other: Any, name: Any) -> str:
        """Return why an array must not be changed in place."""
        if isinstance(other, Caller):
            return (
                f"{own} is changed in place, and is the caller's array: write {own} = "
                f"{own}.copy() before, and return it"
            )
        if name.startswith("$"):
            return (
                f"{own} is changed in place while a `for` or an expression uses it: write "
                f"for k in range(len({own})), another statement, or .copy() of the part"
            )
        name = _unversioned(name)
        return (
            f"{own} is changed in place, and {name} may be the same array: write .copy() where "
            f"one is made of the other, or change {name} itself"
        )

    def check_operators(self, certain: set[str]) -> None:
        """Refuse operators whose width depends on whether a number is Python's or NumPy's.

        Raises:
            RefusedError: there is one, with a number that may be NumPy's.
        """
        for block in self.function.blocks.values():
            for statement in block.find_insts(ir.Assign):
                value = statement.value
                if getattr(value, "op", None) not in ("binop", "inplace_binop"):
                    continue
                function = value.fn if value.op == "binop" else value.immutable_fn
                operands = (value.lhs, value.rhs)
                kinds = tuple(map(self.kind, operands))
                if function not in BINARY or not any(map(is_array, kinds)):
                    continue
                try:
                    broadcast([kind.shape for kind in kinds if is_array(kind)])
                    doubtful = choose(BINARY[function], kinds).in_doubt
                    if value.op == "inplace_binop" and is_array(kinds[0]):
                        require_in_place(BINARY[function], kinds)
                except TypingError as error:  # Numba's own operator has been taken.
                    said = str(error).removeprefix(MARK).strip().rstrip(".")
                    raise RefusedError(said, statement.loc) from None
                for k in doubtful:
                    if operands[k].name not in certain:
                        raise RefusedError(in_doubt(BINARY[function], kinds), statement.loc)


def _live_after(blocks: Any, wanted: Any) -> Iterator[tuple[Any, set[str]]]:
    """Return of each wanted statement the names of the variables that are read after it."""
    successors = {
        label: [target for target, _ in compute_cfg_from_blocks(blocks).successors(label)]
        for label in blocks
    }
    live_in: dict[int, set[str]] = {label: set() for label in blocks}

    def live_out(label: int) -> set[str]:
        found: set[str] = set()
        for target in successors[label]:
            chosen = set()
            for statement in blocks[target].body:
                phi = getattr(statement, "value", None)
                if isinstance(phi, ir.Expr) and phi.op == "phi":
                    chosen |= {
                        value.name
                        for value, block in zip(
                            phi.incoming_values, phi.incoming_blocks, strict=True
                        )
                        if block == label
                    }
            found |= live_in[target] | chosen
        return found

    def backwards(label: int) -> Iterator[tuple[Any, set[str]]]:
        live = live_out(label)
        for statement in reversed(blocks[label].body):
            yield statement, live
            live = set(live)
            value = getattr(statement, "value", None)
            if isinstance(statement, ir.Assign):
                live.discard(statement.target.name)
                if isinstance(value, ir.Expr) and value.op == "phi":
                    continue  # Read where control comes from.
                live |= {variable.name for variable in statement.list_vars()} - {
                    statement.target.name
                }
                if isinstance(value, ir.Expr) and statement.target in value.list_vars():
                    live.add(statement.target.name)
            else:
                live |= {variable.name for variable in statement.list_vars()}
        live_in[label] = live

    changes = True
    while changes:
        before = {label: set(live) for label, live in live_in.items()}
        for label in blocks:
            for _ in backwards(label):
                pass
        changes = before != live_in
    for label in blocks:
        for statement, live in backwards(label):
            if statement in wanted:
                yield statement, live


Pairs = frozenset[frozenset[Any]]
"""Of what may be the same array, two at a time."""


def _pairs_at(analysis: _Analysis) -> dict[Any, Pairs]:
    """Return for each statement that changes an array what may be the same where it stands.

    `_Groups` knows no order: after `a, b = b, a` in a loop all four are in one group, and yet
    are always two arrays.
    """
    blocks = analysis.function.blocks
    graph = compute_cfg_from_blocks(blocks)
    at_end: dict[int, Pairs] = {}
    found: dict[Any, Pairs] = {}

    def after(pairs: Pairs, relations: list[tuple[Any, Any]], names: set[Any]) -> Pairs:
        """Return the pairs when what has these names is set, all at once."""
        kept = {pair for pair in pairs if not any(_name_of(node) in names for node in pair)}
        made = set()
        for k, (node, source) in enumerate(relations):
            others = {other for pair in pairs if source in pair for other in pair - {source}}
            made |= {
                frozenset((node, other))
                for other in {source, *others}
                if _name_of(other) not in names
            }
            # Two that are set at once are the same only if what they are set to is.
            made |= {
                frozenset((node, one))
                for one, other in relations[:k]
                if one != node and (other == source or other in others)
            }
        return frozenset(kept | made)

    def incoming(label: int) -> Pairs:
        pairs: Pairs = frozenset()
        for source, _ in graph.predecessors(label):
            if source not in at_end:
                continue
            relations: list[Any] = []
            names = set()
            for statement in blocks[label].find_insts(ir.Assign):
                value = statement.value
                if not isinstance(value, ir.Expr) or value.op != "phi":
                    continue
                names.add(statement.target.name)
                for variable, edge in zip(
                    value.incoming_values, value.incoming_blocks, strict=True
                ):
                    if edge == source and statement in analysis.relations:
                        mine, others = map(analysis.nodes, (statement.target, variable))
                        relations += zip(mine, others, strict=True)
            pairs |= after(at_end[source], relations, names)
        return pairs

    changes = True
    while changes:
        changes = False
        for label in sorted(blocks):
            pairs = incoming(label)
            for statement in blocks[label].body:
                if statement in analysis.changed:
                    found[statement] = found.get(statement, frozenset()) | pairs
                value = getattr(statement, "value", None)
                if isinstance(statement, ir.Assign) and not (
                    isinstance(value, ir.Expr) and value.op == "phi"
                ):
                    relations = analysis.relations.get(statement, [])
                    pairs = after(pairs, relations, {statement.target.name})
            if at_end.get(label) != pairs:
                at_end[label] = pairs
                changes = True
    return found


def _name_of(node: Any) -> Any:
    return node[0] if isinstance(node, tuple) else node


def _unversioned(name: str) -> str:
    head, dot, tail = name.rpartition(".")
    return head if dot and tail.isdigit() else name


def _summary(dispatcher: Any, signature: Any) -> Any:
    found = dispatcher.overloads.get(tuple(signature.args))
    return None if found is None else found.metadata.get(ALIASES)


def _check_large(blocks: Any, typemap: Any) -> None:
    """Refuse expressions over large arrays that are not used where they are made.

    Raises:
        RefusedError: there is one, or something is written before it is used.
    """
    for block in blocks.values():
        waiting: dict[str, Any] = {}
        for statement in block.body:
            value = statement.value if isinstance(statement, ir.Assign) else None
            names = {variable.name for variable in statement.list_vars()}
            of_large = {name for name in names if isinstance(typemap.get(name), Large)}
            target = statement.target.name if isinstance(statement, ir.Assign) else None
            kept = isinstance(statement, (ir.Return, ir.Jump, ir.Branch)) or isinstance(
                value, (ir.Arg, ir.Var)
            )
            is_user_call = (
                isinstance(value, ir.Expr)
                and value.op == "call"
                and isinstance(typemap[value.func.name], types.Dispatcher)
            )
            named = target in of_large and not str(target).startswith("$")
            if of_large and (kept or is_user_call or named):
                raise RefusedError(
                    "an expression over an array of many elements is kept, or handed on: use it "
                    "where it is made, store it in a column, or write a loop",
                    statement.loc,
                )
            for name in of_large - {target}:
                waiting.pop(name, None)
            writes = isinstance(statement, (ir.SetItem, ir.StaticSetItem)) or is_user_call
            if waiting and writes:
                raise RefusedError(
                    "something is written, or a function called, while an expression over an array "
                    "of many elements waits: write two statements",
                    statement.loc,
                )
            if target in of_large:
                waiting[str(target)] = statement


def _copy_at_ends(blocks: Any, typemap: Any) -> None:
    """Where paths meet, copy arrays at the ends of the paths.

    Numba copies a variable as soon as it is set, before it may be changed in place.
    """
    copies = []
    for block in blocks.values():
        kept = []
        for statement in block.body:
            value = getattr(statement, "value", None)
            if not (isinstance(value, ir.Expr) and value.op == "phi") or not isinstance(
                typemap[statement.target.name], Value
            ):
                kept.append(statement)
                continue
            for source, label in zip(value.incoming_values, value.incoming_blocks, strict=True):
                if source is not ir.UNDEFINED:
                    copies.append((label, ir.Assign(source, statement.target, statement.loc)))
        block.body = kept
    for label, copy in copies:
        blocks[label].body.insert(-1, copy)


@register_pass(mutates_CFG=False, analysis_only=False)
class CheckAliases(FunctionPass):
    """Refuses functions in which a copy would show, after types are known."""

    _name = "batchsim_check_aliases"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Look through a function.

        Raises:
            RefusedError: for one that is refused.
        """
        if any(isinstance(kind, Large) for kind in state.typemap.values()):
            _check_large(state.func_ir.blocks, state.typemap)
        analysis = _Analysis(state.func_ir, state.typemap, state.calltypes)
        analysis.check_operators(state.metadata.get(CERTAIN, set()))
        if not any(map(_holds_arrays, state.typemap.values())):
            return False
        analysis.run()
        analysis.check()
        if analysis.changed:
            _copy_at_ends(state.func_ir.blocks, state.typemap)
        state.metadata[ALIASES] = analysis.summary()
        return True


class _Lower(Lower):
    """Numba's generator of code; arrays are written into where their variable is."""

    def setup_function(self, fndesc: Any) -> None:
        """Declare the function."""
        super().setup_function(fndesc)
        mark_addresses(self.context, self.function, fndesc.argtypes, fndesc.restype)

    def _find_singly_assigned_variable(self) -> None:
        super()._find_singly_assigned_variable()
        for statement in self._assignments():
            self._singly_assigned_vars.discard(statement.target.name)

    def _assignments(self) -> Iterator[Any]:
        for block in self.blocks.values():
            for statement in block.find_insts((ir.SetItem, ir.StaticSetItem)):
                if isinstance(self.typeof(statement.target.name), Value):
                    yield statement

    def lower_inst(self, inst: Any) -> Any:
        """Generate the code of a statement."""
        if isinstance(inst, (ir.SetItem, ir.StaticSetItem)):
            kind = self.typeof(inst.target.name)
            if isinstance(kind, Value):
                return self._write(kind, inst)
        return super().lower_inst(inst)

    def lower_expr(self, resty: Any, expr: Any) -> Any:
        """Generate the code of an expression."""
        if expr.op == "inplace_binop" and isinstance(self.typeof(expr.lhs.name), Value):
            # Numba takes `a - b` for `a -= b`, which may have another type.
            return self.lower_binop(resty, expr, expr.fn)
        return super().lower_expr(resty, expr)

    def _write(self, kind: Value, statement: Any) -> None:
        static = isinstance(statement, ir.StaticSetItem)
        index_variable = statement.index_var if static else statement.index
        index = self.typeof(index_variable.name)
        value = self.loadvar(statement.value.name)
        number = self.loadvar(index_variable.name)
        slot = self.getvar(statement.target.name)
        pointer = cgutils.gep_inbounds(self.builder, slot, 0, 0)
        if is_mask(index):
            given = self.typeof(statement.value.name)
            write_where(self.context, self.builder, kind, pointer, index, number, given, value)
            return
        chosen = None if static else chosen_by(kind, index)
        if chosen is not None:
            given = self.typeof(statement.value.name)
            write_chosen(
                self.context, self.builder, kind, pointer, None, index, number, chosen, given, value
            )
            return
        pattern = pattern_of(statement.index) if static else None
        pattern = pattern_of(index) if pattern is None else pattern
        place = find(kind, pattern)  # type: ignore[arg-type]
        write(
            self.context,
            self.builder,
            kind,
            place,  # type: ignore[arg-type]
            pointer,
            index,
            number,
            self.typeof(statement.value.name),
            value,
        )


@register_pass(mutates_CFG=True, analysis_only=False)
class LowerWithArrays(NativeLowering):
    """Numba's pass that generates code."""

    _name = "batchsim_lower"

    @property
    def lowering_class(self) -> Any:
        """What does it."""
        return _Lower
