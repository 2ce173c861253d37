// Reads presence documents as they are sent, not as they should be: names match whatever their namespace (three
// generations of RPID, `pp:person`, `dm:person`), what is wrong in a detail is left out, what nobody knows is carried along.
import { parseDocument, textOf, type XmlElement, XmlError, type XmlLimits } from '../xml.ts';
import type { PidfDevice, PidfDocument, PidfEntry, PidfTuple, Texts, UserInput } from './document.ts';
import { carryExtension } from './extension.ts';
import { readXpidf } from './xpidf.ts';

const limits: XmlLimits = { maxLength: 64 * 1024, maxDepth: 16, maxAttributes: 32 };
const maxEntries = 64;
const maxWordLength = 64;

/** application/pidf+xml or application/xpidf+xml. Throws XmlError for what is neither, is too large, or must not be read. */
export function decodePidf(bytes: string | Uint8Array): PidfDocument {
  const root = parseDocument(bytes, limits);
  if (root.name !== 'presence') throw new XmlError('not-well-formed', `no presence document but <${root.name}>`);
  const isOld = root.children.some((child) => typeof child !== 'string' && /^(presentity|atom)$/.test(child.name));
  const document = isOld ? readXpidf(root) : readPidf(root);
  giveIds([...document.tuples, ...document.devices, ...(document.person ? [document.person] : [])]);
  return document;
}

/** What encloses an element: the prefixes and the language in force. */
interface Scope {
  prefixes: Readonly<Record<string, string>>;
  language: string;
}

function readPidf(root: XmlElement): PidfDocument {
  const scope = within(root, { prefixes: {}, language: '' });
  const document: PidfDocument = {
    entity: (root.attributes.entity ?? '').trim(),
    tuples: [],
    devices: [],
    notes: {},
    extensions: [],
  };
  for (const child of elementsOf(root)) {
    if (child.name === 'tuple') add(document.tuples, readTuple(child, scope));
    else if (child.name === 'device') add(document.devices, readDevice(child, scope));
    else if (child.name === 'person') readPerson(child, document, scope);
    else if (child.name === 'note') addNote(document.notes, child, scope);
    else if (mustBeUnderstood(child)) throw new XmlError('restricted-xml', `<${child.name}> must be understood`);
    else document.extensions.push(carryExtension(child, scope.prefixes));
  }
  return document;
}

/** Undefined when it holds what must be understood and is not: then it says nothing (s.4.2.4). */
function readTuple(element: XmlElement, outer: Scope): PidfTuple | undefined {
  const tuple: PidfTuple = { ...newEntry(element), statusExtensions: [] };
  const scope = within(element, outer);
  return readEntry(element, tuple, scope, (child) => {
    if (child.name === 'status') readStatus(child, tuple, within(child, scope));
    else if (child.name === 'contact') readContact(child, tuple);
    else return readDeviceId(child, tuple);
    return true;
  });
}

/** RFC 4479 s.3.1: of several that contradict each other, the one that was made last. */
function readPerson(element: XmlElement, document: PidfDocument, outer: Scope): void {
  const person = readEntry(element, newEntry(element), within(element, outer));
  if (!person) return;
  if (document.person && (person.timestamp ?? '') <= (document.person.timestamp ?? '')) return;
  document.person = person;
}

function readDevice(element: XmlElement, outer: Scope): PidfDevice | undefined {
  const device: PidfDevice = newEntry(element);
  return readEntry(element, device, within(element, outer), (child) => readDeviceId(child, device));
}

function readDeviceId(element: XmlElement, into: { deviceId?: string }): boolean {
  if (element.name !== 'deviceID') return false;
  into.deviceId = textOf(element).trim();
  return true;
}

/** `own` takes what only this kind of entry has. */
function readEntry<Entry extends PidfEntry>(
  element: XmlElement,
  entry: Entry,
  scope: Scope,
  own: (child: XmlElement) => boolean = () => false,
): Entry | undefined {
  for (const child of elementsOf(element)) {
    if (own(child) || readRich(child, entry)) continue;
    if (child.name === 'note') addNote(entry.notes, child, scope);
    else if (child.name === 'timestamp') setTime(entry, 'timestamp', textOf(child));
    // Before the data model a person had a status of its own.
    else if (child.name === 'status') for (const inner of elementsOf(child)) readRich(inner, entry);
    else if (mustBeUnderstood(child)) return undefined;
    else entry.extensions.push(carryExtension(child, scope.prefixes));
  }
  return entry;
}

function readStatus(status: XmlElement, tuple: PidfTuple, scope: Scope): void {
  const children = elementsOf(status);
  const known = (child: XmlElement) => /^(basic|show|note|activities|mood|user-input|idle)$/.test(child.name);
  if (children.some((child) => mustBeUnderstood(child) && !known(child))) return;
  for (const child of children) {
    if (child.name === 'basic') {
      const basic = textOf(child).trim().toLowerCase();
      if (basic === 'open' || basic === 'closed') tuple.basic = basic;
    } else if (child.name === 'show') tuple.show = textOf(child).trim().toLowerCase();
    else if (child.name === 'note') addNote(tuple.notes, child, scope);
    else if (!readRich(child, tuple)) tuple.statusExtensions.push(carryExtension(child, scope.prefixes));
  }
}

