/**
 * A tab's end of a shared connection; shared-worker.js has the other end.
 *
 * It takes the place of connection.js. The tab keeps its own position in each topic, and goes on from there when the worker
 * dies. A tab that is frozen or put into the back/forward cache leaves, and comes back with its position.
 *
 * @typedef {import("./types").Connection} Connection
 * @typedef {import("./types").ConnectionOptions} ConnectionOptions
 */

/** Milliseconds between two checks that the worker is alive: one that is killed says nothing. */
const ASK_EVERY = 15_000;
const ANSWER_WITHIN = 8_000;
const WAKE_ANSWER_WITHIN = 4_000;
/** A worker that has not answered by then does not work in this browser. */
const FIRST_ANSWER_WITHIN = 6_000;

/**
 * @param {string} share what tabs must have in common, besides the server and the ticket
 * @param {ConnectionOptions} options
 * @param {() => void} giveUp called when no worker can be used
 * @returns {Connection}
 */
export function shareConnection(share, { seen, place, renewTicket, receive, reset, onStatus, log }, giveUp) {
  /** How many workers have died. Part of the name, because the name of a dead worker may stay in use for a while. */
  let lives = 0;
  /** The worker's name. Tabs that differ in any of this have different workers. */
  const common = { share, base: place().base, ticket: place().ticket, canRenew: Boolean(renewTicket) };
  /** @type {any} */
  let port = null;
  let hasAnswered = false;
  /** Whether whispers can be sent. */
  let isSocket = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let asking;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let deadline;
  /** Callers that wait for a new ticket. @type {((isNew: boolean) => void)[]} */
  let renewals = [];

  /** What the worker can say, besides messages of the server. */
  const acts = {
    status(/** @type {any} */ { status, transport }) {
      isSocket = transport === "websocket";
      onStatus(status, transport);
    },
    /** The connection has ended: the next one goes on from this tab's position, with its present ticket. */
    reset: () => attach(),
    /** The worker asks this tab for a new ticket, for all of them. */
    async renew() {
      let isNew = true;
      try {
        isNew = (await renewTicket?.()) !== false;
      } catch (error) {
        console.warn("realtime: the ticket could not be renewed:", error);
      }
      say({ act: "renewed", isNew, ticket: place().ticket });
    },
    renewed(/** @type {any} */ { isNew }) {
      const waiting = renewals;
      renewals = [];
      for (const tell of waiting) tell(isNew);
    },
    /** The worker had dropped this tab. */
    unknown: () => attach(),
    alive: () => undefined,
  };

  const here = () => {
    const { ticket, me } = place();
    return { ticket, me: Object.fromEntries([...seen.keys()].map((topic) => [topic, me(topic)])) };
  };

  /** @param {any} message */
  function say(message) {
    port?.postMessage(message);
  }

  /** @param {any} message */
  function hear({ act, message, ...rest }) {
    hasAnswered = true;
    clearTimeout(deadline);
    deadline = undefined;
    if (message) receive(message);
    else acts[/** @type {keyof typeof acts} */ (act)](rest);
  }

  /** @param {number} patience */
  function expectAnswer(patience) {
    say({ act: "alive" });
    deadline ??= setTimeout(renewWorker, patience);
  }

  function askAgain() {
    clearTimeout(asking);
    asking = setTimeout(() => {
      expectAnswer(ANSWER_WITHIN);
      askAgain();
    }, ASK_EVERY);
  }

  /** Opens the worker. Tabs of an origin that use the same name get the same worker. */
  function open() {
    if (port) return;
    const name = JSON.stringify({ ...common, lives });
    /** @type {SharedWorker} */
    let worker;
    try {
      worker = new SharedWorker(new URL("./shared-worker.js", import.meta.url), { name, type: "module" });
    } catch {
      return close(), giveUp();
    }
    worker.onerror = () => fail();
    port = worker.port;
    port.onmessage = (/** @type {MessageEvent} */ { data }) => hear(data);
    attach();
    expectAnswer(FIRST_ANSWER_WITHIN);
    askAgain();
  }

  function attach() {
    log("shares a connection");
    reset();
    say({ act: "attach", topics: [...seen], canRenew: Boolean(renewTicket), ...here() });
  }

  function leave() {
    if (!port) return;
    say({ act: "leave" });
    port.close();
    port = null;
    clearTimeout(asking);
    clearTimeout(deadline);
    deadline = undefined;
    acts.renewed({ isNew: false });
    reset();
  }

  function fail() {
    leave();
    if (!hasAnswered) return close(), giveUp();
    hasAnswered = false;
    lives += 1;
    open();
  }

  function renewWorker() {
    deadline = undefined;
    log("the worker is gone");
    acts.status({ status: "connecting", transport: null });
    fail();
  }

  const listeners = new AbortController();
  /** @param {EventTarget} target @param {string} type @param {(event: any) => void} act */
  const on = (target, type, act) => target.addEventListener(type, act, { signal: listeners.signal });
  on(document, "visibilitychange", () => document.hidden || !port || (say({ act: "wake" }), expectAnswer(WAKE_ANSWER_WITHIN)));
  on(globalThis, "pagehide", leave);
  on(globalThis, "pageshow", ({ persisted }) => persisted && open());
  on(document, "freeze", leave);
  on(document, "resume", open);

  function close() {
    listeners.abort();
    leave();
  }

  /** @param {string} topic @param {boolean} isNew */
  const ask = (topic, isNew) => say({ act: "ask", topic, since: seen.get(topic), me: place().me(topic), isNew });

  acts.status({ status: "connecting", transport: null });
  open();
  return {
    ask: (topic) => ask(topic, false),
    subscribe: (topic) => ask(topic, true),
    unsubscribe: (topic) => say({ act: "unsubscribe", topic }),
    whisper(topic, data) {
      if (isSocket) say({ act: "whisper", topic, data });
      return isSocket;
    },
    renew() {
      if (!port) return Promise.resolve(false);
      say({ act: "renew" });
      return new Promise((resolve) => renewals.push(resolve));
    },
    close,
  };
}
