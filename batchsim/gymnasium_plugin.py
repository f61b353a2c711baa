"""Makes `gymnasium.make("batchsim/…")` work, whichever of the two packages is imported first.

Gymnasium 1.0 dropped plugin entry points: an id is known only once its package has been imported.
So that users need not import batchsim, the file `gymnasium_plugin.pth` is installed beside the
package; Python reads it at its start, and it calls `find_spec` here when Gymnasium's registration
module is imported. Nothing of batchsim is imported before that.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from batchsim.registry import register_with_gymnasium

__all__ = ["find_spec", "install"]

REGISTRATION = "gymnasium.envs.registration"


def find_spec(
    name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
) -> importlib.machinery.ModuleSpec | None:
    """Find Gymnasium's registration module, and have batchsim's ids registered once it is
    loaded.
    """
    if name != REGISTRATION:
        return None
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    if spec is None or spec.loader is None:
        return spec
    loader: Any = spec.loader
    load = loader.exec_module

    def load_and_register(module: ModuleType) -> None:
        load(module)
        register_with_gymnasium()

    loader.exec_module = load_and_register
    return spec


def install() -> None:
    """Register batchsim's ids with Gymnasium now, or as soon as Gymnasium is imported."""
    if REGISTRATION in sys.modules:
        register_with_gymnasium()
    elif sys.modules[__name__] not in sys.meta_path:
        # A module with a find_spec function is all that the import system asks of a finder.
        sys.meta_path.insert(0, sys.modules[__name__])
