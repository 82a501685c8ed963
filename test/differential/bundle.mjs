// Bundles the type of types, which the packages carry in their source but do not
// export: bundle.mjs GENERATION OUTPUT
import { build } from 'esbuild';

const [generation, outfile] = process.argv.slice(2);
const entry = {
  1.12: "export { default as AlgebraicType } from 'spacetimedb-1.12/src/lib/autogen/algebraic_type_type.ts';",
  '2.x': "export { AlgebraicType } from 'spacetimedb-2/src/lib/autogen/types.ts';",
}[generation];
await build({
  stdin: { contents: entry.replace("'spacetimedb", "'./node_modules/spacetimedb"), resolveDir: import.meta.dirname },
  outfile, bundle: true, format: 'esm', platform: 'node', logLevel: 'error',
});
