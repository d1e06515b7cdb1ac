// What pages are made of, and what they share.

window.addEventListener("error", (event) => {
  const failure = document.getElementById("failure");
  failure.textContent = "This page could not be drawn: " + event.message;
  failure.hidden = false;
});

const svgNamespace = "http://www.w3.org/2000/svg";

function svgElement(name, attributes = {}, parent = null) {
  const element = document.createElementNS(svgNamespace, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (parent) parent.appendChild(element);
  return element;
}

function htmlElement(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function button(text, isPressed, act) {
  const element = htmlElement("button", { type: "button", "aria-pressed": isPressed }, ...[text].flat());
  element.addEventListener("click", () => act(element));
  return element;
}

function toggle(text, isOn, act) {
  return button(text, isOn, (element) => {
    const isNowOn = element.getAttribute("aria-pressed") !== "true";
    element.setAttribute("aria-pressed", isNowOn);
    act(isNowOn);
  });
}

function table(head, rows, about) {
  const wrapper = htmlElement("div", { class: "table", tabindex: "0", role: "region", "aria-label": about });
  const body = rows.map(([first, ...cells]) => htmlElement("tr", {},
    htmlElement("th", { scope: "row" }, ...[first].flat()), ...cells.map((cell) => htmlElement("td", {}, cell))));
  wrapper.append(htmlElement("table", {},
    htmlElement("thead", {}, htmlElement("tr", {}, ...head.map((cell) => htmlElement("th", { scope: "col" },
      ...[cell].flat())))),
    htmlElement("tbody", {}, ...body)));
  return wrapper;
}
