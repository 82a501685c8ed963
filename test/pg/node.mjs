// node-postgres against the PostgreSQL front end. Arguments: port, database, token of
// the owner, token of somebody else.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { Client, Pool } = require("pg");
const [port, database, owner, stranger] = process.argv.slice(2);
const options = (password) => ({ host: "127.0.0.1", port: Number(port), user: "any", database, password });

const c = new Client(options(owner));
await c.connect();

// Simple queries.
let r = await c.query("SELECT id, text, flag, f_64, i_64 FROM scalar WHERE id = 1");
assert.deepEqual(r.rows, [{ id: "1", text: 'grün "quoted" \\ tab\t', flag: true, f_64: -1234.5678, i_64: "-9007199254740993" }]);
assert.equal(r.rowCount, 1);
r = await c.query("SELECT shape, outer, opt_num FROM compound WHERE id = 1");
assert.deepEqual(r.rows[0].shape, { named: { n: -7, label: 'say "hi"' } });
assert.deepEqual(r.rows[0].outer.tags, ["a", "b c"]);
assert.deepEqual(r.rows[0].opt_num, { some: 5 });
r = await c.query("SELECT ints, bools, texts FROM lists WHERE id = 1");
assert.deepEqual(r.rows[0].ints, [1, -2, 3]);
assert.deepEqual(r.rows[0].bools, [true, false]);
assert.equal((await c.query("INSERT INTO item (id, name, kind, rank) VALUES (0, 'node', 8, 1)")).rows.length, 0);

// With parameters: the extended protocol.
r = await c.query("SELECT name, rank FROM item WHERE name = $1 AND kind = $2", ["node", 8]);
assert.deepEqual(r.rows, [{ name: "node", rank: 1 }]);
r = await c.query("UPDATE item SET rank = $1 WHERE name = $2", [5, "node"]);
assert.equal(r.command, "UPDATE");
assert.equal(r.rowCount, 1);
const at = new Date("2021-06-01T11:10:00.123Z");
r = await c.query("SELECT at, span, who FROM special WHERE at >= $1 AND at < $2", [at, new Date(+at + 1)]);
assert.equal(r.rows[0].at.toISOString().slice(0, 19), new Date(at - new Date(at).getTimezoneOffset() * -60000).toISOString().slice(0, 19));
assert.deepEqual({ ...r.rows[0].span }, { hours: 25, minutes: 1, seconds: 1, milliseconds: 0.001 });
assert.equal(r.rows[0].who.length, 32);
assert.equal((await c.query("SELECT id FROM special WHERE who = $1", [r.rows[0].who])).rowCount, 1);
assert.equal((await c.query("SELECT id FROM lists WHERE ints = $1", [[1, -2, 3]])).rowCount, 1);
for (let i = 0; i < 3; i++) {
  r = await c.query({ name: "by-id", text: "SELECT id FROM scalar WHERE id = $1", values: [i] });
  assert.equal(r.rowCount, i > 0 ? 1 : 0);
}
assert.equal((await c.query("DELETE FROM item WHERE name = $1", ["node"])).rowCount, 1);

// Errors have a place, and the connection stays.
await assert.rejects(c.query("SELECT nope FROM scalar"), (e) => e.code === "XX000" && e.position === "8" && e.message === "(Sql) `nope` is not in scope");
await assert.rejects(c.query("SELECT txt FROM scalar WHERE id = $1", [1]), (e) => e.hint === "Did you mean `text`?" && e.position === "8");
assert.equal((await c.query("SELECT 1 AS one")).rows[0].one, "1");
await c.end();

// Identities on two pools at once.
const pools = [new Pool({ ...options(owner), max: 4 }), new Pool({ ...options(stranger), max: 4 })];
const me = await Promise.all(pools.map(async (p) => (await p.query("SELECT :sender AS me")).rows[0].me.toString("hex")));
assert.notEqual(me[0], me[1]);
await Promise.all(Array.from({ length: 100 }, async (_, i) => {
  const seen = (await pools[i % 2].query("SELECT :sender AS me LIMIT $1", [1])).rows[0].me.toString("hex");
  assert.equal(seen, me[i % 2]);
}));
await Promise.all(pools.map((p) => p.end()));

// Who does not get in.
await assert.rejects(new Client(options("x")).connect(), (e) => e.code === "28P01");
await assert.rejects(new Client({ ...options(owner), database: "nowhere" }).connect(), (e) => e.code === "3D000");
await assert.rejects(new Client({ ...options(owner), ssl: true }).connect(), /does not support SSL/);
console.log("node-postgres: all as expected");
