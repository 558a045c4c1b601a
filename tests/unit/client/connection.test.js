/** By which transport a client is connected, and how soon it comes back. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { stayConnected } from "../../../asgi_app/client/connection.js";
import { pass, resumeTime, settle, stopTime } from "./time.js";

beforeEach(() => stopTime());
afterEach(resumeTime);

/** A client in a network that does what the test says. */
function client(options = {}) {
  /** Connections, in the order in which they were made. */
  const made = [];
  const heard = [];
  const transports = ["websocket", "sse", "poll"].map((name) => ({
    name,
    tries: name === "websocket" ? 2 : 1,
    load: () => (seen, ear, place) => {
      const one = { name, place, at: Date.now(), pings: 0, isClosed: false, lose: ear.lost, alive: ear.alive };
      one.speak = (message = { op: "pong" }) => (ear.alive(), ear.message(message));
      made.push(one);
      const ping = name === "websocket" && { ping: () => void (one.pings += 1) };
      return { subscribe() {}, unsubscribe() {}, close: () => void (one.isClosed = true), ...ping };
    },
  }));
  const connection = stayConnected({
    transports,
    seen: new Map(),
    log() {},
    place: () => ({ base: "", ticket: null }),
    receive: (message) => heard.push(message.op),
    reset: () => heard.push("reset"),
    onStatus: (status, transport) => heard.push(transport ? `${status} ${transport}` : status),
    ...options,
  });
  return { connection, made, heard, last: () => made.at(-1) };
}

/** Loses every connection as soon as it is made, until there are so many. */
async function loseUntil({ made, last }, count, loss = {}) {
  while (made.length < count) {
    const before = made.length;
    last().lose(loss);
    while (made.length === before) await pass(50);
  }
}

/** A client that has come down to an event stream. */
async function onStream() {
  const one = client();
  await settle();
  await loseUntil(one, 3);
  const stream = one.last();
  stream.speak();
  return { one, stream };
}

/** The waits between connections. */
const waits = ({ made }) => made.slice(1).map(({ at }, index) => at - made[index].at);

test("the first word makes it live", async () => {
  const { heard, last } = client();
  await settle();
  assert.deepEqual(heard, ["connecting"]);
  last().speak({ op: "subscribed" });
  assert.deepEqual(heard, ["connecting", "live websocket", "subscribed"]);
});

test("what lets no WebSocket through gets an event stream, and then polls", async () => {
  const one = client();
  await settle();
  await loseUntil(one, 4);
  assert.deepEqual(one.made.map(({ name }) => name), ["websocket", "websocket", "sse", "poll"]);
});

test("a transport of which nothing is heard for six seconds gives way to the next", async () => {
  const { made } = client();
  await pass(5900);
  assert.equal(made.length, 1);
  await pass(200);
  assert.deepEqual(made.map(({ name }) => name), ["websocket", "sse"]);
  assert.ok(made[0].isClosed);
});

test("a better transport is tried beside the lesser one, which goes on until the better one speaks", async () => {
  const { one, stream } = await onStream();
  await pass(9000);
  stream.alive();
  assert.equal(one.last().name, "websocket");
  assert.ok(!stream.isClosed);
  one.heard.length = 0;
  one.last().speak();
  assert.deepEqual(one.heard, ["reset", "live websocket", "pong"]);
  assert.ok(stream.isClosed);
});

test("no trial goes on beside a connection that is opened anew", async () => {
  const { one, stream } = await onStream();
  await pass(9000);
  stream.alive();
  assert.equal(one.last().name, "websocket");
  stream.lose({});
  await pass(1000);
  assert.deepEqual(one.made.filter(({ isClosed }) => !isClosed).map(({ name }) => name), ["sse"]);
});

test("what is tried in vain is tried less and less often, and every five minutes at last", async () => {
  const { one, stream } = await onStream();
  const tries = [];
  for (let second = 0; second < 1800; second += 1) {
    await pass(1000);
    stream.alive();
    if (one.last() === stream || one.last().isClosed) continue;
    tries.push(Date.now());
    one.last().lose({});
  }
  assert.ok(!stream.isClosed);
  const gaps = tries.slice(1).map((time, index) => Math.round((time - tries[index]) / 1000));
  assert.deepEqual(gaps.slice(0, 5), [16, 32, 64, 128, 256]);
  assert.ok(gaps.slice(5).every((gap) => gap === 300), String(gaps));
});

test("waits double with each failure, to twenty seconds, and chance takes a part of each", async () => {
  resumeTime();
  stopTime(0.999);
  const one = client();
  await settle();
  await loseUntil(one, 12, { code: 1012 });
  const long = waits(one);
  for (const [index, wait] of long.entries()) {
    const most = Math.min(20_000, 500 * 2 ** index);
    assert.ok(wait > 0.9 * most && wait <= most + 50, `${index}: ${wait}`);
  }
  resumeTime();
  stopTime(0);
  const lucky = client();
  await settle();
  await loseUntil(lucky, 5, { code: 1012 });
  assert.ok(waits(lucky).every((wait) => wait <= 50));
});

