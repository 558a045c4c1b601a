/** Tabs that share a connection: each gets what it would get over one of its own. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { openHub } from "../../../asgi_app/client/hub.js";
// Loaded already, so that what loads it later waits for no disk.
import "../../../asgi_app/client/own.js";
import { connect } from "../../../asgi_app/client/shared.js";
import { pass, resumeTime, settle, stopTime } from "./time.js";

/** The server's ends of the WebSockets. */
let sockets;
/** The workers that run, by name. */
let hubs;
let tabs;

class Socket {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  constructor() {
    sockets.push(this);
    setImmediate(() => this.onopen?.());
  }
  send(text) {
    this.sent.push(JSON.parse(text));
    if (this.sent.at(-1).op === "ping") setImmediate(() => this.say({ op: "pong" }));
  }
  say(...messages) {
    for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
  }
  close() {
    this.readyState = 3;
  }
  /** What was asked for since the last time. */
  get asked() {
    return this.sent.splice(0).filter(({ op }) => op !== "ping");
  }
}

/** A port's two ends, in turns of their own. */
function channel() {
  const ends = [{}, {}];
  ends.forEach((end, index) => {
    end.postMessage = (data) => {
      const copy = structuredClone(data);
      const other = ends[1 - index];
      setImmediate(() => end.isClosed || other.isClosed || other.onmessage?.({ data: copy }));
    };
    end.close = () => setImmediate(() => (end.isClosed = true));
  });
  return ends;
}

beforeEach(() => {
  stopTime();
  [sockets, hubs, tabs] = [[], new Map(), []];
  globalThis.document = Object.assign(new EventTarget(), { hidden: false });
  globalThis.addEventListener = () => undefined;
  globalThis.WebSocket = Socket;
  globalThis.SharedWorker = class {
    constructor(_, { name }) {
      const { base, canRenew } = JSON.parse(name);
      if (!hubs.has(name)) hubs.set(name, openHub(base, canRenew));
      const hub = hubs.get(name);
      const [here, there] = channel();
      this.port = here;
      there.onmessage = ({ data }) => hubs.get(name) === hub && hub.hear(there, data);
    }
  };
});
afterEach(async () => {
  for (const tab of tabs) tab.close();
  await settle();
  resumeTime();
  for (const name of ["addEventListener", "document", "SharedWorker"]) delete globalThis[name];
});

const event = (number) => ({ op: "event", topic: "t", id: `a-${number}`, type: "x", data: number });
const subscribed = (cursor, recovered = true) => ({ op: "subscribed", topic: "t", cursor, recovered });

async function open(options = {}) {
  const heard = [];
  const tab = connect({
    url: "https://example.com",
    share: "ada",
    topics: { t: "a-0" },
    onEvent: ({ data }) => heard.push(data),
    onResync: () => heard.push("resync"),
    onStatus: (status) => heard.push(status),
    onWhisper: (_, from, data) => heard.push({ from, data }),
    onBehind: (since) => heard.push({ since }),
    onRefused: (topic, code) => heard.push(code),
    ...options,
  });
  tabs.push(tab);
  await settle();
  return Object.assign(tab, { heard });
}

/** Two tabs that are live at the event 2. */
async function two(options) {
  const one = await open(options);
  sockets[0].say(subscribed("a-0"), event(1), event(2));
  await settle();
  const other = await open({ topics: { t: "a-2" }, ...options });
  sockets[0].say(subscribed("a-2"));
  await settle();
  sockets[0].asked;
  for (const { heard } of [one, other]) heard.length = 0;
  return [one, other];
}

test("tabs have one socket, and each gets every event and the status", async () => {
  const one = await open();
  const other = await open();
  assert.equal(sockets.length, 1);
  sockets[0].say(subscribed("a-0"), event(1), { op: "behind", since: "2026" }, event(2));
  await settle();
  for (const { heard } of [one, other]) assert.deepEqual(heard, ["connecting", "live", 1, { since: "2026" }, 2]);
  const late = await open({ topics: { t: "a-2" } });
  assert.deepEqual(late.heard, ["connecting", "live", { since: "2026" }]);
});

test("a tab that was elsewhere gets what it missed, and the others nothing twice", async () => {
  const [one, other] = await two();
  const late = await open({ topics: { t: "a-1" } });
  assert.deepEqual(sockets[0].asked.map(({ since }) => since), ["a-1"]);
  // Of before the server began anew, and then once more.
  sockets[0].say(event(3), subscribed("a-1"), event(2), event(3), event(4));
  await settle();
  assert.deepEqual(late.heard.filter(Number), [2, 3, 4]);
  for (const { heard } of [one, other]) assert.deepEqual(heard, [3, 4]);
});

test("what one tab has missed for good, the others get from where they are", async () => {
  const [one] = await two();
  const late = await open({ topics: { t: "z-9" } });
  sockets[0].say(subscribed("a-4", false));
  await settle();
  assert.deepEqual(late.heard.slice(-1), ["resync"]);
  assert.deepEqual(sockets[0].asked.map(({ since }) => since), ["z-9", "a-2"]);
  sockets[0].say(subscribed("a-2"), event(3), event(4), event(5));
  await settle();
  assert.deepEqual(one.heard, [3, 4, 5]);
  assert.deepEqual(late.heard.filter(Number), [5]);
});

test("a history that is gone is gone for all of them", async () => {
  const [one, other] = await two();
  sockets[0].onclose({ code: 1006 });
  await pass(2000);
  sockets[1].say(subscribed("b-7", false));
  await settle();
  for (const { heard } of [one, other]) assert.deepEqual(heard, ["connecting", "live", "resync"]);
});

