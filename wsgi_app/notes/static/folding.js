/**
 * Folds long notes. A note that somebody unfolds stays unfolded while the page is open.
 *
 * @typedef {import("./paper.js").Card} Card
 */
import { cards, fold, unfolded } from "./paper.js";

/** @param {Element} inside @returns {Card | undefined} */
const cardOf = (inside) => cards.get(/** @type {HTMLElement | null} */ (inside.closest("li"))?.dataset.id ?? "");

/** @param {Element} target the button of a note, or in it */
export function turn(target) {
  const card = cardOf(target);
  if (!card) return;
  const { id } = card.note;
  if (!unfolded.delete(id)) unfolded.add(id);
  fold(card);
  // A note that was higher than the window stays in view when it is folded.
  if (!unfolded.has(id)) requestAnimationFrame(() => target.scrollIntoView({ block: "nearest" }));
}

/** @param {Element} text of a note, or something in it */
export function unfold(text) {
  const card = cardOf(text);
  if (!card) return;
  const { scrollTop } = text;
  unfolded.add(card.note.id);
  fold(card);
  text.scrollTop = 0;
  // What somebody has found in it stays where it is in the window.
  scrollBy({ top: scrollTop, behavior: "instant" });
}

/** Unfolds the notes in which one of these ranges is hidden. @param {StaticRange[]} found */
export function reveal(found) {
  for (const { startContainer, startOffset, endContainer, endOffset } of found) {
    const text = startContainer.parentElement?.closest("[data-folded] > .text");
    if (!text) continue;
    const range = document.createRange();
    range.setStart(startContainer, startOffset);
    range.setEnd(endContainer, endOffset);
    if (range.getBoundingClientRect().bottom > text.getBoundingClientRect().bottom) unfold(text);
  }
}
