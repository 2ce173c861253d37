// Devices as `presence` events know them <-> a presence document (RFC 8048 s.6, RFC 4479, RFC 4480). What several devices of
// one person have in common in PIDF (person, notes) and apart in events is sorted out here.
import { type Address, formatAddress, type Presence, splitAddress } from '../../../src/contract/index.ts';
import {
  checkExtension,
  emptyDocument,
  nameOfTupleId,
  type PidfDevice,
  type PidfDocument,
  type PidfEntry,
  type PidfTuple,
  tupleIdOf,
} from '../../../src/formats/pidf/index.ts';

type Availability = Presence['availability'];

/** What a `presence` event says of one device. */
export interface DevicePresence
  extends Pick<
    Presence,
    'availability' | 'notes' | 'priority' | 'activities' | 'moods' | 'idleSince' | 'device' | 'extensions'
  > {
  /** XMPP resource, `gr`; absent for the person as a whole. */
  resource?: string;
}

const shows: Readonly<Record<string, Availability>> = {
  away: 'away',
  chat: 'chat',
  dnd: 'busy',
  xa: 'extended-away',
};
const showOf: Readonly<Partial<Record<Availability, string>>> = {
  away: 'away',
  chat: 'chat',
  busy: 'dnd',
  'extended-away': 'xa',
};

/** Reference 3.4: what an activity says of availability where there is no <show/>; the first that fits decides. */
const implied: ReadonlyArray<readonly [Availability, readonly string[]]> = [
  ['busy', ['busy', 'on-the-phone', 'meeting', 'presentation', 'performance', 'steering']],
  ['extended-away', ['vacation', 'holiday', 'permanent-absence']],
  ['away', ['away']],
];
/** Activities that say nothing beyond the availability itself. */
const plain: ReadonlySet<string> = new Set(['away', 'busy']);
const maxExtensions = 16;

/** One state a device; a document without tuples is one of the person as a whole. */
export function devicesOf(document: PidfDocument): DevicePresence[] {
  const { tuples, person, devices } = document;
  const shared = [...(person?.extensions ?? []), ...document.extensions];
  if (tuples.length === 0) {
    const nobody: PidfTuple = { id: '', notes: {}, extensions: [], statusExtensions: [] };
    return [stateOf(nobody, document, shared)];
  }
  const taken = new Set<string>();
  return tuples.map((tuple, index) => {
    const device = devices.find(({ deviceId }) => deviceId !== undefined && deviceId === tuple.deviceId);
    const state = stateOf(tuple, document, index === 0 ? shared : [], device);
    const names = [resourceOf(tuple), legalName(tuple.id), String(index)];
    const resource = names.find((name) => name !== undefined && !taken.has(name)) ?? '';
    taken.add(resource);
    return resource === '' ? state : { ...state, resource };
  });
}

/** Ours says so in the id; else the `gr` of the contact, so that messages of that device come from the same name; else the id. */
function resourceOf({ id, contact }: PidfTuple): string | undefined {
  const ours = nameOfTupleId(id);
  if (ours !== undefined) return ours === '' ? ours : legalName(ours);
  const gr = /;gr=([^;>?]+)/i.exec(contact ?? '')?.[1];
  return legalName(gr === undefined ? id : decoded(gr));
}

