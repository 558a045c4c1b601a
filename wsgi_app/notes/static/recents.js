/**
 * The boards that were open recently in this browser. main.js keeps an entry for each in localStorage.
 *
 * @typedef {{slug: string, title: string, at: number}} Recent `at`: when it was last opened, or its title changed
 */
const KEPT = "corkboard:recent:";
const MOST = 20;

/** The boards, newest first; removes those beyond the limit. @returns {Recent[]} */
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

/** @param {string} name of an entry; an unreadable one counts as the oldest @returns {Recent} */
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
