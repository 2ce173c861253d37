// The operator's options as the stack wants them: certificates read, credentials collected, DNS chosen.

import { readPems } from '../../src/guards/pem.ts';
import { defaultLimits } from './codec/message.ts';
import type { SipOptions } from './config.ts';
import type { Credentials } from './digest/index.ts';
import { systemResolver } from './resolver.ts';
import type { SessionOptions } from './session.ts';

/** Throws when a certificate cannot be read. */
export function sessionOptions(options: SipOptions, now: () => number): SessionOptions {
  const { idleMs, messageMs, pingMs, maxMessageBytes } = options;
  return {
    listen: options.listen.map(({ tls, ...listener }) => {
      return tls ? { ...listener, tls: { ...readPems(tls), requestCert: tls.requestCert } } : listener;
    }),
    tls: readPems(options.tls),
    limits: { ...defaultLimits, messageBytes: maxMessageBytes },
    connectionLimits: { idleMs, messageMs, pingMs, unreadBytes: 1024 * 1024 },
    maxConnections: options.maxConnections,
    maxConnectionsPerSource: options.maxConnectionsPerSource,
    connectTimeoutMs: options.connectTimeoutMs,
    timers: { t1: options.t1Ms, t2: options.t2Ms, t4: options.t4Ms },
    maxServerTransactions: options.maxServerTransactions,
    credentials: () => credentialsOf(options),
    resolver: systemResolver(options.dns.servers, now),
  };
}

/** For whoever challenges us. */
export function credentialsOf({ credentials }: Pick<SipOptions, 'credentials'>): Credentials[] {
  return credentials.map(({ realm, ...rest }) => (realm === undefined ? rest : { ...rest, realm }));
}
