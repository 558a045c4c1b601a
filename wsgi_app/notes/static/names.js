/**
 * Names of people: this person's, which is kept on the device, and those of others.
 *
 * Names are not checked by anybody and may be any text, so they are cleaned before they are shown.
 *
 * @typedef {{name: string, color: string}} Name
 */
import { t } from "./paper.js";

/** The key of this person's name in localStorage. The form for new notes reads it, too. */
export const KEPT = "corkboard:me";
const LONGEST = 40;
export const COLORS = ["red", "orange", "yellow", "green", "teal", "blue", "purple", "pink"];

/** Control characters, and those that are invisible or change the direction of text, except the two joiners. */
const UNSEEN = /[^\P{C}\u200c\u200d]/gu;
/** More marks on a letter than any script needs. */
const MARKS = /(\p{M}{4})\p{M}+/gu;

/** Cleans a name, so that it may be shown and sent; empty when nothing remains.
 * @param {unknown} name */
export function clean(name) {
  if (typeof name !== "string") return "";
  const one = name.slice(0, 8 * LONGEST).normalize("NFC").replace(/\s+/gu, " ").replace(UNSEEN, "").replace(MARKS, "$1").trim();
  const short = [...one].slice(0, LONGEST).join("").trim();
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(short.replace(/\p{DI}/gu, "")) ? short : "";
}

/** Cleans a name and colour that a client claims. @param {unknown} said @returns {Name} */
export function readName(said) {
  const { name, color } = /** @type {Record<string, unknown>} */ (said ?? {});
  return { name: clean(name) || t("somebody"), color: COLORS.includes(String(color)) ? String(color) : "" };
}

/** @template T @param {T[]} some */
const anyOf = (some) => some[Math.floor(Math.random() * some.length)];

/** This person's name: the one chosen before, else that of an animal. @returns {Name} */
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
    // Storage is forbidden or full: the name lasts as long as the page.
  }
}

/** Makes an element with a name in its colour. `bdi` isolates the name, whatever its direction is.
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
