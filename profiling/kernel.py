"""What the compiler made of an environment's loops: their assembly, counted and listed."""

from __future__ import annotations

import functools
import importlib.util
import linecache
import platform
import shutil
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import llvmlite.binding
import typer
from numba.core import lowering
from numba.core.cpu import CPUTargetOptions
from numba.core.errors import NumbaDebugInfoWarning

from batchsim import make_vec
from batchsim.compiler import compile, kernels
from profiling.assembly import Instruction, Loop, common, find_loops, parse, parse_objdump
from profiling.report import (
    EnvArgument,
    Report,
    UsageError,
    environment_name,
    file_name,
    main,
    resolve,
    shown,
    table,
)
from profiling.sampling import SamplingError, sample


def session(
    env: EnvArgument,
    precision: Annotated[str, typer.Option(help="exact or fast.")] = "exact",
    mode: Annotated[str, typer.Option(help="NextStep, SameStep or Disabled.")] = "NextStep",
    perf: Annotated[bool, typer.Option(help="Sample the loops with Linux perf.")] = False,
    num_envs: Annotated[int, typer.Option(min=1, help="Rows to sample with.")] = 4096,
    out: Annotated[Path | None, typer.Option(help="The report.")] = None,
) -> None:
    """Report on the loops of a compiled kernel, and list the hot ones beside the report."""
    if platform.machine() not in ("x86_64", "AMD64"):
        raise UsageError(
            f"This session reads x86-64 assembly, and this machine is {platform.machine()}."
        )
    target = resolve(env)
    name = environment_name(env, target)
    try:
        spec = spec_of(target, precision, mode)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    parts, origin = read_kernel(spec)
    loops = [Described(part, loop) for part, code in parts.items() for loop in find_loops(code)]
    number_loops(loops)

    report = Report(
        f"Kernel: the loops of {name}, {precision} precision, {mode} autoreset",
        f"python -m profiling.kernel {shown(env)} --precision {precision} --mode {mode}"
        + (" --perf" if perf else ""),
        traced=False,
    )
    shares: dict[int, float] = {}
    where = ""
    if perf:
        try:
            shares, where = sample_loops(env, num_envs, spec, parts, loops)
        except SamplingError as error:
            where = str(error)
    say_what(report, loops, shares)

    report.add(
        "Loops",
        f"Of {sum(map(len, parts.values())):,} instructions. Loops are named after the functions "
        "whose lines they hold, first of `batchsim/compiler/kernels.py`, then of the environment. "
        f"{origin}",
        table(
            HEADS + (["samples"] if shares else []),
            [cells(one) + ([f"{shares[k]:.1%}"] if shares else []) for k, one in enumerate(loops)],
        ),
        "Part: of the kernel, each an object file of its own, here with its instructions: "
        + ", ".join(f"{part_name(name)} {len(code):,}" for name, code in parts.items())
        + ". All autoreset modes share them. What calls them is built with the package, and is "
        "not here. Rows: of one pass, – where it is not plain. Bits: of the registers of most "
        "packed operations, – in scalar loops. Packed and scalar: arithmetic with floating-point "
        "numbers and, packed, + with integers. Div: divisions and square roots. Gather: with "
        "scatters. Spill: loads and stores of the stack frame, constants kept there included. "
        "Jumps: the loop's own included. Outer loops are listed without the loops in them. A loop "
        "by the name of a vectorised one takes its last rows, or all where arrays might overlap.",
    )
    if where:
        report.add("Samples", where)
    called: Counter[str] = Counter()
    for one in loops:
        called.update(one.loop.called)
    if called:
        report.add(
            "Calls in these loops", ", ".join(f"`{n}` {count}" for n, count in called.most_common())
        )
    path = out or file_name(
        "kernel", f"{name}-{precision}" + (f"-{mode}" if mode != "NextStep" else "")
    )
    listed = [k for k, one in enumerate(loops) if is_hot(one, shares.get(k))]
    report.add(
        "Listing",
        f"The command writes `{path.with_suffix('.s').name}` too: the instructions of the loops "
        + ", ".join(str(k + 1) for k in listed)
        + ", with the source beside them.",
    )
    report.write(path)
    text = "\n\n".join(list_loop(loops[k]) for k in listed)
    path.with_suffix(".s").write_text(text + "\n", encoding="utf-8")


# -- from an environment to instructions -----------------------------------------------------------


