// One attempt to connect and bind: over TCP or TLS, or on a connection that the SMSC made (outbind), with words for what
// stands in the way.
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readPems } from '../../../src/guards/pem.ts';
import { type ResponsePdu, statuses, tlvInt } from '../codec/index.ts';
import type { BindCommand, Endpoint, SmppOptions } from '../config.ts';
import { statusError } from '../errors.ts';
import type { SessionHandler } from '../exchange.ts';
import { Session } from '../session.ts';
import { versions } from './versions.ts';

/** Why a bind did not come about, in words for the operator. */
export class BindRefused extends Error {
  readonly stage: 'network' | 'tls' | 'bind';
  readonly status: number | undefined;
  constructor(stage: 'network' | 'tls' | 'bind', message: string, status?: number) {
    super(message);
    this.stage = stage;
    this.status = status;
  }
}

/** What the SMSC said of itself. */
export interface Smsc {
  readonly systemId: string;
  /** interface_version that both ends speak. */
  readonly version: number;
}

export interface Opening {
  readonly session: Session;
  /** Resolves when bound; rejects with BindRefused, the session closed. */
  readonly bound: Promise<Smsc>;
}

/** Its owner ticks the session. Throws when a file of the TLS options cannot be read. */
export function open(
  command: BindCommand,
  options: SmppOptions,
  endpoint: Endpoint,
  now: () => number,
  handler: SessionHandler,
): Opening {
  const socket = dial(options.tls, endpoint);
  const dialled: Dialled = { failure: undefined, isConnected: false, isSecure: false };
  socket.once('connect', () => {
    dialled.isConnected = true;
  });
  socket.once('secureConnect', () => {
    dialled.isSecure = true;
  });
  socket.on('error', (error) => {
    dialled.failure = error;
  });
  const { responseTimeoutMs, enquireLinkMs } = options;
  socket.setTimeout(responseTimeoutMs, () => socket.destroy(new Error('no answer in time')));
  const session = new Session(socket, { responseTimeoutMs, enquireLinkMs }, handler, now);
  session.host = `${endpoint.host}:${endpoint.port}`;
  // With TLS not a word before the certificate is checked: the bind holds the password.
  const ready = new Promise<void>((resolve, reject) => {
    socket.once(options.tls === false ? 'connect' : 'secureConnect', resolve);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
  const bind = async () => {
    const smsc = await ready
      .then(() => bindOn(session, command, options))
      .catch((error: Error) => {
        session.close(error.message);
        throw error instanceof BindRefused ? error : refusal(options, endpoint, dialled, error.message);
      });
    socket.setTimeout(0);
    return smsc;
  };
  return { session, bound: bind() };
}

/** Binds on a connection that is there. Rejects with BindRefused or SessionError. */
export async function bindOn(session: Session, command: BindCommand, options: SmppOptions): Promise<Smsc> {
  const { systemId, password, systemType, interfaceVersion, addressRange } = options;
  const { response } = await session.request(command, {
    system_id: systemId,
    password,
    system_type: systemType,
    interface_version: interfaceVersion,
    address_range: addressRange,
  });
  const { command_status: status } = response;
  if (status === statuses.ESME_ROK) return smscOf(response, interfaceVersion);
  throw new BindRefused('bind', `${command}: ${statusError(status).message}`, status);
}

// s.5.3.2.25: with the parameter the SMSC says what it speaks. Without it s.5.3 has us take it for 3.3; carriers of 3.4 leave
// it out all the same, so then what was configured counts.
function smscOf(response: ResponsePdu, interfaceVersion: number): Smsc {
  const said = tlvInt(response.tlvs, 'sc_interface_version');
  const isVersion = said !== undefined && said >= versions.v33;
  const systemId = 'system_id' in response.body ? response.body.system_id : '';
  return { systemId, version: isVersion ? Math.min(said, interfaceVersion) : interfaceVersion };
}

/** Not connected yet. Throws when a file of the TLS options cannot be read. */
export function dial(tls: SmppOptions['tls'], { host, port }: Endpoint): Socket {
  if (tls === false) return connect({ host, port, noDelay: true });
  const name = typeof tls === 'object' ? tls.serverName : undefined;
  const servername = name ?? (isIP(host) === 0 ? host : '');
  const socket = connectTls({
    host,
    port,
    servername,
    minVersion: 'TLSv1.2',
    ...(typeof tls === 'boolean' ? {} : readPems(tls)),
  });
  return socket.setNoDelay(true);
}

const tlsAdvice: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from a CA that is not trusted here (tls.ca)',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed (tls.ca)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from a CA that is not trusted here (tls.ca)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from a CA that is not trusted here (tls.ca)',
  CERT_SIGNATURE_FAILURE: 'its certificate comes from another CA of the same name (tls.ca)',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet; look at the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name (tls.serverName)',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS on this port',
  EPROTO: 'the TLS handshake failed',
};

/** How far the connection came. */
interface Dialled {
  failure: NodeJS.ErrnoException | undefined;
  isConnected: boolean;
  isSecure: boolean;
}

function refusal(
  { tls }: SmppOptions,
  { host, port }: Endpoint,
  { failure, isConnected, isSecure }: Dialled,
  why: string,
): BindRefused {
  const code = failure?.code ?? '';
  const said = failure?.message || code || why;
  if (tls === false || !isConnected || isSecure) return new BindRefused('network', `${host}:${port}: ${said}`);
  const advice = tlsAdvice[code] ?? `no handshake came about, perhaps it does not speak TLS on this port (${said})`;
  return new BindRefused('tls', `TLS with ${host}:${port}: ${advice}`);
}
