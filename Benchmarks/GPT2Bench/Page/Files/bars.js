// Bars that are made of parts: the step by operator, memory by node, where threads' time goes.

class Bars extends Picture {
  /** rows: [{ name, text, parts: [{ value, colour, title, rows }] }]; the widest fills the picture. */
  constructor(about, rows) {
    super(about);
    this.rows = rows;
    this.plot.classList.add("bars");
    this.most = Math.max(...rows.map((row) => row.parts.reduce((sum, part) => sum + part.value, 0)), 1e-12);
  }

  draw() {
    const [names, texts] = ["name", "text"].map((field) => Math.max(...this.rows.map((row) => textWidth(row[field]))));
    const width = Math.max(240, Math.floor(this.plot.clientWidth)), isNarrow = names > width * 0.3;
    const pitch = isNarrow ? 36 : 22, left = isNarrow ? 0 : names + 10;
    this.begin(this.rows.length * pitch);
    const scale = makeScale(0, this.most, 0, Math.max(60, this.width - left - texts - 10), false);
    const labels = svgElement("g", { class: "labels" }, this.svg), bars = svgElement("g", {}, this.svg);
    this.rows.forEach((row, index) => {
      const top = index * pitch + (isNarrow ? 17 : 3);
      svgElement("text", { x: isNarrow ? 0 : left - 10, y: isNarrow ? top - 4 : top + 12,
        "text-anchor": isNarrow ? "start" : "end", class: "strong" }, labels).textContent = row.name;
      let x = left;
      for (const part of row.parts.filter((part) => part.value > 0)) {
        const bar = svgElement("rect", { class: "bar", x, y: top, width: scale.at(part.value), height: 16,
          fill: part.colour }, bars);
        bar.addEventListener("pointermove", (event) => this.tell(this.place(event), part.title, part.rows));
        bar.addEventListener("pointerleave", () => this.readout.hidden = true);
        x += scale.at(part.value);
      }
      svgElement("text", { x: x + 8, y: top + 12 }, labels).textContent = row.text;
    });
  }
}

// MARK: The step by operator

/** Sums over the regions of each name: { name, regions, tasks, stolen, busy, waiting }, in slots' nanoseconds. */
function operatorsOf(step) {
  const sums = new Map(), busy = step.regions.map(() => 0), stolen = step.regions.map(() => 0);
  for (const parts of step.parts) {
    for (const [region, start, end, , of] of parts) {
      busy[region] += end - start;
      stolen[region] += of;
    }
  }
  step.regions.forEach(([name, , tasks, start, end], index) => {
    const sum = sums.get(name) || { name: step.names[name], regions: 0, tasks: 0, stolen: 0, busy: 0, waiting: 0 };
    sum.regions += 1;
    sum.tasks += tasks;
    sum.stolen += stolen[index];
    sum.busy += busy[index];
    // A thread that looks for another task may do so when the region is over.
    sum.waiting += Math.max(0, (end - start) * step.slots.length - busy[index]);
    sums.set(name, sum);
  });
  return [...sums.values()].sort((a, b) => b.busy + b.waiting - a.busy - a.waiting);
}

function showBreakdown(step) {
  const operators = operatorsOf(step), slots = step.slots.length;
  const all = slots * step.passes.reduce((sum, [start, end]) => sum + end - start, 0);
  const between = Math.max(0, all - operators.reduce((sum, each) => sum + each.busy + each.waiting, 0));
  const sum = (field) => operators.reduce((sum, each) => sum + each[field], 0);
  const rows = operators.map((each) => {
    const told = [["busy", `${time(each.busy)}, ${percent(each.busy / all)}`],
      ["waiting", `${time(each.waiting)}, ${percent(each.waiting / all)}`], ["regions", grouped(each.regions)],
      ["tasks", grouped(each.tasks)], ["stolen", grouped(each.stolen)]];
    return { name: each.name, text: percent((each.busy + each.waiting) / all), parts: [
      { value: each.busy, colour: kindOf(each.name).colour, title: each.name, rows: told },
      { value: each.waiting, colour: "var(--waiting)", title: each.name + ", waiting", rows: told }] };
  });
  const toldBetween = [["all slots", `${time(between)}, ${percent(between / all)}`]];
  rows.push({ name: "between regions", text: percent(between / all), parts: [
    { value: between, colour: "var(--between)", title: "between regions", rows: toldBetween }] });
  const bars = new Bars("Time of all slots by operator", rows);
  const cells = operators.map((each) => [each.name, kindOf(each.name).name, grouped(each.regions), grouped(each.tasks),
    grouped(each.stolen), (each.busy / 1e6).toFixed(3), percent(each.busy / all), (each.waiting / 1e6).toFixed(3),
    percent(each.waiting / all)]);
  cells.push(["between regions", "", "", "", "", "", "", (between / 1e6).toFixed(3), percent(between / all)]);
  showSection("breakdown",
    note(`The time of all slots: ${percent(sum("busy") / all)} busy, ${percent(sum("waiting") / all)} waiting for a ` +
      `region's last tasks, ${percent(between / all)} between regions. A product's time has that of the update ` +
      "and of norms that ran beside it."),
    bars.element,
    folded("All numbers", numbers(["Operator", "Kind", "Regions", "Tasks", "Stolen", "Busy ms", "of all", "Waiting ms",
      "of all"], cells, "The step by operator")));
  bars.draw();
}

// MARK: Memory by node

function showPlacement(results) {
  const rows = results.filter((row) => row.suite === "memory" && row.pages);
  if (!rows.length) return;
  const nodes = [...new Set(rows.flatMap((row) => Object.keys(row.pages)))].sort();
  const colour = (node) => `var(--run-${nodes.indexOf(node) % 8})`;
  const size = (row) => trimmed(row.bytes / 2 ** 20, 4) + " MiB";
  const all = Math.max(...rows.map((row) => row.bytes));
  const shown = rows.filter((row) => row.bytes >= all / 100);
  const bars = new Bars("Pages of tensors by node", shown.map((row) => {
    const sum = Math.max(1, Object.values(row.pages).reduce((a, b) => a + b, 0));
    return { name: row.name, text: size(row), parts: nodes.map((node) => {
      const pages = row.pages[node] || 0;
      return { value: pages / sum, colour: colour(node), title: `${row.name}, ${node}`,
        rows: [["pages", grouped(pages)], ["share", percent(pages / sum)]] };
    }) };
  }));
  showSection("placement", note("Which node has which share of the touched pages of each tensor."),
    keys(nodes.map((node) => [colour(node), node.replace(/(\d+)/, " $1")])), bars.element,
    folded("All numbers", numbers(["Tensor", "MiB", ...nodes], rows.map((row) => [row.name,
      trimmed(row.bytes / 2 ** 20, 4), ...nodes.map((node) => grouped(row.pages[node] || 0))]), "Pages by node")));
  bars.draw();
}
