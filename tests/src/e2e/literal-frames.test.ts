// The three frames of the protocol's first page, from a client that knows nothing else.
import { WebSocket } from 'ws';
import { expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack();

test('the three literal frames work from a client that knows nothing else', async () => {
  const token = stack().mint('');
  const socket = new WebSocket(`${stack().gateway.url.replace('http', 'ws')}/ws`);
  let text = '';
  const events: string[] = [];
  socket.on('message', (message: Buffer) => {
    const frame = JSON.parse(message.toString()) as { event: string; data: { text?: string; run?: string } };
    events.push(frame.event);
    if (frame.event === 'stdout') text += frame.data.text ?? '';
    expect(frame.data.run).toBeUndefined();
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send(
    String.raw`{"event":"run_code","data":{"code":"name = input('Name: ')\nprint('Hello ' + name)","language":"python","token":"timestamp_signature_string"}}`.replace(
      'timestamp_signature_string',
      token,
    ),
  );
  await until(() => text === 'Name: ', { what: () => `the prompt; got ${events.join(' ')} ${text}` });
  socket.send(String.raw`{"event":"stdin","data":{"text":"Rajesh\n"}}`);
  await until(() => events.includes('exit'), { what: () => `the end; got ${events.join(' ')} ${text}` });
  expect(text).toBe('Name: Hello Rajesh\n');
  expect(events[0]).toBe('hello');
  expect(events.filter((event) => event === 'exit' || event === 'error')).toEqual(['exit']);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.close();
  await closed;
});
