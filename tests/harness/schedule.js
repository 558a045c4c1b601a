/**
 * The schedule of refresh.js for many viewers, in a time of its own: minutes pass at once.
 *
 *     node schedule.js '{"viewers": 1000, "rate": 50, "events": [0, 20], "away": [0, 0], "seconds": 100}'
 *
 * Writes when each request began, as a JSON list of a list for each viewer, in seconds.
 */
import { refresher } from "../../asgi_app/client/refresh.js";

const TAKES = 0.05;
const { viewers, rate, events, away, seconds } = JSON.parse(/** @type {any} */ (globalThis).process.argv[2]);

let now = 0;
/** What is to happen, by time. @type {Map<object, {time: number, act: () => void}>} */
const agenda = new Map();

/** @param {() => void} act @param {number} wait milliseconds @returns {object} */
function set(act, wait) {
  const timer = {};
  agenda.set(timer, { time: now + wait / 1000, act });
  return timer;
}

const clock = {
  now: () => now * 1000,
  random: Math.random,
  set,
  clear: (/** @type {object} */ timer) => void agenda.delete(timer),
  hidden: () => false,
};

/** @type {number[][]} */
const began = Array.from({ length: viewers }, () => []);
const all = began.map((times) =>
  refresher(
    async () => {
      times.push(now);
      const isAway = now >= away[0] && now < away[1];
      await new Promise((resolve) => set(() => resolve(undefined), TAKES * 1000));
      if (isAway) throw new Error("away");
      return false;
    },
    rate,
    clock,
  ),
);
for (const time of events) set(() => all.forEach((one) => one.ask(viewers)), time * 1000);

while (agenda.size) {
  let next = Infinity;
  for (const { time } of agenda.values()) next = Math.min(next, time);
  if (next > seconds) break;
  now = next;
  for (const [timer, { time, act }] of [...agenda]) {
    if (time > now || !agenda.has(timer)) continue;
    agenda.delete(timer);
    act();
  }
  // What was waited for goes on before time does.
  for (let turn = 0; turn < 9; turn += 1) await null;
}
console.log(JSON.stringify(began));
