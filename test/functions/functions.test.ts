// The official SDK against a module with views, procedures and HTTP handlers. What the module can do stands in MODULE_FEATURES.
import { strict as assert } from "node:assert";
import { createServer } from "node:http";
import test from "node:test";
import { DbConnection } from "bindings";
import { covers as prints, database, unique, until, uri } from "../sdk/common";

const features = new Set((process.env.MODULE_FEATURES ?? "").split(" "));
const needs = (feature: string) => ({ skip: features.has(feature) ? false : `the module has no ${feature}` });

// Items of chapter 03 are proven by modules in WebAssembly, those of chapter 04 by modules in JavaScript.
const covers = (...items: string[]) => {
  const chapter = features.has("javascript") ? "04" : "03";
  const proven = items.filter((item) => item.startsWith(chapter));
  if (proven.length > 0) prints(...proven);
};

type Connected = { conn: any; identity: any; token: string };

function connect(token?: string): Promise<Connected> {
  return new Promise((resolve, reject) => {
    const builder = DbConnection.builder().withUri(uri).withToken(token);
    (builder.withDatabaseName ? builder.withDatabaseName(database) : builder.withModuleName(database))
      .onConnect((conn: any, identity: any, token: string) => resolve({ conn, identity, token }))
      .onConnectError((_ctx: any, e: any) => reject(e))
      .build();
  });
}

function subscribe(conn: any, ...queries: string[]): Promise<any> {
  return new Promise((resolve, reject) => {
    const handle = conn
      .subscriptionBuilder()
      .onApplied(() => resolve(handle))
      .onError((ctx: any) => reject(ctx.event ?? new Error("subscription refused")))
      .subscribe(queries);
  });
}

// The tables of the connection under the names of the module, whatever the generation makes of them.
const tableOf = (conn: any, name: string) => conn.db[name] ?? conn.db[name.replace(/_(.)/g, (_, c) => c.toUpperCase())];
const titles = (conn: any, name: string) => Array.from(tableOf(conn, name).iter(), (b: any) => b.title).sort();
const addBook = (conn: any, title: string, year: number) => conn.reducers.addBook({ title, year });

