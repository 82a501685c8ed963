// The chat of the vectors for 1.4 to 1.8, where reducers have positional arguments.
import { Identity } from "spacetimedb";
import { DbConnection, type ErrorContext, type EventContext, type ReducerEventContext, type User } from "./module_bindings";
import { until } from "./common";

export async function main(uri: string): Promise<string[]> {
  const out: string[] = [];
  const p = (s: string) => { out.push(s); };
  const conn = await new Promise<DbConnection>((resolve, reject) => {
    DbConnection.builder().withUri(uri).withModuleName("chat").withToken(undefined).withCompression("none")
      .onConnect((c: DbConnection, id: Identity, token: string) => { p("connected " + id.toHexString().slice(-16) + " " + token); resolve(c); })
      .onConnectError((_ctx: ErrorContext, e: Error) => reject(e))
      .onDisconnect(() => p("disconnected"))
      .build();
  });
  conn.db.user.onInsert((ctx: EventContext, u: User) => p("ins user " + u.name + " " + ctx.event.tag));
  conn.db.user.onUpdate((ctx, o, n) => p(`upd user ${o.name}->${n.name} ${ctx.event.tag}` + (ctx.event.tag === "Reducer" ? " " + ctx.event.value.reducer.name : "")));
  conn.db.message.onInsert((_ctx, m) => p("ins msg " + m.text + " " + m.sent.microsSinceUnixEpoch));
  conn.reducers.onSetName((ctx: ReducerEventContext, name: string) => p("onSetName " + name + " " + ctx.event.status.tag + (ctx.event.status.tag === "Failed" ? " " + ctx.event.status.value : "")));
  conn.reducers.onSendMessage((_ctx, text: string) => p("onSendMessage " + text));
  const handle = await new Promise<ReturnType<ReturnType<typeof conn.subscriptionBuilder>["subscribe"]>>((resolve) => {
    const h = conn.subscriptionBuilder().onApplied((ctx) => { p("applied " + ctx.db.user.count()); resolve(h); }).subscribe(["SELECT * FROM user", "SELECT * FROM message"]);
  });
  p("active " + handle.isActive());
  p("find " + (conn.db.user.identity.find(conn.identity!)?.online ?? "none"));
  p("find0 " + (conn.db.user.identity.find(Identity.zero()) ?? null));
  conn.setReducerFlags.setName("FullUpdate");
  conn.reducers.setName("Ada");
  conn.reducers.setName("");
  conn.reducers.sendMessage("hi");
  await until("the message", () => out.includes("onSendMessage hi") && conn.db.message.count() > 0);
  p("iter " + [...conn.db.user.iter()].map((u) => u.name).join() + " " + [...conn.db.message.iter()].map((m) => m.text).join());
  await new Promise<void>((resolve) => handle.unsubscribeThen(() => { p("unsub"); resolve(); }));
  p("ended " + handle.isEnded());
  conn.disconnect();
  await until("the end", () => out.includes("disconnected"));
  return out;
}
