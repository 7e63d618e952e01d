// The text of a Lua script, by name.
import { readFileSync } from 'node:fs';

/** `name`: of a file in lua/, without its ending. Throws when there is none. */
export function luaScript(name: string): string {
  return readFileSync(new URL(`../src/lua/${name}.lua`, import.meta.url), 'utf8');
}
