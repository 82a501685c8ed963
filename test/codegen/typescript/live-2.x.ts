// Generated bindings of 2.x against a real server with the module of this test.
import { DbConnection, tables, reducers, type EventContext } from "./module_bindings";
import type { Content, MyThings } from "./module_bindings/types";
import type { AddUpArgs, AddUpResult } from "./module_bindings/types/procedures";
import type { SetNoteParams } from "./module_bindings/types/reducers";
import { content, ok, same, unique, until } from "./common";

export async function main(uri: string, database: string): Promise<void> {
  const conn = await new Promise<DbConnection>((resolve, reject) => {
    DbConnection.builder().withUri(uri).withDatabaseName(database)
      .onConnect((c) => resolve(c)).onConnectError((_ctx, e) => reject(e)).build();
  });
  const inserted: MyThings[] = [], notes: string[] = [], pings: string[] = [], mine: string[] = [];
  conn.db.myThings.onInsert((_ctx: EventContext, row) => inserted.push(row));
  conn.db.myThings.onUpdate((_ctx, before, after) => notes.push(`${before.note}->${after.note}`));
  conn.db.ping.onInsert((ctx, row) => pings.push(row.note + ctx.db.own_things.count()));
  conn.db.own_things.onInsert((_ctx, row) => mine.push(row.serialNo));
  await new Promise<void>((resolve, reject) => {
    conn.subscriptionBuilder().onApplied(() => resolve()).onError((ctx) => reject(ctx.event)).subscribeToAllTables();
  });

  const sent: Content = { ...content, serialNo: unique(database) };
  await conn.reducers.addThing({ content: sent });
  await until("the row", () => inserted.some((r) => r.serialNo === sent.serialNo));
  const row = conn.db.myThings.serialNo.find(sent.serialNo);
  ok(row, "the row is found by its serial number");
  const { thingId, owner, madeAt, ...rest } = row;
  same(rest, sent);
  ok(owner.isEqual(conn.identity!) && madeAt.microsSinceUnixEpoch > 0n, "the row has its owner and time");
  ok(conn.db.myThings.thingId.find(thingId)?.serialNo === sent.serialNo, "the row is found by its key");
  ok([...conn.db.myThings.by_group.filter([sent.groupId, sent.rank])].some((r) => r.thingId === thingId), "the row is found by two columns");
  ok([...conn.db.myThings.by_group.filter(sent.groupId)].some((r) => r.thingId === thingId), "the row is found by one column of two");
  ok([...conn.db.ownThings.iter()].some((r) => r.thingId === thingId), "the view has the row");
  await until("the view's row", () => mine.includes(sent.serialNo));

  const change: SetNoteParams = { thingId, note: "new" };
  await conn.reducers.setNote(change);
  await until("the update", () => notes.includes("undefined->new"));
  const refused = await conn.reducers.addThing({ content: { ...content, serialNo: "" } }).then(() => "", (e: Error) => e.message);
  ok(refused.includes("a thing needs a serial number"), "the reducer's error comes back");
  await conn.reducers.callEverybody({ note: "hello" });
  await until("the event", () => pings.some((p) => p.startsWith("hello")));
  ok(conn.db.ping.count() === 0n, "events are not kept");

  const args: AddUpArgs = { a: 4000000000, b: 4000000000 };
  const sum: AddUpResult = await conn.procedures.addUp(args);
  ok(sum === 8000000000n, "the procedure returns the sum");
  same(await conn.procedures.echo({ content: sent }), sent);

  ok(tables.own_things === tables.ownThings && conn.db.own_things === conn.db.ownThings, "both spellings are one table");
  ok(reducers.addThing.name === "add_thing", "descriptors have the names on the wire");
  await new Promise<void>((resolve, reject) => {
    conn.subscriptionBuilder().onApplied(() => resolve()).onError((ctx) => reject(ctx.event))
      .subscribe([tables.myThings.where((r) => r.rank.eq(-7)), tables.ping]);
  });
  conn.disconnect();
}