class Found(Exception):  # noqa: N818
    """Carries what a BatchEnv wanted to have compiled; no error."""


def spec_of(target: Any, precision: str, mode: str) -> compile.KernelSpec:
    """Return what decides the kernel of an environment's BatchEnv, without compiling it."""
    original = compile.compile_native

    def stop(spec: compile.KernelSpec) -> Any:
        raise Found(spec)

    compile.compile_native = stop
    try:
        make_vec(target, 16, precision=precision, autoreset_mode=mode).close()
    except Found as found:
        return found.args[0]
    finally:
        compile.compile_native = original
    raise AssertionError("BatchEnv compiles its kernel when it is made.")


def read_kernel(spec: compile.KernelSpec) -> tuple[dict[str, list[Instruction]], str]:
    """Return the instructions of a kernel's parts, by name, and a sentence on where they and their
    lines come from.
    """
    set_intel_syntax()
    plain = compile.assemble(spec)
    try:
        with line_tables():
            lined = compile.assemble(spec)
    except Exception:
        # Numba has no public way to line tables alone; another version may have none at all.
        lined = plain
    if shutil.which("objdump") is None:
        return {part.name: parse(part.assembly) for part in lined}, (
            "There is no `objdump` on this machine: LLVM wrote the assembly anew, much like the "
            "machine code, but not instruction by instruction."
        )
    parts, changed = {}, []
    for without_lines, with_lines in zip(plain, lined, strict=True):
        name = with_lines.name
        parts[name], code = disassemble(with_lines.code), disassemble(without_lines.code)
        if [one.mnemonic for one in code] != [one.mnemonic for one in parts[name]]:
            parts[name] = code
            changed.append(part_name(name))
    if changed:
        return parts, (
            f"Line tables would change the code of {', '.join(changed)}: the loops there have no "
            "names."
        )
    return parts, (
        "The line tables that name the loops change no instruction: the kernel was compiled with "
        "and without."
    )


def part_name(name: str) -> str:
    """Return what a part is called in the report."""
    return name.removesuffix("_rows")


def disassemble(machine_code: bytes) -> list[Instruction]:
    """Return the instructions of an object file, with source lines if it has line tables."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.o"
        file.write_bytes(machine_code)
        code, lines = (
            subprocess.run(
                ["objdump", *options, str(file)], capture_output=True, text=True, check=False
            ).stdout
            for options in (
                ["-d", "-r", "-M", "intel", "--no-show-raw-insn"],
                ["--dwarf=decodedline"],
            )
        )
    # Paths are relative to the folder of the kernel's own file.
    return parse_objdump(code, lines, str(Path(kernels.__file__).parent))


@functools.cache
def set_intel_syntax() -> None:
    """Let LLVM write Intel's syntax; it takes the option only once."""
    llvmlite.binding.set_option("", "--x86-asm-syntax=intel")


@contextmanager
def line_tables() -> Iterator[None]:
    """Have Numba write line tables and nothing else: `debug=True` would make other code."""
    finalize = CPUTargetOptions.finalize
    first_line = lowering.get_func_body_first_lineno

    def with_lines(self: Any, flags: Any, options: Any) -> None:
        flags.debuginfo = True
        flags.dbg_directives_only = True
        flags.dbg_extend_lifetimes = False
        if not flags.is_set("boundscheck"):
            flags.boundscheck = False
        finalize(self, flags, options)

    def of_body(function: Any) -> Any:
        try:
            return first_line(function)
        except IndexError:  # Nothing but a docstring.
            return function.__code__.co_firstlineno

    CPUTargetOptions.finalize = with_lines
    lowering.get_func_body_first_lineno = of_body
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NumbaDebugInfoWarning)
            yield
    finally:
        CPUTargetOptions.finalize = finalize
        lowering.get_func_body_first_lineno = first_line


# -- what the loops are ----------------------------------------------------------------------------

HEADS = ["loop", "part", "rows", "instr", "bits", "packed", "scalar", "div", "gather"]
HEADS += ["loads", "stores", "spill", "calls", "jumps"]


