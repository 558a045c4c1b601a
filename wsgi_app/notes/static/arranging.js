/**
 * Moving notes by hand: by mouse, by touch after a long press, and by Alt and the arrow keys.
 *
 * @typedef {import("./paper.js").Card} Card
 */
import { still } from "./cards.js";
import { cardOf } from "./changing.js";
import { schedule } from "./layout.js";
import { move, moveBy, moveToEnd } from "./moving.js";
import { element, list, sorted } from "./paper.js";
import { withPicked } from "./selecting.js";

/** Milliseconds of a long press. */
const PRESS = 350;
/** Pixels that a pointer may move without dragging. */
const SLOP = 8;
/** Pixels: how near the edge of the view dragging scrolls, and how far per frame at most. */
const [EDGE, FASTEST] = [90, 20];

const marker = Object.assign(document.createElement("div"), { className: "drop", ariaHidden: "true" });

/**
 * The notes that are being dragged.
 * @typedef {{pointer: number, card: Card, cards: Card[], x: number, y: number, at: PointerEvent, isUp: boolean,
 *   timer?: ReturnType<typeof setTimeout>, next: Card | null | undefined, column: Card["column"]}} Hand `next`: the
 *   card before which they would hang, null: below all; undefined: where they hang already
 */
/** @type {Hand | null} */
let hand = null;

/** Begins a possible drag: a pointer went down on the wall. @param {PointerEvent} event */
export function grab(event) {
  const target = /** @type {Element} */ (event.target);
  const card = cardOf(target);
  if (!card?.note.version || card.editor || target.closest("a, button, input, .editor, .palette")) return;
  if (hand || event.button || !event.isPrimary || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.pointerType === "mouse" && !list.hasAttribute("data-selecting") && isOnLetters(target, event)) return;
  const { pointerId: pointer, pageX: x, pageY: y } = event;
  hand = { pointer, card, cards: [card], x, y, at: event, isUp: false, next: undefined, column: card.column };
  if (event.pointerType === "touch") hand.timer = setTimeout(lift, PRESS);
}

/** Who begins on letters by mouse selects them, as everywhere; and code that is too wide can be scrolled.
 * @param {Element} target @param {PointerEvent} at */
function isOnLetters(target, { clientX, clientY }) {
  const text = target.closest(".text");
  if (!text) return false;
  const range = document.createRange();
  range.selectNodeContents(text);
  return [...range.getClientRects()].some(
    ({ left, right, top, bottom }) => clientX >= left && clientX <= right && clientY >= top && clientY <= bottom);
}

/** Lifts the note: from here on it follows the pointer. */
function lift() {
  if (!hand) return;
  const { card, pointer } = hand;
  try {
    list.setPointerCapture(pointer);
  } catch {
    // The finger was away before this script was there.
    hand = null;
    return;
  }
  hand.isUp = true;
  hand.cards = withPicked(card);
  for (const { item } of hand.cards) item?.setAttribute("data-held", "");
  card.item?.setAttribute("data-held", String(hand.cards.length));
  list.toggleAttribute("data-arranging", true);
  getSelection()?.removeAllRanges();
  navigator.vibrate?.(15);
  follow();
}

/** In each frame: moves the note to the pointer, and scrolls near the edges of the view. */
function follow() {
  if (!hand?.isUp) return;
  const { card, at: { clientX, clientY }, x, y } = hand;
  const into = Math.max(EDGE - clientY, 0) - Math.max(clientY - innerHeight + EDGE, 0);
  if (into) scrollBy({ top: -Math.sign(into) * Math.min(FASTEST, Math.ceil(Math.abs(into) / 4)), behavior: "instant" });
  if (card.item) card.item.style.transform = `translate(${clientX + scrollX - x}px, ${clientY + scrollY - y}px)`;
  aim(clientX, clientY);
  requestAnimationFrame(follow);
}

/** Finds the card before which the notes would hang at this place. @param {number} clientX @param {number} clientY */
function aim(clientX, clientY) {
  if (!hand) return;
  const { left, top } = list.getBoundingClientRect();
  const { card: own, cards } = hand;
  const rest = sorted.filter((card) => card.column && card.note.version && !cards.includes(card));
  const distance = (/** @type {Card} */ { column, item }) =>
    Math.abs(left + (column?.left ?? 0) + (item?.offsetWidth ?? 0) / 2 - clientX);
  const nearest = rest.filter(({ item }) => item).reduce(
    (/** @type {Card | null} */ best, card) => (best && distance(best) <= distance(card) ? best : card), null);
  if (!nearest) return;
  const column = rest.filter((card) => card.column === nearest.column);
  const below = column.find((card) => clientY - top < card.y + card.height / 2);
  const last = /** @type {Card} */ (column.at(-1));
  const isOwn = cards.length === 1 && nearest.column === own.column && below === column.find(({ y }) => y > own.y);
  hand.next = isOwn ? undefined : below ?? rest[rest.indexOf(last) + 1] ?? null;
  hand.column = nearest.column;
  if (isOwn) return marker.remove();
  marker.style.translate = `${nearest.column?.left}px ${Math.round(below ? below.y : last.y + last.height)}px`;
  if (!marker.isConnected) element("wall").append(marker);
}

/** Ends the drag. @param {boolean} [isDone] moves the notes to where they were dropped; else they go back */
function letGo(isDone = false) {
  if (!hand) return;
  if (isDone) aim(hand.at.clientX, hand.at.clientY);
  const { card, cards, isUp, next, column, timer } = hand;
  clearTimeout(timer);
  hand = null;
  if (!isUp) return;
  for (const { item } of cards) item?.removeAttribute("data-held");
  if (card.item) card.item.style.transform = "";
  list.toggleAttribute("data-arranging", false);
  marker.remove();
  if (!isDone || next === undefined) return schedule();
  move(cards, next);
  // While somebody reads further down, cards keep their column: this one keeps that in which it was dropped.
  card.column = column;
  schedule();
}

document.addEventListener("pointermove", (event) => {
  if (event.pointerId !== hand?.pointer) return;
  // Let go of where nobody listened: before this script was there, or outside of the window.
  if (!event.buttons) return letGo();
  hand.at = event;
  const isFar = Math.hypot(event.pageX - hand.x, event.pageY - hand.y) > SLOP;
  if (hand.isUp || !isFar) return;
  // A touch that moves before the press was long enough is scrolling.
  if (event.pointerType === "touch") letGo();
  else lift();
});
document.addEventListener("pointerup", (event) => {
  if (event.pointerId !== hand?.pointer) return;
  hand.at = event;
  letGo(hand.isUp);
});
document.addEventListener("pointercancel", (event) => event.pointerId === hand?.pointer && letGo());
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !hand?.isUp) return;
  event.stopImmediatePropagation();
  letGo();
}, { capture: true });
// While notes are dragged, the page does not scroll by touch, and a long press opens no menu.
list.addEventListener("touchmove", (/** @type {TouchEvent} */ event) => hand?.isUp && event.preventDefault(), { passive: false });
list.addEventListener("contextmenu", (/** @type {Event} */ event) => hand?.timer && event.preventDefault());

/** @type {Record<string, number>} */
const WAYS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -Infinity };

/** Moves a note, or all that are selected with it. @param {KeyboardEvent} event Alt and an arrow, Home or End, on a note */
export async function moveByKey({ key, target }) {
  const card = cardOf(target);
  if (!card?.note.version || card.editor) return;
  if (key === "End") await moveToEnd(withPicked(card));
  else moveBy(withPicked(card), WAYS[key]);
  card.item?.scrollIntoView({ block: "nearest", behavior: still.matches ? "instant" : "smooth" });
}
