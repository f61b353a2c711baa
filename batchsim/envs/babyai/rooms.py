"""Levels in one room, and levels about one room of several."""

from typing import NamedTuple

from batchsim.envs.babyai.level import Level


class OneRoom(Level):
    """A level in a single room."""

    class Arguments(NamedTuple):
        room_size: int = 8
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, 1, 1


class TwoRooms(Level):
    """A level in two rooms, with as many things in each."""

    class Arguments(NamedTuple):
        room_size: int = 5
        objs_per_room: int = 2
        max_steps: int | None = None

    def rooms_of(p):
        return p.room_size, 1, 2

    def things_of(p):
        return 2 * p.objs_per_room


class FourDoors(Level):
    """A level whose doors are those of the room in the middle of nine."""

    LEAST_ROOMS = 3
    ROOM = 8  # the size of a room

    class Arguments(NamedTuple):
        num_rows: int = 3
        num_cols: int = 3
        max_steps: int | None = None

    @classmethod
    def rooms_of(cls, p):
        return cls.ROOM, p.num_rows, p.num_cols
