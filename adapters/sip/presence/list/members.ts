// A list of presentities as one contact (RFC 4662): each member is a device of it, called by the member's own address.
import { type Address, bareAddress, GatewayError, parseAddress, splitAddress } from '../../../../src/contract/index.ts';
import { contentOf, MimeError, type MimePart, mediaTypeOf } from '../../../../src/formats/mime.ts';
import { decodePidf, pidfType, xpidfType } from '../../../../src/formats/pidf/index.ts';
import { type ListNotice, listType, type RlmiResource, readListNotice } from '../../../../src/formats/rlmi.ts';
import { XmlError } from '../../../../src/formats/xml.ts';
import { bestOf, type DevicePresence, devicesOf } from '../../mapping/presence.ts';

export interface ListNews {
  version: number;
  /** Every member is there; else only those with news. */
  isFull: boolean;
  members: DevicePresence[];
}

const maxMembers = 128;
/** Lists in lists. */
const maxDepth = 3;

/** Throws MimeError and XmlError for a list that is none; what is wrong with one member concerns that member alone. */
export function readListNews(part: MimePart, depth = 1): ListNews {
  const notice = readListNotice(part);
  const { version, fullState: isFull, resources } = notice.rlmi;
  const members = resources.flatMap((resource) => membersIn(resource, notice, depth));
  return { version, isFull, members: members.slice(0, maxMembers) };
}

/**
 * The members after the news, and undefined when something was missed: the first is whole, the others count up by one
 * (s.5.2), or only the whole helps.
 */
export function afterNews(
  known: { version: number | undefined; members: readonly DevicePresence[] },
  news: ListNews,
): DevicePresence[] | undefined {
  if (news.isFull) return news.members;
  if (known.version === undefined || news.version !== known.version + 1) return undefined;
  const changed = new Map(news.members.map((member) => [member.resource, member]));
  const kept = known.members.filter(({ resource }) => !changed.has(resource));
  return [...kept, ...changed.values()].slice(0, maxMembers);
}

function membersIn(resource: RlmiResource, { parts }: ListNotice, depth: number): DevicePresence[] {
  const name = nameOf(resource.uri);
  if (name === undefined) return [];
  const states: DevicePresence[] = [];
  for (const { cid, state } of resource.instances) {
    const part = cid === undefined ? undefined : parts.get(cid);
    if (part && mediaTypeOf(part).type === listType && depth < maxDepth) return readListNews(part, depth + 1).members;
    if (state === 'terminated') states.push({ availability: 'unavailable' });
    else states.push(...(part ? statesIn(part) : []));
  }
  const { resource: _, ...best } = bestOf(states) ?? { availability: 'unknown' };
  return [{ ...best, resource: name }];
}

function statesIn(part: MimePart): DevicePresence[] {
  const { type } = mediaTypeOf(part);
  if (type !== pidfType && type !== xpidfType) return [];
  try {
    return devicesOf(decodePidf(contentOf(part)));
  } catch (error) {
    if (error instanceof XmlError || error instanceof MimeError) return [];
    throw error;
  }
}

/** `bob@example.net`; undefined for what is no person. */
function nameOf(uri: string): string | undefined {
  try {
    const address: Address = bareAddress(parseAddress(uri));
    const { local, domain } = splitAddress(address);
    return domain === '' ? local : `${local}@${domain}`;
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}
