// Prints a package.json with the dependencies of all projects that are given, so
// that they can be installed once, in a directory above them.
import { readFileSync } from 'node:fs';

const dependencies = {};
for (const directory of process.argv.slice(2)) {
  const manifest = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'));
  Object.assign(dependencies, manifest.dependencies, manifest.devDependencies);
}
console.log(JSON.stringify({ private: true, type: 'module', dependencies }, null, 2));
