#!/usr/bin/env python3
"""Draws a flame graph from the output of `perf script --header --fields comm,event,period,ip,sym` on stdin.

Writes a self-contained SVG to stdout, headed by the command that was sampled, the number of samples and what
they are of. A box is a function within one chain of callers; its width is its share of all samples, callees
included; children stand on their caller in the order of their names. The colour tells where code comes from:
green is C kernels (names with a lower-case first letter and no parameters), orange is Swift, blue is the
kernel. A tooltip gives name and share; a click on "search", or Ctrl+F, asks for a pattern and marks what it finds.
Swift's thunks are drawn as what they lead to: see readable().
"""

import argparse
import re
import sys
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

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


@dataclass(frozen=True)
class Sample:
    weight: int
    event: str
    frames: list[str]  # outermost caller first, the thread before it


@dataclass
class Recording:
    command: str = ""
    samples: list[Sample] = field(default_factory=list)


def read(lines) -> Recording:
    """What perf script writes: comments about the recording, then the samples.

    A sample is a line with the thread's name, the period and the event, then one line a frame, innermost first,
    then an empty line.
    """
    recording = Recording()
    header, frames = None, []
    for line in [*lines, ""]:
        line = line.rstrip("\n")
        if line.startswith("#"):
            if found := re.match(r"# cmdline : (?:.*? -- )?(.*?)\s*$", line):
                recording.command = found[1]
        elif not line.strip():
            if header:
                stack = [thread(header[1]), *readable(frames[::-1])]
                recording.samples.append(Sample(int(header[2]), header[3], stack))
            header, frames = None, []
        elif header:
            address, _, symbol = line.strip().partition(" ")
            frames.append(clean(symbol, address))
        else:
            header = re.match(r"\s*(.*?)\s+(\d+)\s+(\S+?):*\s*$", line)
    return recording


def thread(name: str) -> str:
    """Linux keeps the last 15 letters of the name that Dispatch gives its workers."""
    return "workers of Dispatch" if name.endswith("default-qos") else name


def clean(symbol: str, address: str) -> str:
    """A frame's name; addresses of the kernel (upper half) are marked."""
    name = re.sub(r"\+0x[0-9a-f]+$", "", symbol) or "[unknown]"
    return name + " [kernel]" if len(address) == 16 and address.startswith("ffff") else name


# What the compiler puts between a caller and a function: its name says where it leads to.
FORWARDER = re.compile(
    r"partial apply (?:forwarder )?for |dispatch thunk of |vtable thunk for |@objc |implicit closure #\d+ in "
    r"|protocol witness for (?=.* in conformance )")
# What the optimiser made of a function.
VARIANT = re.compile(r"(?:generic |function signature )?specialized |(?:generic )?specialization <.*?> of |merged ")
CLOSURE = re.compile(r"closure #(\d+) in ")
# Only passes arguments on in another form, and names no function.
REABSTRACTION = re.compile(r"(?:reabstraction )?thunk (?:helper )?(?:for|from) ")


def readable(frames: list[str]) -> list[str]:
    """A stack as it is written in the source, outermost first.

    "partial apply for closure #1 in static GEMM.work(_:)", which calls "closure #1 in static GEMM.work(_:)", is that
    closure, "GEMM.work(_:) {closure 1}"; a thunk that only hands arguments on is left out, unless it is all there is.
    """
    stack: list[str] = []
    was_forwarder = False
    for frame in frames:
        name, is_forwarder = frame, False
        while found := FORWARDER.match(name) or VARIANT.match(name):
            is_forwarder = is_forwarder or found.re is FORWARDER
            name = name[found.end():]
        if REABSTRACTION.match(name):
            if len(frames) > 1:
                continue
            name = "thunk"
        name = function_first(re.sub(r" in conformance .*$", "", name))
        if not (stack and stack[-1] == name and (is_forwarder or was_forwarder)):
            stack.append(name)
        was_forwarder = is_forwarder
    return stack


def function_first(name: str) -> str:
    """The function before its closures: a narrow box shows how a name begins."""
    closures = []
    while found := CLOSURE.match(name):
        closures.insert(0, found[1])
        name = name[found.end():]
        if variant := VARIANT.match(name):
            name = name[variant.end():]
    name = name.removeprefix("static ")
    return f"{name} {{closure {'.'.join(closures)}}}" if closures else name


