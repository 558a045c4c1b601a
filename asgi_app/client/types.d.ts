/** What the scripts say to each other and to a page. No browser loads this file. */

/** `offline`: not connected, and the browser says there is no network. `stopped`: the server told us to stay away. */
export type Status = "connecting" | "live" | "offline" | "stopped";
export type Transport = "websocket" | "sse" | "poll";

export interface Event {
  op: "event";
  topic: string;
  /** The topic's cursor after this event, `EPOCH-OFFSET`. */
  id: string;
  type: string;
  /** RFC 3339. */
  time: string;
  request_id: string;
  data: any;
}

export interface Options {
  /** Names (from now on), or name to the cursor to go on from; null: from now on. */
  topics: string[] | Record<string, string | null>;
  onEvent: (event: Event) => void;
  /** Events were lost for good: fetch the state again. */
  onResync?: (topic: string) => void;
  /** `transport`: only while live. */
  onStatus?: (status: Status, transport: Transport | null) => void;
  /** How many people listen, this tab among them. */
  onPresence?: (topic: string, count: number) => void;
  /** Asked at each connection; null or absent: the cookie will do. */
  ticket?: () => string | null;
  /** Called when the ticket has expired. False: there is no new one, stay away. */
  renewTicket?: () => Promise<unknown>;
}

/** Why a connection ended: close code of a WebSocket; HTTP status; milliseconds that the server asked for. */
export interface Loss {
  code?: number;
  status?: number;
  retryAfter?: number | null;
}

/** How a transport reports. `alive` is called for every sign of life, `lost` at most once. */
export interface Ear {
  alive: () => void;
  message: (message: any) => void;
  lost: (loss: Loss) => void;
}

/** A transport's open connection. */
export interface Carrier {
  subscribe: (topic: string) => void;
  unsubscribe: (topic: string) => void;
  ping?: () => void;
  close: () => void;
}

/** Last id seen of each topic; null before the first word from the server. */
export type Seen = ReadonlyMap<string, string | null>;
export type Open = (seen: Seen, ear: Ear, ticket: string | null) => Carrier;

/** One connection with its heartbeat; times in milliseconds. */
export interface Link {
  level: number;
  carrier: Carrier | null;
  live: boolean;
  heard: number;
  since: number;
  deadline?: ReturnType<typeof setTimeout>;
  ping?: ReturnType<typeof setTimeout>;
}

/** What a page brings along, in `data-realtime`: the cursor of each topic (null: unknown), and a ticket for them. */
export interface Listening {
  topics: Record<string, string | null>;
  ticket: string | null;
  /** Requests a second that all viewers together make at most. */
  refresh_rate?: number;
}

export interface Page {
  content: Document;
  listening: Listening;
}

/** The page as its viewer sees it. */
export interface View {
  /** Null: whoever looks may not see it any more. */
  fetch: () => Promise<Page | null>;
  show: (page: Page) => void;
  /** Puts an event's HTML in place, inside and outside of what `show` replaces. */
  swap: (event: Event, inside: boolean, outside: boolean) => void;
  /** Whether the page shows anything of this topic. */
  isFollowed: (topic: string) => boolean;
  /** Tells the page's own scripts. False: they act themselves. */
  tell: (name: string, detail: object) => boolean;
  onStatus: (status: Status, transport: Transport | null) => void;
}