test("after a loss each goes on from where it was", async () => {
  const [one, other] = await two();
  sockets[0].onclose({ code: 1012 });
  await pass(2000);
  assert.deepEqual(sockets[1].asked.map(({ since }) => since)[0], "a-2");
  sockets[1].say(subscribed("a-2"), event(3));
  await settle();
  for (const { heard } of [one, other]) assert.deepEqual(heard, ["connecting", "live", 3]);
});

test("a tab that closes takes its topics with it, and the last one the socket", async () => {
  const [one, other] = await two();
  other.subscribe("more");
  await settle();
  other.close();
  await settle();
  assert.deepEqual(sockets[0].asked.map(({ op, topic }) => [op, topic]), [["subscribe", "more"], ["unsubscribe", "more"]]);
  sockets[0].say(event(3));
  await settle();
  assert.deepEqual(one.heard, [3]);
  one.close();
  await settle();
  assert.equal(sockets[0].readyState, 3);
});

test("a worker that dies without a word is replaced, and nothing is missed", async () => {
  const [one, other] = await two();
  hubs.clear();
  await pass(23_500);
  assert.equal(sockets.length, 2);
  sockets[1].say(subscribed("a-2"), event(3));
  await settle();
  for (const { heard } of [one, other]) assert.deepEqual(heard, ["connecting", "live", 3]);
});

test("a tab that is frozen leaves, and comes back with what it has seen", async () => {
  const [one, other] = await two();
  document.dispatchEvent(new Event("freeze"));
  await settle();
  assert.equal(sockets[0].readyState, 3);
  document.dispatchEvent(new Event("resume"));
  await settle();
  assert.ok(sockets[1].asked.every(({ since }) => since === "a-2"));
  sockets[1].say(subscribed("a-2"), event(3));
  await settle();
  for (const { heard } of [one, other]) assert.deepEqual(heard.filter(Number), [3]);
});

test("a whisper reaches the server and the other tab, and the last to say who it is counts", async () => {
  const [one, other] = await two();
  assert.equal(one.whisper("t", "hush"), true);
  await settle();
  assert.deepEqual(other.heard, [{ from: "here", data: "hush" }]);
  assert.deepEqual(one.heard, []);
  assert.deepEqual(sockets[0].asked, [{ op: "whisper", topic: "t", data: "hush" }]);
  const third = await open({ topics: { t: "a-2" }, me: () => ({ name: "Ada" }) });
  third.close();
  await settle();
  assert.deepEqual(sockets[0].asked.map(({ me }) => me), [{ name: "Ada" }, undefined]);
});

test("other people, other tickets and other servers have their own", async () => {
  await open();
  await open({ share: "bob" });
  await open({ ticket: () => "t1" });
  await open({ ticket: () => "t2" });
  await open({ url: "https://example.org" });
  await open({ ticket: () => "t2" });
  assert.equal(sockets.length, 5);
});

test("one tab gets the new ticket for all; one that does not answer is passed over", async () => {
  let ticket = "old";
  const asked = [];
  const renew = (name) => async () => {
    asked.push(name);
    if (name === "asleep") await new Promise(() => undefined);
    ticket = "new";
  };
  const options = { ticket: () => ticket };
  const one = await open({ ...options, renewTicket: renew("awake") });
  await pass(1000);
  const other = await open({ ...options, renewTicket: renew("asleep") });
  sockets[0].say(subscribed("a-0"));
  await settle();
  sockets[0].onclose({ code: 4401 });
  await pass(15_000);
  assert.equal(asked.at(-1), "awake");
  assert.equal(sockets.length, 2);
  sockets[1].say(subscribed("a-0"), event(1));
  await settle();
  for (const { heard } of [one, other]) assert.equal(heard.at(-1), 1);
});

test("a topic that is refused is refused in each tab, and the others go on", async () => {
  const [one, other] = await two();
  for (const tab of [one, other]) tab.subscribe("secret");
  await settle();
  sockets[0].say({ op: "error", topic: "secret", code: "not_allowed", detail: "" }, event(3));
  await settle();
  for (const { heard } of [one, other]) assert.deepEqual(heard.sort(), [3, "not_allowed"]);
});

test("a tab that crashed counts no more after a while", async () => {
  const [one] = await two();
  // As a tab that says nothing any more.
  const hub = [...hubs.values()][0];
  const ghost = { postMessage: () => undefined };
  hub.hear(ghost, { act: "attach", topics: [["ghost", null]], me: {}, ticket: null });
  await pass(200_000);
  assert.ok(sockets.at(-1).sent.some(({ op, topic }) => op === "unsubscribe" && topic === "ghost"));
  assert.equal(one.state("ghost"), undefined);
});

for (const [why, SharedWorker] of Object.entries({
  "there are no such workers": undefined,
  "a worker may not be made": class {
    constructor() {
      throw new Error("SecurityError");
    }
  },
  "its script does not load": class {
    port = { postMessage: () => undefined, close: () => undefined };
    constructor() {
      setImmediate(() => this.onerror());
    }
  },
  "it never answers": class {
    port = { postMessage: () => undefined, close: () => undefined };
  },
})) {
  test(`where ${why}, each tab has a connection of its own`, async () => {
    globalThis.SharedWorker = SharedWorker;
    const one = await open();
    await open();
    await pass(why === "it never answers" ? 6100 : 200);
    assert.equal(sockets.length, 2);
    sockets[0].say(subscribed("a-0"), event(1));
    assert.deepEqual(one.heard, ["connecting", "live", 1]);
  });
}
