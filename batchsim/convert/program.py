"""The first stage: finds a class, its bases and their modules, and reads their source.

The modules are imported anew, each expression of their functions marked, so that the next stage
sees what it evaluates to. Nothing of the author's files is changed.
"""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium

from batchsim.convert.generators import listed
from batchsim.convert.refusal import ConversionError, Refusal

__all__ = ["Module", "Program", "load"]

SEE = "__batchsim_see__"
SWAP = "__batchsim_swap__"
NOT_THE_AUTHORS = ("gymnasium.core", "gymnasium.utils", "gymnasium.spaces", "gymnasium.wrappers")


class Module:
    """A module of the author's: its source, and its tree with a number on each expression.

    Attributes:
        name: its name, by which it is imported.
        path: its file.
        lines: its source.
        original: its syntax tree.
        tree: the same, with generators as lists where that makes no difference; each node has
            this module as `source`, expressions a number `k`.
    """

    def __init__(self, name: str, path: str, number: Callable[[ast.expr], int]) -> None:
        self.name = name
        self.path = path
        text = Path(path).read_text(encoding="utf-8")
        self.lines = text.splitlines()
        self.tree = ast.parse(text, path)
        _mangle(self.tree, "")
        self._number(number)
        self.original = copy.deepcopy(self.tree)
        listed(self.tree)
        self._number(number)

    def _number(self, number: Callable[[ast.expr], int]) -> None:
        """Number the expressions that have no number yet."""
        for parent in ast.walk(self.tree):
            parent.source = self  # type: ignore[attr-defined]
            if isinstance(parent, ast.expr) and not hasattr(parent, "k"):
                parent.k = number(parent)  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict[int, Any]) -> Module:
        return self  # trees are copied, what they were read from is not

    def line(self, number: int) -> str:
        """Return a line of the source, without the space around it."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def find(self, qualified: str) -> ast.AST | None:
        """Return the definition of a function or class of the module, by its qualified name."""
        place: Any = self.tree
        for part in qualified.split("."):
            if part == "<locals>":
                continue
            for node in ast.walk(place) if place is not self.tree else place.body:
                if (
                    isinstance(node, ast.FunctionDef | ast.ClassDef)
                    and node.name == part
                    and node is not place
                ):
                    place = node
                    break
            else:
                return None
        return None if place is self.tree else place


def _mangle(node: ast.AST, owner: str) -> None:
    """Write private names of classes, `self.__x`, as Python names them: `self._Class__x`."""
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.Attribute)
            and owner
            and child.attr.startswith("__")
            and not child.attr.endswith("__")
        ):
            child.attr = f"_{owner.lstrip('_')}{child.attr}"
        _mangle(child, child.name if isinstance(child, ast.ClassDef) else owner)


@dataclass
class Program:
    """A class and the modules that it is made of.

    Attributes:
        cls: the class, of the modules as they are imported by `imported`.
        modules: the author's modules, by name.
        nodes: their expressions, by number.
        loaded: the modules as they were imported last.
    """

    cls: type[gymnasium.Env[Any, Any]]
    names: tuple[str, ...]
    target: tuple[str, str]
    modules: dict[str, Module] = field(default_factory=dict)
    nodes: list[ast.expr] = field(default_factory=list)
    loaded: dict[str, ModuleType] = field(default_factory=dict)

    def number(self, node: ast.expr) -> int:
        """Give an expression its number."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def imported(
        self,
        transform: Callable[[ast.Module], ast.Module],
        names: Mapping[str, Any],
        original: bool = False,
    ) -> type[gymnasium.Env[Any, Any]]:
        """Import the author's modules anew, with changed trees.

        Args:
            transform: returns the tree that a module is compiled from; it is given a copy.
            names: what the changed trees use, by name.
            original: whether generators are left as they are.

        Returns:
            The class of these modules.
        """
        finder = _Finder(self, transform, names, original)
        before = {name: sys.modules.pop(name) for name in self.names if name in sys.modules}
        for name in before:
            _forget(name)
        sys.meta_path.insert(0, finder)
        try:
            module = importlib.import_module(self.target[0])
            cls: Any = module
            for part in self.target[1].split("."):
                cls = getattr(cls, part)
        finally:
            sys.meta_path.remove(finder)
            self.loaded = {name: sys.modules[name] for name in self.names if name in sys.modules}
            # Later imports within functions find the modules that were there before.
            for name in self.names:
                sys.modules.pop(name, None)
                _forget(name)
            sys.modules.update(before)
            for name, module in before.items():
                package, _, last = name.rpartition(".")
                if package in sys.modules:
                    setattr(sys.modules[package], last, module)
        return cls  # type: ignore[no-any-return]

    def module_of(self, name: str, path: str) -> Module:
        """Return a module of the author's, read when it is first asked for."""
        if name not in self.modules:
            self.modules[name] = Module(name, path, self.number)
        return self.modules[name]

    def definition(self, thing: Any) -> ast.AST | None:
        """Return the tree of a function or class of the author's; None if it is nobody's."""
        module = self.modules.get(getattr(thing, "__module__", None) or "")
        return module.find(thing.__qualname__) if module else None


