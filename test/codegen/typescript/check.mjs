// check.mjs <dir>: type-checks every folder <dir>/<name>-<release> against the SDK of that release, strictly, all in one
// process, which reads the libraries once. Prints one line per folder, and what the compiler says.
import fs from "node:fs";
import path from "node:path";
import ts from "typescript";

const dir = path.resolve(process.argv[2]);
const sources = new Map();
let failed = false;
for (const name of fs.readdirSync(dir).sort()) {
  const release = name.slice(name.lastIndexOf("-") + 1);
  const sdk = path.resolve("node_modules", `sdk-${release}`);
  const options = {
    target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"], types: [], strict: true, noEmit: true, skipLibCheck: true,
    isolatedModules: true, noFallthroughCasesInSwitch: true, noImplicitOverride: true, noUnusedLocals: true,
    paths: { spacetimedb: [path.join(sdk, "dist/index.d.ts")] },
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (file, ...rest) => {
    if (!file.includes("node_modules")) return read(file, ...rest);
    if (!sources.has(file)) sources.set(file, read(file, ...rest));
    return sources.get(file);
  };
  const files = fs.readdirSync(path.join(dir, name), { recursive: true }).filter((f) => f.endsWith(".ts")).map((f) => path.join(dir, name, f));
  const program = ts.createProgram(files, options, host);
  // The programs of the vectors are not written for the check of what is unused.
  const problems = ts.getPreEmitDiagnostics(program).filter((d) => !(d.code === 6133 && d.file && !d.file.fileName.includes("module_bindings")));
  console.log(`${problems.length ? "not ok" : "ok"} ${name}`);
  if (problems.length) {
    failed = true;
    console.log(ts.formatDiagnostics(problems.slice(0, 5), { getCurrentDirectory: () => dir, getCanonicalFileName: (f) => f, getNewLine: () => "\n" }));
  }
}
process.exitCode = failed ? 1 : 0;
