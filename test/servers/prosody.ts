// Debian's Prosody for a test: its own configuration and data in a temporary folder, loopback, free ports, accounts that
// exist from the start.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, type ServerProcess, startServer, temporaryFolder } from './process.ts';

export interface XmppServerOptions {
  components: ReadonlyArray<{ domain: string; secret: string }>;
  /** Accounts `username@host`. */
  users?: ReadonlyArray<{ username: string; password: string }>;
  /** Default `xmpp.example`. */
  host?: string;
  /** Lines for the server's own configuration, as they are. */
  extra?: string;
  /** Listen for components here instead of on a free port. */
  componentPort?: number;
}

export interface XmppServer {
  readonly host: string;
  readonly c2sPort: number;
  readonly componentPort: number;
  readonly process: ServerProcess;
  /** Stops it and starts it again, on the same ports with the same data. */
  restart(): Promise<void>;
  /** Safe to call twice; removes its data. */
  stop(): Promise<void>;
}

/** Needs /usr/bin/prosody (see debian.ts). Takes about half a second. */
export async function startProsody(options: XmppServerOptions): Promise<XmppServer> {
  const host = options.host ?? 'xmpp.example';
  const folder = temporaryFolder('prosody');
  const [c2sPort = 0, freePort = 0] = await freePorts(2);
  const componentPort = options.componentPort ?? freePort;
  const file = join(folder.path, 'prosody.cfg.lua');
  writeFileSync(file, configuration({ ...options, host }, folder.path, c2sPort, componentPort));
  writeAccounts(folder.path, host, options.users ?? []);
  const start = () =>
    startServer('/usr/bin/prosody', { args: ['--config', file, '-F'], ports: [c2sPort, componentPort] });
  return superviseXmppServer({ host, c2sPort, componentPort }, folder, start);
}

/** What startProsody and startEjabberd hand out. */
export async function superviseXmppServer(
  at: Pick<XmppServer, 'host' | 'c2sPort' | 'componentPort'>,
  folder: { remove(): void },
  start: () => Promise<ServerProcess>,
): Promise<XmppServer> {
  let process = await start();
  return {
    ...at,
    get process() {
      return process;
    },
    async restart() {
      await process.stop();
      process = await start();
    },
    async stop() {
      await process.stop();
      folder.remove();
    },
  };
}

function configuration(
  { host, components, extra = '' }: XmppServerOptions & { host: string },
  folder: string,
  c2sPort: number,
  componentPort: number,
): string {
  const hosts = components.map(
    ({ domain, secret }) => `Component ${lua(domain)}\n  component_secret = ${lua(secret)}\n`,
  );
  return `run_as_root = true
pidfile = ${lua(join(folder, 'prosody.pid'))}
data_path = ${lua(folder)}
log = { warn = "*console" }
interfaces = { "127.0.0.1" }
component_interfaces = { "127.0.0.1" }
c2s_ports = { ${c2sPort} }
component_ports = { ${componentPort} }
modules_enabled = { "roster", "saslauth", "disco", "ping", "offline", "carbons", "pep" }
modules_disabled = { "s2s", "tls" }
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
certificates = "."
storage = "internal"
limits = {}
${extra}
VirtualHost ${lua(host)}
${hosts.join('')}`;
}

// The files that `prosodyctl adduser` would write, which takes a second each.
function writeAccounts(folder: string, host: string, users: NonNullable<XmppServerOptions['users']>): void {
  const accounts = join(folder, encodeName(host), 'accounts');
  mkdirSync(accounts, { recursive: true });
  for (const { username, password } of users) {
    writeFileSync(join(accounts, `${encodeName(username)}.dat`), `return { ["password"] = ${lua(password)}; };\n`);
  }
}

const encodeName = (name: string) =>
  [...Buffer.from(name)]
    .map((byte) =>
      /[A-Za-z0-9]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');

// Every byte that is not plain as \ddd, which Lua reads as that byte.
const lua = (text: string) =>
  `"${[...Buffer.from(text)]
    .map((byte) =>
      byte < 32 || byte > 126 || byte === 34 || byte === 92
        ? `\\${String(byte).padStart(3, '0')}`
        : String.fromCharCode(byte),
    )
    .join('')}"`;
