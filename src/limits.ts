// The configuration's numbers in the words of the hub.
import type { Config } from './config/config.ts';
import type { HubLimits } from './hub/hub.ts';
import type { PolicyRules } from './hub/policy.ts';
import type { InstanceLimits } from './instance.ts';
import type { RecordFileOptions } from './record-files.ts';

// What is not a message is of the moment: nobody wants to know tomorrow that somebody was typing.
const typingMs = 10_000;
const momentMs = 300_000;
// The last word on a device stands until the next: as long as a watcher who must refresh would believe it (RFC 3856 s.6.4).
const presenceMs = 3_600_000;
const dayMs = 86_400_000;

export function hubLimits({ maxHops, queue, delivery }: Config): HubLimits {
  return {
    maxHops,
    highWater: queue.highWater,
    expireAfterMs: {
      message: delivery.expireAfter,
      receipt: Math.max(delivery.expireAfter, dayMs),
      typing: typingMs,
      presence: presenceMs,
      subscription: dayMs,
      membership: momentMs,
      registration: momentMs,
    },
  };
}

export function deliveryLimits({ delivery, lease }: Config): InstanceLimits {
  const { retryFirst, retryMax, attemptTimeout, prefetch, perDestination, breakerFailures, internalTries } = delivery;
  return {
    firstMs: retryFirst,
    maxMs: retryMax,
    attemptTimeoutMs: attemptTimeout,
    prefetch,
    perDestination,
    backlogPerDestination: Math.max(16, Math.floor(prefetch / 4)),
    breakerFailures,
    internalTries,
    leaseMs: lease,
  };
}

export function policyRules({ policy: { block, quotas, optOut } }: Config): PolicyRules {
  const { enabled, ...words } = optOut;
  return {
    block,
    quotas: quotas.map(({ per, ...quota }) => ({ ...quota, perMs: per })),
    optOut: enabled ? words : undefined,
  };
}

export function recordFileOptions(cdr: NonNullable<Config['cdr']>): RecordFileOptions {
  const { folder, formats, rotate: rotateMs, maxBytes, keep: keepMs } = cdr;
  return { folder, formats, rotateMs, maxBytes, keepMs };
}
