// One chart: an SVG that is drawn anew where its size or what is to be seen changes.

const dashes = ["", "7 3", "2 3", "9 3 2 3"];
const colour = (index) => `var(--run-${index % 8})`;
const dash = (index) => dashes[Math.floor(index / 8) % dashes.length];

/** The index of the number in ascending `values` that lies nearest to `value`. */
function nearest(values, value) {
  let [low, high] = [0, values.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle; else high = middle;
  }
  return high > 0 && Math.abs(values[low] - value) <= Math.abs(values[high] - value) ? low : high;
}

class Chart {
  /**
   * kind: { title, unit, field, height, tick, isLarge, canBeLogarithmic, beginsAtZero } of this chart;
   * page: what all charts share: runs, view, `lines(kind)`, `pointTo(x)`, `zoomTo(low, high)`.
   */
  constructor(kind, page) {
    this.kind = kind;
    this.page = page;
    this.title = htmlElement("h2", { id: "chart-" + kind.field }, kind.title);
    this.unit = htmlElement("span", { class: "unit" });
    this.title.append(" ", this.unit);
    this.svg = svgElement("svg", {
      role: "img", tabindex: "0", "aria-labelledby": this.title.id, "aria-describedby": "about-" + kind.field,
    });
    this.about = htmlElement("p", { id: "about-" + kind.field, class: "hidden" });
    this.readout = htmlElement("div", { class: "readout", "aria-live": "polite" });
    this.element = htmlElement(
      "figure", { class: "chart" + (kind.isLarge ? " large" : ""), "data-field": kind.field }, this.title,
      htmlElement("div", { class: "plot" }, this.svg, this.readout), this.about);
    this.listen();
  }

  // MARK: Drawing

  draw() {
    const width = Math.max(240, Math.floor(this.svg.parentNode.clientWidth)), height = this.kind.height;
    this.lines = this.page.lines(this.kind);
    const view = this.page.view;
    const isLogarithmic = view.isLogarithmic && this.kind.canBeLogarithmic;
    this.unit.textContent = [this.kind.unit, isLogarithmic ? "logarithmic" : ""].filter(Boolean).join(", ");
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren();
    const [xLow, xHigh] = this.page.domain();
    const [yLow, yHigh] = this.range(xLow, xHigh, isLogarithmic);
    const axis = axes[view.axis];
    const yTicks = (isLogarithmic ? logarithmicTicks : linearTicks)(yLow, yHigh, height / 50);
    const yTexts = yTicks.map((tick) => this.kind.tick(tick));
    const left = 14 + Math.max(...yTexts.map((text) => text.length), 2) * 7;
    this.area = { left, right: width - 10, top: 8, bottom: height - 26 };
    this.x = makeScale(xLow, xHigh, left, this.area.right, false);
    this.y = makeScale(yLow, yHigh, this.area.bottom, this.area.top, isLogarithmic);
    this.drawAxes(axis, yTicks, yTexts, width);
    const clip = svgElement("clipPath", { id: "clip-" + this.kind.field }, this.svg);
    // Marks at the ends are whole.
    svgElement("rect", { x: left - 5, y: 0, width: this.area.right - left + 10, height: this.area.bottom + 5 }, clip);
    const plot = svgElement("g", { "clip-path": `url(#clip-${this.kind.field})` }, this.svg);
    for (const line of this.lines.filter((line) => line.isFaint)) this.drawLine(line, plot);
    for (const line of this.lines.filter((line) => !line.isFaint)) this.drawLine(line, plot);
    this.cursor = svgElement("g", { class: "cursor" }, this.svg);
    this.selection = svgElement("rect", { class: "selection", y: this.area.top, width: 0,
      height: this.area.bottom - this.area.top }, this.svg);
    this.about.textContent = this.description();
    this.element.hidden = this.lines.length === 0 && !this.page.hasAny(this.kind);
    this.showCursor();
  }

