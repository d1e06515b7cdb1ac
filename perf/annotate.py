#!/usr/bin/env python3
"""Shows where in one function the samples of a recording lie: its hottest instructions, their loops, their source.

Addresses of samples become addresses in the file by way of the mappings that the recording holds; functions that bear
one name (each kernel is there once an instruction set) are told apart by where they begin.
"""

import argparse
import bisect
import collections
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass


class Refusal(Exception):
    """A sentence for the user."""


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout


@dataclass(frozen=True)
class Mapping:
    start: int
    length: int
    offset: int
    path: str


@dataclass
class Function:
    path: str
    name: str
    start: int
    size: int
    samples: collections.Counter  # by address in the file

    @property
    def weight(self) -> int:
        return sum(self.samples.values())


class Executable:
    """Symbols of an ELF file, and where in memory its parts belong."""

    def __init__(self, path: str):
        self.path = path
        self.segments = [
            tuple(int(number, 16) for number in found)
            for found in re.findall(
                r"^\s*LOAD\s+0x(\w+) 0x(\w+) 0x\w+ 0x(\w+)", output("readelf", "--wide", "--program-headers", path), re.M)]
        symbols = {}
        for line in output("readelf", "--wide", "--symbols", path).splitlines():
            fields = line.split()
            if len(fields) >= 8 and fields[3] in ("FUNC", "IFUNC") and fields[6] != "UND":
                size = int(fields[2], 0)
                if size:
                    symbols[int(fields[1], 16)] = (size, fields[7])
        self.starts = sorted(symbols)
        self.symbols = symbols

    def address(self, offset: int) -> int | None:
        """Where the byte of the file that lies at `offset` belongs."""
        for start, address, size in self.segments:
            if start <= offset < start + size:
                return offset - start + address
        return None

    def function(self, address: int) -> tuple[int, int, str] | None:
        index = bisect.bisect_right(self.starts, address) - 1
        if index < 0:
            return None
        start = self.starts[index]
        size, name = self.symbols[start]
        return (start, size, name) if address < start + size else None


def read(path: str) -> tuple[list[Function], int]:
    """The functions of files on disk that have samples, and the number of all samples."""
    text = subprocess.run(
        ["perf", "script", "--show-mmap-events", "--hide-call-graph", "--fields", "pid,event,ip", "--input", path],
        capture_output=True, text=True, errors="replace", check=False)
    mappings: dict[str, list[Mapping]] = collections.defaultdict(list)
    counts: collections.Counter = collections.Counter()
    for line in text.stdout.splitlines():
        if found := re.search(
                r"PERF_RECORD_MMAP2? (-?\d+)/\d+: \[0x(\w+)\(0x(\w+)\) @ (?:0x)?(\w+)[^\]]*\]: (\S+) (.*)$", line):
            mapping = Mapping(int(found[2], 16), int(found[3], 16), int(found[4], 16), found[6])
            if "x" in found[5]:
                mappings[found[1]].append(mapping)
        elif found := re.match(r"\s*(\d+)(?:/\d+)?\s+\S+:\S*\s+([0-9a-f]+)\s*$", line):
            counts[found[1], int(found[2], 16)] += 1
    if not counts:
        said = text.stderr.strip().splitlines()
        raise Refusal(f"expected samples in {path}, found none{': ' + said[-1] if said else ''}.")
    executables: dict[str, Executable] = {}
    functions: dict[tuple[str, int], Function] = {}
    for (process, ip), count in counts.items():
        # The last mapping holds: a program may have replaced another one.
        mapping = next(
            (one for one in reversed(mappings[process]) if one.start <= ip < one.start + one.length), None)
        if mapping is None or not os.path.isfile(mapping.path):
            continue
        if mapping.path not in executables:
            executables[mapping.path] = Executable(mapping.path)
        executable = executables[mapping.path]
        address = executable.address(ip - mapping.start + mapping.offset)
        found = executable.function(address) if address is not None else None
        if found is None:
            continue
        start, size, name = found
        function = functions.setdefault(
            (mapping.path, start), Function(mapping.path, name, start, size, collections.Counter()))
        function.samples[address] += count
    demangle(list(functions.values()))
    return sorted(functions.values(), key=lambda one: -one.weight), sum(counts.values())


