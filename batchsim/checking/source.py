"""Reads the source of an environment's functions and of those they call, for what cannot work.

Everything here is found without running anything, so that branches are examined that no episode
reaches, and every finding has a line. What is not understood counts as right: the runs follow.
"""

from __future__ import annotations

import ast
import builtins
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

import batchsim.parts
from batchsim.checking.contract import PLAIN
from batchsim.checking.functions import UNKNOWN, Function
from batchsim.checking.problems import Findings
from batchsim.compiler.expressions import METHODS, of_arrays
from batchsim.compiler.returns import wrong_returns
from batchsim.definition import Definition, suggest
from batchsim.family import env, is_namespace
from batchsim.streams import MODULES, PYTHON, RANDOM_STATE, is_other_stream

__all__ = ["examine_source"]

UNSEEDED = ("random", "numpy.random", "time", "secrets", "datetime", "uuid", "posix", "nt")
# fmt: off
ALLOCATING = (
    "append", "arange", "argsort", "argwhere", "array", "asarray", "ascontiguousarray",
    "atleast_1d", "concatenate", "copy", "cumsum", "diag", "diff", "dot", "einsum", "empty",
    "empty_like", "eye",
    "flatnonzero", "full", "full_like", "hstack", "identity", "linspace", "meshgrid", "nonzero",
    "ones", "ones_like", "outer", "repeat", "roll", "sort", "stack", "tile", "unique", "vstack",
    "zeros", "zeros_like",
)
# fmt: on
"""Functions of NumPy that return a new array."""
ALLOCATING_METHODS = ("astype", "copy", "flatten", "nonzero", "repeat", "argsort", "tolist")
OBJECTS = {
    ast.List: "a list",
    ast.ListComp: "a list",
    ast.Dict: "a dict",
    ast.DictComp: "a dict",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.GeneratorExp: "a generator",
    ast.Yield: "a generator",
    ast.YieldFrom: "a generator",
    ast.ClassDef: "a class",
    ast.With: "a context manager",
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.Delete: "del",
}
OBJECT_CALLS = {
    "list": "a list",
    "dict": "a dict",
    "set": "a set",
    "frozenset": "a set",
    "sorted": "a list",
    "map": "an iterator",
    "filter": "an iterator",
    "object": "an object",
    "getattr": "getattr",
    "setattr": "setattr",
    "hasattr": "hasattr",
    "isinstance": "isinstance",
    "type": "type",
    "vars": "vars",
    "eval": "eval",
    "exec": "exec",
    "open": "a file",
    "input": "input",
}
DRAWS = {
    "choice": "choice(rng, i, n)",
    "integers": "integers(rng, i, low, high)",
    "normal": "normal(rng, i, loc, scale)",
    "permutation": "permutation(rng, i, out)",
    "random": "random(rng, i)",
    "shuffle": "shuffle(rng, i, x)",
    "standard_normal": "standard_normal(rng, i)",
    "uniform": "uniform(rng, i, low, high)",
}
"""What draws in place of a method of NumPy's generators."""
OTHER_DRAWS = {
    RANDOM_STATE: {
        "choice": "choice(rng, i, n)",
        "normal": "normal(rng, i, loc, scale)",
        "permutation": "permutation(rng, i, out)",
        "rand": "rand(rng, i)",
        "randint": "randint(rng, i, low, high)",
        "randn": "randn(rng, i)",
        "random_sample": "random_sample(rng, i)",
        "shuffle": "shuffle(rng, i, x)",
        "uniform": "uniform(rng, i, low, high)",
    },
    PYTHON: {
        "choice": "choice(rng, i, n)",
        "gauss": "gauss(rng, i, mu, sigma)",
        "randint": "randint(rng, i, a, b)",
        "random": "random(rng, i)",
        "randrange": "randrange(rng, i, start, stop)",
        "sample": "sample(rng, i, n, out)",
        "shuffle": "shuffle(rng, i, x)",
        "uniform": "uniform(rng, i, a, b)",
    },
}
"""The same of definitions with another `RANDOM`."""
A_LOOP = "Write a loop over the elements; an array of a written size is np.zeros(n)."
WHICH = (
    "How many there are is not known when it is compiled: np.argmax(mask) is the first, and "
    "np.argmax(np.cumsum(mask) > k) number k of the np.count_nonzero(mask)."
)
INSTEAD = {
    "argwhere": WHICH,
    "einsum": "Write it with @, .T and np.sum.",
    "flatnonzero": WHICH,
    "nonzero": WHICH,
    "tolist": "Use the array itself.",
}
"""What to write in place of functions of NumPy that compiled code does not have."""
WHERE_TO_KEEP = (
    "Keep several values a row in a column: `cells: batchsim.column(np.int8, (10, 10))` in State, "
    "or in Scratch if only one call needs them."
)
RULES = (
    "Write numbers, tuples, columns and plain `if`s; Python objects do not exist in compiled code."
)


