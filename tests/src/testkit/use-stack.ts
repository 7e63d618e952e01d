// Gives a test file its stack: up before all tests, checked for leaks, down after all.
import { afterAll, afterEach, beforeAll } from 'vitest';
import { assertIdle, assertNoLeaks } from './leaks.js';
import { Stack, type StackOptions } from './stack.js';

export interface UseStackOptions extends StackOptions {
  /**
   * What holds after each test; after all of them, no container may be left either way. Default `idle`: no socket, run or stream is left.
   * `clean`: nor a container, for files whose tests look at those. `nothing`: for files whose tests run beside each other.
   */
  readonly afterEach?: 'idle' | 'clean' | 'nothing';
}

/** Call at the top of a file or describe block; the function returned gives the running stack. */
export function useStack(options: UseStackOptions = {}): () => Stack {
  const { afterEach: rule = 'idle', ...stackOptions } = options;
  let stack: Stack | undefined;
  beforeAll(async () => {
    stack = await Stack.start(stackOptions);
  });
  afterEach(async () => {
    if (stack === undefined || rule === 'nothing') return;
    await (rule === 'clean' ? assertNoLeaks(stack) : assertIdle(stack));
  });
  afterAll(async () => {
    try {
      if (stack !== undefined) await assertNoLeaks(stack);
    } finally {
      await stack?.close();
    }
  });
  return () => {
    if (stack === undefined) throw new Error('the stack is not up');
    return stack;
  };
}
