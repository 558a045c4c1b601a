/**
 * Starts sending what waits, and shows how much waits. outbox.js, which sends, is loaded when there is something to send.
 *
 * @typedef {() => Promise<typeof import("./outbox.js")>} Sending
 * @typedef {() => Promise<{ask: typeof import("./undecided.js").ask}>} Deciding
 */
import { element, perFrame, t } from "./paper.js";
import { isLate, isWaiting, waiting, watch } from "./waiting.js";
import { whenWished } from "./pinning.js";

/** @type {() => Promise<void>} */
let begin = async () => {};
/** @type {Deciding} */
let deciding;
let isOpen = false;
/** A conflict had to be decided. */
let asks = false;

/** Starts the queue: sends what waits, now and whenever something new waits.
 * @param {Sending} sending @param {Deciding} toDecide
 * @param {Parameters<typeof import("./outbox.js").openOutbox>} told */
export function openQueue(sending, toDecide, ...told) {
  deciding = toDecide;
  begin = async () => {
    const outbox = await sending();
    if (!isOpen) outbox.openOutbox(...told);
    isOpen = true;
    outbox.send();
  };
  watch(show);
  for (const type of ["online", "offline"]) addEventListener(type, show);
  whenWished(send);
  send();
  show();
}

/** Sends what waits, as soon as outbox.js can be loaded. */
export async function send() {
  if (!isWaiting()) return;
  await begin().catch(() => setTimeout(send, 2000 + Math.random() * 3000));
}

/** Thousands of changes may begin to wait at once. */
const show = perFrame(() => {
  const all = waiting();
  const count = all.filter((entry) => !entry.held && isLate(entry)).length;
  element("waits").textContent = count ? t("changes-wait", { count }) : "";
  element("for-what").textContent = count ? t(navigator.onLine ? "for-the-server" : "for-the-network") : "";
  asks ||= all.some(({ held }) => held);
  if (asks) deciding().then(({ ask }) => ask(), () => setTimeout(show, 5000));
});
