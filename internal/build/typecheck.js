// Checks the types of the project in the working directory again and again: one
// check for each line of input, answered by one line of JSON. The program of the
// last check is the base of the next, so that only what changed costs time.
const { createRequire } = require('node:module');
const path = require('node:path');
const ts = createRequire(path.join(process.cwd(), 'package.json'))('typescript');
if (typeof ts.createProgram !== 'function') throw new Error('this typescript has no programming interface');

const colors = process.argv.includes('--colors');
const files = new Map();
let program;

function check() {
  const problems = [];
  const config = ts.findConfigFile(process.cwd(), ts.sys.fileExists, 'tsconfig.json');
  const parsed = config
    ? ts.getParsedCommandLineOfConfigFile(config, { noEmit: true }, { ...ts.sys, onUnRecoverableConfigFileDiagnostic: d => problems.push(d) })
    : undefined;
  if (parsed) {
    const host = ts.createCompilerHost(parsed.options);
    const read = host.getSourceFile;
    host.getSourceFile = (name, options, ...rest) => {
      const at = ts.sys.getModifiedTime?.(name)?.getTime() + ' ' + JSON.stringify(options);
      const known = files.get(name);
      if (known?.at === at) return known.file;
      const file = read(name, options, ...rest);
      if (file) files.set(name, { at, file });
      return file;
    };
    program = ts.createProgram({
      rootNames: parsed.fileNames, options: parsed.options, projectReferences: parsed.projectReferences,
      host, oldProgram: program, configFileParsingDiagnostics: ts.getConfigFileParsingDiagnostics(parsed),
    });
    problems.push(...ts.getPreEmitDiagnostics(program));
  }
  const format = colors ? ts.formatDiagnosticsWithColorAndContext : ts.formatDiagnostics;
  const text = format(ts.sortAndDeduplicateDiagnostics(problems), {
    getCurrentDirectory: () => process.cwd(), getCanonicalFileName: name => name, getNewLine: () => '\n',
  });
  const errors = problems.filter(d => d.category === ts.DiagnosticCategory.Error).length;
  return { errors, text, config: !!config };
}

require('node:readline').createInterface({ input: process.stdin }).on('line', () => {
  let answer;
  try {
    answer = check();
  } catch (e) {
    program = undefined;
    answer = { failed: String(e?.stack ?? e) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
});
