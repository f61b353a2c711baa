"""Sphinx configuration; before a build it writes a page for each environment of the registry."""

import importlib.metadata
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from batchsim.registry import ENVIRONMENTS, load

project = "batchsim"
author = "batchsim contributors"
copyright = f"2026, {author}"
release = importlib.metadata.version("batchsim")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"batchsim {release}"

PAGES = Path(__file__).parent / "environments"


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


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", write_environment_pages)
