"""Reads x86-64 assembly in Intel's syntax: instructions with their source lines, and loops.

It comes from `objdump`, which shows the machine code that runs, or else from LLVM, which writes it
anew: much the same, but not instruction by instruction.
"""

from __future__ import annotations

import ast
import bisect
import functools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

LABEL = re.compile(r"^([.\w$]+):")
FILE = re.compile(r'^\s*\.file\s+(\d+)\s+"([^"]*)"(?:\s+"([^"]*)")?')
LOCATION = re.compile(r"^\s*\.loc\s+(\d+)\s+(\d+)")
DISASSEMBLED = re.compile(r"^\s*([0-9a-f]+):\s+(\w+)\s*(.*)$")
RELOCATION = re.compile(r"^\s*[0-9a-f]+:\s+R_X86_64_\w+\s+(\S+)")
CODE = re.compile(r"^\s+([a-z]\w*)(?:\s+(.*))?$")
SYMBOL = re.compile(r"offset\s+([A-Za-z_]\w*)")
MEMORY = re.compile(r"\[[^]]*\]")
ARITHMETIC = (
    "add|sub|mul|div|sqrt|min|max|fmadd\\w*|fmsub\\w*|fnmadd\\w*|fnmsub\\w*|and|andn|or|xor|cmp\\w*|"
    "rndscale|round|cvt\\w*|blend\\w*|rcp14|rsqrt14|ternlog|ucomi|comi"
)
PACKED = re.compile(rf"^v?(?:{ARITHMETIC})p[sd]$|^v?cvt\w*2p[sd]$|^v?cvtt?p[sd]2\w+$")
SCALAR = re.compile(rf"^v?(?:{ARITHMETIC})s[sd]$|^v?cvt\w*2s[sd]$|^v?cvtt?s[sd]2\w+$")
PACKED_INTEGER = re.compile(
    r"^v?p(?:add|sub|mul|and|or|xor|cmp|max|min|sll|srl|sra|abs|ternlog|blend|test|mov[sz]x|mov[bwdq])"
)
DIVISIONS = re.compile(r"^v?(?:div|sqrt)[sp][sd]$|^i?div$")
GATHERS = re.compile(r"^v?p?(?:gather|scatter)")
WIDTHS = {"zmm": 512, "ymm": 256, "xmm": 128}
SIZES = {"byte": 1, "word": 2, "dword": 4, "qword": 8}
REPEATS = re.compile(r"^(?:add|sub|inc|dec)$")
READ_ONLY = re.compile(r"^(?:cmp|test|v?u?comis[sd]|v?p?test\w*|bt|jmp|call)$")


@dataclass
class Instruction:
    """One instruction."""

    text: str
    mnemonic: str
    operands: list[str]
    place: tuple[str, int] | None
    """Source file and line, where they are known."""
    labels: list[str]
    """Names of this place in the code."""
    calls: str = ""
    """What a `call` calls."""
    address: int | None = None
    """Offset in the object file's code, where it is known."""
    function: str = ""
    """The symbol that it belongs to."""


