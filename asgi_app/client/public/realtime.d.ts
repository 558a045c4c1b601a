/** The types of `/ws/client/realtime.js`, for TypeScript. docs/reference/client.md says how to use them. */

/** `offline`: not connected, and the browser says there is no network. `stopped`: the server told us to stay away. */
export type Status = "connecting" | "live" | "offline" | "stopped";
export type Transport = "websocket" | "sse" | "poll";
/** `refused`: asked for again with each new connection. */
export type TopicState = "connecting" | "live" | "refused";
export type Refusal = "not_allowed" | "too_many_topics" | "bad_message";

export interface Event<Data = any> {
  op: "event";
  topic: string;
  /** The topic's cursor after this event, `EPOCH-OFFSET`. */
  id: string;
  type: string;
  /** RFC 3339. */
  time: string;
  request_id: string;
  data: Data;
}

/** Functions that are called when something happens, by name. What they throw is reported and goes no further. */
export interface Handlers {
  event: (event: Event) => void;
  /** Events were lost for good: fetch the state again, unless `snapshot` does. */
  resync: (topic: string) => void;
  /** `transport`: only while live. */
  status: (status: Status, transport: Transport | null) => void;
  /** How many people listen, this tab among them. */
  presence: (topic: string, count: number) => void;
  /** The server does not give out a topic; the others go on. `detail`: a sentence. */
  refused: (topic: string, code: Refusal, detail: string) => void;
  /** Since when (RFC 3339) the server has had no way to receive events; null: it receives them again. */
  behind: (since: string | null) => void;
}

export interface Options {
  /** Names (from now on), or name to the cursor to go on from; null: from now on. */
  topics: readonly string[] | Readonly<Record<string, string | null>>;
  /** Where Corkboard is, with a path if there is one in front of `/ws`. Absent: where the page comes from. */
  url?: string | URL;
  /** Asked at each connection; null or absent: the cookie will do. */
  ticket?: () => string | null;
  /** Called when the ticket has expired, or a topic needs a better one. False: there is no new one, stay away. */
  renewTicket?: () => Promise<unknown>;
  /**
   * Fetches and shows the state of a topic that has no cursor, or that events were lost of, and says of which cursor it
   * is. Events that come meanwhile are delivered afterwards. Called again, later, when it rejects.
   */
  snapshot?: (topic: string) => Promise<{ cursor: string }>;
  /** Whether the console is told of every connection and every message. */
  debug?: boolean;
  onEvent?: Handlers["event"];
  onResync?: Handlers["resync"];
  onStatus?: Handlers["status"];
  onPresence?: Handlers["presence"];
  onRefused?: Handlers["refused"];
  onBehind?: Handlers["behind"];
}

export interface Realtime {
  /** Calls `fn` from now on. `event:TYPE`: for events of one type only. */
  on<Name extends keyof Handlers>(name: Name, fn: Handlers[Name]): void;
  on(name: `event:${string}`, fn: Handlers["event"]): void;
  off<Name extends keyof Handlers>(name: Name, fn: Handlers[Name]): void;
  off(name: `event:${string}`, fn: Handlers["event"]): void;
  /** Undefined: not subscribed. */
  state(topic: string): TopicState | undefined;
  /** `since`: the cursor to go on from; absent: from now on. */
  subscribe(topic: string, since?: string | null): void;
  unsubscribe(topic: string): void;
  /** For good. */
  close(): void;
}

/** Connects, and stays connected until `close()`. Throws a TypeError when `url` is none, or absent outside of a page. */
export function connect(options: Options): Realtime;

/** Whether an event is at or before a cursor. */
export function isWithin(cursor: string | null | undefined, id: string): boolean;
