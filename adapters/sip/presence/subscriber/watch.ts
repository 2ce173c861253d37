// One person of ours who watches one SIP contact: what the store keeps of it, and what lives only while we run.
import { type Address, bareAddress } from '../../../../src/contract/index.ts';
import type { Dialog } from '../../dialog.ts';
import type { DevicePresence } from '../../mapping/presence.ts';
import { Timed } from '../../timer-wheel.ts';
import type { Phase } from './phases.ts';

/** Plain JSON, as the store keeps it. Both addresses are bare, and as SIP writes them. */
export interface Watch {
  watcher: Address;
  contact: Address;
  /**
   * RFC 8048 s.5.1: the authorisation, apart from any dialog. `asked` until the contact has said yes; `granted` for good,
   * until the contact takes it back; `polled` was never asked for and is not kept.
   */
  standing: 'asked' | 'granted' | 'polled';
  dialog?: Dialog;
  /** Which phone of ours the dialog is with: its Contact. */
  phone?: string | undefined;
  /** When the dialog ends, in milliseconds since 1970. */
  expiresAt: number;
  /** What the watcher was told last (RFC 3863 s.4.1.2: ids are stable), for the difference to what comes next. */
  devices: DevicePresence[];
  /** The contact said that this will never change (RFC 6665 s.4.1.3, `invariant`). */
  isInvariant?: boolean;
  /** The notifier's mark of `devices` (RFC 5839 s.5.3), while there is a dialog. */
  etag?: string | undefined;
  /** How long a dialog is to last, once a notifier found the usual too short (Min-Expires). */
  seconds?: number;
}

/** A SUBSCRIBE whose NOTIFY has not come yet: no dialog (RFC 6665 s.4.4.1). */
export interface Attempt {
  readonly callId: string;
  readonly localTag: string;
  /** Of the last request sent. */
  cseq: number;
}

/** A watch at work: one timer, whose meaning is the phase's. */
export class Watching extends Timed {
  watch: Watch;
  phase: Phase = 'idle';
  attempt: Attempt | undefined;
  /** Of the last news of a list in this dialog (RFC 4662 s.5.2); undefined before the first, and after a restart. */
  listVersion: number | undefined;
  /** The devices on which the watcher was last heard to be there; empty: not that we know. */
  online: readonly string[] = [];
  /** When that was, in milliseconds since 1970. */
  heardAt = Number.NEGATIVE_INFINITY;
  /** When the dialog began, in milliseconds since 1970. */
  beganAt = 0;
  /** In a row. */
  failures = 0;
  /** Requests so far: an answer to an older one changes nothing. */
  tries = 0;
  /** Every CSeq up to this one counts as used after a restart. */
  reservedCSeq = 0;
  readonly #due: (watching: Watching) => void;

  constructor(watch: Watch, due: (watching: Watching) => void) {
    super();
    this.watch = watch;
    this.#due = due;
  }

  fire(): void {
    this.#due(this);
  }

  get callId(): string | undefined {
    return this.watch.dialog?.callId ?? this.attempt?.callId;
  }

  get isOnline(): boolean {
    return this.online.length > 0;
  }
}

/** One name for a pair of people, in whatever device they were written. */
export function pairOf(watcher: Address, contact: Address): string {
  return `${bareAddress(watcher)}|${bareAddress(contact)}`;
}

export function pairOfWatch({ watcher, contact }: Watch): string {
  return `${watcher}|${contact}`;
}
