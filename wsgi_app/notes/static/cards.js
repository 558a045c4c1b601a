/**
 * The notes that this page knows, and what happens to them.
 *
 * @typedef {import("./layout.js").Card} Card
 * @typedef {import("./layout.js").Note} Note
 * @typedef {import("/ws/client/types").Event} Event
 */
import {
  cards, element, fill, hang, heights, holdBack, isReading, list, paging, schedule, sorted, takeDown,
} from "./layout.js";

export const board = document.body.dataset.board ?? "main";
/** Characters of a note, at most. */
export const LONGEST = Number(element("text").dataset.longest);
/** Motion is unwelcome. */
export const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Deleted lately: an answer that was on its way must not bring them back. @type {Set<string>} */
export const deleted = new Set();
/** Request ids of this tab's own changes: their events are no news. @type {Set<string>} */
export const own = new Set();
/** What is looked for. @type {{q: string, done: boolean | null}} */
export const filter = { q: "", done: null };

/** Keeps the last thousand. @param {Set<string>} set @param {string} id */
export function remember(set, id) {
  set.add(id);
  if (set.size > 1000) for (const oldest of set) return void set.delete(oldest);
}

/** Puts a note, or another version of it, on a card. @param {Card} card @param {Note} note */
export function show(card, note) {
  if (card.note.text !== note.text) card.height = 0;
  card.note = note;
  fill(card);
}

/**
 * Shows a note, or its newer version. A card that shows this version or a later one stays as it is.
 * @param {Note} note
 * @param {{fresh?: boolean, force?: boolean}} [how] fresh: it happened just now and goes on top;
 *   force: this version counts, even if it is the lower one
 */
export function put(note, { fresh = false, force = false } = {}) {
  const known = cards.get(note.id);
  if (deleted.has(note.id) || (known && isShown(known.note, note, force))) return;
  if (known) {
    const { text, color } = known.note;
    show(known, note);
    known.editor?.changed(note);
    if (text !== note.text || color !== note.color) nudge(known);
  } else {
    /** @type {Card} */
    const card = { note, item: null, column: null, height: 0, y: 0, fresh, editor: null };
    cards.set(note.id, card);
    sort(card);
    // Nothing may jump under the eyes of somebody who reads further down.
    if (fresh && note.version && isReading()) holdBack(card);
    else hang(card);
  }
  list.toggleAttribute("data-gliding", !still.matches && !isBusy());
  showEmpty();
  schedule();
}

/** @param {Note} known @param {Note} note @param {boolean} force */
const isShown = (known, note, force) =>
  force ? known.version === note.version && known.updated_at === note.updated_at : known.version >= note.version;

/** Among notes of the same moment a fresh one goes first. @param {Card} card */
function sort(card) {
  const time = (/** @type {Card} */ { note }) => Date.parse(note.created_at);
  const at = time(card);
  let index = card.fresh ? 0 : sorted.length;
  if (card.fresh) while (index < sorted.length && time(sorted[index]) > at) index += 1;
  else while (index > 0 && time(sorted[index - 1]) < at) index -= 1;
  sorted.splice(index, 0, card);
}

/** @param {string} id @param {{animate?: boolean}} [how] */
export function remove(id, { animate = false } = {}) {
  const card = cards.get(id);
  if (!card) return;
  cards.delete(id);
  sorted.splice(sorted.indexOf(card), 1);
  takeDown(card);
  if (card.item) leave(card.item, animate && !still.matches && !isBusy());
  list.toggleAttribute("data-gliding", !still.matches && !isBusy());
  showEmpty();
  schedule();
}

/** @param {HTMLElement} item @param {boolean} animate */
function leave(item, animate) {
  heights.unobserve(/** @type {Element} */ (item.firstElementChild));
  if (!animate) return item.remove();
  item.dataset.leaving = "";
  item.inert = true;
  item.ariaHidden = "true";
  const fall = item.animate([{}, { opacity: 0, scale: 0.9 }], { duration: 180, easing: "ease-in" });
  fall.onfinish = fall.oncancel = () => item.remove();
}

/** Shows that somebody changed this. @param {Card} card */
function nudge({ item }) {
  if (still.matches || isBusy()) return;
  item?.firstElementChild?.animate([{}, { scale: 1.04 }, {}], { duration: 350, easing: "ease-out" });
}

/** When the last events came. @type {number[]} */
const times = [];

/** Counts an event. */
export function tick() {
  times.push(performance.now());
  if (times.length > 20) times.shift();
}

/** When much happens at once, moving paper tires the eyes (and the machine). */
function isBusy() {
  return times.length > 8 && performance.now() - times[times.length - 8] < 1500;
}

/** Says so when there is nothing to see. */
export function showEmpty() {
  const isFiltered = Boolean(filter.q) || filter.done !== null;
  element("empty").hidden = cards.size > 0 || isFiltered || list.ariaBusy === "true";
  element("nothing").hidden = cards.size > 0 || !isFiltered || list.ariaBusy === "true";
}

// --- What happens -------------------------------------------------------------------------------

/** Whether the filter lets this note through. @param {Note} note */
export function isWanted({ text, done }) {
  return text.toLowerCase().includes(filter.q.toLowerCase()) && (filter.done === null || filter.done === done);
}

/** Shows what an event says. @param {Event} event */
export function apply({ type, data, request_id }) {
  if (type === "note.deleted") {
    dropped(data.id);
  } else if (type === "note.created") {
    if (settle(request_id, data) || cards.has(data.id) || !isWanted(data)) return;
    if (!own.has(request_id)) announce(data.text);
    put(data, { fresh: true });
  } else if (type === "note.updated") {
    const known = cards.get(data.id);
    // An older one that is not here comes with its page.
    const isHere = !paging.next || data.created_at > (sorted.at(-1)?.note.created_at ?? "");
    if (known?.editor || (isWanted(data) && (known || isHere))) put(data);
    else remove(data.id, { animate: true });
  }
}

/** A note is gone for good; somebody who is editing it decides what becomes of the text. @param {string} id */
export function dropped(id) {
  remember(deleted, id);
  const editor = cards.get(id)?.editor;
  if (editor) editor.removed();
  else remove(id, { animate: true });
}

/** Other people's notes, for those who listen. A burst is told as a number. @type {string[]} */
let news = [];
/** @param {string} text */
function announce(text) {
  if (news.push(text) > 1) return;
  setTimeout(() => {
    element("announcer").textContent =
      news.length === 1 ? `New note: ${news[0].slice(0, 200)}` : `${news.length} new notes`;
    news = [];
  }, 1000);
}

/** The server has the note that was sent under this key: the card that waited becomes it.
 * @param {string} key @param {Note} note @returns {boolean} */
export function settle(key, note) {
  const card = cards.get(key);
  if (!card) return false;
  if (cards.has(note.id) || deleted.has(note.id) || !isWanted(note)) {
    remove(key);
    return true;
  }
  cards.delete(key);
  cards.set(note.id, card);
  card.note = note;
  card.height = 0;
  fill(card);
  schedule();
  return true;
}
