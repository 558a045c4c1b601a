/** The functions of a page that are called when something happens. What they throw is reported, and goes no further. */

/** @param {unknown} error */
const report = (error) => (globalThis.reportError ?? console.error)(error);

/**
 * What a function of the page returns; undefined when it throws.
 * @template {any[]} A @template R @param {((...args: A) => R) | undefined} fn @param {A} args @returns {R | undefined}
 */
export function call(fn, ...args) {
  try {
    return fn?.(...args);
  } catch (error) {
    report(error);
    return undefined;
  }
}

/** Functions by the name of what they wait for. */
export function callbacks() {
  /** @type {Map<string, Set<(...args: any[]) => any>>} */
  const byName = new Map();
  return {
    /** @param {string} name @param {(...args: any[]) => any} fn */
    on(name, fn) {
      byName.set(name, (byName.get(name) ?? new Set()).add(fn));
    },
    /** @param {string} name @param {(...args: any[]) => any} fn */
    off(name, fn) {
      byName.get(name)?.delete(fn);
    },
    /** @param {string} name @param {any[]} args */
    emit(name, ...args) {
      // Nobody else sees what an async function throws; in Node it would end the process.
      for (const fn of [...(byName.get(name) ?? [])]) call(fn, ...args)?.then?.(undefined, report);
    },
  };
}