def _forget(name: str) -> None:
    """Let a package look for its module again."""
    package, _, last = name.rpartition(".")
    if package in sys.modules:
        vars(sys.modules[package]).pop(last, None)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a program's modules from changed trees."""

    def __init__(
        self,
        program: Program,
        transform: Callable[[ast.Module], ast.Module],
        names: Mapping[str, Any],
        original: bool,
    ) -> None:
        self.original = original
        self.program = program
        self.transform = transform
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.program.names:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            return spec
        return importlib.util.spec_from_file_location(
            fullname,
            spec.origin,
            loader=self,
            submodule_search_locations=spec.submodule_search_locations,
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        read = self.program.module_of(module.__name__, str(module.__file__))
        tree = self.transform(copy.deepcopy(read.original if self.original else read.tree))
        ast.fix_missing_locations(tree)
        vars(module).update(self.names)
        exec(compile(tree, read.path, "exec"), vars(module))


def load(where: str, qualified: str) -> Program:
    """Find a class.

    Args:
        where: a module's name, or the path of a Python file.
        qualified: the class's name in it.

    Raises:
        ConversionError: if there is no such module or class, or it is no environment.
    """
    name, root = _importable(where)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    _provide_gym()
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        missing = getattr(error, "name", None)
        raise ConversionError(
            Refusal(
                where,
                0,
                "",
                "a missing package" if missing and missing != name else "no such module",
                f"importing {name!r} ends with {type(error).__name__}: {error}",
                f"Install {missing}, or take it out of what stepping needs."
                if missing and missing != name
                else "",
            )
        ) from error
    cls: Any = module
    for part in qualified.split("."):
        cls = getattr(cls, part, None)
    if not isinstance(cls, type):
        found = sorted(
            key
            for key, thing in vars(module).items()
            if isinstance(thing, type) and issubclass(thing, gymnasium.Env)
        )
        raise ConversionError(
            Refusal(
                where,
                0,
                "",
                "no such class",
                f"{name} has no class {qualified!r}; environments there: {found}",
            )
        )
    if not issubclass(cls, gymnasium.Env):
        raise ConversionError(
            Refusal(where, 0, "", "no environment", f"{qualified} is no subclass of gymnasium.Env")
        )
    return Program(cls, _authors_modules(cls, module), (name, qualified))


def _importable(where: str) -> tuple[str, Path]:
    """Return the name by which a module is imported and the folder that must be on the path."""
    path = Path(where)
    if path.suffix != ".py":
        return where, Path.cwd()
    if not path.is_file():
        raise ConversionError(Refusal(where, 0, "", "no such file", f"there is no file {where!r}"))
    path = path.resolve()
    parts = [path.stem] if path.stem != "__init__" else []
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts), folder


def _authors_modules(cls: type, module: ModuleType) -> tuple[str, ...]:
    """Return the names of the modules that are read: those of the class's project."""
    own = {
        base.__module__
        for base in cls.__mro__
        if base.__module__ not in ("builtins", "abc", "typing")
        and not base.__module__.startswith(NOT_THE_AUTHORS)
    }
    top = module.__name__.partition(".")[0]
    if top == "gymnasium":
        # Beside the class's module, what its family shares.
        family = module.__name__.rpartition(".")[0]
        own |= {name for name in sys.modules if name.startswith(f"{family}.")}
        return tuple(sorted(own))
    if top == "batchsim":
        return tuple(sorted(own))
    root = Path(str(module.__file__)).parent
    for _ in range(module.__name__.count(".")):
        root = root.parent
    packaged = "site-packages" in root.parts
    for name, other in list(sys.modules.items()):
        file = getattr(other, "__file__", None)
        if not file or not file.endswith(".py") or name == "__main__":
            continue
        inside = Path(file).is_relative_to(root)
        if packaged:
            inside = name.partition(".")[0] == top
        elif inside:
            inside = "site-packages" not in Path(file).relative_to(root).parts
        if inside:
            own.add(name)
    return tuple(sorted(own))


def _provide_gym() -> None:
    """Let `import gym` find Gymnasium, where the older package is not installed."""
    if "gym" in sys.modules or importlib.util.find_spec("gym") is not None:
        return
    sys.modules["gym"] = gymnasium
    for name in list(sys.modules):
        if name.startswith("gymnasium."):
            sys.modules["gym" + name[len("gymnasium") :]] = sys.modules[name]


class Marker(ast.NodeTransformer):
    """Puts a call around expressions within functions: `__batchsim_see__(k, expression)`.

    Args:
        chosen: numbers of the expressions; None for all.
        function: the name of what is called.
    """

    def __init__(self, function: str, chosen: set[int] | None = None) -> None:
        self.function = function
        self.chosen = chosen
        self.depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Mark a function's body; not its decorators, annotations and defaults."""
        self.depth += 1
        node.body = [self.visit(child) for child in node.body]
        self.depth -= 1
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Leave the annotation of a variable alone."""
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Leave what is put into texts alone."""
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        """Leave patterns alone."""
        node.guard = node.guard and self.visit(node.guard)
        node.body = [self.visit(child) for child in node.body]
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Mark an expression that is read."""
        super().generic_visit(node)
        if (
            not self.depth
            or not isinstance(node, ast.expr)
            or isinstance(node, ast.Constant | ast.Starred | ast.Slice)
            or not isinstance(getattr(node, "ctx", ast.Load()), ast.Load)
            or (self.chosen is not None and node.k not in self.chosen)  # type: ignore[attr-defined]
        ):
            return node
        call = ast.Call(
            ast.Name(self.function, ast.Load()),
            [ast.Constant(node.k), node],  # type: ignore[attr-defined]
            [],
        )
        return ast.copy_location(call, node)
