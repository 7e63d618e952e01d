// Image tags name their content.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildCommand, imagePlan, languageImage } from './images.js';
import { builtInLanguages, LANGUAGES_DIR, type Language, loadLanguage } from './languages.js';

describe('imagePlan', () => {
  it('builds the agent first, then each language on it', () => {
    const [agent, ...rest] = imagePlan(builtInLanguages());
    expect(agent?.tag).toMatch(/^rungrid\/agent:[0-9a-f]{12}$/);
    expect(rest.map((step) => step.tag)).toEqual(builtInLanguages().map(languageImage));
    expect(rest.map((step) => step.buildArgs['AGENT'])).toEqual(rest.map(() => agent?.tag));
  });

  it('makes docker build arguments', () => {
    const [agent] = imagePlan([]);
    if (agent === undefined) throw new Error('no agent step');
    const tail = ['--file', agent.dockerfile, '--tag', agent.tag, agent.contextDir];
    expect(buildCommand(agent)).toEqual(['build', ...tail]);
    expect(buildCommand(agent, { network: 'host' })).toEqual(['build', '--network', 'host', ...tail]);
  });
});

describe('a tag', () => {
  let dir: string;
  let language: Language;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'images-'));
    cpSync(join(LANGUAGES_DIR, 'python'), join(dir, 'python'), { recursive: true });
    language = loadLanguage(join(dir, 'python'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('depends on content, not on the path of the folder', () => {
    expect(languageImage(language)).toBe(languageImage(loadLanguage(join(LANGUAGES_DIR, 'python'))));
  });

  it('changes with a file of the image and with the packages', () => {
    const before = languageImage(language);
    expect(languageImage({ ...language, image: { packages: ['python3', 'gcc'] } })).not.toBe(before);
    writeFileSync(join(dir, 'python', 'image', 'more'), '');
    expect(languageImage(language)).not.toBe(before);
  });

  it('does not change with samples', () => {
    const before = languageImage(language);
    writeFileSync(join(dir, 'python', 'samples', 'more.json'), '{}');
    expect(languageImage(language)).toBe(before);
  });
});
