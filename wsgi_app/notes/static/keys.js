/**
 * The wall's keys, and the sheet that lists them.
 *
 * Single-letter keys can be turned off, because speech input would press them with any word.
 * https://www.w3.org/TR/WCAG22/#character-key-shortcuts
 */
import { make } from "./elements.js";
import { element, t } from "./paper.js";
import { OFF, isOn } from "./shortcuts.js";

/** Keys, and the words for what they do. Several keys in a row are pressed together. */
const KEYS = [
  [["?"], "key-help"],
  [["N"], "key-new"],
  [["/"], "key-search"],
  [[t("ctrl"), t("enter")], "key-pin"],
  [["Esc"], "key-leave"],
  [["←", "↑", "→", "↓"], "key-arrows"],
  [["Alt", "↑", "↓"], "key-move"],
  [["Alt", t("home"), t("end")], "key-ends"],
  [[t("ctrl"), t("click")], "key-select"],
  [[t("ctrl"), "Z"], "key-undo"],
];

function build() {
  const title = make("h2", { id: "keys-title" }, t("keys"));
  const rows = KEYS.map(([keys, does]) => {
    const caps = /** @type {string[]} */ (keys).flatMap((key) => [make("kbd", {}, key), " "]);
    return make("div", {}, make("dt", {}, ...caps), make("dd", {}, t(/** @type {string} */ (does))));
  });
  const choice = make("input", { type: "checkbox", checked: isOn() });
  choice.addEventListener("change", () => {
    try {
      if (choice.checked) localStorage.removeItem(OFF);
      else localStorage[OFF] = "1";
    } catch {
      // Storage is forbidden or full: the keys stay as they were.
    }
  });
  const close = make("button", {}, t("close"));
  const form = make("form", { method: "dialog" }, make("label", {}, choice, " ", t("single-keys")), close);
  const sheet = make("dialog", { id: "keys-sheet" }, title, make("dl", {}, ...rows), form);
  sheet.setAttribute("aria-labelledby", title.id);
  sheet.setAttribute("closedby", "any");
  document.body.append(sheet);
  return sheet;
}

/** Opens the sheet; when it closes, the focus returns to where it was. */
export function openSheet() {
  const sheet = element("keys-sheet") ?? build();
  const from = /** @type {HTMLElement} */ (document.activeElement);
  // The button that opened it may be in a menu that has closed.
  const menu = from.closest("[popover]");
  const back = /** @type {HTMLElement | null} */ (menu ? document.querySelector(`[popovertarget="${menu.id}"]`) : from);
  sheet.addEventListener("close", () => back?.focus(), { once: true });
  sheet.showModal();
}

/** @type {Record<string, () => void>} */
const acts = {
  "?": openSheet,
  n: () => element("text").focus(),
  "/": () => element("finder").elements.q.focus(),
};

/** @param {string} key one of shortcuts.js */
export const press = (key) => acts[key]();