/** Calls a reducer by HTTP, which tells how it ended in both generations. */
async function reduce(token: string, name: string, ...args: unknown[]): Promise<Response> {
  return fetch(`${uri}/v1/database/${database}/call/${name}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(args),
  });
}

test("a view of the caller's own rows", async () => {
  const a = await connect();
  const b = await connect();
  await subscribe(a.conn, "SELECT * FROM my_books");
  await subscribe(b.conn, "SELECT * FROM my_books");
  assert.deepEqual(titles(a.conn, "my_books"), []);
  const [mine, yours] = [unique("mine"), unique("yours")];
  await addBook(a.conn, mine, 1950);
  await addBook(b.conn, yours, 1951);
  await until("a's book", () => titles(a.conn, "my_books").length === 1);
  await until("b's book", () => titles(b.conn, "my_books").length === 1);
  assert.deepEqual(titles(a.conn, "my_books"), [mine]);
  assert.deepEqual(titles(b.conn, "my_books"), [yours]);
  const [book]: any[] = Array.from(tableOf(a.conn, "my_books").iter());
  assert.ok(book.owner.isEqual(a.identity));
  await a.conn.reducers.removeBook({ id: book.id });
  await until("the book's end", () => titles(a.conn, "my_books").length === 0);
  assert.deepEqual(titles(b.conn, "my_books"), [yours]);
  a.conn.disconnect();
  b.conn.disconnect();
});

test("views for everybody: rows of their own, one row, a query", async () => {
  const { conn } = await connect();
  await subscribe(conn, "SELECT * FROM shelf", "SELECT * FROM newest_book", "SELECT * FROM old_books", "SELECT * FROM book");
  const events: string[] = [];
  tableOf(conn, "newest_book").onInsert((_: any, b: any) => events.push(`+${b.title}`));
  tableOf(conn, "newest_book").onDelete((_: any, b: any) => events.push(`-${b.title}`));
  const [first, second, old] = [unique("first"), unique("second"), unique("old")];
  const year = 1_000_000 + Math.floor(Math.random() * 1e9);
  await addBook(conn, first, year);
  await addBook(conn, second, year);
  await addBook(conn, old, 1800);
  const shelf = (y: number) => (Array.from(tableOf(conn, "shelf").iter()) as any[]).find((s) => s.year === y)?.books;
  await until("the query's row", () => titles(conn, "old_books").includes(old));
  assert.equal(shelf(year), 2);
  assert.deepEqual(titles(conn, "newest_book"), [second]);
  assert.ok(events.includes(`+${first}`) && events.includes(`-${first}`) && events.includes(`+${second}`), events.join());
  assert.ok(!titles(conn, "old_books").includes(first));
  for (const b of Array.from(tableOf(conn, "book").iter()) as any[]) {
    if (b.year === year) await conn.reducers.removeBook({ id: b.id });
  }
  await until("the shelf's end", () => shelf(year) === undefined);
  assert.ok(!titles(conn, "newest_book").includes(second));
  conn.disconnect();
  covers("03.41");
});

test("a view that fails undoes what made it fail", async () => {
  const { conn, token } = await connect();
  await subscribe(conn, "SELECT * FROM fragile", "SELECT * FROM book");
  const title = unique("cursed");
  const refused = await reduce(token, "add_book", title, 666);
  assert.equal(refused.status, 530, await refused.text());
  await assert.rejects(conn.procedures.curse({}));
  const fine = unique("fine");
  await addBook(conn, fine, 1999);
  await until("another book", () => titles(conn, "book").includes(fine));
  assert.ok(!titles(conn, "book").includes(title) && !titles(conn, "book").includes("cursed"));
  conn.disconnect();
  covers("04.26");
});

test("procedures return values", async () => {
  const { conn } = await connect();
  assert.equal(await conn.procedures.sum({ a: 4_000_000_000, b: 4_000_000_000 }), 8_000_000_000n);
  await assert.rejects(conn.procedures.fail({}), /kettle|fatal/);
  assert.equal(await conn.procedures.sum({ a: 1, b: 2 }), 3n);
  conn.disconnect();
});

test("procedures have transactions", async () => {
  const { conn } = await connect();
  await subscribe(conn, "SELECT * FROM my_books");
  const [one, two] = [unique("one"), unique("two")];
  const before = await conn.procedures.addTwo({ first: one, second: "" });
  await until("the first book", () => titles(conn, "my_books").length === 1);
  assert.deepEqual(titles(conn, "my_books"), [one]);
  assert.equal(await conn.procedures.addTwo({ first: unique("three"), second: two }), before + 2n);
  await until("all books", () => titles(conn, "my_books").length === 3);
  assert.ok(titles(conn, "my_books").includes(two));
  conn.disconnect();
  covers("03.47");
});

test("reducers run while a procedure sleeps", needs("sleep"), async () => {
  const { conn } = await connect();
  await subscribe(conn, "SELECT * FROM my_books");
  // Whether the reducer is done before a procedure of that length.
  const overtakes = async (millis: number): Promise<boolean> => {
    const begin = Date.now();
    let over = false;
    const nap = conn.procedures.nap({ millis }).then((slept: bigint) => {
      over = true;
      return slept;
    });
    const title = unique("meanwhile");
    await addBook(conn, title, 1990);
    await until("the book", () => titles(conn, "my_books").includes(title));
    const overtaken = !over;
    const slept = Number(await nap);
    assert.ok(slept >= (millis - 1) * 1000 && slept < (millis + 60_000) * 1000, `slept ${slept} µs`);
    assert.ok(Date.now() - begin >= millis - 10);
    return overtaken;
  };
  // A busy machine takes longer over a reducer, but not for ever.
  assert.ok((await overtakes(1500)) || (await overtakes(30_000)), "the procedure has kept the reducer waiting");
  conn.disconnect();
  covers("03.52");
});

test("procedures make requests", async () => {
  let seen = "";
  let held: (() => void) | undefined;
  const server = createServer((req, res) => {
    let body = "";
    req.on("data", (d) => (body += d));
    req.on("end", () => {
      seen = `${req.method} ${req.url} ${req.headers["x-from"]} ${body}`;
      const answer = () => res.writeHead(req.url === "/missing" ? 404 : 200, { "x-kind": "test" }).end(req.url === "/empty" ? "" : "pong");
      if (req.url === "/slow") held = answer;
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as any;
  const { conn } = await connect();
  const kind = features.has("headless") ? "none" : "test"; // the package of 1.12 forgets the headers of responses
  const ask = (path: string) => conn.procedures.fetch({ url: `http://127.0.0.1:${port}${path}` });
  assert.equal(await ask("/a?b=c"), `200 ${kind} pong`);
  assert.equal(seen, "POST /a?b=c module ping");
  assert.equal(await ask("/missing"), `404 ${kind} pong`);
  // The crate of 1.12 panics at an empty body, whose source is 0 (spec 03 §11.2).
  if (features.has("brittle")) await assert.rejects(ask("/empty"));
  else assert.equal(await ask("/empty"), `200 ${kind} `);
  const slow = ask("/slow");
  await until("the request", () => held !== undefined);
  await subscribe(conn, "SELECT * FROM my_books");
  const title = unique("during a request");
  await addBook(conn, title, 1991);
  await until("the book", () => titles(conn, "my_books").includes(title));
  held!();
  assert.equal(await slow, `200 ${kind} pong`);
  await new Promise((resolve) => server.close(resolve));
  const refused = await conn.procedures.fetch({ url: `http://127.0.0.1:${port}/?secret=hush` });
  assert.match(refused, /^error: /);
  assert.ok(!refused.includes("hush"), refused);
  conn.disconnect();
  covers("03.50");
});

