// The page: what is read from the data, the controls, the charts and the tables.

const kinds = [
  { field: "loss", title: "Training loss", unit: "", height: 380, isLarge: true, canBeLogarithmic: true,
    canBeSmoothed: true, tick: (value) => trimmed(value, 4) },
  { field: "validation", title: "Validation loss", unit: "", height: 230, canBeLogarithmic: true,
    tick: (value) => trimmed(value, 4) },
  { field: "gradient_norm", title: "Gradient norm", unit: "before clipping", height: 230, canBeLogarithmic: true,
    canBeSmoothed: true, beginsAtZero: true, tick: (value) => trimmed(value, 3) },
  { field: "learning_rate", title: "Learning rate", unit: "", height: 230, canBeLogarithmic: true, beginsAtZero: true,
    tick: (value) => trimmed(value, 3) },
  { field: "tokens_per_second", title: "Throughput", unit: "tokens/s", height: 230, canBeSmoothed: true,
    tick: short },
];

/** The mean of each place's neighbours on both sides, whose weights fall by `weight` from one to the next: no lag. */
function smoothed(values, weight) {
  // From the left, then from the right; each place itself counts once.
  const sums = values.map(() => 0), weights = values.map(() => 0);
  const sweep = (order) => {
    let [sum, total] = [0, 0];
    for (const index of order) {
      sums[index] += sum;
      weights[index] += total;
      const value = values[index];
      sum = (sum + (value ?? 0)) * weight;
      total = (total + (value === null ? 0 : 1)) * weight;
    }
  };
  const places = values.map((_, index) => index);
  sweep(places);
  sweep(places.reverse());
  return values.map((value, index) => value === null ? null : (sums[index] + value) / (weights[index] + 1));
}

class Page {
  constructor(data) {
    this.data = data;
    this.runs = data.runs.map((run, index) => ({ ...run, index, isShown: true }));
    this.view = { axis: "step", isLogarithmic: false, showsRaw: true, smoothing: this.startSmoothing(), cursor: null,
      hovered: null, zoom: null };
    this.charts = kinds.map((kind) => new Chart(kind, this));
  }

  /** A mean over about a hundredth of the longest run; none of a hundred steps and less. */
  startSmoothing() {
    const most = Math.max(...this.runs.map((run) => run.curve.first.length));
    return Math.max(0, Math.floor(100 - 10000 / Math.max(most, 1)) / 100);
  }

  show() {
    const names = this.runs.map((run) => run.name).join(", ");
    document.title = names + " · training report";
    document.getElementById("title").textContent = this.runs.length === 1 ? names : `${this.runs.length} training runs`;
    document.getElementById("subtitle").textContent = this.runs.length === 1 ? this.headline(this.runs[0]) : names;
    document.getElementById("footer").textContent =
      `Made by gpt2 ${this.data.version}, ${this.data.date.slice(0, 16).replace("T", " ")} UTC. ` +
      "Drag over a chart to zoom, double-click to go back.";
    document.getElementById("charts").append(...this.charts.map((chart) => chart.element));
    showControls(this);
    showTables(this);
    this.draw();
    new ResizeObserver(() => this.draw()).observe(document.getElementById("charts"));
  }

  headline(run) {
    const options = Object.fromEntries(run.options), machine = Object.fromEntries(run.machine);
    const size = (name) => options[name] ? `${options[name]} ${name}` : "";
    const parameters = options.parameters ? short(Number(options.parameters)) + " parameters" : "";
    return [parameters, size("layers"), size("channels"), machine.cpu,
      machine.threads ? machine.threads + " threads" : "", run.summary.seconds ? duration(run.summary.seconds) : ""]
      .filter(Boolean).join(" · ");
  }

  draw() {
    for (const chart of this.charts) chart.draw();
  }

  // MARK: What charts ask

  hasAny(kind) {
    return this.runs.some((run) => kind.field === "validation" ? run.validation.step.length : run.curve[kind.field]);
  }

  /** The lines of a chart: those of the runs that are shown. */
  lines(kind) {
    return this.runs.filter((run) => run.isShown).flatMap((run) => {
      const lines = kind.field === "validation" ? [] : this.curves(kind, run);
      if (kind.field === "validation" || kind.field === "loss") lines.push(...this.validation(kind, run));
      return lines;
    });
  }

