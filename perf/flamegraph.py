#!/usr/bin/env python3
"""Draws a flame graph from the output of `perf script --fields comm,period,ip,sym` on stdin.

Writes a self-contained SVG to stdout. A box is a function within one chain of callers; its width is its
share of all samples, callees included; children stand on their caller in the order of their names. The
colour tells where code comes from: green is C kernels (names with a lower-case first letter and no
parameters), orange is Swift, blue is the kernel. A tooltip gives name and share.
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

ROW = 17  # pixels
MARGIN = 10
LETTER = 6.6  # width of a letter of the 11-pixel monospaced font


@dataclass
class Box:
    name: str
    weight: int = 0
    children: dict[str, "Box"] = field(default_factory=dict)

    def child(self, name: str) -> "Box":
        return self.children.setdefault(name, Box(name))


def read_stacks(lines):
    """Yields weight and stack, outermost caller first, of each sample.

    A sample is a line with the thread's name and the period, then one line a frame, innermost first,
    then an empty line.
    """
    weight, thread, frames = 0, "", []
    for line in lines:
        line = line.rstrip("\n")
        if not line.strip():
            if weight:
                yield weight, [thread, *reversed(frames)]
            weight, frames = 0, []
        elif weight:
            address, _, symbol = line.strip().partition(" ")
            frames.append(clean(symbol, address))
        else:
            header = re.match(r"\s*(.*?)\s+(\d+)\s*:?\s*(.*)$", line)
            if header:
                thread, weight = header[1], int(header[2])
    if weight:
        yield weight, [thread, *reversed(frames)]


def clean(symbol: str, address: str) -> str:
    """A frame's name; addresses of the kernel (upper half) are marked."""
    name = re.sub(r"\+0x[0-9a-f]+$", "", symbol) or "[unknown]"
    return name + " [kernel]" if len(address) == 16 and address.startswith("ffff") else name


def build_tree(stacks) -> Box:
    root = Box("all")
    for weight, frames in stacks:
        box = root
        box.weight += weight
        for frame in frames:
            box = box.child(frame)
            box.weight += weight
    return root


def depth(box: Box, smallest: float) -> int:
    tall = (depth(child, smallest) for child in box.children.values() if child.weight >= smallest)
    return 1 + max(tall, default=0)


def colour(name: str) -> str:
    """A hue by origin, with a brightness by name, so that neighbours can be told apart."""
    if name.endswith("[kernel]"):
        hue = 210
    elif re.fullmatch(r"[a-z_][A-Za-z0-9_.]*", name):
        hue = 120
    elif name == "[unknown]":
        return "hsl(0,0%,80%)"
    else:
        hue = 28
    return f"hsl({hue},65%,{60 + sum(name.encode()) % 5 * 4}%)"


def draw(box: Box, left: float, bottom: int, scale: float, total: int, smallest: float, out: list[str]) -> None:
    """Appends a box and those above it; `bottom` is the y of its lower edge."""
    width = box.weight * scale
    share = f"{box.name}: {100 * box.weight / total:.2f} %"
    letters = int((width - 4) / LETTER)
    label = box.name if len(box.name) <= letters else box.name[: letters - 1] + "…"
    out.append(
        f'<g><title>{escape(share)}</title><rect x="{left:.1f}" y="{bottom - ROW}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="{colour(box.name)}"/>')
    if letters >= 3:
        out.append(f'<text x="{left + 3:.1f}" y="{bottom - 5}">{escape(label)}</text>')
    out.append("</g>")
    for child in sorted(box.children.values(), key=lambda child: child.name):
        if child.weight >= smallest:
            draw(child, left, bottom - ROW, scale, total, smallest, out)
        left += child.weight * scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--title", default="flame graph")
    parser.add_argument("--width", type=int, default=1400, help="pixels (default 1400)")
    parser.add_argument("--smallest", type=float, default=0.5, help="narrowest box drawn, pixels (default 0.5)")
    options = parser.parse_args()
    sys.setrecursionlimit(10_000)

    root = build_tree(read_stacks(sys.stdin))
    if root.weight == 0:
        raise SystemExit("flamegraph.py: expected samples of perf script on stdin, found none")
    scale = (options.width - 2 * MARGIN) / root.weight
    smallest = options.smallest / scale
    height = depth(root, smallest) * ROW + 2 * MARGIN + 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{options.width}" height="{height}" '
        f'viewBox="0 0 {options.width} {height}" font-family="monospace" font-size="11">',
        f'<rect width="{options.width}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="20" font-size="14">{escape(options.title)}</text>',
    ]
    draw(root, MARGIN, height - MARGIN, scale, root.weight, smallest, out)
    print("\n".join([*out, "</svg>"]))


if __name__ == "__main__":
    main()
