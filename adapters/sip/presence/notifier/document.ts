// Presence documents in the type that a watcher takes.
import type { Address } from '../../../../src/contract/index.ts';
import { encodePidf, encodeXpidf, pidfType, xpidfType } from '../../../../src/formats/pidf/index.ts';
import { type DevicePresence, documentOf } from '../../mapping/presence.ts';
import type { Body } from './package.ts';

/** RFC 3856 s.6.5: PIDF is the default; xpidf is for those who take nothing else. */
export const presenceTypes: readonly string[] = [pidfType, xpidfType];

const gone: DevicePresence = { availability: 'unavailable' };

/** No devices: the person is closed. `changedAt` is in milliseconds since 1970. */
export function presenceBody(
  type: string,
  presentity: Address,
  devices: readonly DevicePresence[],
  changedAt: number,
): Body {
  const document = documentOf(devices.length > 0 ? devices : [gone], { presentity, at: changedAt });
  const content = type === xpidfType ? encodeXpidf(document) : encodePidf(document);
  const languages = languagesOf(devices);
  return languages === '' ? { type, content } : { type, content, headers: [['Content-Language', languages]] };
}

const mostLanguages = 8;

/** RFC 8048 s.6.2, table 1. Where a note has none it would be taken for the first of the others: then nothing is said. */
function languagesOf(devices: readonly DevicePresence[]): string {
  const said = new Set(devices.flatMap(({ notes }) => Object.keys(notes ?? {})));
  return said.has('') ? '' : [...said].slice(0, mostLanguages).join(', ');
}
