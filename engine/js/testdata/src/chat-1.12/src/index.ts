// A chat server in the manner of 1.x.
import { schema, SenderError, t, table } from "spacetimedb/server";

const User = table(
  { name: "user", public: true },
  { identity: t.identity().primaryKey(), name: t.string().optional(), online: t.bool() },
);
const Message = table(
  { name: "message", public: true },
  { sender: t.identity(), sent: t.timestamp(), text: t.string() },
);

const spacetimedb = schema(User, Message);

spacetimedb.reducer("set_name", { name: t.string() }, (ctx, { name }) => {
  if (!name) throw new SenderError("Names must not be empty");
  const user = ctx.db.user.identity.find(ctx.sender);
  if (!user) throw new SenderError("Cannot set name for unknown user");
  ctx.db.user.identity.update({ ...user, name });
});

spacetimedb.reducer("send_message", { text: t.string() }, (ctx, { text }) => {
  if (!text) throw new SenderError("Messages must not be empty");
  ctx.db.message.insert({ sender: ctx.sender, text, sent: ctx.timestamp });
});

spacetimedb.init((_ctx) => {});

spacetimedb.clientConnected((ctx) => {
  const user = ctx.db.user.identity.find(ctx.sender);
  if (user) {
    ctx.db.user.identity.update({ ...user, online: true });
  } else {
    ctx.db.user.insert({ name: undefined, identity: ctx.sender, online: true });
  }
});

spacetimedb.clientDisconnected((ctx) => {
  const user = ctx.db.user.identity.find(ctx.sender);
  if (user) ctx.db.user.identity.update({ ...user, online: false });
});
