"""Which environments there are: one line an id, and those that users register.

Importing this module is cheap; it loads no environment.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from batchsim.ids import ABSENT, ENTRIES, Entry

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

    from batchsim.definition import Definition

__all__ = [
    "ENVIRONMENTS",
    "Entry",
    "describe",
    "environments",
    "find",
    "load",
    "load_file",
    "original",
    "read",
    "register",
    "register_with_gymnasium",
    "resolve",
]

NAMESPACE = "batchsim"
"""Ids are registered with Gymnasium as `batchsim/<id>`, a slash in them as a hyphen."""
BASELINE = "batchsim-baseline"
"""Baselines of ids that Gymnasium does not have are registered as `batchsim-baseline/<id>`."""
ENTRY_POINTS: Mapping[str, Any] = MappingProxyType(
    {
        "entry_point": "batchsim.batch.single:SingleEnv",
        "vector_entry_point": "batchsim.batch.vector:BatchEnv",
    }
)


_entries = dict(ENTRIES)
ENVIRONMENTS: Mapping[str, Entry] = MappingProxyType(_entries)
_WITH_SLASH = {name.replace("/", "-"): name for name in ENTRIES if "/" in name}


def _gymnasium_id(name: str) -> str:
    """Return what Gymnasium calls an id; a name there has no slash but that of its namespace."""
    return f"{NAMESPACE}/{name.replace('/', '-')}"


def _short(name: str) -> str:
    """Return the id that a name stands for, which may be Gymnasium's for it."""
    short = name.removeprefix(f"{NAMESPACE}/")
    return _WITH_SLASH.get(short, short)


def find(name: str) -> tuple[str, Entry]:
    """Return the id without namespace and its entry.

    Raises:
        TypeError: if `name` is not a string.
        ValueError: if there is no such id; the message suggests the nearest.
    """
    if not isinstance(name, str):
        raise TypeError(f"The environment id is {name!r}; expected a string such as 'CartPole-v1'.")
    short = _short(name)
    if short not in ENVIRONMENTS:
        from batchsim.definition import suggest

        for prefix, reason in ABSENT.items():
            if short.startswith(prefix):
                raise ValueError(f"batchsim has no environment {name!r}: {reason}.")
        raise ValueError(
            f"batchsim has no environment {name!r}{suggest(short, ENVIRONMENTS)}; "
            "batchsim.environments() lists them all."
        )
    return short, ENVIRONMENTS[short]


def original(name: str) -> str:
    """Return Gymnasium's id of the per-object environment whose batch an id is, bit for bit.

    That is the same id where Gymnasium has it, and `batchsim-baseline/<id>` where batchsim brings
    the per-object environment along.

    Raises:
        TypeError, ValueError: as by `find`; ValueError too if there is no such environment, as for
            one that a user registered with batchsim alone.
    """
    from gymnasium.envs import registration

    short, entry = find(name)
    if entry.package is not None:
        _import_package(short, entry.package)
    if entry.registered_by is not None and short not in registration.registry:
        module, _, function = entry.registered_by.partition(":")
        getattr(importlib.import_module(module), function)()
    if short in registration.registry:
        return short
    if entry.baseline is None:
        raise ValueError(
            f"{short} has no per-object environment to be compared with; expected one that is "
            f"registered with Gymnasium as {short!r}."
        )
    return f"{BASELINE}/{short}"


def _import_package(name: str, package: str) -> None:
    """Import the package that has the per-object environment of an id."""
    try:
        importlib.import_module(package)
    except ImportError as error:
        raise ValueError(
            f"{name} is compared with the environment of {package}, which cannot be imported "
            f"({error}); expected it to be installed: pip install {package}."
        ) from error


def environments() -> list[str]:
    """Return all ids."""
    return sorted(ENVIRONMENTS)


def load(name: str) -> Definition:
    """Return the definition of an id."""
    from batchsim.definition import Definition

    short, entry = find(name)
    return Definition(_namespace(entry.module), short)


def _namespace(module: Any) -> Any:
    """Return the module or class of an entry."""
    if not isinstance(module, str):
        return module
    name, _, member = module.partition(":")
    found = importlib.import_module(name)
    return getattr(found, member) if member else found


