// Writes a presence document: the order of children that the schemas ask for (RFC 3863 s.4.4, RFC 4479 s.4), and the prefixes
// that everybody uses, because some readers know the prefix and not the namespace.
import { escapeText, escapeValue } from '../xml.ts';
import {
  namespaces,
  type PidfDevice,
  type PidfDocument,
  type PidfEntry,
  type PidfTuple,
  type Texts,
} from './document.ts';
import { activityWords, moodWords } from './rpid-words.ts';

/** application/pidf+xml. `extensions` go out as they are: they must be well-formed, each on its own. */
export function encodePidf({ entity, tuples, person, devices, notes, extensions }: PidfDocument): string {
  let body = '';
  for (const tuple of tuples) body += encodeTuple(tuple);
  body += encodeNotes('note', notes);
  if (person) body += encodePart('dm:person', person, '');
  for (const device of devices) body += encodePart('dm:device', device, deviceIdOf(device));
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="${namespaces.pidf}" xmlns:dm="${namespaces.dataModel}"` +
    ` xmlns:rpid="${namespaces.rpid}" entity="${escapeValue(entity)}">\n${body}${extensions.join('')}</presence>\n`
  );
}

// s.4.1.2 to s.4.1.7: status, extensions, contact, notes, timestamp.
function encodeTuple(tuple: PidfTuple): string {
  const { id, basic, show, contact, priority, notes, timestamp, extensions, statusExtensions } = tuple;
  let status = basic === undefined ? '' : `<basic>${basic}</basic>`;
  if (show !== undefined) status += `<show xmlns="${namespaces.jabber}">${escapeText(show)}</show>`;
  status += statusExtensions.join('');
  // A status has at least one child (s.4.1.3): a tuple that says nothing is none.
  if (status === '') return '';
  let text = `<tuple id="${escapeValue(id)}"><status>${status}</status>${deviceIdOf(tuple)}${encodeRich(tuple)}`;
  text += extensions.join('');
  if (contact !== undefined) {
    const attribute = priority === undefined ? '' : ` priority="${priority.toFixed(3).replace(/\.?0+$/, '')}"`;
    text += `<contact${attribute}>${escapeText(contact)}</contact>`;
  }
  text += encodeNotes('note', notes);
  if (timestamp !== undefined) text += `<timestamp>${timestamp}</timestamp>`;
  return `${text}</tuple>\n`;
}

// RFC 4479 s.4: extensions, (deviceID,) notes, timestamp.
function encodePart(name: string, entry: PidfEntry, deviceId: string): string {
  const timestamp = entry.timestamp === undefined ? '' : `<dm:timestamp>${entry.timestamp}</dm:timestamp>`;
  const content = encodeRich(entry) + entry.extensions.join('') + deviceId + encodeNotes('dm:note', entry.notes);
  return `<${name} id="${escapeValue(entry.id)}">${content}${timestamp}</${name}>\n`;
}

function deviceIdOf({ deviceId }: PidfTuple | PidfDevice): string {
  return deviceId === undefined ? '' : `<dm:deviceID>${escapeText(deviceId)}</dm:deviceID>`;
}

function encodeRich({ activities, moods, input }: PidfEntry): string {
  let text = '';
  if (activities) text += encodeWords('rpid:activities', activities, activityWords);
  if (moods) text += encodeWords('rpid:mood', moods, moodWords);
  if (input) {
    const since = input.since === undefined ? '' : ` last-input="${input.since}"`;
    text += `<rpid:user-input${since}>${input.isIdle ? 'idle' : 'active'}</rpid:user-input>`;
  }
  return text;
}

// RFC 4480 s.3.2: none at all is <unknown/>, because the element may not be empty.
function encodeWords(name: string, words: readonly string[], known: ReadonlySet<string>): string {
  let text = words.length === 0 ? '<rpid:unknown/>' : '';
  for (const word of words)
    text += known.has(word) ? `<rpid:${word}/>` : `<rpid:other>${escapeText(word)}</rpid:other>`;
  return `<${name}>${text}</${name}>`;
}

function encodeNotes(name: string, notes: Texts): string {
  let text = '';
  for (const language in notes) {
    const attribute = language === '' ? '' : ` xml:lang="${escapeValue(language)}"`;
    text += `<${name}${attribute}>${escapeText(notes[language] as string)}</${name}>`;
  }
  return text;
}
