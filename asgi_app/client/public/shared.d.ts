/** The types of `/ws/client/shared.js`, for TypeScript. docs/reference/client.md says how to use them. */

import type { Options, Realtime } from "./realtime";

/** Tabs of a browser whose `share`, server and ticket are equal use one connection: name whom they show, for example. */
export function connect(options: Options & { share: string }): Realtime;
