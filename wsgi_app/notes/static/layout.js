/**
 * Where each card hangs, and which cards are in the document.
 *
 * From the highest position on, each card goes into the column that is the shortest so far. So everybody has the same
 * wall at the same width, whatever was added and deleted before. Cards that somebody reads further down, or edits, keep
 * their place meanwhile. Of a large board only the cards in view and those around them are in the document.
 *
 * @typedef {import("./paper.js").Card} Card
 * @typedef {{left: number, level: number, y: number, slack: number}} Column in pixels. `level`: its length when the
 *   shortest column is chosen; `y`: where the next card goes; `slack`: by how much its cards hang too low, so that a
 *   change further up does not move what is being read
 */
import { ALL_IN_PAGE, attach, element, isFolded, list, measure, observeHeights, perFrame, rehang, sorted, t } from "./paper.js";

const NARROWEST = 15; // rem
/** The height that the form counts as, so that a long text in it moves no note to another column. */
const FORM = 17; // rem

/** The approximate height of a folded note. */
const FOLDED = 24; // rem

/** While the wall is scrolled, what changes is given its place at most this often: moving it comes first. */
const UNHURRIED = 100; // ms

const wall = element("wall");
const form = element("composer");
const newer = element("newer");

/** @type {Column[]} */
let columns = [];
/** Of the list, and of a column. */
let room = 0;
let width = 0;
let gap = 0;
let rem = 16;
/** Where the list begins in the document. */
let top = 0;
/** What `read` has found: how far the document is scrolled, how high the window and the form are. */
let scrolled = 0;
let view = 0;
let formHeight = 0;
/** Of the wall. */
let height = 0;
/** Where `scrolled` was when cards were put into the document last. */
let shownAt = 0;
/** When the document was scrolled last, in ms as `performance.now()` says them. */
let scrolledAt = -UNHURRIED;
let waiting = 0;
/** All cards are in the document, however many. */
let allHang = false;

/** Something has changed since all cards were given their places. */
let isStale = true;

const draw = perFrame(() => render());

/** Asks for the next frame to show what has changed, or one soon after it. */
export function schedule() {
  isStale = true;
  if (performance.now() - scrolledAt > UNHURRIED) draw();
  else waiting ||= setTimeout(catchUp, UNHURRIED);
}

function catchUp() {
  waiting = 0;
  if (isStale) draw();
}

/** To ask for these after something was written has the browser lay everything out once more. */
function read() {
  [scrolled, view, formHeight] = [scrollY, innerHeight, form.offsetHeight];
}

/** Estimates the height of a card that was not shown yet. @param {Card} card */
function estimate({ note }) {
  const { text } = note;
  const perLine = width / (text.length < 50 ? 14 : 10);
  const lines = text.split("\n").reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / perLine)), 0);
  return Math.max(9.5 * rem, isFolded(note) ? FOLDED * rem : lines * 1.6 * rem + 6 * rem);
}

/** Lays everything out anew if the window or its font has another size. */
function resize() {
  const letters = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const before = top;
  read();
  top = list.getBoundingClientRect().top + scrolled;
  if (letters === rem && list.clientWidth === room) {
    // Else it is the wall itself that has grown.
    if (top !== before) schedule();
    return;
  }
  [rem, room] = [letters, list.clientWidth];
  gap = parseFloat(getComputedStyle(wall).columnGap);
  const anchor = scrolled > top ? sorted.find((card) => card.item && card.y + top >= scrolled) : undefined;
  const offset = anchor ? anchor.y - scrolled : 0;
  const count = Math.max(1, Math.floor((room + gap) / (NARROWEST * rem + gap)));
  width = (room + gap) / count - gap;
  wall.style.setProperty("--column", `${width}px`);
  const left = (/** @type {number} */ index) => Math.round(index * (width + gap));
  columns = Array.from({ length: count }, (_, index) => ({ left: left(index), level: 0, y: 0, slack: 0 }));
  for (const card of sorted) Object.assign(card, { column: null, height: 0, guess: 0 });
  list.toggleAttribute("data-gliding", false);
  render(false);
  if (anchor) scrollTo(0, anchor.y - offset);
}

const shortest = () => columns.reduce((best, column) => (column.level < best.level ? column : best));

/** Gives each card its place. @param {number} kept how many, from the top on, stay in their column
 * @returns {number} how high the wall is */
function place(kept) {
  for (const [index, column] of columns.entries()) {
    column.level = index ? 0 : FORM * rem;
    column.y = column.slack + (index ? 0 : formHeight + gap);
  }
  for (const [index, card] of sorted.entries()) {
    if (held.has(card)) continue;
    if (index >= kept || !card.column) card.column = shortest();
    const space = (card.height || (card.guess ||= estimate(card))) + gap;
    card.y = card.column.y;
    card.column.y += space;
    card.column.level += space;
  }
  return Math.max(...columns.map(({ y }) => y));
}

