// Kamailio as a proxy and registrar on loopback: digest for REGISTER, what is for the gateway's domain goes to the gateway.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, type ServerProcess, startServer, temporaryFolder } from './process.ts';

export interface KamailioOptions {
  /** The domain it is registrar of. */
  domain: string;
  /** Users of that domain must know it. */
  password: string;
  /** Where requests for the gateway's domain go: `sip:127.0.0.1:5060;transport=tcp`. Asked for again by `restart`. */
  gateway: { domain: string; uri: string };
  /** Lines for what is for the gateway, in place of our own. */
  lines?: string;
  /** Of shared memory, where transactions lie. */
  megabytes?: number;
  /** Paths of PEM files: opens a TLS listener. */
  tls?: { cert: string; key: string; ca: string };
}

export interface Kamailio {
  /** UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  readonly process: ServerProcess;
  /** All of its processes at once, as when its machine is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function startKamailio(options: KamailioOptions): Promise<Kamailio> {
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const folder = temporaryFolder('kamailio');
  if (options.tls) writeFileSync(join(folder.path, 'tls.cfg'), tlsConfiguration(options.tls));
  const { tls, megabytes } = options;
  return start(folder, configuration(options, port, tlsPort, folder.path), { port, tlsPort, hasTls: !!tls, megabytes });
}

/** From a whole configuration, whose addresses of the documentation become those of this test: '' is `at`, or a free port. */
export async function startKamailioFrom(
  file: string,
  addresses: Record<string, string>,
  at?: number,
): Promise<Kamailio> {
  const port = at ?? (await freePorts(1))[0] ?? 0;
  let text = readFileSync(file, 'utf8');
  for (const [documented, real] of Object.entries(addresses)) {
    text = text.replaceAll(documented, real === '' ? `127.0.0.1:${port}` : real);
  }
  return start(temporaryFolder('kamailio'), text, { port, tlsPort: 0, hasTls: false });
}

interface Listening {
  port: number;
  tlsPort: number;
  hasTls: boolean;
  megabytes?: number | undefined;
}

async function start(
  folder: ReturnType<typeof temporaryFolder>,
  text: string,
  { port, tlsPort, hasTls, megabytes = 32 }: Listening,
): Promise<Kamailio> {
  const file = join(folder.path, 'kamailio.cfg');
  writeFileSync(file, text);
  const args = [
    '-f',
    file,
    '-DD',
    '-E',
    '-m',
    String(megabytes),
    '-M',
    '8',
    '-Y',
    folder.path,
    '-P',
    join(folder.path, 'pid'),
  ];
  const server = await startServer('/usr/sbin/kamailio', { args, ports: hasTls ? [port, tlsPort] : [port] });
  return {
    port,
    tlsPort,
    process: server,
    async kill() {
      const { pid } = server;
      const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
      await server.kill();
      for (const worker of workers) killIfThere(Number(worker));
    },
    async stop() {
      await server.stop();
      folder.remove();
    },
  };
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function configuration(
  { domain, password, gateway, tls, lines }: KamailioOptions,
  port: number,
  tlsPort: number,
  folder: string,
): string {
  const modules = [
    'tm',
    'sl',
    'pv',
    'rr',
    'maxfwd',
    'textops',
    'siputils',
    'sanity',
    'auth',
    'usrloc',
    'registrar',
    ...(tls ? ['tls'] : []),
  ];
  return `#!KAMAILIO
log_stderror=yes
debug=1
children=1
tcp_children=1
auto_aliases=no
alias="${domain}"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${tls ? `enable_tls=yes\ntcp_accept_aliases=yes\nlisten=tls:127.0.0.1:${tlsPort}` : ''}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 120)
${tls ? `modparam("tls", "config", "${join(folder, 'tls.cfg')}")` : ''}

request_route {
  if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check("1511", "7")) exit;
  force_rport();
${lines ?? ownLines(gateway)}
  if (loose_route()) { t_relay(); exit; }
  if (uri != myself) { sl_send_reply("404", "Not here"); exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("$td", "${password}", "0")) { www_challenge("$td", "0"); exit; }
    consume_credentials();
    if (!save("location")) sl_reply_error();
    exit;
  }
  if (!lookup("location")) { sl_send_reply("480", "Temporarily Unavailable"); exit; }
  record_route();
  t_relay();
}
`;
}

function ownLines({ domain, uri }: KamailioOptions['gateway']): string {
  return `  if ($rd == "${domain}") {
    record_route();
    append_hf("X-Proxied: yes\\r\\n");
    $du = "${uri}";
    t_relay();
    exit;
  }`;
}

function tlsConfiguration({ cert, key, ca }: NonNullable<KamailioOptions['tls']>): string {
  return `[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = ${key}
certificate = ${cert}
ca_list = ${ca}
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = ${key}
certificate = ${cert}
ca_list = ${ca}
`;
}
