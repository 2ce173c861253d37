// For `dragoman doctor`: connects and binds as configured and says what it finds, step by step.
import type { Finding } from '../../src/contract/index.ts';
import { BindRefused, open } from './binds/dial.ts';
import { versionName } from './binds/versions.ts';
import { type BindCommand, bindsOf, type Endpoint, endpointsOf, type SmppOptions } from './config.ts';

const advice: Readonly<Record<BindRefused['stage'], string>> = {
  network: 'check host and port, and that the carrier lets our address in',
  tls: 'check tls.ca and tls.serverName, or tls: false where the carrier has none',
  bind: 'check systemId, password, systemType and bind, and that nobody else is bound with this account',
};

export async function* diagnose(options: SmppOptions, signal: AbortSignal): AsyncIterable<Finding> {
  const isLocal = /^(127\.|::1$|localhost$)/.test(options.host);
  if (options.tls === false && !isLocal) {
    const what = `${options.host}: the password and all texts travel in the clear`;
    yield { state: 'warning', what, advice: 'set tls where the carrier offers it, or use a VPN' };
  }
  for (const endpoint of endpointsOf(options)) {
    for (const command of bindsOf[options.bind]) {
      const found = await tryBind(command, options, endpoint, signal);
      yield found;
      if (found.state === 'failed') break;
    }
  }
}

async function tryBind(
  command: BindCommand,
  options: SmppOptions,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<Finding> {
  try {
    const handler = { request: () => ({ status: 'ESME_RX_T_APPN' as const }), closed: () => {} };
    const { session, bound } = open(command, options, endpoint, Date.now, handler);
    const abort = () => session.close('given up');
    signal.addEventListener('abort', abort, { once: true });
    const { version } = await bound;
    const ticker = setInterval(() => session.tick(), 100);
    await session.unbind();
    clearInterval(ticker);
    signal.removeEventListener('abort', abort);
    const where = `${endpoint.host}:${endpoint.port}${options.tls === false ? '' : ' with TLS'}`;
    return { state: 'ok', what: `${where}: ${command} as ${options.systemId}, SMPP ${versionName(version)}` };
  } catch (error) {
    const refusal = error instanceof BindRefused ? error : undefined;
    const what = error instanceof Error ? error.message : String(error);
    return { state: 'failed', what, advice: advice[refusal?.stage ?? 'tls'] };
  }
}
