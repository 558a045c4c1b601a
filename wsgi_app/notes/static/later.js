/**
 * Loads modules when they are needed, and tries again when that fails.
 */
const IMPORTED = /^import [^"]*"(\.\/[\w-]+\.js)";$/gm;

/** Fetches a module and its imports into the cache. Browsers do not request a failed module again, but they load it
 * from the cache. @param {string} name @param {Set<string>} [fetched] */
async function prefetch(name, fetched = new Set()) {
  if (fetched.has(name)) return;
  fetched.add(name);
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  const imported = (await answer.text()).matchAll(IMPORTED);
  await Promise.all([...imported].map(([, other]) => prefetch(other, fetched)));
}

/** Makes a function that loads a module once; when that fails, the next call tries again.
 * @template T @param {string} name @param {() => Promise<T>} load */
export function later(name, load) {
  /** @type {Promise<T> | null} */
  let loaded = null;
  return () =>
    (loaded ??= prefetch(name).then(load).catch((error) => {
      loaded = null;
      throw error;
    }));
}