test("a connection that was good for some time is followed by a short wait again", async () => {
  const one = client();
  await settle();
  await loseUntil(one, 8, { code: 1012 });
  one.last().speak();
  await pass(6000);
  const lostAt = Date.now();
  await loseUntil(one, 9, { code: 1012 });
  assert.ok(one.last().at - lostAt <= 300);
});

test("a server that is full is left alone a little longer", async () => {
  const one = client();
  await settle();
  await loseUntil(one, 2, { code: 1013 });
  assert.ok(waits(one)[0] >= 1000);
});

for (const code of [1003, 1008, 1009]) {
  test(`who is blamed with ${code} waits for a minute at least`, async () => {
    const one = client();
    await settle();
    one.last().speak();
    await loseUntil(one, 2, { code });
    assert.ok(waits(one)[0] >= 60_000);
    assert.ok(waits(one)[0] <= 120_000);
  });
}

test("Retry-After is a lower bound", async () => {
  const one = client();
  await settle();
  await loseUntil(one, 3);
  await loseUntil(one, 4, { status: 503, retryAfter: 3000 });
  assert.ok(waits(one).at(-1) >= 3000);
});

for (const loss of [{ code: 4403 }, { code: 4401 }]) {
  test(`who is told ${loss.code}, and gets no new ticket, stays away`, async () => {
    const { heard, last, made } = client({ renewTicket: async () => false });
    await settle();
    last().speak();
    last().lose(loss);
    await pass(600_000);
    assert.equal(made.length, 1);
    assert.equal(heard.at(-1), "stopped");
  });
}

test("who was sent away comes back for one more topic, and for nothing else", async () => {
  const one = client();
  await settle();
  await loseUntil(one, 4);
  one.last().lose({ status: 403 });
  assert.equal(one.heard.at(-1), "stopped");
  one.connection.ask("t");
  await pass(60_000);
  assert.equal(one.made.length, 4);
  one.connection.subscribe("u");
  await settle();
  one.last().speak();
  assert.deepEqual(one.heard.slice(-3), ["connecting", "live websocket", "pong"]);
  one.last().lose({ code: 4403 });
  one.connection.close();
  one.connection.subscribe("v");
  await pass(60_000);
  assert.equal(one.made.length, 5);
  assert.equal(one.heard.at(-1), "stopped");
});

test("a ticket that has expired is renewed before the next connection, whether that works or not", async () => {
  for (const renewTicket of [async () => {}, () => assert.fail("on purpose")]) {
    const one = client({ renewTicket });
    await settle();
    one.last().speak();
    await loseUntil(one, 2, { code: 4401 });
    one.last().speak();
    assert.equal(one.heard.at(-2), "live websocket");
    one.connection.close();
  }
});

test("because of a refused topic there is one new ticket a minute at most", async () => {
  let asked = 0;
  const one = client({ renewTicket: async () => void (asked += 1) });
  await settle();
  one.last().speak();
  const answers = await Promise.all([one.connection.renew(), one.connection.renew()]);
  assert.deepEqual(answers, [true, true]);
  assert.equal(asked, 1);
  await pass(1000);
  assert.equal(one.made.length, 2);
  one.last().speak();
  assert.equal(await one.connection.renew(), false);
  await pass(60_000);
  one.last().alive();
  assert.equal(await one.connection.renew(), true);
  assert.equal(asked, 2);
});

test("a path that dies is noticed within thirty seconds", async () => {
  resumeTime();
  stopTime(0.999);
  const { made, last } = client();
  await settle();
  last().speak();
  await pass(17_900);
  assert.equal(made[0].pings, 0);
  await pass(8200);
  assert.equal(made[0].pings, 1);
  assert.ok(made[0].isClosed);
});

test("whatever is heard is a sign of life", async () => {
  const { made, last } = client();
  await settle();
  last().speak();
  for (let second = 0; second < 300; second += 1) {
    await pass(1000);
    if (second % 7 === 0) last().alive();
  }
  assert.equal(made.length, 1);
  assert.ok(last().pings >= 15);
});

test("after close() nothing happens, even from within a callback", async () => {
  for (const when of ["connecting", "live", "offline"]) {
    const one = client({
      onStatus: (status) => status === when && queueMicrotask(() => one.connection.close()),
    });
    await pass(1000);
    one.last()?.speak();
    await settle();
    one.connection.close();
    const before = one.made.length;
    await pass(600_000);
    assert.equal(one.made.length, before);
    assert.ok(one.made.every(({ isClosed }) => isClosed));
  }
});

test("who closes because of a refusal is told nothing more", async () => {
  const statuses = [];
  const one = client({
    receive: ({ op }) => op === "error" && one.connection.close(),
    onStatus: (status) => statuses.push(status),
  });
  await settle();
  one.last().speak();
  one.last().lose({ status: 401, refusal: { op: "error" } });
  await pass(60_000);
  assert.deepEqual(statuses, ["connecting", "live"]);
  assert.equal(one.made.length, 1);
});
