// What the pictures of a benchmark share: an SVG as wide as the page, and what it tells of the place below the pointer.

/** The kinds of operators by the type that opens their regions, each with its colour. */
const kinds = [
  { name: "matrix products", colour: "var(--run-0)", types: ["Linear", "PairedLinear", "GEMM"] },
  { name: "attention", colour: "var(--run-1)", types: ["Attention", "PairedAttention", "KeyValueCache"] },
  { name: "layer norm", colour: "var(--run-2)", types: ["LayerNorm"] },
  { name: "loss", colour: "var(--run-3)", types: ["CrossEntropy"] },
  { name: "update and norms", colour: "var(--run-4)", types: ["DueUpdate", "TrainingState", "GradientSink"] },
  { name: "element-wise and embeddings", colour: "var(--run-5)",
    types: ["Activation", "Residual", "Encoder", "Conversion", "Transposition"] },
  { name: "layout of weights", colour: "var(--run-6)", types: ["OperandLayout", "LaidOutWeights"] },
  { name: "other", colour: "var(--run-7)", types: [] },
];
const kindOf = (region) => kinds.find((kind) => kind.types.includes(region.split(".")[0])) || kinds[kinds.length - 1];

/** "12.3 ms", "45.6 µs": of nanoseconds. */
function time(nanoseconds) {
  const size = Math.abs(nanoseconds);
  if (size >= 1e9) return trimmed(nanoseconds / 1e9, 4) + " s";
  return size >= 1e6 ? trimmed(nanoseconds / 1e6, 4) + " ms" : trimmed(nanoseconds / 1e3, 3) + " µs";
}

const percent = (share) => (100 * share).toFixed(Math.abs(share) < 0.0995 ? 1 : 0) + " %";
const textWidth = (text) => text.length * 6.8;

function keys(entries) {
  return htmlElement("ul", { class: "keys" }, ...entries.map(([colour, text]) =>
    htmlElement("li", {}, htmlElement("i", { style: `--colour: ${colour}` }), text)));
}

/** Shows a section of the page with these elements in it. */
function showSection(id, ...elements) {
  const section = document.getElementById(id);
  section.hidden = false;
  section.append(...elements);
}

const note = (text) => htmlElement("p", { class: "unit" }, text);

function numbers(head, rows, about) {
  const element = table(head, rows, about);
  element.classList.add("numbers");
  return element;
}

const folded = (title, content) => htmlElement("details", {}, htmlElement("summary", {}, title), content);

class Picture {
  constructor(about) {
    this.svg = svgElement("svg", { role: "img", "aria-label": about });
    this.readout = htmlElement("div", { class: "readout", "aria-live": "polite", hidden: "" });
    this.plot = htmlElement("div", { class: "plot" }, this.svg, this.readout);
    this.element = htmlElement("figure", { class: "picture" }, this.plot);
    this.svg.addEventListener("pointerleave", () => this.readout.hidden = true);
    new ResizeObserver(() => {
      if (this.plot.clientWidth !== this.seen) this.draw();
    }).observe(this.element);
  }

  /** Empties the picture. */
  begin(height) {
    this.seen = this.plot.clientWidth;
    this.width = Math.max(240, Math.floor(this.seen));
    this.height = height;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren();
    this.readout.hidden = true;
  }

  /** Where the pointer is, in the picture. */
  place(event) {
    const box = this.svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** Names and values beside a place. */
  tell([x, y], title, rows) {
    this.readout.replaceChildren(htmlElement("p", {}, title), htmlElement("table", {}, ...rows.map(([name, value]) =>
      htmlElement("tr", {}, htmlElement("th", { scope: "row" }, name), htmlElement("td", {}, value)))));
    this.readout.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.readout;
    const left = x + 14 + width < this.width ? x + 14 : x - 14 - width;
    this.readout.style.left = Math.max(0, Math.min(left, this.width - width)) + "px";
    // Above where there is room for it and none below.
    const above = y - 16 - height;
    this.readout.style.top = (y + 16 + height < this.height || above < 0 ? y + 16 : above) + "px";
  }

  /** Horizontal lines with their values, ticks with theirs below, and what the axes are. */
  drawAxes({ left, right, top, bottom }, x, y, xTicks, yTicks, [xText, yText]) {
    const group = svgElement("g", { class: "axes", "aria-hidden": "true" }, this.svg);
    for (const tick of yTicks) {
      const at = Math.round(y.at(tick)) + 0.5;
      svgElement("line", { x1: left, x2: right, y1: at, y2: at }, group);
      svgElement("text", { x: left - 7, y: at + 3.5, "text-anchor": "end" }, group).textContent = trimmed(tick, 3);
    }
    svgElement("text", { x: 0, y: 10 }, group).textContent = yText;
    svgElement("text", { x: right, y: bottom + 36, "text-anchor": "end" }, group).textContent = xText;
    for (const tick of xTicks) {
      const at = Math.round(x.at(tick)) + 0.5;
      svgElement("line", { x1: at, x2: at, y1: bottom, y2: bottom + 4, class: "tick" }, group);
      svgElement("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, group).textContent = trimmed(tick, 3);
    }
    svgElement("line", { x1: left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5, class: "base" }, group);
    return svgElement("g", {}, this.svg);
  }
}
