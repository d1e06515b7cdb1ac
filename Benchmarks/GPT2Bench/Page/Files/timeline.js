// One step: what each slot ran, and when. All that has no bar is waiting.

class Timeline extends Picture {
  constructor(step) {
    super("What each slot ran, and when");
    this.step = step;
    this.view = [0, step.nanoseconds];
    this.svg.setAttribute("tabindex", "0");
    this.listen();
  }

  /** Consecutive regions of a section: [section, start, end]. */
  sections() {
    const sections = [];
    for (const [, section, , start, end] of this.step.regions) {
      const last = sections[sections.length - 1];
      if (last && last[0] === section) last[2] = end; else sections.push([section, start, end]);
    }
    return sections;
  }

  draw() {
    const { slots, passes } = this.step, top = 24;
    const lane = slots.length <= 16 ? 24 : slots.length <= 48 ? 14 : 8;
    this.begin(top + slots.length * lane + 26);
    const isNarrow = this.width < 600;
    const left = (isNarrow ? 24 : 52) + (slots.length > 100 ? 8 : 0);
    this.area = { left, right: this.width - 4, top, bottom: top + slots.length * lane };
    this.lane = lane;
    this.x = makeScale(this.view[0], this.view[1], this.area.left, this.area.right, false);
    const labels = svgElement("g", { class: "labels", "aria-hidden": "true" }, this.svg);
    this.drawSections(labels);
    const bars = svgElement("g", {}, this.svg);
    // Of very many those that would not be seen wait until they are enlarged.
    const least = this.step.parts.reduce((sum, parts) => sum + parts.length, 0) > 20000 ? 0.5 : 0;
    slots.forEach((_, slot) => {
      const y = top + slot * lane + 1, height = lane - 2;
      if (lane >= 12 || slot % 8 === 0) {
        svgElement("text", { x: this.area.left - 6, y: y + height / 2 + 4, "text-anchor": "end" }, labels).textContent =
          isNarrow ? slot : "slot " + slot;
      }
      const waiting = { class: "waiting", fill: "var(--waiting)", "data-slot": slot };
      for (const pass of passes) this.drawBar(bars, pass, y, height, waiting);
      let drawn = -Infinity;
      this.step.parts[slot].forEach(([region, start, end], index) => {
        if (this.x.at(end) - drawn < least) return;
        drawn = this.x.at(end);
        const name = this.step.names[this.step.regions[region][0]];
        this.drawBar(bars, [start, end], y, height, { class: "bar part", fill: kindOf(name).colour, "data-slot": slot,
          "data-part": index });
      });
    });
    this.drawAxis();
    this.selection = svgElement("rect", { class: "selection", y: 0, width: 0, height: this.area.bottom }, this.svg);
  }

  drawBar(parent, [start, end], y, height, attributes) {
    if (end < this.view[0] || start > this.view[1]) return;
    const [from, to] = [Math.max(start, this.view[0]), Math.min(end, this.view[1])].map((time) => this.x.at(time));
    const width = Math.max(0.4, to - from).toFixed(2);
    svgElement("rect", { x: from.toFixed(2), width, y, height, ...attributes }, parent);
  }

  drawSections(labels) {
    for (const [section, start, end] of this.sections()) {
      if (end < this.view[0] || start > this.view[1]) continue;
      const [from, to] = [Math.max(start, this.view[0]), Math.min(end, this.view[1])].map((time) => this.x.at(time));
      const name = this.step.sections[section];
      svgElement("rect", { class: "section", x: from, y: 2, width: Math.max(0.5, to - from), height: 17,
        "data-section": name, "data-time": time(end - start) }, labels);
      const text = [name, name.replace(/(forward|backward), layer/, "$1"), name.replace(/.*layer /, "")]
        .find((text) => textWidth(text) + 6 < to - from);
      if (text) {
        svgElement("text", { x: (from + to) / 2, y: 15, "text-anchor": "middle" }, labels).textContent = text;
      }
    }
  }

