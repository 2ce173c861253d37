// What `dragoman doctor` looks at: DNS, the way to the proxy and the trunks, and what they answer.
import { asGatewayError, type Finding } from '../../src/contract/index.ts';
import { formatUri, parseUri, type SipUri } from './codec/uri.ts';
import type { SipOptions, TrunkOptions } from './config.ts';
import type { Credentials } from './digest/index.ts';
import { plainRequest } from './plain-request.ts';
import { Session } from './session.ts';
import { sessionOptions } from './session-options.ts';

/** Opens sockets of its own, so that it can be run beside the gateway. */
export async function* diagnose(options: SipOptions, signal: AbortSignal): AsyncIterable<Finding> {
  const now = () => performance.now();
  let session: Session;
  try {
    const user = { onRequest: () => {}, onClosed: () => {}, onBroken: () => {}, count: () => {} };
    session = new Session({ ...sessionOptions(options, now), listen: [] }, user, now);
  } catch (error) {
    yield { state: 'failed', what: `a certificate cannot be read: ${asGatewayError(error).message}` };
    return;
  }
  try {
    if (options.outboundProxy !== undefined) yield* askProxy(session, parseUri(options.outboundProxy), options, signal);
    for (const trunk of options.trunks) yield* askTrunk(session, trunk, signal);
    yield* lookAtListeners(options);
  } finally {
    await session.stop();
  }
}

async function* askTrunk(
  session: Session,
  { aor, registrar, user, password, outboundProxies }: TrunkOptions,
  signal: AbortSignal,
): AsyncIterable<Finding> {
  const account = parseUri(aor);
  const { user: _, ...plain } = registrar === undefined ? account : parseUri(registrar);
  const credentials = [{ user: user ?? account.user ?? '', password }];
  const ways = outboundProxies.length > 0 ? outboundProxies.map(parseUri) : [undefined];
  for (const proxy of ways) {
    const what = `${aor} at ${plain.host}${proxy ? ` through ${formatUri(proxy)}` : ''}`;
    yield await finding(what, () => ask(session, 'REGISTER', aor, plain, signal, credentials, proxy), {
      401: 'the password is wrong',
      403: 'the provider does not let this account in',
      404: 'the provider does not know this account',
    });
  }
}

async function* askProxy(
  session: Session,
  proxy: SipUri,
  options: SipOptions,
  signal: AbortSignal,
): AsyncIterable<Finding> {
  const name = formatUri(proxy);
  const found = await finding(name, () => ask(session, 'OPTIONS', name, proxy, signal, []), {});
  yield found.state === 'ok'
    ? found
    : { ...found, advice: `${found.advice}\nKamailio needs:\n${kamailioLines(options)}` };
}

function* lookAtListeners({ listen, nativeDomains, auth, domains }: SipOptions): Iterable<Finding> {
  for (const { transport, host, tls } of listen) {
    if ((transport === 'tls' || transport === 'wss') && !(tls?.cert && tls.key)) {
      yield {
        state: 'failed',
        what: `the ${transport} listener has no certificate`,
        advice: 'set tls.cert and tls.key',
      };
    }
    if (/^(0\.0\.0\.0|::)$/.test(host) && nativeDomains.length > 0 && !auth) {
      const what = `anybody who reaches ${host} over ${transport} can register as anybody`;
      yield { state: 'warning', what, advice: 'set auth.realm and auth.users' };
    }
  }
  if (domains.length === 0) {
    yield { state: 'warning', what: 'no domain shows people of other networks', advice: 'add one under domains' };
  }
}

async function ask(
  session: Session,
  method: 'OPTIONS' | 'REGISTER',
  aor: string,
  to: SipUri,
  signal: AbortSignal,
  credentials: readonly Credentials[],
  proxy?: SipUri,
): Promise<number> {
  const { scheme, host, port } = to;
  const uri = formatUri({ scheme, host, parameters: new Map(), ...(port === undefined ? {} : { port }) });
  // A REGISTER without a Contact only asks, and changes nothing (RFC 3261 s.10.2.3).
  const request = plainRequest({ method, uri, from: aor, to: aor });
  if (proxy?.parameters.has('lr')) request.headers.add('Route', `<${formatUri(proxy)}>`);
  return (await session.requester.send({ request, route: { uri: proxy ?? to }, signal, credentials })).status;
}

async function finding(
  what: string,
  question: () => Promise<number>,
  advice: Readonly<Record<number, string>>,
): Promise<Finding> {
  try {
    const status = await question();
    if (status < 300) return { state: 'ok', what: `${what} answers ${status}` };
    return { state: 'failed', what: `${what} answers ${status}`, advice: advice[status] ?? 'look at its log' };
  } catch (error) {
    const { message } = asGatewayError(error);
    return {
      state: 'failed',
      what: `${what}: ${message}`,
      advice: 'check the name, the port, the transport and the firewall',
    };
  }
}

function kamailioLines({ domains, listen }: SipOptions): string {
  const at = listen.find(({ transport }) => transport === 'tcp') ?? listen[0];
  const where = `sip:${at?.advertise ?? at?.host ?? '127.0.0.1'}:${at?.port ?? 5060};transport=${at?.transport ?? 'udp'}`;
  const names = domains.map(({ domain }) => `$rd == "${domain}"`).join(' || ') || '$rd == "gw.sip.example.org"';
  return [`if (${names}) {`, `  $du = "${where}";`, '  t_relay();', '  exit;', '}'].join('\n');
}
