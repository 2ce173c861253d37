// application/xpidf+xml, which Windows Messenger began with and SIP clients still offer: one state, few words.
import { childrenOf, escapeText, escapeValue, textOf, type XmlElement } from '../xml.ts';
import type { PidfDocument, PidfTuple } from './document.ts';

/** `substatus` of Microsoft's <msnsubstatus/>, as RPID activities. */
const activities: Readonly<Record<string, string>> = {
  away: 'away',
  berightback: 'away',
  idle: 'away',
  outtolunch: 'meal',
  busy: 'busy',
  onthephone: 'on-the-phone',
};
const substatuses: Readonly<Record<string, string>> = {
  away: 'away',
  meal: 'outtolunch',
  busy: 'busy',
  'on-the-phone': 'onthephone',
};

export function readXpidf(root: XmlElement): PidfDocument {
  const [presentity] = childrenOf(root, 'presentity');
  const entity = (presentity?.attributes.uri ?? root.attributes.entity ?? '').replace(/;method=[^;]*/i, '');
  const tuples: PidfTuple[] = [];
  for (const atom of childrenOf(root, 'atom').slice(0, 64)) {
    const tuple = readAtom(atom);
    if (tuple) tuples.push(tuple);
  }
  return { entity, tuples, devices: [], notes: {}, extensions: [] };
}

function readAtom(atom: XmlElement): PidfTuple | undefined {
  const [address] = childrenOf(atom, 'address');
  if (!address) return undefined;
  const tuple: PidfTuple = { id: (atom.attributes.id ?? '').trim(), notes: {}, extensions: [], statusExtensions: [] };
  const uri = address.attributes.uri?.trim();
  if (uri) tuple.contact = uri;
  const priority = Number(address.attributes.priority ?? Number.NaN);
  if (priority >= 0 && priority <= 1) tuple.priority = priority;
  const [status] = childrenOf(address, 'status');
  const word = (status?.attributes.status ?? textOf(status)).trim().toLowerCase();
  const [substatus] = childrenOf(address, 'msnsubstatus');
  const doing = substatus?.attributes.substatus?.trim().toLowerCase() ?? '';
  tuple.basic = /^(closed|offline)$/.test(word) || doing === 'offline' ? 'closed' : 'open';
  const activity = activities[doing] ?? (word === 'inuse' ? 'busy' : word === 'inactive' ? 'away' : undefined);
  if (activity !== undefined) tuple.activities = [activity];
  return tuple;
}

/** One atom a tuple; notes, moods and languages have no place in it. */
export function encodeXpidf({ entity, tuples, person }: PidfDocument): string {
  let atoms = '';
  for (const tuple of tuples) {
    const doing = [...(tuple.activities ?? person?.activities ?? []), ...(showWords[tuple.show ?? ''] ?? [])];
    const busy = doing.map((activity) => substatuses[activity]).find((word) => word !== undefined);
    const isOpen = tuple.basic === 'open';
    const status = !isOpen ? 'closed' : busy === undefined ? 'open' : busy === 'away' ? 'inactive' : 'inuse';
    const uri = escapeValue(tuple.contact ?? entity);
    const priority = tuple.priority === undefined ? '' : ` priority="${tuple.priority.toFixed(3)}"`;
    atoms +=
      `<atom id="${escapeValue(tuple.id)}"><address uri="${uri}"${priority}><status status="${status}"/>` +
      `<msnsubstatus substatus="${isOpen ? (busy ?? 'online') : 'offline'}"/></address></atom>\n`;
  }
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<!DOCTYPE presence PUBLIC "-//IETF//DTD RFCxxxx XPIDF 1.0//EN" "xpidf.dtd">\n' +
    `<presence>\n<presentity uri="${escapeValue(entity)};method=SUBSCRIBE"/>\n` +
    `<display name="${escapeText(entity)}"/>\n${atoms}</presence>\n`
  );
}

const showWords: Readonly<Record<string, readonly string[]>> = { away: ['away'], xa: ['away'], dnd: ['busy'] };
