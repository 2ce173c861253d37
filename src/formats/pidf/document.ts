// A presence document: PIDF (RFC 3863), its data model (RFC 4479) and rich presence (RFC 4480), as plain data.

export const pidfType = 'application/pidf+xml';
/** What came before PIDF: some clients accept nothing else. */
export const xpidfType = 'application/xpidf+xml';

export const namespaces = {
  pidf: 'urn:ietf:params:xml:ns:pidf',
  dataModel: 'urn:ietf:params:xml:ns:pidf:data-model',
  rpid: 'urn:ietf:params:xml:ns:pidf:rpid',
  jabber: 'jabber:client',
} as const;

/** Texts by BCP 47 language tag; the empty tag is "language unknown". */
export type Texts = Record<string, string>;

/** RFC 4480 s.3.13: whether somebody touches it. */
export interface UserInput {
  isIdle: boolean;
  /** Since when: ISO 8601, UTC. */
  since?: string;
}

/** What tuples, the person and devices have in common. */
export interface PidfEntry {
  /** Unique in its document. */
  id: string;
  /** The empty list says that there are none; absent, nothing is said. */
  activities?: string[];
  moods?: string[];
  input?: UserInput;
  notes: Texts;
  /** ISO 8601, UTC. */
  timestamp?: string;
  /** Elements that are none of ours, each serialised so that it stands alone. */
  extensions: string[];
}

/** A way to reach the presentity: a service, in the words of RFC 4479. */
export interface PidfTuple extends PidfEntry {
  /** Absent when the document does not say, or says `?` (baresip). */
  basic?: 'open' | 'closed';
  /** RFC 8048 s.6.2, note 7: `away`, `chat`, `dnd`, `xa`. */
  show?: string;
  /** A URI. */
  contact?: string;
  /** 0 to 1 (s.4.1.5); absent is the lowest. */
  priority?: number;
  /** The device that it runs on: RFC 4479 s.3.3. */
  deviceId?: string;
  /** Children of `status` that are none of ours. */
  statusExtensions: string[];
}

export interface PidfDevice extends PidfEntry {
  deviceId?: string;
}

export interface PidfDocument {
  /** The presentity's URI as written: `pres:`, but `sip:` in most that are sent. */
  entity: string;
  tuples: PidfTuple[];
  person?: PidfEntry;
  devices: PidfDevice[];
  notes: Texts;
  extensions: string[];
}

/** Without state: what is known of somebody of whom nothing is known (s.4.1.1). */
export function emptyDocument(entity: string): PidfDocument {
  return { entity, tuples: [], devices: [], notes: {}, extensions: [] };
}
