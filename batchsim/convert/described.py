"""Puts the report of a conversion together."""

from __future__ import annotations

import ast
import dataclasses
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from batchsim.convert import kinds, layout
from batchsim.convert.attributes import is_own
from batchsim.convert.compose import Composed
from batchsim.convert.kinds import Kind
from batchsim.convert.layout import Room
from batchsim.convert.program import Program
from batchsim.convert.prove import Proof
from batchsim.convert.report import Compared, FromAttribute, Length, Place, Report
from batchsim.convert.watch import Sightings
from batchsim.ladder.machine import cpu_name

__all__ = ["describe", "lengths_of", "place_of"]


def describe(
    program: Program,
    seen: Sightings,
    composed: Composed,
    room: Room,
    proof: Proof,
    unrun: Iterable[Place],
    **rest: Any,
) -> Report:
    """Return the report of a conversion.

    Args:
        program, seen, composed, room, proof: what the stages made.
        unrun: lines that never ran.
        rest: the fields that no stage knows.
    """
    whole = composed.whole
    roles = {
        role: tuple(a.name for a in whole.attributes.values() if a.role == role)
        for role in ("known", "dropped")
    }
    modules, qualified = program.target
    return Report(
        name=f"{modules}:{qualified}",
        columns=tuple(_columns(program, composed, room)),
        parameters={a.name.lstrip("_"): float(a.value) for a in whole.parameters.values()},
        derived={
            a.name.lstrip("_"): ast.unparse(a.node)
            for a in whole.attributes.values()
            if a.role == "derived" and a.node is not None and a.name.lstrip("_") in whole.derived
        },
        constants=roles["known"],
        dropped=roles["dropped"],
        infos=tuple(composed.infos),
        dropped_infos=tuple(name for name in seen.infos if name not in composed.infos),
        streams=tuple(_streams(program, seen)),
        unrun=tuple(unrun),
        lengths=tuple(
            dataclasses.replace(
                length, greatest=max(length.greatest, proof.greatest.get(length.name, 0))
            )
            for name, kind in whole.state.items()
            for length in lengths_of(kind, name, room)
        ),
        notes=tuple(whole.notes),
        observation="column" if composed.has_column else "observe",
        proof=Compared(
            seeds=proof.seeds,
            modes=tuple(proof.modes),
            steps=proof.steps,
            episodes=proof.episodes,
            columns=tuple(proof.columns),
            mismatches=0 if proof else 1,
            processor=cpu_name(),
            numpy=version("numpy"),
            python=platform.python_version(),
        ),
        rate_of_original=proof.rate_of_original,
        rate=proof.rate,
        **rest,
    )


def _columns(program: Program, composed: Composed, room: Room) -> Iterator[FromAttribute]:
    whole = composed.whole
    for name, kind in whole.state.items():
        attribute = whole.attributes.get(name) or whole.attributes.get(f"_{name}")
        if attribute is not None:
            place = place_of(program, attribute.name)
            where = f", line {place.line}" if place is not None else ""
            origin = f"self.{attribute.name}{where}: {attribute.kind}"
        elif name.removeprefix("info_") in composed.infos:
            origin = f"the info {name.removeprefix('info_')!r}: {kind}"
        else:
            origin = f"{name}: {kind}"
        for column in layout.columns(kind, name, room):
            yield FromAttribute(column.name, column.dtype.name, column.shape, origin)


def place_of(program: Program, attribute: str) -> Place | None:
    """Return the line that first assigns an attribute."""
    for module in program.modules.values():
        for node in ast.walk(module.tree):
            if is_own(node) and node.attr == attribute and isinstance(node.ctx, ast.Store):
                line = node.lineno
                return Place(module.path, line, module.line(line))
    return None


def _streams(program: Program, seen: Sightings) -> Iterator[Place]:
    found = set()
    for k in seen.swapped:
        node = program.nodes[k]
        module = node.source  # type: ignore[attr-defined]
        found.add((module.path, node.lineno, module.line(node.lineno)))
    for place in sorted(found):
        yield Place(*place)


def lengths_of(kind: Kind, name: str, room: Room, depth: int = 0) -> Iterator[Length]:
    """Yield the lists in a kind, with the room for them; `layout.columns` lays them out alike."""
    match kind:
        case kinds.Maybe():
            yield from lengths_of(kind.value, name, room, depth)
        case kinds.Tuple() if kinds.common_dtype(kind) is None:
            for k, member in enumerate(kind.members):
                yield from lengths_of(member, f"{name}_{k}", room, depth)
        case kinds.Sequence():
            fixed = room.is_fixed(kind, name, depth)
            yield Length(name, room.capacity(kind, name, depth), kind.greatest, fixed)
            yield from lengths_of(kind.element, name, room, depth + 1)
        case kinds.Record() | kinds.Object():
            for key, member in kind.fields:
                yield from lengths_of(member, f"{name}_{key}", room, depth)
        case kinds.Map():
            yield Length(name, room.capacity(kind, name, depth), kind.greatest, False)
            yield from lengths_of(kind.key, f"{name}_keys", room, depth + 1)
            yield from lengths_of(kind.value, f"{name}_values", room, depth + 1)
