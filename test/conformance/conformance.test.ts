// Every version of the official SDK against one module: what a client can say and hear, in the versions that have it.
import { strict as assert } from "node:assert";
import { createServer, connect as dial, type Socket } from "node:net";
import test from "node:test";
import { Duplex } from "node:stream";
import { createBrotliDecompress } from "node:zlib";
import { DbConnection, subscriptions } from "bindings";
import { covers, database, until, uri } from "../sdk/common";

declare const SDK_VERSION: string;
const minor = Number(SDK_VERSION.split(".")[1]);
const second = SDK_VERSION.startsWith("2");
const has = {
  procedures: second || minor >= 9,
  brotli: second && minor >= 2,
  eventTables: second,
  allTables: !second,
};
const needs = (feature: keyof typeof has) => ({ skip: has[feature] ? false : `${SDK_VERSION} has no ${feature}` });
const compressed = process.env.SERVER_GZIP === "true";

// Node has this since 24, browsers for longer: what the SDK looks for when it is asked for brotli.
const Streams = globalThis.DecompressionStream;
(globalThis as any).DecompressionStream = class {
  constructor(format: string) {
    return format === "brotli" ? Duplex.toWeb(createBrotliDecompress()) : new Streams(format as CompressionFormat);
  }
};

type Options = { token?: string; compression?: string; light?: boolean; confirmed?: boolean; uri?: string };
type Connected = { conn: any; identity: any; token: string; ended: Promise<void> };

function connect(o: Options = {}): Promise<Connected> {
  return new Promise((resolve, reject) => {
    let over: () => void;
    const ended = new Promise<void>((r) => (over = r));
    const builder = DbConnection.builder().withUri(o.uri ?? uri).withToken(o.token);
    (builder.withDatabaseName ? builder.withDatabaseName(database) : builder.withModuleName(database))
      .onConnect((conn: any, identity: any, token: string) => resolve({ conn, identity, token, ended }))
      .onConnectError((_ctx: any, e: any) => reject(e))
      .onDisconnect(() => over());
    if (o.compression) builder.withCompression(o.compression);
    if (o.light !== undefined) builder.withLightMode(o.light);
    if (o.confirmed !== undefined) builder.withConfirmedReads(o.confirmed);
    builder.build();
  });
}

function subscribe(conn: any, ...queries: string[]): Promise<any> {
  return new Promise((resolve, reject) => {
    const handle = subscriptions(conn)
      .onApplied(() => resolve(handle))
      .onError((ctx: any) => reject(ctx.event ?? new Error("subscription refused")))
      .subscribe(queries);
  });
}

const items = (conn: any): Map<number, string> => new Map([...conn.db.item.iter()].map((i: any) => [i.id, i.text]));

// Numbers of items that no other test and no other run uses.
let next = 1 + Math.floor(Math.random() * 40_000) * 100_000;
const ids = (n: number) => (next += n) - n;

// call ends when the reducer has committed, and fails with its error, in either generation.
function call(conn: any, name: string, args: any): Promise<void> {
  if (second) return conn.reducers[name](args);
  return new Promise((resolve, reject) => {
    const on = conn.reducers[`on${name[0].toUpperCase()}${name.slice(1)}`];
    const done = (ctx: any) => {
      if (ctx.event.callerConnectionId && !ctx.event.callerConnectionId.isEqual(conn.connectionId)) return;
      const { status } = ctx.event;
      status.tag === "Committed" ? resolve() : reject(new Error(String(status.value)));
    };
    on.call(conn.reducers, done);
    conn.reducers[name](args);
  });
}

test("connect with and without a token", async () => {
  const a = await connect();
  assert.match(a.identity.toHexString(), /^c200[0-9a-f]{60}$/);
  assert.ok(a.conn.isActive);
  a.conn.disconnect();
  await a.ended;
  const again = await connect({ token: a.token });
  assert.equal(again.identity.toHexString(), a.identity.toHexString());
  assert.equal(again.token, a.token);
  const other = await connect();
  assert.notEqual(other.identity.toHexString(), a.identity.toHexString());
  assert.ok(!other.conn.connectionId.isEqual(again.conn.connectionId));
  again.conn.disconnect();
  other.conn.disconnect();
  await assert.rejects(connect({ token: "not a token" }));
  covers("05.7");
});