  drawAxes(axis, yTicks, yTexts, width) {
    const { left, right, bottom } = this.area;
    const group = svgElement("g", { class: "axes", "aria-hidden": "true" }, this.svg);
    yTicks.forEach((tick, index) => {
      const y = Math.round(this.y.at(tick)) + 0.5;
      svgElement("line", { x1: left, x2: right, y1: y, y2: y }, group);
      svgElement("text", { x: left - 7, y: y + 3.5, "text-anchor": "end" }, group).textContent = yTexts[index];
    });
    const label = svgElement("text", { x: right, y: bottom + 20, "text-anchor": "end", class: "axis" }, group);
    label.textContent = axis.label;
    const free = right - axis.label.length * 7 - 10;
    for (const tick of axis.ticks(this.x.low, this.x.high, width / 95)) {
      const x = Math.round(this.x.at(tick)) + 0.5, text = axis.tick(tick);
      svgElement("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "tick" }, group);
      if (x + text.length * 3.5 > free) continue;
      svgElement("text", { x: x, y: bottom + 20, "text-anchor": "middle" }, group).textContent = text;
    }
    svgElement("line", { x1: left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5, class: "base" }, group);
  }

  /** What the lines span between two places, with a margin. */
  range(xLow, xHigh, isLogarithmic) {
    let [low, high] = [Infinity, -Infinity];
    const add = (value) => {
      if (value === null || !Number.isFinite(value) || (isLogarithmic && value <= 0)) return;
      low = Math.min(low, value);
      high = Math.max(high, value);
    };
    for (const line of this.lines) {
      line.x.forEach((x, index) => {
        if (x < xLow || x > xHigh) return;
        add(line.y[index]);
        if (line.low) { add(line.low[index]); add(line.high[index]); }
      });
    }
    if (low > high) return [isLogarithmic ? 0.1 : 0, 1];
    if (low === high) return isLogarithmic ? [low / 2, high * 2] : [Math.min(0, low * 2), Math.max(low * 1.25, 1e-9)];
    if (isLogarithmic) {
      const factor = (high / low) ** 0.04;
      return [low / factor, high * factor];
    }
    const margin = (high - low) * 0.05;
    return [this.kind.beginsAtZero && low >= 0 ? 0 : low - margin, high + margin];
  }

  drawLine(line, plot) {
    const attributes = { fill: "none", stroke: colour(line.run.index), class: "line " + line.name + (line.isFaint ? " faint" : ""),
      "stroke-dasharray": line.isDotted ? "1 5" : dash(line.run.index) };
    let path = "", isDown = false;
    const move = (x, value) => {
      if (value === null || !Number.isFinite(value) || (this.y.isLogarithmic && value <= 0)) {
        isDown = false;
        return;
      }
      path += `${isDown ? "L" : "M"}${this.x.at(x).toFixed(1)} ${this.y.at(value).toFixed(1)}`;
      isDown = true;
    };
    line.x.forEach((x, index) => {
      // Up and down in turns, so that one stroke shows how far a bucket reaches.
      const ends = line.low ? [line.low[index], line.high[index]] : [line.y[index]];
      for (const value of index % 2 ? ends.reverse() : ends) move(x, value);
    });
    svgElement("path", { ...attributes, d: path || "M0 0" }, plot);
    if (line.hasMarks || line.x.length === 1) {
      line.x.forEach((x, index) => {
        if (line.y[index] === null || (this.y.isLogarithmic && line.y[index] <= 0)) return;
        svgElement("circle", { cx: this.x.at(x), cy: this.y.at(line.y[index]), r: 3, stroke: attributes.stroke,
          class: "mark" }, plot);
      });
    }
  }

  /** What the chart shows, for those who do not see it. */
  description() {
    const texts = this.lines.filter((line) => line.isRead).map((line) => {
      const known = line.y.filter((value) => value !== null);
      if (known.length === 0) return `${line.run.name}: none`;
      const least = known.reduce((a, b) => Math.min(a, b)), most = known.reduce((a, b) => Math.max(a, b));
      return `${line.run.name}, ${line.name}: from ${number(known[0])} to ${number(known[known.length - 1])}, ` +
        `least ${number(least)}, largest ${number(most)}`;
    });
    return `${this.kind.title} by ${axes[this.page.view.axis].label}. ${texts.join(". ")}. ` +
      "Arrow keys read values.";
  }

  // MARK: Reading values

  showCursor() {
    const at = this.page.view.cursor;
    this.cursor.replaceChildren();
    this.readout.hidden = true;
    if (at === null || at < this.x.low || at > this.x.high) return;
    const pixel = this.x.at(at);
    svgElement("line", { x1: pixel, x2: pixel, y1: this.area.top, y2: this.area.bottom }, this.cursor);
    const rows = [];
    for (const line of this.lines.filter((line) => line.isRead && line.x.length)) {
      const index = nearest(line.x, at), value = line.y[index];
      if (value === null || at > line.x[line.x.length - 1] + (this.x.high - this.x.low) * 0.02) continue;
      if (!this.y.isLogarithmic || value > 0) {
        svgElement("circle", { cx: this.x.at(line.x[index]), cy: this.y.at(value), r: 3.5,
          fill: colour(line.run.index) }, this.cursor);
      }
      rows.push([line, index]);
    }
    if (this.page.view.hovered === this && rows.length) this.showReadout(pixel, rows);
  }

  showReadout(pixel, rows) {
    const [first, index] = rows[0];
    const rowsOfTable = this.page.runs.length > 1 ? this.rowsByRun(rows) : this.rowsByLine(rows);
    this.readout.replaceChildren(htmlElement("p", {}, this.page.place(first.run, first, index)),
      htmlElement("table", {}, ...rowsOfTable));
    this.readout.hidden = false;
    const width = this.readout.offsetWidth, whole = this.svg.parentNode.clientWidth;
    const left = pixel + 14 + width < whole ? pixel + 14 : pixel - 14 - width;
    this.readout.style.left = Math.max(0, Math.min(left, whole - width)) + "px";
  }

  /** Of one run: a row a line. */
  rowsByLine(rows) {
    return rows.map(([line, index]) => htmlElement("tr", {},
      htmlElement("th", { scope: "row" }, line.label), htmlElement("td", {}, number(line.y[index])),
      htmlElement("td", { class: "quiet" }, reach(line, index))));
  }

  /** Of several: a row a run, a column a kind of line. */
  rowsByRun(rows) {
    const labels = [...new Set(rows.map(([line]) => line.label))];
    const body = [...new Set(rows.map(([line]) => line.run))].map((run) => htmlElement("tr", {},
      htmlElement("th", { scope: "row" }, swatch(run.index), htmlElement("bdi", {}, run.name)),
      ...labels.map((label) => {
        const found = rows.find(([line]) => line.run === run && line.label === label);
        return htmlElement("td", {}, found ? number(found[0].y[found[1]]) : "");
      })));
    if (labels.length === 1) return body;
    const head = labels.map((label) => htmlElement("td", { class: "quiet" }, label));
    return [htmlElement("tr", {}, htmlElement("th", {}), ...head), ...body];
  }

  // MARK: Mouse, finger, keys

  listen() {
    const place = (event) => {
      const box = this.svg.getBoundingClientRect();
      return Math.max(this.area.left, Math.min(event.clientX - box.left, this.area.right));
    };
    let start = null;
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) start = place(event);
    });
    this.svg.addEventListener("pointermove", (event) => {
      const pixel = place(event);
      if (start !== null) {
        this.selection.setAttribute("x", Math.min(start, pixel));
        this.selection.setAttribute("width", Math.abs(pixel - start));
      }
      this.page.pointTo(this.x.invert(pixel), this);
    });
    const drop = (event) => {
      if (start === null) return;
      const [from, to] = [start, place(event)].sort((a, b) => a - b);
      start = null;
      this.selection.setAttribute("width", 0);
      if (to - from > 8) this.page.zoomTo(this.x.invert(from), this.x.invert(to));
    };
    this.svg.addEventListener("pointerup", drop);
    this.svg.addEventListener("pointerleave", (event) => {
      drop(event);
      this.page.pointTo(null, null);
    });
    this.svg.addEventListener("dblclick", () => this.page.zoomTo(null, null));
    this.svg.addEventListener("blur", () => this.page.pointTo(null, null));
    this.svg.addEventListener("keydown", (event) => this.press(event));
  }

  press(event) {
    const line = this.lines.find((line) => line.isRead && line.x.length);
    if (event.key === "Escape") this.page.zoomTo(null, null);
    if (!line || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
    event.preventDefault();
    const last = line.x.length - 1, cursor = this.page.view.cursor;
    let index = cursor === null ? last : nearest(line.x, cursor);
    if (event.key === "ArrowLeft") index -= 1;
    if (event.key === "ArrowRight") index += 1;
    if (event.key === "Home") index = 0;
    if (event.key === "End") index = last;
    this.page.pointTo(line.x[Math.max(0, Math.min(index, last))], this);
  }
}

/** From where to where the steps of a bucket go; nothing where it has one. */
function reach(line, index) {
  if (!line.low || line.low[index] === line.high[index]) return "";
  return `${number(line.low[index])} … ${number(line.high[index])}`;
}

function swatch(index) {
  const picture = svgElement("svg", { class: "swatch", width: 18, height: 10, "aria-hidden": "true" });
  svgElement("line", { x1: 0, x2: 18, y1: 5, y2: 5, stroke: colour(index), "stroke-dasharray": dash(index) }, picture);
  return picture;
}