class Described:
    """A loop, with the functions that it came from.

    Args:
        part: the part of the kernel that it is in.
        loop: the loop.
    """

    def __init__(self, part: str, loop: Loop) -> None:
        self.part = part
        self.loop = loop
        self.title = ""
        functions = loop.functions().most_common()
        own = [name for (file, name), _ in functions if file == kernels.__file__]
        libraries = [importlib.util.find_spec(name).origin for name in compile.LIBRARIES]
        others = [
            name for (file, name), _ in functions if file not in (*libraries, kernels.__file__)
        ]
        helpers = [name for (file, name), _ in functions if file in libraries]
        self.advances = "advance" in own
        own = [name for name in own if name not in GLUE][:1]
        parts = own + others[: 2 - len(own)] or helpers[:1] or ["loop"]
        self.base = " ".join(dict.fromkeys(parts))


GLUE = (
    *kernels.PARTS,
    kernels.advance_rows_guarded.__name__,
    kernels.advance_rows_together.__name__,
    kernels.restart_rows_with_options.__name__,
    kernels.restart_listed.__name__,
)
"""Functions of the kernels that name no loop: what goes through the rows of a part."""


def number_loops(loops: list[Described]) -> None:
    """Title the loops: number and name."""
    for k, one in enumerate(loops, 1):
        one.title = f"{k} {one.base}{'' if one.loop.innermost else ' (outer)'}"


def cells(one: Described) -> list[str]:
    """Return a loop's row of the table."""
    counts, stride = one.loop.counts, one.loop.stride
    packed = f"{counts['packed']}+{counts['packed integer']}"
    return [
        one.title,
        part_name(one.part),
        str(stride or "–"),
        str(counts["instructions"]),
        str(one.loop.width if one.loop.vectorised else "–"),
        packed if packed != "0+0" else "–",
        *(str(counts[key] or "–") for key in ("scalar", "divisions", "gathers", "loads", "stores")),
        str(counts["spilled loads"] + counts["spilled stores"] or "–"),
        str(counts["calls"] or "–"),
        str(counts["jumps"]),
    ]


def is_hot(one: Described, share: float | None) -> bool:
    """Tell whether a loop is worth listing: samples fall into it, or else it is vectorised or has
    arithmetic.
    """
    if share is not None:
        return share >= 0.1
    return one.loop.vectorised or one.loop.counts["scalar"] > 0


def say_what(report: Report, loops: list[Described], shares: dict[int, float]) -> None:
    """Add what the counts say to a report."""
    advance = [one for one in loops if one.advances]
    main_loop = max(
        advance or loops, key=lambda one: (one.loop.vectorised, len(one.loop.code)), default=None
    )
    if main_loop is None:
        report.say("No loop belongs to a step.")
        return
    counts, loop = main_loop.loop.counts, main_loop.loop
    rows = f", {loop.stride} rows a pass" if loop.stride else ""
    if loop.vectorised:
        sentence = (
            f"The loop that steps the rows is vectorised with {loop.width} bits{rows}: "
            f"{counts['packed'] + counts['packed integer']} packed and {counts['scalar']} scalar "
            f"operations in {counts['instructions']} instructions"
        )
        if loop.called:
            sentence += f", {counts['calls']} calls of functions ({common(loop.called, 4)})"
    else:
        why = []
        if loop.called:
            why.append(f"it calls {common(loop.called, 4)}")
        if counts["jumps"] > 1:
            why.append(f"it branches {counts['jumps'] - 1} times")
        reason = " and ".join(why) or "there is no call or branch in it"
        sentence = (
            f"The loop that steps the rows is not vectorised{rows} ({reason}): "
            f"{counts['scalar']} scalar operations in {counts['instructions']} instructions"
        )
    report.say(
        f"{sentence}, {counts['divisions']} divisions or roots, {counts['gathers']} gathers or "
        "scatters."
    )
    spilled = counts["spilled loads"] + counts["spilled stores"]
    conversions = sum("cvt" in one.mnemonic for _, one in loop.code)
    report.say(
        f"In it {spilled} of {counts['loads'] + counts['stores']} memory operands are in the stack "
        f"frame ({counts['spilled stores']} stores: values that found no register; the loads "
        f"include constants), and {conversions} instructions convert between types."
    )
    vectorised = {one.base for one in loops if one.loop.vectorised}
    scalar = list(dict.fromkeys(one.base for one in loops if one.base not in vectorised))
    sentence = (
        f"Never vectorised in a step: {'; '.join(scalar)}."
        if scalar
        else "Every loop of a step is vectorised."
    )
    if shares:
        order = sorted(shares, key=shares.__getitem__, reverse=True)[:3]
        sentence += (
            " Most samples: "
            + ", ".join(f"loop {loops[k].title} {shares[k]:.0%}" for k in order if shares[k] > 0)
            + "."
        )
    report.say(sentence)


