// A client's identity for limits: its address, IPv6 cut to its /64, through as many proxies as are trusted.
import { createHmac } from 'node:crypto';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The address of an IPv4 client in dotted form, the first 64 bits of an IPv6 one as four hex groups. */
export function addressOf(bytes: Uint8Array): string {
  return bytes.length === 4 || bytes.length === 16 ? canonical(ipaddr.fromByteArray([...bytes])) : 'unknown';
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
  // isIP takes no short, octal or hexadecimal forms, on which parsers do not agree; a zone's name may be one that the library refuses.
  return isIP(entry) !== 0 && ipaddr.isValid(entry) ? canonical(ipaddr.parse(entry)) : undefined;
}

/** What of an address goes into Redis: all gateways with one key ring agree on it, and it does not show the address. */
export function hashAddress(address: string, secret: string): string {
  return createHmac('sha256', secret).update(`address\n${address}`).digest('base64url').slice(0, 22);
}

function canonical(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  // IPv4-mapped (RFC 4291 section 2.5.5.2): what a dual-stack listener sees of an IPv4 client.
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return address.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':');
}
