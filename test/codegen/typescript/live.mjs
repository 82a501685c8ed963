// live.mjs <dir> <uri> <database>: runs the programs in <dir>/live-<release> against a server.
import fs from "node:fs";
import path from "node:path";
import { load, releaseOf } from "./bundle.mjs";

const [folder, uri, database] = process.argv.slice(2);
const dir = path.resolve(folder);
let failed = 0;
for (const name of fs.readdirSync(dir).filter((n) => n.startsWith("live-") && fs.existsSync(path.join(dir, n, "app.ts"))).sort()) {
  try {
    const { main } = await load(path.join(dir, name, "app.ts"), releaseOf(name));
    await main(uri, database);
    console.log(`ok ${name}`);
  } catch (e) {
    failed++;
    console.log(`not ok ${name}\n${e?.stack ?? e}`);
  }
}
process.exit(failed ? 1 : 0);
