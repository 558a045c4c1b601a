/**
 * The boards that were open in this browser lately. main.js writes each of them down, in an entry of its own.
 *
 * @typedef {{slug: string, title: string, at: number}} Recent `at`: when it was last opened, or its title changed
 */
const KEPT = "corkboard:recent:";
const MOST = 20;

/** Newest first. What is over the bound is forgotten. @returns {Recent[]} */
export function recents() {
  /** @type {Recent[]} */
  const found = [];
  try {
    for (const name of Object.keys(localStorage)) if (name.startsWith(KEPT)) found.push(read(name));
  } catch {
    // Storage is forbidden.
  }
  found.sort((one, other) => other.at - one.at);
  for (const { slug } of found.splice(MOST)) forget(slug);
  return found;
}

/** @param {string} name of an entry; one that was not written by us is the oldest @returns {Recent} */
function read(name) {
  const slug = name.slice(KEPT.length);
  try {
    const { title, at } = JSON.parse(localStorage[name]);
    return { slug, title: String(title), at: Number(at) || 0 };
  } catch {
    return { slug, title: "", at: 0 };
  }
}

/** @param {string} slug */
export function forget(slug) {
  localStorage.removeItem(KEPT + slug);
}
