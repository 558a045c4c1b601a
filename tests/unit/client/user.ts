/** What somebody who writes TypeScript does, and what the compiler keeps them from. */
import { connect, isWithin } from "/ws/client/realtime.js";
import type { Event, Options, Realtime, Status, TopicState, Transport } from "/ws/client/realtime.js";
import { connect as connectShared } from "/ws/client/shared.js";

interface Order {
  id: number;
}

const options: Options = {
  topics: { orders: null },
  url: new URL("https://example.com/live"),
  ticket: () => null,
  me: (topic) => (topic === "orders" ? { name: "Ada" } : null),
  renewTicket: async () => false,
  snapshot: async (topic) => ({ cursor: "a-1", orders: topic.length }),
  onEvent: ({ id, type, data }: Event<Order>) => console.log(id.length, type.length, data.id.toFixed()),
  onStatus: (status: Status, transport: Transport | null) => console.log(status, transport),
};
const realtime: Realtime = connect(options);
connect({ topics: ["orders"] as const }).close();

const shipped = (event: Event<Order>) => console.log(event.data.id);
realtime.on("event:order.shipped", shipped);
realtime.off("event:order.shipped", shipped);
realtime.on("refused", (topic, code, detail) => console.log(topic, code === "not_allowed", detail));
realtime.on("behind", (since) => console.log(since?.slice(0, 4)));
realtime.on("people", (topic, people, count) => console.log(topic, people.map(({ id, me }) => [id, me]), count));
realtime.on("whisper", (topic, from, data) => console.log(topic, from.length, data));
const isSaid: boolean = realtime.whisper("orders", { typing: true });
realtime.introduce("orders");
realtime.subscribe("stock");
realtime.subscribe("stock", "a-1");
realtime.unsubscribe("stock");
const state: TopicState | undefined = realtime.state("stock");
console.log(isSaid, state, isWithin("a-2", "a-1"));
connectShared({ share: "ada", topics: ["orders"] }).close();

// @ts-expect-error: topics are missing
connect({});
// @ts-expect-error: no such option
connect({ topics: [], onEvents: () => undefined });
// @ts-expect-error: a snapshot has a cursor
connect({ topics: [], snapshot: async () => ({}) });
// @ts-expect-error: no such name
realtime.on("refuse", () => undefined);
// @ts-expect-error: a topic is a string
realtime.subscribe(7);
// @ts-expect-error: whom tabs share it with is missing
connectShared({ topics: ["orders"] });
// @ts-expect-error: a connection of one's own is not shared
connect({ share: "ada", topics: ["orders"] });
