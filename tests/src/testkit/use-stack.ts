// Gives a test file its stack: up before all tests, checked for leaks after each, down after all.
import { afterAll, afterEach, beforeAll } from 'vitest';
import { assertNoLeaks } from './leaks.js';
import { Stack, type StackOptions } from './stack.js';

/** Call at the top of a file or describe block; the function returned gives the running stack. */
export function useStack(options: StackOptions = {}): () => Stack {
  let stack: Stack | undefined;
  beforeAll(async () => {
    stack = await Stack.start(options);
  });
  afterEach(async () => {
    if (stack !== undefined) await assertNoLeaks(stack);
  });
  afterAll(async () => {
    await stack?.close();
  });
  return () => {
    if (stack === undefined) throw new Error('the stack is not up');
    return stack;
  };
}
