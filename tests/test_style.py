"""The house rules that no linter knows."""

import ast
import functools
import inspect
import re
from pathlib import Path

import pytest

import batchsim
from batchsim import registry
from batchsim.registry import ENVIRONMENTS

PACKAGE = Path(batchsim.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted(
    path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".pyx", ".pxd", ".hpp")
)
ENVS = [path for path in MODULES if "envs" in path.parts and path.name != "__init__.py"]
CONTRACT = {
    "reset",
    "step",
    "begin",
    "together",
    "finish",
    "observe",
    "inform",
    "OBSERVATION",
    "ACTION",
    "TOKENS",
    "REWARD_TYPE",
    "choose",
    "text",
    "tokenize",
    "settle",
    "tables",
    "check_params",
    "check_options",
    "check_state",
}
"""What every file of environments repeats; the author's contract describes it."""

HOOKS = {
    *("build", "follow", "furnish", "image_of", "play", "shape_of", "show"),
    *("extras_of", "rooms_of", "say", "size_of", "steps_of"),
    "throttles",
    *("chance_of", "dists_of", "generate", "limit_of", "numbers_of", "things_of"),
    "check_board",
}
"""What a family's definitions have each of their own; the family's class describes it."""

ORDINARY = {
    *("OBSERVATION", "TOKENS", "check_state", "choose", "renderer", "tables", "text"),
    *("extras_of", "image_of", "numbers_of", "rooms_of", "size_of", "steps_of", "things_of"),
}
"""Functions that are not compiled and that families share."""

SECTIONS = ["Action Space", "Observation Space", "Rewards", "Starting State", "Episode End"]


def short(path):
    return str(path.relative_to(PACKAGE))


def each(paths):
    """Make of a test of one file one test of all these, which tells all that it is not so of.

    One a file would be two thousand, which take longer to be kept apart than to be run.
    """

    def decorate(test):
        def test_all():
            wrong = []
            for path in paths:
                try:
                    test(path)
                except AssertionError as error:
                    wrong.append(f"{short(path)}: {error}")
            assert not wrong, "\n".join(wrong)

        test_all.__name__, test_all.__doc__ = test.__name__, test.__doc__
        return test_all

    return decorate


@functools.cache
def parsed(path):
    return ast.parse(path.read_text())


def imported(path):
    """The top packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


def lines(path):
    return len(path.read_text().splitlines())


@each(ENVS)
def test_an_environment_knows_neither_the_compiler_nor_torch(path):
    assert not imported(path) & {"numba", "llvmlite", "torch"}


@each(ENVS)
def test_an_environment_has_no_decorator(path):
    """Plain functions: the same run under a debugger, compiled, and later on other devices.

    What is ordinary Python may be a classmethod, and know which definition of a family it is of,
    and may keep what it has made.
    """
    for node in ast.walk(parsed(path)):
        decorators = [ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ())]
        ordinary = decorators == ["classmethod"] and node.name in ORDINARY
        assert not decorators or ordinary or decorators == ["functools.cache"]


@each(ENVS)
def test_an_environment_is_one_short_file(path):
    assert lines(path) <= 200


@each(SOURCES)
def test_a_module_stays_readable(path):
    assert lines(path) <= 700


ROOMS = ["compiler", "batch", "commands"]
"""From the lowest to the highest; what lies beside them in the package is no room's, or a room's
own affair, and knows no commands."""


def modules_imported(path):
    """The modules of batchsim that a file imports when it is loaded."""
    found = set()
    waiting = [parsed(path)]
    for node in waiting:
        of_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if of_types or isinstance(node, (ast.FunctionDef, ast.Lambda)):
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            members = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in NAMES else node.module for name in members}
    return found & set(NAMES)


def dotted(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {dotted(path): path for path in MODULES}


@each([path for path in MODULES if path.name != "__main__.py"])
def test_no_import_runs_from_a_lower_room_to_a_higher_one(path):
    room = path.relative_to(PACKAGE).parts[0]
    height = ROOMS.index(room) if room in ROOMS else ROOMS.index("batch")
    if path.parent == PACKAGE and path.name != "__init__.py":
        height = ROOMS.index("compiler")  # The door: environments import it.
    for name in modules_imported(path):
        other = name.split(".")[1] if "." in name else ""
        assert other not in ROOMS[height + 1 :], name


def test_no_imports_run_in_a_circle():
    found = {name: modules_imported(path) for name, path in NAMES.items()}
    while True:
        # Those that import nothing of what is left; in a circle there is none.
        ends = {name for name, others in found.items() if not others & set(found) - {name}}
        if not ends:
            break
        found = {name: others for name, others in found.items() if name not in ends}
    assert not found


@each([path for path in MODULES if path.relative_to(PACKAGE).parts[0] not in ("torch", "adapters")])
def test_torch_is_imported_in_its_own_place_only(path):
    assert "torch" not in imported(path)


@each([path for path in SOURCES if path.suffix in (".pyx", ".hpp") and "ladder" not in path.parts])
def test_the_driver_knows_no_environment(path):
    text = path.read_text().lower()
    for name in ENVIRONMENTS:
        assert name.split("-")[0].lower() not in text


def public_functions(path):
    """Functions and methods whose names do not begin with an underscore, classes too."""

    def visit(body, prefix):
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if node.name.startswith("_"):
                    continue
                yield f"{prefix}{node.name}", node
                if isinstance(node, ast.ClassDef):
                    yield from visit(node.body, f"{node.name}.")

    yield from visit(parsed(path).body, "")


def own(name):
    return name.rpartition(".")[2]


@each([path for path in MODULES if not path.name.startswith("_") or path.name == "__init__.py"])
def test_every_public_function_has_a_docstring(path):
    environment = path in ENVS
    without = [
        name
        for name, node in public_functions(path)
        if not ast.get_docstring(node)
        and not (
            environment
            and (name.rpartition(".")[2] in CONTRACT | HOOKS or isinstance(node, ast.ClassDef))
        )
        and not any("overload" in ast.dump(decorator) for decorator in node.decorator_list)
        and not any("setter" in ast.dump(decorator) for decorator in node.decorator_list)
    ]
    assert not without


@each([path for path in MODULES if path.read_text().strip()])
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_an_environments_docstring_has_the_sections_of_its_page(name):
    module = ENVIRONMENTS[name].module
    doc = registry.load(name).doc
    first = next(id for id, entry in ENVIRONMENTS.items() if entry.module == module)
    heading = doc.partition("\n")[0].removeprefix("# ")
    if ENVIRONMENTS[name].package is None:
        assert heading == first
        assert name == first or f"`{name}`" in doc
    else:  # There are many of them, called after their sizes.
        assert name.startswith(tuple(heading.split(", ")))
    for section in SECTIONS:
        assert f"\n## {section}\n" in doc, section


@pytest.mark.parametrize("name", batchsim.__all__)
def test_every_public_name_exists_and_is_documented(name):
    assert inspect.getdoc(getattr(batchsim, name))


def test_nothing_is_left_to_do():
    # Written apart, so that this file does not find itself.
    word = re.compile("|".join(["TO-DO", "FIX-ME", "X-X-X"]).replace("-", ""))
    texts = [*SOURCES, *(ROOT / "tests").glob("*.py"), *(ROOT / "docs").glob("*.md")]
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in texts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if word.search(line)
    ]
    assert not found
