"""The sixth stage: the definition as the text of a module."""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from batchsim.convert import layout
from batchsim.convert.attributes import Attribute
from batchsim.convert.comments import with_comments
from batchsim.convert.compose import Composed
from batchsim.convert.constants import literal
from batchsim.convert.kinds import Number
from batchsim.convert.layout import Column, Room

__all__ = ["room_of", "text_of"]

LINE = 100


def room_of(composed: Composed) -> Room:
    """Return what decides the room in a definition's columns."""
    return Room(composed.whole.capacities, frozenset(composed.whole.resized))


def text_of(composed: Composed, title: str) -> str:
    """Return the text of a definition.

    Args:
        composed: the definition.
        title: what its docstring begins with.
    """
    whole = composed.whole
    functions = [*whole.derived.values()]
    functions += composed.functions[:2]
    functions += [written.node for written in whole.functions.values() if written.node is not None]
    functions += composed.functions[2:]
    if composed.infos and composed.functions[-1].name != "inform":
        functions.append(_inform(composed))
    for function in functions:
        _tidy(function)
    bodies = "\n\n\n".join(ast.unparse(ast.fix_missing_locations(f)) for f in functions)
    room = room_of(composed)
    parts = [
        _docstring(whole.seen.env, title),
        _constants(composed, bodies),
        f"ACTION = {space_text(whole.seen.env.action_space)}",
        f"OBSERVATION = {space_text(whole.seen.env.observation_space)}",
        _limit(whole.seen.env),
        _fields("State", list(_state_columns(composed, room))),
    ]
    scratch = [
        (column, "")
        for name, kind in whole.scratch.items()
        for column in layout.columns(kind, name, room)
        if f"s.{column.name}[" in bodies
    ]
    if scratch:
        parts.append(_fields("Scratch", scratch))
    parts.append(_parameters(list(whole.parameters.values())))
    if composed.infos:
        parts.append(
            _fields(
                "Info",
                [
                    (Column(name, kind.dtype), "")
                    for name, kind in composed.infos.items()
                    if isinstance(kind, Number)
                ],
            )
        )
        at_reset = _info_at_reset(composed)
        if at_reset:
            parts.append(at_reset)
    if whole.tables:
        parts.append(_tables(composed))
    parts.append(bodies)
    body = "\n\n".join(part for part in parts if part)
    head = _imports(composed, body)
    docstring, _, rest = body.partition("\n\n#END#\n\n")
    text = formatted(f"{docstring}\n\n{head}\n\n{rest}\n")
    return with_comments(composed, text)


def _docstring(env: Any, title: str) -> str:
    own = inspect.cleandoc(type(env).__doc__ or "") if "__doc__" in vars(type(env)) else ""
    own = own.replace("\\", "\\\\").replace('"""', "'''")
    # Its first paragraph says what it is; upstream's go on for pages.
    paragraphs = [part for part in own.split("\n\n") if not part.lstrip().startswith("#")]
    lines = [line.rstrip() for line in paragraphs[0].splitlines()] if paragraphs else []
    text = "\n".join([title, *([""] if lines else []), *lines]).strip()
    return f'"""{text}\n"""\n\n#END#'


def _constants(composed: Composed, bodies: str) -> str:
    used = {node.id for node in ast.walk(ast.parse(bodies)) if isinstance(node, ast.Name)}
    lines = [
        f"{name} = {ast.unparse(ast.fix_missing_locations(node))}"
        for name, node in composed.whole.constants.items()
        if name in used
    ]
    return "\n".join(lines)


def _limit(env: Any) -> str:
    limit = getattr(getattr(env, "spec", None), "max_episode_steps", None)
    return f"MAX_EPISODE_STEPS = {limit}" if limit else ""


def _state_columns(composed: Composed, room: Room) -> Iterator[tuple[Column, str]]:
    whole = composed.whole
    with_default = []
    for name, kind in whole.state.items():
        attribute = whole.attributes.get(name) or whole.attributes.get(f"_{name}")
        for column in layout.columns(kind, name, room):
            default = _default(attribute, column, composed, room)
            if default:
                with_default.append((column, default))
            else:
                yield column, ""
    yield from with_default


