// The house's checks: who imports whom, one line at the top of each file that says its job, no barrels, no giants.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDERS = ['proto', 'services', 'packages', 'tests', 'loadtest'];
/** The habit is 250; past this a file has two jobs. */
const MAX_LINES = 350;
/** Prose of documents, in columns; tables and code are exempt. */
const MAX_PROSE = 110;
/** Folders whose names begin a path in a document; the two of tests/src are named without it. */
const PATH = /^(?:(proto|packages|services|tests|loadtest|deploy|tools)\/|(e2e|security)\/)[\w./*-]+$/;
/** Fewer modules than this mean that the tool has not seen the project, whatever it says. */
const MIN_MODULES = 60;
/** An import of more than types, from another package. */
const LOADING_IMPORT = /^import (?!type\b)[^;]*? from '(?![.])/m;
/** How a comment starts, by extension; a file without one of these is not checked. */
const COMMENT = {
  '.ts': /^\/\/ \S/,
  '.mjs': /^\/\/ \S/,
  '.cjs': /^\/\/ \S/,
  '.c': /^(\/\/|\/\*) \S/,
  '.h': /^(\/\/|\/\*) \S/,
  '.lua': /^-- \S/,
  '.sh': /^# \S/,
  '.py': /^# \S/,
  '.proto': /^\/\/ \S/,
  '.yml': /^# \S/,
  '.Dockerfile': /^# \S/,
};

process.chdir(ROOT);
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
const faults = [...(await importFaults()), ...fileFaults()];
for (const fault of faults) console.error(fault);
if (faults.length > 0) {
  console.error(`\n${faults.length} faults; the rules are in .dependency-cruiser.cjs and tools/house.mjs`);
  process.exit(1);
}

/** What breaks a rule of .dependency-cruiser.cjs, and whether the tool saw every source file. */
async function importFaults() {
  const { options, forbidden, layers } = createRequire(import.meta.url)('../.dependency-cruiser.cjs');
  const { output } = await cruise(FOLDERS, { ...options, validate: true, ruleSet: { forbidden } });
  const seen = new Set(output.modules.map((module) => module.source));
  const unseen = files
    .filter((file) => isSource(file) && !seen.has(file))
    .map((file) => `${file}: was not seen by the import check`);
  if (seen.size < MIN_MODULES) unseen.push(`the import check saw ${seen.size} modules only`);
  const broken = output.summary.violations.map(
    (violation) => `${violation.from} -> ${violation.to}: ${violation.rule.name}`,
  );
  return [...broken, ...unseen, ...layerFaults(layers)];
}

/** Folders of services that no rule about layers covers. */
function layerFaults(layers) {
  const folders = files.map((file) => /^services\/[^/]+\/src\/[^/]+(?=\/)/.exec(file)?.[0] ?? '');
  return [...new Set(folders)]
    .filter((folder) => folder !== '' && !layers.test(basename(folder)))
    .map((folder) => `${folder}: is in neither ADAPTERS nor CORE of .dependency-cruiser.cjs`);
}

function fileFaults() {
  return files.flatMap((file) => {
    if (isGenerated(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n');
    return [
      ...headFaults(file, lines),
      ...sourceFaults(file, lines),
      ...templateFaults(file, lines),
      ...documentFaults(file, lines),
    ];
  });
}

function headFaults(file, lines) {
  const comment = COMMENT[extname(file)];
  if (comment === undefined || isSample(file)) return [];
  const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0];
  return comment.test(first ?? '') ? [] : [`${file}: does not open with a one-line comment that says its job`];
}

function sourceFaults(file, lines) {
  if (!isSource(file)) return [];
  const loads = /^packages\/client\/src\/(?!.*[.]test[.]ts$)/.test(file) && LOADING_IMPORT.test(lines.join('\n'));
  const barrel = lines.some((line) => line.startsWith('export * from'));
  return [
    ...(loads ? [`${file}: loads another package; browsers have its own files only`] : []),
    ...(barrel ? [`${file}: a barrel (export * from); import the file itself`] : []),
    ...(!file.endsWith('.test.ts') && lines.length > MAX_LINES
      ? [`${file}: ${lines.length} lines; find the seam`]
      : []),
  ];
}

/** A language folder was begun from the template and not finished. */
function templateFaults(file, lines) {
  if (!file.startsWith('services/sandbox/languages/')) return [];
  return lines.some((line) => /\bTODO\b/.test(line)) ? [`${file}: says TODO still`] : [];
}

/** Prose is narrow, and the files that a document names exist. */
function documentFaults(file, lines) {
  if (!file.endsWith('.md')) return [];
  const text = lines.join('\n').replaceAll(/^```[\s\S]*?^```/gm, (block) => block.replaceAll(/[^\n]/g, ''));
  return text.split('\n').flatMap((line, index) => {
    const isProse = !/^(\||    )/.test(line);
    const wide = isProse && line.length > MAX_PROSE ? [`is ${line.length} columns wide, at most ${MAX_PROSE}`] : [];
    const spans = [...line.matchAll(/`([^`]+)`/g)].map(([, span]) => span).filter((span) => PATH.test(span));
    const links = [...line.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => join(dirname(file), link));
    const missing = [...spans, ...links]
      .filter((path) => !isThere(path))
      .map((path) => `names ${path}, which does not exist`);
    return [...wide, ...missing].map((what) => `${file}:${index + 1}: ${what}`);
  });
}

/** A file or folder; a test under tests/src may be named without its ending. */
function isThere(path) {
  if (existsSync(path) || path.includes('*') || path.includes('NAME')) return true;
  return files.some((file) => file.startsWith(`tests/src/${path}.`));
}

function isSource(file) {
  return file.endsWith('.ts') && file.includes('/src/') && FOLDERS.includes(file.split('/')[0]);
}

function isGenerated(file) {
  return file.includes('/gen/');
}

/** Programs that are data: what visitors might write, and attackers. */
function isSample(file) {
  return /\/(samples|programs|attacks)\//.test(join('/', file));
}
