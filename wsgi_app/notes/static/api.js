/**
 * Requests to the API, and messages about their outcome.
 */
import { rememberOwn } from "./cards.js";
import { element, inWords, t } from "./paper.js";
import { randomId } from "./waiting.js";

const ANSWER_WITHIN = 10_000;

/** A request that failed. The message can be shown as it is. */
export class Failure extends Error {
  /** @param {string} message @param {number} status 0: no answer @param {number} retryAfter milliseconds
   * @param {boolean} isTimeout it may have been reached, and may still be at it */
  constructor(message, status = 0, retryAfter = 0, isTimeout = false) {
    super(message);
    Object.assign(this, { name: "Failure" });
    this.status = status;
    this.retryAfter = retryAfter;
    this.isTimeout = isTimeout;
  }
}

/**
 * One request to the API. The event that it causes is recognized as this tab's own, by the request id.
 * @param {string} path
 * @param {{method?: string, body?: object, headers?: Record<string, string>, id?: string}} [init]
 */
export async function request(path, { method = "GET", body, headers = {}, id = randomId() } = {}) {
  if (method !== "GET") rememberOwn(id);
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...headers, "X-Request-Id": id, ...(body && { "Content-Type": "application/json" }) },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN),
    });
  } catch (error) {
    const isTimeout = /** @type {Error} */ (error).name === "TimeoutError";
    throw new Failure(t(navigator.onLine ? "no-answer" : "no-network"), 0, 0, isTimeout);
  }
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  const wait = Number(response.headers.get("Retry-After")) * 1000 || 0;
  const status = response.ok ? 0 : response.status;
  const said = answer?.detail ?? answer?.title;
  throw new Failure(said ? inWords(said) : t("answered-status", { status: response.status }), status, wait);
}

/** @param {string} text shown below the form until the next one; empty: nothing to say
 * @param {boolean} [calm] nobody has to do anything about it */
export function say(text, calm = false) {
  element("message").textContent = text;
  element("message").toggleAttribute("data-calm", calm);
}

/** Why something failed that is tried again without being asked for. @param {unknown} error */
export function reason(error) {
  const { status, message } = /** @type {Failure} */ (error);
  return status ? t("cannot-answer-now") : message;
}

/** The address of a note in the API. @param {string} id */
export const addressOf = (id) => `/api/notes/${encodeURIComponent(id)}`;
