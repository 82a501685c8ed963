// Reducers that each do one thing a host must get right.
import { schema, SenderError, t, table, errors } from "spacetimedb/server";

const person = table(
  { name: "person", public: true, indexes: [{ name: "by_age_name", algorithm: "btree", columns: ["age", "name"] }] },
  { id: t.u32().primaryKey().autoInc(), name: t.string(), age: t.u8().index("btree") },
);
const unique_name = table({ name: "unique_name" }, { id: t.u32().primaryKey(), name: t.string().unique() });

const accounts = table({ name: "accounts", public: true }, { id: t.u32().primaryKey(), balance: t.i64() });

const spacetimedb = schema(person, unique_name, accounts);

spacetimedb.reducer("add", { name: t.string(), age: t.u8() }, (ctx, { name, age }) => {
  const row = ctx.db.person.insert({ id: 0, name, age });
  console.log(`id ${row.id}`);
});

spacetimedb.reducer("fill", { n: t.u32() }, (ctx, { n }) => {
  for (let i = 0; i < n; i++) ctx.db.person.insert({ id: 0, name: `person ${i}`, age: i % 100 });
});

spacetimedb.reducer("list", (ctx) => {
  let n = 0;
  for (const p of ctx.db.person.iter()) n += p.name.length;
  console.info(`${ctx.db.person.count()} rows, ${n} letters`);
});

spacetimedb.reducer("look", (ctx) => {
  const names = (rows: Iterable<{ name: string }>) => [...rows].map((r) => r.name).sort().join(",");
  console.log(names(ctx.db.person.age.filter(5)));
  console.log(names(ctx.db.person.by_age_name.filter([5, "x"])));
});

spacetimedb.reducer("first", (ctx) => {
  for (const p of ctx.db.person.iter()) {
    console.log(p.name);
    break;
  }
});

spacetimedb.reducer("lookups", { n: t.u32() }, (ctx, { n }) => {
  for (let i = 0; i < n; i++) ctx.db.person.id.find(1);
});

spacetimedb.reducer("clash", (ctx) => {
  ctx.db.uniqueName.insert({ id: 1, name: "a" });
  try {
    ctx.db.uniqueName.insert({ id: 2, name: "a" });
  } catch (e: any) {
    console.log(`${e.code} ${e instanceof errors.UniqueAlreadyExists} ${e.message}`);
  }
  ctx.db.uniqueName.insert({ id: 3, name: "b" });
});

spacetimedb.reducer("refuse", () => {
  throw new SenderError("no way");
});

class Oops extends Error {}

function inner(depth: number): void {
  if (depth > 0) inner(depth - 1);
  else throw new Oops("boom");
}

spacetimedb.reducer("fail", () => {
  inner(2);
});

spacetimedb.reducer("returns", (() => 5) as any);

spacetimedb.reducer("later", (async (ctx: any) => {
  console.log("before");
  await null;
  ctx.db.uniqueName.insert({ id: 7, name: "later" });
  console.log("after");
  throw new Error("nobody hears this");
}) as any);

spacetimedb.reducer("random", (ctx) => {
  console.log(`${ctx.random()} ${ctx.random.integerInRange(0, 9)} ${ctx.newUuidV4()} ${ctx.newUuidV7()}`);
});

spacetimedb.reducer("levels", () => {
  console.error("e");
  console.warn("w");
  console.info("i");
  console.debug("d");
  console.trace("t");
  console.time("timer");
  console.timeEnd("timer");
  console.log({ a: 1 }, "b");
});

spacetimedb.reducer("auth", (ctx) => {
  console.log(`${ctx.senderAuth.jwt?.subject} ${ctx.connectionId?.toHexString()} ${ctx.sender.toHexString()} ${ctx.identity.toHexString()}`);
});

spacetimedb.reducer("remove", (ctx) => {
  console.log(`${ctx.db.person.delete({ id: 1, name: "person 0", age: 0 })} ${ctx.db.person.id.delete(2)} ${ctx.db.person.age.delete(5)}`);
});

spacetimedb.reducer("seed", { n: t.u32() }, (ctx, { n }) => {
  for (let id = 0; id < n; id++) ctx.db.accounts.insert({ id, balance: 1_000_000n });
});

spacetimedb.reducer("transfer", { from: t.u32(), to: t.u32(), amount: t.i64() }, (ctx, { from, to, amount }) => {
  const a = ctx.db.accounts.id.find(from);
  const b = ctx.db.accounts.id.find(to);
  if (!a || !b) throw new SenderError("no such account");
  if (a.balance < amount) throw new SenderError("insufficient funds");
  ctx.db.accounts.id.update({ ...a, balance: a.balance - amount });
  ctx.db.accounts.id.update({ ...b, balance: b.balance + amount });
});

spacetimedb.reducer("empty", () => {});
