/**
 * Changes that the server does not have yet: one entry per note, which says how the note is to be.
 *
 * An entry is kept in localStorage until the server has it, and is seen by all tabs. cards.js shows the notes with their
 * changes, and outbox.js sends what differs from the server's last answer.
 *
 * @typedef {import("./paper.js").Note} Note
 * @typedef {{why: "conflict", theirs: Note} | {why: "gone"} | {why: "refused", message: string}} Held
 * @typedef {object} Entry
 * @property {string} key the note's id; of a note that the server does not have, its Idempotency-Key
 * @property {number} at when it began to wait
 * @property {Note} base what the server said last; version 0: nothing yet
 * @property {Partial<Note>} changes what the note shall say instead
 * @property {Partial<Note>[]} tried what the server may have got, with an answer that never came
 * @property {Partial<Note>} [body] of a note that the server does not have
 * @property {boolean} [isGone] it shall be deleted
 * @property {boolean} [mayBeGone] the server may have been told so
 * @property {boolean} [isBack] it shall be restored, should it be deleted
 * @property {number} [deleted] the server has deleted it, at this version
 * @property {Held} [held] somebody has to decide
 * @property {{times: number, until: number}} [failed] how often the server has failed on it, and until when it rests
 */
const KEPT = "corkboard:waits:";
/** The key of the previous version's entries, which are new notes only. */
const KEPT_BEFORE = "corkboard:note:";
/** Milliseconds after which an unsent change is shown as waiting. */
const SHORT = 1000;
/** Milliseconds for which a change rests at most that the server fails on. */
export const LONGEST_REST = 600_000;

/** @type {Map<string, Entry>} */
const entries = new Map();
/** Entries that storage cannot keep: they last as long as the page. @type {Set<string>} */
const unsafe = new Set();
/** @type {((key: string) => void)[]} */
const watchers = [];
/** When the last one of them began to wait, or one that is not there any more. */
let latest = 0;

/** `crypto.randomUUID` exists on secure origins only; a wall in the local network is served by plain HTTP. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {unknown} one @param {unknown} other */
export const same = (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other);

/** @param {(key: string) => void} watcher told of every entry that changes, here or in another tab */
export function watch(watcher) {
  watchers.push(watcher);
}

/** @param {string} key */
const tell = (key) => watchers.forEach((watcher) => watcher(key));

// --- What is kept -------------------------------------------------------------------------------

/** @param {string} name @returns {string | null} also when storage is forbidden */
export function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** @param {string} name @param {string | null} value null: nothing @returns {boolean} whether there was room for it */
export function store(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
    return true;
  } catch {
    return false;
  }
}

/** @param {Entry} entry @param {string} [key] */
function set(entry, key = entry.key) {
  entries.set(key, entry);
  latest = Math.max(latest, entry.at);
}

/** @param {string} key @param {string | null} kept */
function take(key, kept) {
  // What there was no room for is newer than what may be there.
  if (unsafe.has(key)) return;
  if (!kept) return void entries.delete(key);
  try {
    set(JSON.parse(kept), key);
  } catch {
    // Not written by us.
  }
}

/** A note that the server does not have. @param {string} key @param {number} at @param {Partial<Note>} body @returns {Note} */
export function asNew(key, at, body) {
  const time = new Date(at).toISOString();
  const note = { ...body, done: body.done ?? false, id: key, version: 0, created_at: time, updated_at: time };
  return /** @type {Note} */ (note);
}

/** A note with the changes that wait. @param {Note} note as the server has it */
export function asWished(note) {
  const entry = entries.get(note.id);
  return entry && !entry.held ? { ...note, ...entry.changes } : note;
}

/** A note that a page of the version before could not send. @param {string} key @param {any} before */
function adopt(key, { at, board, text, color, done }) {
  const body = { board, text, color, done };
  keep({ key, at, base: asNew(key, at, body), changes: {}, tried: [body], body });
  store(KEPT_BEFORE + key, null);
}

/** Whether anything waits. */
export const isWaiting = () => entries.size > 0;

/** A time that keeps the order of changes, also when the clock is set back between two of them. */
export function now() {
  if (!entries.size) latest = 0;
  return Math.max(Date.now(), latest + 1);
}

/** What waits, oldest first, other tabs' and other boards' included. */
export function waiting() {
  return [...entries.values()].sort((one, other) => one.at - other.at);
}

/** The same, whatever other tabs have sent since. */
export function readAgain() {
  try {
    for (const key of entries.keys()) take(key, stored(KEPT + key));
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith(KEPT)) take(name.slice(KEPT.length), stored(name));
      if (name.startsWith(KEPT_BEFORE)) adopt(name.slice(KEPT_BEFORE.length), JSON.parse(localStorage[name]));
    }
  } catch {
    // Storage is forbidden.
  }
  return waiting();
}

/** What waits of a note. @param {string} key */
export const waits = (key) => entries.get(key);

/** The same, whatever other tabs have done since. @param {string} key */
export function fresh(key) {
  take(key, stored(KEPT + key));
  return entries.get(key);
}

/** @param {Entry} entry */
export function keep(entry) {
  const { key } = entry;
  set(entry);
  if (store(KEPT + key, JSON.stringify(entry))) unsafe.delete(key);
  else unsafe.add(key);
  tell(key);
  if (!isLate(entry)) setTimeout(tell, SHORT + 1, key);
}

/** @param {string} key */
export function forget(key) {
  entries.delete(key);
  unsafe.delete(key);
  store(KEPT + key, null);
  tell(key);
}

/** Whether all entries survive the page. */
export const isSafe = () => unsafe.size === 0;

/** Whether an entry has waited for so long that people should know. @param {Entry} entry */
export const isLate = ({ at }) => !navigator.onLine || Math.abs(Date.now() - at) > SHORT;

/** For how many milliseconds an entry still rests, because the server has failed on it again and again.
 * @param {Entry} entry */
export function rests({ failed }) {
  const left = (failed?.until ?? 0) - Date.now();
  // After the clock was set back.
  return left > LONGEST_REST ? 0 : Math.max(0, left);
}

addEventListener("storage", ({ key: name, newValue }) => {
  if (!name?.startsWith(KEPT)) return;
  const key = name.slice(KEPT.length);
  take(key, newValue);
  tell(key);
  // Told late: what was kept since counts.
  if (stored(name) === newValue) return;
  take(key, stored(name));
  tell(key);
});
readAgain();
