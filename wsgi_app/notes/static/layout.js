/**
 * Where each card hangs, and which cards are in the document.
 *
 * Cards are placed by script, column by column: a note keeps its column, so a new one moves few others, and
 * nothing moves under the eyes of somebody who reads further down. Of a large board only the neighbourhood of what
 * is in view is in the document.
 *
 * @typedef {{id: string, board: string, text: string, color: string, done: boolean, version: number,
 *   created_at: string, updated_at: string}} Note
 * @typedef {{changed: (note: Note) => void, removed: () => void}} Editor told what happens to its note meanwhile
 * @typedef {object} Card a note and its place on the wall
 * @property {Note} note version 0: not at the server yet
 * @property {HTMLElement | null} item null: too far away to be shown
 * @property {Column | null} column null: held back while somebody reads further down
 * @property {number} height pixels; 0: not measured at this width yet
 * @property {number} y
 * @property {boolean} fresh
 * @property {Editor | null} editor
 * @typedef {{cards: Card[], left: number, height: number, slack: number}} Column newest on top; `slack`: pixels that
 *   it hangs too low, so that a change further up does not move what is being read
 */

/** Up to this many notes, all are in the document, for "find in page" and screen readers. */
const ALL_IN_PAGE = 300;
const NARROWEST = 15; // rem
const TILTS = 7;

const dateFormat = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

export const element = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const wall = element("wall");
export const list = element("notes");
const template = element("note");
const form = element("composer");
const newer = element("newer");

/** Every note that this page knows. @type {Map<string, Card>} */
export const cards = new Map();
/** The same, newest first. @type {Card[]} */
export const sorted = [];
/** `next`: token of the page after the last one that was fetched; null: there is none. @type {{next: string | null}} */
export const paging = { next: null };

/** @type {Column[]} */
let columns = [];
let width = 0;
let gap = 0;
let rem = 16;
/** Where the list begins in the document. */
let top = 0;
let scheduled = false;

/** Asks for the next frame to show what has changed. */
export function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    render();
  });
}

/** A guess for what has not been shown yet. @param {Card} card */
function estimate({ note: { text } }) {
  const perLine = width / (text.length < 50 ? 14 : 10);
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / perLine)), 0);
  return Math.max(9.5 * rem, lines * 1.6 * rem + 6 * rem);
}

const lead = (/** @type {Column} */ column) => (column === columns[0] ? form.offsetHeight + gap : 0);
const shortest = () => columns.reduce((best, column) => (column.height < best.height ? column : best));

/** A note stays in its column, so that a new one moves few others. @param {Card} card */
export function hang(card) {
  const column = shortest();
  const { cards: those } = column;
  card.column = column;
  column.height += (card.height || estimate(card)) + gap;
  if (!those.length || isNewer(those[those.length - 1], card)) return void those.push(card);
  const at = those.findIndex((other) => !isNewer(other, card));
  those.splice(at < 0 ? those.length : at, 0, card);
}

/** @param {Card} one @param {Card} other */
const isNewer = (one, other) => sorted.indexOf(one) < sorted.indexOf(other);

/** Hangs everything anew. */
export function hangAll() {
  for (const column of columns) Object.assign(column, { cards: [], height: lead(column), slack: 0 });
  for (const card of sorted) {
    if (!card.column) continue;
    const column = shortest();
    column.cards.push(card);
    column.height += (card.height || estimate(card)) + gap;
    card.column = column;
  }
}

/** Lays everything out anew: the window or its letters have another size. */
function resize() {
  rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  gap = parseFloat(getComputedStyle(wall).columnGap);
  top = list.getBoundingClientRect().top + scrollY;
  const anchor = scrollY > top ? sorted.find((card) => card.item && card.y + top >= scrollY) : undefined;
  const offset = anchor ? anchor.y - scrollY : 0;
  const count = Math.max(1, Math.floor((list.clientWidth + gap) / (NARROWEST * rem + gap)));
  const before = width;
  width = (list.clientWidth + gap) / count - gap;
  wall.style.setProperty("--column", `${width}px`);
  if (width !== before) for (const card of sorted) card.height = 0;
  if (count !== columns.length) {
    columns = Array.from({ length: count }, (_, index) => ({ cards: [], height: 0, left: index, slack: 0 }));
    hangAll();
  }
  for (const [index, column] of columns.entries()) column.left = Math.round(index * (width + gap));
  list.toggleAttribute("data-gliding", false);
  render(false);
  if (anchor) scrollTo(0, anchor.y - offset);
}

function position() {
  let tallest = 0;
  for (const column of columns) {
    let y = lead(column) + column.slack;
    for (const card of column.cards) {
      card.y = y;
      y += (card.height || estimate(card)) + gap;
    }
    column.height = y;
    tallest = Math.max(tallest, y);
  }
  return tallest;
}

/** The top of the wall is out of view: somebody reads further down. */
export const isReading = () => scrollY > top + 200;

/** The card of each column that must not move. @returns {{card: Card, y: number}[]} */
function anchors() {
  return columns.flatMap(({ cards: those }) => {
    const card = those.find(({ item, y, height }) => item && y + height > scrollY - top);
    return card ? [{ card, y: card.y }] : [];
  });
}

