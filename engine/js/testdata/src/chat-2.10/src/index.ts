// A chat server in the manner of 2.x.
import { schema, SenderError, t, table } from "spacetimedb/server";

const user = table(
  { name: "user", public: true },
  { identity: t.identity().primaryKey(), name: t.string().optional(), online: t.bool() },
);
const message = table(
  { name: "message", public: true },
  { sender: t.identity(), sent: t.timestamp(), text: t.string() },
);

const spacetimedb = schema({ user, message });
export default spacetimedb;

export const set_name = spacetimedb.reducer({ name: t.string() }, (ctx, { name }) => {
  if (!name) throw new SenderError("Names must not be empty");
  const user = ctx.db.user.identity.find(ctx.sender);
  if (!user) throw new SenderError("Cannot set name for unknown user");
  ctx.db.user.identity.update({ ...user, name });
});

export const send_message = spacetimedb.reducer({ text: t.string() }, (ctx, { text }) => {
  if (!text) throw new SenderError("Messages must not be empty");
  ctx.db.message.insert({ sender: ctx.sender, text, sent: ctx.timestamp });
});

export const init = spacetimedb.init((_ctx) => {});

export const onConnect = spacetimedb.clientConnected((ctx) => {
  const user = ctx.db.user.identity.find(ctx.sender);
  if (user) {
    ctx.db.user.identity.update({ ...user, online: true });
  } else {
    ctx.db.user.insert({ name: undefined, identity: ctx.sender, online: true });
  }
});

export const onDisconnect = spacetimedb.clientDisconnected((ctx) => {
  const user = ctx.db.user.identity.find(ctx.sender);
  if (user) ctx.db.user.identity.update({ ...user, online: false });
});
