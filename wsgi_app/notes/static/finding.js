/**
 * Search, filter, and the way from board to board.
 *
 * @typedef {() => Promise<void>} Refresh shows what the filter asks for
 */
import { board, filter } from "./cards.js";
import { element, sorted } from "./layout.js";

const PAUSE = 180;
const finder = element("finder");

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** Asks when nobody has typed for a moment. @param {Refresh} refresh */
export function find(refresh) {
  clearTimeout(timer);
  timer = setTimeout(findNow, PAUSE, refresh);
}

/** @param {Refresh} refresh */
async function findNow(refresh) {
  clearTimeout(timer);
  const q = finder.elements.q.value.trim();
  const done = { open: false, done: true }[/** @type {string} */ (finder.elements.done.value)] ?? null;
  if (q === filter.q && done === filter.done) return;
  Object.assign(filter, { q, done });
  scrollTo(0, 0);
  await refresh();
  if (filter.q !== q || filter.done !== done) return;
  const found = element("more").hidden ? String(sorted.length) : `${sorted.length} and more`;
  element("found").textContent = q || done !== null ? `${found} ${sorted.length === 1 ? "note" : "notes"}` : "";
}

/** @param {HTMLFormElement} form @param {Refresh} refresh */
export function submit(form, refresh) {
  if (form === finder) findNow(refresh);
  else go(form);
}

/** Any words make a name: "Kitchen list" leads to kitchen-list. @param {HTMLFormElement} form */
function go(form) {
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("board"));
  const name = field.value.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "").slice(0, 64);
  field.setCustomValidity(name ? "" : "A name needs letters from a to z, or digits.");
  if (name) location.assign(`/b/${name}`);
  else field.reportValidity();
}

export async function copyAddress() {
  const address = new URL(`/b/${board}`, location.href).href;
  const button = element("copy");
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(address);
    button.textContent = "Copied";
  } catch {
    // The clipboard is open to secure origins only.
    prompt("The address of this board:", address);
  }
  setTimeout(() => (button.textContent = label), 2000);
}

/** @param {Refresh} refresh */
export function showEverything(refresh) {
  finder.reset();
  findNow(refresh);
  finder.elements.q.focus();
}