def list_loop(one: Described) -> str:
    """Return a loop's instructions, with the source lines that they came from beside them."""
    rows = [f"# {one.title}, {part_name(one.part)}"]
    last = None
    for index, instruction in one.loop.code:
        if last is not None and index != last + 1:
            rows.append("# …")
        last = index
        rows += [f"{label}:" for label in instruction.labels if label.startswith(".L")]
        row = "    " + instruction.text.replace("\t", " ")
        if instruction.place is not None:
            file, number = instruction.place
            source = linecache.getline(file, number).strip()
            row = f"{row:<56} # {Path(file).name}:{number}  {source}"
        rows.append(row if len(row) <= LISTING_WIDTH else row[: LISTING_WIDTH - 1] + "…")
    return "\n".join(rows)


LISTING_WIDTH = 130
"""Columns of the listing."""


# -- samples ---------------------------------------------------------------------------------------


def sample_loops(
    env: str,
    num_envs: int,
    spec: compile.KernelSpec,
    parts: dict[str, list[Instruction]],
    loops: list[Described],
) -> tuple[dict[int, float], str]:
    """Return the share of samples that fall into each loop, and a paragraph on them."""
    if any(one.address is None for code in parts.values() for one in code):
        raise SamplingError("There is no `objdump` on this machine: samples cannot be told apart.")
    samples = sample(env, num_envs, spec.precision, spec.autoreset_mode.value)
    in_memory = [Placed(name, code, samples.addresses[name]) for name, code in parts.items()]
    hits: Counter[tuple[str, int]] = Counter()
    elsewhere: Counter[str] = Counter()
    for address, symbol, library in samples.places:
        part = next((one for one in in_memory if address in one.extent), None)
        if part is None:
            elsewhere[f"`{symbol}` of {Path(library).name.split('.')[0]}"] += 1
        else:
            # A sample's address is that of an instruction that waited.
            hits[part.name, address - part.extent.start] += 1
    inside, whole = max(1, hits.total()), max(1, len(samples.places))
    shares = {
        k: sum(hits[one.part, place.address] for _, place in one.loop.code) / inside  # type: ignore[index]
        for k, one in enumerate(loops)
    }
    others = ", ".join(
        f"{count / whole:.0%} in {name}"
        for name, count in elsewhere.most_common(2)
        if count / whole >= 0.02
    )
    by_part: Counter[str] = Counter()
    helpers: Counter[str] = Counter()
    for part in in_memory:
        for one in part.code:
            count = hits[part.name, one.address]  # type: ignore[index]
            by_part[part_name(part.name)] += count
            if not one.function.startswith(f"batchsim_{part.name}_") and count:
                helpers[one.function] += count
    outside = listed(helpers, inside)
    if outside:
        outside = f" Functions that loops call have {outside}."
    return shares, (
        f"`perf` looked {len(samples.places):,} times where a loop of steps of {num_envs:,} rows "
        f"on one thread is ({samples.nanoseconds / num_envs:,.2f} ns a row): "
        f"{hits.total() / whole:.0%} of them in the kernel"
        f"{f', {others}' if others else ''}. Of the kernel's {listed(by_part, inside)}; "
        f"{sum(shares.values()):.0%} are in the loops above, what is in none is before, between "
        f"and around them.{outside}"
    )


class Placed:
    """A part of a kernel where it lies in a process.

    Args:
        name: the part's.
        code: the instructions of its object file.
        address: where the function begins that the part is called by.
    """

    def __init__(self, name: str, code: list[Instruction], address: int) -> None:
        self.name = name
        self.code = code
        offsets = [one.address or 0 for one in code]
        symbol = f"batchsim_{name}_"
        entry = next(one.address or 0 for one in code if one.function.startswith(symbol))
        self.extent = range(address - entry, address - entry + max(offsets) + 1)


def listed(counts: Counter[str], whole: int) -> str:
    """Return the largest counts as shares of the whole."""
    return ", ".join(
        f"`{name}` {count / whole:.0%}"
        for name, count in counts.most_common(6)
        if count / whole >= 0.005
    )


if __name__ == "__main__":
    main(session)
