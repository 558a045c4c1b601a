/** What a page hears of its topics: every event once and in order, or that some are lost. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { topicList } from "../../../asgi_app/client/topics.js";
import { pass, resumeTime, settle, stopTime } from "./time.js";

beforeEach(() => stopTime());
afterEach(resumeTime);

/** A list of topics, and what came of it. */
function listen(topics, options = {}) {
  const heard = [];
  const asked = [];
  const list = topicList({
    emit: (name, ...args) => name.includes(":") || heard.push([name, ...args.map((one) => one?.id ?? one)]),
    ask: (topic) => asked.push([topic, list.seen.get(topic)]),
    renew: async () => false,
    ...options,
  });
  for (const [topic, since] of Object.entries(topics)) list.add(topic, since);
  return {
    list,
    heard,
    asked,
    event: (id, topic = "t") => list.receive({ op: "event", type: "x", topic, id }),
    subscribed: (cursor, recovered = true, topic = "t") => list.receive({ op: "subscribed", topic, cursor, recovered }),
    refuse: (code, topic = "t", more = {}) => list.receive({ op: "error", topic, code, detail: "No.", ...more }),
  };
}

const ids = (heard) => heard.filter(([name]) => name === "event").map(([, id]) => id);

test("an event that comes twice is heard once", () => {
  const { event, heard, subscribed } = listen({ t: "a-3" });
  subscribed("a-3");
  for (const id of ["a-3", "a-4", "a-4", "a-5", "a-4", "a-6"]) event(id);
  assert.deepEqual(ids(heard), ["a-4", "a-5", "a-6"]);
});

test("when one is missing, what follows is asked for once more instead of being heard", () => {
  const { asked, event, heard, subscribed } = listen({ t: "a-3" });
  subscribed("a-3");
  for (const id of ["a-4", "a-6", "a-7"]) event(id);
  assert.deepEqual(asked, [["t", "a-4"]]);
  subscribed("a-4");
  for (const id of ["a-5", "a-6", "a-7"]) event(id);
  assert.deepEqual(ids(heard), ["a-4", "a-5", "a-6", "a-7"]);
});

test("a topic that begins takes the epoch of its first event", () => {
  const { asked, event, heard, subscribed } = listen({ t: "0-0" });
  subscribed("0-0");
  event("a-1");
  event("a-2");
  assert.deepEqual(ids(heard), ["a-1", "a-2"]);
  assert.deepEqual(asked, []);
});

test("lost events are told, and it goes on from where the topic is now", () => {
  const { event, heard, list, subscribed } = listen({ t: "a-3" });
  subscribed("b-7", false);
  event("b-8");
  assert.deepEqual(heard, [["resync", "t"], ["event", "b-8"]]);
  assert.equal(list.seen.get("t"), "b-8");
});

test("a topic is connecting, live or refused", async () => {
  const { list, refuse, subscribed } = listen({ t: null, u: null });
  assert.deepEqual(["t", "u", "v"].map(list.state), ["connecting", "connecting", undefined]);
  subscribed("a-0");
  refuse("too_many_topics", "u");
  await settle();
  assert.deepEqual(["t", "u"].map(list.state), ["live", "refused"]);
  list.reset();
  assert.deepEqual(["t", "u"].map(list.state), ["connecting", "refused"]);
  subscribed("a-0", true, "u");
  assert.equal(list.state("u"), "live");
});

test("a refused topic is told once, however often it is asked for, and stays to be asked for", async () => {
  const { heard, list, refuse } = listen({ t: "a-3" });
  for (let connection = 0; connection < 3; connection += 1) {
    refuse("not_allowed");
    await settle();
    list.reset();
  }
  assert.deepEqual(heard, [["refused", "t", "not_allowed", "No."]]);
  assert.equal(list.seen.get("t"), "a-3");
});

test("a topic that is not allowed is not told when a new ticket may help", async () => {
  let renewals = 0;
  const { heard, refuse } = listen({ t: null }, { renew: async () => (renewals += 1) === 1 });
  refuse("not_allowed");
  await settle();
  assert.deepEqual(heard, []);
  refuse("not_allowed");
  await settle();
  assert.deepEqual(heard, [["refused", "t", "not_allowed", "No."]]);
});

