// gRPC methods as data: the path on the wire and how its messages are written and read, out of the generated code.
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type MessageFns, RunnerDefinition } from './gen/rungrid/v1/runner.js';

/** Bytes in front of each message on the wire: a flag, and the length. */
export const PREFIX_BYTES = 5;

/** Writes and reads one kind of message. */
export interface Codec<T> {
  /** The message behind PREFIX_BYTES zeros: the transport fills them in, so that a message is one allocation. */
  encode(message: T): Uint8Array;
  /** Throws when it is not such a message. */
  decode(bytes: Uint8Array): T;
}

/** A bidirectional streaming method. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

const { fullName, methods } = RunnerDefinition;

/** Runner.Run of runner.proto. */
export const RUN_METHOD = {
  path: `/${fullName}/${methods.run.name}`,
  request: codecOf(methods.run.requestType),
  response: codecOf(methods.run.responseType),
};

function codecOf<T>(type: MessageFns<T>): Codec<T> {
  const room = new Uint8Array(PREFIX_BYTES);
  return {
    encode: (message) => type.encode(message, new BinaryWriter().raw(room)).finish(),
    decode: (bytes) => type.decode(bytes),
  };
}
