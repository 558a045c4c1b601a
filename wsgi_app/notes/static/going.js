/**
 * Goes to another board, whose name or title somebody types.
 */
import { request } from "./api.js";
import { changeTitle } from "./title.js";

/** Letters that Unicode does not decompose into one of a to z and a mark. @type {Record<string, string>} */
const LETTERS = { ß: "ss", æ: "ae", œ: "oe", ø: "o", ł: "l", đ: "d", ð: "d", þ: "th", ı: "i", ħ: "h", ŋ: "n" };
const LONGEST = 64;

/** A board's name in addresses. If letters are lost, it gets a random end, so that different titles rarely collide.
 * @param {string} title */
function slugOf(title) {
  const plain = title.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").replace(/[^\0-\x7f]/g, (letter) => LETTERS[letter] ?? letter);
  const parts = plain.split(/[^a-z0-9]+/).filter(Boolean);
  if (/[^\0-\x7f]/.test(plain.replace(/[^\p{L}\p{N}]/gu, "")) || !parts.length) parts.push(chance());
  return parts.join("-").slice(-LONGEST).replace(/^-/, "");
}

const chance = () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => (byte % 36).toString(36)).join("");

/** Goes to a board; one that nobody has used yet gets the typed words as its title.
 * @param {string} words @throws {import("./api.js").Failure} */
export async function goTo(words) {
  const slug = slugOf(words);
  if (slug !== words) {
    const { notes, board } = await request(`/api/notes?board=${slug}&limit=1`);
    const isNew = !notes.length && board?.version === 0;
    if (isNew) await changeTitle(slug, words, 0).catch((error) => {
      // Somebody else was faster.
      if (error.status !== 412) throw error;
    });
  }
  location.assign(`/b/${slug}`);
}
