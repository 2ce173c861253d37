// application/watcherinfo+xml (RFC 3858): who watches whom, written and read.
import {
  childrenOf,
  parseDocument,
  serializeXml,
  textOf,
  type XmlElement,
  XmlError,
  xml,
} from '../../../../src/formats/xml.ts';

export const watcherInfoType = 'application/watcherinfo+xml';

/** RFC 3857 s.4.7.1. */
export type WatcherStatus = 'pending' | 'active' | 'waiting' | 'terminated';
const statuses: ReadonlySet<string> = new Set<WatcherStatus>(['pending', 'active', 'waiting', 'terminated']);

export interface Watcher {
  /** Of the subscription, not of the person: two of one person have two. */
  id: string;
  uri: string;
  status: WatcherStatus;
  /** What made it so: `subscribe`, `approved`, `timeout` ... */
  event: string;
  displayName?: string;
  /** Seconds that are left. */
  expiration?: number;
  durationSubscribed?: number;
}

export interface WatcherInfo {
  version: number;
  state: 'full' | 'partial';
  lists: Array<{ resource: string; package: string; watchers: Watcher[] }>;
}

const namespace = 'urn:ietf:params:xml:ns:watcherinfo';
const limits = { maxLength: 256 * 1024, maxDepth: 8, maxAttributes: 16 };

export function formatWatcherInfo({ version, state, lists }: WatcherInfo): string {
  const root = xml(
    'watcherinfo',
    namespace,
    { version: String(version), state },
    ...lists.map(({ resource, package: name, watchers }) =>
      xml('watcher-list', namespace, { resource, package: name }, ...watchers.map(formatWatcher)),
    ),
  );
  return `<?xml version="1.0" encoding="UTF-8"?>\n${serializeXml(root)}\n`;
}

function formatWatcher(watcher: Watcher): XmlElement {
  const { id, status, event, uri, displayName, expiration, durationSubscribed } = watcher;
  const attributes = {
    ...{ status, id, event },
    ...{ 'display-name': displayName, expiration: expiration?.toString() },
    'duration-subscribed': durationSubscribed?.toString(),
  };
  return xml('watcher', namespace, attributes, uri);
}

/** Elements and attributes nobody knows are left out (s.3.4). Throws XmlError. */
export function parseWatcherInfo(bytes: string | Uint8Array): WatcherInfo {
  const root = parseDocument(bytes, limits);
  const version = root.attributes.version ?? '';
  if (root.name !== 'watcherinfo' || !/^\d{1,10}$/.test(version)) {
    throw new XmlError('not-well-formed', 'no watcherinfo with a version');
  }
  return {
    version: Number(version),
    state: root.attributes.state === 'full' ? 'full' : 'partial',
    lists: childrenOf(root, 'watcher-list').map((list) => ({
      resource: list.attributes.resource ?? '',
      package: list.attributes.package ?? '',
      watchers: childrenOf(list, 'watcher').flatMap(readWatcher),
    })),
  };
}

function readWatcher(element: XmlElement): Watcher[] {
  const { id, status = '', event = '', 'display-name': displayName, expiration } = element.attributes;
  if (id === undefined || !statuses.has(status)) return [];
  const watcher: Watcher = { id, uri: textOf(element).trim(), status: status as WatcherStatus, event };
  if (displayName !== undefined) watcher.displayName = displayName;
  if (isSeconds(expiration)) watcher.expiration = Number(expiration);
  const duration = element.attributes['duration-subscribed'];
  if (isSeconds(duration)) watcher.durationSubscribed = Number(duration);
  return [watcher];
}

const isSeconds = (text: string | undefined) => text !== undefined && /^\d{1,10}$/.test(text);

/** The most of one person; who comes later is not seen. */
const maxWatchers = 1000;

/** What is known of the watchers of one resource, from the documents that come (RFC 3857 s.4.7 and RFC 3858 s.4). */
export class WatcherTable {
  readonly watchers = new Map<string, Watcher>();
  #version = -1;

  /** False when something was missed: then only a document with the full state helps, so subscribe anew. */
  apply({ version, state, lists }: WatcherInfo): boolean {
    // s.4: a copy, or one that was overtaken, is passed over.
    if (version <= this.#version) return true;
    if (state === 'full') this.watchers.clear();
    else if (this.#version < 0 || version !== this.#version + 1) return false;
    this.#version = version;
    for (const watcher of lists.flatMap((list) => list.watchers)) {
      if (watcher.status === 'terminated') this.watchers.delete(watcher.id);
      else if (this.watchers.size < maxWatchers || this.watchers.has(watcher.id))
        this.watchers.set(watcher.id, watcher);
    }
    return true;
  }
}
