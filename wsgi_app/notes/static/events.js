// Shows the messages of the WebSocket, from the sidecar's AsyncAPI document.

const page = /** @type {HTMLElement} */ (document.querySelector("#events"));

/** Makes an element; text between backticks becomes a code element. @param {string} name @param {...(Node | string)} parts */
function make(name, ...parts) {
  const made = document.createElement(name);
  for (const part of parts) {
    if (typeof part !== "string") made.append(part);
    else part.split("`").forEach((text, index) => made.append(index % 2 ? code(text) : text));
  }
  return made;
}

/** @param {string} text */
function code(text) {
  const made = document.createElement("code");
  made.textContent = text;
  return made;
}

/** Resolves a reference. @param {any} root @param {string} reference */
const follow = (root, reference) => reference.slice(2).split("/").reduce((node, part) => node[part], root);

/** A schema in words. @param {any} schema @returns {string} */
function kind(schema) {
  if (schema.$ref) return `\`${schema.$ref.split("/").at(-1)}\``;
  if (schema.anyOf) return schema.anyOf.filter((/** @type {any} */ one) => one.type !== "null").map(kind).join(" or ");
  if ("const" in schema) return `always \`"${schema.const}"\``;
  if (schema.enum) return schema.enum.map((/** @type {string} */ one) => `\`"${one}"\``).join(" or ");
  if (schema.type === "array") return `list of ${kind(schema.items)}`;
  return (schema.type ?? "any JSON") + (schema.pattern ? ` matching \`${schema.pattern}\`` : "");
}

/** @param {any} schema of an object */
function table({ properties, required = [] }) {
  const rows = Object.entries(properties).map(([name, schema]) => {
    const says = schema.description ? `. ${schema.description}` : "";
    return make("tr", make("th", code(name)), make("td", kind(schema) + says), make("td", required.includes(name) ? "always" : "may be absent"));
  });
  for (const row of rows) row.firstElementChild?.setAttribute("scope", "row");
  const heads = ["Field", "What it is", "There"].map((text) => make("th", text));
  for (const head of heads) head.setAttribute("scope", "col");
  return make("table", make("thead", make("tr", ...heads)), make("tbody", ...rows));
}

/** @param {any} root @param {"send" | "receive"} action as seen from the sidecar @param {string} title */
function direction(root, action, title) {
  const operations = /** @type {any[]} */ (Object.values(root.operations)).filter((one) => one.action === action);
  const messages = operations.flatMap((one) => one.messages.map((/** @type {any} */ { $ref }) => follow(root, follow(root, $ref).$ref)));
  const parts = messages.map(({ name, summary, payload }) =>
    make("article", make("h3", code(name)), make("p", summary.replace(/^(From|To) the client[:,] /, "")), table(follow(root, payload.$ref))));
  return make("section", make("h2", title), ...parts);
}

/** @param {any} root the document */
function show(root) {
  const told = new Set(Object.keys(root.components.messages));
  const others = Object.entries(root.components.schemas).filter(([name]) => !told.has(name));
  const { address, description, bindings } = root.channels.ws;
  const source = make("a", "AsyncAPI document");
  source.setAttribute("href", page.dataset.description ?? "");
  page.append(
    make("h1", root.info.title),
    make("p", `${root.info.description} This page shows the `, source, " that the sidecar serves."),
    make("section", make("h2", "Connect"), make("p", `\`${address}\`: ${description}`), table(bindings.ws.query)),
    direction(root, "receive", "What a client says"),
    direction(root, "send", "What a client hears"),
    make("section", make("h2", "Inside of messages"), ...others.map(([name, schema]) =>
      make("article", make("h3", code(name)), make("p", schema.description ?? ""), table(schema)))),
  );
}

fetch(page.dataset.description ?? "")
  .then((response) => (response.ok ? response.json() : Promise.reject()))
  .then(show)
  .catch(() => page.append(make("p", "The sidecar does not answer. Load this page again in a moment.")));
