/**
 * Many viewers of one page: all that its script does but the drawing, over real sockets and with real requests.
 *
 *     node viewers.js URL VIEWERS
 *
 * Writes `ready` when every viewer knows how many they are, and `request TIME` whenever one of them begins a request;
 * `stall TIME MILLISECONDS` when nothing ran here for so long, on a busy machine. Until it is ended.
 *
 * @typedef {import("../../asgi_app/client/types").Listening} Listening
 */
const [url, viewers] = /** @type {any} */ (globalThis).process.argv.slice(2);

const TICK = 25;

// What the scripts expect of a browser.
Object.assign(globalThis, {
  addEventListener: () => undefined,
  document: { hidden: false, addEventListener: () => undefined },
  location: new URL(url),
});
export {};
const { follow } = await import("../../asgi_app/client/follow.js");

/** @returns {Promise<{listening: Listening, content: any}>} */
async function fetchPage() {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the page answered ${response.status}`);
  const [, , text = ""] = /data-realtime=(["'])(.*?)\1/.exec(await response.text()) ?? [];
  const signs = { quot: '"', "#39": "'", "#34": '"', lt: "<", gt: ">", amp: "&" };
  const unescape = (/** @type {string} */ _, /** @type {keyof typeof signs} */ name) => signs[name];
  return { listening: JSON.parse(text.replace(/&([#\w]+);/g, unescape)), content: null };
}

let last = performance.now();
setInterval(() => {
  const now = performance.now();
  if (now - last > 2 * TICK) console.log("stall", now, now - last - TICK);
  last = now;
}, TICK);

let connecting = 0;
let counted = 0;

/** Opens the page as one more viewer, and stays. */
async function open() {
  let isCounted = false;
  const { listening } = await fetchPage();
  follow(listening, {
    fetch() {
      console.log("request", performance.now());
      return fetchPage();
    },
    show: () => undefined,
    swap: () => undefined,
    isFollowed: () => true,
    onStatus: () => undefined,
    tell(name, detail) {
      if (name !== "realtime:presence" || isCounted || /** @type {any} */ (detail).count < viewers) return true;
      isCounted = true;
      counted += 1;
      if (counted === Number(viewers)) console.log("ready");
      return true;
    },
  });
}

// A few at a time, as a crowd gathers.
await Promise.all(
  Array.from({ length: 20 }, async () => {
    while (connecting < viewers) {
      connecting += 1;
      await open();
    }
  }),
);