/** Whether the top of the wall is out of view. */
const isAway = () => scrolled > top + 200;

/** Shows more before what is in the document comes to its end. */
function follow() {
  const wasAway = isAway();
  scrolled = scrollY;
  scrolledAt = performance.now();
  if (isAway() !== wasAway) isStale = true;
  else if (Math.abs(scrolled - shownAt) <= view / 4) return;
  draw();
}

/** Whether somebody reads further down, or is busy with a note: nothing may move there. */
export const isReading = () => isAway() || Boolean(list.querySelector("[data-editing], [data-held], .palette"));

/** The first card in view of each column: it must not move. */
function anchors() {
  /** @type {Map<Column, {card: Card, y: number}>} */
  const first = new Map();
  for (const card of sorted) {
    if (first.size === columns.length) break;
    const { column, item, y, height } = card;
    if (column && item && y + height > scrolled - top && !first.has(column)) first.set(column, { card, y });
  }
  return [...first.values()];
}

/** How many cards, from the top on, are in view or above it. */
function countSeen() {
  const end = scrolled - top + view;
  return 1 + sorted.findLastIndex(({ item, column, y }) => item && column && y < end);
}

/** Shows the cards around what is in view, each in its place.
 * @param {boolean} [wanted] what is in view stays; absent: while somebody reads */
export function render(wanted) {
  read();
  shownAt = scrolled;
  const reading = isReading();
  const calm = wanted ?? reading;
  if (!reading) letIn();
  isStale ||= wanted !== undefined;
  const kept = calm ? countSeen() : 0;
  const fixed = calm && isAway() ? anchors() : [];
  if (!fixed.length && columns.some(({ slack }) => slack)) {
    for (const column of columns) column.slack = 0;
    isStale = true;
  }
  const [from, to] = [scrolled - top - view, scrolled - top + 2 * view];
  const focused = document.activeElement;
  let shown;
  for (let pass = 0; pass < 3; pass += 1) {
    if (isStale) {
      height = place(kept);
      for (const { card, y } of fixed) if (card.column) card.column.slack += y - card.y;
      if (fixed.length) height = place(kept);
    }
    shown = sorted.filter(
      (card) =>
        card.column &&
        (allHang || sorted.length <= ALL_IN_PAGE || card.editor || card.item?.hasAttribute("data-held") ||
          (card.y < to && card.y + card.height > from) ||
          card.item?.contains(focused)),
    );
    attach(shown);
    isStale = measure(shown);
    if (!isStale) break;
    if (pass === 2) schedule();
  }
  wall.style.height = `${height}px`;
  for (const card of shown ?? []) {
    const item = /** @type {HTMLElement} */ (card.item);
    const place = `${card.column?.left}px ${Math.round(card.y)}px`;
    const { style } = item;
    if (style.translate === place) continue;
    // What was nowhere does not glide.
    style.transition = style.translate ? "" : "none";
    style.translate = place;
  }
}

/** Puts all cards into the document, or only those that are needed. @param {boolean} wanted */
export function hangAll(wanted) {
  allHang = wanted;
  render();
}

/** Lays the wall out, and again whenever its size changes. */
export function observe() {
  resize();
  observeHeights(schedule);
  new ResizeObserver(() => list.clientWidth && resize()).observe(wall.parentElement);
  addEventListener("scroll", follow, { passive: true });
  addEventListener("resize", schedule);
}

// --- Notes that wait until their reader is back at the top ----------------------------------------

/** Fresh notes of others, held back while somebody is reading. @type {Set<Card>} */
const held = new Set();
/** Notes that others have moved, likewise. @type {Set<Card>} */
const moved = new Set();

/** Keeps a new card off the wall until nobody is reading. @param {Card} card */
export function holdBack(card) {
  held.add(card);
  showHeld();
}

/** Keeps a card where it hangs until nobody is reading, although its note was moved. @param {Card} card */
export function holdStill(card) {
  moved.add(card);
}

/** Hangs what was held back. */
export function letIn() {
  if (!held.size && !moved.size) return;
  isStale = true;
  held.clear();
  moved.forEach(rehang);
  moved.clear();
  showHeld();
}

/** The card is not there any more. @param {Card} card */
export function takeDown(card) {
  moved.delete(card);
  if (held.delete(card)) showHeld();
}

function showHeld() {
  newer.hidden = !held.size;
  newer.textContent = t("newer", { count: held.size });
}
