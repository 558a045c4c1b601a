/**
 * Loads modules when they are needed, however often that takes, and before them the words and the style that they use.
 */
import { addWords } from "./paper.js";

const IMPORTED = /^import [^"]*"(\.\/[\w-]+\.js)";$/gm;

/** @param {string} name */
async function fetchPart(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (answer.status === 404) dispatchEvent(new Event("corkboard:gone")); // start.js
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

/** Fetches a module and its imports into the cache. Browsers do not request a failed module again, but they load it
 * from the cache. @param {string} name @param {Set<string>} [fetched] */
async function prefetch(name, fetched = new Set()) {
  if (fetched.has(name)) return;
  fetched.add(name);
  const imported = (await (await fetchPart(name)).text()).matchAll(IMPORTED);
  await Promise.all([...imported].map(([, other]) => prefetch(other, fetched)));
}

/** Makes a function that loads something once; when that fails, the next call tries again.
 * @template T @param {() => Promise<T>} load */
function once(load) {
  /** @type {Promise<T> | null} */
  let loaded = null;
  return () =>
    (loaded ??= load().catch((error) => {
      loaded = null;
      throw error;
    }));
}

async function addLateWords() {
  addWords(await (await fetchPart("./words.json")).json());
}

/** Adds a style to the page, and returns when it is there. Rejects when it cannot be fetched.
 * @param {string} name @returns {Promise<unknown>} */
export function addStyle(name) {
  return new Promise((resolve, reject) => {
    const { href } = new URL(name, import.meta.url);
    const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: resolve });
    style.onerror = () => reject(style.remove());
    document.head.append(style);
  });
}

const addLateStyle = once(() => addStyle("./late.css"));
// It has what is seen in the system's colours.
if (matchMedia("(forced-colors: active)").matches) addLateStyle().catch(() => undefined);
const first = [once(addLateWords), addLateStyle];

/** Makes a function that loads a module once; when that fails, the next call tries again.
 * @template T @param {string} name @param {() => Promise<T>} load */
export const later = (name, load) => once(() => Promise.all([prefetch(name), ...first.map((add) => add())]).then(load));
