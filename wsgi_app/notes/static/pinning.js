/**
 * New notes, which are pinned at once, and what becomes of what waits.
 *
 * @typedef {import("./paper.js").Note} Note
 * @typedef {import("./waiting.js").Entry} Entry
 */
import { asNew, forget, fresh, keep, now, randomId, same } from "./waiting.js";

/** Called when there is something new to send. */
let wakeUp = () => {};

/** @param {() => void} onWish called when there is something new to send */
export function whenWished(onWish) {
  wakeUp = onWish;
}

export const wake = () => wakeUp();

/** A new note. @param {Partial<Note>} body */
export function wishNew(body) {
  const [key, at] = [randomId(), now()];
  keep({ key, at, base: asNew(key, at, body), changes: {}, tried: [], body });
  wake();
}

/** The server has a note that was new: further changes of it now wait under its id.
 * @param {string} key @param {Note} note @returns {boolean} whether it was one that waited here */
export function goOn(key, note) {
  const entry = fresh(key);
  if (!entry || entry.base.version || note.id === key) return false;
  const already = fresh(note.id);
  const changes = { ...entry.changes, ...already?.changes };
  tidy({ ...entry, ...already, key: note.id, base: note, changes, tried: already?.tried ?? [], body: undefined, failed: undefined });
  // So that other tabs know which one it has become.
  keep({ ...entry, base: note });
  forget(key);
  return true;
}

/** Keeps an entry, unless the server has all of its changes. @param {Entry} entry */
export function tidy(entry) {
  const { key, base, tried, isGone, isBack, held } = entry;
  /** @param {[string, unknown]} change */
  const isOpen = ([field, value]) =>
    !same(base[/** @type {keyof Note} */ (field)], value) || (base.version && tried.some((one) => field in one));
  const changes = Object.fromEntries(Object.entries(entry.changes).filter(isOpen));
  if (base.version && !Object.keys(changes).length && !isGone && !isBack && !held) forget(key);
  else keep({ ...entry, changes });
}
