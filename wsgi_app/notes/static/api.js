/**
 * Talks to the API: single requests, and the outbox of notes that wait until they get through.
 *
 * @typedef {import("./paper.js").Note} Note
 * @typedef {{key: string, at: number, board: string, text: string, color: string, done?: boolean}} Entry a note in
 *   the outbox; `key`: its Idempotency-Key, `at`: when it was written
 */
import { board, isWanted, put, rememberOwn, remove, settle } from "./cards.js";
import { draft, keepDraft } from "./drafts.js";
import { cards, element, inWords, t } from "./paper.js";

const ANSWER_WITHIN = 10_000;
const KEPT = "corkboard:note:";

/** A request that failed. The message can be shown as it is. */
export class Failure extends Error {
  /** @param {string} message @param {number} status 0: no answer @param {number} retryAfter milliseconds */
  constructor(message, status = 0, retryAfter = 0) {
    super(message);
    Object.assign(this, { name: "Failure" });
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** `crypto.randomUUID` exists on secure origins only; a wall in the local network is served by plain HTTP. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * One call of the API. The event that it causes will be known as ours.
 * @param {string} path
 * @param {{method?: string, body?: object, headers?: Record<string, string>, id?: string}} [init]
 */
export async function request(path, { method = "GET", body, headers = {}, id = randomId() } = {}) {
  if (method !== "GET") rememberOwn(id);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...headers, "X-Request-Id": id, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
  } catch {
    throw new Failure(t(navigator.onLine ? "no-answer" : "no-network"));
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const wait = Number(response.headers.get("Retry-After")) * 1000 || 0;
  const status = response.ok ? 0 : response.status;
  const said = answer?.detail ?? answer?.title;
  throw new Failure(said ? inWords(said) : t("answered-status", { status: response.status }), status, wait);
}

/** @param {string} text shown below the form until the next one; empty: nothing to say
 * @param {boolean} [calm] nobody has to do anything about it */
export function say(text, calm = false) {
  element("message").textContent = text;
  element("message").toggleAttribute("data-calm", calm);
}

/** Why something failed that is tried again without being asked for. @param {unknown} error */
export function reason(error) {
  const { status, message } = /** @type {Failure} */ (error);
  return status ? t("cannot-answer-now") : message;
}

/** The address of a note in the API. @param {string} id */
export const addressOf = (id) => `/api/notes/${encodeURIComponent(id)}`;

// --- The outbox: a note is kept here until the server has it --------------------------------------

/** Where storage is forbidden or full, notes live as long as the page. @type {Map<string, Entry>} */
const entries = new Map();

/** What waits to be sent, oldest first, other tabs' and other boards' included. @returns {Entry[]} */
function waiting() {
  const all = new Map(entries);
  try {
    for (const name of Object.keys(localStorage)) {
      const key = name.slice(KEPT.length);
      if (name.startsWith(KEPT) && !all.has(key)) all.set(key, JSON.parse(localStorage[name]));
    }
  } catch {
    // Not ours to read, or not written by us.
  }
  return [...all.values()].sort((one, other) => one.at - other.at);
}

/** @param {Entry} entry */
function keep(entry) {
  entries.set(entry.key, entry);
  try {
    localStorage[KEPT + entry.key] = JSON.stringify(entry);
  } catch {
    // Kept in memory.
  }
}

/** @param {string} key */
function forget(key) {
  entries.delete(key);
  try {
    localStorage.removeItem(KEPT + key);
  } catch {
    // It never was there.
  }
}

/** @param {Entry} entry @param {boolean} fresh */
function showWaiting({ key, at, text, color, done = false, board: where }, fresh) {
  if (where !== board || cards.has(key)) return;
  const time = new Date(at).toISOString();
  put({ id: key, board, text, color, done, version: 0, created_at: time, updated_at: time }, { fresh });
}

let sending = false;
let pause = 1000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let sendTimer;

/** What to do with a note that the server refuses for good. @type {(text: string, message: string) => void} */
let refused = () => undefined;
/** What to do when one was pinned that the filter does not show. */
let hidden = () => {};

/** Shows and sends what waits, now and whenever the network is back.
 * @param {typeof refused} onRefused @param {typeof hidden} onHidden */
export function openOutbox(onRefused, onHidden) {
  [refused, hidden] = [onRefused, onHidden];
  for (const entry of waiting()) showWaiting(entry, false);
  addEventListener("online", send);
  send();
}

/** Pins a note, now or as soon as the network lets it through.
 * @param {{text: string, color: string, done?: boolean}} note */
export function pinNote(note) {
  // The order in which they were written, also when the clock is set back between them.
  const at = Math.max(Date.now(), (waiting().at(-1)?.at ?? 0) + 1);
  const entry = { key: randomId(), at, board, ...note };
  keep(entry);
  showWaiting(entry, true);
  send();
}

/** Sends what waits, one after the other, so that notes hang in the order in which they were written. */
export async function send() {
  if (sending) return;
  sending = true;
  clearTimeout(sendTimer);
  try {
    for (let entry; (entry = waiting()[0]); ) await sendOne(entry);
    pause = 1000;
  } catch (error) {
    const { retryAfter } = /** @type {Failure} */ (error);
    say(t("kept-and-sent", { reason: reason(error) }), true);
    sendTimer = setTimeout(send, Math.max(retryAfter, (0.5 + Math.random() / 2) * pause));
    pause = Math.min(30_000, pause * 2);
  }
  sending = false;
}

/** The same key and the same id each time: however often it is sent, it is pinned once. @param {Entry} entry */
async function sendOne(entry) {
  const { key, board: where, text, color, done } = entry;
  try {
    const note = await request("/api/notes", {
      method: "POST",
      body: { board: where, text, color, done },
      headers: { "Idempotency-Key": key },
      id: key,
    });
    forget(key);
    if (!settle(key, note) && where === board && isWanted(note)) put(note, { fresh: true });
    say("");
    if (where === board && !isWanted(note)) hidden();
  } catch (error) {
    const { status, message } = /** @type {Failure} */ (error);
    // What there is no room for goes back to its writer: what waits behind it may be for another board.
    const isFinal = status === 507 || (status >= 400 && status < 500 && ![408, 409, 425, 429].includes(status));
    if (!isFinal) throw error;
    forget(key);
    remove(key);
    if (where !== board && leave(where, text)) say(t("in-its-form", { why: message, board: where }));
    else refused(text, message);
  }
}

/** Leaves a text for the form of another board. @param {string} where @param {string} text
 * @returns {boolean} whether it is safe there */
function leave(where, text) {
  const name = `board:${where}`;
  const kept = draft(name);
  return keepDraft(name, kept ? `${kept.text}\n\n${text}` : text);
}