  drawAxis() {
    const group = svgElement("g", { class: "axes", "aria-hidden": "true" }, this.svg);
    const { left, right, bottom } = this.area;
    const unit = this.view[1] - this.view[0] > 2e5 ? 1e6 : 1e3;
    for (const tick of linearTicks(this.view[0] / unit, this.view[1] / unit, this.width / 110)) {
      const x = Math.round(this.x.at(tick * unit)) + 0.5;
      svgElement("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "tick" }, group);
      const text = trimmed(tick, 5) + (unit === 1e6 ? " ms" : " µs"), half = textWidth(text) / 2;
      svgElement("text", { x: Math.max(left + half, Math.min(x, right - half)), y: bottom + 19,
        "text-anchor": "middle" }, group).textContent = text;
    }
    svgElement("line", { x1: left, x2: right, y1: bottom + 0.5, y2: bottom + 0.5, class: "base" }, group);
  }

  // MARK: What a bar is

  read(event) {
    const { slot, part, section: whole, time: lasted } = event.target.dataset ?? {};
    if (whole !== undefined) return this.tell(this.place(event), whole, [["time", lasted]]);
    if (slot === undefined) { this.readout.hidden = true; return; }
    const where = ["where", this.step.slots[slot]], parts = this.step.parts[slot];
    if (part === undefined) {
      const at = this.x.invert(this.place(event)[0]);
      const before = parts.filter((each) => each[2] <= at).pop(), after = parts.find((each) => each[1] > at);
      const [start, end] = [before ? before[2] : 0, after ? after[1] : this.step.nanoseconds];
      return this.tell(this.place(event), "waiting", [where, ["for", time(end - start)], ["at", time(start)]]);
    }
    const [region, start, end, tasks, stolen] = parts[part];
    const [name, section, all, opened, closed] = this.step.regions[region];
    this.tell(this.place(event), this.step.names[name], [["section", this.step.sections[section]], where,
      ["time", time(end - start)], ["at", time(start)], ["tasks", `${grouped(tasks)} of ${grouped(all)}`],
      ["stolen", grouped(stolen)], ["region", time(closed - opened)]]);
  }

  // MARK: Zoom

  zoomTo(from, to) {
    const whole = this.step.nanoseconds, width = Math.max(500, Math.min(to - from, whole));
    const start = Math.max(0, Math.min((from + to - width) / 2, whole - width));
    this.view = [start, start + width];
    this.draw();
  }

  /** By a factor, around a place. */
  zoom(factor, around = (this.view[0] + this.view[1]) / 2) {
    this.zoomTo(around - (around - this.view[0]) * factor, around + (this.view[1] - around) * factor);
  }

  pan(share) {
    const by = (this.view[1] - this.view[0]) * share;
    this.zoomTo(this.view[0] + by, this.view[1] + by);
  }

  reset() { this.zoomTo(0, this.step.nanoseconds); }

  listen() {
    let start = null;
    const place = (event) => Math.max(this.area.left, Math.min(this.place(event)[0], this.area.right));
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) start = place(event);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (start === null) return this.read(event);
      this.selection.setAttribute("x", Math.min(start, place(event)));
      this.selection.setAttribute("width", Math.abs(place(event) - start));
    });
    const drop = (event) => {
      if (start === null) return;
      const [from, to] = [start, place(event)].sort((a, b) => a - b);
      start = null;
      this.selection.setAttribute("width", 0);
      if (to - from > 6) this.zoomTo(this.x.invert(from), this.x.invert(to));
    };
    this.svg.addEventListener("pointerup", drop);
    this.svg.addEventListener("pointerleave", drop);
    this.svg.addEventListener("dblclick", () => this.reset());
    this.svg.addEventListener("wheel", (event) => {
      // Else the page could not be scrolled past it.
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.svg) return;
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.x.invert(place(event)));
    }, { passive: false });
    this.svg.addEventListener("keydown", (event) => {
      const act = { ArrowLeft: () => this.pan(-0.25), ArrowRight: () => this.pan(0.25), "+": () => this.zoom(0.5),
        "-": () => this.zoom(2), Escape: () => this.reset() }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }
}

function showTimeline(step) {
  const timeline = new Timeline(step);
  const used = new Set(step.regions.map(([name]) => kindOf(step.names[name])));
  const named = kinds.filter((kind) => used.has(kind)).map((kind) => [kind.colour, kind.name]);
  const act = (text, what) => {
    const element = htmlElement("button", { type: "button" }, text);
    element.addEventListener("click", what);
    return element;
  };
  showSection("timeline",
    note(`A training step of ${time(step.nanoseconds)} in ${grouped(step.regions.length)} regions, after those that ` +
      "were timed."),
    keys([...named, ["var(--waiting)", "waiting"]]), timeline.element,
    htmlElement("div", { class: "buttons" }, act("Zoom in", () => timeline.zoom(0.5)),
      act("Zoom out", () => timeline.zoom(2)), act("Whole step", () => timeline.reset()),
      note("Or drag; with Ctrl, or once it is clicked, the wheel zooms, arrow keys move.")));
  timeline.draw();
}
