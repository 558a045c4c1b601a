/**
 * Sends one waiting entry, and updates it by the answer.
 *
 * Each change names the version that it was made on. If the note has another version by now, fields that nobody else has
 * changed are sent again with that version, and the person is asked about the others. A lost answer is no conflict.
 *
 * @typedef {import("./api.js").Failure} Failure
 * @typedef {import("./paper.js").Note} Note
 * @typedef {import("./waiting.js").Entry} Entry
 */
import { addressOf, request, say } from "./api.js";
import { board, isWanted, put, settle } from "./cards.js";
import { draft, keepDraft } from "./drafts.js";
import { t } from "./paper.js";
import { tidy, wishNew } from "./pinning.js";
import { toast } from "./undo.js";
import { forget, fresh, keep, same } from "./waiting.js";
import { bodyOf } from "./wishes.js";

/** A note is not deleted if somebody else has changed one of these. @type {(keyof Note)[]} */
const SEEN = ["text", "color", "done"];

/** What to do with a new note that the server refuses for good. @type {(text: string, message: string) => void} */
let refused = () => undefined;
/** What to do when one was pinned that the filter does not show. */
let hidden = () => {};

/** @param {typeof refused} onRefused @param {typeof hidden} onHidden */
export function listen(onRefused, onHidden) {
  [refused, hidden] = [onRefused, onHidden];
}

/** Sends an entry. Rejects with a Failure when it has to be sent again. @param {Entry} entry */
export async function sendOne(entry) {
  try {
    if (!entry.base.version) await pin(entry);
    else if (entry.isBack) await bringBack(entry);
    else if (entry.isGone) await remove(entry);
    else await change(entry);
  } catch (error) {
    const { status, message } = /** @type {Failure} */ (error);
    // A note for which there is no room (507) goes back to its writer: what waits behind it may be for another board.
    const isFinal = status === 507 || (status >= 400 && status < 500 && ![408, 409, 425, 429].includes(status));
    const now = fresh(entry.key);
    if (!isFinal) throw error;
    if (!now) return;
    if (!now.base.version) giveBack(now, message);
    else if (status === 404) lost(now);
    // It was deleted while this was on its way.
    else if (now.isGone && !entry.isGone) keep({ ...now, changes: {}, tried: [] });
    else keep({ ...now, held: { why: "refused", message } });
  }
}

/** @param {string} key */
const read = (key) => request(addressOf(key));

/** @param {Entry} entry */
const condition = ({ base }) => ({ "If-Match": `"${base.version}"` });

// --- A new note ---------------------------------------------------------------------------------

/** The same key, the same id and the same body each time: however often it is sent, it is pinned once.
 * @param {Entry} entry */
async function pin(entry) {
  const { key, tried, base, changes } = entry;
  const body = tried.length ? entry.body : { ...entry.body, ...changes };
  if (!tried.length) keep({ ...entry, body, base: { ...base, ...changes }, changes: {}, tried: [body ?? {}] });
  const headers = { "Idempotency-Key": key };
  const post = (/** @type {object | undefined} */ some) => request("/api/notes", { method: "POST", body: some, headers, id: key });
  const note = await post(body).catch((error) => {
    // Version 2.0 knows no authors. A refused request has not used up its key.
    if (error.status !== 422 || !body?.author) throw error;
    return post({ ...body, author: undefined });
  });
  const written = draft(key);
  if (written) keepDraft(note.id, written.text, written.original);
  keepDraft(key, "");
  settle(key, note);
  if (note.board === board && !isWanted(note)) hidden();
}

/** @param {Entry} entry @param {string} message */
function giveBack({ key, base, changes, isGone }, message) {
  const { board: where, text } = { ...base, ...changes };
  forget(key);
  if (isGone) return;
  if (where !== board && leave(where, text)) say(t("in-its-form", { why: message, board: where }));
  else refused(text, message);
}

/** Leaves a text for the form of another board. @param {string} where @param {string} text
 * @returns {boolean} whether it is safe there */
