// Results, samples, options and machine.

function showTables(page) {
  showSummary(page);
  showSamples(page);
  showFields(page, "options", (run) => run.options);
  showFields(page, "machine", (run) => run.machine);
}

function runName(page, run) {
  const name = htmlElement("bdi", { title: run.path }, run.name);
  return page.runs.length > 1 ? [swatch(run.index), name] : [name];
}

function showSummary(page) {
  const head = ["Run", "Steps", "Last loss", "Best validation", "Tokens", "Time", "Tokens/s, median", "End"];
  const rows = page.runs.map((run) => {
    const { summary } = run;
    const best = summary.best_validation === null ? "–"
      : `${number(summary.best_validation)} at step ${grouped(summary.best_step)}`;
    const planned = summary.planned ? " of " + grouped(summary.planned) : "";
    const end = summary.error ? "stopped: " + summary.error
      : !summary.ended ? "goes on, or was killed"
        : summary.planned && summary.steps < summary.planned ? "stopped" : "finished";
    const resumed = summary.resumptions ? `, resumed ${summary.resumptions === 1 ? "once" : summary.resumptions + " times"}` : "";
    return [runName(page, run), grouped(summary.steps) + planned, number(summary.last_loss), best,
      run.tokens_per_step ? short(summary.steps * run.tokens_per_step) : "–", duration(summary.seconds),
      summary.median_tokens_per_second ? grouped(summary.median_tokens_per_second) : "–", end + resumed];
  });
  document.getElementById("summary").append(table(head, rows, "Results"));
}

function showSamples(page) {
  const runs = page.runs.filter((run) => run.samples.length);
  if (!runs.length) return;
  const section = document.getElementById("samples");
  section.hidden = false;
  const steps = [...new Set(runs.flatMap((run) => run.samples.map((sample) => sample.step)))].sort((a, b) => a - b);
  const texts = runs.map((run) => htmlElement("pre", { dir: "auto" }));
  const places = runs.map(() => htmlElement("span", { class: "unit" }));
  const shown = htmlElement("output", { for: "sample" });
  const slider = htmlElement("input", { type: "range", id: "sample", min: 0, max: steps.length - 1, step: 1,
    value: steps.length - 1 });
  const show = () => {
    const step = steps[Number(slider.value)];
    shown.textContent = "step " + grouped(step);
    slider.setAttribute("aria-valuetext", shown.textContent);
    runs.forEach((run, index) => {
      const sample = run.samples.filter((sample) => sample.step <= step).pop();
      texts[index].textContent = sample ? sample.text + (sample.cut ? " …" : "") : "";
      places[index].textContent = sample ? "step " + grouped(sample.step) : "none yet";
    });
  };
  slider.addEventListener("input", show);
  const left = runs.map((run) => run.sample_count - run.samples.length).reduce((a, b) => a + b);
  section.append(htmlElement("label", { class: "slider wide", for: "sample" }, "At", slider, shown));
  if (left) section.append(htmlElement("p", { class: "unit" }, `${grouped(left)} samples between these are not on the page.`));
  section.append(htmlElement("div", { class: "samples" }, ...runs.map((run, index) =>
    htmlElement("article", { style: `--colour: ${colour(run.index)}` },
      htmlElement("h3", {}, ...(page.runs.length > 1 ? runName(page, run) : []), " ", places[index]), texts[index]))));
  show();
}

/** Names and values, a column a run; of several runs, first what is not the same in all. */
function showFields(page, id, fields) {
  const names = [...new Set(page.runs.flatMap((run) => fields(run).map(([name]) => name)))];
  if (!names.length) return;
  const section = document.getElementById(id);
  section.hidden = false;
  const values = page.runs.map((run) => Object.assign(Object.create(null), Object.fromEntries(fields(run))));
  const differs = (name) => values.some((value) => value[name] !== values[0][name]);
  const rows = names.map((name) => [name.replaceAll("_", " "), ...values.map((value) => value[name] ?? "–")]);
  const head = [id === "options" ? "Option" : "Machine", ...page.runs.map((run) => runName(page, run))];
  if (page.runs.length === 1) return section.append(table(head.slice(0, 1).concat(["Value"]), rows, id));
  const all = table(head, rows, id), several = rows.filter((row, index) => differs(names[index]));
  const some = table(head, several, id);
  const note = htmlElement("p", { class: "unit" }, "The same in all runs.");
  const choose = (isAll) => {
    all.hidden = !isAll;
    some.hidden = isAll || !several.length;
    note.hidden = isAll || several.length > 0;
  };
  section.append(toggle("Also what is the same in all runs", false, choose), some, all, note);
  choose(false);
}

// MARK: -

new Page(JSON.parse(document.getElementById("data").textContent)).show();