test("handlers answer HTTP requests", needs("handlers"), async () => {
  const base = `${uri}/v1/database/${database}/route`;
  const hello = await fetch(`${base}/hello?x=1`, { headers: { "x-who": "me" } });
  assert.equal(hello.status, 200);
  assert.equal(hello.headers.get("x-kind"), "greeting");
  assert.match(await hello.text(), new RegExp(`^GET ${base.replaceAll(".", "\\.")}/hello\\?x=1 me \\d+$`));
  const title = unique("posted");
  const posted = await fetch(`${base}/books`, { method: "POST", body: title });
  assert.equal(posted.status, 201);
  assert.equal(await posted.text(), `added ${title}`);
  assert.equal((await fetch(`${base}/books`, { method: "POST" })).status, 500);
  assert.equal((await fetch(`${base}/nowhere`)).status, 404);
  assert.equal((await fetch(`${base}/hello`, { method: "DELETE" })).status, 404);
  const { conn } = await connect();
  await subscribe(conn, "SELECT * FROM book");
  const book: any = Array.from(tableOf(conn, "book").iter() as any).find((b: any) => b.title === title);
  assert.equal(book?.year, 2003);
  if (features.has("sender")) {
    const again = unique("posted");
    await fetch(`${base}/books`, { method: "POST", body: again });
    await until("the second book", () => titles(conn, "book").includes(again));
    const other: any = Array.from(tableOf(conn, "book").iter() as any).find((b: any) => b.title === again);
    assert.ok(!book.owner.isEqual(other.owner) && BigInt("0x" + book.owner.toHexString()) !== 0n, "each request has a sender of its own");
    covers("03.66");
  }
  conn.disconnect();
  covers("03.53");
});

test("the environment", needs("environment"), async () => {
  const { conn, token } = await connect();
  const owner = process.env.OWNER_TOKEN!;
  const route = `${uri}/v1/database/${database}/environment`;
  const authorization = `Bearer ${owner}`;
  const set = async (values: Record<string, string>, remove?: string) => {
    const { module_hash } = await (await fetch(route, { headers: { authorization } })).json();
    const headers: Record<string, string> = { authorization, "content-type": "application/json" };
    if (remove) headers["spacetime-environment-remove"] = remove;
    const r = await fetch(`${route}?expected_module_hash=${module_hash}`, { method: "PATCH", headers, body: JSON.stringify(values) });
    assert.ok(r.ok, `${r.status} ${await r.text()}`);
  };
  const sign = async () => {
    const r = await fetch(`${uri}/v1/database/${database}/sql`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: "SELECT * FROM sign",
    });
    return JSON.stringify((await r.json())[0].rows);
  };
  assert.equal(await conn.procedures.greet({}), "none");
  assert.equal(await sign(), "[]");
  await set({ GREETING: "good day" });
  assert.equal(await conn.procedures.greet({}), "good day");
  assert.equal(await sign(), '[["good day"]]');
  await set({ GREETING: "" });
  assert.equal(await conn.procedures.greet({}), "");
  assert.equal(await sign(), '[[""]]');
  await set({}, "GREETING");
  assert.equal(await conn.procedures.greet({}), "none");
  conn.disconnect();
  covers("03.64");
});

test("a view with a parameter", needs("parameters"), async () => {
  const { conn, token } = await connect();
  const year = 100_000 + Math.floor(Math.random() * 800_000); // below those of another test
  const title = unique("of a year");
  await addBook(conn, title, year);
  const ask = async (sql: string) => {
    const r = await fetch(`${uri}/v1/database/${database}/sql`, { method: "POST", headers: { authorization: `Bearer ${token}` }, body: sql });
    const text = await r.text();
    assert.ok(r.ok, text);
    return text;
  };
  assert.ok((await ask(`SELECT * FROM books_of(${year})`)).includes(title));
  assert.ok(!(await ask(`SELECT * FROM books_of(${year + 1})`)).includes(title));
  conn.disconnect();
  covers("03.67");
});

test("a call by HTTP has a connection and the caller's claims", needs("claims"), async () => {
  const { conn, token } = await connect();
  const { sub } = JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
  const right = await reduce(token, "expect_claims", `"sub":"${sub}"`);
  assert.equal(right.status, 200, await right.text());
  assert.equal((await reduce(token, "expect_claims", "somebody else")).status, 530);
  conn.disconnect();
  covers("03.45");
});
