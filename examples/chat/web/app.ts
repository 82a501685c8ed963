// The chat page: it connects straight to the database, subscribes to both tables
// and shows every change as it happens.
import { Identity } from "spacetimedb";
import { DbConnection, tables } from "./module_bindings";
import type { Message, User } from "./module_bindings/types";

// The demo program writes these two into the page's address.
const params = new URLSearchParams(location.search);
const uri = params.get("server") ?? "http://127.0.0.1:3000";
const database = params.get("db") ?? "chat";

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const status = element("status");
const error = element("error");

const showStatus = (text: string, bad = false) => {
  status.textContent = text;
  status.classList.toggle("bad", bad);
};
const showError = (e: unknown) => {
  error.textContent = e instanceof Error ? e.message : String(e);
};

// A tab keeps its identity over reloads; two windows are two people.
const tokenKey = `token ${uri} ${database}`;

const connection = DbConnection.builder()
  .withUri(uri)
  .withDatabaseName(database)
  .withToken(sessionStorage.getItem(tokenKey) ?? undefined)
  .onConnect((conn, identity, token) => {
    sessionStorage.setItem(tokenKey, token);
    showStatus(`connected as ${shortName(identity)}`);
    conn
      .subscriptionBuilder()
      .onApplied(render)
      .onError((_ctx) => showStatus("the subscription was refused", true))
      .subscribe([tables.user, tables.message]);
  })
  .onConnectError((_ctx, e) => showStatus(`cannot connect to ${uri}: ${e.message}`, true))
  .onDisconnect(() => showStatus("disconnected; reload the page to connect again", true))
  .build();

const { user, message } = connection.db;
user.onInsert(render);
user.onUpdate(render);
user.onDelete(render);
message.onInsert(render);
message.onDelete(render);

function shortName(identity: Identity): string {
  return identity.toHexString().slice(-8);
}

function nameOf(identity: Identity): string {
  return user.identity.find(identity)?.name ?? shortName(identity);
}

function isOwn(identity: Identity): boolean {
  return connection.identity?.isEqual(identity) ?? false;
}

// Several changes of one transaction are drawn once.
let drawing = false;
function render() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawMessages([...message.iter()]);
    drawUsers([...user.iter()]);
  });
}

function drawMessages(rows: Message[]) {
  rows.sort((a, b) => Number(a.sent.microsSinceUnixEpoch - b.sent.microsSinceUnixEpoch));
  const list = element("messages");
  list.replaceChildren(
    ...rows.map((m) => {
      const item = document.createElement("li");
      item.classList.toggle("own", isOwn(m.sender));
      const who = document.createElement("b");
      who.textContent = nameOf(m.sender);
      const when = document.createElement("time");
      when.textContent = m.sent.toDate().toLocaleTimeString();
      const text = document.createElement("p");
      text.textContent = m.text;
      item.append(who, when, text);
      return item;
    }),
  );
  list.scrollTop = list.scrollHeight;
}

function drawUsers(rows: User[]) {
  rows.sort((a, b) => Number(b.online) - Number(a.online) || nameOf(a.identity).localeCompare(nameOf(b.identity)));
  element("users").replaceChildren(
    ...rows.map((u) => {
      const item = document.createElement("li");
      item.textContent = nameOf(u.identity);
      item.classList.toggle("away", !u.online);
      item.classList.toggle("own", isOwn(u.identity));
      return item;
    }),
  );
}

function onSubmit(id: string, field: string, send: (value: string) => Promise<unknown>, clear: boolean) {
  const form = element<HTMLFormElement>(id);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const input = form.elements.namedItem(field) as HTMLInputElement;
    error.textContent = "";
    send(input.value).then(() => {
      if (clear) input.value = "";
    }, showError);
  });
}

onSubmit("name", "name", (name) => connection.reducers.setName({ name }), false);
onSubmit("say", "text", (text) => connection.reducers.sendMessage({ text }), true);
