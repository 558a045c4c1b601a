/**
 * What the board's button opens: its title, other boards, and ways to share this one.
 *
 * @typedef {import("./api.js").Failure} Failure
 */
import { say } from "./api.js";
import { board } from "./cards.js";
import { make } from "./elements.js";
import { goTo } from "./going.js";
import { addStyle, later } from "./later.js";
import { element, t } from "./paper.js";
import { forget, recents } from "./recents.js";
import { editTitle } from "./title.js";

const address = new URL(`/b/${board}`, location.href).href;
const keys = later("./keys.js", () => import("./keys.js"));
const printing = later("./printing.js", () => import("./printing.js"));
const sayUnloaded = () => say(t("try-later"));

// --- Ways to other boards ------------------------------------------------------------------------

/** @type {HTMLInputElement} */
const field = make("input", { id: "board", name: "board", required: true, maxLength: 80, placeholder: t("example-board"), dir: "auto", spellcheck: false });
const button = make("button", {}, t("go"));
const elsewhere = make(
  "form", { autocomplete: "off" },
  make("label", { htmlFor: field.id }, t("go-to-board")),
  make("div", { className: "row" }, field, button),
);

field.addEventListener("input", () => field.setCustomValidity(""));
elsewhere.addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
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
});

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

// --- Ways to share this one ----------------------------------------------------------------------

const copy = make("button", { type: "button", textContent: t("copy-address") });
copy.addEventListener("click", async () => {
  const label = copy.textContent;
  try {
    await navigator.clipboard.writeText(address);
    copy.textContent = t("copied");
  } catch {
    // Scripts may use the clipboard on secure origins only.
    prompt(t("board-address"), address);
  }
  setTimeout(() => (copy.textContent = label), 2000);
});

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

// --- The rest ------------------------------------------------------------------------------------

const paper = make("button", { type: "button", className: "plain", textContent: t("print") });
paper.addEventListener("click", () =>
  printing().then(({ printBoard }) => printBoard().catch(({ message }) => say(message)), sayUnloaded));
const help = make("button", { type: "button", className: "plain", textContent: t("keys") });
help.addEventListener("click", () => keys().then(({ openSheet }) => openSheet(), sayUnloaded));

const popover = make(
  "div", { id: "boards", popover: "auto" },
  title, elsewhere, recent,
  make("p", {}, t("who-sees")),
  make("p", { className: "links" }, paper, help, make("a", { href: "/docs" }, t("for-programs"))),
  make("div", { className: "ways" }, copy, share, code, file),
  picture,
);
const recall = editTitle(title, input, said);
// Updates what may have changed since it was open last.
popover.addEventListener("beforetoggle", (/** @type {ToggleEvent} */ { newState }) => {
  if (newState !== "open") return;
  said.textContent = "";
  recall();
  showRecents();
});
addStyle("./boards.css").catch(() => undefined);
element("select").parentElement.append(popover);
printing().catch(() => undefined);

/** Opens it. Once it is made, its button does so without a script. */
export const open = () => popover.togglePopover(true);
