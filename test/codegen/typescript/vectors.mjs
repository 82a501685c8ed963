// vectors.mjs <dir> <vectors>: runs the programs of the vectors with generated bindings against the vectors' stub of a
// server, each release in turn, and compares what they print and send with what is recorded.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { load, releaseOf } from "./bundle.mjs";
import { start } from "./stub.mjs";

const [dir, vectors] = process.argv.slice(2).map((p) => path.resolve(p));
const setAll = JSON.parse(fs.readFileSync(path.join(vectors, "set_all.json"), "utf8"));

const chatCalls = [
  { ev: "call", name: "set_name", args: "03000000416461", fl: 0 },
  { ev: "call", name: "set_name", args: "00000000", fl: 0 },
  { ev: "call", name: "send_message", args: "020000006869", fl: 0 },
];

const common = ["connected abcdef0123456789 tok", "applied 1", "ins user undefined SubscribeApplied", "active true", "find true", "find0 null"];
const chat = {
  1: (release) => [
    ...common, "onSetName Ada Committed", "upd user undefined->Ada Reducer set_name", "onSetName  Failed Names must not be empty",
    "onSendMessage hi", "ins msg hi 1000000", "iter Ada hi", ...(classes(release) ? [] : ["accessors set_name sendMessage user user"]),
    ...(release === "1.12.0" ? ["query [object Object]"] : []), "unsub", "ended true", "disconnected",
  ],
  2: () => [
    ...common, "upd user undefined->Ada Reducer set_name", "err SenderError Names must not be empty", "ins msg hi 1000000", "iter Ada hi",
    "accessors set_name sendMessage 0 user user", /^sql SELECT \* FROM "user" WHERE "user"\."identity" = 0x00000/, "unsub", "ended true", "disconnected",
  ],
};

const classes = (release) => Number(release.split(".")[1]) < 9; // of 1.x

function same(got, want) {
  // The order of a reducer's callback and of the rows' is the SDK's affair.
  const sorted = (list) => [...list].sort((a, b) => String(a).localeCompare(String(b)));
  const rest = [...got];
  for (const line of want) {
    const i = rest.findIndex((g) => (line instanceof RegExp ? line.test(g) : g === line));
    assert.ok(i >= 0, `missing: ${line}\nprinted: ${got.join("\n         ")}`);
    rest.splice(i, 1);
  }
  assert.deepEqual(sorted(rest), [], `printed: ${got.join("\n         ")}`);
}

function checkChat(release, printed, log) {
  const major = release[0];
  same(printed, chat[major](release));
  assert.equal(log[0].proto, `v${major}.bsatn.spacetimedb`);
  assert.deepEqual(log.filter((l) => l.ev === "call"), chatCalls);
  const sql = major === "2" ? ['SELECT * FROM "user" WHERE "user"."online" = TRUE', 'SELECT * FROM "message"'] : ["SELECT * FROM user", "SELECT * FROM message"];
  assert.deepEqual(log.find((l) => l.ev === "subscribe").qsql, sql);
}

function checkAll(release, printed, log) {
  const call = log.find((l) => l.ev === "call" && l.name === "set_all");
  assert.equal(call?.args, release[0] === "2" ? setAll.args_hex_typescript_2x : setAll.args_hex);
  if (release[0] !== "2") return;
  assert.ok(printed.includes("alias truetrue"), printed.join("\n"));
  assert.ok(printed.includes("proc 42"), printed.join("\n"));
  assert.deepEqual(log.filter((l) => l.ev === "call").slice(1).map((l) => [l.name, l.args]), [["no_args", ""], ["lib.do_it", "03"]]);
  // Names of columns and of submodules are printed by later releases only.
  const minor = Number(release.split(".")[1]);
  const sql = log.find((l) => l.ev === "subscribe").qsql;
  assert.equal(sql[0], `SELECT * FROM "thing" WHERE "thing"."${minor >= 1 ? "group_id" : "groupId"}" = 3`);
  assert.equal(sql[1], minor >= 8 ? 'SELECT * FROM "lib"."widget"' : 'SELECT * FROM "lib.widget"');
  assert.ok(sql[2].includes("\"my_things\""), sql[2]);
}

// connects loads bindings, which calls every builder, and connects, which looks at every type.
async function connects(folder, uri) {
  const { DbConnection } = await load(path.join(dir, folder, "module_bindings/index.ts"), releaseOf(folder));
  const conn = await new Promise((resolve, reject) => {
    const builder = DbConnection.builder().withUri(uri).withCompression("none").onConnect(resolve).onConnectError((_ctx, e) => reject(e));
    (builder.withDatabaseName?.("x") ?? builder.withModuleName("x")).build();
  });
  assert.ok(conn.db && conn.reducers);
  conn.disconnect();
}

async function once(folder, check) {
  const release = releaseOf(folder), log = [];
  const server = await start((l) => log.push(l));
  try {
    const uri = `http://127.0.0.1:${server.port}`;
    await connects(folder, uri);
    if (!check) return;
    log.length = 0;
    const { main } = await load(path.join(dir, folder, "app.ts"), release);
    check(release, await main(uri), log.filter((l) => l.ev !== "close"));
  } finally {
    server.close();
  }
}

let failed = 0;
for (const folder of fs.readdirSync(dir).sort()) {
  const check = { chat: checkChat, alltypes: checkAll }[folder.slice(0, folder.lastIndexOf("-"))]; // of the others there are no programs
  let problem;
  for (let attempt = 0; attempt < 3; attempt++) { // the programs wait for fractions of a second, too short on a busy machine
    try {
      await once(folder, check);
      problem = undefined;
      break;
    } catch (e) {
      problem = e;
    }
  }
  console.log(`${problem ? "not ok" : "ok"} ${folder}`);
  if (problem) {
    failed++;
    console.log(problem.message);
  }
}
process.exit(failed ? 1 : 0);
