/**
 * The notes that this page knows, and their paper in the document.
 *
 * @typedef {{id: string, board: string, text: string, color: string, position: string, done: boolean, author?: string,
 *   version: number, created_at: string, updated_at: string}} Note
 * @typedef {{slug: string, title: string, version: number}} Board
 * @typedef {{changed: (note: Note) => void, removed: () => void}} Editor told what happens to its note meanwhile
 * @typedef {object} Card a note and its place on the wall
 * @property {Note} base as the server has it; version 0: it does not have it yet
 * @property {Note} note with the changes that wait: waiting.js
 * @property {string} position where it hangs here: others may have moved the note already
 * @property {HTMLElement | null} item null: too far away to be shown
 * @property {import("./layout.js").Column | null} column null: not hung yet
 * @property {number} height pixels; 0: not measured at this width yet
 * @property {number} guess the same, as long as it is not measured
 * @property {number} y
 * @property {boolean} fresh
 * @property {Editor | null} editor
 */
import { isLate, rests, waits } from "./waiting.js";

/** Up to this many notes, all are in the document, for "find in page" and screen readers. */
export const ALL_IN_PAGE = 300;
const TILTS = 7;
/** Code between three backticks, where a word behind the first ones names its language, or between single ones; and
 * addresses: a sentence's own signs behind it are not part of one. */
const MARKED = /\x60{3}(?:[\w+#.-]*\n)?([^]+?)\n?\x60{3}|\x60([^\x60\n]+)\x60|\bhttps?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]}]/gi;
/** Characters of a line of code from which on it may not fit. */
const WIDE = 24;
/** A note is folded when it has more lines than this, of so many letters: more than fold away at any width. */
const MOST_LINES = 16;
const LINE = 55;

export const element = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

/** A function that asks for `act` in the next frame, once however often it is called. @param {() => void} act */
export function perFrame(act) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      act();
    });
  };
}

// --- What people read ----------------------------------------------------------------------------

const { lang } = document.documentElement;
/** For dates: the page's language, with the reader's region. */
export const locale = navigator.languages.find((one) => one.startsWith(lang)) ?? lang;
const plurals = new Intl.PluralRules(lang);
/** @type {Record<string, string | Record<string, string>>} */
const words = JSON.parse(element("words").textContent);
/** What the API says, by what it says in English. @type {Record<string, string>} */
const problems = {};

/** Takes what words.json has. @param {{words: Record<string, any>, problems: Record<string, any>}} late */
export function addWords(late) {
  for (const [key, text] of Object.entries(late.words)) words[key] = text[lang];
  Object.assign(problems, late.problems[lang]);
}

/**
 * Words in the reader's language.
 * @param {string} key of words.toml, or of words.json
 * @param {Record<string, unknown>} [values] what is filled in; `count` picks the form
 */
export function t(key, values = {}) {
  const known = words[key];
  const text = typeof known === "string" ? known : known[plurals.select(Number(values.count))];
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** Translates a text of the API, if there is a translation. @param {string} detail */
export const inWords = (detail) => problems[detail] ?? detail;

// --- Notes ---------------------------------------------------------------------------------------

const dateFormat = new Intl.DateTimeFormat(locale, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

const template = element("note");
const form = element("composer");
export const list = element("notes");

/** Every note that this page knows. @type {Map<string, Card>} */
export const cards = new Map();
/** The same, as they hang. @type {Card[]} */
export const sorted = [];
/** Of two at the same position, the one with the higher id. @param {Card} one @param {Card} other */
const isAbove = (one, other) =>
  one.position === other.position ? one.note.id > other.note.id : one.position > other.position;

/** How many cards hang above this one. @param {Card} card */
function countAbove(card) {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const half = (from + to) >> 1;
    if (isAbove(sorted[half], card)) from = half + 1;
    else to = half;
  }
  return from;
}

/** Gives a card its place among the others. @param {Card} card */
export const sort = (card) => void sorted.splice(countAbove(card), 0, card);

/** Takes a card out of its place. @param {Card} card */
export function unsort(card) {
  const at = countAbove(card);
  // The id of a note that was pinned here has changed.
  sorted.splice(sorted[at] === card ? at : sorted.indexOf(card), 1);
}

/** Hangs a card where its note says. @param {Card} card */
export function rehang(card) {
  unsort(card);
  card.position = card.note.position;
  card.column = null;
  sort(card);
}

/** `next`: token of the page after the last one that was fetched; null: there is none. @type {{next: string | null}} */
export const paging = { next: null };
/** This board and its title; version -1: not known yet. @type {Board} */
export const about = { slug: "", title: "", version: -1 };

/** A card looks the same in every tab and after every reload. @param {string} id */
const tilt = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7) % TILTS;

/** @param {Card} card @returns {HTMLElement} */
function make(card) {
  const item = template.content.firstElementChild.cloneNode(true);
  card.item = item;
  item.firstElementChild.toggleAttribute("data-fresh", card.fresh);
  card.fresh = false;
  fill(card);
  heights.observe(item.firstElementChild);
  return item;
}

/** What was written where. @type {WeakMap<HTMLElement, string>} */
const written = new WeakMap();

/** Writes text, with code elements for code and links for addresses. Markup in the text is shown as text.
 * @param {HTMLElement} where @param {string} text */
