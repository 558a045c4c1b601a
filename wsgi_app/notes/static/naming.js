/**
 * The list of the people who are here, and the form for this person's name and colour.
 */
import { make } from "./elements.js";
import { COLORS, clean, keepName, ownName } from "./names.js";
import { element, t } from "./paper.js";

/** Makes the number of people a button that opens both.
 * @param {() => void} changed called when this person's name has changed
 * @returns {{names: HTMLElement, all: HTMLElement}} where to show the first few, and all of them */
export function openNaming(changed) {
  const field = make("input", { name: "name", maxLength: 40, required: true, dir: "auto", autocomplete: "nickname" });
  const words = t("person-colors").split(" ");
  const swatches = COLORS.map((color, index) => {
    const input = make("input", { type: "radio", name: "color", value: color });
    const label = make("label", { className: "swatch" }, input, make("span", { className: "unseen" }, words[index]));
    label.dataset.person = color;
    return label;
  });
  const form = make(
    "form", {},
    make("label", {}, t("your-name"), field),
    make("fieldset", {}, make("legend", {}, t("your-color")), ...swatches),
    make("p", {}, t("about-names")),
    make("button", {}, t("keep-name")),
  );
  const all = make("ul", { role: "list" });
  const box = make("div", { id: "meet", popover: "auto" }, make("h2", {}, t("who-is-here")), all, form);

  box.addEventListener("beforetoggle", () => {
    const own = ownName();
    field.value = own.name;
    form.elements.color.value = own.color;
  });
  form.addEventListener("submit", (/** @type {SubmitEvent} */ submit) => {
    submit.preventDefault();
    const name = clean(field.value);
    if (name) keepName({ name, color: form.elements.color.value });
    box.hidePopover();
    changed();
  });

  const place = element("people");
  const names = make("span", { className: "names" });
  const button = make("button", { type: "button" }, ...place.childNodes, names);
  button.setAttribute("popovertarget", box.id);
  place.append(button);
  place.after(box);
  return { names, all };
}