test("rows, changes and who hears of them", async () => {
  const a = await connect();
  const b = await connect({ light: true });
  const id = ids(10);
  const query = `SELECT * FROM item WHERE id >= ${id} AND id < ${id + 10}`;
  await call(a.conn, "put", { id, text: "there before" });
  await Promise.all([subscribe(a.conn, query), subscribe(b.conn, query)]);
  assert.deepEqual([...items(a.conn)], [[id, "there before"]]);
  const seen: string[] = [];
  b.conn.db.item.onInsert((_: any, i: any) => seen.push(`+${i.text}`));
  b.conn.db.item.onUpdate((_: any, from: any, to: any) => seen.push(`${from.text}>${to.text}`));
  b.conn.db.item.onDelete((_: any, i: any) => seen.push(`-${i.text}`));
  await call(a.conn, "put", { id: id + 1, text: "new" });
  await call(a.conn, "put", { id: id + 1, text: "newer" });
  await call(a.conn, "drop", { id });
  assert.deepEqual([...items(a.conn)], [[id + 1, "newer"]]);
  await until("everything at b", () => seen.length === 3);
  assert.deepEqual(seen, ["+new", "new>newer", "-there before"]);
  assert.deepEqual([...items(b.conn)], [...items(a.conn)]);
  a.conn.disconnect();
  b.conn.disconnect();
});

test("errors of reducers", async () => {
  const { conn } = await connect();
  const id = ids(2);
  await assert.rejects(call(conn, "put", { id, text: "" }), /An item needs a text/);
  await assert.rejects(call(conn, "drop", { id }), /There is no such item/);
  await assert.rejects(call(conn, "crash", {}), /fatal error/);
  if (second) await assert.rejects(call(conn, "nonsense", {}), /no such reducer/);
  else conn.reducers.nonsense({}); // nothing tells of it
  await subscribe(conn, `SELECT * FROM item WHERE id = ${id}`);
  await call(conn, "put", { id, text: "fine" });
  assert.equal(items(conn).get(id), "fine");
  conn.disconnect();
});

test("subscriptions overlap, end and are refused", async () => {
  const { conn } = await connect();
  const id = ids(2);
  await call(conn, "put", { id, text: "one" });
  const first = await subscribe(conn, `SELECT * FROM item WHERE id = ${id}`);
  const both = await subscribe(conn, `SELECT * FROM item WHERE id = ${id}`, `SELECT * FROM item WHERE id >= ${id} AND id <= ${id + 1}`);
  const gone: number[] = [];
  conn.db.item.onDelete((_: any, i: any) => gone.push(i.id));
  await new Promise<void>((r) => first.unsubscribeThen(() => r()));
  await call(conn, "put", { id, text: "two" });
  assert.deepEqual([...items(conn)], [[id, "two"]]);
  await assert.rejects(subscribe(conn, "SELECT * FROM item", "SELECT * FROM itm"));
  assert.equal(items(conn).size, 1);
  await new Promise<void>((r) => both.unsubscribeThen(() => r()));
  assert.deepEqual(gone, [id]);
  assert.equal(items(conn).size, 0);
  conn.disconnect();
});

test("subscribe to all tables", needs("allTables"), async () => {
  const { conn } = await connect();
  const id = ids(1);
  await call(conn, "put", { id, text: "one of all" });
  await new Promise<void>((resolve, reject) =>
    subscriptions(conn).onApplied(() => resolve()).onError((ctx: any) => reject(ctx.event)).subscribeToAllTables(),
  );
  assert.equal(items(conn).get(id), "one of all");
  conn.disconnect();
  covers("05.19");
});

test("procedures", needs("procedures"), async () => {
  const { conn } = await connect();
  const id = ids(1);
  await subscribe(conn, `SELECT * FROM item WHERE id = ${id}`);
  assert.equal(await conn.procedures.sum({ a: 4_000_000_000, b: 4_000_000_000 }), 8_000_000_000n);
  assert.equal(await conn.procedures.putSlowly({ id, text: "by a procedure" }), id);
  assert.equal(items(conn).get(id), "by a procedure", "its changes come before its result");
  await assert.rejects(conn.procedures.fail({}), /kettle|fatal/);
  assert.equal(await conn.procedures.sum({ a: 1, b: 2 }), 3n);
  conn.disconnect();
  covers("05.38");
});