  curves(kind, run) {
    const numbers = run.curve[kind.field], x = this.places(run, run.curve);
    if (!numbers || !x) return [];
    const raw = { run, x, y: numbers.mean, low: numbers.low, high: numbers.high, name: "raw", label: kind.title };
    const isSmoothed = kind.canBeSmoothed && this.view.smoothing > 0;
    if (!isSmoothed) return [{ ...raw, isRead: true }];
    const mean = { run, x, y: smoothed(numbers.mean, this.view.smoothing), name: "smoothed",
      label: "smoothed", isRead: true };
    const own = { ...raw, isFaint: true, isRead: true, label: "raw" };
    return this.view.showsRaw ? [mean, own] : [mean];
  }

  validation(kind, run) {
    const x = this.places(run, run.validation);
    if (!x || !x.length) return [];
    return [{ run, x, y: run.validation.loss, name: "validation", label: "validation", isRead: true,
      isDotted: kind.field === "loss", hasMarks: x.length <= 60 }];
  }

  /** Where the points of a run lie on the axis; null where that is not known. */
  places(run, points) {
    const steps = points.first || points.step;
    switch (this.view.axis) {
      case "tokens": return run.tokens_per_step === null ? null : steps.map((step) => step * run.tokens_per_step);
      case "time": return points.seconds && points.seconds.every((value) => value !== null) ? points.seconds : null;
      default: return steps;
    }
  }

  /** From where to where the axis goes. */
  domain() {
    if (this.view.zoom) return this.view.zoom;
    let [low, high] = [Infinity, -Infinity];
    for (const run of this.runs.filter((run) => run.isShown)) {
      for (const points of [run.curve, run.validation]) {
        const places = this.places(run, points);
        if (!places || !places.length) continue;
        low = Math.min(low, places[0]);
        high = Math.max(high, places[places.length - 1]);
      }
    }
    if (low > high) return [0, 1];
    return low === high ? [low, low + 1] : [this.view.axis === "step" ? low : Math.min(low, 0), high];
  }

  /** Where a point lies, in words. */
  place(run, line, index) {
    if (this.view.axis !== "step") return axes[this.view.axis].value(line.x[index]);
    const last = line.name !== "validation" && run.curve.last ? run.curve.last[index] : null;
    const first = line.x[index];
    return last !== null && last !== first ? `steps ${grouped(first)} to ${grouped(last)}` : "step " + grouped(first);
  }

  // MARK: What charts tell

  pointTo(x, chart) {
    this.view.cursor = x;
    this.view.hovered = chart;
    for (const each of this.charts) each.showCursor();
  }

  zoomTo(low, high) {
    this.view.zoom = low === null ? null : [low, high];
    document.getElementById("reset").hidden = low === null;
    this.draw();
  }

  change(name, value) {
    this.view[name] = value;
    if (name === "axis") this.zoomTo(null, null); else this.draw();
  }
}

// MARK: Controls

function showControls(page) {
  const controls = document.getElementById("controls");
  if (page.runs.length > 1) {
    controls.append(htmlElement("div", { class: "legend", role: "group", "aria-label": "Runs" },
      ...page.runs.map((run) => toggle([swatch(run.index), htmlElement("bdi", {}, run.name)], true, (isOn) => {
        run.isShown = isOn;
        page.draw();
      }))));
  }
  const group = htmlElement("div", { class: "choice", role: "group", "aria-label": "Horizontal axis" });
  for (const [axis, { name }] of Object.entries(axes)) {
    if (axis === "time" && !page.runs.some((run) => run.curve.seconds)) continue;
    if (axis === "tokens" && !page.runs.some((run) => run.tokens_per_step)) continue;
    group.append(button(name, axis === page.view.axis, (pressed) => {
      for (const each of group.children) each.setAttribute("aria-pressed", each === pressed);
      page.change("axis", axis);
    }));
  }
  const slider = htmlElement("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: page.view.smoothing,
    id: "smoothing" });
  const shown = htmlElement("output", { for: "smoothing" }, page.view.smoothing.toFixed(2));
  slider.addEventListener("input", () => {
    shown.textContent = Number(slider.value).toFixed(2);
    page.change("smoothing", Number(slider.value));
  });
  const reset = htmlElement("button", { type: "button", id: "reset", hidden: "" }, "Reset zoom");
  reset.addEventListener("click", () => page.zoomTo(null, null));
  controls.append(
    group, toggle("Logarithmic", false, (isOn) => page.change("isLogarithmic", isOn)),
    toggle("Raw", true, (isOn) => page.change("showsRaw", isOn)),
    htmlElement("label", { class: "slider", for: "smoothing" }, "Smoothing", slider, shown), reset);
}
