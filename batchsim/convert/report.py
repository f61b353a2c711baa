"""What is told of a conversion: plain values, so that it can be kept and sent as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Compared", "FromAttribute", "Length", "Place", "Report"]


@dataclass(frozen=True)
class Place:
    """A line of the author's."""

    file: str
    line: int
    source: str


@dataclass(frozen=True)
class FromAttribute:
    """A column and where it is from."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    origin: str


@dataclass(frozen=True)
class Length:
    """Room for a list, and the greatest length that was seen; None where it is always the same."""

    name: str
    capacity: int
    greatest: int
    fixed: bool


@dataclass(frozen=True)
class Compared:
    """The proof: what was compared with the class, bit for bit."""

    seeds: int = 0
    modes: tuple[str, ...] = ()
    steps: int = 0
    episodes: int = 0
    columns: tuple[str, ...] = ()
    mismatches: int = 0
    processor: str = ""
    numpy: str = ""
    python: str = ""


@dataclass(frozen=True)
class Report:
    """What a conversion found and did.

    Attributes:
        name: of the class, `module:Class`.
        arguments: of its constructor, as text.
        file: the definition.
        columns: of `State`, and where each is from.
        parameters, derived: what a caller may set, and what follows from it.
        constants, dropped: attributes that became constants, or nothing since nothing reads them.
        infos, dropped_infos: keys of infos that are kept, and of those that are left out.
        streams: lines that draw elsewhere than from `self.np_random`; they draw from the row's
            stream, in the definition and in the class that it was compared with.
        unrun: lines that `reset` and `step` can come to and that never ran: types are guessed.
        lengths: room for lists.
        notes: what else was left out.
        observation: `"observe"`, or `"column"` if it is kept where the class makes it.
        proof: what was compared.
        rate_of_original, rate: steps a second, of the class and of a batch of 4,096 on one thread.
        seconds: what each stage took.
        lines_of_class, lines: how long the class's logic is, and the definition.
    """

    name: str
    arguments: str
    file: str
    columns: tuple[FromAttribute, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    derived: Mapping[str, str] = field(default_factory=dict)
    constants: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    dropped_infos: tuple[str, ...] = ()
    streams: tuple[Place, ...] = ()
    unrun: tuple[Place, ...] = ()
    lengths: tuple[Length, ...] = ()
    notes: tuple[str, ...] = ()
    observation: str = "observe"
    proof: Compared = Compared()
    rate_of_original: float = 0.0
    rate: float = 0.0
    seconds: Mapping[str, float] = field(default_factory=dict)
    lines_of_class: int = 0
    lines: int = 0

    @property
    def factor(self) -> float:
        """How many times as fast as the class."""
        return self.rate / self.rate_of_original if self.rate_of_original else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> Report:
        """Return what `to_json` gave."""
        fields = dict(held)
        for name, kind in {
            "columns": FromAttribute,
            "streams": Place,
            "unrun": Place,
            "lengths": Length,
        }.items():
            fields[name] = tuple(kind(**part) for part in fields[name])
        for column in fields["columns"]:
            object.__setattr__(column, "shape", tuple(column.shape))
        for name in ("constants", "dropped", "infos", "dropped_infos", "notes"):
            fields[name] = tuple(fields[name])
        proof = fields["proof"]
        fields["proof"] = Compared(
            **{**proof, "modes": tuple(proof["modes"]), "columns": tuple(proof["columns"])}
        )
        return cls(**fields)
