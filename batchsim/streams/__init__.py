"""Streams of random numbers, one a row: the kinds that there are, and what is drawn from them.

A definition names its kind as `RANDOM`; authors import the draws from the kind's own module.
"""

GENERATOR = "numpy.random.Generator"
RANDOM_STATE = "numpy.random.RandomState"
PYTHON = "random.Random"

MODULES = {
    GENERATOR: "batchsim.random",
    RANDOM_STATE: "batchsim.random_state",
    PYTHON: "batchsim.python_random",
}
"""Of each kind the module that authors import its draws from, the default first."""
