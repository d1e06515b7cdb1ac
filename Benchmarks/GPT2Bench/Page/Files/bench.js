// The page of a benchmark: what ran where, the pictures of the suites that ran, and all tables.

function showHead({ machine, model, ...run }) {
  const date = run.date.slice(0, 16).replace("T", " ") + " UTC";
  const commit = run.commit ? `, commit ${run.commit.slice(0, 10)}` : "";
  const title = `${model.name} on ${machine.cpu}`;
  document.title = title + " · gpt2-bench";
  document.getElementById("title").textContent = title;
  document.getElementById("subtitle").textContent = [
    `${machine.threads} thread${machine.threads === 1 ? "" : "s"}`, machine.isa, machine.precision,
    `batch ${run.batch_size} × ${run.sequence_length}`, date].join(" · ");
  document.getElementById("footer").textContent = `Made by gpt2-bench ${run.version}${commit}, ${date}.`;
  if (machine.disturbed) {
    document.querySelector("header").append(htmlElement("p", { class: "notice" },
      "Others had the machine during this run: take no fraction of it seriously."));
  }
}

function fields(title, values) {
  const text = (value) => value === null ? "–" : Array.isArray(value) ? value.join(", ")
    : typeof value === "boolean" ? (value ? "yes" : "no") : typeof value !== "number" ? String(value)
      : Number.isInteger(value) ? grouped(value) : trimmed(value, 4);
  const rows = Object.entries(values).map(([name, value]) => [name.replaceAll("_", " "), text(value)]);
  return htmlElement("div", {}, htmlElement("h3", {}, title), table([], rows, title));
}

function showAbout({ report: { machine, model, results, ...run }, topology }) {
  const { name, ...sizes } = model;
  const about = fields("Machine", machine);
  about.append(htmlElement("pre", {}, topology));
  showSection("about", about, fields("This run", { model: name, ...sizes, ...run }));
}

function showTables(tables) {
  if (!tables.length) return;
  showSection("tables", ...tables.flatMap(({ headings: [title, ...columns], rows, notes }) => [
    htmlElement("h3", {}, title), numbers(["", ...columns], rows, title),
    ...notes.map((text) => htmlElement("p", {}, text))]));
}

const data = JSON.parse(document.getElementById("data").textContent);
showHead(data.report);
showAbout(data);
showRoofline(data.report.results, data.limits, data.report.machine.read_gigabytes_per_second);
if (data.step) {
  showTimeline(data.step);
  showBreakdown(data.step);
}
showScaling(data.report.results);
showPlacement(data.report.results);
showTables(data.tables);
