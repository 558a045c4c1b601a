/**
 * Adds changes to the entry that waits for a note.
 *
 * So the second change of a note is no conflict with the first one, and a change that is undone in time is not sent at all.
 *
 * @typedef {import("./paper.js").Note} Note
 * @typedef {import("./waiting.js").Entry} Entry
 */
import { tidy, wake } from "./pinning.js";
import { forget, fresh, keep, now } from "./waiting.js";

/** What nobody has decided, or tried, any more: it is another change now. */
const ANEW = { held: undefined, failed: undefined };

/** @param {Note} base @returns {Entry} */
const entryOf = (base) => fresh(base.id) ?? { key: base.id, at: now(), base, changes: {}, tried: [] };

/** Changes a note. @param {Note} base the server's version that the person saw
 * @param {Partial<Note>} changes */
export function wish(base, changes) {
  const entry = entryOf(base);
  const known = Object.fromEntries(Object.keys(changes).map((field) => [field, base[/** @type {keyof Note} */ (field)]]));
  tidy({ ...entry, base: { ...entry.base, ...known }, changes: { ...entry.changes, ...changes }, ...ANEW });
  wake();
}

/** Deletes a note. @param {Note} base */
export function wishGone(base) {
  const entry = entryOf(base);
  if (!base.version && !entry.tried.length) forget(base.id);
  else keep({ ...entry, isGone: true, isBack: false, ...ANEW });
  wake();
}

/** Restores a note that was deleted here. @param {Note} base @param {Note} note as it was shown */
export function wishBack(base, note) {
  const entry = fresh(base.id);
  const { board, author, ...changes } = bodyOf(note);
  if (entry) tidy({ ...entry, isGone: false, isBack: entry.mayBeGone, ...ANEW });
  else if (base.version) tidy({ ...entryOf(base), changes, isBack: true });
  else keep({ ...entryOf(note), body: bodyOf(note) });
  wake();
}

/** The body of the request that creates a note. @param {Note} note */
export function bodyOf({ board, text, color, position, done, author }) {
  // Where the server has said none, there is one of the page's own.
  return { board, text, color, done, author, ...(/^\w+$/.test(position ?? "") && { position }) };
}

/** Stores what somebody has decided about a change. @param {Entry} entry */
export function decide(entry) {
  tidy({ ...entry, ...ANEW });
  wake();
}
