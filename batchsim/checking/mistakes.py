"""What is wrong with an environment that cannot be compiled, in the author's terms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from batchsim.checking.backends import explain_compile_error
from batchsim.checking.functions import Function, reached_functions
from batchsim.checking.problems import Findings, Place, Problem
from batchsim.checking.source import examine_source
from batchsim.definition import CompileError, Definition

__all__ = ["explain"]


def explain(error: Exception, definition: Definition, tables: Iterable[str]) -> CompileError:
    """Return what to raise in place of what the compiler raised: file, line and what to write.

    Args:
        error: what it raised, kept as `compiler_error`.
        definition: of the environment.
        tables: the names of its tables.
    """
    findings = Findings(())
    functions = reached_functions(definition, findings)
    examine_source(functions, definition, tables, findings)
    if not findings.problems:
        message, hint, place = explain_compile_error(error, functions)
        findings.add("compile", message, hint, place or _place_of_name(error, functions))
    explained = CompileError(_sentence(findings.problems[0], definition))
    explained.compiler_error = error
    return explained


def _place_of_name(error: Exception, functions: list[Function]) -> Place:
    """Return where the name that a message begins with is used, or else where `step` begins."""
    named = re.match(r"The name '(\w+)", str(error))
    for function in functions:
        for node in ast.walk(function.tree):
            if named and isinstance(node, ast.Name) and node.id == named[1]:
                return function.place(node)
    steps = [function for function in functions if function.name == "step"]
    return steps[0].place(steps[0].tree) if steps else None


def _sentence(problem: Problem, definition: Definition) -> str:
    said = str(problem) if problem.file is not None else f"{definition.name}: {problem}"
    return f"{said} {problem.hint}".rstrip()
