// Views, procedures and HTTP handlers, for the second generation of the SDK.
import { Router, schema, SenderError, SyncResponse, t, table } from "spacetimedb/server";

const book = table(
  { name: "book", public: true },
  {
    id: t.u64().primaryKey().autoInc(),
    owner: t.identity().index("btree"),
    title: t.string(),
    year: t.u32().index("btree"),
  },
);

const spacetimedb = schema({ book });
export default spacetimedb;

export const add_book = spacetimedb.reducer({ title: t.string(), year: t.u32() }, (ctx, { title, year }) => {
  ctx.db.book.insert({ id: 0n, owner: ctx.sender, title, year });
});

export const remove_book = spacetimedb.reducer({ id: t.u64() }, (ctx, { id }) => {
  if (!ctx.db.book.id.delete(id)) throw new SenderError(`no book ${id}`);
});

export const my_books = spacetimedb.view({ name: "my_books", public: true }, t.array(book.rowType), (ctx) =>
  Array.from(ctx.db.book.owner.filter(ctx.sender)),
);

export const newest_book = spacetimedb.anonymousView({ name: "newest_book", public: true }, t.option(book.rowType), (ctx) => {
  let newest;
  for (const b of ctx.db.book.iter()) {
    if (!newest || b.year > newest.year || (b.year === newest.year && b.id > newest.id)) newest = b;
  }
  return newest;
});

// Not called Shelf: the package makes a type of that name for the parameters of the view.
const Shelf = t.row("ShelfOfYear", { year: t.u32(), books: t.u32() });

export const shelf = spacetimedb.anonymousView({ name: "shelf", public: true }, t.array(Shelf), (ctx) => {
  const years = new Map<number, number>();
  for (const b of ctx.db.book.iter()) years.set(b.year, (years.get(b.year) ?? 0) + 1);
  return Array.from(years, ([year, books]) => ({ year, books }));
});

export const old_books = spacetimedb.anonymousView({ name: "old_books", public: true }, t.array(book.rowType), (ctx) =>
  ctx.from.book.where((b) => b.year.lt(1900)).build(),
);

// Fails as soon as there is a book of the year 666.
export const fragile = spacetimedb.anonymousView({ name: "fragile", public: true }, t.array(Shelf), (ctx) => {
  for (const _ of ctx.db.book.year.filter(666)) throw new Error("this year is cursed");
  return [];
});

export const sum = spacetimedb.procedure({ a: t.u32(), b: t.u32() }, t.u64(), (_ctx, { a, b }) => BigInt(a) + BigInt(b));

// Adds two books in a transaction each. Without a title the second is taken back.
export const add_two = spacetimedb.procedure({ first: t.string(), second: t.string() }, t.u64(), (ctx, { first, second }) => {
  ctx.withTx((tx) => tx.db.book.insert({ id: 0n, owner: ctx.sender, title: first, year: 2001 }));
  try {
    ctx.withTx((tx) => {
      tx.db.book.insert({ id: 0n, owner: ctx.sender, title: second, year: 2002 });
      if (!second) throw new Error("no title");
    });
  } catch (e) {
    console.warn(String(e));
  }
  return ctx.withTx((tx) => tx.db.book.count());
});

// Adds a book of the cursed year.
export const curse = spacetimedb.procedure(t.u64(), (ctx) => {
  ctx.withTx((tx) => tx.db.book.insert({ id: 0n, owner: ctx.sender, title: "cursed", year: 666 }));
  return 1n;
});

export const fetch = spacetimedb.procedure({ url: t.string() }, t.string(), (ctx, { url }) => {
  try {
    const r = ctx.http.fetch(url, { method: "POST", headers: { "x-from": "module" }, body: "ping" });
    return `${r.status} ${r.headers.get("x-kind") ?? "none"} ${r.text()}`;
  } catch (e: any) {
    return `error: ${e.message}`;
  }
});

export const fail = spacetimedb.procedure(t.u64(), () => {
  throw new Error("the kettle boils");
});

export const greet = spacetimedb.procedure(t.string(), () => "none");

export const hello = spacetimedb.httpHandler((ctx, req) => {
  const books = ctx.withTx((tx) => tx.db.book.count());
  return new SyncResponse(`${req.method} ${req.uri} ${req.headers.get("x-who") ?? "nobody"} ${books}`, {
    headers: { "x-kind": "greeting" },
  });
});

export const post_book = spacetimedb.httpHandler((ctx, req) => {
  const title = req.text();
  if (!title) throw new Error("a book needs a title");
  ctx.withTx((tx) => tx.db.book.insert({ id: 0n, owner: tx.sender, title, year: 2003 }));
  return new SyncResponse(`added ${title}`, { status: 201 });
});

export const routes = spacetimedb.httpRouter(new Router().get("/hello", hello).post("/books", post_book));
