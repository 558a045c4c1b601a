/**
 * Makes an element look like another one and keeps what is in the hands of the person who looks: focus, selection,
 * scroll positions, open <details>, and whatever was typed or chosen and differs from what the server last said.
 *
 * Nodes stay where they can: a child is the same one as before if it has the same id, else the same text, else if it
 * is of the same kind at the same place. Scripts among new nodes are not run.
 */

/** Editable elements that somebody wrote in. @type {WeakSet<EventTarget>} */
const written = new WeakSet();
addEventListener("input", ({ target }) => void (target && written.add(target)), { capture: true, passive: true });

/** @param {Element} from is changed @param {Element} to is used up */
export function morph(from, to) {
  const focused = /** @type {any} */ (document.activeElement);
  const range = [focused?.selectionStart, focused?.selectionEnd, focused?.selectionDirection];
  morphElement(from, to);
  if (focused === document.activeElement || !focused.isConnected) return;
  focused.focus({ preventScroll: true });
  if (typeof range[0] === "number") focused.setSelectionRange(...range);
}

/** @param {Element} from @param {Element} to */
function morphElement(from, to) {
  if (from.isEqualNode(to)) return;
  const keep = control(from);
  for (const attribute of to.attributes) {
    const { name, value } = attribute;
    if (from.getAttribute(name) === value || isState(from, name)) continue;
    // Not every name that a parser takes is one that `setAttribute` takes.
    from.setAttributeNode(/** @type {Attr} */ (attribute.cloneNode()));
  }
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && !isState(from, name)) from.removeAttribute(name);
  }
  if (!written.has(from) || !(/** @type {HTMLElement} */ (from).isContentEditable)) morphChildren(from, to);
  keep?.();
}

/** Whether people set this attribute by opening and closing the element. @param {Element} element @param {string} name */
const isState = (element, name) => name === "open" && /^(DETAILS|DIALOG)$/.test(element.tagName);

/**
 * What to do with a form control afterwards. Its attributes hold what the server last said: what somebody changed since
 * stays, all else follows the server. A browser by itself would never again change what was touched once.
 * @param {Element} element @returns {(() => void) | null}
 */
function control(element) {
  if (element instanceof HTMLSelectElement && !element.multiple) {
    const { value, options } = element;
    const chosen = value !== initial(options);
    return () => void (element.value = chosen && [...options].some((one) => one.value === value) ? value : initial(options));
  }
  if (element instanceof HTMLInputElement && /^(checkbox|radio)$/.test(element.type)) {
    return element.checked === element.defaultChecked ? () => void (element.checked = element.defaultChecked) : null;
  }
  if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) {
    if (element.type === "file" || element.value !== element.defaultValue) return null;
    return () => void (element.value === element.defaultValue || (element.value = element.defaultValue));
  }
  return null;
}

/** @param {HTMLOptionsCollection} options */
const initial = (options) => ([...options].reverse().find((one) => one.defaultSelected) ?? options[0])?.value ?? "";

/** @param {Element} from @param {Element} to */
function morphChildren(from, to) {
  const fresh = [...to.childNodes];
  // White space is made anew, so that it does not push elements out of their places.
  const old = new Set([...from.childNodes].filter((node) => !isBlank(node) || node.remove()));
  /** @type {Map<Node, ChildNode>} */
  const same = new Map();

  /** Pairs nodes of equal keys, in order. @param {(node: any) => string | false} key */
  function pair(key) {
    /** @type {Map<string, ChildNode[]>} */
    const known = new Map();
    for (const node of old) {
      const name = key(node);
      if (name) known.get(name)?.push(node) ?? known.set(name, [node]);
    }
    for (const node of fresh) {
      const name = !same.has(node) && !isBlank(node) && key(node);
      const match = name && known.get(name)?.shift();
      if (!match) continue;
      same.set(node, match);
      old.delete(match);
    }
  }
  pair(({ nodeName, id }) => id && `${nodeName} ${id}`);
  pair(({ nodeName, id, textContent }) => !id && `${nodeName} ${textContent}`);
  const places = placesOf([...from.childNodes], fresh, same);
  pair((node) => !node.id && `${node.nodeName} ${node.type} ${node.name} ${places.get(node)}`);

  for (const node of old) node.remove();
  let next = from.firstChild;
  for (const node of fresh) {
    const match = same.get(node);
    if (match && match === next) next = next.nextSibling;
    else move(from, match ?? node, next);
    if (match instanceof Element) morphElement(match, /** @type {Element} */ (node));
    else if (match && match.nodeValue !== node.nodeValue) match.nodeValue = node.nodeValue;
  }
}

/** @param {Node} node */
const isBlank = (node) => node.nodeType === Node.TEXT_NODE && !node.nodeValue?.trim();

/**
 * Which pair each node comes after, by number.
 * @param {Node[]} old @param {Node[]} fresh @param {Map<Node, Node>} same
 */
function placesOf(old, fresh, same) {
  const numbers = new Map([...same.values()].map((node, index) => [node, index]));
  /** @type {Map<Node, number>} */
  const places = new Map();
  for (const nodes of [old, fresh]) {
    let place = -1;
    for (const node of nodes) {
      place = numbers.get(same.get(node) ?? node) ?? place;
      places.set(node, place);
    }
  }
  return places;
}

/** @param {any} parent @param {Node} node @param {Node | null} before */
function move(parent, node, before) {
  // Keeps the scroll positions and frames of a node that moves, where the browser can.
  if (parent.moveBefore && node.parentNode === parent) parent.moveBefore(node, before);
  else parent.insertBefore(node, before);
}
