/**
 * Changing what hangs on the wall: tick off, recolour, delete and think better of it; from note to note by key.
 *
 * @typedef {import("./layout.js").Card} Card
 * @typedef {import("./layout.js").Column} Column
 * @typedef {import("./layout.js").Note} Note
 * @typedef {import("./api.js").Failure} Failure
 */
import { pinNote, request } from "./api.js";
import { deleted, dropped, put, remember, remove, show } from "./cards.js";
import { edit } from "./editing.js";
import { cards, element } from "./layout.js";

const UNDO_FOR = 10_000;
const COLORS = Array.from(element("composer").elements.color, ({ value }) => value);
const path = (/** @type {Note} */ { id }) => `/api/notes/${encodeURIComponent(id)}`;

/** @param {EventTarget | null} target */
function cardOf(target) {
  const item = /** @type {Element} */ (target).closest?.("li");
  return cards.get(/** @type {HTMLElement | null} */ (item)?.dataset.id ?? "");
}

/** @type {Record<string, (card: Card) => void>} */
const acts = {
  done: (card) => change(card, { done: !card.note.done }),
  edit,
  color: openPalette,
  delete: discard,
};

/** @param {MouseEvent} event */
export function click({ target }) {
  const button = /** @type {Element} */ (target).closest?.("[data-act]");
  const card = cardOf(target);
  if (card?.note.version && button) acts[/** @type {HTMLElement} */ (button).dataset.act ?? ""]?.(card);
}

/** @param {MouseEvent} event */
export function doubleClick({ target }) {
  const card = cardOf(target);
  if (card?.note.version && /** @type {Element} */ (target).closest(".text")) edit(card);
}

// --- Small changes: shown at once, taken back when they fail -------------------------------------

/** Changes on their way, by note; each resolves to what became of it. Who deletes waits for them, or would take their
 * own change for somebody else's. @type {Map<string, Promise<Note | undefined>>} */
const underway = new Map();

/** @param {Card} card @param {Partial<Note>} changes */
function change(card, changes) {
  const { id } = card.note;
  const work = Promise.all([underway.get(id), carryOut(card, changes)]).then(([earlier, note]) => {
    if (underway.get(id) === work) underway.delete(id);
    return note ?? earlier;
  });
  underway.set(id, work);
}

/** Whoever ticks a note off means it, whatever was changed meanwhile: no condition.
 * @param {Card} card @param {Partial<Note>} changes @returns {Promise<Note | undefined>} */
async function carryOut(card, changes) {
  const before = card.note;
  const wanted = { ...before, ...changes };
  show(card, wanted);
  try {
    const note = await request(path(before), { method: "PATCH", body: changes });
    put(note);
    return note;
  } catch (error) {
    if (card.note === wanted) show(card, before);
    failed(error, before);
  }
  return undefined;
}

/** @param {unknown} error @param {Note} note */
function failed(error, note) {
  const { status, message } = /** @type {Failure} */ (error);
  if (status === 404) dropped(note.id);
  toast(status === 404 ? "Somebody deleted this note meanwhile." : `Not changed. ${message}`);
}

/** @param {Card} card */
function openPalette(card) {
  const footer = /** @type {HTMLElement} */ (card.item?.querySelector("footer"));
  const opener = /** @type {HTMLElement} */ (footer.querySelector("[data-act=color]"));
  const shown = footer.querySelector(".palette");
  if (shown) return shown.remove();
  const palette = document.createElement("div");
  palette.className = "palette";
  palette.setAttribute("role", "group");
  palette.ariaLabel = "Paper";
  for (const color of COLORS) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "dab";
    button.dataset.color = color;
    button.ariaLabel = color;
    button.ariaPressed = String(color === card.note.color);
    button.addEventListener("click", () => {
      opener.focus();
      if (color !== card.note.color) change(card, { color });
    });
    palette.append(button);
  }
  palette.addEventListener("focusout", ({ relatedTarget }) => {
    if (!palette.contains(/** @type {Node | null} */ (relatedTarget))) palette.remove();
  });
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") opener.focus();
    if (!step) return;
    event.stopPropagation();
    const dabs = /** @type {HTMLElement[]} */ ([...palette.children]);
    dabs[(dabs.indexOf(/** @type {HTMLElement} */ (event.target)) + step + dabs.length) % dabs.length].focus();
  });
  opener.before(palette);
  /** @type {HTMLElement} */ (palette.querySelector("[aria-pressed=true]")).focus();
}

