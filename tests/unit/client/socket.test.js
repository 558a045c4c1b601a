/** What is sent over a WebSocket, and how fast. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { openSocket } from "../../../asgi_app/client/socket.js";
import { pass, resumeTime, stopTime } from "./time.js";

const MOST_TOPICS = 100;
const MOST_MESSAGES = 100;

/** A server with the sidecar's bounds, at the end of a network that is slow from time to time. */
class Server {
  constructor(delay) {
    this.delay = delay;
    this.readyState = 0;
    this.received = [];
    this.topics = new Set();
    this.isClosed = false;
    this.arrival = 0;
    Server.last = this;
  }
  open() {
    this.readyState = 1;
    this.onopen();
  }
  send(text) {
    // Nothing overtakes.
    this.arrival = Math.max(this.arrival, Date.now() + this.delay());
    setTimeout(() => this.receive(JSON.parse(text)), this.arrival - Date.now());
  }
  receive(message) {
    this.received.push({ ...message, at: Date.now() });
    const before = this.received.at(-1 - MOST_MESSAGES);
    if (before && Date.now() - before.at < 1000) this.isClosed = true;
    const { op, topic } = message;
    if (op === "ping") return this.say({ op: "pong" });
    if (op === "whisper") return;
    if (op === "unsubscribe") return this.topics.delete(topic);
    if (this.topics.size >= MOST_TOPICS) return this.say({ op: "error", topic, code: "too_many_topics", detail: "" });
    this.topics.add(topic);
    this.say({ op: "subscribed", topic, cursor: "a-0", recovered: true });
  }
  say(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  close() {}
}

beforeEach(() => {
  stopTime();
  globalThis.WebSocket = class extends Server {
    static OPEN = 1;
    constructor(address) {
      super(delay);
      this.address = String(address);
    }
  };
});
afterEach(resumeTime);

let delay = () => 0;
const names = (count) => Array.from({ length: count }, (_, number) => `board:${number}`);

function socket(topics, place = { base: "https://example.com/a", ticket: null, me: () => undefined }) {
  const messages = [];
  const seen = new Map(topics.map((topic) => [topic, null]));
  const ear = { alive() {}, message: (message) => messages.push(message), lost() {} };
  return { carrier: openSocket(seen, ear, place), seen, messages, server: Server.last };
}

test("the address is that of the site, and the ticket is in it", () => {
  assert.equal(socket([]).server.address, "wss://example.com/a/ws");
  const place = { base: "http://127.0.0.1:8080", ticket: "a+b", me: () => undefined };
  assert.equal(socket([], place).server.address, "ws://127.0.0.1:8080/ws?ticket=a%2Bb");
});

for (const [name, slow] of Object.entries({
  "a fast": () => 1,
  "a slow": () => 400,
  "a fitful": () => (Date.now() % 3000 < 1500 ? 1 : 1600),
})) {
  test(`over ${name} network more topics than the server takes are all asked for, within its bounds`, async () => {
    delay = slow;
    const { server, messages } = socket(names(350));
    server.open();
    await pass(30_000);
    assert.ok(!server.isClosed);
    const topics = (op) => messages.filter((message) => message.op === op).map(({ topic }) => topic);
    assert.deepEqual(topics("subscribed"), names(350).slice(0, MOST_TOPICS));
    assert.deepEqual(topics("error"), names(350).slice(MOST_TOPICS));
  });
}

test("a page that changes its mind all the time is no flood", async () => {
  delay = () => 5;
  const { carrier, seen, server } = socket([]);
  server.open();
  for (let second = 0; second < 20; second += 1) {
    for (const topic of names(90)) {
      seen.set(topic, "a-7");
      carrier.subscribe(topic);
      if (second % 2) carrier.unsubscribe(topic);
    }
    carrier.ping();
    await pass(1000);
  }
  await pass(5000);
  assert.ok(!server.isClosed);
  assert.equal(server.topics.size, 0);
});

test("what was seen last is asked for from there, as it is when the message is sent", async () => {
  const { carrier, seen, server } = socket(names(81));
  server.open();
  seen.set("board:80", "a-5");
  await pass(2000);
  assert.equal(server.received.find(({ topic }) => topic === "board:80").since, "a-5");
  seen.set("board:0", "a-6");
  carrier.subscribe("board:0");
  await pass(50);
  assert.equal(server.received.at(-1).since, "a-6");
});

test("who this client is goes along with each subscribe, as it is then", async () => {
  let name = "Ada";
  const { carrier, server } = socket(["t"], { base: "http://a", ticket: null, me: (topic) => ({ name, topic }) });
  server.open();
  name = "Eve";
  carrier.subscribe("t");
  await pass(50);
  assert.deepEqual(server.received.map(({ me }) => me), [{ name: "Ada", topic: "t" }, { name: "Eve", topic: "t" }]);
});

test("of more whispers than the server takes the others are not sent, whatever else is said", async () => {
  const { carrier, server } = socket(names(350));
  assert.equal(carrier.whisper("t", 0), false);
  server.open();
  const whisper = () => Array.from({ length: 30 }, (_, number) => carrier.whisper("t", number)).filter(Boolean).length;
  assert.equal(whisper(), 20);
  await pass(500);
  assert.equal(whisper(), 0);
  await pass(600);
  assert.equal(whisper(), 20);
  await pass(10_000);
  assert.ok(!server.isClosed);
  const said = server.received.filter(({ op }) => op === "whisper");
  assert.deepEqual(said.slice(0, 20).map(({ topic, data }) => [topic, data]), Array.from({ length: 20 }, (_, n) => ["t", n]));
});

test("who listens to nothing asks for a sign of life", async () => {
  const { server, messages } = socket([]);
  server.open();
  await pass(100);
  assert.deepEqual(messages, [{ op: "pong" }]);
});
