// The header table: order kept, names without case and in either form, values raw until somebody asks.
import { type HeaderName, headerName } from './header-names.ts';
import { type NameAddr, parseNameAddr } from './name-addr.ts';
import { splitList } from './scan.ts';
import { parseVia, type Via } from './via.ts';

/** A value that was read, and from what. */
interface Read<T> {
  text: string;
  value: T;
}

/**
 * Values are text decoded from UTF-8. A byte that is no UTF-8 is kept as the lone surrogate U+DC00 + byte, and written
 * back as that byte: use `toWellFormed()` on what leaves SIP.
 */
export class Headers {
  #names: HeaderName[] = [];
  #values: string[] = [];
  // Everybody asks for these: the check, the transaction, the mapping.
  #from: Read<Readonly<NameAddr>> | undefined;
  #to: Read<Readonly<NameAddr>> | undefined;
  #topVia: Read<Readonly<Via>> | undefined;

  /** Lines. */
  get size(): number {
    return this.#names.length;
  }

  /** The first value as written, unfolded and trimmed. */
  get(name: string): string | undefined {
    const at = this.#indexOf(headerName(name).key, 0);
    return at < 0 ? undefined : this.#values[at];
  }

  /**
   * Every value in order. Headers that hold lists are cut at their commas.
   * @throws SipParseError for a list with a quote that never ends.
   */
  all(name: string): string[] {
    const { key, isList } = headerName(name);
    const values: string[] = [];
    for (let at = this.#indexOf(key, 0); at >= 0; at = this.#indexOf(key, at + 1)) {
      const value = this.#values[at]!;
      if (!isList) values.push(value);
      else for (const part of splitList(value)) values.push(part);
    }
    return values;
  }

  /** From, taken apart once. Throws SipParseError(400), as the next two. */
  from(): Readonly<NameAddr> {
    this.#from = readOnce(this.#from, this.get('From'), parseNameAddr);
    return this.#from.value;
  }

  to(): Readonly<NameAddr> {
    this.#to = readOnce(this.#to, this.get('To'), parseNameAddr);
    return this.#to.value;
  }

  /** Who sent it here last. */
  topVia(): Readonly<Via> {
    this.#topVia = readOnce(this.#topVia, this.all('Via')[0], parseVia);
    return this.#topVia.value;
  }

  has(name: string): boolean {
    return this.#indexOf(headerName(name).key, 0) >= 0;
  }

  /** Lines of that name, not list members. */
  count(name: string): number {
    const { key } = headerName(name);
    let lines = 0;
    for (const other of this.#names) if (other.key === key) lines++;
    return lines;
  }

  add(name: string, value: string): this {
    this.#names.push(headerName(name));
    this.#values.push(value);
    return this;
  }

  /** One value in the place of all that were there. */
  set(name: string, value: string): this {
    const at = this.#indexOf(headerName(name).key, 0);
    if (at < 0) return this.add(name, value);
    this.#values[at] = value;
    return this.#removeFrom(name, at + 1);
  }

  remove(name: string): this {
    return this.#removeFrom(name, 0);
  }

  #removeFrom(name: string, from: number): this {
    const { key } = headerName(name);
    let kept = this.#indexOf(key, from);
    if (kept < 0) return this;
    for (let at = kept + 1; at < this.#names.length; at++) {
      if (this.#names[at]!.key === key) continue;
      this.#names[kept] = this.#names[at]!;
      this.#values[kept] = this.#values[at]!;
      kept++;
    }
    this.#names.length = this.#values.length = kept;
    return this;
  }

  #indexOf(key: string, from: number): number {
    for (let at = from; at < this.#names.length; at++) if (this.#names[at]!.key === key) return at;
    return -1;
  }

  /** A table of its own with the same lines. */
  copy(): Headers {
    const copy = new Headers();
    copy.#names = this.#names.slice();
    copy.#values = this.#values.slice();
    return copy;
  }

  /** Of a line below `size`: an index costs less than an iterator, and every message is written by it. */
  nameAt(line: number): string {
    return this.#names[line]!.name;
  }

  valueAt(line: number): string {
    return this.#values[line]!;
  }

  *entries(): Generator<[name: string, value: string]> {
    for (let at = 0; at < this.#names.length; at++) yield [this.#names[at]!.name, this.#values[at]!];
  }
}

function readOnce<T>(before: Read<T> | undefined, text = '', read: (text: string) => T): Read<T> {
  return before?.text === text ? before : { text, value: read(text) };
}
