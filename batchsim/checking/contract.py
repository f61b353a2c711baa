"""Examines what a definition is made of: names, arguments and fields; runs nothing of it."""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap
from typing import Any

import numpy as np

from batchsim.checking.problems import Findings, Place
from batchsim.columns import Sized, read_column
from batchsim.definition import Definition, suggest
from batchsim.family import part_of

__all__ = [
    "COLUMNS",
    "FUNCTIONS",
    "PLAIN",
    "examine_contract",
    "place_of",
    "place_of_field",
    "place_of_name",
]

REQUIRED = ("State", "ACTION", "OBSERVATION", "reset", "step", "observe")
FUNCTIONS = {
    "reset": ("s", "i", "p", "rng"),
    "step": ("s", "i", "action", "p", "rng"),
    "observe": ("s", "i", "p", "out"),
    "inform": ("s", "i", "p", "out"),
}
"""The functions of the contract that are compiled, and their arguments."""

CHECK_STATE = ("s", "p")
"""The arguments of `check_state`, which is ordinary Python."""

TABLES = ("p",)
"""The argument of `tables`, which is ordinary Python too."""
PLAIN = "Leave the decorator and `cls` out, and write `env` of batchsim.family for the definition."
"""What to write in place of a classmethod."""
CHOOSE = ("arguments",)
"""The argument of `choose`, which is ordinary Python too."""
TEXT = ("tokens",)
"""The argument of `text`, which is ordinary Python too."""
TOKENIZE = ("text",)
"""The argument of `tokenize`, which is ordinary Python too."""

COLUMNS = ("State", "Scratch", "Info")
DEFAULTS = ("Params", "Options", "Arguments")


def place_of(thing: Any) -> Place:
    """Return file and line of a module, class or function, or None if it has none."""
    try:
        file = inspect.getsourcefile(thing)
        line = 1 if inspect.ismodule(thing) else inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        return None
    return None if file is None else (file, max(line, 1))


