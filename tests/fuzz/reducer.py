"""Makes a definition that shows a difference smaller, by leaving statements out."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

PARTS = [("Info", "inform", "INFO_AT_RESET"), ("Scratch",)]
"""What can only be left out together."""


def reduced(text: str, fails: Callable[[str], bool], attempts: int) -> str:
    """Return the smallest text found, in at most so many attempts, for which `fails` is true."""
    start = 0
    while attempts > 0:
        for place, smaller in enumerate(_smaller(text)):
            if place < start:
                continue
            attempts -= 1
            if fails(smaller):
                text, start = smaller, place
                break
            if attempts == 0:
                return text
        else:
            if start == 0:
                return text
            start = 0
    return text


def _smaller(text: str) -> Iterator[str]:
    """Return texts with one part or one statement less, the largest first."""
    tree = ast.parse(text)
    for names in PARTS:
        kept = [node for node in tree.body if not set(_names(node)) & set(names)]
        if len(kept) < len(tree.body):
            yield ast.unparse(ast.Module(kept, []))
    places = [
        (function, path)
        for function, node in enumerate(tree.body)
        if isinstance(node, ast.FunctionDef)
        for path in _paths(node)
    ]
    places.sort(key=lambda place: len(place[1]))
    for function, path in places:
        for change in (_without, _unwrapped):
            changed = copy.deepcopy(tree)
            if change(changed.body[function], path):
                yield ast.unparse(ast.fix_missing_locations(changed))


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [node.name] if isinstance(node, (ast.ClassDef, ast.FunctionDef)) else []


Path = tuple[tuple[str, int], ...]


def _paths(node: ast.stmt, path: Path = ()) -> Iterator[Path]:
    for field in ("body", "orelse"):
        for k, child in enumerate(getattr(node, field, [])):
            yield (*path, (field, k))
            yield from _paths(child, (*path, (field, k)))


def _body(node: ast.stmt, path: Path) -> tuple[list[ast.stmt], int]:
    for field, k in path[:-1]:
        node = getattr(node, field)[k]
    field, k = path[-1]
    body: list[ast.stmt] = getattr(node, field)
    return body, k


def _without(node: ast.stmt, path: Path) -> bool:
    body, k = _body(node, path)
    if isinstance(body[k], ast.Pass):
        return False
    body[k : k + 1] = [] if len(body) > 1 or path[-1][0] == "orelse" else [ast.Pass()]
    return True


def _unwrapped(node: ast.stmt, path: Path) -> bool:
    """Put what a block holds in its place."""
    body, k = _body(node, path)
    inner = getattr(body[k], "body", None)
    if inner is None:
        return False
    body[k : k + 1] = inner
    return True
