/**
 * Sends the waiting changes one after the other, in the order in which they were made, from one tab.
 *
 * @typedef {import("./api.js").Failure} Failure
 * @typedef {import("./waiting.js").Entry} Entry
 */
import { reason, request, say } from "./api.js";
import { t } from "./paper.js";
import { listen, sendOne } from "./sending.js";
import { isSafe, randomId, readAgain, store, stored, waiting, watch } from "./waiting.js";

/** Milliseconds for which a tab claims to be the one that sends, in browsers without locks. */
const TURN = 15_000;
const SENDER = "corkboard:sender";

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
  watch(() => isSaid && !waiting().some(({ held }) => !held) && quiet());
  addEventListener("online", send);
  addEventListener("beforeunload", (event) => isSafe() || event.preventDefault());
}

/** @param {Entry[]} all */
const next = (all) => all.find(({ held }) => !held);

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
    if (next(waiting())) {
      isSaid = true;
      say(t(isSafe() ? "kept-and-sent" : "sent-and-not-kept", { reason: reason(error) }), isSafe());
      wait = Math.max(retryAfter || 0, (0.5 + Math.random() / 2) * pause);
      pause = Math.min(30_000, pause * 2);
    }
  }
  sending = false;
  if (wait) timer = setTimeout(send, wait);
  else if (next(waiting())) send();
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
  if (!next(readAgain())) return;
  // A change that was never sent can still be taken back, so nothing is sent before the server answers.
  if (isAway || !navigator.onLine) await request("/readyz");
  isAway = false;
  for (let entry; (entry = next(readAgain())); pause = 1000) await sendOne(entry);
}
