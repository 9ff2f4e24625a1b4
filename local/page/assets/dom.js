// Helpers for the document.

const MESSAGE_MILLISECONDS = 8000;
const LISTED = 6;

export const $ = (id) => document.getElementById(id);
export const clone = (template) => $(template).content.firstElementChild.cloneNode(true);

/** Sets an element's text if it differs, so that selections and screen readers are not disturbed. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Returns an SVG element with attributes and children, which are elements or text. */
export function shape(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  element.append(...children);
  return element;
}

/** Shows a message in an output element, which screen readers announce, and removes it after a few seconds. */
export function say(output, message) {
  clearTimeout(output.timer);
  output.textContent = message;
  output.timer = setTimeout(() => { output.textContent = ""; }, MESSAGE_MILLISECONDS);
}

/** Shows or updates the button below a list of the class "short", which shows all of its elements. */
export function updateMore(list) {
  const button = document.querySelector(`[data-list=${list.id}]`);
  const count = list.children.length;
  button.hidden = count <= LISTED;
  setText(button, list.classList.contains("short") ? `Show all ${count}` : `Show the latest ${LISTED}`);
}

for (const button of document.querySelectorAll("[data-list]")) {
  const list = $(button.dataset.list);
  button.addEventListener("click", () => {
    list.classList.toggle("short");
    updateMore(list);
  });
}

/** Returns a short form of ZIM's long call ids. */
export const shortId = (id) => (id.length > 8 ? `${id.slice(0, 4)}…` : id);

/** Returns a duration as text, in ms below 1 s. */
export const duration = (milliseconds) =>
  (milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`);
