// SMPP 3.3, 3.4 and 5.0: what the version that both ends speak changes in what we send. Reading makes no difference.
import type { SmppOptions } from '../config.ts';
import type { Submission } from './pacer.ts';

export const versions = { v33: 0x33, v34: 0x34, v50: 0x50 } as const;

/** `3.4` for 0x34. */
export function versionName(version: number): string {
  return `${version >> 4}.${version & 0x0f}`;
}

/** 3.3 has neither optional parameters nor data_sm: long texts travel with a user data header. */
export function optionsFor(version: number, options: SmppOptions): SmppOptions {
  if (version >= versions.v34) return options;
  const concat = options.concat === 'sar' || options.concat === 'payload' ? 'udh8' : options.concat;
  return { ...options, concat, submitWith: 'submit_sm' };
}

/** SMPP 3.3 s.6.3: registered_delivery is 0 or 1, and what follows the message is no part of it. */
export function inVersion<S extends Pick<Submission, 'body' | 'tlvs'>>(version: number, submission: S): S {
  if (version >= versions.v34) return submission;
  const registered_delivery = (submission.body.registered_delivery ?? 0) === 0 ? 0 : 1;
  return { ...submission, body: { ...submission.body, registered_delivery }, tlvs: [] };
}