test("a new ticket is not asked for when it cannot help", async () => {
  const { heard, refuse } = listen({ t: null, u: null }, { renew: () => assert.fail("it was") });
  refuse("too_many_topics");
  refuse("not_allowed", "u", { isFinal: true });
  await settle();
  assert.deepEqual(heard.map(([, topic]) => topic), ["t", "u"]);
});

test("nothing is heard of a topic that was left", async () => {
  const { event, heard, list, refuse, subscribed } = listen({ t: "a-3" });
  refuse("not_allowed");
  list.remove("t");
  event("a-4");
  subscribed("a-3", false);
  await settle();
  assert.deepEqual(heard, []);
});

test("a server that is behind is told, and when it is not any more", () => {
  const { heard, list } = listen({ t: null });
  list.receive({ op: "behind", since: "2026-01-01T00:00:00Z" });
  list.receive({ op: "pong" });
  list.receive({ op: "behind", since: "2026-01-01T00:00:00Z" });
  list.receive({ op: "current" });
  assert.deepEqual(heard, [["behind", "2026-01-01T00:00:00Z"], ["behind", null]]);
});

test("a new connection that says nothing of being behind is not", () => {
  const { heard, list } = listen({ t: null });
  list.receive({ op: "behind", since: "2026-01-01T00:00:00Z" });
  list.reset();
  assert.equal(heard.length, 1);
  list.receive({ op: "behind", since: "2026-01-01T00:00:00Z" });
  assert.equal(heard.length, 1);
  list.reset();
  list.receive({ op: "pong" });
  assert.deepEqual(heard.at(-1), ["behind", null]);
});

/** A state that is fetched when the test says so. */
function states() {
  const fetches = [];
  const snapshot = (topic) => new Promise((resolve, reject) => fetches.push({ topic, resolve, reject }));
  return { fetches, snapshot };
}

test("a topic without a cursor begins with its state, and goes on with the events after it", async () => {
  const { fetches, snapshot } = states();
  const { event, heard, list, subscribed } = listen({ t: null, u: "a-3" }, { snapshot });
  subscribed("a-5");
  for (const id of ["a-6", "a-7", "a-8"]) event(id);
  await pass(50);
  assert.deepEqual(fetches.map(({ topic }) => topic), ["t"]);
  assert.deepEqual(ids(heard), []);
  fetches[0].resolve({ cursor: "a-7" });
  await settle();
  event("a-9");
  assert.deepEqual(ids(heard), ["a-8", "a-9"]);
  assert.equal(list.seen.get("t"), "a-9");
});

test("a state that is newer than the events makes them wait for nothing", async () => {
  const { fetches, snapshot } = states();
  const { asked, event, heard, subscribed } = listen({ t: null }, { snapshot });
  subscribed("a-5");
  event("a-6");
  await pass(50);
  fetches[0].resolve({ cursor: "a-8" });
  await settle();
  for (const id of ["a-7", "a-8", "a-9"]) event(id);
  assert.deepEqual(ids(heard), ["a-9"]);
  assert.deepEqual(asked, []);
});

test("a state that is older than the events has those between sent once more", async () => {
  const { fetches, snapshot } = states();
  const { asked, event, heard, subscribed } = listen({ t: null }, { snapshot });
  subscribed("a-5");
  event("a-6");
  await pass(50);
  fetches[0].resolve({ cursor: "a-3" });
  await settle();
  event("a-7");
  assert.deepEqual(asked, [["t", "a-3"]]);
  subscribed("a-3");
  for (const id of ["a-4", "a-5", "a-6", "a-7"]) event(id);
  assert.deepEqual(ids(heard), ["a-4", "a-5", "a-6", "a-7"]);
});

test("what waits too long for the state is dropped, and sent once more when it is there", async () => {
  const { fetches, snapshot } = states();
  const { asked, event, heard, subscribed } = listen({ t: null }, { snapshot });
  const say = (from, to) => {
    for (let offset = from; offset <= to; offset += 1) event(`a-${offset}`);
  };
  subscribed("a-0");
  say(1, 1001);
  await pass(50);
  fetches[0].reject(new Error("on purpose"));
  await pass(30_000);
  say(1002, 1500);
  fetches[1].resolve({ cursor: "a-1400" });
  await settle();
  assert.deepEqual(asked, [["t", "a-1400"]]);
  subscribed("a-1400");
  say(1401, 1501);
  assert.deepEqual(ids(heard), Array.from({ length: 101 }, (_, index) => `a-${1401 + index}`));
});

