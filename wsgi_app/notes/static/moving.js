/**
 * Moves notes: chooses the positions that they get.
 *
 * @typedef {import("./paper.js").Card} Card
 */
import { render } from "./layout.js";
import { fetchAll } from "./lists.js";
import { element, sorted, t } from "./paper.js";
import { positions } from "./places.js";
import { change } from "./undo.js";

/** A card's position, without the `~` that cards.js gives to notes of version 2.0. @param {Card | undefined} card */
const positionOf = (card) => card?.note.position.replaceAll("~", "") ?? null;

/** The notes that the server has: only these can be moved, or have others moved before them. @param {Card[]} moving */
function others(moving) {
  const goes = new Set(moving);
  return sorted.filter((card) => card.note.version && !goes.has(card));
}

/**
 * Hangs cards, in the order in which they hang, right before another one.
 * @param {Card[]} cards as they hang
 * @param {Card | null} next null: below all that are shown
 */
export function move(cards, next) {
  const rest = others(cards);
  const at = next ? rest.indexOf(next) : rest.length;
  const [above, below] = [rest.slice(0, at), rest.slice(at)];
  const before = sorted.filter(({ note }) => note.version);
  if ([...above, ...cards, ...below].some((card, index) => card !== before[index])) {
    change(plan(above.reverse(), cards, below), t("moved", { count: cards.length }));
    render();
  }
  element("announcer").textContent = t("place", { place: above.length + 1, of: before.length });
}

/** Makes room where there is none between two notes, or where both have the same position: as few neighbours as
 * necessary move as well. @param {Card[]} above from the nearest one on @param {Card[]} moving @param {Card[]} below
 * @returns {[Card, {position: string}][]} */
function plan(above, moving, below) {
  for (let reach = 0; ; reach = reach * 2 || 1) {
    const cards = [...above.slice(0, reach).reverse(), ...moving, ...below.slice(0, reach)];
    const found = positions(positionOf(below[reach]), positionOf(above[reach]), cards.length);
    if (found) return cards.map((card, index) => [card, { position: found[index] }]);
  }
}

/** Hangs cards below all others, what is still at the server included; without a network, below all that are shown.
 * @param {Card[]} cards as they hang */
export async function moveToEnd(cards) {
  await fetchAll().catch(() => undefined);
  move(cards, null);
}

/** Moves cards by a number of places. @param {Card[]} cards as they hang @param {number} by negative: up */
export function moveBy(cards, by) {
  const edge = sorted.indexOf(/** @type {Card} */ (by < 0 ? cards[0] : cards.at(-1)));
  const above = new Set(sorted.slice(0, edge));
  const rest = others(cards);
  const at = rest.filter((card) => above.has(card)).length + by;
  move(cards, rest[Math.max(0, at)] ?? null);
}
