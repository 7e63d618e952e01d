// The vocabulary check: fails on a phrase of the left column of the glossary in CONTRIBUTING.md, and says what to write.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Fewer phrases than this mean that the table was not found. */
const MIN_PHRASES = 30;
const CODE = new Set(['.ts', '.mjs', '.cjs', '.js', '.lua']);
/** Generated, foreign, or programs that are data; and what names images by its content, where a new word would rebuild them all. */
const EXEMPT =
  /(^|\/)(gen|samples|attacks|programs)\/|^(LICENSE|pnpm-lock\.yaml|tools\/vocabulary\.mjs)$|^(services\/sandbox\/languages|deploy\/images)\/|\.(json|svg|ico|png)$/;

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
const phrases = readGlossary(readFileSync('CONTRIBUTING.md', 'utf8'));
if (phrases.length < MIN_PHRASES) throw new Error(`CONTRIBUTING.md has only ${phrases.length} phrases in its glossary`);
const files = execFileSync('git', ['ls-files'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && !EXEMPT.test(file) && existsSync(file));
const found = files.flatMap((file) => check(file));
for (const line of found) console.error(line);
if (found.length > 0) {
  console.error(`\n${found.length} uses of words that the glossary in CONTRIBUTING.md replaces`);
  process.exit(1);
}

/** One entry for each phrase of the left column: its words, what to say, and where it counts. */
function readGlossary(document) {
  const rows = glossaryOf(document).split('\n').slice(2);
  return rows.flatMap((row) => {
    const [, left = '', say = ''] = row.split('|').map((cell) => cell.trim());
    return left.split(/[,;] /).flatMap((phrase) => {
      const words = wordsOf(phrase);
      return words.length === 0 ? [] : [{ words, say, nameOnly: phrase.startsWith('`') }];
    });
  });
}

function glossaryOf(document) {
  const [, section = ''] = document.split('\n## Glossary\n');
  return section
    .split('\n## ')[0]
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .join('\n');
}

function check(file) {
  const whole = readFileSync(file, 'utf8');
  const text = file === 'CONTRIBUTING.md' ? blank(whole, glossaryOf(whole)) : whole;
  const isCode = CODE.has(extname(file));
  const names = isCode ? namesOf(text).split('\n') : [];
  return text.split('\n').flatMap((line, index) => {
    const anywhere = ` ${wordsOf(line).join(' ')} `;
    const inNames = ` ${wordsOf(names[index] ?? '').join(' ')} `;
    return phrases
      .filter(({ words, nameOnly }) => (nameOnly ? inNames : anywhere).includes(` ${words.join(' ')} `))
      .map(({ words, say }) => `${file}:${index + 1}: ${words.join(' ')} -> ${say}`);
  });
}

/** Lower-case words; a name is split where its case changes. */
function wordsOf(text) {
  return (text.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g) ?? []).map((word) => word.toLowerCase());
}

/** Code without comments, texts and other libraries' names: what remains are our own names. Keeps the lines. */
function namesOf(text) {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, keepLines)
    .replaceAll(/(^|\s)(\/\/|--).*$/gm, '')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, '')
    .replaceAll(/`(?:[^`\\]|\\.)*`/g, keepLines)
    .replaceAll(/\bMath\.\w+/g, '');
}

function keepLines(text) {
  return text.replaceAll(/[^\n]/g, '');
}

/** `text` without `part`, on the same lines. */
function blank(text, part) {
  const lines = new Set(part.split('\n'));
  return text
    .split('\n')
    .map((line) => (lines.has(line) ? '' : line))
    .join('\n');
}
