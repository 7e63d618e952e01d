// The available languages, as the workers announce them, by name and alias.
import type { HelloLanguage } from '@rungrid/proto/frames';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';

/** How long a language stays listed after its last worker has left, ms: a restart must not look like a removal. */
const KEEP_MS = 60_000;
/** Most languages. Past it, further ones are not listed. */
const MAX_LANGUAGES = 128;

interface Known {
  readonly language: HelloLanguage;
  readonly seenMs: number;
}

export class LanguageCatalog {
  readonly #known = new Map<string, Known>();
  #names = new Map<string, HelloLanguage>();
  #list: readonly HelloLanguage[] = [];
  #text = '[]';

  /** In alphabetical order. The same array until something changes. */
  get languages(): readonly HelloLanguage[] {
    return this.#list;
  }

  /** Takes the announced workers. Returns whether the list has changed. */
  update(workers: readonly WorkerInfo[], nowMs: number): boolean {
    for (const language of workers.flatMap((worker) => worker.languages)) {
      if (this.#known.has(language.name) || this.#known.size < MAX_LANGUAGES) {
        this.#known.set(language.name, { language, seenMs: nowMs });
      }
    }
    for (const [name, { seenMs }] of this.#known) {
      if (nowMs - seenMs > KEEP_MS) this.#known.delete(name);
    }
    const list = [...this.#known.values()].map(({ language }) => language).sort((a, b) => (a.name < b.name ? -1 : 1));
    const text = JSON.stringify(list);
    if (text === this.#text) return false;
    this.#text = text;
    this.#list = list;
    this.#names = byName(list);
    return true;
  }

  /** By canonical name or alias. */
  find(name: string): HelloLanguage | undefined {
    return this.#names.get(name);
  }
}

/** Names win over aliases; the first of two equal aliases wins. */
function byName(list: readonly HelloLanguage[]): Map<string, HelloLanguage> {
  const names = new Map(list.map((language) => [language.name, language]));
  for (const language of list) {
    for (const alias of language.aliases) {
      if (!names.has(alias)) names.set(alias, language);
    }
  }
  return names;
}

/** Whether `asked` is the version, or the first parts of it: 3 and 3.13 are 3.13.5. */
export function versionFits(asked: string, version: string): boolean {
  return version === asked || version.startsWith(`${asked}.`);
}
