/** What a page learns by long polls. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { openPoll } from "../../../asgi_app/client/realtime-fallback.js";
import { topicList } from "../../../asgi_app/client/topics.js";
import { pass, resumeTime, stopTime } from "./time.js";

const { fetch } = globalThis;

beforeEach(() => stopTime());
afterEach(() => {
  resumeTime();
  globalThis.fetch = fetch;
});

test("who falls back to polls while the server is behind is told that all is well only when it is", async () => {
  const heard = [];
  /** Answers the polls, in the order in which they came. */
  const answers = [];
  globalThis.fetch = () =>
    new Promise((resolve) => {
      const body = { events: [], cursor: "a-3", recovered: true };
      answers.push((headers) => resolve(Response.json(body, { headers })));
    });
  const list = topicList({ emit: (...what) => heard.push(what), ask: () => assert.fail(), renew: async () => false });
  list.add("t", "a-3");
  const behind = { op: "behind", since: "2026-01-01T00:00:00Z" };
  list.receive(behind);
  list.reset();
  const poll = openPoll(list.seen, { alive() {}, message: list.receive, lost: assert.fail }, { base: "", ticket: null });
  for (const headers of [{ "X-Behind": JSON.stringify(behind) }, { "X-Behind": JSON.stringify(behind) }, {}]) {
    assert.deepEqual(heard, [["behind", behind.since]]);
    answers.at(-1)(headers);
    await pass(1100);
  }
  assert.deepEqual(heard, [["behind", behind.since], ["behind", null]]);
  assert.equal(answers.length, 4);
  poll.close();
});
