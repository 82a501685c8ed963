// Bindings by hand as classes, the form of the SDK's 1.4 to 1.8.
import { AlgebraicType, BinaryWriter, DbConnectionBuilder, DbConnectionImpl, SubscriptionBuilderImpl } from "spacetimedb";

const A: any = AlgebraicType;
const product = (fields: Record<string, any>) =>
  A.Product({ elements: Object.entries(fields).map(([name, algebraicType]) => ({ name, algebraicType })) });

const Item = product({ id: A.U32, text: A.String });
const argsOf: Record<string, any> = {
  put: product({ id: A.U32, text: A.String }),
  drop: product({ id: A.U32 }),
  drop_many: product({ first: A.U32, count: A.U32 }),
  put_many: product({ first: A.U32, count: A.U32 }),
  crash: product({}),
  shout: product({ text: A.String }),
  nonsense: product({}),
};
const camel = (name: string) => name.replace(/_(.)/g, (_, c) => c.toUpperCase());

const REMOTE_MODULE: any = {
  tables: {
    item: { tableName: "item", rowType: Item, primaryKey: "id", primaryKeyInfo: { colName: "id", colType: A.U32 } },
  },
  reducers: Object.fromEntries(Object.entries(argsOf).map(([name, argsType]) => [name, { reducerName: name, argsType }])),
  versionInfo: { cliVersion: "1.6.0" },
  eventContextConstructor: (imp: any, event: any) => ({ ...imp, event }),
  dbViewConstructor: (imp: any) => ({
    get item() {
      const cache = imp.clientCache.getOrCreateTable(REMOTE_MODULE.tables.item);
      return {
        count: () => cache.count(),
        iter: () => cache.iter(),
        onInsert: (cb: any) => cache.onInsert(cb),
        onDelete: (cb: any) => cache.onDelete(cb),
        onUpdate: (cb: any) => cache.onUpdate(cb),
      };
    },
  }),
  reducersConstructor: (imp: any) => {
    const all: any = {};
    for (const [name, type] of Object.entries(argsOf)) {
      all[camel(name)] = (args: any) => {
        const writer = new BinaryWriter(1024);
        A.serializeValue(writer, type, args ?? {});
        imp.callReducer(name, writer.getBuffer(), "FullUpdate");
      };
      all["on" + camel("_" + name)] = (cb: any) => imp.onReducer(name, cb);
    }
    return all;
  },
  setReducerFlagsConstructor: () => ({}),
};

class Subscriptions extends (SubscriptionBuilderImpl as any) {}

export const DbConnection: any = class extends (DbConnectionImpl as any) {
  static builder = () => new (DbConnectionBuilder as any)(REMOTE_MODULE, (imp: any) => imp);
};
export const subscriptions = (conn: any): any => new Subscriptions(conn);
