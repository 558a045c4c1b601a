/**
 * Drafts: text that was typed and not sent is kept on this device until it is sent or discarded.
 *
 * @typedef {{text: string, original: string}} Draft `original`: what the note said when its writer began
 */
const PREFIX = "corkboard:draft:";

/**
 * Keeps a draft, so that it survives the page.
 * @param {string} name a note's id, or `board:` and the board's name
 * @param {string} text empty: removes the draft
 * @param {string} [original]
 * @returns {boolean} whether it is kept: storage may be forbidden or full
 */
export function keepDraft(name, text, original = "") {
  try {
    if (text) localStorage[PREFIX + name] = JSON.stringify({ text, original });
    else localStorage.removeItem(PREFIX + name);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} name @returns {Draft | null} */
export function draft(name) {
  try {
    const kept = localStorage.getItem(PREFIX + name);
    return kept === null ? null : parse(kept);
  } catch {
    return null;
  }
}

/** Pages of the previous version keep the text alone. @param {string} kept @returns {Draft} */
function parse(kept) {
  try {
    const found = JSON.parse(kept);
    if (typeof found.text === "string") return found;
  } catch {
    // Not JSON: text.
  }
  return { text: kept, original: "" };
}

/** Ids of the notes that somebody has begun to change here. @param {string} board */
export function draftsOf(board) {
  try {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(`${PREFIX}${board}.`));
    return names.map((name) => name.slice(PREFIX.length));
  } catch {
    return [];
  }
}
