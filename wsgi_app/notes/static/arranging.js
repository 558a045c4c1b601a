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
/** Pixels: so little is no movement. */
const SLOP = 8;
/** Pixels at the edges of the view in which it scrolls, and how many in a frame. */
const [EDGE, FASTEST] = [90, 20];

const marker = Object.assign(document.createElement("div"), { className: "drop", ariaHidden: "true" });

/**
 * What is in somebody's hand.
 * @typedef {{pointer: number, card: Card, cards: Card[], x: number, y: number, at: PointerEvent, isUp: boolean,
 *   timer?: ReturnType<typeof setTimeout>, next: Card | null | undefined, column: Card["column"]}} Hand `next`: before
 *   which one it would hang; undefined: where it hangs
 */
/** @type {Hand | null} */
let hand = null;

/** A pointer goes down on the wall. @param {PointerEvent} event */
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

/** The note is in the hand now. */
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

/** Each frame: the note goes where the pointer is, and the view where there is more of the wall. */
function follow() {
  if (!hand?.isUp) return;
  const { card, at: { clientX, clientY }, x, y } = hand;
  const into = Math.max(EDGE - clientY, 0) - Math.max(clientY - innerHeight + EDGE, 0);
  if (into) scrollBy({ top: -Math.sign(into) * Math.min(FASTEST, Math.ceil(Math.abs(into) / 4)), behavior: "instant" });
  if (card.item) card.item.style.transform = `translate(${clientX + scrollX - x}px, ${clientY + scrollY - y}px)`;
  aim(clientX, clientY);
  requestAnimationFrame(follow);
}

/** Finds the note before which it would hang. @param {number} clientX @param {number} clientY */
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

/** @param {boolean} [isDone] it hangs where it was let go */
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
  // Should somebody who is further down the wall have it in their hands: where they see it.
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
  // Whoever moves before the press was long scrolls.
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
// What is in the hand moves, and not the page; and a long press asks for no menu.
list.addEventListener("touchmove", (/** @type {TouchEvent} */ event) => hand?.isUp && event.preventDefault(), { passive: false });
list.addEventListener("contextmenu", (/** @type {Event} */ event) => hand?.timer && event.preventDefault());

/** @type {Record<string, number>} */
const WAYS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -Infinity };

/** @param {KeyboardEvent} event Alt and an arrow, Home or End, on a note */
export async function moveByKey({ key, target }) {
  const card = cardOf(target);
  if (!card?.note.version || card.editor) return;
  if (key === "End") await moveToEnd(withPicked(card));
  else moveBy(withPicked(card), WAYS[key]);
  card.item?.scrollIntoView({ block: "nearest", behavior: still.matches ? "instant" : "smooth" });
}
