/**
 * Names of people: one's own, which is kept on this device, and those that others say of themselves.
 *
 * Nobody checks a name. What others say may be anything, so it is made harmless before it is shown.
 *
 * @typedef {{name: string, color: string}} Name
 */
import { t } from "./paper.js";

/** Where it is kept. The form for new notes reads it, too. */
export const KEPT = "corkboard:me";
const LONGEST = 40;
export const COLORS = ["red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"];

/** Control characters, and those that cannot be seen or turn the text around them: all but what joins letters. */
const UNSEEN = /[^\P{C}\u200c\u200d]/gu;
/** More marks on a letter than any script needs. */
const MARKS = /(\p{M}{4})\p{M}+/gu;

/** A name as it may be shown and sent, whatever it was; empty when there is none.
 * @param {unknown} name */
export function clean(name) {
  if (typeof name !== "string") return "";
  const one = name.slice(0, 8 * LONGEST).normalize("NFC").replace(/\s+/gu, " ").replace(UNSEEN, "").replace(MARKS, "$1").trim();
  const short = [...one].slice(0, LONGEST).join("").trim();
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(short.replace(/\p{DI}/gu, "")) ? short : "";
}

/** A name and its colour as they may be shown, whatever was said. @param {unknown} said @returns {Name} */
export function readName(said) {
  const { name, color } = /** @type {Record<string, unknown>} */ (said ?? {});
  return { name: clean(name) || t("somebody"), color: COLORS.includes(String(color)) ? String(color) : "" };
}

/** @template T @param {T[]} some */
const anyOf = (some) => some[Math.floor(Math.random() * some.length)];

/** One's own name, as it was chosen before, or else the name of an animal. @returns {Name} */
export function ownName() {
  try {
    const kept = JSON.parse(localStorage[KEPT]);
    if (clean(kept.name)) return readName(kept);
  } catch {
    // None yet, or storage is forbidden.
  }
  const made = { name: anyOf(t("animals").split(" ")), color: anyOf(COLORS) };
  keepName(made);
  return made;
}

/** @param {Name} name */
export function keepName(name) {
  try {
    localStorage[KEPT] = JSON.stringify(name);
  } catch {
    // It lives as long as the page.
  }
}

/** Shows a name beside its colour. It stays in its place, whatever is in it.
 * @param {string} tag @param {Name} said @param {string[]} more what follows it */
export function nameplate(tag, { name, color }, ...more) {
  const plate = document.createElement(tag);
  plate.className = "person";
  plate.dataset.person = color;
  const isolated = document.createElement("bdi");
  isolated.textContent = name;
  plate.append(isolated, ...more);
  return plate;
}
