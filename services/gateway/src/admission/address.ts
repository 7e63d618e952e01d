// Who a client is, for limits: its address, IPv6 cut to its /64, through as many proxies as are trusted.
import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';

/** The address of an IPv4 client in dotted form, the first 64 bits of an IPv6 one as four hex groups. */
export function addressOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return 'unknown';
  // IPv4-mapped (RFC 4291 section 2.5.5.2): what a dual-stack listener sees of an IPv4 client.
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.subarray(12).join('.');
  return groups(bytes.subarray(0, 8));
}

export interface ForwardedOptions {
  /** X-Forwarded-For, as received. */
  readonly header: string;
  /** How many proxies in front append to it. */
  readonly trustedProxies: number;
}

/** The address that the outermost trusted proxy saw; undefined when the header is not believed, or names none. */
export function forwardedAddress(options: ForwardedOptions): string | undefined {
  if (options.trustedProxies === 0 || options.header === '') return undefined;
  // Each proxy appends: an entry left of ours is the client's own claim.
  const entry = options.header.split(',').at(-options.trustedProxies)?.trim();
  if (entry === undefined) return undefined;
  switch (isIP(entry)) {
    case 4:
      return addressOf(Uint8Array.from(entry.split('.'), Number));
    case 6:
      return addressOf(parseIpv6(entry));
    default:
      return undefined;
  }
}

/** What of an address goes into Redis: all gateways with one key ring agree on it, and nobody reads an address from it. */
export function hashAddress(address: string, secret: string): string {
  return createHmac('sha256', secret).update(`address\n${address}`).digest('base64url').slice(0, 22);
}

/** Bytes of a valid IPv6 text (RFC 4291 section 2.2). */
function parseIpv6(text: string): Uint8Array {
  const plain = text
    .replace(/%.*$/, '')
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) => {
      return `${hex(Number(a) * 256 + Number(b))}:${hex(Number(c) * 256 + Number(d))}`;
    });
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const words = [...left, ...zeros, ...right].map((word) => Number.parseInt(word, 16));
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255]));
}

function groups(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return [0, 2, 4, 6].map((offset) => hex(view.getUint16(offset))).join(':');
}

function hex(value: number): string {
  return value.toString(16);
}
