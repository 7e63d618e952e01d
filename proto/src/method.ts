// Runner.Run as data, in the shape that @grpc/grpc-js takes for clients and servers: its path, and how messages are written and read.
import { Buffer } from 'node:buffer';
import { type MessageFns, RunEvent, RunInput, RunnerDefinition } from './gen/rungrid/v1/runner.js';

const { fullName, methods } = RunnerDefinition;

export const RUN_METHOD = {
  path: `/${fullName}/${methods.run.name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: serializer(RunInput),
  requestDeserialize: (bytes: Buffer) => RunInput.decode(bytes),
  responseSerialize: serializer(RunEvent),
  responseDeserialize: (bytes: Buffer) => RunEvent.decode(bytes),
} as const;

/** The bytes are not copied: grpc-js copies them behind the prefix of the message. */
function serializer<T>(type: MessageFns<T>): (message: T) => Buffer {
  return (message) => {
    const bytes = type.encode(message).finish();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  };
}
