// Every type for 1.4 to 1.8: the arguments of the vector.
import { ConnectionId, Identity, ScheduleAt, TimeDuration, Timestamp } from "spacetimedb";
import { DbConnection, Everything, Shape } from "./module_bindings";
import { until } from "./common";

export async function main(uri: string): Promise<string[]> {
  const conn = await new Promise<DbConnection>((resolve, reject) => {
    DbConnection.builder().withUri(uri).withModuleName("x").withCompression("none").onConnect((c: DbConnection) => resolve(c)).onConnectError((_ctx, e: Error) => reject(e)).build();
  });
  const all: Everything = {
    aBool: true, anI8: -1, aU8: 2, anI16: -3, aU16: 4, anI32: -5, aU32: 6, anI64: -7n, aU64: 8n, anI128: -9n, aU128: 10n, anI256: -11n, aU256: 12n,
    anF32: 0.5, anF64: 0.25, aString: "hé", bytes: new Uint8Array([1, 2]), ident: new Identity(13n), conn: new ConnectionId(14n), ts: new Timestamp(15n),
    dur: new TimeDuration(16n), at: ScheduleAt.interval(17n), uuid: { __uuid__: 0x00112233445566778899aabbccddeeffn }, unit: {}, optI32: 5, optOpt: undefined,
    res: { tag: "err", value: "no" }, nums: [1, -1], nested: [["a"], []], color: { tag: "Green" },
    shape: Shape.Group([Shape.Nothing, Shape.Radius(1.5), Shape.Corner({ x: 1, y: 2 })]), optLeaf: undefined, empty: {},
    deep: [{ tag: "Nothing" }], resLeaf: { tag: "ok", value: { x: 0, y: 0 } },
  };
  let done = false;
  conn.reducers.onNoArgs(() => { done = true; });
  conn.reducers.setAll(all, true);
  conn.reducers.noArgs();
  await until("the calls", () => done);
  const found: bigint | undefined = conn.db.thing.thingId.find(1n)?.thingId ?? conn.db.thing.serialNo.find("x")?.thingId;
  conn.disconnect();
  return [`${found} ${conn.db.libWidget.count()}`];
}
