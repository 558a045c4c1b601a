/**
 * The notes that this page knows, and what happens to them.
 *
 * @typedef {import("./paper.js").Card} Card
 * @typedef {import("./paper.js").Note} Note
 * @typedef {import("/ws/client/types").Event} Event
 */
import { holdBack, holdStill, isReading, schedule, takeDown } from "./layout.js";
import { cards, element, fill, heights, list, paging, rehang, sort, sorted, unsort } from "./paper.js";
import { asWished, waiting, waits, watch } from "./waiting.js";
import { goOn } from "./pinning.js";

export const board = document.body.dataset.board ?? "main";
/** Characters of a note, at most. */
export const LONGEST = Number(element("text").dataset.longest);
/** Motion is unwelcome. */
export const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Notes deleted recently, and at which version: an answer that was on its way must not bring them back. A restored
 * note has a higher version. @type {Map<string, number>} */
export const deleted = new Map();
/** Notes that the server has and that are not shown, because their deletion waits to be sent. @type {Map<string, Note>} */
export const hidden = new Map();
/** Ids of notes that this page knew before the server did. @type {Map<string, string>} */
const renamed = new Map();
/** The id of a note now. @param {string} id as it was once */
export const idOf = (id) => renamed.get(id) ?? id;
/** Request ids of this tab's own changes: their events are no news. @type {Set<string>} */
export const own = new Set();
/** The search. @type {{q: string, done: boolean | null}} */
export const filter = { q: "", done: null };

/** Keeps the last thousand. @param {Set<string> | Map<string, number>} known */
function bound(known) {
  if (known.size > 1000) for (const oldest of known.keys()) return void known.delete(oldest);
}

/** @param {string} id of a request of this tab */
export function rememberOwn(id) {
  own.add(id);
  bound(own);
}

/** @param {string} id @param {number} [version] absent: whatever it is */
function rememberDeleted(id, version = Infinity) {
  deleted.set(id, version);
  bound(deleted);
}

/** @param {Note} note */
const isDeleted = ({ id, version }) => (deleted.get(id) ?? -1) >= version;

/** Puts a note, or another version of it, on a card, as it shall be.
 * @param {Card} card @param {Note} base @param {boolean} [calm] a card that somebody reads stays where it is */
function show(card, base, calm = false) {
  const note = placed(asWished(base), card.note.position);
  if (card.note.text !== note.text) card.height = card.guess = 0;
  Object.assign(card, { base, note });
  fill(card);
  if (card.position === note.position) return;
  if (calm && isReading()) holdStill(card);
  else rehang(card);
  schedule();
}

/** A note with a position. A note that the server does not have yet hangs above all others, the newest on top. One that
 * version 2.0 wrote hangs where it hung, or above all that the server has.
 * @param {Note} note @param {string} [before] @returns {Note} */
function placed(note, before) {
  if (note.position) return note;
  const top = sorted.find(({ base }) => base.version)?.position ?? "";
  return { ...note, position: note.version ? before ?? `${top}~` : `~${note.created_at}` };
}

/**
 * Shows a note, or its newer version. A card that shows this version or a later one stays as it is.
 * @param {Note} note
 * @param {{fresh?: boolean, force?: boolean, calm?: boolean}} [how] fresh: it happened just now and goes on top;
 *   force: this version counts, even if it is the lower one; calm: what somebody reads stays where it is
 */
export function put(note, { fresh = false, force = false, calm = false } = {}) {
  const known = cards.get(note.id);
  const entry = waits(note.id);
  if ((isDeleted(note) && !entry?.isBack) || (known && isShown(known.base, note, force))) return;
  if (entry?.isGone && !entry.held) return hide(note);
  if (known) {
    const { text, color } = known.note;
    show(known, note, calm);
    known.editor?.changed(known.note);
    if (text !== known.note.text || color !== known.note.color) nudge(known);
  } else {
    /** @type {Card} */
    const card = {
      base: note, note: placed(asWished(note)), position: "", item: null, column: null, height: 0, guess: 0, y: 0, fresh,
      editor: null,
    };
    card.position = card.note.position;
    cards.set(note.id, card);
    sort(card);
    // Nothing may jump under the eyes of somebody who is reading.
    if (fresh && note.version && isReading()) holdBack(card);
  }
  list.toggleAttribute("data-gliding", !still.matches && !isBusy());
  showEmpty();
  schedule();
}

