// For `dragoman doctor`: what is risky or contradictory in the accounts and listeners. The gateway may be running: no port is tried.
import { createSecureContext } from 'node:tls';
import type { Finding } from '../../../src/contract/index.ts';
import type { ServerOptions } from './config.ts';
import { tlsOptions } from './door.ts';

const shortPassword = 8;

export async function* diagnose(options: ServerOptions): AsyncIterable<Finding> {
  yield* lookAtListeners(options);
  for (const [name, account] of Object.entries(options.accounts)) {
    if (account.password.length < shortPassword && account.allow.length === 0) {
      const what = `account ${name}: a short password is all that keeps strangers out`;
      yield { state: 'warning', what, advice: 'set allow to the addresses that it binds from' };
    }
    if (account.numbers.length + account.senders.length === 0 && account.defaultSender === undefined) {
      const what = `account ${name} may send as nobody`;
      yield { state: 'failed', what, advice: "set numbers, senders: ['*'], or defaultSender" };
    }
  }
  yield { state: 'ok', what: `${Object.keys(options.accounts).length} accounts` };
}

function* lookAtListeners({ listen }: ServerOptions): Iterable<Finding> {
  for (const { host, port, tls } of listen) {
    const where = `${host}:${port}`;
    try {
      if (tls) createSecureContext(tlsOptions(tls));
      else if (!/^(127\.|::1$|localhost$)/.test(host)) {
        const what = `${where}: passwords and texts travel in the clear`;
        yield { state: 'warning', what, advice: 'set tls, or let ESMEs come through a VPN' };
      }
    } catch (error) {
      yield {
        state: 'failed',
        what: `${where}: ${(error as Error).message}`,
        advice: 'check that tls.cert and tls.key belong together, and tls.ca',
      };
    }
  }
}