/** Shows the cards around what is in view, each in its place. @param {boolean} [anchored] */
export function render(anchored = isReading()) {
  if (!isReading()) letIn();
  const fixed = anchored ? anchors() : [];
  const overscan = innerHeight;
  let shown;
  let height;
  for (let pass = 0; pass < 3; pass += 1) {
    height = position();
    for (const { card, y } of fixed) if (card.column) card.column.slack += y - card.y;
    if (fixed.length) height = position();
    const [from, to] = [scrollY - top - overscan, scrollY - top + innerHeight + overscan];
    shown = sorted.filter(
      (card) =>
        card.column &&
        (sorted.length <= ALL_IN_PAGE || card.editor || (card.y < to && card.y + card.height > from) ||
          card.item?.contains(document.activeElement)),
    );
    attach(shown);
    if (!measure(shown)) break;
  }
  wall.style.height = `${height}px`;
  for (const card of shown ?? []) {
    const item = /** @type {HTMLElement} */ (card.item);
    const place = `${card.column?.left}px ${Math.round(card.y)}px`;
    if (item.style.translate !== place) item.style.translate = place;
  }
}

/** Puts these and only these into the document, in reading order. @param {Card[]} shown */
function attach(shown) {
  const keep = new Set(shown);
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
      item.setAttribute("aria-posinset", String(index + 1));
      item.setAttribute("aria-setsize", setSize);
    }
  }
}

/** @param {Card[]} shown @returns {boolean} whether a card is not as high as it was thought to be */
function measure(shown) {
  let differs = false;
  for (const card of shown) {
    if (card.height) continue;
    const paper = /** @type {HTMLElement} */ (card.item?.firstElementChild);
    card.height = paper.offsetHeight;
    differs = true;
  }
  return differs;
}

/** An editor or another font makes a card higher, and a longer text the form. */
export const heights = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const item = /** @type {HTMLElement} */ (target.parentElement);
    const card = cards.get(item.dataset.id ?? "");
    const height = /** @type {HTMLElement} */ (target).offsetHeight;
    if (target === form.firstElementChild) schedule();
    else if (card && height && card.height !== height) {
      card.height = height;
      schedule();
    }
  }
});

/** Lays the wall out, and again whenever its size changes. */
export function observe() {
  resize();
  heights.observe(form.firstElementChild);
  new ResizeObserver(() => list.clientWidth && resize()).observe(wall.parentElement);
  addEventListener("scroll", schedule, { passive: true });
}

// --- A card's paper -----------------------------------------------------------------------------

/** A card looks the same in every tab and after every reload. @param {string} id */
const tilt = (id) => [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7) % TILTS;

/** @param {Card} card */
function make(card) {
  const item = template.content.firstElementChild.cloneNode(true);
  card.item = item;
  item.firstElementChild.toggleAttribute("data-fresh", card.fresh);
  card.fresh = false;
  fill(card);
  heights.observe(item.firstElementChild);
  return item;
}

/** Writes the note onto its paper. @param {Card} card */
export function fill({ note, item }) {
  if (!item) return;
  const part = (/** @type {string} */ name) => /** @type {any} */ (item.querySelector(name));
  const paper = part(".note");
  const name = note.text.length > 60 ? `${note.text.slice(0, 60)}…` : note.text;
  item.dataset.id = note.id;
  paper.dataset.color = note.color;
  paper.dataset.tilt = tilt(note.id);
  paper.dataset.length = note.text.length < 50 ? "short" : note.text.length < 400 ? "medium" : "long";
  paper.toggleAttribute("data-done", note.done);
  paper.toggleAttribute("data-waiting", note.version === 0);
  part(".text").textContent = note.text;
  part("time").dateTime = note.created_at;
  part("time").textContent = note.version ? dateFormat.format(new Date(note.created_at)) : "Waiting to be sent";
  for (const button of item.querySelectorAll("[data-act]")) {
    /** @type {HTMLButtonElement} */ (button).disabled = note.version === 0;
    button.setAttribute("aria-label", `${/** @type {HTMLElement} */ (button).title}: ${name}`);
  }
  part("[data-act=done]").ariaPressed = String(note.done);
}

// --- Notes that wait until their reader is back at the top ----------------------------------------

/** Fresh notes of others, held back while somebody reads further down. @type {Card[]} */
const held = [];

/** Keeps a new card off the wall until its reader is back at the top. @param {Card} card */
export function holdBack(card) {
  held.push(card);
  showHeld();
}

/** Hangs what was held back. */
export function letIn() {
  for (const column of columns) column.slack = 0;
  if (!held.length) return;
  for (const card of held.splice(0)) hang(card);
  showHeld();
}

/** Takes a card off the wall, its place included. Its element stays in the document. @param {Card} card */
export function takeDown(card) {
  if (held.includes(card)) held.splice(held.indexOf(card), 1);
  card.column?.cards.splice(card.column.cards.indexOf(card), 1);
  showHeld();
}

function showHeld() {
  newer.hidden = !held.length;
  newer.textContent = held.length === 1 ? "1 new note ↑" : `${held.length} new notes ↑`;
}