def _default(attribute: Attribute | None, column: Column, composed: Composed, room: Room) -> str:
    if (
        attribute is None
        or not attribute.survives
        or (attribute.value is None and not column.name.endswith("_missing"))
    ):
        return ""
    whole = composed.whole
    found = np.zeros(column.shape, column.dtype)
    name = attribute.name
    if name not in whole.state:
        name = name.lstrip("_")
    for leaf, index, value in layout.flatten(
        attribute.value, attribute.kind, name, room, whole.codes
    ):
        if leaf == column.name:
            found[index] = value
    values = np.unique(found)
    if values.size > 1:
        whole.note(f"self.{attribute.name} is not set by reset, and does not begin with one number")
        return ""
    return repr(values[0].item())


def _fields(name: str, columns: list[tuple[Column, str]]) -> str:
    lines = [f"class {name}(NamedTuple):"]
    for column, default in columns:
        short = {"float64": "float", "int64": "int", "bool": "bool"}
        dtype = short.get(column.dtype.name, f"np.{column.dtype.name}")
        annotation = dtype
        if column.shape:
            shape: Any = column.shape if len(column.shape) > 1 else column.shape[0]
            annotation = f"batchsim.column({dtype}, {shape})"
        lines.append(f"    {column.name}: {annotation}" + (f" = {default}" if default else ""))
    if not columns:
        lines.append("    pass")
    return "\n".join(lines)


def _parameters(attributes: list[Attribute]) -> str:
    lines = ["class Params(NamedTuple):"]
    for attribute in attributes:
        lines.append(f"    {attribute.name.lstrip('_')}: float = {attribute.value!r}")
    if not attributes:
        lines.append("    pass")
    return "\n".join(lines)


def _info_at_reset(composed: Composed) -> str:
    """Return which infos are of another type when `reset` returns them."""
    found = []
    for name, kind in composed.infos.items():
        other = composed.whole.seen.infos_of_reset.get(name)
        if (
            isinstance(other, Number)
            and isinstance(kind, Number)
            and other.dtype.kind != kind.dtype.kind
        ):
            found.append(f"{name!r}: {_SHORT[other.dtype.kind]}")
    return f"INFO_AT_RESET = {{{', '.join(found)}}}" if found else ""


_SHORT = {"b": "bool", "i": "int", "u": "int", "f": "float"}


def _tables(composed: Composed) -> str:
    names = list(composed.whole.tables)
    lines = ["class Tables(NamedTuple):"]
    lines += [f"    {name}: np.ndarray" for name in names]
    lines += ["", "", "def tables(p):"]
    lines += ["    with np.load(Path(__file__).with_suffix('.npz')) as held:"]
    lines += ["        return Tables(**held)"]
    return "\n".join(lines)


def _inform(composed: Composed) -> ast.FunctionDef:
    body: list[ast.stmt] = [
        ast.parse(f"out.{name}[0] = s.info_{name}[i]").body[0] for name in composed.infos
    ]
    node = ast.parse("def inform(s, i, p, out): pass").body[0]
    assert isinstance(node, ast.FunctionDef)
    node.body = body
    return node


def _imports(composed: Composed, text: str) -> str:
    names = {
        node.id
        for node in ast.walk(ast.parse(text.replace("#END#", "")))
        if isinstance(node, ast.Name)
    }
    standard = []
    if "math" in names:
        standard.append("import math")
    if "Path" in names:
        standard.append("from pathlib import Path")
    standard.append("from typing import NamedTuple")
    third = ["import numpy as np"] if "np" in names else []
    used = sorted(names & {"Box", "Dict", "Discrete", "MultiBinary", "MultiDiscrete", "Tuple"})
    third.append(f"from gymnasium.spaces import {', '.join(used)}")
    own = ["import batchsim"] if "batchsim" in names else []
    for module, imported in sorted(composed.whole.imports.items()):
        kept = sorted(imported & names)
        if kept:
            own.append(f"from {module} import {', '.join(kept)}")
    return "\n".join([*standard, "", *third, *([""] if own else []), *own])


