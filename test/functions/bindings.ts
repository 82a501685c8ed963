// What the bindings for the modules of this test have in common in both generations of the SDK. A view is a table to clients.
import { procedureSchema, reducerSchema, t } from "spacetimedb";

export const Book = t.row({ id: t.u64(), owner: t.identity(), title: t.string(), year: t.u32() });
export const BookTable = t.row({ id: t.u64().primaryKey(), owner: t.identity(), title: t.string(), year: t.u32() });
export const Shelf = t.row({ year: t.u32(), books: t.u32() });

export const views = ["my_books", "newest_book", "old_books"] as const;

export const reducerList = [
  reducerSchema("add_book", { title: t.string(), year: t.u32() }),
  reducerSchema("remove_book", { id: t.u64() }),
] as const;

export const procedureList = [
  procedureSchema("sum", { a: t.u32(), b: t.u32() }, t.u64()),
  procedureSchema("add_two", { first: t.string(), second: t.string() }, t.u64()),
  procedureSchema("curse", {}, t.u64()),
  procedureSchema("nap", { millis: t.u32() }, t.u64()),
  procedureSchema("fetch", { url: t.string() }, t.string()),
  procedureSchema("fail", {}, t.u64()),
  procedureSchema("greet", {}, t.string()),
] as const;
