// Views and procedures, for the first generation of the SDK.
import { schema, SenderError, t, table } from "spacetimedb/server";

const Book = t.row("Book", {
  id: t.u64().primaryKey().autoInc(),
  owner: t.identity().index("btree"),
  title: t.string(),
  year: t.u32().index("btree"),
});
// Not called Shelf: the package makes a type of that name for the parameters of the view.
const Shelf = t.row("ShelfOfYear", { year: t.u32(), books: t.u32() });

const spacetimedb = schema(table({ name: "book", public: true }, Book));

spacetimedb.reducer("add_book", { title: t.string(), year: t.u32() }, (ctx, { title, year }) => {
  ctx.db.book.insert({ id: 0n, owner: ctx.sender, title, year });
});

spacetimedb.reducer("remove_book", { id: t.u64() }, (ctx, { id }) => {
  if (!ctx.db.book.id.delete(id)) throw new SenderError(`no book ${id}`);
});

spacetimedb.view({ name: "my_books", public: true }, t.array(Book), (ctx) => Array.from(ctx.db.book.owner.filter(ctx.sender)));

spacetimedb.anonymousView({ name: "newest_book", public: true }, t.option(Book), (ctx) => {
  let newest;
  for (const b of ctx.db.book.iter()) {
    if (!newest || b.year > newest.year || (b.year === newest.year && b.id > newest.id)) newest = b;
  }
  return newest;
});

spacetimedb.anonymousView({ name: "shelf", public: true }, t.array(Shelf), (ctx) => {
  const years = new Map<number, number>();
  for (const b of ctx.db.book.iter()) years.set(b.year, (years.get(b.year) ?? 0) + 1);
  return Array.from(years, ([year, books]) => ({ year, books }));
});

spacetimedb.anonymousView({ name: "old_books", public: true }, t.array(Book), (ctx) =>
  Array.from(ctx.db.book.iter()).filter((b) => b.year < 1900),
);

// Fails as soon as there is a book of the year 666.
spacetimedb.anonymousView({ name: "fragile", public: true }, t.array(Shelf), (ctx) => {
  for (const _ of ctx.db.book.year.filter(666)) throw new Error("this year is cursed");
  return [];
});

spacetimedb.procedure("sum", { a: t.u32(), b: t.u32() }, t.u64(), (_ctx, { a, b }) => BigInt(a) + BigInt(b));

// Adds two books in a transaction each. Without a title the second is taken back.
spacetimedb.procedure("add_two", { first: t.string(), second: t.string() }, t.u64(), (ctx, { first, second }) => {
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
spacetimedb.procedure("curse", t.u64(), (ctx) => {
  ctx.withTx((tx) => tx.db.book.insert({ id: 0n, owner: ctx.sender, title: "cursed", year: 666 }));
  return 1n;
});

spacetimedb.procedure("fetch", { url: t.string() }, t.string(), (ctx, { url }) => {
  try {
    const r = ctx.http.fetch(url, { method: "POST", headers: { "x-from": "module" }, body: "ping" });
    return `${r.status} ${r.headers.get("x-kind") ?? "none"} ${r.text()}`;
  } catch (e: any) {
    return `error: ${e.message}`;
  }
});

spacetimedb.procedure("fail", t.u64(), () => {
  throw new Error("the kettle boils");
});

spacetimedb.procedure("greet", t.string(), () => "none");
