/**
 * What the board's button opens: its title, other boards, and ways to share this one.
 *
 * @typedef {import("./api.js").Failure} Failure
 */
import { board } from "./cards.js";
import { make } from "./elements.js";
import { goTo } from "./going.js";
import { addStyle } from "./later.js";
import { element, t } from "./paper.js";
import { forget, recents } from "./recents.js";
import { editTitle } from "./title.js";

const popover = element("boards");
const field = /** @type {HTMLInputElement} */ (element("board"));
const address = new URL(`/b/${board}`, location.href).href;

field.addEventListener("input", () => field.setCustomValidity(""));

/** Goes to the board that was typed. @param {HTMLFormElement} form */
export async function go(form) {
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  const words = field.value.trim();
  if (!words || button.disabled) return;
  button.disabled = true;
  try {
    await goTo(words);
  } catch (error) {
    field.setCustomValidity(/** @type {Failure} */ (error).message);
    field.reportValidity();
  }
  button.disabled = false;
}

export async function copyAddress() {
  const button = element("copy");
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(address);
    button.textContent = t("copied");
  } catch {
    // Scripts may use the clipboard on secure origins only.
    prompt(t("board-address"), address);
  }
  setTimeout(() => (button.textContent = label), 2000);
}

// --- What is in it besides -----------------------------------------------------------------------

const input = make("input", { id: "board-title", maxLength: 80, dir: "auto", autocomplete: "off", placeholder: board });
const said = make("p", { role: "status" });
const title = make(
  "form", {},
  make("label", { htmlFor: input.id }, t("board-title")),
  make("div", { className: "row" }, input, make("button", {}, t("save"))),
  said,
);

const others = make("ul", { role: "list" });
const recent = make("section", { ariaLabel: t("recent-boards") }, make("h2", {}, t("recent-boards")), others);

function showRecents() {
  const found = recents().filter(({ slug }) => slug !== board);
  recent.hidden = !found.length;
  others.replaceChildren(...found.map(({ slug, title: called }) => {
    const name = called || slug;
    const away = make("button", { type: "button", className: "plain", ariaLabel: t("forget-board", { title: name }), textContent: "×" });
    const item = make("li", {}, make("a", { href: `/b/${slug}`, title: slug }, make("bdi", {}, name)), away);
    away.addEventListener("click", () => {
      const next = item.nextElementSibling ?? item.previousElementSibling;
      forget(slug);
      item.remove();
      recent.hidden = !others.children.length;
      /** @type {HTMLElement} */ (next?.querySelector("button") ?? field).focus();
    });
    return item;
  }));
}

const code = make("button", { type: "button", textContent: t("qr-code"), ariaExpanded: "false" });
const picture = make("img", { alt: t("qr-of", { address }), hidden: true });
picture.addEventListener("error", () => {
  show(false);
  said.textContent = t("qr-not-fetched");
});

/** @param {boolean} isShown */
function show(isShown) {
  if (isShown) picture.src = `/api/boards/${board}/qr.svg`;
  picture.hidden = !isShown;
  code.ariaExpanded = String(isShown);
}
code.addEventListener("click", () => show(picture.hidden));

const share = make("button", { type: "button", textContent: t("share"), hidden: !("share" in navigator) });
// `share` rejects when somebody closes its dialog, which is no error.
share.addEventListener("click", () => navigator.share({ title: document.title, url: address }).catch(() => undefined));

const file = make("a", { href: `/api/notes/export?board=${board}`, className: "button", textContent: t("export-notes") });
file.addEventListener("click", () => {
  file.download = `${board}-${new Date().toISOString().slice(0, 10)}.ndjson`;
});

addStyle("./boards.css").catch(() => undefined);
popover.prepend(title);
element("go").after(recent);
popover.append(make("div", { className: "ways" }, element("copy"), share, code, file), picture);
const recall = editTitle(title, input, said);

/** Updates what may have changed since the menu was last open. */
export function open() {
  said.textContent = "";
  recall();
  showRecents();
}