test("event tables", needs("eventTables"), async () => {
  const a = await connect();
  const b = await connect();
  await subscribe(b.conn, "SELECT * FROM bang");
  const heard: string[] = [];
  b.conn.db.bang.onInsert((_: any, e: any) => heard.push(e.text));
  await call(a.conn, "shout", { text: "one" });
  await call(a.conn, "shout", { text: "two" });
  await until("both events", () => heard.length === 2);
  assert.deepEqual(heard, ["one", "two"]);
  assert.equal(Number(b.conn.db.bang.count()), 0);
  a.conn.disconnect();
  b.conn.disconnect();
  covers("05.32");
});

for (const compression of has.brotli ? ["none", "gzip", "brotli"] : ["none", "gzip"]) {
  test(`many rows, compression ${compression}`, async () => {
    const { conn } = await connect({ compression });
    const [first, count] = [ids(3000), 3000];
    await call(conn, "putMany", { first, count });
    await subscribe(conn, `SELECT * FROM item WHERE id >= ${first} AND id < ${first + count}`);
    assert.equal(items(conn).size, count);
    await call(conn, "dropMany", { first, count });
    await until("the end of the rows", () => items(conn).size === 0); // without an order the result may overtake them
    conn.disconnect();
  });
}

test("confirmed reads and without", async () => {
  for (const confirmed of [true, false]) {
    const { conn } = await connect({ confirmed });
    const id = ids(1);
    await subscribe(conn, `SELECT * FROM item WHERE id = ${id}`);
    await call(conn, "put", { id, text: String(confirmed) });
    assert.equal(items(conn).get(id), String(confirmed));
    conn.disconnect();
  }
});

test("a connection that is cut, and the next", async () => {
  const sockets = new Set<Socket>();
  const { hostname, port } = new URL(uri);
  const proxy = createServer((from) => {
    const to = dial(Number(port), hostname);
    for (const s of [from, to]) sockets.add(s.on("error", () => {}));
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((r) => proxy.listen(0, "127.0.0.1", () => r()));
  const through = `http://127.0.0.1:${(proxy.address() as any).port}`;
  const a = await connect({ uri: through });
  const id = ids(1);
  await subscribe(a.conn, `SELECT * FROM item WHERE id = ${id}`);
  await call(a.conn, "put", { id, text: "before" });
  for (const s of sockets) s.destroy();
  await a.ended;
  const again = await connect({ uri: through, token: a.token });
  assert.equal(again.identity.toHexString(), a.identity.toHexString());
  await subscribe(again.conn, `SELECT * FROM item WHERE id = ${id}`);
  assert.equal(items(again.conn).get(id), "before");
  await call(again.conn, "put", { id, text: "after" });
  assert.equal(items(again.conn).get(id), "after");
  again.conn.disconnect();
  await again.ended;
  for (const s of sockets) s.destroy();
  await new Promise((r) => proxy.close(r));
});

// The SDK applies messages that it has to decompress when that has ended. So that none overtakes another, the server
// compresses nothing for it unless it is told to.
for (const compression of has.brotli ? ["gzip", "brotli"] : ["gzip"]) {
  test(`5,000 messages keep their order, compression ${compression}`, { skip: compressed ? "the server compresses" : false }, async () => {
    const writer = await connect({ compression: "none", confirmed: false });
    const reader = await connect({ compression, confirmed: false });
    const [first, count] = [ids(5000), 5000];
    await subscribe(reader.conn, `SELECT * FROM item WHERE id >= ${first} AND id < ${first + count}`);
    const order: number[] = [];
    reader.conn.db.item.onInsert((_: any, i: any) => order.push(i.id - first));
    // Some are longer than what is compressed, most are not; each is followed by its end now and then.
    const text = (i: number) => (i % 7 === 0 ? "long ".repeat(400 + i) : `short ${i}`);
    for (let i = 0; i < count; i++) {
      writer.conn.reducers.put({ id: first + i, text: text(i) });
      if (i % 5 === 4) writer.conn.reducers.drop({ id: first + i });
      if (i % 250 === 249) await new Promise((r) => setImmediate(r));
    }
    await until("all messages", () => order.length === count && items(reader.conn).size === (count * 4) / 5);
    assert.deepEqual(order, [...Array(count).keys()]);
    for (const [id, got] of items(reader.conn)) assert.equal(got, text(id - first));
    await call(writer.conn, "dropMany", { first, count });
    await until("the end of the rows", () => items(reader.conn).size === 0);
    writer.conn.disconnect();
    reader.conn.disconnect();
  });
}