// s.4.1.5: up to three decimals are asked for; more do no harm, what is out of range is as good as absent.
function readContact(element: XmlElement, tuple: PidfTuple): void {
  const contact = textOf(element).trim();
  if (contact !== '') tuple.contact = contact;
  const priority = element.attributes.priority?.trim() ?? '';
  if (/^(0?\.\d{1,9}|[01](\.\d{0,9})?)$/.test(priority) && Number(priority) <= 1) tuple.priority = Number(priority);
}

function readRich(element: XmlElement, into: PidfEntry): boolean {
  switch (element.name) {
    case 'activities':
      into.activities = wordsOf(element, 'activity');
      return true;
    case 'mood':
      into.moods = wordsOf(element, 'mood');
      return true;
    case 'user-input': {
      const isIdle = textOf(element).trim() === 'idle';
      into.input = inputSince(isIdle, element.attributes['last-input'] ?? element.attributes['last-active']);
      return true;
    }
    // Drafts of RPID had <idle since="..."/>, present when idle.
    case 'idle':
      into.input = inputSince(true, element.attributes.since);
      return true;
    default:
      return false;
  }
}

function inputSince(isIdle: boolean, text: string | undefined): UserInput {
  const since = timeOf(text ?? '');
  return since === undefined ? { isIdle } : { isIdle, since };
}

/** `<away/>` as RFC 4480 has it, `<activity>away</activity>` as its drafts had; `<other>word</other>` is the word. */
function wordsOf(element: XmlElement, oldName: string): string[] {
  const words = new Set<string>();
  for (const child of elementsOf(element)) {
    if (child.name === 'unknown' || child.name === 'note' || words.size === maxEntries) continue;
    const text = child.name === oldName || child.name === 'other' ? textOf(child).trim() : '';
    const word = text === '' ? child.name : text;
    if (word.length <= maxWordLength) words.add(word);
  }
  return [...words];
}

const elementsOf = ({ children }: XmlElement) => children.filter((child) => typeof child !== 'string');

function newEntry({ attributes }: XmlElement): PidfEntry {
  return { id: (attributes.id ?? '').trim(), notes: {}, extensions: [] };
}

function add<Entry>(to: Entry[], entry: Entry | undefined): void {
  if (entry === undefined) return;
  if (to.length === maxEntries) throw new XmlError('policy-violation', `more than ${maxEntries} tuples or devices`);
  to.push(entry);
}

function addNote(notes: Texts, element: XmlElement, scope: Scope): void {
  const text = textOf(element).trim();
  if (text === '') return;
  const language = within(element, scope).language;
  notes[language] = Object.hasOwn(notes, language) ? `${notes[language]}\n${text}` : text;
}

function setTime<Key extends string>(into: { [K in Key]?: string }, key: Key, text: string): void {
  const time = timeOf(text);
  if (time !== undefined) into[key] = time;
}

/** RFC 3339, small letters and missing zones forgiven (UTC then). */
function timeOf(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,9})?)([Zz]|[+-]\d\d:?\d\d)?$/.exec(text.trim());
  if (!match) return undefined;
  const [, day = '', hour = '', zone = 'Z'] = match;
  const at = Date.parse(`${day}T${hour}${zone.toUpperCase().replace(/(\d\d)(\d\d)$/, '$1:$2')}`);
  const time = Number.isNaN(at) ? '' : new Date(at).toISOString();
  // Neither before the year 0 nor after 9999, whatever the zone made of it.
  return time.length === 24 ? time : undefined;
}

function within(element: XmlElement, outer: Scope): Scope {
  let scope = outer;
  for (const name in element.attributes) {
    const value = element.attributes[name] as string;
    if (name.startsWith('xmlns:')) scope = { ...scope, prefixes: { ...scope.prefixes, [name]: value } };
    else if (name === 'xml:lang') scope = { ...scope, language: /^[A-Za-z0-9-]{1,35}$/.test(value) ? value : '' };
  }
  return scope;
}

function mustBeUnderstood({ attributes }: XmlElement): boolean {
  for (const name in attributes) {
    if (name.replace(/^.*:/, '') === 'mustUnderstand') return /^\s*(true|1)\s*$/.test(attributes[name] as string);
  }
  return false;
}

/** s.4.1.2: every entry has an id of its own; some senders leave it out, or use one twice. */
function giveIds(entries: readonly PidfEntry[]): void {
  const taken = new Set<string>();
  for (const entry of entries) {
    const wanted = entry.id === '' ? 'entry' : entry.id;
    let id = wanted;
    for (let number = 2; taken.has(id); number++) id = `${wanted}.${number}`;
    if (entry.id === '' || id !== wanted) entry.id = id;
    taken.add(id);
  }
}
