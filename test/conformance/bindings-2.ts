// Bindings by hand, as `spacetime generate` writes them for the SDK's second generation.
import { DbConnectionBuilder, DbConnectionImpl, procedures, reducers, schema, SubscriptionBuilderImpl, table } from "spacetimedb";
import { BangRow, ItemRow, procedureList, reducerList } from "./bindings";

const tables = schema({
  item: table(
    {
      name: "item",
      indexes: [{ accessor: "id", name: "item_id_idx_btree", algorithm: "btree", columns: ["id"] }],
      constraints: [{ name: "item_id_key", constraint: "unique", columns: ["id"] }],
    },
    ItemRow,
  ),
  bang: table({ name: "bang", indexes: [], constraints: [], event: true } as any, BangRow),
} as any);

const REMOTE_MODULE: any = {
  versionInfo: { cliVersion: "2.10.1" },
  tables: tables.schemaType.tables,
  reducers: reducers(...reducerList).reducersType.reducers,
  ...procedures(...procedureList),
};

export const DbConnection: any = class extends DbConnectionImpl<any> {
  static builder = () => new DbConnectionBuilder(REMOTE_MODULE, (config: any) => new DbConnection(config));
};
export const subscriptions = (conn: any): any => new SubscriptionBuilderImpl(conn);
