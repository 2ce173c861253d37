// The life of a watch, as tables (RFC 8048 s.5.2 and s.6.3, RFC 6665 s.4.1): what each answer, notification and silence makes of it.

/**
 * - `idle`: authorised perhaps, but no dialog and nothing to wait for but the watcher's return
 * - `subscribing`: SUBSCRIBE sent, no NOTIFY yet
 * - `live`: a dialog; the timer is the time to think of its refresh
 * - `probing`: the watcher's network was asked whether the watcher is there (RFC 8048 s.8.1)
 * - `refreshing`: SUBSCRIBE sent inside the dialog, no NOTIFY yet
 * - `lapsing`: the watcher is away and the dialog is left to end
 * - `resting`: no dialog, and a pause before the next attempt
 * - `leaving`: SUBSCRIBE with Expires: 0 sent
 * - `over`: forgotten
 */
export type Phase =
  | 'idle'
  | 'subscribing'
  | 'live'
  | 'probing'
  | 'refreshing'
  | 'lapsing'
  | 'resting'
  | 'leaving'
  | 'over';

export type Happening =
  /** The watcher is there, or wants it. */
  | 'wanted'
  | 'absent'
  /** The timer. */
  | 'due'
  /** A NOTIFY that leaves the subscription standing. */
  | 'notified'
  /** Answers to SUBSCRIBE. One that refuses for good ends it in every phase. */
  | 'dead'
  | 'failed';

export type Act =
  | 'subscribe'
  | 'refresh'
  | 'probe'
  /** No answer to the probe: what was heard before decides. */
  | 'judge'
  /** The time of the next refresh. */
  | 'schedule'
  | 'lapse'
  | 'expire'
  | 'rest'
  /** The dialog lives on and its refresh is tried again. */
  | 'retry'
  | 'wake'
  | 'forget';

/** Phases in which Timer N runs (RFC 6665 s.4.1.2.4). */
export const awaitsNotify: ReadonlySet<Phase> = new Set(['subscribing', 'refreshing', 'leaving']);

type Step = readonly [next: Phase, act: Act];

export const steps: Readonly<Record<Phase, Partial<Record<Happening, Step>>>> = {
  idle: {
    wanted: ['subscribing', 'subscribe'],
  },
  subscribing: {
    notified: ['live', 'schedule'],
    // RFC 6665 s.4.1.2.4, Timer N: a subscription without a NOTIFY is none.
    due: ['resting', 'rest'],
    dead: ['resting', 'rest'],
    failed: ['resting', 'rest'],
  },
  live: {
    due: ['probing', 'probe'],
    notified: ['live', 'schedule'],
    absent: ['lapsing', 'lapse'],
  },
  probing: {
    wanted: ['refreshing', 'refresh'],
    absent: ['lapsing', 'lapse'],
    due: ['probing', 'judge'],
  },
  refreshing: {
    notified: ['live', 'schedule'],
    // s.4.1.2.2: lost for good, so a new Call-ID and a new tag; what else fails leaves the dialog until it expires.
    due: ['subscribing', 'subscribe'],
    dead: ['subscribing', 'subscribe'],
    failed: ['live', 'retry'],
  },
  lapsing: {
    wanted: ['live', 'schedule'],
    due: ['idle', 'expire'],
  },
  resting: {
    due: ['resting', 'wake'],
  },
  leaving: {
    due: ['over', 'forget'],
  },
  over: {},
};

export type Outcome = 'taken' | 'refused' | 'dead' | 'shorter' | 'failed';

const outcomes: Readonly<Record<number, Outcome>> = {
  // RFC 8048 s.5.2.1: the authorisation is cancelled for good.
  403: 'refused',
  489: 'refused',
  603: 'refused',
  423: 'shorter',
  // RFC 6665 s.4.1.2.2: the subscription is gone, the authorisation is not.
  404: 'dead',
  405: 'dead',
  410: 'dead',
  416: 'dead',
  480: 'dead',
  481: 'dead',
  482: 'dead',
  483: 'dead',
  484: 'dead',
  485: 'dead',
  501: 'dead',
  604: 'dead',
};

export function outcomeOf(status: number): Outcome {
  if (status < 300) return 'taken';
  return outcomes[status] ?? 'failed';
}

export type Ending = 'now' | 'later' | 'denied' | 'never' | 'invariant';

/** RFC 6665 s.4.1.3: why a notifier ended a subscription, and what the subscriber does about it. */
const endings: Readonly<Record<string, Ending>> = {
  deactivated: 'now',
  timeout: 'now',
  probation: 'later',
  giveup: 'later',
  rejected: 'denied',
  noresource: 'never',
  invariant: 'invariant',
};

/** A reason that nobody has heard of, or none: another attempt is allowed, and is not made in haste. */
export function endingOf(reason: string | undefined): Ending {
  return reason !== undefined && Object.hasOwn(endings, reason) ? (endings[reason] as Ending) : 'later';
}
