/**
 * Positions: strings that sort as the notes hang, with room for another one between any two of them.
 *
 * Fractional indexing: https://www.figma.com/blog/realtime-editing-of-ordered-sequences/. A position may begin with a
 * whole number, which each note gets when it is created (places.lua): a letter that says how many digits follow (a: one,
 * b: two; below zero Z: one, Y: two), then these digits, none of which is 0. What follows is a fraction.
 */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const [LEAST, MOST] = ["1", "z"];
/** Characters of a position, at most. */
const LONGEST = 64;

/** How many digits a whole number has that begins with this. @param {string} head */
const digitsOf = (head) => (head >= "a" ? head.charCodeAt(0) - 96 : 91 - head.charCodeAt(0));

/** The whole number that a position begins with, or nothing. @param {string} position */
function whole(position) {
  const count = digitsOf(position);
  const number = position.slice(0, count + 1);
  return count > 0 && count <= 26 && number.length > count && !number.includes("0") ? number : "";
}

/** The next whole number, or nothing. @param {string} number @param {1 | -1} by */
function step(number, by) {
  if (!number) return "";
  const [head, ...digits] = number;
  const [end, begin] = by > 0 ? [MOST, LEAST] : [LEAST, MOST];
  let at = digits.length - 1;
  for (; at >= 0 && digits[at] === end; at -= 1) digits[at] = begin;
  if (at >= 0) {
    digits[at] = DIGITS[DIGITS.indexOf(digits[at]) + by];
    return head + digits.join("");
  }
  const next = { Z1: "a", "a-1": "Z" }[head + by] ?? String.fromCharCode(head.charCodeAt(0) + by);
  return /[A-Za-z]/.test(next) ? next + begin.repeat(digitsOf(next)) : "";
}

/** A fraction between two, at random near their middle, so that two people seldom choose the same one.
 * @param {string} low @param {string | null} high null: one @returns {string} */
function middle(low, high) {
  if (high !== null) {
    let same = 0;
    while ((low[same] || "0") === high[same]) same += 1;
    if (same) return high.slice(0, same) + middle(low.slice(same), high.slice(same));
  }
  const from = low ? DIGITS.indexOf(low[0]) : 0;
  const room = (high === null ? DIGITS.length : DIGITS.indexOf(high[0])) - from - 1;
  if (room > 0) return DIGITS[from + 1 + Math.floor(room * (0.25 + Math.random() / 2))];
  if (high !== null && high.length > 1) return high[0];
  return DIGITS[from] + middle(low.slice(1), null);
}

/** @param {string | null} low null: below everything @param {string | null} high null: above everything */
function between(low, high) {
  if (low === null && high === null) return "a1";
  if (low === null) return step(whole(/** @type {string} */ (high)), -1) || middle("", high);
  const next = step(whole(low), 1);
  return next && (high === null || next < high) ? next : middle(low, high);
}

/**
 * `count` positions between two others, from the highest to the lowest; null when there is no room for them.
 * @param {string | null} low null: below everything
 * @param {string | null} high null: above everything
 * @param {number} count
 * @returns {string[] | null}
 */
export function positions(low, high, count) {
  if (low !== null && high !== null && low >= high) return null;
  /** @type {string[]} */
  const found = [];
  /** @param {string | null} from @param {string | null} to @param {number} left */
  const divide = (from, to, left) => {
    if (!left) return;
    const here = between(from, to);
    const below = (left - 1) >> 1;
    divide(here, to, left - 1 - below);
    found.push(here);
    divide(from, here, below);
  };
  // Whole numbers are used up from one end.
  if (low === null) for (let next = high; found.length < count; ) found.push((next = between(null, next)));
  else if (high === null) {
    for (let next = low; found.length < count; ) found.push((next = between(next, null)));
    found.reverse();
  } else divide(low, high, count);
  return found.every(({ length }) => length <= LONGEST) ? found : null;
}
