"""The constants of Box2D 2.3 by Erin Catto (zlib licence), in metres, kilograms and seconds."""

import numpy as np

ZERO = np.float32(0.0)
ONE = np.float32(1.0)
HALF = np.float32(0.5)
EPSILON = np.float32(np.finfo(np.float32).eps)
LARGEST = np.float32(np.finfo(np.float32).max)
PI = np.float32(3.14159265359)
THIRD = ONE / np.float32(3.0)
TURN = np.float32(2.0) * PI

LINEAR_SLOP = np.float32(0.005)
ANGULAR_SLOP = np.float32(2.0) / np.float32(180.0) * PI
POLYGON_RADIUS = np.float32(2.0) * LINEAR_SLOP  # of the skin around every shape
TOTAL_RADIUS = POLYGON_RADIUS + POLYGON_RADIUS  # of two shapes that meet
AABB_EXTENSION = np.float32(0.1)
AABB_MULTIPLIER = np.float32(2.0)

MAX_LINEAR_CORRECTION = np.float32(0.2)
MAX_ANGULAR_CORRECTION = np.float32(8.0) / np.float32(180.0) * PI
MAX_TRANSLATION = np.float32(2.0)
MAX_TRANSLATION_SQUARED = MAX_TRANSLATION * MAX_TRANSLATION
MAX_ROTATION = np.float32(0.5) * PI
MAX_ROTATION_SQUARED = MAX_ROTATION * MAX_ROTATION
BAUMGARTE = np.float32(0.2)
TOI_BAUMGARTE = np.float32(0.75)
MAX_CONDITION_NUMBER = np.float32(1000.0)

TIME_TO_SLEEP = np.float32(0.5)
LINEAR_SLEEP_TOLERANCE = np.float32(0.01)
ANGULAR_SLEEP_TOLERANCE = np.float32(2.0) / np.float32(180.0) * PI
LINEAR_SLEEP_SQUARED = LINEAR_SLEEP_TOLERANCE * LINEAR_SLEEP_TOLERANCE
ANGULAR_SLEEP_SQUARED = ANGULAR_SLEEP_TOLERANCE * ANGULAR_SLEEP_TOLERANCE

MAX_SUB_STEPS = 8
MAX_CORNERS = 16  # of a polygon, as pybox2d sets it
MAX_ITERATIONS = 20  # of the distance and of the time of impact
MAX_ROOT_ITERATIONS = 50
TOI_POSITION_ITERATIONS = 20
MAX_TOI_CONTACTS = 32
TOI_TARGET = max(LINEAR_SLOP, TOTAL_RADIUS - np.float32(3.0) * LINEAR_SLOP)
TOI_TOLERANCE = np.float32(0.25) * LINEAR_SLOP
TOI_END = ONE - np.float32(10.0) * EPSILON

# What all environments here step with.
FRAMES_PER_SECOND = 50
TIME_STEP = np.float32(1.0 / FRAMES_PER_SECOND)
VELOCITY_ITERATIONS = 6 * 30
POSITION_ITERATIONS = 2 * 30
