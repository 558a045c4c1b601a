/**
 * Changes of notes by their buttons: tick off, recolour, edit, delete. And the arrow keys, which go from note to note.
 *
 * @typedef {import("./paper.js").Card} Card
 */
import { idOf } from "./cards.js";
import { draft, keepDraft } from "./drafts.js";
import { edit } from "./editing.js";
import { schedule } from "./layout.js";
import { cards, element, list, sorted, t } from "./paper.js";
import { change, undoable } from "./undo.js";
import { wishBack, wishGone } from "./wishes.js";

export const COLORS = Array.from(element("composer").elements.color, ({ value }) => value);

/** @param {EventTarget | null} target */
export function cardOf(target) {
  const item = /** @type {Element} */ (target).closest?.("li");
  return cards.get(/** @type {HTMLElement | null} */ (item)?.dataset.id ?? "");
}

/** @type {Record<string, (card: Card) => void>} */
const acts = {
  done: (card) => change([[card, { done: !card.note.done }]], t(card.note.done ? "no-longer-ticked" : "ticked")),
  edit,
  color: openPalette,
  delete: (card) => discard([card]),
};

/** The card that was clicked last. @type {Card | undefined} */
let clicked;

/** @param {MouseEvent} event */
export function click({ target, detail }) {
  const button = /** @type {Element} */ (target).closest?.("[data-act]");
  const card = cardOf(target);
  // The second click of a double click is not meant for the note that takes a deleted one's place.
  if (detail > 1 && card !== clicked) return;
  clicked = card;
  if (card && button) acts[/** @type {HTMLElement} */ (button).dataset.act ?? ""]?.(card);
}

/** @param {MouseEvent} event */
export function doubleClick({ target }) {
  const card = cardOf(target);
  if (list.hasAttribute("data-selecting")) return;
  if (card && /** @type {Element} */ (target).closest(".text")) edit(card);
}

// --- Paper --------------------------------------------------------------------------------------

/** Makes a button a dab of a colour. @param {HTMLButtonElement} button @param {string} color */
export function asDab(button, color) {
  button.className = "dab";
  button.dataset.color = color;
  button.ariaLabel = t(`color-${color}`);
  return button;
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
  palette.ariaLabel = t("paper");
  for (const color of COLORS) {
    const button = asDab(document.createElement("button"), color);
    button.type = "button";
    button.ariaPressed = String(color === card.note.color);
    button.addEventListener("click", () => {
      opener.focus();
      if (color !== card.note.color) change([[card, { color }]], t("paper-changed"));
    });
    palette.append(button);
  }
  palette.addEventListener("focusout", ({ relatedTarget }) => {
    if (palette.contains(/** @type {Node | null} */ (relatedTarget))) return;
    palette.remove();
    schedule();
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

/** Deletes notes: they disappear at once, and come back if the deletion is refused. @param {Card[]} some */
export function discard(some) {
  const focused = some.find(({ item }) => item?.contains(document.activeElement));
  const goes = new Set(some.map(({ item }) => item));
  let next = focused?.item?.nextElementSibling;
  while (next && goes.has(/** @type {HTMLElement} */ (next))) next = next.nextElementSibling;
  next ??= some.length === 1 ? focused?.item?.previousElementSibling : null;
  const begun = some.map(takeAway);
  if (focused) /** @type {HTMLElement} */ (next?.querySelector("[data-act=delete]") ?? element("text")).focus();
  const said = some.length > 1 ? t("deleted-several", { count: some.length }) : t("note-deleted");
  undoable(said, () => begun.reverse().forEach((comeBack) => comeBack()));
}

/** @param {Card} card @returns {() => void} takes it back */
function takeAway({ base, note }) {
  const { id } = base;
  const kept = draft(id);
  keepDraft(id, "");
  wishGone(base);
  return () => {
    const now = idOf(id);
    // The server may have carried it out since.
    wishBack({ ...base, id: now, version: base.version || Number(now !== id) }, note);
    if (kept) keepDraft(now, kept.text, kept.original);
  };
}

// --- Keys ---------------------------------------------------------------------------------------

/** The arrow keys go from note to note, and stay on the same button.
 * @param {KeyboardEvent} event */
export function step({ target, key }) {
  const { act } = /** @type {HTMLElement} */ (target).dataset;
  const card = cardOf(target);
  const goal = card && neighbour(card, key);
  /** @type {HTMLElement | null | undefined} */ (goal?.item?.querySelector(`[data-act=${act}]`))?.focus();
}

/** @param {Card} card @param {string} key @returns {Card | undefined} */
function neighbour(card, key) {
  const left = card.column?.left ?? 0;
  const others = sorted.filter(({ item, column }) => item && column);
  const column = others.filter((other) => other.column === card.column);
  const at = column.indexOf(card);
  if (key === "ArrowDown") return column[at + 1];
  if (key === "ArrowUp") return column[at - 1];
  if (key !== "ArrowLeft" && key !== "ArrowRight") return undefined;
  const side = key === "ArrowLeft" ? -1 : 1;
  const level = others.filter((other) => ((other.column?.left ?? 0) - left) * side > 0);
  return level.sort((one, other) => distance(one, card) - distance(other, card))[0];
}

/** @param {Card} one @param {Card} other */
const distance = (one, other) =>
  10 * Math.abs((one.column?.left ?? 0) - (other.column?.left ?? 0)) + Math.abs(one.y - other.y);
