// Bundles the tests of one SDK generation: the bindings import "spacetimedb",
// which is another package in each.
import { build } from "esbuild";

const [generation, outfile] = process.argv.slice(2);
await build({
  entryPoints: [`chat-${generation}.test.ts`],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  alias: { spacetimedb: generation === "1.12" ? "spacetimedb-1.12" : "spacetimedb-2" },
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  logLevel: "warning",
});
