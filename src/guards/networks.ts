// Addresses and networks as operators write them: 192.0.2.1, 192.0.2.0/24, 2001:db8::/32.
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';

interface Network {
  readonly ip: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** Of a configuration. */
export const network = z
  .string()
  .refine((text) => parseNetwork(text) !== undefined, 'write an address, or a network as 192.0.2.0/24');

const maxRemembered = 1024;

export class Networks {
  readonly #list = new BlockList();
  /** Of those asked about: a proxy is asked about with each of its messages. */
  readonly #remembered = new Map<string, boolean>();

  /** What is no network is in none; `network` refuses it before. */
  constructor(texts: readonly string[]) {
    for (const { ip, bits, family } of texts.map(parseNetwork).filter((one) => one !== undefined)) {
      this.#list.addSubnet(ip, bits, family);
    }
  }

  has(ip: string): boolean {
    const known = this.#remembered.get(ip);
    if (known !== undefined) return known;
    const isIn = this.#list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(ip, isIn);
    return isIn;
  }
}

/** Where a list lets in whoever is on it, and an empty list everybody. */
export function isAllowedBy(texts: readonly string[]): (ip: string) => boolean {
  if (texts.length === 0) return () => true;
  const networks = new Networks(texts);
  return (ip) => networks.has(ip);
}

function parseNetwork(text: string): Network | undefined {
  const [ip = '', written, ...rest] = text.split('/');
  if ((!isIPv4(ip) && !isIPv6(ip)) || rest.length > 0) return undefined;
  const family = isIPv4(ip) ? 'ipv4' : 'ipv6';
  const width = family === 'ipv4' ? 32 : 128;
  const bits = written === undefined ? width : Number(/^\d+$/.exec(written)?.[0] ?? Number.NaN);
  return bits <= width ? { ip, bits, family } : undefined;
}
