"""BabyAI: what its levels have of their own, beside the originals of the package minigrid."""

import numpy as np
import oracle
import pytest
from explorer import Explorer

import batchsim
from batchsim.envs.babyai.words import (
    AFTER,
    AND,
    BEHIND,
    CLAUSES,
    GO_TO,
    IN_FRONT,
    ON_LEFT,
    OPEN,
    PICK_UP,
    PUT_NEXT,
    THEN,
    VALUES,
    mission_text,
)
from batchsim.envs.minigrid.world import DROP, FORWARD, TURN_LEFT

OBJECT, DOOR, KEY, BALL, BOX = range(1, 6)  # words
SEVERAL = 5  # is added where not one thing alone is meant
RED, GREY = 1, 6
NOTHING = (0, 0, 0)


def mission(*clauses):
    """Return the words of a mission: each clause as joint, action and one or two descriptions."""
    words = []
    for joint, action, *descriptions in clauses:
        first, second = (*descriptions, NOTHING, NOTHING)[:2]
        words += [joint, action, *first, *second]
    return words + (len(VALUES) - len(words)) * [0]


@pytest.mark.parametrize(
    ("clauses", "text"),
    [
        ([(0, GO_TO, (BALL, RED, 0))], "go to the red ball"),
        ([(0, PICK_UP, (OBJECT + SEVERAL, GREY, 0))], "pick up a grey object"),
        ([(0, OPEN, (DOOR + SEVERAL, 0, ON_LEFT))], "open a door on your left"),
        (
            [(0, PUT_NEXT, (KEY, RED, IN_FRONT), (BOX + SEVERAL, 0, BEHIND))],
            "put the red key in front of you next to a box behind you",
        ),
        (
            [(0, GO_TO, (KEY, 0, 0)), NOTHING[:2], (THEN, OPEN, (DOOR, RED, 0))],
            "go to the key, then open the red door",
        ),
        (
            [
                (0, GO_TO, (KEY, 0, 0)),
                (AND, GO_TO, (BOX, 0, 0)),
                (AFTER, OPEN, (DOOR, 0, 0)),
                (AND, PICK_UP, (BALL, 0, 0)),
            ],
            "go to the key and go to the box after you open the door and pick up the ball",
        ),
    ],
)
def test_a_mission_reads(clauses, text):
    assert len(clauses) <= CLAUSES
    assert mission_text(tuple(mission(*clauses))) == text


@pytest.mark.parametrize("name", ["BabyAI-BossLevel-v0", "BabyAI-UnblockPickup-v0"])
def test_levels_and_missions_are_upstreams_however_many_were_refused(beside, name):
    pair = beside(name, 24)
    for seed in (0, 1000, 2**33):
        pair.reset(seed=seed)
        pair.compare_streams()
    for _ in range(3):
        pair.reset()
    pair.compare_streams()


def test_all_that_has_a_walls_colour_is_more_than_one_thing(beside):
    pair = beside("BabyAI-PickupDist-v0", 200)
    observations, _ = pair.reset(seed=0)
    assert "pick up a grey object" in observations["mission"]
    assert "pick up the grey object" not in observations["mission"]


@pytest.mark.parametrize(
    "name",
    [
        "BabyAI-GoToSeqS5R2-v0",  # things are passed that a later part asks for
        "BabyAI-MiniBossLevel-v0",  # all actions, orders and joints
        "BabyAI-OpenDoorsOrderN4Debug-v0",  # failures
        "BabyAI-PutNextS5N2Carrying-v0",
        "BabyAI-KeyInBox-v0",
    ],
)
def test_deeds_are_judged_as_upstream_does(beside, name):
    pair = beside(name, 16)
    pair.reset(seed=3)
    pair.run(400, Explorer(pair.reference, 3))
    pair.compare_streams()
    assert pair.successes > 3


def test_what_the_agent_carries_at_first_is_still_seen_on_the_floor(beside):
    pair = beside("BabyAI-PutNextS7N4Carrying-v0", 32)
    pair.reset(seed=1)
    for action in (DROP, TURN_LEFT, DROP, FORWARD, DROP):
        pair.step(np.full(32, action))


@pytest.mark.parametrize("name", ["BabyAI-GoToImpUnlock-v0", "BabyAI-Unlock-v0"])
def test_a_key_may_lie_behind_its_own_door(name):
    """As upstream compares numbers by `is`, they are never the same room."""
    envs = oracle.upstream(name, 40)
    envs.reset(seed=0)
    found = [key_is_locked_in(env.unwrapped) for env in envs.envs]
    envs.close()
    assert any(found)