@dataclass
class Loop:
    """A loop: blocks that reach its head again without leaving it, but for loops among them."""

    code: list[tuple[int, Instruction]]
    """Its instructions and their places in the object file."""
    innermost: bool
    frame: set[str]
    """Registers that point into the stack frame."""
    counts: Counter[str] = field(default_factory=Counter)
    called: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for _, one in self.code:
            self._count(one)

    def _count(self, one: Instruction) -> None:
        name, counts = one.mnemonic, self.counts
        memory = [place for place, operand in enumerate(one.operands) if "[" in operand]
        counts["instructions"] += 1
        if PACKED.match(name):
            counts["packed"] += 1
        elif SCALAR.match(name):
            counts["scalar"] += 1
        elif PACKED_INTEGER.match(name) and any("mm" in operand for operand in one.operands):
            counts["packed integer"] += 1
        if DIVISIONS.match(name):
            counts["divisions"] += 1
        if GATHERS.match(name):
            counts["gathers"] += 1
        if name == "call":
            counts["calls"] += 1
            self.called[one.calls or "?"] += 1
        if name.startswith("j"):
            counts["jumps"] += 1
        if memory and name != "lea":
            store = memory[0] == 0 and not READ_ONLY.match(name)
            counts["stores" if store else "loads"] += 1
            address = MEMORY.findall(one.operands[memory[0]])[0]
            if any(re.search(rf"\b{register}\b", address) for register in self.frame):
                counts["spilled stores" if store else "spilled loads"] += 1

    @property
    def width(self) -> int:
        """Bits of the registers of most packed arithmetic, or of most moves if there is none."""
        found: Counter[int] = Counter()
        moves = not self.counts["packed"] + self.counts["packed integer"]
        for _, one in self.code:
            packed = PACKED.match(one.mnemonic) or PACKED_INTEGER.match(one.mnemonic)
            if packed or (moves and "mmword ptr" in one.text):
                text = " ".join(one.operands)
                widths = [bits for name, bits in WIDTHS.items() if name in text]
                found.update(widths[:1])
        return max(found, key=lambda bits: (found[bits], bits), default=0)

    @property
    def vectorised(self) -> bool:
        """Whether it has more packed than scalar arithmetic, or moves vectors and has none."""
        packed = self.counts["packed"] + self.counts["packed integer"]
        return self.width > 0 and (packed > self.counts["scalar"] or not self.counts["scalar"])

    @property
    def stride(self) -> int | None:
        """Rows of one pass: how far the register goes that counts them, where that is plain."""
        # What one step of the register is worth: an element where it is scaled, else a byte. Vector
        # loops have several flags in one operand, and scalar loops several elements of a row.
        texts = [one.text for _, one in self.code]
        wide = any(part in text for text in texts for part in ("mmword ptr", "ymm", "zmm"))
        choose = min if wide else max
        sizes: dict[str, int] = {}
        for _, one in self.code:
            for operand in one.operands:
                for scale, register in re.findall(r"\+ (?:(\d)\*)?(r\w+)", operand):
                    scaled = scale not in ("", "1")
                    size = SIZES.get(operand.split()[0], 0)
                    if scaled or (wide and size):
                        size = 1
                    if size:
                        sizes[register] = choose(size, sizes.get(register, size))
        found = []
        for _, one in self.code:
            if REPEATS.match(one.mnemonic) and one.operands[0] in sizes:
                amount = one.operands[1] if len(one.operands) == 2 else "1"
                if re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", amount):
                    # A row of several elements counts several times.
                    found.append(signed(int(amount, 0)) // sizes[one.operands[0]])
        found = [rows for rows in found if 0 < rows <= 1024]
        return min(found, default=None)

    def functions(self) -> Counter[tuple[str, str]]:
        """Return how many instructions come from each function, by file and name."""
        return Counter(
            (one.place[0], name)
            for _, one in self.code
            if one.place is not None and (name := function_at(*one.place))
        )


def parse_objdump(text: str, lines: str, folder: str) -> list[Instruction]:
    """Return the instructions of `objdump -d -r -M intel`, and their lines.

    Args:
        text: what it prints.
        lines: what `objdump --dwarf=decodedline` prints, or nothing.
        folder: what relative paths of source files start from.
    """
    table = parse_lines(lines, folder)
    starts = sorted(table)
    found: list[Instruction] = []
    symbols: dict[str, str] = {}
    targets = set()
    function = ""
    for row in text.splitlines():
        if symbol := re.match(r"^[0-9a-f]+ <(.+)>:$", row):
            function = symbol[1]
        if relocation := RELOCATION.match(row):
            # The address of a function is put into a register, and the register called later.
            symbols[found[-1].operands[0]] = relocation[1]
            continue
        if not (code := DISASSEMBLED.match(row)):
            continue
        address, mnemonic, rest = int(code[1], 16), code[2], code[3].split("#")[0].strip()
        if "nop" in row or mnemonic == "data16":
            continue
        rest = re.sub(r"(r\w+)\*(\d)", r"\2*\1", re.sub(r"\s*<.*>", "", rest).lower())
        rest = re.sub(r"(?<=\w)([+-])(?=[\w])", r" \1 ", rest)
        operands = split_operands(rest)
        if mnemonic.startswith("j") and re.fullmatch(r"[0-9a-f]+", rest):
            targets.add(int(rest, 16))
            rest = f".L{rest}"
            operands = [rest]
        nearest = bisect.bisect_right(starts, address) - 1
        place = table[starts[nearest]] if nearest >= 0 else None
        text = f"{mnemonic} {rest}".strip()
        one = Instruction(text, mnemonic, operands, place, [], "", address, function)
        if mnemonic == "call":
            one.calls = symbols.get(operands[0], operands[0])
        found.append(one)
    for one in found:
        if one.address in targets:
            one.labels.append(f".L{one.address:x}")
    return found


def parse_lines(text: str, folder: str) -> dict[int, tuple[str, int] | None]:
    """Return the source line from each address on, of `objdump --dwarf=decodedline`."""
    found: dict[int, tuple[str, int] | None] = {}
    file = ""
    for row in text.splitlines():
        if heading := re.match(r"^(?:CU: )?(\S.*\.py):(?:\[\+\+\])?$", row):
            file = str(Path(folder, heading[1]))
        elif entry := re.match(r"^\S.*?\s+(\d+)\s+(0x[0-9a-f]+|0)\b", row):
            number = int(entry[1])
            found[int(entry[2], 16)] = (file, number) if number else None
    return found


def parse(text: str) -> list[Instruction]:
    """Return the instructions of LLVM's assembly."""
    files: dict[str, str] = {}
    found: list[Instruction] = []
    labels: list[str] = []
    function = ""
    place = None
    symbols: dict[str, str] = {}
    for row in text.splitlines():
        row = row.split("#")[0].rstrip()
        if label := LABEL.match(row):
            labels.append(label[1])
            if not label[1].startswith("."):
                function = label[1]
        elif file := FILE.match(row):
            # A path in one piece, or folder and name.
            files[file[1]] = str(Path(file[2], file[3])) if file[3] else file[2]
        elif location := LOCATION.match(row):
            number = int(location[2])
            place = (files.get(location[1], ""), number) if number else None
        elif code := CODE.match(row):
            operands = split_operands(code[2] or "")
            one = Instruction(row.strip(), code[1], operands, place, labels, function=function)
            if symbol := SYMBOL.search(code[2] or ""):
                # An address is put into a register, and the register called later.
                symbols[operands[0]] = symbol[1]
            elif code[1] == "call":
                one.calls = symbols.get(operands[0], operands[0])
            found.append(one)
            labels = []
    return found


def signed(number: int) -> int:
    """Return how far a 64-bit number is from zero."""
    return min(number, 2**64 - number) if number >= 0 else -number


def split_operands(text: str) -> list[str]:
    """Return the operands of an instruction."""
    return [part.strip() for part in text.split(",")] if text else []


def find_loops(code: list[Instruction]) -> list[Loop]:
    """Return the natural loops of each function of an object file, in the order of its code."""
    starts = [k for k, one in enumerate(code) if k == 0 or one.function != code[k - 1].function]
    ends = [*starts[1:], len(code)]
    return [
        loop
        for start, end in zip(starts, ends, strict=True)
        for loop in find_loops_within(code[start:end], start)
    ]


def find_loops_within(code: list[Instruction], first: int) -> list[Loop]:
    """Return the natural loops of a function.

    Args:
        code: its instructions.
        first: the place of the first of them in the whole.
    """
    starts = sorted(
        {0}
        | {k for k, one in enumerate(code) if one.labels}
        | {k + 1 for k, one in enumerate(code) if one.mnemonic[0] == "j" and k + 1 < len(code)}
    )
    ends = [*starts[1:], len(code)]
    block_of = {label: n for n, k in enumerate(starts) for label in code[k].labels}
    following: list[list[int]] = []
    for n, end in enumerate(ends):
        last = code[end - 1]
        targets = []
        if last.mnemonic.startswith("j") and last.operands[-1] in block_of:
            targets.append(block_of[last.operands[-1]])
        if last.mnemonic not in ("jmp", "ret", "ud2") and n + 1 < len(starts):
            targets.append(n + 1)
        following.append(targets)
    above = dominators(following)
    before: list[list[int]] = [[] for _ in following]
    for n, targets in enumerate(following):
        for target in targets:
            before[target].append(n)
    bodies: dict[int, set[int]] = {}
    for tail, targets in enumerate(following):
        for head in targets:
            if tail in above and dominates(head, tail, above):
                body = bodies.setdefault(head, {head})
                todo = [tail]
                while todo:
                    block = todo.pop()
                    if block not in body:
                        body.add(block)
                        todo += before[block]
    frame = {"rsp"}
    if any(one.text.split() == ["mov", "rbp,", "rsp"] for one in code[:20]):
        frame.add("rbp")
    return [
        Loop(
            [(first + k, code[k]) for n in own for k in range(starts[n], ends[n])],
            len(own) == len(body),
            frame,
        )
        for head, body in sorted(bodies.items())
        for own in [sorted(body - nested(head, bodies))]
    ]


def nested(head: int, bodies: dict[int, set[int]]) -> set[int]:
    """Return the blocks of the loops within a loop."""
    inner = [body for other, body in bodies.items() if other != head and other in bodies[head]]
    return set().union(*inner)


def dominators(following: list[list[int]]) -> dict[int, int]:
    """Return each block's immediate dominator, after Cooper, Harvey and Kennedy (2001)."""
    order: list[int] = []
    seen = {0}
    stack = [(0, iter(following[0]))]
    while stack:
        block, targets = stack[-1]
        target = next((target for target in targets if target not in seen), None)
        if target is None:
            order.append(block)
            stack.pop()
        else:
            seen.add(target)
            stack.append((target, iter(following[target])))
    rank = {block: place for place, block in enumerate(order)}
    before: dict[int, list[int]] = {block: [] for block in order}
    for block in order:
        for target in following[block]:
            before[target].append(block)
    above = {0: 0}
    changed = True
    while changed:
        changed = False
        for block in reversed(order[:-1]):
            known = [one for one in before[block] if one in above]
            new = known[0]
            for one in known[1:]:
                while new != one:
                    while rank[new] < rank[one]:
                        new = above[new]
                    while rank[one] < rank[new]:
                        one = above[one]
            if above.get(block) != new:
                above[block] = new
                changed = True
    return above


def dominates(head: int, block: int, above: dict[int, int]) -> bool:
    """Tell whether every way to `block` leads through `head`."""
    while block != head and above[block] != block:
        block = above[block]
    return block == head


@functools.cache
def functions_of(file: str) -> tuple[tuple[int, int, str], ...]:
    """Return first line, last line and name of the functions in a file, inner ones last."""
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(
        sorted(
            (node.lineno, node.end_lineno or node.lineno, node.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
        )
    )


def function_at(file: str, line: int) -> str:
    """Return the innermost function at a line, or nothing."""
    inside = [name for first, last, name in functions_of(file) if first <= line <= last]
    return inside[-1] if inside else ""


def common(names: Iterable[str], most: int) -> str:
    """Return the first few of some names, and how many there are besides."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
