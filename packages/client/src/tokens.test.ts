// Tokens are fetched ahead, and each is given out once.
import { expect, test, vi } from 'vitest';
import { TokenStock } from './tokens.js';

function rig() {
  let count = 0;
  const source = vi.fn(() => Promise.resolve(`token ${++count}`));
  return { source, stock: new TokenStock(source) };
}

test('a prepared token is the one that is taken, once', async () => {
  const { source, stock } = rig();
  stock.prepare();
  stock.prepare();
  expect(source).toHaveBeenCalledTimes(1);
  expect(await stock.take()).toBe('token 1');
  expect(await stock.take()).toBe('token 2');
});

test('a token that has waited for too long is replaced', async () => {
  vi.useFakeTimers();
  const { stock } = rig();
  stock.prepare();
  vi.advanceTimersByTime(180_001);
  expect(await stock.take()).toBe('token 2');
  vi.useRealTimers();
});

test('a failure of the source shows at take, and the next take asks again', async () => {
  const source = vi
    .fn(() => 'token')
    .mockImplementationOnce(() => {
      throw new Error('no key');
    });
  const stock = new TokenStock(source);
  stock.prepare();
  await expect(stock.take()).rejects.toThrow('no key');
  expect(await stock.take()).toBe('token');
});