def _path(namespace: Any) -> str:
    """Return what an entry calls a module or class."""
    if isinstance(namespace, type):
        return f"{namespace.__module__}:{namespace.__qualname__}"
    return str(getattr(namespace, "__name__", ""))


def read(environment: Any) -> tuple[Definition, Entry]:
    """Return the definition and the entry of an id, a class or module, or a `Definition`."""
    from batchsim.definition import Definition

    if isinstance(environment, str):
        return load(environment), find(environment)[1]
    if isinstance(environment, Definition):
        entry = ENVIRONMENTS.get(environment.name)
        author = environment.author
        known = entry is not None and entry.module in (author, _path(author))
        return environment, Entry(author) if not known else entry  # type: ignore[return-value]
    return Definition(environment, _own_name(environment)), Entry(environment)


def _own_name(namespace: Any) -> str:
    if not isinstance(namespace, (type, ModuleType)):
        raise TypeError(
            f"The environment id is {namespace!r}; expected a string such as 'CartPole-v1', or "
            "the class or module that defines an environment."
        )
    name: str = getattr(namespace, "ID", namespace.__name__.rpartition(".")[2])
    return name


def register(
    definition: Any,
    id: str | None = None,
    *,
    max_episode_steps: int | None = None,
    reward_threshold: float | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> str:
    """Make an environment known by an id: to `make_vec`, the command line and Gymnasium.

    Args:
        definition: the class or module that defines it; see `docs/contract.md`.
        id: the id; by default the definition's `ID`, or else its name.
        max_episode_steps: truncate episodes after so many steps; None for what the definition's
            `MAX_EPISODE_STEPS` says, if it has one.
        reward_threshold: the mean return at which the task counts as solved, for Gymnasium.
        kwargs: parameters and other arguments that the id sets, where their defaults are others:
            one definition may have several ids.

    Returns:
        The id. Gymnasium knows the environment as `batchsim/<id>`.

    Raises:
        TypeError: if the definition lacks a part, or one is not what the contract asks for, or it
            has no parameter of a name in `kwargs`.
        ValueError: if the id is one of batchsim's own or none for Gymnasium, the time limit is
            not positive, or a value in `kwargs` is refused. Nothing has changed then.
    """
    from gymnasium.envs import registration
    from gymnasium.error import Error

    from batchsim.definition import Definition

    name = _own_name(definition) if id is None else id
    if not isinstance(name, str) or not name or "/" in name:
        raise ValueError(f"The id is {name!r}; expected text without a slash, such as 'Snake-v0'.")
    known = _entries.get(_short(name))
    if known is not None and isinstance(known.module, str):
        raise ValueError(f"The id {name!r} is taken by an environment of batchsim; choose another.")
    if max_episode_steps is not None and (
        isinstance(max_episode_steps, bool)
        or not isinstance(max_episode_steps, int)
        or max_episode_steps < 1
    ):
        raise ValueError(
            f"max_episode_steps is {max_episode_steps!r}; expected a positive whole number or None."
        )
    read = Definition(definition, name)
    if not isinstance(kwargs, Mapping | None):
        raise TypeError(f"kwargs is {kwargs!r}; expected a dict of parameters and arguments.")
    given = copy.deepcopy(dict(kwargs or {}))  # The caller may change its own.
    if given:
        params = read.read_params(given, 1)
        arguments = read.read_arguments(given)
        chosen = read.chosen(arguments)
        chosen.check_params(params, 1)
        chosen.sized(params, arguments, num_envs=1)
    if max_episode_steps is None and not callable(read.time_limit):
        max_episode_steps = read.time_limit  # For Gymnasium, too: a number.
    entry = Entry(definition, max_episode_steps, reward_threshold, given)
    full_name = _gymnasium_id(name)
    replaced = registration.registry.pop(full_name, None)
    try:
        _register_with_gymnasium(name, entry)
    except Error as error:
        if replaced is not None:
            registration.registry[full_name] = replaced
        raise ValueError(
            f"The id is {name!r}; expected one that Gymnasium takes, such as 'Snake-v0': "
            f"{str(error).rstrip('.')}."
        ) from error
    _entries[name] = entry
    return name


def spec(
    definition: Definition, max_episode_steps: int | None, arguments: Mapping[str, Any]
) -> EnvSpec | None:
    """Return what `env.spec` says of an environment; None if Gymnasium refuses its name.

    Args:
        definition: what it is an environment of.
        max_episode_steps: its time limit.
        arguments: what else it was made with. `gymnasium.make` and `make_vec` make one like it.
    """
    from gymnasium.envs.registration import EnvSpec
    from gymnasium.error import Error

    _, entry = read(definition)
    known = definition.name in ENVIRONMENTS and entry is ENVIRONMENTS[definition.name]
    of = definition.name if known else definition.author
    try:
        return EnvSpec(
            _gymnasium_id(definition.name),
            **ENTRY_POINTS,
            reward_threshold=entry.reward_threshold,
            max_episode_steps=max_episode_steps,
            kwargs={"definition": of, **arguments},
        )
    except Error:
        return None


def resolve(text: str) -> Any:
    """Return what a command line names: an id, or the namespace of a user's environment.

    Args:
        text: an id; or `module`, `module:Definition`, `path/to/file.py` or
            `path/to/file.py:Definition`, modules being looked for in the working directory too.

    Returns:
        The id as a string, or the module or class.

    Raises:
        ValueError: if there is no such thing, or its module cannot be loaded.
    """
    module, _, name = (text, "", "") if text.endswith(".py") else text.rpartition(":")
    if not module:
        if _short(text) in ENVIRONMENTS:
            return find(text)[0]
        loaded = _load_module(text)
        return loaded if loaded is not None else find(text)  # which raises
    loaded = load_file(Path(module)) if module.endswith(".py") else _load_module(module)
    if loaded is None:
        raise ValueError(f"There is no module {module!r}.")
    if not name:
        return loaded
    if not hasattr(loaded, name):
        from batchsim.definition import suggest

        raise ValueError(f"{module} has no {name!r}{suggest(name, dir(loaded))}.")
    found = getattr(loaded, name)
    if not isinstance(found, (type, ModuleType)):
        raise ValueError(
            f"{text} is a {type(found).__name__}; expected the class or module that defines an "
            "environment."
        )
    return found


def load_file(path: Path) -> ModuleType:
    """Run a Python file, which may import its neighbours, and return it as a module.

    Raises:
        ValueError: if there is no such file or it raises an exception.
    """
    path = path.resolve()
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    # Named after the whole path: a file called random.py must not stand in for Python's.
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file; expected a name that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _search(path.parent)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ValueError(f"{path} cannot be loaded: {describe(error, path)}.") from error
    return module


def describe(error: BaseException, path: Path) -> str:
    """Return the kind and message of `error`, and the last line of the file it came through."""
    message = " ".join([f"{type(error).__name__}:", *str(error).split()]).rstrip(":.")
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    return f"{message} (line {lines[-1]})" if lines else message


def _load_module(name: str) -> ModuleType | None:
    """Return a module, or None if there is none of this name."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    _search(Path.cwd())
    try:
        return importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
            return None
        raise ValueError(
            f"The module {name!r} cannot be loaded: {type(error).__name__}: {error}."
        ) from error


def _search(directory: Path) -> None:
    """Let imports look in `directory` too, as Python does for a script that lies there."""
    if str(directory) not in sys.path:
        sys.path.append(str(directory))


def register_with_gymnasium() -> None:
    """Make every id known to `gymnasium.make` and `gymnasium.make_vec` as `batchsim/<id>`, and the
    baselines that come along.
    """
    from gymnasium.envs import registration

    for name, entry in ENVIRONMENTS.items():
        if _gymnasium_id(name) not in registration.registry:
            _register_with_gymnasium(name, entry)


def _register_with_gymnasium(name: str, entry: Entry) -> None:
    from gymnasium.envs import registration

    registration.register(
        _gymnasium_id(name),
        **ENTRY_POINTS,
        max_episode_steps=entry.max_episode_steps,
        reward_threshold=entry.reward_threshold,
        kwargs={"definition": name},
    )
    if entry.baseline is not None:
        registration.register(
            f"{BASELINE}/{name}",
            entry_point=entry.baseline,
            max_episode_steps=entry.max_episode_steps,
            reward_threshold=entry.reward_threshold,
        )