// --- Deleting -----------------------------------------------------------------------------------

/** It goes at once, and comes back when it may not go. @param {Card} card */
async function discard(card) {
  const { id } = card.note;
  const hadFocus = card.item?.contains(document.activeElement);
  const next = card.item?.nextElementSibling ?? card.item?.previousElementSibling;
  remember(deleted, id);
  remove(id, { animate: true });
  if (hadFocus) /** @type {HTMLElement} */ (next?.querySelector("[data-act=delete]") ?? element("text")).focus();
  const note = (await underway.get(id)) ?? card.note;
  try {
    await request(path(note), { method: "DELETE", headers: { "If-Match": `"${note.version}"` } });
  } catch (error) {
    const { status, message } = /** @type {Failure} */ (error);
    const left = status === 404 ? null : await request(path(note)).catch((answer) => (answer.status === 404 ? null : note));
    if (left) {
      deleted.delete(id);
      put(left);
      return toast(
        status === 412
          ? "Somebody changed this note meanwhile, so it still hangs here. Delete it again if it may go."
          : `Not deleted. ${message}`,
      );
    }
  }
  toast("Note deleted.", "Undo", () => pinNote(note));
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let toastTimer;
/** @type {(() => void) | null} */
let undo = null;

/** @param {string} text @param {string} [label] @param {() => void} [act] */
function toast(text, label, act) {
  const box = element("toast");
  const button = box.querySelector("button");
  element("toast-text").textContent = text;
  button.hidden = !label;
  button.textContent = label ?? "";
  box.dataset.open = "";
  undo = act ?? null;
  fade();
}

function fade() {
  clearTimeout(toastTimer);
  const box = element("toast");
  // It stays for as long as somebody has a hand on it.
  toastTimer = setTimeout(() => (box.matches(":hover, :focus-within") ? fade() : hideToast()), UNDO_FOR);
}

function hideToast() {
  clearTimeout(toastTimer);
  const box = element("toast");
  delete box.dataset.open;
  box.querySelector("button").hidden = true;
  element("toast-text").textContent = "";
  undo = null;
}

function takeBack() {
  const act = undo;
  if (!act) return;
  hideToast();
  act();
}
element("toast").querySelector("button").addEventListener("click", () => {
  takeBack();
  element("text").focus();
});

// --- Keys ---------------------------------------------------------------------------------------

/** The arrow keys go from note to note, and stay on the same button.
 * @param {KeyboardEvent} event */
export function step({ target, key }) {
  const { act } = /** @type {HTMLElement} */ (target).dataset;
  const card = cardOf(target);
  const goal = card?.column && neighbour(card, key);
  /** @type {HTMLElement | null | undefined} */ (goal?.item?.querySelector(`[data-act=${act}]`))?.focus();
}

/** @param {Card} card @param {string} key @returns {Card | undefined} */
function neighbour(card, key) {
  const column = /** @type {Column} */ (card.column);
  const at = column.cards.indexOf(card);
  if (key === "ArrowDown") return column.cards[at + 1];
  if (key === "ArrowUp") return column.cards[at - 1];
  if (key !== "ArrowLeft" && key !== "ArrowRight") return undefined;
  const side = key === "ArrowLeft" ? -1 : 1;
  const level = [...cards.values()].filter((other) => other.item && other.column && (other.column.left - column.left) * side > 0);
  return level.sort((one, other) => distance(one, card) - distance(other, card))[0];
}

/** @param {Card} one @param {Card} other */
const distance = (one, other) =>
  10 * Math.abs((one.column?.left ?? 0) - (other.column?.left ?? 0)) + Math.abs(one.y - other.y);

document.addEventListener("keydown", (event) => {
  const isWriting = /** @type {Element} */ (event.target).closest?.("textarea, input");
  if (!undo || isWriting || event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
  event.preventDefault();
  takeBack();
});