def demangle(functions: list[Function]) -> None:
    swift = [one for one in functions if one.name.startswith("$s")]
    if swift and shutil.which("swift"):
        text = subprocess.run(
            ["swift", "demangle", "--simplified", "--compact"], input="\n".join(one.name for one in swift),
            capture_output=True, text=True, check=False).stdout.splitlines()
        if len(text) == len(swift):
            for one, name in zip(swift, text):
                one.name = name


def candidates(functions: list[Function], total: int) -> str:
    shares: dict[str, int] = collections.Counter()
    for one in functions:
        shares[one.name] += one.weight
    listed = [f"{name} ({100 * weight / total:.1f} %)" for name, weight in shares.most_common(8)]
    return ", ".join(listed) + (", …" if len(shares) > 8 else "")


def choose(functions: list[Function], total: int, kernel: str) -> list[Function]:
    """Those of one name, hottest first."""
    exact = [one for one in functions if one.name == kernel]
    if exact:
        return exact
    matches = [one for one in functions if kernel.lower() in one.name.lower()]
    names = {one.name for one in matches}
    if len(names) == 1:
        return matches
    if not matches:
        raise Refusal(f"expected a function with samples, found none whose name has '{kernel}'; "
                      f"the hottest: {candidates(functions, total)}.")
    raise Refusal(f"expected one function, found {len(names)} whose names have '{kernel}': "
                  f"{candidates(matches, total)}.")


@dataclass
class Instruction:
    address: int
    text: str


def disassemble(function: Function) -> list[Instruction]:
    text = output("objdump", "--disassemble", "--no-show-raw-insn", "--wide",
                  f"--start-address={function.start}", f"--stop-address={function.start + function.size}", function.path)
    return [
        Instruction(int(found[1], 16), re.sub(r"\s+", " ", found[2]).strip())
        for found in re.finditer(r"^\s*([0-9a-f]+):\t(.*)$", text, re.M)]


JUMP = re.compile(r"^(?:bnd |notrack )?(j[a-z]+|b(?:\.[a-z]+)?|cbn?z|tbn?z)\s.*?\b([0-9a-f]+) <")


def loops(instructions: list[Instruction]) -> list[range]:
    """Each from the target of a jump backwards to the jump, both included; the innermost ones first."""
    found = set()
    for one in instructions:
        if jump := JUMP.match(one.text):
            target = int(jump[2], 16)
            if instructions[0].address <= target <= one.address:
                found.add((target, one.address + 1))
    return [range(*pair) for pair in sorted(found, key=lambda pair: pair[1] - pair[0])]


