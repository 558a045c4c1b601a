/**
 * Sends the waiting changes one after the other, in the order in which they were made, from one tab.
 *
 * A change on which the server fails again and again rests for a while, so that it holds up no other note.
 *
 * @typedef {import("./api.js").Failure} Failure
 * @typedef {import("./waiting.js").Entry} Entry
 */
import { reason, request, say } from "./api.js";
import { perFrame, t } from "./paper.js";
import { listen, sendOne } from "./sending.js";
import { LONGEST_REST, fresh, isSafe, keep, randomId, readAgain, rests, store, stored, waiting, watch } from "./waiting.js";

/** Milliseconds for which a tab claims to be the one that sends, in browsers without locks. */
const TURN = 15_000;
const SENDER = "corkboard:sender";
/** How often the server may fail on a change before it rests, and for how many milliseconds then at first. */
const [MOST_TRIES, REST] = [3, 30_000];

const me = randomId();
let sending = false;
/** The last request failed. */
let isAway = false;
/** A message about what waits is shown. */
let isSaid = false;
let pause = 1000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {Parameters<typeof listen>} told */
export function openOutbox(...told) {
  listen(...told);
  watch(perFrame(() => isSaid && !waiting().some(({ held }) => !held) && quiet()));
  addEventListener("online", send);
  addEventListener("beforeunload", (event) => isSafe() || event.preventDefault());
}

/** @param {Entry} entry */
const isDue = (entry) => !entry.held && !rests(entry);

/** Sends what waits, and retries by itself. */
export async function send() {
  if (sending) return;
  sending = true;
  clearTimeout(timer);
  let wait = 0;
  try {
    if (!(await alone(sendAll))) wait = 1000;
  } catch (error) {
    const { retryAfter } = /** @type {Failure} */ (error);
    isAway = true;
    // The event of what was sent may have come although its answer was lost.
    if (waiting().some(isDue)) {
      tell(reason(error));
      wait = Math.max(retryAfter || 0, (0.5 + Math.random() / 2) * pause);
      pause = Math.min(30_000, pause * 2);
    }
  }
  sending = false;
  const left = waiting().filter(({ held }) => !held);
  if (!wait && left.some(isDue)) return send();
  if (!wait && left.length) wait = Math.min(...left.map(rests));
  if (wait) timer = setTimeout(send, wait);
}

/** Says that what waits is tried again. @param {string} why */
function tell(why) {
  isSaid = true;
  say(t(isSafe() ? "kept-and-sent" : "sent-and-not-kept", { reason: why }), isSafe());
}

function quiet() {
  isSaid = false;
  say("");
}

/** Works while no other tab does. @param {() => Promise<void>} work @returns {Promise<boolean>} false: another one does */
async function alone(work) {
  if (navigator.locks) {
    await navigator.locks.request(SENDER, work);
    return true;
  }
  // Locks need a secure origin. Elsewhere two tabs may rarely send the same, which the server recognizes.
  const [other, since] = (stored(SENDER) ?? "").split(" ");
  const age = Date.now() - Number(since);
  if (other && other !== me && age >= 0 && age < TURN) return false;
  const begin = () => store(SENDER, `${me} ${Date.now()}`);
  begin();
  const again = setInterval(begin, TURN / 3);
  try {
    await work();
  } finally {
    clearInterval(again);
    store(SENDER, null);
  }
  return true;
}

async function sendAll() {
  if (!readAgain().some(isDue)) return;
  // A change that was never sent can still be taken back, so nothing is sent before the server answers.
  if (isAway || !navigator.onLine) await request("/readyz");
  isAway = false;
  for (let entry; (entry = oldest()); ) await tryOne(entry);
}

/** The entry that is sent next. Storage is read for it alone: to read thousands takes longer than to send one. */
function oldest() {
  for (const { key } of waiting().filter(isDue)) {
    const entry = fresh(key);
    if (entry && isDue(entry)) return entry;
  }
  return undefined;
}

/** Sends an entry. Rejects with a Failure unless others may be sent now. @param {Entry} entry */
async function tryOne(entry) {
  try {
    await sendOne(entry);
    pause = 1000;
  } catch (error) {
    const failure = /** @type {Failure} */ (error);
    if (!rest(entry.key, failure)) throw error;
    tell(t("fails-on-one"));
  }
}

/** Counts that the server has failed on an entry, or was not done with it in time. Others may do better, unless it says
 * that it can do nothing now, or cannot be reached at all.
 * @param {string} key @param {Failure} failure @returns {boolean} whether the entry rests now */
function rest(key, { status, isTimeout }) {
  const entry = fresh(key);
  if (!entry || !(isTimeout || (status >= 500 && status !== 503))) return false;
  const times = (entry.failed?.times ?? 0) + 1;
  const until = times < MOST_TRIES ? 0 : Date.now() + Math.min(LONGEST_REST, REST * 2 ** (times - MOST_TRIES));
  keep({ ...entry, failed: { times, until } });
  return until > 0;
}