function leave(where, text) {
  const name = `board:${where}`;
  const kept = draft(name);
  return keepDraft(name, kept ? `${kept.text}\n\n${text}` : text);
}

// --- A note that the server has -----------------------------------------------------------------

/** @param {Entry} entry */
async function change(entry) {
  const { key, tried, changes } = entry;
  if (!tried.some((one) => same(one, changes))) keep({ ...entry, tried: [...tried, changes] });
  const answer = request(addressOf(key), { method: "PATCH", body: changes, headers: condition(entry) });
  learn(key, await answer.catch((error) => (error.status === 412 ? read(key) : Promise.reject(error))));
}

/** Updates an entry by the note as the server has it. @param {string} key @param {Note} note */
function learn(key, note) {
  const entry = fresh(key);
  if (!entry) return put(note);
  if (entry.isGone) return weigh(entry, note);
  const isTheirs = (/** @type {string} */ field) => isOthers(entry, note, /** @type {keyof Note} */ (field));
  // Of two moves the last one counts.
  const asked = Object.keys(entry.changes).filter((field) => field !== "position" && isTheirs(field));
  if (asked.length) return keep({ ...entry, held: { why: "conflict", theirs: note } });
  tidy({ ...entry, base: note, tried: [] });
}

/** Whether somebody else has changed a field to a value that was not wanted here.
 * @param {Entry} entry @param {Note} note @param {keyof Note} field */
function isOthers({ base, changes, tried }, note, field) {
  const known = [base, changes, ...tried].filter((one) => field in one);
  return !known.some((one) => same(one[field], note[field]));
}

/** @param {Entry} entry */
async function remove(entry) {
  const { key } = entry;
  keep({ ...entry, mayBeGone: true });
  try {
    const { version } = await request(addressOf(key), { method: "DELETE", headers: condition(entry) });
    return isRemoved(key, version);
  } catch (error) {
    const { status } = /** @type {Failure} */ (error);
    if (status === 404) return isRemoved(key, entry.base.version);
    if (status !== 412) throw error;
  }
  const note = await read(key).catch((error) => (error.status === 404 ? null : Promise.reject(error)));
  if (!note) return isRemoved(key, entry.base.version);
  const now = fresh(key);
  if (now?.isGone) weigh(now, note);
}

/** Deletes a note as it is now, unless somebody else has changed what its deleter saw. @param {Entry} entry @param {Note} note */
function weigh(entry, note) {
  if (!SEEN.some((field) => isOthers(entry, note, field))) return keep({ ...entry, base: note, tried: [] });
  keep({ ...entry, isGone: false, mayBeGone: false });
  learn(entry.key, note);
  put(note);
  toast(t("still-hangs"));
}

/** @param {string} key @param {number} version as which it was deleted */
function isRemoved(key, version) {
  const entry = fresh(key);
  if (!entry || entry.isBack) return;
  keep({ ...entry, deleted: version });
  forget(key);
}

/** @param {Entry} entry */
async function bringBack({ key }) {
  try {
    const note = await request(`${addressOf(key)}/restore`, { method: "POST" });
    const now = fresh(key);
    if (now) keep({ ...now, isBack: false, mayBeGone: false });
    learn(key, note);
  } catch (error) {
    if (![404, 405].includes(/** @type {Failure} */ (error).status)) throw error;
    // Deleted too long ago: its text comes back as a new note.
    const now = fresh(key);
    if (!now?.isBack) return;
    keep({ ...now, isBack: false });
    isRemoved(key, now.base.version);
    wishNew(bodyOf({ ...now.base, ...now.changes }));
  }
}

/** Handles a change of a note that somebody has deleted. @param {Entry} entry */
function lost(entry) {
  const { key, base, changes, isGone } = entry;
  if (isGone || changes.text === undefined) {
    if (!isGone) toast(t("deleted-meanwhile"));
    isRemoved(key, base.version);
  } else keep({ ...entry, deleted: base.version, held: { why: "gone" } });
}
