/**
 * What people wish: each wish becomes a part of what waits for its note.
 *
 * So the second change of a note is no conflict with the first one, and what is taken back is not sent at all.
 *
 * @typedef {import("./paper.js").Note} Note
 * @typedef {import("./waiting.js").Entry} Entry
 */
import { asNew, forget, fresh, keep, randomId, same, waiting } from "./waiting.js";

let wake = () => {};

/** @param {() => void} onWish called when there is something new to send */
export function whenWished(onWish) {
  wake = onWish;
}

/** The order in which it was done, also when the clock is set back between two of them. */
const now = () => Math.max(Date.now(), (waiting().at(-1)?.at ?? 0) + 1);

/** @param {Note} base @returns {Entry} */
const entryOf = (base) => fresh(base.id) ?? { key: base.id, at: now(), base, changes: {}, tried: [] };

/** A new note. @param {Partial<Note>} body */
export function wishNew(body) {
  const [key, at] = [randomId(), now()];
  keep({ key, at, base: asNew(key, at, body), changes: {}, tried: [], body });
  wake();
}

/** A note shall say something else. @param {Note} base what it says at the server, as whoever changes it knows it
 * @param {Partial<Note>} changes */
export function wish(base, changes) {
  const entry = entryOf(base);
  const known = Object.fromEntries(Object.keys(changes).map((field) => [field, base[/** @type {keyof Note} */ (field)]]));
  tidy({ ...entry, base: { ...entry.base, ...known }, changes: { ...entry.changes, ...changes }, held: undefined });
  wake();
}

/** A note shall be deleted. @param {Note} base */
export function wishGone(base) {
  const entry = entryOf(base);
  if (!base.version && !entry.tried.length) forget(base.id);
  else keep({ ...entry, isGone: true, isBack: false, held: undefined });
  wake();
}

/** A note that was deleted here shall hang there again. @param {Note} base @param {Note} note as it was shown */
export function wishBack(base, note) {
  const entry = fresh(base.id);
  const { board, author, ...changes } = bodyOf(note);
  if (entry) tidy({ ...entry, isGone: false, isBack: entry.mayBeGone, held: undefined });
  else if (base.version) tidy({ ...entryOf(base), changes, isBack: true });
  else keep({ ...entryOf(note), body: bodyOf(note) });
  wake();
}

/** What is sent of a new note. @param {Note} note */
export function bodyOf({ board, text, color, position, done, author }) {
  // Where the server has said none, there is one of the page's own.
  return { board, text, color, done, author, ...(/^\w+$/.test(position ?? "") && { position }) };
}

/** The server has a note that was new: what else is wished of it waits under its id.
 * @param {string} key @param {Note} note @returns {boolean} whether it was one that waited here */
export function goOn(key, note) {
  const entry = fresh(key);
  if (entry?.base.id !== key || !key || note.id === key) return false;
  const already = fresh(note.id);
  const changes = { ...entry.changes, ...already?.changes };
  tidy({ ...entry, ...already, key: note.id, base: note, changes, tried: already?.tried ?? [], body: undefined });
  // So that other tabs know which one it has become.
  keep({ ...entry, base: note });
  forget(key);
  return true;
}

/** Somebody has decided what becomes of a change. @param {Entry} entry */
export function decide(entry) {
  tidy({ ...entry, held: undefined });
  wake();
}

/** Keeps an entry, unless the server has all that it says. @param {Entry} entry */
export function tidy(entry) {
  const { key, base, tried, isGone, isBack, held } = entry;
  /** @param {[string, unknown]} change */
  const isOpen = ([field, value]) =>
    !same(base[/** @type {keyof Note} */ (field)], value) || (base.version && tried.some((one) => field in one));
  const changes = Object.fromEntries(Object.entries(entry.changes).filter(isOpen));
  if (base.version && !Object.keys(changes).length && !isGone && !isBack && !held) forget(key);
  else keep({ ...entry, changes });
}
