"""Builds the extension modules; everything else about the package is in pyproject.toml.

Environment variables:
    BATCHSIM_CYTHON_CHECKS: 1 turns on the checks of indices, None and uninitialised views.
    BATCHSIM_CYTHON_PROFILE: 1 builds in line tracing, for line_profiler and coverage.
    BATCHSIM_SANITIZE: thread, address or undefined builds in GCC's sanitizer of that name, which
        tests/sanitize.py runs.
"""

import os
import sys

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

CHECKS = os.environ.get("BATCHSIM_CYTHON_CHECKS") == "1"
PROFILE = os.environ.get("BATCHSIM_CYTHON_PROFILE") == "1"
SANITIZE = os.environ.get("BATCHSIM_SANITIZE", "")

MODULES = {
    "batchsim.batch._buffers": [],
    "batchsim.batch._driver": ["batchsim/batch/_threads.hpp"],
    "batchsim.batch._snapshots": [],
    "batchsim.batch._streams": [],
    "batchsim.compiler._loops": ["batchsim/compiler/_loops.hpp"],
    "batchsim.ladder._cython_loops": [],
    "batchsim.torch._rollout": [],
}
"""Each extension module with the headers it includes; the source is the .pyx file of that name."""

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKS,
    "initializedcheck": CHECKS,
    "nonecheck": CHECKS,
    "wraparound": False,
    "cdivision": True,
    "linetrace": PROFILE,
}

MACROS = [("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")]
if PROFILE:
    MACROS.append(("CYTHON_TRACE_NOGIL", "1"))

# No -march: a wheel runs on every CPU of its architecture. No contraction of a * b + c into one
# operation either, which would round differently from Python on CPUs that have it.
if sys.platform == "win32":
    COMPILE = ["/std:c++20", "/O2", "/fp:precise"]
    LINK = []
else:
    # Python's own flags may ask for debugging symbols: a quarter of the time, most of the size.
    COMPILE = ["-std=c++20", "-O3", "-g0", "-ffp-contract=off"]
    LINK = []
    if sys.platform != "darwin":
        COMPILE.append("-pthread")
        LINK.append("-pthread")

SANITIZERS = {
    "thread": ["-fsanitize=thread"],
    "address": ["-fsanitize=address", "-D_GLIBCXX_ASSERTIONS"],
    # Python's own flags have -fwrapv, with which no sum can overflow.
    "undefined": [
        "-fsanitize=undefined,float-cast-overflow",
        "-fno-sanitize-recover=all",
        "-fno-wrapv",
    ],
}
"""What each adds to the compiler's options; the first is the linker's too."""

if SANITIZE:
    if SANITIZE not in SANITIZERS:
        sys.exit(f"BATCHSIM_SANITIZE is {SANITIZE!r}; expected one of {', '.join(SANITIZERS)}.")
    COMPILE += [*SANITIZERS[SANITIZE], "-O1", "-g", "-fno-omit-frame-pointer"]
    LINK.append(SANITIZERS[SANITIZE][0])


def extension(name: str, headers: list[str]) -> Extension:
    """Return the extension module `name`."""
    return Extension(
        name,
        sources=[name.replace(".", "/") + ".pyx"],
        depends=headers,
        include_dirs=[np.get_include()],
        define_macros=MACROS,
        extra_compile_args=COMPILE,
        extra_link_args=LINK,
        language="c++",
    )


class BuildPython(build_py):
    """Puts the file that makes batchsim known to Gymnasium where Python reads it at its start."""

    def run(self) -> None:
        """Copy the modules, and the .pth file to the top of the wheel."""
        super().run()
        if not self.editable_mode:
            target = os.path.join(self.build_lib, "batchsim_gymnasium_plugin.pth")
            self.copy_file("batchsim/gymnasium_plugin.pth", target)


class BuildExtensions(build_ext):
    """Compiles Cython's sources where they are needed, and the extension modules side by side."""

    def finalize_options(self):
        """Use every processor, unless told otherwise."""
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self):
        """Turn the sources into C++, then build; whoever asks for metadata alone needs neither."""
        made = cythonize(
            [extension(name, headers) for name, headers in MODULES.items()],
            compiler_directives=DIRECTIVES,
            # Cython compares file times, which do not show that a directive has changed.
            force=True,
        )
        for module, compiled in zip(self.extensions, made, strict=True):
            module.sources = compiled.sources
        super().run()


setup(
    cmdclass={"build_ext": BuildExtensions, "build_py": BuildPython},
    ext_modules=[extension(name, headers) for name, headers in MODULES.items()],
)
