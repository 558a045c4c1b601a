/**
 * The board's title: on the page, and in the form that changes it.
 *
 * @typedef {import("./api.js").Failure} Failure
 */
import { request } from "./api.js";
import { board } from "./cards.js";
import { entitle } from "./news.js";
import { about, element, t } from "./paper.js";

/** Called when it changes. */
let changed = () => {};

/** Shows the title that is known now: in the rail, and as the document's. */
export function showTitle() {
  const title = about.title || board;
  element("title").textContent = title;
  entitle(`${title} · Corkboard`);
  changed();
}

/** @param {string} slug */
const addressOf = (slug) => `/api/boards/${slug}`;

/** Sets a board's title, if the board is at this version. Rejects with a Failure.
 * @param {string} slug @param {string} title @param {number} version @returns {Promise<import("./paper.js").Board>} */
export function changeTitle(slug, title, version) {
  return request(addressOf(slug), { method: "PATCH", body: { title }, headers: { "If-Match": `"${version}"` } });
}

/** Makes a form change the title. A text that is being typed stays, whatever others do meanwhile.
 * @param {HTMLFormElement} form @param {HTMLInputElement} field @param {HTMLElement} said
 * @returns {() => void} shows what is known now, unless somebody types */
export function editTitle(form, field, said) {
  let { title: original, version } = about;
  field.value = original;

  changed = () => {
    if (field.value !== original) return;
    ({ title: original, version } = about);
    field.value = original;
  };

  /** @param {import("./paper.js").Board} now */
  function learn(now) {
    if (now.version >= about.version) Object.assign(about, now);
    ({ title: original, version } = now);
    showTitle();
  }

  async function save() {
    const title = field.value.trim();
    try {
      // The list has not come yet.
      if (version < 0) learn(await request(addressOf(board)));
      const now = await changeTitle(board, title, version);
      learn(now);
      if (field.value.trim() === title) field.value = now.title;
      said.textContent = t(now.title ? "saved" : "no-title");
    } catch (error) {
      const { status, message } = /** @type {Failure} */ (error);
      const now = status === 412 && (await request(addressOf(board)).catch(() => null));
      if (now) learn(now);
      // Isolated: it may run from right to left.
      if (now) said.textContent = t(now.title ? "title-changed" : "title-taken", { title: `\u2068${now.title}\u2069` });
      else said.textContent = t("title-not-saved", { why: message });
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  field.addEventListener("input", () => (said.textContent = ""));
  return changed;
}
