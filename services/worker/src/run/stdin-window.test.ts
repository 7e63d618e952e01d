// Rules of stdin in flight to the agent.
import { expect, test } from 'vitest';
import { StdinWindow } from './stdin-window.js';

function setup(open = true) {
  const sent: (number | 'eof')[] = [];
  const window = new StdinWindow({ send: (bytes) => sent.push(bytes.length), close: () => sent.push('eof') });
  if (open) window.open();
  return { window, sent };
}

test('at most 64 KiB are in flight, the rest follows the acknowledgements in order', () => {
  const { window, sent } = setup();
  expect(window.write(Buffer.alloc(100_000))).toBe(true);
  window.close();
  expect(sent).toEqual([65_536]);
  expect(window.acknowledge(65_536)).toBe(65_536);
  expect(sent).toEqual([65_536, 34_464, 'eof']);
});

test('past 256 KiB a write is refused whole', () => {
  const { window } = setup();
  expect(window.write(Buffer.alloc(262_144))).toBe(true);
  expect(window.write(Buffer.alloc(1))).toBe(false);
  window.acknowledge(1);
  expect(window.write(Buffer.alloc(1))).toBe(true);
});

test('what is written after the close is dropped', () => {
  const { window, sent } = setup();
  window.close();
  window.close();
  expect(window.write(Buffer.from('late'))).toBe(true);
  expect(sent).toEqual(['eof']);
});

test('an acknowledgement of more than was in flight counts only for what was', () => {
  const { window } = setup();
  window.write(Buffer.alloc(10));
  expect(window.acknowledge(4_000_000_000)).toBe(10);
  expect(window.acknowledge(1)).toBe(0);
});

test('stdin of the request is not reported as consumed', () => {
  const { window, sent } = setup();
  window.preset(Buffer.alloc(10));
  expect(sent).toEqual([10, 'eof']);
  expect(window.acknowledge(10)).toBe(0);
});

test('nothing is sent before the program is submitted, and nothing is lost', () => {
  const { window, sent } = setup(false);
  window.write(Buffer.from('abc'));
  window.close();
  expect(sent).toEqual([]);
  window.open();
  expect(sent).toEqual([3, 'eof']);
});
