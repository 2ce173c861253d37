// A list of presentities as one watcher has it (RFC 4662 s.5): who is in it, and the document that says how they are.
import { type Address, bareAddress } from '../../../../src/contract/index.ts';
import { formatListNotice, type RlmiResource } from '../../../../src/formats/rlmi.ts';
import { addressOf } from '../../mapping/addresses.ts';
import { newTag } from '../../tokens.ts';
import type { Body, EndReason, EventPackage, Watch } from '../notifier/package.ts';
import { type ListOfMembers, Member } from './member.ts';

/** How the store has it. */
export interface ListNote {
  /** Absent where the configuration says it. */
  members?: readonly string[];
  /** See ServedListParts. */
  isLinphone?: boolean;
  /** Whom the watcher may not see, or who is nobody: not asked again. */
  ended: Readonly<Record<string, EndReason>>;
}

export interface ServedListParts {
  /** Its watcher is Linphone, which shows nobody unless Content-IDs are plain and the event is `Presence`. */
  isLinphone: boolean;
  packageOf(presentity: Address): EventPackage | undefined;
  /** A member has ended, for good. */
  ended(member: Member): void;
}

export class ServedList implements ListOfMembers {
  readonly watch: Watch;
  readonly members: readonly Member[];
  readonly news = new Set<Member>();
  readonly #isConfigured: boolean;
  readonly #parts: ServedListParts;
  /** The watcher knows every member. */
  #isTold = false;

  /** Throws GatewayError for a member that is no address. */
  constructor(
    watch: Watch,
    { uris, isConfigured }: { uris: readonly string[]; isConfigured: boolean },
    parts: ServedListParts,
  ) {
    this.watch = watch;
    this.#isConfigured = isConfigured;
    this.#parts = parts;
    const { ended } = readNote(watch.note);
    this.members = uris.map((uri) => {
      const presentity = bareAddress(addressOf(uri));
      const member = new Member(this, uri, presentity, parts.packageOf(presentity));
      const reason = ended[uri] ?? (member.eventPackage ? undefined : 'noresource');
      if (reason !== undefined) member.end(reason);
      return member;
    });
  }

  get isLinphone(): boolean {
    return this.#parts.isLinphone;
  }

  ended(member: Member): void {
    this.#parts.ended(member);
  }

  /** For the store. */
  note(): string {
    const ended = this.members.flatMap(({ uri, reason }) => (reason === undefined ? [] : [[uri, reason] as const]));
    const members = this.#isConfigured ? {} : { members: this.members.map(({ uri }) => uri) };
    const dialect = this.isLinphone ? { isLinphone: true } : {};
    return JSON.stringify({ ...members, ...dialect, ended: Object.fromEntries(ended) } satisfies ListNote);
  }

  /** s.4.5: the first is whole, as is the answer to each refresh; the others name those alone with whom something is new. */
  body(isFull: boolean): Body | undefined {
    const fullState = isFull || !this.#isTold;
    const boundary = newTag() + newTag();
    const contents = new Map<string, Body>();
    const resources: RlmiResource[] = [];
    for (const member of fullState ? this.members : this.news) {
      const { instance, body, isNews } = member.tell();
      if (!fullState && !isNews) continue;
      const cid = `${resources.length}.${boundary}@list`;
      if (body) contents.set(cid, body);
      const instances = instance ? [{ ...instance, ...(body ? { cid } : {}) }] : [];
      resources.push({ uri: member.uri, instances });
    }
    this.news.clear();
    this.#isTold = true;
    if (!fullState && resources.length === 0) return undefined;
    const { presentity, version } = this.watch;
    return formatListNotice({ uri: presentity, version, fullState, resources }, contents, {
      ...{ boundary, plainIds: this.isLinphone },
    });
  }
}

/** What an earlier process has noted of a list. */
export function readNote(note: string | undefined): ListNote {
  return note === undefined ? { ended: {} } : (JSON.parse(note) as ListNote);
}
