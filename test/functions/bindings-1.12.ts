// Bindings by hand, as `spacetime generate` writes them for the first generation of the SDK.
import { DbConnectionBuilder, DbConnectionImpl, procedures, reducers, schema, SubscriptionBuilderImpl, table } from "spacetimedb";
import { Book, BookTable, procedureList, reducerList, Shelf } from "./bindings";

const view = (name: string, row: any) => table({ name, indexes: [], constraints: [] }, row);
const tables = schema(
  table(
    {
      name: "book",
      indexes: [{ name: "id", algorithm: "btree", columns: ["id"] }],
      constraints: [{ name: "book_id_key", constraint: "unique", columns: ["id"] }],
    },
    BookTable,
  ),
  view("my_books", Book),
  view("newest_book", Book),
  view("old_books", Book),
  view("shelf", Shelf),
  view("fragile", Shelf),
);

const REMOTE_MODULE: any = {
  versionInfo: { cliVersion: "1.12.0" },
  tables: tables.schemaType.tables,
  reducers: reducers(...reducerList).reducersType.reducers,
  ...procedures(...procedureList),
};

export const DbConnection: any = class extends DbConnectionImpl<any> {
  static builder = () => new DbConnectionBuilder(REMOTE_MODULE, (config: any) => new DbConnection(config));
  override subscriptionBuilder = () => new SubscriptionBuilderImpl(this as any) as any;
};
