// Which message_id of a response a receipt's id means: any case, zero padding or radix; and when two numbers are one subscriber.

/** How a receipt's id has to be read to find that of the response. */
export const idRules = ['same', 'decimal-to-hex', 'hex-to-decimal'] as const;
export type IdRule = (typeof idRules)[number];

const longestNumber = 40;

const longestKey = 200;

/** The key under which a message_id of a response is kept: case folded, leading zeros stripped. */
export function idKey(id: string): string {
  const folded = id.trim().toLowerCase();
  return folded.replace(/^0+(?=.)/, '').slice(0, longestKey);
}

/** The keys that a receipt's id may mean, by rule. No two are equal. */
export function candidateKeys(id: string): Array<readonly [IdRule, string]> {
  const same = idKey(id);
  const keys: Array<readonly [IdRule, string]> = [['same', same]];
  if (same.length > longestNumber) return keys;
  const add = (rule: IdRule, key: string) => {
    if (!keys.some(([, known]) => known === key)) keys.push([rule, key]);
  };
  if (/^\d+$/.test(same)) add('decimal-to-hex', BigInt(same).toString(16));
  if (/^[0-9a-f]+$/.test(same)) add('hex-to-decimal', BigInt(`0x${same}`).toString(10));
  return keys;
}

/** The same subscriber, in whichever of national and international form: the shorter ends the longer. */
export function isSameNumber(one: string, other: string): boolean {
  const [shorter = '', longer = ''] = [one, other]
    .map((text) => text.replace(/\D/g, '').replace(/^0+/, ''))
    .sort((a, b) => a.length - b.length);
  return shorter.length >= 3 && longer.endsWith(shorter);
}

export function isOneOf(number: string, numbers: readonly string[]): boolean {
  return numbers.some((other) => isSameNumber(number, other));
}
