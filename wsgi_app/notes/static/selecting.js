/**
 * Selects several notes, by Ctrl or Shift and a click or in a mode in which each click selects, and moves, colours, ticks
 * off or deletes them together.
 *
 * @typedef {import("./paper.js").Card} Card
 */
import { COLORS, asDab, cardOf, discard } from "./changing.js";
import { addStyle } from "./later.js";
import { move, moveToEnd } from "./moving.js";
import { cards, element, list, sorted, t } from "./paper.js";
import { change } from "./undo.js";

/** Ids of the selected notes. @type {Set<string>} */
const picked = new Set();
/** Where a range begins. */
let first = "";
/** @type {HTMLElement | null} */
let bar = null;

const opener = element("select");

/** The selected cards, as they hang. */
const chosen = () => sorted.filter(({ note }) => note.version && picked.has(note.id));

/** The cards that move with this one: all selected ones if it is selected, else itself. @param {Card} card @returns {Card[]} */
export const withPicked = (card) => (picked.has(card.note.id) ? chosen() : [card]);

/** Selects a note, or takes it out of the selection, by a click. @param {MouseEvent} event */
export function pick({ target, shiftKey }) {
  const card = cardOf(target);
  if (!card?.note.version) return;
  open();
  const from = sorted.findIndex(({ note }) => note.id === first);
  const to = sorted.indexOf(card);
  if (shiftKey && from >= 0) {
    for (const { note } of sorted.slice(Math.min(from, to), Math.max(from, to) + 1)) picked.add(note.id);
    getSelection()?.removeAllRanges();
  } else {
    first = card.note.id;
    if (!picked.delete(first)) picked.add(first);
  }
  show();
}

/** Enters or leaves the mode in which a click selects. */
export function toggle() {
  if (bar) close();
  else open();
}

// --- The mode -----------------------------------------------------------------------------------

const observer = new MutationObserver(show);

function open() {
  if (bar) return;
  bar = makeBar();
  element("toast").before(bar);
  opener.ariaPressed = "true";
  list.toggleAttribute("data-selecting", true);
  observer.observe(list, { childList: true, subtree: true, attributeFilter: ["data-id"] });
  show();
}

function close() {
  if (bar?.contains(document.activeElement)) opener.focus();
  observer.disconnect();
  picked.clear();
  bar?.remove();
  bar = null;
  opener.ariaPressed = "false";
  list.toggleAttribute("data-selecting", false);
  for (const item of list.children) {
    item.querySelector(".pick")?.remove();
    item.removeAttribute("data-picked");
  }
}

/** Shows the selection on each note and in the bar. */
function show() {
  for (const id of picked) if (!cards.has(id)) picked.delete(id);
  for (const item of list.children) {
    const card = cards.get(item.dataset.id);
    if (!card?.note.version) continue;
    const box = item.querySelector(".pick") ?? item.firstElementChild.insertBefore(makeBox(), item.querySelector("footer"));
    box.ariaLabel = t("select-note", { text: card.note.text.slice(0, 60) });
    box.checked = picked.has(card.note.id);
    item.toggleAttribute("data-picked", box.checked);
  }
  observer.takeRecords();
  const count = chosen().length;
  const status = /** @type {HTMLElement} */ (bar?.querySelector("[role=status]"));
  const says = t("selected", { count });
  if (status.textContent !== says) status.textContent = says;
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (bar?.querySelectorAll("[data-needs]"))) {
    button.ariaDisabled = String(!count);
  }
}

function makeBox() {
  return Object.assign(document.createElement("input"), { type: "checkbox", className: "pick" });
}

document.addEventListener("keydown", (event) => {
  const isBusy = /** @type {Element} */ (event.target).closest?.("textarea, .palette, [popover], dialog");
  if (event.key === "Escape" && bar && !isBusy) close();
});

// --- Actions ------------------------------------------------------------------------------------

/** By the words on their buttons. @type {Record<string, (some: Card[]) => unknown>} */
const acts = {
  "done-selected"(some) {
    const done = !some.every(({ note }) => note.done);
    const open = some.filter(({ note }) => note.done !== done);
    change(open.map((card) => [card, { done }]), t(done ? "ticked-several" : "unticked-several", { count: open.length }));
  },
  "top-selected": (some) => move(some, sorted.find(({ note }) => note.version && !picked.has(note.id)) ?? null),
  "bottom-selected": moveToEnd,
  "delete-selected": discard,
};

/** @param {string} color */
function paint(color) {
  const others = chosen().filter(({ note }) => note.color !== color);
  if (others.length) change(others.map((card) => [card, { color }]), t("coloured-several", { count: others.length }));
}

function makeBar() {
  const made = document.createElement("div");
  made.id = "picked";
  made.setAttribute("role", "group");
  made.ariaLabel = t("selection");
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  const colors = document.createElement("div");
  colors.setAttribute("role", "group");
  colors.ariaLabel = t("paper");
  for (const color of COLORS) {
    const dab = asDab(makeButton("", () => paint(color), true), color);
    dab.title = t(`color-${color}`);
    colors.append(dab);
  }
  const [done, ...others] = Object.entries(acts).map(([key, act]) => makeButton(t(key), () => act(chosen()), true));
  made.append(
    status,
    makeButton(t("select-all"), () => (sorted.forEach(({ note }) => note.version && picked.add(note.id)), show())),
    done, colors, ...others,
    makeButton(t("close"), close),
  );
  return made;
}

/** @param {string} text @param {() => void} run @param {boolean} [needs] something that is picked */
function makeButton(text, run, needs = false) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  button.toggleAttribute("data-needs", needs);
  button.addEventListener("click", () => {
    if (!needs || chosen().length) run();
  });
  return button;
}

addStyle("./arranging.css").catch(() => undefined);
