/** The object that a page has in its hands. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { connect, isWithin } from "../../../asgi_app/client/realtime.js";
import { resumeTime, settle, stopTime } from "./time.js";

/** The server's end of the last WebSocket. */
let server;
let errors;

beforeEach(() => {
  stopTime();
  errors = [];
  globalThis.reportError = (error) => errors.push(error.message);
  globalThis.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    sent = [];
    constructor(address) {
      this.address = String(address);
      server = this;
    }
    send(text) {
      this.sent.push(JSON.parse(text));
    }
    say(...messages) {
      for (const message of messages) this.onmessage({ data: JSON.stringify(message) });
    }
    close() {
      this.readyState = 3;
    }
  };
});
afterEach(() => {
  resumeTime();
  delete globalThis.reportError;
});

const URL_OF = "https://example.com";
const SUBSCRIBED = { op: "subscribed", topic: "t", cursor: "a-0", recovered: true };
const event = (number, type = "x") => ({ op: "event", topic: "t", id: `a-${number}`, type, data: number });

async function connected(options) {
  const realtime = connect({ topics: ["t"], url: URL_OF, ...options });
  await settle();
  server.onopen();
  server.say(SUBSCRIBED);
  return realtime;
}

for (const [url, address] of Object.entries({
  "https://example.com": "wss://example.com/ws",
  "http://example.com:8080/": "ws://example.com:8080/ws",
  "https://example.com/live": "wss://example.com/live/ws",
  "https://example.com/live/?a=b#c": "wss://example.com/live/ws",
})) {
  test(`what is at ${url} is reached at ${address}`, async () => {
    const realtime = connect({ topics: [], url });
    await settle();
    assert.equal(server.address, address);
    realtime.close();
  });
}

test("outside of a page there must be a url", () => {
  assert.throws(() => connect({ topics: [] }), TypeError);
});

test("on() adds, off() takes away, and on* options are short for on()", async () => {
  const heard = [];
  const [one, two] = [(what) => heard.push(["one", what.id]), (what) => heard.push(["two", what.id])];
  const realtime = await connected({ onEvent: one });
  realtime.on("event", two);
  server.say(event(1));
  realtime.off("event", one);
  server.say(event(2));
  assert.deepEqual(heard, [["one", "a-1"], ["two", "a-1"], ["two", "a-2"]]);
  realtime.close();
});

test("events of one type have a name of their own", async () => {
  const heard = [];
  const realtime = await connected();
  realtime.on("event:created", ({ data }) => heard.push(data));
  server.say(event(1, "created"), event(2, "deleted"), event(3, "created"));
  assert.deepEqual(heard, [1, 3]);
  realtime.close();
});

test("what a callback throws, at once or later, is reported, and everybody else hears the event", async () => {
  const heard = [];
  const realtime = await connected({
    onEvent: ({ id }) => {
      throw new Error(id);
    },
    onStatus: () => assert.fail("status"),
  });
  realtime.on("event", async ({ id }) => assert.fail(`later ${id}`));
  realtime.on("event", ({ id }) => heard.push(id));
  server.say(event(1), event(2));
  await settle();
  assert.deepEqual(heard, ["a-1", "a-2"]);
  assert.deepEqual(errors, ["status", "status", "a-1", "a-2", "later a-1", "later a-2"]);
  realtime.close();
});

test("a ticket() that throws counts as none", async () => {
  const realtime = connect({ topics: [], url: URL_OF, ticket: () => assert.fail("on purpose") });
  await settle();
  assert.equal(server.address, "wss://example.com/ws");
  assert.deepEqual(errors, ["on purpose"]);
  realtime.close();
});

test("where there is no reportError the console has it", async (t) => {
  delete globalThis.reportError;
  const { mock } = t.mock.method(console, "error", () => {});
  const realtime = await connected({ onEvent: () => assert.fail("on purpose") });
  server.say(event(1));
  assert.equal(mock.calls[0].arguments[0].message, "on purpose");
  realtime.close();
});

test("topics come and go", async () => {
  const realtime = await connected();
  realtime.subscribe("u", "b-7");
  realtime.unsubscribe("t");
  realtime.unsubscribe("never");
  assert.deepEqual(server.sent.slice(1), [
    { op: "subscribe", topic: "u", since: "b-7" },
    { op: "unsubscribe", topic: "t" },
  ]);
  assert.deepEqual(["t", "u"].map(realtime.state), [undefined, "connecting"]);
  realtime.close();
});

test("after close() in a callback nothing more is heard", async () => {
  const heard = [];
  const realtime = await connected();
  realtime.on("event", ({ id }) => {
    heard.push(id);
    realtime.close();
  });
  const { onmessage } = server;
  server.say(event(1));
  onmessage({ data: JSON.stringify(event(2)) });
  assert.deepEqual(heard, ["a-1"]);
  assert.equal(server.readyState, 3);
});

test("with debug the console is told of connections and messages, and of nothing without", async (t) => {
  const { mock } = t.mock.method(console, "debug", () => {});
  for (const debug of [false, true]) {
    const realtime = await connected({ debug });
    server.onclose({ code: 1012 });
    realtime.close();
  }
  assert.deepEqual(mock.calls.map(({ arguments: [, ...what] }) => what), [
    ["websocket", "opens"],
    ["websocket", SUBSCRIBED],
    ["websocket", "lost", { code: 1012 }],
  ]);
});

test("isWithin says whether an event is in a state", () => {
  assert.ok(isWithin("a-7", "a-7"));
  assert.ok(isWithin("a-10", "a-9"));
  assert.ok(!isWithin("a-7", "a-8"));
  assert.ok(!isWithin("b-7", "a-1"));
  assert.ok(!isWithin(null, "a-1"));
});
