/**
 * One connection, and the tabs that share it.
 *
 * @typedef {{postMessage: (message: any) => void}} Tab
 */
import { stayConnected } from "./connection.js";
import { position } from "./cursor.js";
import { faceList } from "./faces.js";
import { TRANSPORTS } from "./transports.js";

/** Milliseconds without a message after which a tab counts as gone. Hidden tabs run their timers once a minute. */
const GONE_AFTER = 150_000;
/** Milliseconds that a tab has to bring a new ticket, before the next one is asked: it may be frozen. */
const TICKET_WITHIN = 10_000;
/** The `from` of whispers of other tabs of this browser. */
const HERE = "here";

/** @param {string | null} since @param {string | null} than */
function isOlder(since, than) {
  if (since === null || than === null) return false;
  const [here, there] = [position(since), position(than)];
  return here.epoch !== there.epoch || here.offset < there.offset;
}

/**
 * @param {string} base where the server is
 * @param {boolean} canRenew whether the tabs can get a new ticket
 */
export function openHub(base, canRenew) {
  /** When each tab was last heard. @type {Map<Tab, number>} */
  const tabs = new Map();
  /** Where the connection is in each topic. @type {Map<string, string | null>} */
  const seen = new Map();
  /** Of each topic: the tabs on it; those that wait for `subscribed`; the position of the others.
   * @type {Map<string, {on: Set<Tab>, waiting: Set<Tab>, others: string | null}>} */
  const topics = new Map();
  /** @type {ReturnType<typeof faceList<Tab>>} */
  const faces = faceList();
  /** @type {string | null} */
  let ticket = null;
  /** The last ticket that each showed. @type {WeakMap<Tab, string | null>} */
  const shown = new WeakMap();
  /** @type {any} */
  let status = { status: "connecting", transport: null };
  /** The last `behind` or `current`. @type {any} */
  let behind = null;
  /** @type {ReturnType<typeof stayConnected> | null} */
  let connection = null;
  /** @type {((isNew: boolean) => void) | null} */
  let gotTicket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let counting;

  const all = (/** @type {any} */ message) => [...tabs.keys()].forEach((tab) => tab.postMessage(message));

  /** Asks one tab after the other. @returns {Promise<boolean>} */
  async function renewTicket() {
    for (const tab of [...tabs.keys()].sort((one, other) => (tabs.get(other) ?? 0) - (tabs.get(one) ?? 0))) {
      if (!tabs.has(tab)) continue;
      tab.postMessage({ act: "renew" });
      const isNew = await new Promise((resolve) => {
        gotTicket = resolve;
        setTimeout(resolve, TICKET_WITHIN, null);
      });
      gotTicket = null;
      if (isNew !== null) return isNew;
    }
    return true;
  }

  function open() {
    connection = stayConnected({
      transports: TRANSPORTS,
      seen,
      log: () => undefined,
      place: () => ({ base, ticket, me: faces.of }),
      renewTicket: canRenew ? renewTicket : undefined,
      receive,
      reset() {
        for (const topic of topics.values()) [topic.waiting, topic.others] = [new Set(topic.on), null];
        behind = null;
        all({ act: "reset" });
      },
      onStatus(now, transport) {
        status = { act: "status", status: now, transport };
        all(status);
      },
    });
  }

  /** @param {any} message */
  function receive(message) {
    const { op, topic: name } = message;
    if (op === "behind" || op === "current") behind = message;
    if (op === "pong") return;
    if (name === undefined) return all({ message });
    const topic = topics.get(name);
    if (!topic) return;
    if (op === "subscribed") return receiveSubscribed(message);
    // Before `subscribed` comes, events still belong to the previous subscription.
    if (op === "event" && !topic.waiting.size) seen.set(name, message.id);
    for (const tab of topic.on) tab.postMessage({ message });
  }

  /** The tabs that waited begin at this position. @param {any} message */
  function receiveSubscribed(message) {
    const { topic: name, cursor, recovered } = message;
    const topic = /** @type {NonNullable<ReturnType<typeof topics.get>>} */ (topics.get(name));
    const { waiting, others } = topic;
    const at = others ?? seen.get(name);
    [topic.waiting, topic.others] = [new Set(), null];
    if (!recovered || !seen.get(name)) seen.set(name, cursor);
    for (const tab of waiting) tab.postMessage({ message });
    const rest = [...topic.on].filter((tab) => !waiting.has(tab));
    // Events that are lost for one tab may have been seen by others: these resume from their own position.
    if (recovered || !rest.length || !at || at === cursor) return;
    [topic.waiting, topic.others] = [new Set(rest), cursor];
    seen.set(name, at);
    connection?.ask(name);
  }

  /** @param {Tab} tab @param {string} name @param {string | null} since */
  function join(tab, name, since) {
    const topic = topics.get(name) ?? { on: new Set(), waiting: new Set(), others: null };
    topics.set(name, topic);
    topic.on.add(tab);
    topic.waiting.add(tab);
    const at = seen.get(name) ?? null;
    if (!seen.has(name) || (since !== null && at === null) || isOlder(since, at)) {
      topic.others ??= at;
      seen.set(name, since);
    }
  }

  /** @param {Tab} tab @param {string} name */
  function part(tab, name) {
    const topic = topics.get(name);
    if (!topic?.on.delete(tab)) return;
    topic.waiting.delete(tab);
    const isOtherFace = faces.remove(tab, name);
    if (!topic.on.size) {
      for (const known of [topics, seen]) known.delete(name);
      connection?.unsubscribe(name);
    } else if (isOtherFace) connection?.ask(name);
  }

  /** @param {Tab} tab */
  function leave(tab) {
    if (!tabs.delete(tab)) return;
    for (const name of [...topics.keys()]) part(tab, name);
    if (tabs.size) return;
    connection?.close();
    connection = null;
    clearTimeout(counting);
  }

  /** Drops tabs that were not heard for too long. */
  function count() {
    clearTimeout(counting);
    counting = setTimeout(count, GONE_AFTER / 5);
    for (const [tab, heard] of [...tabs]) if (Date.now() - heard > GONE_AFTER) leave(tab);
  }

  /** What a tab can say. @type {Record<string, (tab: Tab, what: any) => void>} */
  const acts = {
    /** A new tab, or one that says anew where it is. */
    attach(tab, what) {
      const isNew = !tabs.has(tab);
      tabs.set(tab, Date.now());
      count();
      // What it has shown before may be older than what another one has got since.
      if (what.ticket !== shown.get(tab)) ticket = what.ticket;
      shown.set(tab, what.ticket);
      const wanted = new Map(what.topics);
      for (const [name, since] of wanted) {
        faces.set(tab, name, what.me[name]);
        join(tab, name, since);
      }
      for (const [name, { on }] of [...topics]) if (on.has(tab) && !wanted.has(name)) part(tab, name);
      if (!connection) open();
      else for (const name of wanted.keys()) isNew ? connection.subscribe(name) : connection.ask(name);
      if (!isNew) return;
      tab.postMessage(status);
      if (behind) tab.postMessage({ message: behind });
    },
    ask(tab, { topic, since, me: face, isNew }) {
      faces.set(tab, topic, face);
      join(tab, topic, since);
      if (isNew) connection?.subscribe(topic);
      else connection?.ask(topic);
    },
    unsubscribe: (tab, { topic }) => part(tab, topic),
    whisper(tab, { topic, data }) {
      connection?.whisper(topic, data);
      const message = { op: "whisper", topic, from: HERE, data };
      for (const other of topics.get(topic)?.on ?? []) if (other !== tab) other.postMessage({ message });
    },
    wake: () => connection?.wake(),
    async renew(tab) {
      tab.postMessage({ act: "renewed", isNew: Boolean(await connection?.renew()) });
    },
    renewed(tab, what) {
      if (what.isNew) ticket = what.ticket;
      shown.set(tab, what.ticket);
      gotTicket?.(what.isNew);
    },
    leave,
    alive: (tab) => tab.postMessage({ act: "alive" }),
  };

  return {
    /** @param {Tab} tab @param {any} what */
    hear(tab, { act, ...what }) {
      if (tabs.has(tab)) tabs.set(tab, Date.now());
      else if (act !== "attach" && act !== "leave") return tab.postMessage({ act: "unknown" });
      acts[act](tab, what);
    },
  };
}
