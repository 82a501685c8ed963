// Parses files by a grammar of tree-sitter and prints where they break it:
//   node parse.mjs PACKAGE LANGUAGE FILE...
// PACKAGE is the directory of @vscode/tree-sitter-wasm.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [home, language, ...files] = process.argv.slice(2);
const wasm = join(home, "wasm");
const { Language, Parser } = createRequire(import.meta.url)(join(wasm, "tree-sitter.js"));
await Parser.init({ locateFile: (name) => join(wasm, name) });
const parser = new Parser();
parser.setLanguage(await Language.load(join(wasm, `tree-sitter-${language}.wasm`)));

let broken = files.length === 0;
const show = (file, node) => {
  if (node.isError || node.isMissing) {
    broken = true;
    const { row, column } = node.startPosition;
    console.log(`${file}:${row + 1}:${column + 1}: ${node.isMissing ? `${node.type} is missing` : node.text.split("\n")[0]}`);
  } else if (node.hasError) {
    for (const child of node.children) show(file, child);
  }
};
for (const file of files) show(file, parser.parse(readFileSync(file, "utf8")).rootNode);
console.log(`${files.length} files parsed`);
process.exit(broken ? 1 : 0);
