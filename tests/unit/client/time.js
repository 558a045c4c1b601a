/** A time of the tests' own: minutes pass at once. */
import { mock } from "node:test";

/** Stops the clock, and chance. @param {number} [chance] what `Math.random` always says */
export function stopTime(chance = 0.5) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => chance);
}

export function resumeTime() {
  mock.timers.reset();
  mock.restoreAll();
}

/** Lets everything go on that waits for no time. */
export async function settle() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** @param {number} milliseconds */
export async function pass(milliseconds) {
  await settle();
  for (let left = milliseconds; left > 0; left -= 50) {
    mock.timers.tick(Math.min(left, 50));
    await settle();
  }
}
