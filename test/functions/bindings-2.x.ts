// Bindings by hand, as `spacetime generate` writes them for the second generation of the SDK.
import { DbConnectionBuilder, DbConnectionImpl, procedures, reducers, schema, SubscriptionBuilderImpl, table } from "spacetimedb";
import { Book, BookTable, procedureList, reducerList, Shelf } from "./bindings";

const view = (name: string, row: any) => table({ name, indexes: [], constraints: [] }, row);
const tables = schema({
  book: table(
    {
      name: "book",
      indexes: [{ accessor: "id", name: "book_id_idx_btree", algorithm: "btree", columns: ["id"] }],
      constraints: [{ name: "book_id_key", constraint: "unique", columns: ["id"] }],
    },
    BookTable,
  ),
  my_books: view("my_books", Book),
  newest_book: view("newest_book", Book),
  old_books: view("old_books", Book),
  shelf: view("shelf", Shelf),
  fragile: view("fragile", Shelf),
} as any);

const REMOTE_MODULE: any = {
  versionInfo: { cliVersion: "2.10.1" },
  tables: tables.schemaType.tables,
  reducers: reducers(...reducerList).reducersType.reducers,
  ...procedures(...procedureList),
};

export const DbConnection: any = class extends DbConnectionImpl<any> {
  static builder = () => new DbConnectionBuilder(REMOTE_MODULE, (config: any) => new DbConnection(config));
  override subscriptionBuilder = () => new SubscriptionBuilderImpl(this as any) as any;
};
