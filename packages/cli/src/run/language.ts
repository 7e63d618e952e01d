// Which language a file is in: its extension is that of exactly one language's file name, or one of its aliases.
import { extname } from 'node:path';

/** What is needed of a language to recognize its files. */
export interface Recognizable {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly fileName: string;
}

/** Undefined when no language, or more than one, fits. */
export function languageOfFile(file: string, languages: readonly Recognizable[]): string | undefined {
  const extension = extname(file).toLowerCase();
  if (extension === '') return undefined;
  const byFileName = languages.filter((language) => extname(language.fileName).toLowerCase() === extension);
  const fitting =
    byFileName.length > 0 ? byFileName : languages.filter((language) => language.aliases.includes(extension.slice(1)));
  return fitting.length === 1 ? fitting[0]?.name : undefined;
}
