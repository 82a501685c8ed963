// Generated bindings of 1.9 to 1.12 against a real server with the module of this test.
import { DbConnection, tables, reducers, MyThings, type EventContext, type SubscriptionHandle } from "./module_bindings";
import type { Infer } from "spacetimedb";
import { content, ok, same, unique, until } from "./common";

export async function main(uri: string, database: string): Promise<void> {
  const conn = await new Promise<DbConnection>((resolve, reject) => {
    DbConnection.builder().withUri(uri).withModuleName(database)
      .onConnect((c: DbConnection) => resolve(c)).onConnectError((_ctx, e: Error) => reject(e)).build();
  });
  const inserted: Infer<typeof MyThings>[] = [], notes: string[] = [], calls: string[] = [], mine: string[] = [];
  conn.db.myThings.onInsert((_ctx: EventContext, row) => inserted.push(row));
  conn.db.myThings.onUpdate((_ctx, before, after) => notes.push(`${before.note}->${after.note}`));
  conn.db.ownThings.onInsert((_ctx, row) => mine.push(row.serialNo));
  conn.reducers.onAddThing((ctx, args) => calls.push(`${args.content.serialNo} ${ctx.event.status.tag}`));
  await new Promise<SubscriptionHandle>((resolve, reject) => {
    const handle: SubscriptionHandle = conn.subscriptionBuilder().onApplied(() => resolve(handle)).onError((ctx) => reject(ctx.event))
      .subscribe(["SELECT * FROM my_things", "SELECT * FROM own_things"]);
  });

  const sent = { ...content, serialNo: unique(database) };
  conn.reducers.addThing({ content: sent });
  await until("the row", () => inserted.some((r) => r.serialNo === sent.serialNo));
  await until("the reducer's event", () => calls.includes(`${sent.serialNo} Committed`));
  const row = conn.db.myThings.serialNo.find(sent.serialNo);
  ok(row, "the row is found by its serial number");
  const { thingId, owner, madeAt, ...rest } = row;
  same(rest, sent);
  ok(owner.isEqual(conn.identity!) && madeAt.microsSinceUnixEpoch > 0n, "the row has its owner and time");
  ok(conn.db.myThings.thingId.find(thingId)?.serialNo === sent.serialNo, "the row is found by its key");
  ok([...conn.db.myThings.by_group.filter([sent.groupId, sent.rank])].some((r) => r.thingId === thingId), "the row is found by two columns");
  await until("the view's row", () => mine.includes(sent.serialNo));

  conn.reducers.setNote({ thingId, note: "new" });
  await until("the update", () => notes.includes("undefined->new"));
  conn.reducers.addThing({ content: { ...content, serialNo: "" } });
  await until("the failure", () => calls.includes(" Failed"));

  ok((await conn.procedures.addUp({ a: 4000000000, b: undefined })) === 4000000000n, "the procedure returns the sum");
  same(await conn.procedures.echo({ content: sent }), sent);
  ok(tables.myThings.name === "my_things" && reducers.addThing.name === "add_thing", "descriptors have the names on the wire");
  conn.disconnect();
}
