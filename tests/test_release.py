"""What a release says of itself is true, and its documentation names everything public."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest

import batchsim

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
IMPORT = re.compile(r"^\s*(?:from|import) (batchsim\.[\w.]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def configuration():
    """The names of docs/conf.py, which finds the installed package's version."""
    pytest.importorskip("sphinx")
    return runpy.run_path(str(DOCS / "conf.py"))


def test_every_public_name_is_in_the_reference(configuration):
    for name in configuration["MODULES"]:
        page = configuration["reference_page"](name)
        for public in configuration["public_module"](name).__all__:
            entry = rf"(:: |`){re.escape(name)}\.{public}\b"
            assert re.search(entry, page), f"{name}.{public}"


def test_what_the_documentation_imports_is_public(configuration):
    for page in DOCS.glob("*.md"):
        found = {*IMPORT.findall(page.read_text(encoding="utf-8"))}
        assert found <= {*configuration["MODULES"]}, page.name


def test_the_first_example_is_the_readmes_and_runs(capsys):
    source = (DOCS / "examples" / "first_steps.py").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert source.partition('"""\n\n')[2] == re.search(r"```python\n(.*?)```", readme, re.S)[1]
    runpy.run_path(str(DOCS / "examples" / "first_steps.py"))
    assert capsys.readouterr().out.startswith("mean reward of the last step: ")


def test_the_oldest_versions_are_those_that_are_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    oldest = (ROOT / "requirements" / "oldest.txt").read_text(encoding="utf-8")
    pinned = dict(line.split("==") for line in oldest.splitlines() if "==" in line)
    bounds = dict(requirement.split(">=") for requirement in allowed)
    for name, version in bounds.items():
        assert re.fullmatch(rf"{re.escape(version)}(\.0)*", pinned.pop(name)), name
    assert not pinned


def test_the_changelog_begins_with_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^## (\S+)", changelog, re.MULTILINE)[1] == batchsim.__version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
