// Bundles the tests for one version of the SDK, with the bindings of its generation.
import { build } from "esbuild";

const [version, outfile] = process.argv.slice(2);
const bindings = version.startsWith("2") ? "2" : version;
await build({
  entryPoints: ["conformance.test.ts"],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  alias: { spacetimedb: `spacetimedb-${version}`, bindings: `./bindings-${bindings}.ts` },
  define: { SDK_VERSION: JSON.stringify(version) },
  banner: {
    js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);
Promise.withResolvers ??= function () { // 1.12 needs it, and Node has it since 22
  let resolve, reject;
  const promise = new this((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};`,
  },
  logLevel: "warning",
});
