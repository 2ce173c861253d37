// Addresses and CIDR blocks as operators write them.
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Undefined for what is neither. */
export function parseBlock(text: string): { ip: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [ip = '', written] = text.split('/');
  if (!isIPv4(ip) && !isIPv6(ip)) return undefined;
  const family = isIPv4(ip) ? 'ipv4' : 'ipv6';
  const width = family === 'ipv4' ? 32 : 128;
  const bits = written === undefined ? width : Number(written);
  return written !== '' && Number.isInteger(bits) && bits >= 0 && bits <= width ? { ip, bits, family } : undefined;
}

export function blocksOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of texts.map(parseBlock)) if (block) list.addSubnet(block.ip, block.bits, block.family);
  return list;
}