function write(where, text) {
  // What is selected in it, or has the focus, stays so while something else of the note changes.
  if (written.get(where) === text) return;
  written.set(where, text);
  where.replaceChildren();
  let end = 0;
  for (const { 0: whole, 1: block, 2: words, index } of text.matchAll(MARKED)) {
    const between = text.slice(end, index);
    // A block begins a line anyway.
    where.append(block ? between.replace(/\n$/, "") : between, block || words ? code(block, words) : link(whole));
    end = index + whole.length;
    if (block && text[end] === "\n") end += 1;
  }
  where.append(text.slice(end));
}

/** @param {string} address */
function link(address) {
  const made = document.createElement("a");
  return Object.assign(made, { href: address, textContent: address, target: "_blank", rel: "noopener noreferrer" });
}

/** @param {string | undefined} block @param {string} words */
function code(block, words) {
  const made = Object.assign(document.createElement("code"), { textContent: block ?? words });
  made.classList.toggle("block", Boolean(block));
  // A block that scrolls must be reachable by keyboard.
  if (block?.split("\n").some((line) => line.length > WIDE)) made.tabIndex = 0;
  return made;
}

/** Long notes that somebody unfolded here, by id. @type {Set<string>} */
export const unfolded = new Set();

/** @param {Note} note */
export function isFolded({ id, text }) {
  return isLong(text) && !unfolded.has(id);
}

/** @param {string} text */
const isLong = (text) => text.split("\n").reduce((sum, { length }) => sum + Math.max(1, Math.ceil(length / LINE)), 0) > MOST_LINES;

/** Shows all of a long note, or its beginning. @param {Card} card */
export function fold({ note, item }) {
  const turn = /** @type {HTMLElement} */ (item?.querySelector(".fold"));
  turn.hidden = !isLong(note.text);
  turn.ariaExpanded = String(!isFolded(note));
  item?.firstElementChild?.toggleAttribute("data-folded", isFolded(note));
}

/** Writes the note onto its paper. @param {Card} card */
export function fill(card) {
  const { note, item } = card;
  if (!item) return;
  const part = (/** @type {string} */ name) => /** @type {any} */ (item.querySelector(name));
  const paper = part(".note");
  const name = note.text.length > 60 ? `${note.text.slice(0, 60)}…` : note.text;
  item.dataset.id = note.id;
  paper.dataset.color = note.color;
  paper.dataset.tilt = tilt(note.id);
  paper.dataset.length = note.text.length < 50 ? "short" : note.text.length < 400 ? "medium" : "long";
  paper.toggleAttribute("data-done", note.done);
  const entry = waits(note.id);
  const isWaiting = !note.version || Boolean(entry && !entry.held && isLate(entry));
  paper.toggleAttribute("data-waiting", isWaiting);
  write(part(".text"), note.text);
  fold(card);
  part(".author").hidden = !note.author;
  part(".author bdi").textContent = note.author ?? "";
  part("time").dateTime = note.created_at;
  const waiting = entry && rests(entry) ? "not-sent" : "waiting";
  part("time").textContent = isWaiting ? t(waiting) : dateFormat.format(new Date(note.created_at));
  for (const button of item.querySelectorAll("[data-act]")) {
    button.setAttribute("aria-label", `${/** @type {HTMLElement} */ (button).title}: ${name}`);
  }
  part("[data-act=done]").ariaPressed = String(note.done);
}

// --- Which of them are in the document -----------------------------------------------------------

/** Puts these and only these into the document, in reading order. @param {Card[]} shown */
export function attach(shown) {
  const keep = new Set(shown);
  const focused = document.activeElement;
  for (const item of [...list.children]) {
    const card = cards.get(item.dataset.id);
    if (card && keep.has(card) && card.item === item) continue;
    if (card && card.item === item) card.item = null;
    if (item.hasAttribute("data-leaving")) continue;
    heights.unobserve(item.firstElementChild);
    item.remove();
  }
  const setSize = String(paging.next ? -1 : sorted.length);
  let index = 0;
  let next = list.firstElementChild;
  for (const card of shown) {
    while (next?.hasAttribute("data-leaving")) next = next.nextElementSibling;
    while (sorted[index] !== card) index += 1;
    const item = card.item ?? make(card);
    if (item === next) next = next.nextElementSibling;
    else list.insertBefore(item, next);
    if (sorted.length > ALL_IN_PAGE) {
      const place = String(index + 1);
      if (item.ariaPosInSet !== place) item.ariaPosInSet = place;
      if (item.ariaSetSize !== setSize) item.ariaSetSize = setSize;
    }
  }
  // An element that is moved in the document loses the focus.
  if (focused !== document.activeElement && list.contains(focused)) {
    /** @type {HTMLElement} */ (focused).focus({ preventScroll: true });
  }
}

/** @param {Card[]} shown @returns {boolean} whether a card is not as high as it was thought to be */
export function measure(shown) {
  let differs = false;
  for (const card of shown) {
    if (card.height) continue;
    const paper = /** @type {HTMLElement} */ (card.item?.firstElementChild);
    card.height = paper.offsetHeight;
    differs = true;
  }
  return differs;
}

/** Called when heights change. */
let changed = () => {};

/** An editor or another font makes a card higher, and a longer text the form. */
export const heights = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const item = /** @type {HTMLElement} */ (target.parentElement);
    const card = cards.get(item.dataset.id ?? "");
    const height = /** @type {HTMLElement} */ (target).offsetHeight;
    if (target === form.firstElementChild) changed();
    else if (card && height && card.height !== height) {
      card.height = height;
      changed();
    }
  }
});

/** @param {() => void} onChange */
export function observeHeights(onChange) {
  changed = onChange;
  heights.observe(form.firstElementChild);
}