/** Hides a note that the server has, because its deletion waits. @param {Note} note */
function hide(note) {
  if ((hidden.get(note.id)?.version ?? -1) < note.version) hidden.set(note.id, note);
  remove(note.id, { animate: true });
}

/** @param {Note} known @param {Note} note @param {boolean} force */
const isShown = (known, note, force) =>
  force ? known.version === note.version && known.updated_at === note.updated_at : known.version >= note.version;

/** @param {string} id @param {{animate?: boolean}} [how] */
export function remove(id, { animate = false } = {}) {
  const card = cards.get(id);
  if (!card) return;
  cards.delete(id);
  unsort(card);
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

/** Highlights a card that somebody changed. @param {Card} card */
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

/** Whether so much happens that animations would tire the eyes, and the machine. */
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

/** Whether a note belongs to the pages that are loaded; one further down comes with its page. @param {Note} note */
const isInReach = ({ position }) => !paging.next || (position ?? "") >= (sorted.at(-1)?.position ?? "");

/** Shows what an event says. @param {Event} event */
export function apply({ type, data, request_id }) {
  const known = cards.get(data.id);
  if (type === "note.deleted") {
    dropped(data.id, data.version);
  } else if (type === "note.created") {
    if (settle(request_id, data) || !isWanted(data) || (data.version > 1 && !isInReach(data))) return;
    put(data, { fresh: !own.has(request_id) });
  } else if (type === "note.updated") {
    if (known?.editor || (isWanted(asWished(data)) && (known || isInReach(data)))) {
      put(data, { calm: !own.has(request_id) });
    }
    else remove(data.id, { animate: true });
  }
}

/** A note is gone for good; somebody who is editing it decides what becomes of the text.
 * @param {string} id @param {number} [version] */
function dropped(id, version = deleted.get(id)) {
  rememberDeleted(id, version);
  hidden.delete(id);
  if (waits(id)?.isBack) return;
  const editor = cards.get(id)?.editor;
  if (editor) editor.removed();
  else remove(id, { animate: true });
}

/** The server has the note that was sent under this key. @param {string} key @param {Note} note
 * @returns {boolean} whether it was one of this browser */
export function settle(key, note) {
  // Whoever pins a note chooses the id of the request, and may choose that of a note of somebody else.
  if ((cards.get(key)?.base ?? hidden.get(key))?.version) return false;
  if (goOn(key, note)) return true;
  return rename(key, note);
}

/** The card that waited becomes the note. @param {string} key @param {Note} note
 * @returns {boolean} whether there was one */
function rename(key, note) {
  const card = cards.get(key);
  hidden.delete(key);
  if (!card) return false;
  if (cards.has(note.id) || isDeleted(note) || !isWanted(note)) {
    remove(key);
    return true;
  }
  cards.delete(key);
  cards.set(note.id, card);
  show(card, note);
  schedule();
  return true;
}

// --- What waits ---------------------------------------------------------------------------------

/** Shows what has become of something that waits, here or in another tab. @param {string} key */
function follow(key) {
  const entry = waits(key);
  const card = cards.get(key);
  if (entry?.deleted !== undefined) return dropped(key, entry.deleted);
  if (entry && entry.base.id !== key) {
    renamed.set(key, entry.base.id);
    if (!rename(key, entry.base)) hang(entry.base);
  } else if (entry?.isGone && !entry.held) {
    if (card) hide(card.base);
  } else if (!card) {
    const left = entry && (entry.isBack || !entry.base.version) ? entry.base : hidden.get(key);
    hidden.delete(key);
    if (left) hang(left);
  } else if (!entry && !card.base.version) remove(key);
  else {
    const { text } = card.note;
    if (entry) put(entry.held?.why === "conflict" ? entry.held.theirs : entry.base);
    // What is wished may differ, or that it waits.
    show(card, card.base);
    if (text !== card.note.text) card.editor?.changed(card.note);
    schedule();
  }
}

/** @param {Note} note */
function hang(note) {
  if (note.board === board && (isWanted(note) || !note.version)) put(note, { fresh: !note.version });
}

/** Shows what waits, from now on. */
export function followAll() {
  watch(follow);
  for (const { key } of waiting()) follow(key);
}