def key_is_locked_in(env):
    """Return whether the first thing of a locked room is the key of its door."""
    for row in env.room_grid:
        for room in row:
            first = room.objs[0] if room.objs else None
            if room.locked and first is not None and first.type == "key":
                doors = [door for door in room.doors if door]
                return any(door.is_locked and door.color == first.color for door in doors)
    return False


@pytest.mark.parametrize(
    ("name", "kwargs", "limit"),
    [
        ("BabyAI-UnlockPickup-v0", {}, 72),
        ("BabyAI-UnlockPickup-v0", {"max_steps": 5}, 5),
        ("BabyAI-GoToObjS4-v0", {}, 16),
        ("BabyAI-KeyCorridorS3R1-v0", {}, 270),
        ("BabyAI-PutNextLocalS5N3-v0", {}, 50),
    ],
)
def test_an_episode_lasts_as_long_as_upstreams(beside, name, kwargs, limit):
    # As plain Python: nothing depends on what runs it, and each id's levels take long to compile.
    pair = beside(name, 4, native=False, reference_backend=True, **kwargs)
    pair.reset(seed=0)
    assert pair.subjects["reference"][0].get_attr("limit") == 4 * (limit,)
    if limit < 100:
        pair.run(limit, lambda: np.full(4, TURN_LEFT))
        assert pair.over.all()


ARGUMENTS = [
    ("BabyAI-GoToLocal-v0", {"room_size": 10, "num_dists": 12}),
    ("BabyAI-GoTo-v0", {"room_size": 6, "num_rows": 2, "num_cols": 5, "num_dists": 9}),
    ("BabyAI-GoTo-v0", {"room_size": 12, "num_rows": 3, "num_cols": 3}),
    ("BabyAI-OpenTwoDoors-v0", {"first_color": "red", "second_color": "red", "strict": True}),
    ("BabyAI-BossLevel-v0", {"room_size": 6, "num_rows": 2, "locked_room_prob": 1.0}),
    ("BabyAI-MoveTwoAcrossS5N2-v0", {"room_size": 6, "objs_per_room": 3, "max_steps": 40}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kwargs"), ARGUMENTS)
def test_arguments_are_upstreams(beside, name, kwargs):
    pair = beside(name, 6, **kwargs)
    pair.reset(seed=5)
    pair.run(200, Explorer(pair.reference, 5))
    pair.compare_streams()


@pytest.mark.parametrize(
    ("name", "kwargs", "words"),
    [
        ("BabyAI-GoToLocal-v0", {"num_dists": 63}, "num_dists is 63"),
        ("BabyAI-GoToLocal-v0", {"room_size": 4, "num_dists": 4}, "4 things"),
        ("BabyAI-GoToLocal-v0", {"num_dists": 0}, "num_dists is 0"),
        ("BabyAI-GoToObj-v0", {"room_size": 2}, "size 2"),
        ("BabyAI-OpenDoor-v0", {"num_rows": 1}, "1 rows"),
        ("BabyAI-OpenDoor-v0", {"select_by": "size"}, "select_by"),
        ("BabyAI-OpenTwoDoors-v0", {"first_color": "pink"}, "first_color"),
        ("BabyAI-OpenDoorsOrderN2-v0", {"num_doors": 5}, "num_doors"),
        ("BabyAI-PutNextLocal-v0", {"num_objs": 19}, "num_objs"),
        ("BabyAI-MoveTwoAcrossS5N2-v0", {"objs_per_room": 1}, "objs_per_room"),
        ("BabyAI-KeyCorridor-v0", {"obj_type": "door"}, "obj_type"),
        ("BabyAI-BossLevel-v0", {"locked_room_prob": 1.5}, "locked_room_prob"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(name, kwargs, words):
    with pytest.raises(ValueError, match=words):
        batchsim.make_vec(name, 2, **kwargs)


@pytest.mark.usefixtures("blocked_rooms_end")
def test_a_room_where_the_agent_could_only_head_at_things_is_given_up(beside):
    pair = beside("BabyAI-SynthS5R2-v0", 2, reference_backend=True)
    pair.reset(seed=[1741, 2678])  # of 5,000 levels five have such a room
    pair.compare_streams()


def test_tokens_are_in_their_space():
    envs = batchsim.make_vec("BabyAI-SynthSeq-v0", 64, text_mode="tokens")
    observations, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observations)
    assert observations["mission"].shape == (64, len(VALUES))
    envs.step(np.full(64, FORWARD))
    envs.close()
