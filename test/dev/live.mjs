// Edits a file and measures how long it takes until the database has the change:
//   node live.mjs ADDRESS DATABASE FILE OLD NEW
// replaces OLD by NEW in FILE and waits until the schema contains NEW.
import { readFileSync, writeFileSync } from 'node:fs';

const [address, database, file, before, after] = process.argv.slice(2);
const schema = async () => (await fetch(`${address}/v1/database/${database}/schema?version=9`)).text();

const source = readFileSync(file, 'utf8');
if (!source.includes(before)) throw new Error(`${file} does not contain ${before}`);
await schema(); // the connection is there
const begin = performance.now();
writeFileSync(file, source.replaceAll(before, after));
while (!(await schema()).includes(after)) {
  if (performance.now() - begin > 120_000) throw new Error(`${after} is not there after two minutes`);
  await new Promise(resolve => setTimeout(resolve, 5));
}
console.log(Math.round(performance.now() - begin));
