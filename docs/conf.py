"""Sphinx configuration; before a build it writes a page for each environment of the registry, and
one for each public module.
"""

import importlib
import importlib.metadata
import inspect
import pkgutil
import reprlib
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock

import batchsim
import batchsim.adapters
from batchsim.registry import ENVIRONMENTS, load

project = "batchsim"
author = "batchsim contributors"
copyright = f"2026, {author}"
release = importlib.metadata.version("batchsim")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
default_role = "code"  # Docstrings have names in single backquotes.
autodoc_mock_imports = ["ray", "tree"]  # RLlib has an environment of its own.
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # Their docstrings say it in words.
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"batchsim {release}"

PAGES = Path(__file__).parent / "environments"
REFERENCE = Path(__file__).parent / "reference"

MODULES = (
    "batchsim",
    *("batchsim.accessors", "batchsim.containers", "batchsim.family", "batchsim.math"),
    *("batchsim.parts", "batchsim.python_random", "batchsim.random", "batchsim.random_state"),
    *("batchsim.ranges", "batchsim.raster", "batchsim.symbols"),
    *("batchsim.checking", "batchsim.convert", "batchsim.torch"),
    *(
        f"batchsim.adapters.{found.name}"
        for found in pkgutil.iter_modules(batchsim.adapters.__path__)
    ),
)
"""What others may import; each has its public names in `__all__`."""


def fields_table(heading: str, fields: Any) -> str:
    """Return a section with the names and defaults of a NamedTuple's fields."""
    rows = [f"| `{name}` | `{default!r}` |" for name, default in fields._field_defaults.items()]
    return "\n".join([f"## {heading}", "", "| name | default |", "|---|---|", *rows])


SECTIONS = {"Params": "Parameters", "Arguments": "Other arguments", "Options": "Reset options"}


def environment_page(ids: list[str]) -> str:
    """Return the page of an environment: its docstring, then what a caller may set."""
    definition = load(ids[0])
    parts = [definition.doc]
    for name, heading in SECTIONS.items():
        if hasattr(definition.namespace, name):
            parts.append(fields_table(heading, getattr(definition.namespace, name)))
    for id in ids:
        if ENVIRONMENTS[id].kwargs:
            changed = ", ".join(f"`{k}={v!r}`" for k, v in ENVIRONMENTS[id].kwargs.items())
            parts.append(f"The defaults of `{id}` differ: {changed}.")
    return "\n\n".join(parts) + "\n"


def write_environment_pages(app: Sphinx) -> None:
    """Write one page an environment, in place of those of an earlier build."""
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    ids: dict[str, list[str]] = {}
    for name, entry in ENVIRONMENTS.items():
        ids.setdefault(entry.module, []).append(name)
    for names in ids.values():
        page = environment_page(names)
        (PAGES / f"{names[0].replace('/', '-')}.md").write_text(page, encoding="utf-8")


def public_module(name: str) -> ModuleType:
    """Return a public module, whose library need not be installed."""
    with mock(autodoc_mock_imports):
        return importlib.import_module(name)


def directive(module: ModuleType, name: str) -> str:
    """Return what autodoc makes the entry of a public name of."""
    value = getattr(module, name)
    path = f"{module.__name__}.{name}"
    if isinstance(value, ModuleType):
        return f":doc:`{path}` is a module, and a function."
    if module is not batchsim and getattr(batchsim, name, None) is value:
        return f"`{path}` is :py:class:`batchsim.{name}`."
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, Exception) else "class"
        return f".. auto{kind}:: {path}\n   :members:"
    if type(value).__module__ == "builtins" and not callable(value):  # Its docstring is the type's.
        return f".. py:data:: {path}\n   :value: {reprlib.repr(value)}"
    return f".. auto{'function' if callable(value) else 'data'}:: {path}"


def reference_page(name: str) -> str:
    """Return the page of a module: its docstring, then every public name."""
    module = public_module(name)
    entries = [directive(module, public) for public in module.__all__]
    parts = [f"# {name}", "```{eval-rst}", f".. automodule:: {name}", *entries, "```"]
    return "\n\n".join(parts) + "\n"


def write_reference_pages(app: Sphinx) -> None:
    """Write one page a public module, in place of those of an earlier build."""
    shutil.rmtree(REFERENCE, ignore_errors=True)
    REFERENCE.mkdir()
    for name in MODULES:
        (REFERENCE / f"{name}.md").write_text(reference_page(name), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_environment_pages)
    app.connect("builder-inited", write_reference_pages)
