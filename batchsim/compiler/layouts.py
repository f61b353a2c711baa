"""How the arrays of a tile lie: what decides a kernel's code, and how parts of a tile are cut out.

Of the compiler nothing else is needed where a kernel is found on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from batchsim.compiler.kernels import Tile

__all__ = [
    "ACCESSORS",
    "LIMIT",
    "SHARED",
    "UNKNOWN",
    "ArrayLayout",
    "HiddenLayout",
    "TupleLayout",
    "array_layout",
    "count",
    "cut_rows",
    "flatten",
    "frames_of",
    "layout_of",
    "part_layout",
    "places_of",
    "rebuild",
    "row_bytes",
]

Array = npt.NDArray[Any]

UNKNOWN = -1
LIMIT = 64
"""Elements up to which an array can be a value; what there is code for, one by one."""
SHARED = ("common", "tables", "settings")
"""The fields of a `Tile` that hold no row: a view does not slice them."""
NAMED = ("options", "tables", "parameters", "common")
"""The fields of a `Tile` whose members are read by their names, as `p.gravity`."""
LAST_SEEN = "common"
"""The last field of a tile that parts see."""
ACCESSORS = (
    "parameters_at",
    "reset_parameters_at",
    "row_views",
    "state_at",
    "clear_rows",
    "outcome",
)
"""Free names of the tile loops that stand for ways to reach columns; see `columns`."""


class ArrayLayout(NamedTuple):
    """What compiled code knows of an array; all of them are C-contiguous."""

    dtype: np.dtype[Any]
    trailing: tuple[int, ...]
    """The shape of a row."""
    length: int | None
    """How many rows there are of an array that all rows of a tile share; else None, and
    `UNKNOWN` where the tile says it.
    """
    writeable: bool
    is_small_table: bool = False
    """Whether it is a table of so few elements that its length is compiled in."""


class HiddenLayout(NamedTuple):
    """Stands for what compiled code does not see."""

    arrays: int
    """How many there are."""


class TupleLayout(NamedTuple):
    """The layouts of the members of a tuple or namedtuple, the last of which may be left out."""

    type: Any
    members: tuple[Any, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the members, none of a plain tuple."""
        return getattr(self.type, "_fields", ())

    def place(self, field: str) -> tuple[int, Any]:
        """Return how many arrays come before a member, and its layout."""
        k = self.fields.index(field)
        return sum(map(count, self.members[:k])), self.members[k]


def count(layout: ArrayLayout | HiddenLayout | TupleLayout) -> int:
    """Return how many arrays there are."""
    if isinstance(layout, HiddenLayout):
        return layout.arrays
    return 1 if isinstance(layout, ArrayLayout) else sum(map(count, layout.members))


def flatten(nested: Any) -> list[Array]:
    """Return the arrays of a nested tuple, as of a `Tile` in the order of the driver's table."""
    if isinstance(nested, np.ndarray):
        return [nested]
    return [array for member in nested for array in flatten(member)]


def places_of(tile: Tile) -> dict[int, int]:
    """Return where the driver's table has each array, by the array's id."""
    return {id(array): k for k, array in enumerate(flatten(tile))}


def frames_of(tile: Tile) -> int:
    """Return how many frames are stacked, 1 without stacking."""
    frames = flatten(tile.frames)
    return int(frames[0].shape[1]) if frames else 1


def cut_rows(tile: Tile, cut: Callable[[Array], Array]) -> Tile:
    """Return a tile with `cut(column)` in place of every column, shared arrays as they are."""

    def walk(nested: Any) -> Any:
        if isinstance(nested, np.ndarray):
            return cut(nested)
        return rebuild(nested, [walk(member) for member in nested])

    return Tile(
        **{
            name: nested if name in SHARED else walk(nested)
            for name, nested in tile._asdict().items()
        }
    )


def rebuild(nested: Any, members: list[Any]) -> Any:
    """Return a tuple or namedtuple like another, of other members."""
    return type(nested)(*members) if hasattr(nested, "_fields") else tuple(members)


def layout_of(tile: Tile) -> TupleLayout:
    """Return the layout of a tile: all that `native_view` needs of its arrays."""
    members = (array_layout(nested, name) for name, nested in tile._asdict().items())
    return TupleLayout(Tile, tuple(members))


def part_layout(whole: TupleLayout, hidden: Collection[str], names: Collection[str]) -> TupleLayout:
    """Return the layout of a tile as a part of a kernel sees it.

    Args:
        whole: the layout of the tile.
        hidden: fields that the part does not read.
        names: those of parameters, options and tables that its code may read.
    """
    members: list[Any] = []
    for field, member in zip(whole.fields, whole.members, strict=True):
        if field in NAMED:
            member = _seen_alone(member, names)
            if field == LAST_SEEN:
                member = TupleLayout(member.type, _without_hidden_end(member.members))
            is_hidden = all(isinstance(part, HiddenLayout) for part in member.members)
        else:
            is_hidden = field in hidden
        members.append(HiddenLayout(count(member)) if is_hidden else member)
        if field == LAST_SEEN:
            break
    return TupleLayout(Tile, _without_hidden_end(members))


def _seen_alone(layout: TupleLayout, names: Collection[str]) -> TupleLayout:
    """Return the layout of members of which those with these names are seen."""
    members = zip(layout.fields, layout.members, strict=True)
    seen = [member if name in names else HiddenLayout(count(member)) for name, member in members]
    return TupleLayout(layout.type, tuple(seen))


def _without_hidden_end(members: Sequence[Any]) -> tuple[Any, ...]:
    """Return members without the last ones, if they are hidden: no slot is counted from them."""
    seen = [k for k, member in enumerate(members) if not isinstance(member, HiddenLayout)]
    return tuple(members[: 1 + max(seen, default=-1)])


def array_layout(nested: Any, name: str = "") -> Any:
    """Return the layout of an array, or of the arrays of a nested tuple, in a field of a tile."""
    if isinstance(nested, np.ndarray):
        assert nested.flags.c_contiguous or not name, f"{name} {nested.shape} {nested.strides}"
        length = len(nested) if name in SHARED else None
        if name == "tables":
            length = UNKNOWN
        return ArrayLayout(nested.dtype, nested.shape[1:], length, nested.flags.writeable)
    layout = TupleLayout(type(nested), tuple(array_layout(member, name) for member in nested))
    return _with_known_lengths(layout, nested) if name == "tables" else layout


def _with_known_lengths(layout: TupleLayout, tables: Any) -> TupleLayout:
    """Return the layout of tables, in which those that are small and marked have their length."""
    marked = getattr(layout.type, "_marked", ())
    members = [
        member._replace(length=len(table), is_small_table=True)
        if name in marked and 0 < table.size <= LIMIT
        else member
        for name, member, table in zip(layout.fields, layout.members, tables, strict=True)
    ]
    return TupleLayout(layout.type, tuple(members))


def row_bytes(layout: ArrayLayout) -> int:
    """Return the size of a row of an array."""
    return int(layout.dtype.itemsize * np.prod(layout.trailing, dtype=int))
