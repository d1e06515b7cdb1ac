// Threads against speed-up, and where the rest of their time goes.

const shares = [
  ["busy_share", "busy", "var(--run-2)"], ["slower_share", "slower than alone", "var(--run-1)"],
  ["waiting_share", "waiting in regions", "var(--waiting)"], ["between_share", "between regions", "var(--between)"],
];

class SpeedUp extends Picture {
  /** lines: [{ name, colour, rows }], rows by threads. */
  constructor(lines) {
    super("Threads against speed-up");
    this.lines = lines;
  }

  draw() {
    this.begin(Math.max(260, Math.min(360, this.plot.clientWidth * 0.5)));
    const rows = this.lines.flatMap((line) => line.rows);
    const most = Math.max(2, ...rows.map((row) => row.threads));
    const high = Math.max(most, ...rows.map((row) => row.speed_up));
    const area = { left: 40, right: this.width - 14, top: 20, bottom: this.height - 42 };
    const x = makeScale(1, most, area.left + 12, area.right, false);
    const y = makeScale(0, high, area.bottom, area.top, false);
    const plot = this.drawAxes(area, x, y,
      linearTicks(1, most, Math.min(most, this.width / 60)).filter((tick) => Number.isInteger(tick)),
      linearTicks(0, high, this.height / 50), ["threads", "speed-up"]);
    svgElement("path", { class: "ideal", d: `M${x.at(1)} ${y.at(1)}L${x.at(most)} ${y.at(most)}` }, plot);
    for (const line of this.lines) {
      const path = line.rows.map((row) => `${x.at(row.threads)} ${y.at(row.speed_up)}`).join("L");
      svgElement("path", { class: "curve", d: "M" + path, stroke: line.colour }, plot);
      for (const row of line.rows) {
        const point = svgElement("circle", { class: "point", cx: x.at(row.threads), cy: y.at(row.speed_up), r: 5,
          fill: line.colour }, plot);
        const told = [["speed-up", trimmed(row.speed_up, 3)],
          ["efficiency", percent(row.efficiency ?? row.speed_up / row.threads)]];
        point.addEventListener("pointermove",
          (event) => this.tell(this.place(event), `${line.name}, ${row.threads} threads`, told));
        point.addEventListener("pointerleave", () => this.readout.hidden = true);
      }
    }
  }
}

function showScaling(results) {
  const rows = results.filter((row) => row.suite === "scaling" && row.threads > 0 && row.speed_up > 0)
    .sort((a, b) => a.threads - b.threads);
  if (!rows.length) return;
  const lines = [...new Set(rows.map((row) => row.kind ?? "step"))].map((name, index) => ({
    name, colour: `var(--run-${index})`, rows: rows.filter((row) => (row.kind ?? "step") === name) }));
  const speedUp = new SpeedUp(lines);
  const known = lines.flatMap((line) => line.rows).filter((row) => shares.some(([field]) => row[field] != null));
  const named = lines.map((line) => [line.colour, line.name]);
  const elements = [keys([...named, ["var(--between)", "dashed: ideal"]]), speedUp.element];
  let bars = null;
  if (known.length) {
    bars = new Bars("Where the threads' time goes", known.map((row) => {
      const name = `${row.kind ?? "step"}, ${row.threads} thread${row.threads === 1 ? "" : "s"}`;
      return { name, text: row.efficiency == null ? "" : percent(row.efficiency) + " efficient",
        parts: shares.map(([field, title, colour]) => ({ value: row[field] ?? 0, colour, title: `${name}: ${title}`,
          rows: [["share", percent(row[field] ?? 0)]] })) };
    }));
    elements.push(keys(shares.map(([, text, colour]) => [colour, text])), bars.element);
  }
  showSection("scaling", ...elements);
  speedUp.draw();
  bars?.draw();
}
