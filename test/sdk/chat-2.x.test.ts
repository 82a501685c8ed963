// The newest official SDK (v3.bsatn and v2.bsatn) against the chat module.
import { strict as assert } from "node:assert";
import test from "node:test";
import { Identity } from "spacetimedb";
import { DbConnection, tables } from "./bindings-2.x";
import { covers, database, unique, until, uri } from "./common";

type Connected = { conn: DbConnection; identity: Identity; token: string };

function connect(token?: string, compression: "none" | "gzip" = "gzip"): Promise<Connected> {
  return new Promise((resolve, reject) => {
    DbConnection.builder()
      .withUri(uri)
      .withDatabaseName(database)
      .withToken(token)
      .withCompression(compression)
      .onConnect((conn, identity, token) => resolve({ conn, identity, token }))
      .onConnectError((_ctx, e) => reject(e))
      .build();
  });
}

function subscribe(conn: DbConnection, queries: any[] = [tables.user, tables.message]) {
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
  assert.equal(a.token.split(".").length, 3);
  a.conn.disconnect();
  const again = await connect(a.token);
  assert.equal(again.identity.toHexString(), a.identity.toHexString());
  const other = await connect();
  assert.notEqual(other.identity.toHexString(), a.identity.toHexString());
  again.conn.disconnect();
  other.conn.disconnect();
  await assert.rejects(connect("not a token"));
  covers("05.7", "06.3");
});

test("initial rows, own changes, errors of reducers", async () => {
  const { conn, identity } = await connect();
  await subscribe(conn);
  const me = conn.db.user.identity.find(identity);
  assert.ok(me && me.online, "client_connected has added the user");
  assert.equal(me.name, undefined);

  const events: string[] = [];
  conn.db.user.onUpdate((ctx, before, after) => {
    if (after.identity.isEqual(identity)) events.push(`${before.name}->${after.name} ${ctx.event.tag}`);
  });
  await conn.reducers.setName({ name: "Ada" });
  assert.equal(conn.db.user.identity.find(identity)?.name, "Ada");
  assert.deepEqual(events, ["undefined->Ada Reducer"]);

  await assert.rejects(conn.reducers.setName({ name: "" }), /Names must not be empty/);
  await assert.rejects(conn.reducers.sendMessage({ text: "" }), /Messages must not be empty/);
  assert.equal(conn.db.user.identity.find(identity)?.name, "Ada");

  const text = unique("hello");
  const before = BigInt(Date.now() - 5_000) * 1000n;
  await conn.reducers.sendMessage({ text });
  const sent = [...conn.db.message.iter()].find((m) => m.text === text);
  assert.ok(sent && sent.sender.isEqual(identity));
  assert.ok(sent.sent.microsSinceUnixEpoch > before && sent.sent.microsSinceUnixEpoch < before + 60_000_000n);
  conn.disconnect();
  covers("05.30", "05.31", "05.40");
});

test("two clients see each other live", async () => {
  const a = await connect();
  const b = await connect(undefined, "none");
  await Promise.all([subscribe(a.conn), subscribe(b.conn)]);
  const seen: string[] = [];
  b.conn.db.message.onInsert((ctx, m) => seen.push(`${m.text}|${ctx.event.tag}`));
  const text = unique("from a");
  await a.conn.reducers.sendMessage({ text });
  await until("a's message at b", () => seen.length > 0);
  assert.deepEqual(seen, [`${text}|Transaction`]);

  await a.conn.reducers.setName({ name: "Alice" });
  await until("a's name at b", () => b.conn.db.user.identity.find(a.identity)?.name === "Alice");
  a.conn.disconnect();
  await until("a to go offline", () => b.conn.db.user.identity.find(a.identity)?.online === false);
  b.conn.disconnect();
});

test("filtered query sets and unsubscribe", async () => {
  const a = await connect();
  const b = await connect();
  const onlyA = await subscribe(b.conn, [tables.user.where((u) => u.identity.eq(a.identity))]);
  assert.deepEqual([...b.conn.db.user.iter()].map((u) => u.identity.toHexString()), [a.identity.toHexString()]);

  const gone: string[] = [];
  b.conn.db.user.onDelete((_ctx, u) => gone.push(u.identity.toHexString()));
  const same = await subscribe(b.conn, [tables.user.where((u) => u.identity.eq(a.identity))]);
  await new Promise<void>((r) => onlyA.unsubscribeThen(() => r()));
  assert.equal(b.conn.db.user.count(), 1n, "the second set still holds the row");
  await a.conn.reducers.setName({ name: "still here" });
  await until("the update", () => b.conn.db.user.identity.find(a.identity)?.name === "still here");
  await new Promise<void>((r) => same.unsubscribeThen(() => r()));
  assert.deepEqual(gone, [a.identity.toHexString()]);
  assert.equal(b.conn.db.user.count(), 0n);
  a.conn.disconnect();
  b.conn.disconnect();
  covers("05.28", "05.29");
});

test("a bad query is refused by name and the connection lives on", async () => {
  const { conn, identity } = await connect();
  await assert.rejects(subscribe(conn, ["SELECT * FROM usr"]));
  await subscribe(conn);
  assert.ok(conn.db.user.identity.find(identity));
  conn.disconnect();
});

test("many calls in flight keep their order", async () => {
  const { conn, identity } = await connect();
  await subscribe(conn);
  const mark = unique("n");
  const calls = [];
  for (let i = 0; i < 500; i++) calls.push(conn.reducers.sendMessage({ text: `${mark} ${i}` }));
  await Promise.all(calls);
  const mine = [...conn.db.message.iter()].filter((m) => m.sender.isEqual(identity) && m.text.startsWith(mark));
  assert.equal(mine.length, 500);
  mine.sort((x, y) => Number(x.sent.microsSinceUnixEpoch - y.sent.microsSinceUnixEpoch) || Number(x.text.split(" ")[2]) - Number(y.text.split(" ")[2]));
  assert.deepEqual(mine.map((m) => Number(m.text.split(" ").at(-1))), [...Array(500).keys()]);
  conn.disconnect();
  covers("05.37");
});