test("a state that comes before the connection is where it begins", async () => {
  const { fetches, snapshot } = states();
  const { heard, list, subscribed, event } = listen({ t: null }, { snapshot });
  await pass(50);
  fetches[0].resolve({ cursor: "a-3" });
  await settle();
  assert.equal(list.seen.get("t"), "a-3");
  subscribed("a-3");
  event("a-4");
  assert.deepEqual(ids(heard), ["a-4"]);
});

test("the state is fetched again whenever events are lost, once at a time", async () => {
  const { fetches, snapshot } = states();
  const { event, heard, subscribed } = listen({ t: "a-3" }, { snapshot });
  subscribed("b-2", false);
  event("b-3");
  subscribed("c-5", false);
  event("c-6");
  await pass(50);
  assert.equal(fetches.length, 1);
  fetches[0].resolve({ cursor: "c-5" });
  await settle();
  assert.deepEqual(heard, [["resync", "t"], ["resync", "t"], ["event", "c-6"]]);
});

test("a connection that is lost while the state is on its way changes nothing", async () => {
  const { fetches, snapshot } = states();
  const { event, heard, list, subscribed } = listen({ t: null }, { snapshot });
  subscribed("a-5");
  event("a-6");
  list.reset();
  subscribed("a-6");
  event("a-7");
  await pass(50);
  fetches[0].resolve({ cursor: "a-5" });
  await settle();
  assert.deepEqual(ids(heard), ["a-6", "a-7"]);
});

test("a state that cannot be fetched, or is always too old, is asked for less and less often", async () => {
  for (const answer of [{ cursor: "z-1" }, null]) {
    const fetches = [];
    const { list, subscribed } = listen({ t: "a-3" }, {
      ask: () => subscribed("b-7", false),
      snapshot: async () => (fetches.push(Date.now()), answer ?? Promise.reject(new Error("on purpose"))),
    });
    subscribed("b-7", false);
    await pass(120_000);
    const gaps = fetches.slice(1).map((time, index) => time - fetches[index]);
    assert.ok(fetches.length > 4 && fetches.length < 16, String(gaps));
    assert.ok(gaps.at(-1) > 10_000, String(gaps));
    list.clear();
    const before = fetches.length;
    await pass(120_000);
    assert.equal(fetches.length, before);
  }
});

test("the state of a topic that was left meanwhile is not used", async () => {
  const { fetches, snapshot } = states();
  const { event, heard, list, subscribed } = listen({ t: null }, { snapshot });
  subscribed("a-5");
  event("a-6");
  await pass(50);
  list.remove("t");
  fetches[0].resolve({ cursor: "a-5" });
  await settle();
  assert.deepEqual(heard, []);
  assert.equal(list.seen.size, 0);
});

test("who is there is told as a whole, whoever comes, changes or goes", () => {
  const { heard, list } = listen({ t: "a-3", u: "a-1" });
  const people = (message) => list.receive({ op: "people", topic: "t", count: 9, ...message });
  people({ people: [{ id: 1, me: "Ada" }, { id: 2, me: "Bob" }] });
  list.receive({ op: "people", topic: "u", count: 1, people: [{ id: 7, me: "Eve" }] });
  people({ joined: [{ id: 3, me: "Cy" }, { id: 1, me: "Ann" }], left: [2] });
  people({ people: [{ id: 4, me: "Di" }] });
  const told = heard.filter(([name, topic]) => name === "people" && topic === "t");
  const names = told.map(([, , here]) => here.map(({ id, me }) => `${id} ${me}`));
  assert.deepEqual(names, [["1 Ada", "2 Bob"], ["1 Ann", "3 Cy"], ["4 Di"]]);
  assert.equal(told[0][3], 9);
});

test("a whisper on a topic that was left meanwhile is not heard", () => {
  const { heard, list } = listen({ t: "a-3" });
  const whisper = (topic) => list.receive({ op: "whisper", topic, from: "f", data: { typing: true } });
  whisper("t");
  whisper("u");
  assert.deepEqual(heard, [["whisper", "t", "f", { typing: true }]]);
});
