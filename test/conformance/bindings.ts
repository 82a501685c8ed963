// What the bindings of the module have in common where the SDK takes them as a schema: since 1.9.
import { procedureSchema, reducerSchema, t } from "spacetimedb";

export const ItemRow = t.row({ id: t.u32().primaryKey(), text: t.string() });
export const BangRow = t.row({ text: t.string() });

export const reducerList = [
  reducerSchema("put", { id: t.u32(), text: t.string() }),
  reducerSchema("drop", { id: t.u32() }),
  reducerSchema("drop_many", { first: t.u32(), count: t.u32() }),
  reducerSchema("put_many", { first: t.u32(), count: t.u32() }),
  reducerSchema("crash", {}),
  reducerSchema("shout", { text: t.string() }),
  reducerSchema("nonsense", {}), // the module has none
] as const;

export const procedureList = [
  procedureSchema("sum", { a: t.u32(), b: t.u32() }, t.u64()),
  procedureSchema("put_slowly", { id: t.u32(), text: t.string() }, t.u32()),
  procedureSchema("fail", {}, t.u64()),
] as const;