def examine_source(
    functions: list[Function], definition: Definition, tables: Iterable[str], findings: Findings
) -> None:
    """Note what the source shows to be wrong."""
    for message, hint, place in wrong_returns(definition.step):
        findings.add("return", message, hint, place)
    for function in functions:
        _Scan(function, definition, tables, findings).run()


class _Scan:
    """Walks one function's tree; `seen` methods note what is wrong at a node."""

    def __init__(
        self,
        function: Function,
        definition: Definition,
        tables: Iterable[str],
        findings: Findings,
    ) -> None:
        self.this = function
        self.name = function.function.__name__
        self.definition = definition
        self.findings = findings
        self.columns = [*definition.columns, *definition.scratch]
        self.parameters = [*definition.params, *definition.options, *tables]
        self.family = _family(function)
        # Variables of comprehensions are not among the function's.
        self.assigned = {
            node.id
            for node in ast.walk(function.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        # Parts of what is noted once as a whole, which are not to be noted again.
        self.skipped: set[ast.AST] = set()
        # Lists that are only handed on to a function of arrays, as in `np.array([x, y])`.
        self.allowed: set[ast.AST] = set()

    def add(self, kind: str, node: ast.AST, message: str, hint: str = "") -> None:
        self.findings.add(kind, f"{self.name} {message}", hint, self.this.place(node))

    def run(self) -> None:
        self.closure()
        tree = self.this.tree
        docstring = tree.body[0] if ast.get_docstring(tree) is not None else None
        for node in _walk([part for part in tree.body if part is not docstring]):
            if node in self.skipped:
                self.skipped.update(ast.iter_child_nodes(node))
                continue
            method = getattr(self, f"see_{type(node).__name__.lower()}", None)
            if method is not None:
                method(node)
            elif type(node) in OBJECTS and node not in self.allowed:
                self.object(node, OBJECTS[type(node)])

    def closure(self) -> None:
        free = self.this.function.__code__.co_freevars
        if free == ("__class__",):
            using = next(
                (node for node in ast.walk(self.this.tree) if getattr(node, "id", "") == "super"),
                self.this.tree,
            )
            self.add(
                "closure",
                using,
                "uses super(), which cannot be compiled.",
                f"Name the class: `Family.{self.name}(…)`, in which `env` stands for the same "
                "definition.",
            )
        elif free:
            using = next(
                (node for node in ast.walk(self.this.tree) if getattr(node, "id", "") in free),
                self.this.tree,
            )
            self.add(
                "closure",
                using,
                f"uses {free[0]!r}, a variable of an enclosing function.",
                "Use a module-level constant, a parameter or a column.",
            )

    def object(self, node: ast.AST, what: str) -> None:
        hint = WHERE_TO_KEEP if what in ("a list", "a dict", "a set") else RULES
        self.add("object", node, f"uses {what}, which cannot be compiled.", hint)

    # -- statements ----------------------------------------------------------------------------

    def see_expr(self, node: ast.Expr) -> None:
        # A sentence that stands alone is a comment; the compiler leaves it out.
        if isinstance(node.value, ast.Constant):
            self.skipped.add(node.value)

    def see_try(self, node: ast.Try) -> None:
        self.exception(node, "try")

    def see_raise(self, node: ast.Raise) -> None:
        self.skipped.update(ast.iter_child_nodes(node))
        self.exception(node, "raise")

    def see_assert(self, node: ast.Assert) -> None:
        self.skipped.update(ast.iter_child_nodes(node))
        self.exception(node, "assert")

    def exception(self, node: ast.AST, what: str) -> None:
        self.add(
            "exception",
            node,
            f"uses `{what}`, but an exception cannot leave compiled code.",
            "Refuse bad parameters in check_params or check_options; end an episode by "
            "returning terminated.",
        )

    def see_global(self, node: ast.Global) -> None:
        self.add(
            "global",
            node,
            f"changes the module-level variable {node.names[0]!r}.",
            "What changes during an episode is a column of State: each row has its own.",
        )

    def see_starred(self, node: ast.Starred) -> None:
        self.add(
            "object",
            node,
            f"uses `{ast.unparse(node)}`, which makes a list.",
            "Name each value, or write a loop over the elements of a column.",
        )

    def see_nonlocal(self, node: ast.Nonlocal) -> None:
        self.add("closure", node, f"changes {node.names[0]!r}, a variable of another function.")

    def see_functiondef(self, node: ast.FunctionDef) -> None:
        self.skipped.update(ast.iter_child_nodes(node))
        self.add(
            "closure",
            node,
            f"defines the function {node.name!r} inside.",
            "Define it at module level and pass it what it needs.",
        )

    def see_lambda(self, node: ast.Lambda) -> None:
        self.skipped.update(ast.iter_child_nodes(node))
        self.add("closure", node, "uses a lambda.", "Define a function at module level.")

    # -- expressions ---------------------------------------------------------------------------

    def see_constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, (str, bytes)):
            self.add(
                "text",
                node,
                f"uses the string {node.value!r}, which cannot be compiled.",
                "Give what it stands for a number: a module-level constant such as `LEFT = 0`.",
            )

    def see_joinedstr(self, node: ast.JoinedStr) -> None:
        self.skipped.update(ast.iter_child_nodes(node))
        self.add("text", node, "formats a string, which cannot be compiled.", "Leave it out.")

    def see_call(self, node: ast.Call) -> None:
        called = self.this.resolve(node.func)
        text = ast.unparse(node.func)
        source = _unseeded(called)
        if source is not None:
            self.skipped.update(ast.walk(node.func))
            name = text.rpartition(".")[2]
            self.add(
                "random",
                node,
                f"calls {text}, which no seed decides.",
                self.draw_instead(name)
                if source != "time"
                else "Count steps in a column of State; a clock cannot be repeated.",
            )
        elif is_other_stream(called, self.definition.random):
            self.other_stream(node, called)
        elif called in (batchsim.parts.part, batchsim.parts.put):
            # The name of a part is known when they are compiled.
            self.skipped.update(node.args[1:2])
        elif called is print:
            self.skipped.update(ast.walk(node))
            self.add(
                "text",
                node,
                "prints, which cannot be compiled.",
                'Leave it out; a debugger runs the same functions with backend="reference".',
            )
        elif isinstance(node.func, ast.Name) and called in (str, repr, format, chr, bytes):
            self.add("text", node, f"calls {text}, which makes a string.", "Leave it out.")
        elif (
            isinstance(node.func, ast.Name)
            and node.func.id in OBJECT_CALLS
            and called is getattr(builtins, node.func.id)
        ):
            self.object(node, OBJECT_CALLS[node.func.id])
        elif of_arrays(called):
            self.allowed.update(
                _written_lists([*node.args, *(part.value for part in node.keywords)])
            )
        elif _is_allocating(called):
            self.skipped.update(node.args)
            self.add(
                "allocation",
                node,
                f"calls {text}, which compiled code does not have for arrays.",
                INSTEAD.get(called.__name__, A_LOOP),
            )
        elif hasattr(called, "py_func"):
            self.add(
                "object",
                node,
                f"calls {text}, which is compiled already; expected a plain function.",
                "Leave the decorator out: batchsim compiles what step calls.",
            )
        elif called is self.definition.reset and self.this.name == "step":
            self.add(
                "restart",
                node,
                "calls reset to start the next episode.",
                "Only return terminated: batchsim resets the row, in the autoreset mode that the "
                "caller chose.",
            )
        elif isinstance(called, types.FunctionType) and isinstance(node.func, ast.Attribute):
            self.module_call(node, node.func, called)
        elif isinstance(called, types.MethodType) and isinstance(called.__self__, type):
            self.add(
                "module-call",
                node,
                f"calls {text}, a classmethod, which cannot be compiled.",
                PLAIN,
            )
        elif isinstance(node.func, ast.Attribute) and called is UNKNOWN:
            self.method(node, node.func)

    def module_call(
        self, node: ast.Call, function: ast.Attribute, called: types.FunctionType
    ) -> None:
        text, base = ast.unparse(function), self.this.owner(function)
        of_objects = isinstance(base, type) and not is_namespace(base)
        # Numba knows functions of Python's modules by their names, if at all.
        if of_objects or called.__module__.partition(".")[0] in sys.stdlib_module_names:
            owner, _, name = text.rpartition(".")
            self.add(
                "module-call",
                node,
                f"calls {text} through {owner}, which cannot be compiled.",
                "Define the function at module level and call it by its name."
                if of_objects
                else f"Import the function by name: `from {called.__module__} import {name}`.",
            )

    def method(self, node: ast.Call, function: ast.Attribute) -> None:
        column = self.column(function.value)
        if column is not None:
            self.skipped.add(function.value)
            self.whole_column(node, column, f"calls {ast.unparse(function)}()")
        elif function.attr in ALLOCATING_METHODS and function.attr not in METHODS:
            self.add(
                "allocation",
                node,
                f"calls .{function.attr}(), which compiled code does not have.",
                INSTEAD.get(function.attr, A_LOOP),
            )

    def whole_column(self, node: ast.AST, column: str, what: str) -> None:
        self.add(
            "whole-column",
            node,
            f"{what} on the whole column s.{column}, which holds all environments.",
            f"A function works on one row: `s.{column}[i]`.",
        )

    def column(self, node: ast.AST) -> str | None:
        """Return the column's name if the node is `s.column`."""
        if isinstance(node, ast.Attribute) and self.this.role(node.value) == "s":
            return node.attr if node.attr in self.columns else None
        return None

    def see_assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.target(target)
        if all(isinstance(target, ast.Subscript) for target in node.targets):
            self.allowed.update(_written_lists([node.value]))

    def see_binop(self, node: ast.BinOp) -> None:
        if isinstance(node.op, (ast.Add, ast.Sub)) and not isinstance(node.left, ast.List):
            self.allowed.update(_written_lists([node.right]))

    def see_augassign(self, node: ast.AugAssign) -> None:
        self.target(node.target)
        self.allowed.update(_written_lists([node.value]))

    def target(self, node: ast.expr) -> None:
        column = self.column(node)
        role = self.this.role(node.value) if isinstance(node, (ast.Attribute, ast.Subscript)) else 0
        if column is not None:
            self.whole_column(node, column, "assigns")
        elif role == "p" or (role == "action" and isinstance(node, ast.Subscript)):
            what = "the parameter " if role == "p" else ""
            self.add(
                "read-only",
                node,
                f"writes {what}{ast.unparse(node)}, which it may only read.",
                "Copy it into a variable, or keep what changes in a column of State.",
            )
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            value = self.this.resolve(node.value)
            if isinstance(value, (np.ndarray, list, dict)):
                self.add(
                    "global",
                    node,
                    f"changes the module-level variable {node.value.id!r}.",
                    "What changes during an episode is a column of State: each row has its own.",
                )

    def see_subscript(self, node: ast.Subscript) -> None:
        self.allowed.update(_written_lists([node.slice]))
        column = self.column(node.value)
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        if column is None:
            return
        if isinstance(first, ast.Slice):
            self.whole_column(node, column, f"uses {ast.unparse(node)}")
        elif isinstance(first, ast.Constant) or (
            isinstance(first, ast.BinOp) and self.this.role(first.left) == "i"
        ):
            self.add(
                "another-row",
                node,
                f"uses {ast.unparse(node)}, which belongs to another row.",
                f"A row may only use its own values: `s.{column}[i]`.",
            )

    def see_attribute(self, node: ast.Attribute) -> None:
        self.member(node)
        role = self.this.role(node.value)
        if role == "s" and node.attr not in self.columns and not node.attr.startswith("_"):
            self.add(
                "unknown-field",
                node,
                f"uses s.{node.attr}, but State{self.of_heir()} has no field {node.attr!r}"
                f"{suggest(node.attr, self.columns)}.",
                f"State has: {', '.join(self.columns)}.{self.of_family('State')}",
            )
        known = self.parameters
        if role == "p" and node.attr in self.definition.arguments:
            self.add(
                "unknown-parameter",
                node,
                f"uses p.{node.attr}, a field of Arguments, which the compiled functions do not "
                "see.",
                "Make a number a field of Params; of anything else, tables(p) makes arrays.",
            )
        elif role == "p" and node.attr not in known:
            self.add(
                "unknown-parameter",
                node,
                f"uses p.{node.attr}, but there is no parameter {node.attr!r}{self.of_heir()}"
                f"{suggest(node.attr, known)}.",
                f"The parameters are: {', '.join(known) or 'none; define a class Params'}."
                f"{self.of_family('Params')}",
            )
        if role == "rng":
            self.add(
                "random",
                node,
                f"uses rng.{node.attr}; rng holds the streams of all rows and has no methods.",
                self.draw_instead(node.attr),
            )

    def draw_instead(self, name: str) -> str:
        """Return what to write in place of a method that draws."""
        kind = self.definition.random
        draws = OTHER_DRAWS.get(kind, DRAWS)
        if name not in draws:
            name = {"randint": "integers", "gauss": "normal"}.get(name, "uniform")
            name = name if name in draws else "uniform"
        return (
            f"Draw from the row's own stream: `from {MODULES[kind]} import {name}` and "
            f"`{draws[name]}`."
        )

    def other_stream(self, node: ast.Call, called: types.FunctionType) -> None:
        """Note a draw from a stream of another kind than the definition's."""
        kind = next(kind for kind, module in MODULES.items() if module == called.__module__)
        self.add(
            "random",
            node,
            f"calls {called.__name__} of {called.__module__}, but the streams of "
            f"{self.definition.name} are {self.definition.random}'s.",
            f"Draw with the functions of {MODULES[self.definition.random]}, or write "
            f'`RANDOM = "{kind}"`.',
        )

    def of_heir(self) -> str:
        """Return which definition it is that lacks something, if it inherits the function."""
        return f" of {self.this.namespace.__name__}" if self.family is not None else ""

    def of_family(self, part: str) -> str:
        """Return what to write where a function is inherited, but not the fields it uses."""
        if self.family is None:
            return ""
        family, heir = self.family.__name__, self.this.namespace.__name__
        return (
            f" {heir} inherits {self.name} of {family}: write `{part} = merge({family}.{part}, …)` "
            f"in {heir}, with the fields that it adds."
        )

    def member(self, node: ast.Attribute) -> None:
        """Note a member of the definition, or of a class, that is not there."""
        base, owner = self.this.resolve(node.value), self.this.owner(node)
        if base is not env and not is_namespace(base):
            return
        self.skipped.add(node.value)
        if hasattr(owner, node.attr):
            return
        calls = [
            call
            for call in ast.walk(self.this.tree)
            if isinstance(call, ast.Call) and call.func is node
        ]
        passed = ", ".join(
            argument.id if isinstance(argument, ast.Name) else f"value{k}"
            for k, argument in enumerate(calls[0].args if calls else ())
        )
        what = f"def {node.attr}({passed}):" if calls else f"{node.attr} = …"
        self.add(
            "name",
            node,
            f"uses {ast.unparse(node)}, but {owner.__name__} has no {node.attr!r}"
            f"{suggest(node.attr, dir(owner))}.",
            f"Write `{what}` in {owner.__name__}, or in a class that it inherits from.",
        )

    def see_name(self, node: ast.Name) -> None:
        value = self.this.resolve(node)
        if value is env:
            self.add(
                "object",
                node,
                f"uses {node.id} as a value, which cannot be compiled.",
                f"Write what is meant of the definition: `{node.id}.name`.",
            )
        if value is UNKNOWN:
            names = self.this.function.__code__.co_varnames
            free = self.this.function.__code__.co_freevars
            if node.id not in (*names, *free, *self.assigned):
                known = [*names, *self.this.function.__globals__, *dir(builtins)]
                hint = ""
                if node.id == "self":
                    known = []
                    hint = "There is no object: what a row keeps is a column of State, `s.x[i]`."
                self.add(
                    "name",
                    node,
                    f"uses {node.id}, which is not defined{suggest(node.id, known)}.",
                    hint,
                )
        elif isinstance(value, (list, dict, set)) and isinstance(node.ctx, ast.Load):
            self.add(
                "global",
                node,
                f"uses {node.id}, a module-level {type(value).__name__}, which cannot be compiled.",
                "Make it a tuple of numbers or a NumPy array.",
            )


def _family(this: Function) -> Any:
    """Return the class that a definition inherits a function from, or None if it is its own."""
    for owner in getattr(this.namespace, "__mro__", ())[1:]:
        for value in vars(owner).values():
            if getattr(value, "__func__", value) is this.function:
                return owner
    return None


def _walk(nodes: list[Any]) -> Iterator[ast.AST]:
    """Yield nodes from the outside in, so that the outer ones can have the inner ones skipped."""
    for node in nodes:
        yield node
        yield from _walk(list(ast.iter_child_nodes(node)))


def _unseeded(called: Any) -> str | None:
    """Return the module of randomness or time that a function is of."""
    if called is UNKNOWN:
        return None
    # Functions such as random.random are methods of a hidden generator.
    owner = getattr(called, "__self__", None)
    if isinstance(owner, (types.ModuleType, type(None))):
        module = getattr(called, "__module__", None) or getattr(owner, "__name__", "") or ""
    else:
        module = owner.__module__ if isinstance(owner, type) else type(owner).__module__
    if callable(called):
        for source in UNSEEDED:
            if module == source or module.startswith(f"{source}."):
                return source
    return None


def _written_lists(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield lists that are written as arguments, and those within them."""
    for node in nodes:
        if isinstance(node, (ast.List, ast.Tuple)):
            yield node
            yield from _written_lists(node.elts)


def _is_allocating(called: Any) -> bool:
    """Tell whether a function of NumPy returns a new array that compiled code does not make."""
    if getattr(called, "__module__", "") == "numpy.linalg":
        return True
    name = getattr(called, "__name__", "")
    return name in ALLOCATING and called is getattr(np, name, None)
