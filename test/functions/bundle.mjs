// Bundles the test for one generation of the official client, whose packages are those of test/sdk: the working directory.
import { createRequire } from "node:module";
import { join } from "node:path";

const { build } = createRequire(join(process.cwd(), "x"))("esbuild");
const [generation, bindings, entry, outfile] = process.argv.slice(2);
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  nodePaths: [join(process.cwd(), "node_modules")],
  alias: {
    spacetimedb: generation === "1.12" ? "spacetimedb-1.12" : "spacetimedb-2",
    bindings,
  },
  banner: {
    js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);
Promise.withResolvers ??= function () { // the first generation needs it, and Node has it since 22
  let resolve, reject;
  const promise = new this((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};`,
  },
  logLevel: "warning",
});