def space_text(space: gymnasium.Space[Any]) -> str:
    """Return the expression that makes a space."""
    match space:
        case spaces.Discrete():
            start = f", start={int(space.start)}" if space.start else ""
            return f"Discrete({int(space.n)}{start})"
        case spaces.MultiDiscrete():
            return f"MultiDiscrete({space.nvec.tolist()}{_dtype(space.dtype, np.int64)})"
        case spaces.MultiBinary():
            return f"MultiBinary({space.n if isinstance(space.n, int) else tuple(space.n)})"
        case spaces.Dict():
            inner = ", ".join(f"{key!r}: {space_text(part)}" for key, part in space.items())
            return f"Dict({{{inner}}})"
        case spaces.Tuple():
            return f"Tuple(({', '.join(map(space_text, space.spaces))},))"
        case spaces.Box():
            low, high = _bound(space.low), _bound(space.high)
            shape = "" if "array" in low or "array" in high else f", {space.shape}"
            if "array" in low and "array" not in high:
                high = f"np.full({space.shape}, {high}, np.{space.high.dtype.name})"
            if "array" in high and "array" not in low:
                low = f"np.full({space.shape}, {low}, np.{space.low.dtype.name})"
            keyword = "dtype=" if not shape else ""
            return f"Box({low}, {high}{shape}, {keyword}np.{np.dtype(space.dtype).name})"
    raise TypeError(f"{space} is not written")


def _dtype(dtype: Any, usual: Any) -> str:
    return "" if dtype == usual else f", np.{np.dtype(dtype).name}"


def _bound(bound: np.ndarray[Any, Any]) -> str:
    values = np.unique(bound)
    if values.size == 1:
        value = values[0].item()
        if isinstance(value, float) and np.isinf(value):
            return "np.inf" if value > 0 else "-np.inf"
        return repr(value)
    return (
        ast.unparse(literal(bound))
        .replace("float('inf')", "np.inf")
        .replace("float('-inf')", "-np.inf")
    )


def _tidy(function: ast.FunctionDef) -> None:
    """Put a variable's only use in its place, where nothing happens in between."""

    def tidied(body: list[ast.stmt]) -> list[ast.stmt]:
        for node in body:
            for name in ("body", "orelse"):
                inner = getattr(node, name, None)
                if inner:
                    setattr(node, name, tidied(inner))
        found: list[ast.stmt] = []
        for node in body:
            if _is_unused(node, counts):
                continue
            before = found[-1] if found else None
            if (
                isinstance(before, ast.Assign)
                and isinstance(before.targets[0], ast.Name)
                and isinstance(node, ast.Assign | ast.Return | ast.Expr)
                and counts.get(before.targets[0].id) == 2
                and _first_use(node, before.targets[0].id)
            ):
                found.pop()
                node = _Put(before.targets[0].id, before.value).visit(node)
            found.append(node)
        return found

    while True:
        counts: dict[str, int] = {}
        for part in ast.walk(function):
            if isinstance(part, ast.Name):
                counts[part.id] = counts.get(part.id, 0) + 1
        before = ast.dump(function)
        function.body = tidied(function.body)
        if ast.dump(function) == before:
            return


def _is_unused(node: ast.stmt, counts: dict[str, int]) -> bool:
    """Return whether a statement only gives a value to a variable that nothing reads."""
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and counts.get(node.targets[0].id) == 1
        and not any(isinstance(part, ast.Call) for part in ast.walk(node.value))
    )


def _first_use(node: ast.stmt, name: str) -> bool:
    """Return whether the first thing that a statement evaluates is a variable."""
    value: ast.AST | None = getattr(node, "value", None)
    if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name):
        index = [part for target in node.targets for part in ast.walk(target)]
        if any(isinstance(part, ast.Name) and part.id == name for part in index):
            return False
        if any(isinstance(part, ast.Call) for part in index):
            return False
    while value is not None:
        if isinstance(value, ast.Name):
            return value.id == name
        if isinstance(value, ast.BinOp | ast.Compare):
            value = value.left
        elif isinstance(value, ast.Subscript):
            value = value.value
        elif isinstance(value, ast.UnaryOp):
            value = value.operand
        elif isinstance(value, ast.Tuple) and value.elts:
            value = value.elts[0]
        elif (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name | ast.Attribute)
            and value.args
        ):
            value = value.args[0]
        else:
            return False
    return False


class _Put(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self.name = name
        self.value = value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.value if node.id == self.name and isinstance(node.ctx, ast.Load) else node


def formatted(text: str) -> str:
    """Return a module's text as ruff formats it, where ruff is installed."""
    ruff = shutil.which("ruff") or shutil.which("ruff", path=str(_folder_of_scripts()))
    if ruff is None:
        return text
    made = subprocess.run(
        [ruff, "format", "--isolated", f"--line-length={LINE}", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return made.stdout if made.returncode == 0 else text


def _folder_of_scripts() -> str:
    return str(Path(sys.executable).parent)
