// A TypeScript compiler that waits: checks and translates every .ts file in /tmp to one main.js, whose errors name the lines of its sources.
'use strict';
const fs = require('fs');
const LIBRARY = '/usr/share/nodejs/typescript';
const ts = require(LIBRARY);

const ROOT = '/tmp/main.ts';
const OPTIONS = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
  moduleResolution: ts.ModuleResolutionKind.NodeJs,
  typeRoots: ['/usr/share/nodejs/@types'],
  types: ['node'],
  strict: true,
  esModuleInterop: true,
  skipLibCheck: true,
  inlineSourceMap: true,
  inlineSources: true,
  noEmitOnError: true,
};
// Declarations are read and parsed once, before there is a program.
const parsed = new Map();

function host(options, read) {
  const base = ts.createCompilerHost(options);
  return {
    ...base,
    getCurrentDirectory: () => '/tmp',
    fileExists: (name) => read(name) !== undefined || base.fileExists(name),
    readFile: (name) => read(name) ?? base.readFile(name),
    getSourceFile(name, version) {
      const text = read(name);
      if (text !== undefined) return ts.createSourceFile(name, text, version, true);
      if (!parsed.has(name)) parsed.set(name, base.getSourceFile(name, version));
      return parsed.get(name);
    },
  };
}

/** The emitted text; undefined, with diagnostics on stderr, when it does not compile. */
function compile(roots, read, say) {
  const several = roots.length > 1;
  // One file in CommonJS; more of them as AMD modules in one file, behind a few lines that are their `require`.
  const options = several
    ? { ...OPTIONS, module: ts.ModuleKind.AMD, outFile: '/tmp/main.js' }
    : { ...OPTIONS, module: ts.ModuleKind.CommonJS };
  const program = ts.createProgram(roots, options, host(options, read));
  let emitted;
  const result = program.emit(undefined, (name, text) => {
    if (name.endsWith('.js')) emitted = text;
  });
  const found = ts.sortAndDeduplicateDiagnostics([...ts.getPreEmitDiagnostics(program), ...result.diagnostics]);
  if (found.length > 0) {
    say(
      ts.formatDiagnostics(found, {
        getCurrentDirectory: () => '/tmp',
        getNewLine: () => '\n',
        getCanonicalFileName: (f) => f,
      }),
    );
  }
  if (found.some(({ category }) => category === ts.DiagnosticCategory.Error) || emitted === undefined) return undefined;
  return several ? withLoader(emitted) : emitted;
}

// One line, so that the source map needs one more at its beginning; the last one starts the program.
const LOADER =
  'const __defined=Object.create(null);function define(n,d,f){__defined[n]={d,f,m:{exports:{}},r:false}}' +
  'function __require(n){const k=n.replace(/^\\.\\//,"");const e=__defined[k];if(!e)return require(n);' +
  'if(!e.r){e.r=true;e.f(...e.d.map((x)=>x==="require"?__require:x==="exports"?e.m.exports:__require(x)))}return e.m.exports}';

function withLoader(emitted) {
  const mark = '//# sourceMappingURL=data:application/json;base64,';
  const at = emitted.lastIndexOf(mark);
  const map = JSON.parse(Buffer.from(emitted.slice(at + mark.length), 'base64').toString());
  map.mappings = `;${map.mappings}`;
  const text = `${LOADER}\n${emitted.slice(0, at)}__require("main");\n`;
  return `${text}${mark}${Buffer.from(JSON.stringify(map)).toString('base64')}`;
}

function waitForStart() {
  fs.writeSync(3, `${ts.version}\n`);
  const piece = Buffer.allocUnsafe(65536);
  while (fs.readSync(3, piece) > 0);
  fs.closeSync(3);
}

const rehearsal = new Map([
  [
    ROOT,
    "import { readFileSync } from 'fs';\nconst x: number = readFileSync(0).length;\nconsole.log(`${x}`, [1].map((n) => n));\n",
  ],
]);
compile(
  [ROOT],
  (name) => rehearsal.get(name),
  () => undefined,
);
waitForStart();
const names = fs.readdirSync('/tmp').filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
const texts = new Map(names.map((name) => [`/tmp/${name}`, fs.readFileSync(`/tmp/${name}`, 'utf8')]));
const others = [...texts.keys()].filter((name) => name !== ROOT).sort();
const text = compile(
  [...others, ROOT],
  (name) => texts.get(name),
  (said) => fs.writeSync(2, said),
);
if (text === undefined) process.exit(1);
fs.writeFileSync('/tmp/main.js', text);
