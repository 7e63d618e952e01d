// The page at / in a real browser: type a program, run it, type into it, stop it, see why it ended.
import { readFile } from 'node:fs/promises';
import { CLOSE } from '@rungrid/proto/close-codes';
import { END_REASONS } from '@rungrid/proto/limits';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePort } from '@rungrid/bus/testkit/redis-server';
import { useStack } from '../testkit/use-stack.js';

const CHROMIUM = process.env['RUNGRID_CHROMIUM'] ?? '/usr/bin/chromium';
const PAGE_DIR = new URL('../../../services/playground/public/', import.meta.url);
const stack = useStack({
  languages: ['python', 'javascript'],
  // The own address is the default allowed origin.
  gatewayEnv: { GATEWAY_ALLOWED_ORIGINS: '' },
  workerEnv: { WORKER_CPU_MS: '600' },
});
let browser: Browser | undefined;
let page: Page;
let complaints: string[] = [];

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
});
beforeEach(async () => {
  if (browser === undefined) throw new Error('no browser');
  complaints = [];
  page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  await page.goto(stack().gateway.url);
  await page.locator('#run:enabled').waitFor();
});
afterEach(async () => {
  await page.close();
  expect(complaints).toEqual([]);
});
afterAll(async () => {
  await browser?.close();
});

const output = () => page.locator('#output');
const status = () => page.locator('#status');
const program = (text: string) => page.locator('#code').fill(text);
const runIt = () => page.locator('#run').click();

async function shows(text: string): Promise<void> {
  await output().filter({ hasText: text }).waitFor();
}
async function says(text: string): Promise<void> {
  await status().filter({ hasText: text }).waitFor();
}

test('a program prompts, gets what is typed, answers, and its end is explained', async () => {
  await program("name = input('Name: ')\nprint('Hello ' + name)");
  await runIt();
  await shows('Name: ');
  await says('Running');
  await page.locator('#input').fill('Rajesh');
  await page.keyboard.press('Enter');
  await shows('Hello Rajesh');
  await says('Finished');
  expect(await status().textContent()).toMatch(/ms|s.*CPU.*MB memory/);
});

test('the page starts with the program of the hello event, and every language brings its own', async () => {
  expect(await page.locator('#code').inputValue()).toMatch(/print/);
  await page.locator('#language').selectOption('javascript');
  expect(await page.locator('#code').inputValue()).toMatch(/console\.log|process\.stdout/);
  await page.keyboard.press('Control+Enter');
  await says('Finished');
});

test('Ctrl+Enter runs, Stop stops, and the end says so', async () => {
  await program('print("up", flush=True)\nwhile True: input()');
  await page.locator('#code').press('Control+Enter');
  await shows('up');
  await page.locator('#stop').click();
  await says('Stopped by you');
});

test('Ctrl+C in the input line interrupts, Ctrl+D ends the input', async () => {
  await program(
    'try:\n    input()\nexcept KeyboardInterrupt:\n    print("interrupted", flush=True)\nimport sys\nprint(len(sys.stdin.read()), "left")',
  );
  await runIt();
  await says('Running');
  await page.locator('#input').press('Control+c');
  await shows('interrupted');
  await page.locator('#input').fill('abc');
  await page.locator('#input').press('Control+d');
  await shows('3 left');
  await says('Finished');
});

test('stderr looks unlike stdout, and an exit code is shown', async () => {
  await program('import sys\nprint("fine", flush=True)\nsys.exit("bad luck")');
  await runIt();
  await says('Exited with code 1');
  await page.locator('#output .stderr', { hasText: 'bad luck' }).waitFor();
  await page.locator('#output .stdout', { hasText: 'fine' }).waitFor();
});

test('a limit is shown by its name', async () => {
  await program('while True: pass');
  await runIt();
  await says('hit the CPU time limit');
});

test('a flood leaves a bounded page that still answers', async () => {
  await program('import sys\nfor i in range(9999): print("x" * 99)\nprint("y" * 40000)');
  await runIt();
  await page
    .locator('#status')
    .filter({ hasText: /Finished|output limit/ })
    .waitFor();
  const units = await output().evaluate((area) => area.textContent?.length ?? 0);
  expect(units).toBeLessThan(1_100_000);
  const spans = await output().evaluate((area) => area.childElementCount);
  expect(spans).toBeLessThan(500);
});

test('a gateway dies under a running program: the page finds it again, with what was typed meanwhile', async () => {
  // Not one that the kernel chose: such a port cannot be taken again while connections of before linger.
  const port = String(await freePort());
  const gateway = await stack().addGateway({ GATEWAY_PORT: port });
  await page.goto(gateway.url);
  await page.locator('#run:enabled').waitFor();
  await program('for _ in range(2):\n    line = input("> ")\n    print(f"<{line}>")');
  await runIt();
  await shows('> ');
  await page.locator('#input').fill('one');
  await page.locator('#input').press('Enter');
  await shows('<one>');
  stack().forget(gateway);
  gateway.process.signal('SIGKILL');
  await says('Connection lost');
  await page.locator('#input').fill('two');
  await page.locator('#input').press('Enter');
  await stack().addGateway({ GATEWAY_PORT: port });
  await shows('<two>');
  await says('Finished');
  // The browser itself reports the socket that was lost, and those that were refused.
  complaints = complaints.filter((text) => !text.includes('WebSocket'));
});

test('markup in output is text', async () => {
  await program('print("<img src=x onerror=document.title=1><script>document.title=2</script>")');
  await runIt();
  await shows('<script>document.title=2</script>');
  expect(await page.locator('#output img, #output script').count()).toBe(0);
});

test('what was typed is there again after a reload, and Reset forgets it', async () => {
  await program('print("kept")');
  await page.reload();
  await page.locator('#run:enabled').waitFor();
  expect(await page.locator('#code').inputValue()).toBe('print("kept")');
  await page.locator('#reset').click();
  expect(await page.locator('#code').inputValue()).not.toContain('kept');
});

test('Tab indents, and after Escape it leaves the editor', async () => {
  await program('');
  await page.locator('#code').press('Tab');
  await page.keyboard.type('x');
  expect(await page.locator('#code').inputValue()).toBe('    x');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  expect(await page.locator('#code').evaluate((area) => area.matches(':focus'))).toBe(false);
});

test('the page explains every end reason, and knows which closes are final', async () => {
  const { REASONS, FINAL_CLOSES } = (await import(new URL('explain.js', PAGE_DIR).href)) as {
    REASONS: Record<string, string>;
    FINAL_CLOSES: Record<number, string>;
  };
  expect(Object.keys(REASONS).toSorted()).toEqual([...END_REASONS].toSorted());
  const final = Object.values(CLOSE).flatMap((info) => (info.reconnect ? [] : [String(info.code)]));
  expect(Object.keys(FINAL_CLOSES).toSorted()).toEqual(final.toSorted());
});

test('the page names no other origin and holds no inline script or style', async () => {
  const html = await readFile(new URL('index.html', PAGE_DIR), 'utf8');
  expect(html).not.toMatch(/https?:|<style|style=|<script(?![^>]*src=)|\son\w+=/);
});
