// What generated bindings are tried with against a real server: names in several cases, most types, an index over two
// columns, a private table, an event table, a view with a key, reducers that fail, procedures.
import { schema, SenderError, t, table } from "spacetimedb/server";

const Leaf = t.object("Leaf", { x: t.f32(), yPos: t.f64() });
const Color = t.enum("Color", { Red: t.unit(), Green: t.unit() });
const Mark = t.enum("Mark", { Nothing: t.unit(), Radius: t.f64(), Corner: Leaf });

const content = {
  serialNo: t.string(),
  groupId: t.u32(),
  rank: t.i32(),
  color: Color,
  mark: Mark,
  tags: t.array(t.string()),
  bytes: t.byteArray(),
  note: t.option(t.string()),
  big: t.i256(),
  leaves: t.array(Leaf),
};
const Content = t.object("Content", content);

const myThings = table(
  { name: "my_things", public: true, indexes: [{ accessor: "by_group", algorithm: "btree", columns: ["groupId", "rank"] }] },
  {
    ...content,
    thingId: t.u64().primaryKey().autoInc(),
    serialNo: t.string().unique(),
    owner: t.identity(),
    madeAt: t.timestamp(),
  },
);
const secret = table({ name: "secret" }, { id: t.u32().primaryKey(), text: t.string() });
const ping = table({ name: "ping", public: true, event: true }, { note: t.string() });

const spacetimedb = schema({ myThings, secret, ping });
export default spacetimedb;

export const addThing = spacetimedb.reducer({ content: Content }, (ctx, { content }) => {
  if (!content.serialNo) throw new SenderError("a thing needs a serial number");
  ctx.db.myThings.insert({ ...content, thingId: 0n, owner: ctx.sender, madeAt: ctx.timestamp });
});

export const setNote = spacetimedb.reducer({ thingId: t.u64(), note: t.option(t.string()) }, (ctx, { thingId, note }) => {
  const thing = ctx.db.myThings.thingId.find(thingId);
  if (!thing) throw new SenderError(`there is no thing ${thingId}`);
  ctx.db.myThings.thingId.update({ ...thing, note });
});

export const call_everybody = spacetimedb.reducer({ note: t.string() }, (ctx, { note }) => {
  ctx.db.ping.insert({ note });
});

export const own_things = spacetimedb.view({ name: "own_things", public: true }, t.array(myThings.rowType), (ctx) =>
  Array.from(ctx.db.myThings.iter()).filter((thing) => thing.owner.isEqual(ctx.sender)),
);

export const addUp = spacetimedb.procedure({ a: t.u32(), b: t.option(t.u32()) }, t.u64(), (_ctx, { a, b }) => BigInt(a) + BigInt(b ?? 0));

export const echo = spacetimedb.procedure({ content: Content }, Content, (_ctx, { content }) => content);
