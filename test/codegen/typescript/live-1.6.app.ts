// Generated bindings of 1.4 to 1.8 against a real server with the module of this test.
import { DbConnection, type EventContext, type MyThings } from "./module_bindings";
import { content, ok, same, unique, until } from "./common";

export async function main(uri: string, database: string): Promise<void> {
  const conn = await new Promise<DbConnection>((resolve, reject) => {
    DbConnection.builder().withUri(uri).withModuleName(database).onConnect((c: DbConnection) => resolve(c)).onConnectError((_ctx, e: Error) => reject(e)).build();
  });
  const inserted: MyThings[] = [], notes: string[] = [], calls: string[] = [], mine: string[] = [];
  conn.db.myThings.onInsert((_ctx: EventContext, row: MyThings) => inserted.push(row));
  conn.db.myThings.onUpdate((_ctx, before, after) => notes.push(`${before.note}->${after.note}`));
  conn.db.ownThings.onInsert((_ctx, row) => mine.push(row.serialNo));
  conn.reducers.onAddThing((ctx, content) => calls.push(`${content.serialNo} ${ctx.event.status.tag}`));
  await new Promise<void>((resolve, reject) => {
    conn.subscriptionBuilder().onApplied(() => resolve()).onError((ctx) => reject(ctx.event)).subscribe(["SELECT * FROM my_things", "SELECT * FROM own_things"]);
  });
  const sent = { ...content, serialNo: unique(database) };
  conn.reducers.addThing(sent);
  await until("the row", () => inserted.some((r) => r.serialNo === sent.serialNo));
  await until("the reducer's event", () => calls.includes(`${sent.serialNo} Committed`));
  const row = conn.db.myThings.serialNo.find(sent.serialNo);
  ok(row, "the row is found by its serial number");
  const { thingId, owner, madeAt, ...rest } = row;
  same(rest, sent);
  ok(owner.isEqual(conn.identity!) && madeAt.microsSinceUnixEpoch > 0n, "the row has its owner and time");
  ok(conn.db.myThings.thingId.find(thingId)?.serialNo === sent.serialNo, "the row is found by its key");
  await until("the view's row", () => mine.includes(sent.serialNo));
  conn.reducers.setNote(thingId, "new");
  await until("the update", () => notes.includes("undefined->new"));
  conn.reducers.addThing({ ...content, serialNo: "" });
  await until("the failure", () => calls.includes(" Failed"));
  conn.disconnect();
}