function legalName(name: string): string | undefined {
  const legal = name.replace(/[\0-\x1f\x7f]/g, '').toWellFormed();
  return legal === '' || Buffer.byteLength(legal) > 1023 ? undefined : legal;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function stateOf(
  tuple: PidfTuple,
  { person, notes }: PidfDocument,
  shared: readonly string[],
  device?: PidfDevice,
): DevicePresence {
  const activities = tuple.activities ?? person?.activities;
  const moods = tuple.moods ?? person?.moods ?? [];
  const input = tuple.input ?? device?.input ?? person?.input;
  const state: DevicePresence = { availability: availabilityOf(tuple, activities, input) };
  const texts = [tuple.notes, person?.notes ?? {}, notes].find((all) => Object.keys(all).length > 0);
  if (texts) state.notes = texts;
  if (tuple.priority !== undefined) state.priority = Math.round(tuple.priority * 127);
  const said = (activities ?? []).filter((activity) => !plain.has(activity));
  if (said.length > 0) state.activities = said;
  if (moods.length > 0) state.moods = moods;
  if (input?.isIdle && input.since !== undefined) state.idleSince = input.since;
  if (tuple.contact !== undefined) state.device = { contact: tuple.contact };
  const name = Object.values(device?.notes ?? {})[0];
  if (name !== undefined) state.device = { ...state.device, name };
  const extensions = [...tuple.statusExtensions, ...tuple.extensions, ...shared];
  if (extensions.length > 0) state.extensions = extensions;
  return state;
}

function availabilityOf(
  { basic, show }: PidfTuple,
  activities: readonly string[] | undefined,
  input: PidfEntry['input'],
): Availability {
  if (basic === 'closed') return 'unavailable';
  if (show !== undefined && Object.hasOwn(shows, show)) return shows[show] as Availability;
  const doing = activities ?? [];
  for (const [availability, words] of implied) if (doing.some((word) => words.includes(word))) return availability;
  if (basic === undefined && doing.length === 0) return 'unknown';
  if (input?.isIdle && input.since === undefined) return 'away';
  return input && !input.isIdle && doing.length === 0 ? 'chat' : 'available';
}

export interface DocumentContext {
  /** Whose document: bare, of the SIP network. */
  presentity: Address;
  /** Milliseconds since 1970, later than in the document before: RFC 3863 s.4.1.7. */
  at: number;
}

/** One tuple a device; of `unknown` there is nothing to say. */
export function documentOf(devices: readonly DevicePresence[], { presentity, at }: DocumentContext): PidfDocument {
  const { port: _, ...parts } = splitAddress(presentity);
  const document = emptyDocument(formatAddress({ ...parts, scheme: 'pres' }));
  const known = devices.filter(({ availability }) => availability !== 'unknown');
  const best = bestOf(known);
  const common = { activities: best ? activitiesOf(best) : [], moods: best?.moods ?? [] };
  if (common.activities.length + common.moods.length > 0) {
    document.person = { id: 'person', notes: {}, extensions: [] };
    if (common.activities.length > 0) document.person.activities = common.activities;
    if (common.moods.length > 0) document.person.moods = [...common.moods];
  }
  const timestamp = new Date(at).toISOString();
  for (const state of known) {
    const tuple: PidfTuple = { ...tupleOf(state, presentity), timestamp };
    const activities = activitiesOf(state);
    if (!sameWords(activities, common.activities)) tuple.activities = activities;
    if (!sameWords(state.moods ?? [], common.moods)) tuple.moods = [...(state.moods ?? [])];
    const device = deviceOf(state, tuple);
    if (device) document.devices.push(device);
    document.tuples.push(tuple);
  }
  return document;
}

function tupleOf(state: DevicePresence, presentity: Address): PidfTuple {
  const { availability, priority, resource, idleSince, notes = {} } = state;
  const isOpen = availability !== 'unavailable';
  const tuple: PidfTuple = {
    id: tupleIdOf(resource ?? ''),
    basic: isOpen ? 'open' : 'closed',
    notes,
    extensions: (state.extensions ?? []).slice(0, maxExtensions).flatMap((text) => checkExtension(text) ?? []),
    statusExtensions: [],
  };
  const show = showOf[availability];
  if (show !== undefined) tuple.show = show;
  if (idleSince !== undefined) tuple.input = { isIdle: true, since: idleSince };
  else if (availability === 'chat') tuple.input = { isIdle: false };
  if (isOpen) tuple.contact = state.device?.contact ?? contactOf(presentity, resource);
  // RFC 8048 s.6.2, note 6: what is below 0 is never mapped.
  if (isOpen && priority !== undefined && priority >= 0) tuple.priority = priority / 127;
  return tuple;
}

function contactOf(presentity: Address, resource: string | undefined): string {
  return resource === undefined ? presentity : formatAddress({ ...splitAddress(presentity), resource });
}

function deviceOf({ device }: DevicePresence, tuple: PidfTuple): PidfDevice | undefined {
  if (device?.name === undefined) return undefined;
  tuple.deviceId = tuple.contact ?? `urn:x-device:${tuple.id}`;
  return { id: `device-${tuple.id}`, deviceId: tuple.deviceId, notes: { '': device.name }, extensions: [] };
}

/** The device that speaks for the person: open before closed, then by priority. */
export function bestOf(devices: readonly DevicePresence[]): DevicePresence | undefined {
  const rank = ({ availability, priority = 0 }: DevicePresence) => (availability === 'unavailable' ? -1000 : priority);
  let best: DevicePresence | undefined;
  for (const device of devices) if (!best || rank(device) > rank(best)) best = device;
  return best;
}

/** What the device is about, and what its availability adds where no activity implies it. */
function activitiesOf({ availability, activities = [] }: DevicePresence): string[] {
  const words = implied.find(([one]) => one === availability)?.[1];
  if (!words || activities.some((activity) => words.includes(activity))) return [...activities];
  return [availability === 'busy' ? 'busy' : 'away', ...activities];
}

const sameWords = (some: readonly string[], others: readonly string[]) => some.join() === others.join();
