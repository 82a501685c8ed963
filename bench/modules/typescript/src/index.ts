// The money-transfer benchmark as a TypeScript module.
import { schema, SenderError, t, table } from "spacetimedb/server";

const spacetimedb = schema({
  accounts: table({ name: "accounts", public: true }, { id: t.u32().primaryKey(), balance: t.i64() }),
});
export default spacetimedb;

/** Fills the table, unless somebody has. */
export const seed = spacetimedb.reducer({ n: t.u32() }, (ctx, { n }) => {
  if (ctx.db.accounts.count() > 0n) return;
  for (let id = 0; id < n; id++) ctx.db.accounts.insert({ id, balance: 1_000_000n });
});

/** Moves money from one account to another. */
export const transfer = spacetimedb.reducer({ from: t.u32(), to: t.u32(), amount: t.i64() }, (ctx, { from, to, amount }) => {
  const a = ctx.db.accounts.id.find(from);
  const b = ctx.db.accounts.id.find(to);
  if (!a || !b) throw new SenderError("no such account");
  if (a.balance < amount) throw new SenderError("insufficient funds");
  ctx.db.accounts.id.update({ ...a, balance: a.balance - amount });
  ctx.db.accounts.id.update({ ...b, balance: b.balance + amount });
});

/** Does nothing: what a call costs by itself. */
export const empty = spacetimedb.reducer(() => {});
