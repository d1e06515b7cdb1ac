// FLOP per byte against GFLOP/s: each product and operator below what arithmetic and memory allow.

const groups = [
  { name: "products, forward", colour: "var(--run-0)", has: (row) => row.pass === "forward" },
  { name: "products, dinput", colour: "var(--run-1)", has: (row) => row.pass === "dinput" },
  { name: "products, dweight", colour: "var(--run-2)", has: (row) => row.pass === "dweight" },
  { name: "operators", colour: "var(--run-3)", has: () => true },
];

class Roofline extends Picture {
  /** points: [{ name, x, y, limit, group }]; limits: { precision: GFLOP/s }; reads: GB/s. */
  constructor(points, limits, reads) {
    super("FLOP per byte against GFLOP/s; arrow keys go from point to point");
    this.points = points.sort((a, b) => a.x - b.x);
    [this.limits, this.reads] = [limits, reads];
    this.svg.setAttribute("tabindex", "0");
    this.svg.addEventListener("pointermove", (event) => {
      const at = this.place(event), far = (point) => Math.hypot(this.x.at(point.x) - at[0], this.y.at(point.y) - at[1]);
      const nearest = this.points.reduce((a, b) => far(b) < far(a) ? b : a);
      this.choose(far(nearest) < 40 ? this.points.indexOf(nearest) : -1);
    });
    this.svg.addEventListener("pointerleave", () => this.choose(-1));
    this.svg.addEventListener("blur", () => this.choose(-1));
    this.svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.choose(Math.max(0, Math.min(this.points.length - 1, (this.chosen ?? -1) + step)));
    });
  }

  draw() {
    this.begin(Math.max(300, Math.min(460, this.plot.clientWidth * 0.6)));
    const peaks = Object.values(this.limits);
    const [xs, ys] = ["x", "y"].map((axis) => this.points.map((point) => point[axis]));
    const knee = Math.max(...peaks) / this.reads;
    const [xLow, xHigh] = [Math.min(...xs, knee / 2) / 1.6, Math.max(...xs, knee * 2) * 1.6];
    const [yLow, yHigh] = [Math.min(...ys, this.reads * xLow) / 1.5, Math.max(...ys, ...peaks) * 2];
    const area = { left: 48, right: this.width - 12, top: 20, bottom: this.height - 42 };
    this.x = makeScale(xLow, xHigh, area.left, area.right, true);
    this.y = makeScale(yLow, yHigh, area.bottom, area.top, true);
    const plot = this.drawAxes(area, this.x, this.y, logarithmicTicks(xLow, xHigh, this.width / 90),
      logarithmicTicks(yLow, yHigh, this.height / 50), ["FLOP per byte", "GFLOP/s"]);
    const labels = svgElement("g", { class: "labels above" }, this.svg);
    for (const [precision, peak] of Object.entries(this.limits)) {
      const corner = peak / this.reads, y = this.y.at(peak);
      const start = Math.max(xLow, yLow / this.reads);
      svgElement("path", { class: "limit", d: `M${this.x.at(start)} ${this.y.at(this.reads * start)}` +
        `L${this.x.at(corner)} ${y}L${area.right} ${y}` }, plot);
      // Products lie just below the highest limit.
      const place = peak === Math.max(...peaks) ? y - 7 : y + 16;
      svgElement("text", { x: area.right, y: place, "text-anchor": "end" }, labels).textContent =
        `${precision}: ${trimmed(peak, 4)} GFLOP/s`;
    }
    // Along the slope, below its beginning.
    const [low, high] = [Math.max(xLow, yLow / this.reads), knee].map((x) => [this.x.at(x), this.y.at(x * this.reads)]);
    const angle = Math.atan2(high[1] - low[1], high[0] - low[0]) * 180 / Math.PI;
    const middle = [(2 * low[0] + high[0]) / 3, (2 * low[1] + high[1]) / 3 + 16];
    svgElement("text", { x: middle[0], y: middle[1], "text-anchor": "middle",
      transform: `rotate(${angle} ${middle[0]} ${middle[1]})` }, labels).textContent =
      `reads: ${trimmed(this.reads, 4)} GB/s`;
    this.circles = this.points.map((point) => svgElement("circle", { class: "point", cx: this.x.at(point.x),
      cy: this.y.at(point.y), r: 5, fill: point.group.colour }, this.svg));
    this.chosen = null;
  }

  choose(index) {
    if (this.chosen !== null && this.circles[this.chosen]) this.circles[this.chosen].classList.remove("chosen");
    this.chosen = index < 0 ? null : index;
    this.readout.hidden = index < 0;
    if (index < 0) return;
    const point = this.points[index];
    this.circles[index].classList.add("chosen");
    this.tell([this.x.at(point.x), this.y.at(point.y)], point.name, [["FLOP per byte", trimmed(point.x, 3)],
      ["GFLOP/s", trimmed(point.y, 4)], ["limit there", trimmed(point.limit, 4)],
      ["of it", percent(point.y / point.limit)]]);
  }
}

function showRoofline(results, limits, reads) {
  const points = results.filter((row) => row.flop && row.bytes && row.milliseconds.median).map((row) => {
    const x = row.flop / row.bytes, peak = limits[row.precision] ?? Math.max(...Object.values(limits));
    return { name: row.name, x, y: row.flop / row.milliseconds.median / 1e6, limit: Math.min(peak, reads * x),
      group: groups.find((group) => group.has(row)) };
  });
  if (!points.length) return;
  const roofline = new Roofline(points, limits, reads);
  const rows = points.map((point) => [point.name, trimmed(point.x, 3), trimmed(point.y, 4), trimmed(point.limit, 4),
    percent(point.y / point.limit)]);
  showSection("roofline",
    note("Bytes are those that must come from or go to memory once; what lies in the caches may be above the limit."),
    keys(groups.filter((group) => points.some((point) => point.group === group))
      .map((group) => [group.colour, group.name])),
    roofline.element,
    folded("All numbers", numbers(["Work", "FLOP per byte", "GFLOP/s", "limit there", "of it"], rows, "Roofline")));
  roofline.draw();
}
