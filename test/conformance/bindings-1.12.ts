// Bindings by hand, as `spacetime generate` writes them for the SDK's 1.9 to 1.12.
import { DbConnectionBuilder, DbConnectionImpl, procedures, reducers, schema, SubscriptionBuilderImpl, table } from "spacetimedb";
import { ItemRow, procedureList, reducerList } from "./bindings";

const tables = schema(
  table(
    {
      name: "item",
      indexes: [{ name: "id", algorithm: "btree", columns: ["id"] }],
      constraints: [{ name: "item_id_key", constraint: "unique", columns: ["id"] }],
    },
    ItemRow,
  ),
);

const REMOTE_MODULE: any = {
  versionInfo: { cliVersion: "1.12.0" },
  tables: tables.schemaType.tables,
  reducers: reducers(...reducerList).reducersType.reducers,
  ...procedures(...procedureList),
};

export const DbConnection: any = class extends DbConnectionImpl<any> {
  static builder = () => new DbConnectionBuilder(REMOTE_MODULE, (config: any) => new DbConnection(config));
};
export const subscriptions = (conn: any): any => new SubscriptionBuilderImpl(conn);
