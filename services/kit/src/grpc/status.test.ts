// How statuses travel.
import { constants } from 'node:http2';
import { expect, test } from 'vitest';
import {
  decodeDetails,
  encodeDetails,
  readStatus,
  STATUS,
  statusHeaders,
  statusOfHttp,
  statusOfReset,
} from './status.js';

test.each(['', 'plain text ~!', '100%', '%41', 'é\n\t\u0000', '\ud83d\ude00', '\x7f'])(
  '%j comes back as it was',
  (details) => {
    const encoded = encodeDetails(details);
    expect(encoded).toMatch(/^[\x20-\x7e]*$/);
    expect(decodeDetails(encoded)).toBe(details);
    expect(readStatus(statusHeaders({ code: STATUS.ABORTED, details }))).toEqual({ code: STATUS.ABORTED, details });
  },
);

test('half a surrogate pair and broken escapes do no harm', () => {
  expect(encodeDetails('\ud83d')).toBe('%EF%BF%BD');
  expect(decodeDetails('%zz%4')).toBe('%zz%4');
});

test('a status that is not a number is UNKNOWN; none is none', () => {
  expect(readStatus({ 'grpc-status': '-1' })?.code).toBe(STATUS.UNKNOWN);
  expect(readStatus({ 'grpc-status': '99999999999' })?.code).toBe(STATUS.UNKNOWN);
  expect(readStatus({})).toBeUndefined();
});

test.each([
  [constants.NGHTTP2_REFUSED_STREAM, STATUS.UNAVAILABLE],
  [constants.NGHTTP2_CANCEL, STATUS.CANCELLED],
  [constants.NGHTTP2_ENHANCE_YOUR_CALM, STATUS.RESOURCE_EXHAUSTED],
  [constants.NGHTTP2_INADEQUATE_SECURITY, STATUS.PERMISSION_DENIED],
  [constants.NGHTTP2_PROTOCOL_ERROR, STATUS.INTERNAL],
  [constants.NGHTTP2_FLOW_CONTROL_ERROR, STATUS.INTERNAL],
])('reset code %i is status %i', (reset, code) => {
  expect(statusOfReset(reset).code).toBe(code);
});

test.each([
  [401, STATUS.UNAUTHENTICATED],
  [404, STATUS.UNIMPLEMENTED],
  [503, STATUS.UNAVAILABLE],
  [418, STATUS.UNKNOWN],
])('HTTP %i is status %i', (http, code) => {
  expect(statusOfHttp(http).code).toBe(code);
});
