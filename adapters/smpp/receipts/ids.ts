// Which message_id of a response a receipt's id means, in whichever case, zero padding or radix; and when two numbers
// are one subscriber.

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

export type Candidate = readonly [rule: IdRule, key: string];

/** The keys that a receipt's id may mean, by rule; of one rule only when that is pinned. No two are equal. */
export function candidateKeys(id: string, pinned?: IdRule): Candidate[] {
  const same = idKey(id);
  const keys: Candidate[] = [['same', same]];
  const add = (rule: IdRule, key: string) => {
    if (!keys.some(([, known]) => known === key)) keys.push([rule, key]);
  };
  if (same.length <= longestNumber) {
    if (/^\d+$/.test(same)) add('decimal-to-hex', BigInt(same).toString(16));
    if (/^[0-9a-f]+$/.test(same)) add('hex-to-decimal', BigInt(`0x${same}`).toString(10));
  }
  const wanted = pinned === undefined ? keys : keys.filter(([rule]) => rule === pinned);
  // `9` is the same in both: its rule was not listed twice.
  return wanted.length > 0 ? wanted : [['same', same]];
}

/** What had to be overlooked between the id of the response and that of the receipt, for people. */
export function spellingOf(written: string, given: string, rule: IdRule): string {
  if (rule !== 'same') return rule;
  if (written === given) return 'exact';
  return written.toLowerCase() === given.toLowerCase() ? 'without case' : 'without leading zeros';
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
