// The last official SDK of the first generation (v1.bsatn) against the chat module.
import { strict as assert } from "node:assert";
import test from "node:test";
import { Identity } from "spacetimedb";
import { DbConnection } from "./bindings-1.12";
import { covers, database, unique, until, uri } from "./common";

type Connected = { conn: DbConnection; identity: Identity; token: string };

function connect(token?: string): Promise<Connected> {
  return new Promise((resolve, reject) => {
    DbConnection.builder()
      .withUri(uri)
      .withModuleName(database)
      .withToken(token)
      .onConnect((conn, identity, token) => resolve({ conn, identity, token }))
      .onConnectError((_ctx, e) => reject(e))
      .build();
  });
}

function subscribe(conn: DbConnection, queries = ["SELECT * FROM user", "SELECT * FROM message"]) {
  return new Promise<any>((resolve, reject) => {
    const handle = conn
      .subscriptionBuilder()
      .onApplied(() => resolve(handle))
      .onError((ctx: any) => reject(ctx.event ?? new Error("subscription refused")))
      .subscribe(queries);
  });
}

test("connect, identity, token, reconnect", async () => {
  const a = await connect();
  assert.match(a.identity.toHexString(), /^c200[0-9a-f]{60}$/);
  a.conn.disconnect();
  const again = await connect(a.token);
  assert.equal(again.identity.toHexString(), a.identity.toHexString());
  again.conn.disconnect();
  await assert.rejects(connect("not a token"));
  covers("05.7");
});

test("initial rows, own changes, errors of reducers", async () => {
  const { conn, identity } = await connect();
  await subscribe(conn);
  const me = conn.db.user.identity.find(identity);
  assert.ok(me && me.online);

  const events: string[] = [];
  conn.db.user.onUpdate((_ctx, before, after) => {
    if (after.identity.isEqual(identity)) events.push(`${before.name}->${after.name}`);
  });
  const outcomes: string[] = [];
  conn.reducers.onSetName((ctx, { name }) => {
    const e = ctx.event;
    if (e.callerIdentity.isEqual(identity)) outcomes.push(`${name}: ${e.status.tag}${e.status.tag === "Failed" ? " " + e.status.value : ""}`);
  });
  conn.reducers.setName({ name: "Ada" });
  conn.reducers.setName({ name: "" });
  await until("both outcomes", () => outcomes.length === 2);
  assert.deepEqual(outcomes, ["Ada: Committed", ": Failed Names must not be empty"]);
  assert.deepEqual(events, ["undefined->Ada"]);
  assert.equal(conn.db.user.identity.find(identity)?.name, "Ada");

  const text = unique("hello");
  conn.reducers.sendMessage({ text });
  await until("the message", () => [...conn.db.message.iter()].some((m) => m.text === text));
  conn.disconnect();
  covers("05.23");
});

test("two clients see each other live", async () => {
  const a = await connect();
  const b = await connect();
  await Promise.all([subscribe(a.conn), subscribe(b.conn)]);
  const seen: string[] = [];
  b.conn.db.message.onInsert((_ctx, m) => seen.push(m.text));
  const text = unique("from a");
  a.conn.reducers.sendMessage({ text });
  await until("a's message at b", () => seen.length > 0);
  assert.deepEqual(seen, [text]);
  a.conn.disconnect();
  await until("a to go offline", () => b.conn.db.user.identity.find(a.identity)?.online === false);
  b.conn.disconnect();
});

test("subscribe to everything, overlapping queries, unsubscribe", async () => {
  const { conn, identity } = await connect();
  await new Promise<void>((resolve, reject) =>
    conn.subscriptionBuilder().onApplied(() => resolve()).onError((ctx: any) => reject(ctx.event)).subscribeToAllTables(),
  );
  assert.ok(conn.db.user.identity.find(identity));
  const mine = await subscribe(conn, [`SELECT * FROM user WHERE identity = 0x${identity.toHexString()}`]);
  const gone: string[] = [];
  conn.db.user.onDelete((_ctx, u) => gone.push(u.identity.toHexString()));
  await new Promise<void>((r) => mine.unsubscribeThen(() => r()));
  assert.deepEqual(gone, [], "the other subscription still holds the row");
  conn.disconnect();
  covers("05.16", "05.19");
});

test("a bad query is refused and the connection lives on", async () => {
  const { conn, identity } = await connect();
  await assert.rejects(subscribe(conn, ["SELECT * FROM user", "SELECT * FROM usr"]));
  await subscribe(conn);
  assert.ok(conn.db.user.identity.find(identity));
  conn.disconnect();
  covers("05.17");
});