def place_of_name(namespace: Any, name: str) -> Place:
    """Return where a module or class gives a name its value, or else where it begins."""
    value = getattr(namespace, name, None)
    place = place_of(value) if inspect.isfunction(value) or inspect.isclass(value) else None
    # Of a family's names, the class that has it.
    owners = (owner for owner in getattr(namespace, "__mro__", ()) if name in vars(owner))
    namespace = next(owners, namespace)
    start = place_of(namespace)
    if place is not None or start is None:
        return place or start
    tree = ast.parse(textwrap.dedent(inspect.getsource(namespace)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(
            getattr(target, "id", None) == name for target in node.targets
        ):
            return start[0], start[1] + node.lineno - 1
    return start


def examine_contract(namespace: Any, name: str, findings: Findings) -> Definition | None:
    """Return the definition, or None if what it is made of is wrong."""
    before = len(findings.problems)
    _examine_names(namespace, name, findings)
    for function, arguments in FUNCTIONS.items():
        if hasattr(namespace, function):
            _examine_arguments(namespace, function, arguments, findings)
    if hasattr(namespace, "check_state"):
        _examine_arguments(namespace, "check_state", CHECK_STATE, findings)
    if hasattr(namespace, "tables"):
        _examine_arguments(namespace, "tables", TABLES, findings)
    if hasattr(namespace, "choose"):
        _examine_arguments(namespace, "choose", CHOOSE, findings)
    if hasattr(namespace, "TOKENS") and inspect.isfunction(getattr(namespace, "text", None)):
        _examine_arguments(namespace, "text", TEXT, findings)
        if inspect.isfunction(getattr(namespace, "tokenize", None)):
            _examine_arguments(namespace, "tokenize", TOKENIZE, findings)
    for part in (*COLUMNS, *DEFAULTS):
        if hasattr(namespace, part):
            _examine_fields(namespace, part, findings)
    _examine_clashes(namespace, findings)
    if len(findings.problems) > before:
        return None
    try:
        return Definition(namespace, name)
    except Exception as error:
        name = str(error).partition(" ")[0]  # Most messages begin with what is wrong.
        findings.add("definition", str(error), place=place_of_name(namespace, name))
        return None


def _examine_names(namespace: Any, name: str, findings: Findings) -> None:
    there = [word for word in dir(namespace) if not word.startswith("__")]
    if not any(hasattr(namespace, required) for required in REQUIRED):
        inside = [word for word in there if hasattr(getattr(namespace, word), "step")]
        findings.add(
            "missing",
            f"{name} is no environment: it has none of {', '.join(REQUIRED)}.",
            f"It holds {', '.join(inside)}: name it as {name}:{inside[0]}." if inside else "",
            place_of(namespace),
        )
        return
    for required in REQUIRED:
        if not hasattr(namespace, required):
            # Names that mean something already are no misspelt ones.
            others = [word for word in there if word not in (*REQUIRED, *FUNCTIONS)]
            lower = {word.lower(): word for word in others}
            close = difflib.get_close_matches(required.lower(), lower, n=1, cutoff=0.75)
            near = lower[close[0]] if close else ""
            meant = f" (did you mean {near!r}?)" if near else ""
            findings.add(
                "missing",
                f"{name} has no {required}{meant}.",
                "An environment has State, ACTION, OBSERVATION, reset, step and observe.",
                place_of_name(namespace, near),
            )
    together = "Info has the fields and inform(s, i, p, out) writes them; neither goes alone."
    told = "TOKENS is the space of what observe writes of a text, text(tokens) makes a str of it."
    pairs = (("Info", "inform", together), ("inform", "Info", together), ("TOKENS", "text", told))
    for one, other, why in pairs:
        if hasattr(namespace, one) and not hasattr(namespace, other):
            findings.add(
                "missing", f"{name} has {one} but no {other}.", why, place_of_name(namespace, one)
            )


def _examine_arguments(
    namespace: Any, name: str, expected: tuple[str, ...], findings: Findings
) -> None:
    function = getattr(namespace, name)
    call = f"{name}({', '.join(expected)})"
    place = place_of(function)
    if inspect.ismethod(function) and name in FUNCTIONS:
        what = f"{name} is a classmethod; expected a plain function {call}."
        findings.add("arguments", what, PLAIN, place)
        return
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        findings.add(
            "arguments",
            f"{name} is {function!r}; expected a plain function {call}.",
            place=place or place_of(namespace),
        )
        return
    if function.__code__.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
        findings.add("arguments", f"{name} is a generator; expected a plain function.", "", place)
    arguments = inspect.signature(function).parameters.values()
    plain = all(argument.kind is argument.POSITIONAL_OR_KEYWORD for argument in arguments)
    required = [argument for argument in arguments if argument.default is argument.empty]
    if not plain or len(required) > len(expected) or len(arguments) < len(expected):
        found = ", ".join(map(str, arguments))
        findings.add(
            "arguments",
            f"{name} takes ({found}), which is {_count(len(arguments))}; it is called as {call}.",
            f"Write `def {call}:`.",
            place,
        )


def _count(number: int) -> str:
    return f"{number} argument{'' if number == 1 else 's'}"


def _examine_fields(namespace: Any, part: str, findings: Findings) -> None:
    cls: Any = getattr(namespace, part)
    if not hasattr(cls, "_fields"):
        findings.add(
            "field",
            f"{part} is {cls!r}; expected a class derived from typing.NamedTuple.",
            place=place_of(cls) or place_of(namespace),
        )
        return
    for field in cls._fields:
        if part in COLUMNS:
            _examine_column(namespace, part, field, findings)
        elif field not in cls._field_defaults:
            findings.add(
                "field",
                f"{part}.{field} has no default value.",
                f"Write `{field}: {_annotation_text(cls, field)} = …`.",
                place_of_field(cls, field),
            )


def _examine_column(namespace: Any, part: str, field: str, findings: Findings) -> None:
    cls: Any = getattr(namespace, part)
    name, place = f"{part}.{field}", place_of_field(cls, field)
    annotation, why = _annotation(cls, field)
    if annotation is None:
        findings.add(
            "field",
            f"{name} is annotated {_annotation_text(cls, field)}; expected a dtype of numbers or "
            f"bool{why}.",
            "Write float, int, bool, np.int8, …, or batchsim.column(np.int8, (10, 10)) for "
            "several values a row.",
            place,
        )
        return
    if isinstance(annotation, Sized):
        known = [
            one
            for other in ("Params", "Arguments")
            for one in getattr(getattr(namespace, other, None), "_fields", ())
        ]
        for extent in annotation.names:
            if extent not in known:
                findings.add(
                    "size",
                    f"The shape of {name} names {extent!r}, which is no parameter or argument"
                    f"{suggest(extent, known)}.",
                    f"Parameters and arguments are: {', '.join(known) or 'none'}.",
                    place,
                )
    if field not in cls._field_defaults:
        return
    if part != "State":
        findings.add(
            "field",
            f"{name} has a default value.",
            f"Write `{field}: {_annotation_text(cls, field)}`; only fields of State hold something "
            "before the first call.",
            place,
        )
        return
    try:
        read_column(annotation, name, [cls._field_defaults[field]])
    except (TypeError, ValueError) as error:
        hint = f"Every element of s.{field} holds the default before the first reset."
        findings.add("field", str(error), hint, place)


def _annotation(cls: Any, field: str) -> tuple[Any, str]:
    """Return a column's annotation, None if it is no dtype of numbers, and what is wrong."""
    annotation = cls.__annotations__[field]
    text = getattr(annotation, "__forward_arg__", annotation)
    why = ""
    try:
        if isinstance(text, str):
            annotation = eval(text, vars(inspect.getmodule(part_of(cls, field))))
        good = isinstance(annotation, Sized) or (
            np.dtype(annotation).base.kind in "fiub" and annotation is not None
        )
    except (NameError, SyntaxError, TypeError, ValueError, AttributeError) as error:
        good = False
        why = f" ({str(error).rstrip('.')})" if str(error).startswith("The ") else ""
    return (annotation if good else None), why


def _annotation_text(cls: Any, field: str) -> str:
    annotation = cls.__annotations__[field]
    text = getattr(annotation, "__forward_arg__", annotation)
    return text if isinstance(text, str) else str(getattr(text, "__name__", repr(text)))


def place_of_field(cls: Any, field: str) -> Place:
    """Return where a NamedTuple annotates a field, or else where the class begins."""
    cls = part_of(cls, field)
    place = place_of(cls)
    if place is None:
        return None
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", None) == field:
            return place[0], place[1] + node.lineno - 1
    return place


def _examine_clashes(namespace: Any, findings: Findings) -> None:
    """`s` and `p` each hold the fields of several classes under one name."""
    for parts in (("State", "Scratch"), DEFAULTS):
        seen: dict[str, str] = {}
        for part in parts:
            for field in getattr(getattr(namespace, part, None), "_fields", ()):
                if field in seen:
                    findings.add(
                        "clash",
                        f"{field!r} is a field of both {seen[field]} and {part}.",
                        "Rename one of the two.",
                        place_of_field(getattr(namespace, part), field),
                    )
                seen.setdefault(field, part)
