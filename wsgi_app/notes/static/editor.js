/**
 * The form in which a note's text is changed, and in which its writer is asked about it.
 */
import { make } from "./elements.js";
import { t } from "./paper.js";

/** @returns {any} a form */
export function makeEditor() {
  const conflict = make(
    "div", { className: "conflict", role: "alert", hidden: true },
    make("p", { className: "what" }),
    " ",
    make("blockquote", { className: "theirs", dir: "auto" }),
    make("div", { className: "choice" }, make("button", { type: "button" }), make("button", { type: "button", className: "plain" })),
  );
  return make(
    "form", { className: "editor" },
    make("textarea", { rows: 2, dir: "auto", ariaLabel: t("text-of-note") }),
    make("p", { className: "message", role: "status" }),
    conflict,
    make("div", { className: "choice keep" }, make("button", {}, t("save")), make("button", { type: "button", className: "plain cancel" }, t("cancel"))),
  );
}