def sources(path: str, addresses: list[int]) -> dict[int, str]:
    """"gemm_tile.h:57 (tile)" for each: the innermost template, else the innermost line of any file."""
    text = output("addr2line", "--addresses", "--inlines", "--functions", f"--exe={path}", *map(hex, addresses))
    frames: dict[int, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    lines = iter(text.splitlines())
    for line in lines:
        if re.fullmatch(r"0x[0-9a-f]+", line):
            current = frames.setdefault(int(line, 16), [])
        else:
            current.append((line, re.sub(r" \(discriminator \d+\)$", "", next(lines, "?"))))
    return {address: place(chain) for address, chain in frames.items()}


def place(chain: list[tuple[str, str]]) -> str:
    known = [(name, line) for name, line in chain if not line.startswith("?") and not line.endswith((":0", ":?"))]
    template = next((one for one in known if "/templates/" in one[1]), None)
    name, line = template or (known[0] if known else ("", "?"))
    if line == "?":
        return "no line known"
    return line[line.rfind("Sources/"):] if "Sources/" in line else line


def show(functions: list[Function], total: int, most: int) -> None:
    function = functions[0]
    instructions = disassemble(function)
    if not instructions:
        raise Refusal(f"expected objdump to disassemble {function.name} in {function.path}, which it did not.")
    weight = function.weight
    print(f"{function.name}: {weight} of {total} samples, {100 * weight / total:.1f} %, in {os.path.basename(function.path)}")
    for other in functions[1:]:
        print(f"  another of that name has {100 * other.weight / total:.1f} %, {place_of(other)}")
    if weight < 100:
        print("  so few samples say little: record for longer")
    places = sources(function.path, list(function.samples))
    files: collections.Counter = collections.Counter()
    for address, count in function.samples.items():
        files[places.get(address, "no line known").rsplit(":", 1)[0]] += count
    print("source")
    for name, count in files.most_common(4):
        print(f"  {100 * count / weight:5.1f} %  {name}")
    found = loops(instructions)
    hottest = [address for address, _ in function.samples.most_common(most)]
    inner: dict[int, range | None] = {
        address: next((loop for loop in found if address in loop), None) for address in function.samples}
    print("loops (innermost around their samples)")
    shares: collections.Counter = collections.Counter()
    for address, count in function.samples.items():
        shares[inner[address]] += count
    letters: dict[range, str] = {}
    for loop, count in shares.most_common(5):
        if loop is None:
            print(f"  {100 * count / weight:5.1f} %  -  outside of loops")
            continue
        letters[loop] = chr(ord("A") + len(letters))
        body = [one for one in instructions if one.address in loop]
        lines = lines_of([places[address] for address in function.samples if inner[address] == loop])
        print(f"  {100 * count / weight:5.1f} %  {letters[loop]}  {len(body)} instructions, {mix(body)}; {lines}")
    print(f"hottest instructions, {len(hottest)} of {len(instructions)}, in their order")
    texts = {one.address: one.text for one in instructions}
    rows = [
        (f"{100 * function.samples[address] / weight:5.1f} %", letters.get(inner[address], "-"), f"{address:x}",
         re.sub(r"\s*#.*$", "", texts.get(address, "?")), places.get(address, "no line known"))
        for address in sorted(hottest)]
    width = max(len(row[3]) for row in rows)
    for share, letter, address, text, line in rows:
        print(f"  {share}  {letter}  {address}  {text:<{width}}  {line}")


def lines_of(places: list[str]) -> str:
    """"gemm_tile.h:44–57": from the first to the last line of the file that most of them are in."""
    files = collections.Counter(one.rpartition(":")[0] for one in places)
    name = files.most_common(1)[0][0]
    if not name:
        return "no line known"
    lines = sorted(int(one.rpartition(":")[2]) for one in places if one.rpartition(":")[0] == name)
    span = f"{lines[0]}" if lines[0] == lines[-1] else f"{lines[0]}–{lines[-1]}"
    return f"{os.path.basename(name)}:{span}"


def place_of(function: Function) -> str:
    address = function.samples.most_common(1)[0][0]
    text = next((one.text for one in disassemble(function) if one.address == address), "?")
    return f"its hottest: {text}"


def mix(body: list[Instruction]) -> str:
    """What a loop is made of."""
    kinds = {
        "multiply-adds": r"v?fn?m(add|sub)|vdpbf16ps|vpdpbusd|tdp|fml[as]|bfdot",
        "jumps": r"j|b\.|cb|tb",
        "prefetches": r"prefetch|prfm",
    }
    counts: collections.Counter = collections.Counter()
    for one in body:
        kind = next((kind for kind, pattern in kinds.items() if re.match(pattern, one.text)), None)
        if kind is None:
            kind = "memory" if re.search(r"\(|\[", re.sub(r"<.*", "", one.text)) else "other"
        counts[kind] += 1
    order = ["multiply-adds", "memory", "prefetches", "jumps", "other"]
    return ", ".join(f"{counts[kind]} {'that load or store' if kind == 'memory' else kind}" for kind in order if counts[kind])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernel")
    parser.add_argument("--input", required=True, help="what perf record wrote")
    parser.add_argument("--instructions", type=int, default=12, help="how many to show (default 12)")
    options = parser.parse_args()
    # Whoever reads the first lines alone ends this without a word.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        functions, total = read(options.input)
        show(choose(functions, total, options.kernel), total, options.instructions)
    except Refusal as refusal:
        raise SystemExit(f"annotate: {refusal}") from None


if __name__ == "__main__":
    main()