def build_tree(samples: list[Sample]) -> Box:
    root = Box("all")
    for sample in samples:
        box = root
        box.weight += sample.weight
        for frame in sample.frames:
            box = box.child(frame)
            box.weight += sample.weight
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
        f'<g class="box" data-name={quoteattr(box.name)}><title>{escape(share)}</title><rect x="{left:.1f}" y="{bottom - ROW}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="{colour(box.name)}"/>')
    if letters >= 3:
        out.append(f'<text x="{left + 3:.1f}" y="{bottom - 5}">{escape(label)}</text>')
    out.append("</g>")
    for child in sorted(box.children.values(), key=lambda child: child.name):
        if child.weight >= smallest:
            draw(child, left, bottom - ROW, scale, total, smallest, out)
        left += child.weight * scale


# Marks the boxes whose names match, and says what share of the samples is in them: a box in a marked one counts once.
SEARCH = r"""
<script><![CDATA[
var pattern = "";
function ask() {
  var answer = window.prompt("A part of the names to mark, or a regular expression; nothing: no mark", pattern);
  if (answer !== null) mark(answer);
}
function mark(text) {
  var expression = null;
  pattern = text;
  try { if (text) expression = new RegExp(text, "i"); } catch (error) { show(error.message); return; }
  var ranges = [], boxes = document.querySelectorAll("g.box"), whole = 0;
  boxes.forEach(function (box) {
    var rect = box.querySelector("rect"), name = box.getAttribute("data-name");
    var left = parseFloat(rect.getAttribute("x")), width = parseFloat(rect.getAttribute("width"));
    var found = expression !== null && expression.test(name);
    whole = Math.max(whole, width);
    rect.style.fill = found ? "magenta" : "";
    if (found) ranges.push([left, left + width]);
  });
  ranges.sort(function (one, other) { return one[0] - other[0]; });
  var covered = 0, end = -1;
  ranges.forEach(function (range) {
    covered += Math.max(0, range[1] - Math.max(range[0], end));
    end = Math.max(end, range[1]);
  });
  show(expression ? "in '" + text + "': " + (100 * covered / whole).toFixed(1) + " %" : "");
}
function show(text) { document.getElementById("found").textContent = text; }
window.addEventListener("keydown", function (event) {
  if ((event.ctrlKey || event.metaKey) && event.key === "f") { event.preventDefault(); ask(); }
  if (event.key === "Escape") mark("");
});
document.getElementById("search").addEventListener("click", ask);
]]></script>"""


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--title", help="default: the command that was sampled")
    parser.add_argument("--width", type=int, default=1400, help="pixels (default 1400)")
    parser.add_argument("--smallest", type=float, default=0.5, help="narrowest box drawn, pixels (default 0.5)")
    options = parser.parse_args()
    sys.setrecursionlimit(10_000)

    recording = read(sys.stdin)
    root = build_tree(recording.samples)
    if root.weight == 0:
        raise SystemExit("flamegraph.py: expected samples of perf script on stdin, found none")
    title = options.title or recording.command or "flame graph"
    events = ", ".join(sorted({sample.event for sample in recording.samples}))
    scale = (options.width - 2 * MARGIN) / root.weight
    smallest = options.smallest / scale
    height = depth(root, smallest) * ROW + 2 * MARGIN + 44
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{options.width}" height="{height}" '
        f'viewBox="0 0 {options.width} {height}" font-family="monospace" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{options.width}" height="{height}" fill="white"/>',
        f'<text x="{MARGIN}" y="20" font-size="14">{escape(title)}</text>',
        f'<text x="{MARGIN}" y="38">{count(len(recording.samples), "sample")} of {escape(events)}</text>',
        f'<text id="search" x="{options.width - MARGIN}" y="20" text-anchor="end" cursor="pointer" '
        'text-decoration="underline">search</text>',
        f'<text id="found" x="{options.width - MARGIN}" y="38" text-anchor="end"/>',
    ]
    draw(root, MARGIN, height - MARGIN, scale, root.weight, smallest, out)
    print("\n".join([*out, SEARCH, "</svg>"]))


if __name__ == "__main__":
    main()
