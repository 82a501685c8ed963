// Bundles programs for Node with one SDK, and imports them.
import path from "node:path";
import { build } from "esbuild";
import { WebSocket } from "undici";

globalThis.WebSocket ??= WebSocket;
Promise.withResolvers ??= function () { // some releases of the SDK need it, and Node has it since 22
  let resolve, reject;
  const promise = new this((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};

let count = 0;
export async function load(entry, release) {
  const outfile = path.join(path.dirname(entry).replace(/[\\/]module_bindings$/, ""), `bundle-${count++}.mjs`);
  await build({
    entryPoints: [entry], outfile, bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "error",
    alias: { spacetimedb: path.resolve("node_modules", `sdk-${release}`, "dist/index.mjs") },
    nodePaths: [path.resolve("node_modules")],
    banner: { js: 'import { createRequire as __req } from "node:module"; const require = __req(import.meta.url);' },
  });
  return import(outfile);
}

export const releaseOf = (folder) => folder.slice(folder.lastIndexOf("-") + 1);
