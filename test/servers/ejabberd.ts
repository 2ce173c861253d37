// Debian's ejabberd for a test: its own configuration, spool and log in a temporary folder, loopback, free ports, no Erlang
// distribution, accounts that exist from the start.
import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePorts, startServer, temporaryFolder } from './process.ts';
import { superviseXmppServer, type XmppServer, type XmppServerOptions } from './prosody.ts';

export interface EjabberdOptions extends XmppServerOptions {
  /** PEM file with key and certificate: components then speak TLS from the first byte. */
  componentCertificate?: string;
}

/** Needs the Debian package ejabberd (see debian.ts). Takes two to four seconds. */
export async function startEjabberd(options: EjabberdOptions): Promise<XmppServer> {
  const host = options.host ?? 'xmpp.example';
  const folder = temporaryFolder('ejabberd');
  const spool = join(folder.path, 'spool');
  mkdirSync(spool);
  const [c2sPort = 0, freePort = 0] = await freePorts(2);
  const componentPort = options.componentPort ?? freePort;
  const file = join(folder.path, 'ejabberd.yml');
  writeFileSync(file, configuration({ ...options, host }, c2sPort, componentPort));
  // /usr/lib/<architecture>/ejabberd-<release>
  const libraries = dirname(globSync('/usr/lib/*/ejabberd-*')[0] ?? '');
  const paths = { EJABBERD_CONFIG_PATH: file, EJABBERD_LOG_PATH: join(folder.path, 'ejabberd.log') };
  const start = () =>
    startServer('/usr/bin/erl', {
      args: erlangArguments(spool, host, options.users ?? []),
      cwd: folder.path,
      env: { ...paths, ERL_LIBS: libraries, HOME: folder.path },
      ports: [c2sPort, componentPort],
      readyLine: /accounts are ready/,
      timeoutMs: 60_000,
    });
  return superviseXmppServer({ host, c2sPort, componentPort }, folder, start);
}

function erlangArguments(spool: string, host: string, users: NonNullable<XmppServerOptions['users']>): string[] {
  const register = users.map(
    ({ username, password }) => `ejabberd_auth:try_register(${binary(username)}, ${binary(host)}, ${binary(password)})`,
  );
  const steps = [
    '{ok, _} = application:ensure_all_started(ejabberd)',
    ...register,
    'io:format("accounts are ready~n")',
  ];
  return ['-noinput', '-mnesia', 'dir', `"${spool}"`, '-eval', `${steps.join(', ')}.`];
}

const binary = (text: string) => `<<${[...Buffer.from(text)].join(',')}>>`;

function configuration(
  { host, components, extra = '', componentCertificate }: EjabberdOptions & { host: string },
  c2sPort: number,
  componentPort: number,
): string {
  const hosts = components.map(
    ({ domain, secret }) => `      ${JSON.stringify(domain)}:\n        password: ${JSON.stringify(secret)}\n`,
  );
  const tls = componentCertificate === undefined ? '' : `    tls: true\n    certfile: ${componentCertificate}\n`;
  return `hosts:
  - ${host}
loglevel: warning
listen:
  -
    port: ${c2sPort}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: none
    access: all
  -
    port: ${componentPort}
    ip: "127.0.0.1"
    module: ejabberd_service
    access: all
    shaper: none
    global_routes: false
${tls}    hosts:
${hosts.join('')}auth_method: internal
auth_password_format: plain
default_db: mnesia
modules:
  mod_ping: {}
  mod_roster: {}
  mod_disco: {}
  mod_offline: {}
  mod_carboncopy: {}
  mod_caps: {}
  mod_pubsub:
    plugins: [ flat, pep ]
acl: {}
access_rules: {}
${extra}`;
}
