// The page at /: a fixed map of files read at start, so that no request ever reaches a path.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { httpError, type HttpRequest, type HttpResponse } from './types.js';

/** What is served, and how; a file of another kind is left out. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};
const MAX_FILES = 500;
const MAX_TOTAL_BYTES = 33_554_432;
const MAX_DEPTH = 4;

/** Scripts and sockets of the own origin only. Inline styles are what editors and terminals write; scripts stay strict. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  'cache-control': 'no-cache',
} as const;

interface Page {
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
  readonly body: Uint8Array;
}

/** Reads the folder. Throws when it holds more than a page should; a folder that is not there is an empty one. */
export function readPages(folder: string): ReadonlyMap<string, Page> {
  const pages = new Map<string, Page>();
  let total = 0;
  for (const path of listFiles(folder, { prefix: '', depth: 0 })) {
    const type = TYPES[extname(path)];
    if (type === undefined) continue;
    const body = readFileSync(join(folder, path));
    total += body.length;
    if (pages.size >= MAX_FILES || total > MAX_TOTAL_BYTES) throw new Error(`${folder} holds too much for a page`);
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    const page = { headers: { ...HEADERS, 'content-type': type, etag }, etag, body };
    pages.set(`/${path}`, page);
    if (path === 'index.html') pages.set('/', page);
  }
  return pages;
}

export function pagesHandler(pages: ReadonlyMap<string, Page>): (request: HttpRequest) => HttpResponse {
  return (request) => {
    const page = pages.get(request.path);
    if (page === undefined) return httpError('not_found');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return httpError('not_found', { status: 405, headers: { allow: 'GET, HEAD' } });
    }
    if (request.ifNoneMatch === page.etag) return { status: 304, headers: page.headers, body: '' };
    return { status: 200, headers: page.headers, body: page.body };
  };
}

/** Plain files below the folder, hidden ones and links left out. */
function listFiles(folder: string, at: { prefix: string; depth: number }): string[] {
  if (at.depth > MAX_DEPTH || statSync(join(folder, at.prefix), { throwIfNoEntry: false })?.isDirectory() !== true)
    return [];
  return readdirSync(join(folder, at.prefix), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.')) return [];
    const path = at.prefix === '' ? entry.name : `${at.prefix}/${entry.name}`;
    if (entry.isDirectory()) return listFiles(folder, { prefix: path, depth: at.depth + 1 });
    return entry.isFile() ? [path] : [];
  });
}
