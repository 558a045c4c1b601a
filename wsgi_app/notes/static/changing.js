/**
 * Changing what hangs on the wall: tick off, recolour, delete and think better of it; from note to note by key.
 *
 * @typedef {import("./paper.js").Card} Card
 * @typedef {import("./paper.js").Note} Note
 * @typedef {import("./api.js").Failure} Failure
 */
import { addressOf, request } from "./api.js";
import { deleted, dropped, put, rememberDeleted, remove, show } from "./cards.js";
import { draft, keepDraft } from "./drafts.js";
import { edit } from "./editing.js";
import { schedule } from "./layout.js";
import { cards, element, sorted, t } from "./paper.js";
import { restore, revert, toast, undoable } from "./undo.js";

const COLORS = Array.from(element("composer").elements.color, ({ value }) => value);

/** @param {EventTarget | null} target */
function cardOf(target) {
  const item = /** @type {Element} */ (target).closest?.("li");
  return cards.get(/** @type {HTMLElement | null} */ (item)?.dataset.id ?? "");
}

/** @type {Record<string, (card: Card) => void>} */
const acts = {
  done: (card) => change(card, { done: !card.note.done }, t(card.note.done ? "no-longer-ticked" : "ticked")),
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

/** @param {Card} card @param {Partial<Note>} changes @param {string} said */
function change(card, changes, said) {
  const { note } = card;
  const { id } = note;
  const before = Object.fromEntries(Object.keys(changes).map((field) => [field, note[/** @type {keyof Note} */ (field)]]));
  const carriedOut = carryOut(card, changes);
  const forget = undoable(said, () => carriedOut.then(() => revert(id, before, changes)));
  const work = Promise.all([underway.get(id), carriedOut]).then(([earlier, now]) => {
    if (underway.get(id) === work) underway.delete(id);
    return now ?? earlier;
  });
  underway.set(id, work);
  carriedOut.then((now) => now ?? forget());
}

/** Whoever ticks a note off means it, whatever was changed meanwhile: no condition.
 * @param {Card} card @param {Partial<Note>} changes @returns {Promise<Note | undefined>} */
async function carryOut(card, changes) {
  const before = card.note;
  const wanted = { ...before, ...changes };
  show(card, wanted);
  try {
    const note = await request(addressOf(before.id), { method: "PATCH", body: changes });
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
  toast(status === 404 ? t("deleted-meanwhile") : t("not-changed", { why: message }));
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
    const button = document.createElement("button");
    button.type = "button";
    button.className = "dab";
    button.dataset.color = color;
    button.ariaLabel = t(`color-${color}`);
    button.ariaPressed = String(color === card.note.color);
    button.addEventListener("click", () => {
      opener.focus();
      if (color !== card.note.color) change(card, { color }, t("paper-changed"));
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

/** It goes at once, and comes back when it may not go. @param {Card} card */
function discard(card) {
  const { id } = card.note;
  const hadFocus = card.item?.contains(document.activeElement);
  const next = card.item?.nextElementSibling ?? card.item?.previousElementSibling;
  const kept = draft(id);
  keepDraft(id, "");
  rememberDeleted(id);
  remove(id, { animate: true });
  if (hadFocus) /** @type {HTMLElement} */ (next?.querySelector("[data-act=delete]") ?? element("text")).focus();
  const comeBack = () => kept && keepDraft(id, kept.text, kept.original);
  const work = removeFromServer(card.note);
  const forget = undoable(t("note-deleted"), async () => {
    const { note } = await work;
    await restore(note);
    comeBack();
  });
  work.then(({ left, why }) => {
    if (!left) return;
    forget();
    deleted.delete(id);
    put(left);
    comeBack();
    toast(why);
  });
}

/** @param {Note} before
 * @returns {Promise<{note: Note, left?: Note | null, why: string}>} `note`: as it was deleted; `left`: as it still
 *   hangs there, and why */
async function removeFromServer(before) {
  const { id } = before;
  const note = (await underway.get(id)) ?? before;
  try {
    const headers = { "If-Match": `"${note.version}"` };
    const { version } = await request(addressOf(id), { method: "DELETE", headers });
    rememberDeleted(id, version);
    return { note, why: "" };
  } catch (error) {
    const { status, message } = /** @type {Failure} */ (error);
    const isGone = (/** @type {Failure} */ answer) => (answer.status === 404 ? null : note);
    const left = status === 404 ? null : await request(addressOf(id)).catch(isGone);
    return { note, left, why: status === 412 ? t("still-hangs") : t("not-deleted", { why: message }) };
  }
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
