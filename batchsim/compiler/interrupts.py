"""Makes compiled `while` loops leave when a signal, such as that of Ctrl-C, asks for it.

Compiled code runs until it returns, and a `while` may have no end. So each counts its turns in a
register, and once in many calls the function of `poll_with`, which says whether the task is to be
left. Loops over a `range` or an array end by themselves, and are left as they are: a call in them
would keep them from being vectorised.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir as llvm_ir
from numba.core import cgutils, errors, ir, types
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass
from numba.core.ir_utils import enforce_no_dels
from numba.core.untyped_passes import InlineClosureLikes, LiteralUnroll, TranslateByteCode
from numba.extending import intrinsic

from batchsim.compiler import kernels

__all__ = ["PlainCompiler", "PollingCompiler", "poll_with"]

TURNS = 256
"""Of a loop, from one call of `poll` to the next: a turn takes long enough to hide a count."""
POLL = "batchsim_poll"


def poll_with(address: int) -> None:
    """Make loops call `int32 poll()` at this address: not 0 if the task at work is to be left.

    By its name, kernels that come from the disk find the function in this process.
    """
    llvm.add_symbol(POLL, address)


@intrinsic
def _poll(typing_context: Any) -> Any:
    """Count a turn of a loop; leave the function with an error if the task is to be left."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = llvm_ir.IntType(32)
        turns = cgutils.alloca_once(builder, number)
        builder.store(builder.add(builder.load(turns), number(1)), turns)
        is_due = builder.icmp_unsigned("==", builder.load(turns), number(TURNS))
        with builder.if_then(is_due, likely=False):
            builder.store(number(0), turns)
            kind = llvm_ir.FunctionType(number, [])
            poll = cgutils.get_or_insert_function(builder.module, kind, POLL)
            # It touches no column: what was read of them need not be read again after it.
            for attribute in ("inaccessiblememonly", "nounwind", "cold"):
                poll.attributes.add(attribute)
            is_to_be_left = builder.icmp_unsigned("!=", builder.call(poll, []), number(0))
            with builder.if_then(is_to_be_left, likely=False):
                context.call_conv.return_user_exc(builder, KeyboardInterrupt, ())
        return context.get_dummy_value()

    return types.none(), codegen


@register_pass(mutates_CFG=False, analysis_only=False)
class _PollInLoops(FunctionPass):
    """Calls `_poll` in every turn of every loop that is not over a range or an array."""

    _name = "poll_in_loops"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Change `state.func_ir`; return whether there was such a loop."""
        if state.func_id.modname == kernels.__name__:
            return False  # The tile loops end, and no time is to be lost in them.
        blocks = state.func_ir.blocks
        headers = [
            blocks[label]
            for label in compute_cfg_from_blocks(blocks).loops()
            if not _begins_for(blocks, label)
        ]
        for block in headers:
            self._call_poll(state.func_ir, block)
        return bool(headers)

    def _call_poll(self, function: Any, block: Any) -> None:
        location = block.body[0].loc
        poll = block.scope.redefine("$poll", location)
        nothing = block.scope.redefine("$polled", location)
        calls = (
            (poll, ir.Global("_poll", _poll, location)),
            (nothing, ir.Expr.call(poll, (), (), location)),
        )
        for place, (variable, value) in enumerate(calls):
            block.body.insert(place, ir.Assign(value, variable, location))
            function._definitions[variable.name].append(value)


def _begins_for(blocks: dict[int, Any], label: int) -> bool:
    """Tell whether a loop that begins with this block is a `for`, which asks for the next value."""
    seen = set()
    while label not in seen:
        seen.add(label)
        body = [statement for statement in blocks[label].body if not isinstance(statement, ir.Del)]
        if isinstance(
            body[0], ir.Jump
        ):  # An instruction with a long argument has a block before it.
            label = body[0].target
    values = [getattr(statement, "value", None) for statement in body]
    return any(isinstance(value, ir.Expr) and value.op == "iternext" for value in values)


def _has_closures(state: Any) -> bool:
    """Tell whether a function defines others, or makes lists."""
    return any(
        isinstance(assignment.value, ir.Expr)
        and assignment.value.op in ("make_function", "build_list")
        for block in state.func_ir.blocks.values()
        for assignment in block.find_insts(ir.Assign)
    )


class _Passes(PassManager):
    """Runs passes, and no more.

    Numba's own manager tells listeners of each pass, takes its time, and looks through the whole
    function again where a pass may have changed its flow; those that do have done so themselves.
    That is a tenth of a kernel's compile time.

    Args:
        passes: Numba's.
    """

    def __init__(self, passes: PassManager) -> None:
        super().__init__(passes.pipeline_name)
        self.passes = passes.passes

    def _runPass(self, index: int, pss: Any, state: Any) -> None:  # noqa: N802 - Numba's name
        # It finds nothing to do in most functions, at length.
        if isinstance(pss, InlineClosureLikes) and not _has_closures(state):
            return
        pss.analysis = self._analysis
        with errors.new_error_context("Pass {name}", name=pss.name()):  # type: ignore[attr-defined]
            pss.run_initialization(state)
            pss.run_pass(state)
            pss.run_finalizer(state)
        if isinstance(pss, TranslateByteCode):
            enforce_no_dels(state.func_ir)  # An author's: those of Numba's passes do not stay.


class PlainCompiler(CompilerBase):
    """Numba's compiler, with Numba's passes."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's own passes."""
        passes = _Passes(DefaultPassBuilder.define_nopython_pipeline(self.state))
        passes.finalize()
        return [passes]


class PollingCompiler(PlainCompiler):
    """Numba's compiler, whose `while` loops can be left."""

    def define_pipelines(self) -> list[Any]:
        """Return Numba's own passes and `_PollInLoops`."""
        (passes,) = super().define_pipelines()
        passes.add_pass_after(_PollInLoops, LiteralUnroll)
        passes.finalize()
        return [passes]
