/** What the scripts say to each other and to a page. No browser loads this file. */

import type { Event, Status, Transport } from "./public/realtime";

export type { Event, Options, Person, Realtime, Status, TopicState, Transport } from "./public/realtime";

/** The server does not give out a topic. `isFinal`: a new ticket cannot help. */
export interface RefusalMessage {
  op: string;
  topic: string;
  code: string;
  detail: string;
  isFinal?: boolean;
}

/** Why a connection ended: close code of a WebSocket; HTTP status; milliseconds that the server asked for. */
export interface Loss {
  code?: number;
  status?: number;
  retryAfter?: number | null;
  /** Nothing was heard for too long. */
  isTimeout?: boolean;
  /** Its only topic was refused. */
  refusal?: RefusalMessage;
}

/** How a transport reports. `alive` is called for every sign of life; after `lost` nothing is listened to. */
export interface Ear {
  alive: () => void;
  message: (message: any) => void;
  lost: (loss: Loss) => void;
}

/** A transport's open connection. */
export interface Carrier {
  subscribe: (topic: string) => void;
  unsubscribe: (topic: string) => void;
  /** Whether it was sent; absent where the transport cannot. */
  whisper?: (topic: string, data: any) => boolean;
  ping?: () => void;
  close: () => void;
}

/** Last id seen of each topic; null before the first word from the server. */
export type Seen = ReadonlyMap<string, string | null>;
/** Where the server is, without a slash at the end, the ticket to show there, and who we are on a topic. */
export type Place = { base: string; ticket: string | null; me: (topic: string) => object | null | undefined };
export type Open = (seen: Seen, ear: Ear, place: Place) => Carrier;

export interface TransportEntry {
  name: Transport;
  /** Failures in a row before the next one has its turn. */
  tries: number;
  load: () => Open | Promise<Open>;
}

/** One connection with its heartbeat; times in milliseconds. */
export interface Link {
  /** Of its transport: the best one is 0. */
  level: number;
  /** The server has spoken. */
  live: boolean;
  heard: number;
  since: number;
  goLive: () => void;
  /** Asks for a sign of life within so many milliseconds; absent where the transport cannot. */
  ping?: (patience: number) => void;
  subscribe: (topic: string) => void;
  unsubscribe: (topic: string) => void;
  /** Whether it was sent. */
  whisper: (topic: string, data: any) => boolean;
  close: () => void;
}

export interface LinkOwner {
  transports: TransportEntry[];
  seen: Seen;
  place: () => Place;
  /** For whoever looks for a mistake. */
  log: (...what: any[]) => void;
  message: (link: Link, message: any) => void;
  lost: (link: Link, loss: Loss) => void;
}

export type ConnectionOptions = Pick<LinkOwner, "seen" | "place" | "log"> & {
  renewTicket?: () => Promise<unknown>;
  receive: (message: any) => void;
  /** A connection has ended. */
  reset: () => void;
  onStatus: (status: Status, transport: Transport | null) => void;
};

/** What stays connected. */
export interface Connection {
  /** Subscribes to a topic from what was seen last, over what is open. */
  ask: (topic: string) => void;
  /** The same; who was sent away comes back. */
  subscribe: (topic: string) => void;
  unsubscribe: (topic: string) => void;
  /** Whether it was sent. */
  whisper: (topic: string, data: any) => boolean;
  /** Whether it comes back with a new ticket. */
  renew: () => Promise<boolean>;
  close: () => void;
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
