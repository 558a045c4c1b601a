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

/** A connection that said who it is. */
export interface Person {
  /** The `from` of its whispers; another one for each connection. */
  id: string;
  me: any;
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
  /** Who is there, this tab among them if it says who it is: all of them, or the first 50 of `count`. */
  people: (topic: string, people: Person[], count: number) => void;
  /** Another client on the topic says something, by its `id`. Treat it as text from a stranger. */
  whisper: (topic: string, from: string, data: any) => void;
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
  /** Who this client is to the others on a topic, 256 bytes of JSON at most. Asked at each subscribe; a ticket's `me` wins. */
  me?: (topic: string) => object | null | undefined;
  /** Whether the console is told of every connection and every message. */
  debug?: boolean;
  onEvent?: Handlers["event"];
  onResync?: Handlers["resync"];
  onStatus?: Handlers["status"];
  onPresence?: Handlers["presence"];
  onPeople?: Handlers["people"];
  onWhisper?: Handlers["whisper"];
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
  /** Asks `me` once more, and tells the others on the topic. */
  introduce(topic: string): void;
  /**
   * Says something to the others on the topic, 1 KiB of JSON at most: that somebody types, or where the pointer is.
   * Whether it was sent: over a WebSocket only, 20 times a second at most. It may get lost on the way.
   */
  whisper(topic: string, data: any): boolean;
  /** For good. */
  close(): void;
}

/** Connects, and stays connected until `close()`. Throws a TypeError when `url` is none, or absent outside of a page. */
export function connect(options: Options): Realtime;

/** Whether an event is at or before a cursor. */
export function isWithin(cursor: string | null | undefined, id: string): boolean;
