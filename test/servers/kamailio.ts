// Kamailio as a proxy and registrar on loopback: digest for REGISTER, what is for the gateway's domain goes to the gateway.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { freePorts, type ServerProcess, startServer, temporaryFolder } from './process.ts';

export interface KamailioOptions {
  /** The domain it is registrar of. */
  domain: string;
  /** Users of that domain must know it. */
  password: string;
  /** Where requests for the gateway's domain go: `sip:127.0.0.1:5060;transport=tcp`. Asked for again by `restart`. */
  gateway: { domain: string; uri: string };
  /** Paths of PEM files: opens a TLS listener. */
  tls?: { cert: string; key: string; ca: string };
  /**
   * Presence agent of its domain: takes PUBLISH from anybody and SUBSCRIBE from who knows the password. `rules` asks its
   * users' pres-rules (RFC 5025) whom to tell: nobody, while there are none.
   */
  presence?: 'open' | 'rules';
}

export interface Kamailio {
  /** UDP and TCP. */
  readonly port: number;
  readonly tlsPort: number;
  readonly process: ServerProcess;
  /** Lets a watcher see a user of its domain (`allow`), or takes that back (`block`), as the user's XCAP client would. */
  setRule(user: string, watcher: string, action: 'allow' | 'block'): Promise<void>;
  stop(): Promise<void>;
}

export async function startKamailio(options: KamailioOptions): Promise<Kamailio> {
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const folder = temporaryFolder('kamailio');
  const file = join(folder.path, 'kamailio.cfg');
  if (options.tls) writeFileSync(join(folder.path, 'tls.cfg'), tlsConfiguration(options.tls));
  const database = join(folder.path, 'kamailio.sqlite');
  if (options.presence) createDatabase(database);
  writeFileSync(file, configuration(options, port, tlsPort, folder.path));
  const args = ['-f', file, '-DD', '-E', '-m', '32', '-M', '8', '-Y', folder.path, '-P', join(folder.path, 'pid')];
  const process = await startServer('/usr/sbin/kamailio', { args, ports: options.tls ? [port, tlsPort] : [port] });
  return {
    port,
    tlsPort,
    process,
    async setRule(user, watcher, action) {
      writeRule(database, { user, domain: options.domain }, watcher, action);
      await tellRules(`sip:${user}@${options.domain}`, port);
    },
    async stop() {
      await process.stop();
      folder.remove();
    },
  };
}

function configuration(
  { domain, password, gateway, tls, presence }: KamailioOptions,
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
    ...(presence ? ['db_sqlite', 'presence', 'presence_xml'] : []),
  ];
  const database = `sqlite://${join(folder, 'kamailio.sqlite')}`;
  return `#!KAMAILIO
log_stderror=yes
debug=1
children=1
tcp_children=1
auto_aliases=no
alias="${domain}"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${tls ? `enable_tls=yes\nlisten=tls:127.0.0.1:${tlsPort}` : ''}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 120)
${tls ? `modparam("tls", "config", "${join(folder, 'tls.cfg')}")` : ''}
${presence ? presenceParameters(presence, database, port) : ''}

request_route {
  if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (!sanity_check("1511", "7")) exit;
  force_rport();
  if ($rd == "${gateway.domain}") {
    record_route();
    append_hf("X-Proxied: yes\\r\\n");
    $du = "${gateway.uri}";
    t_relay();
    exit;
  }
${presence ? presenceRoute(password) : ''}
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

function presenceParameters(presence: 'open' | 'rules', database: string, port: number): string {
  return `modparam("presence|presence_xml", "db_url", "${database}")
modparam("presence", "server_address", "sip:127.0.0.1:${port}")
modparam("presence_xml", "integrated_xcap_server", 1)
modparam("presence_xml", "force_active", ${presence === 'open' ? 1 : 0})`;
}

// INFO stands for the XCAP client that has stored other rules.
function presenceRoute(password: string): string {
  return `
  if (is_method("PUBLISH")) { handle_publish(); exit; }
  if (is_method("SUBSCRIBE")) {
    if (!pv_www_authenticate("$td", "${password}", "0")) { www_challenge("$td", "0"); exit; }
    consume_credentials();
    handle_subscribe();
    exit;
  }
  if (is_method("INFO")) {
    pres_refresh_watchers("$ru", "presence", 0);
    sl_send_reply("200", "OK");
    exit;
  }`;
}

function createDatabase(file: string): void {
  const database = new DatabaseSync(file);
  for (const tables of ['standard', 'presence']) {
    database.exec(readFileSync(`/usr/share/kamailio/db_sqlite/${tables}-create.sql`, 'utf8'));
  }
  database.close();
}

const presRules = 2;

function writeRule(file: string, of: { user: string; domain: string }, watcher: string, action: string): void {
  const document = `<?xml version="1.0"?>
<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules">
<rule id="one"><conditions><identity><one id="${watcher}"/></identity></conditions>
<actions><pr:sub-handling>${action}</pr:sub-handling></actions><transformations/></rule></ruleset>`;
  const database = new DatabaseSync(file);
  database.exec('DELETE FROM xcap');
  const columns = 'username, domain, doc, doc_type, etag, source, doc_uri, port';
  const row = database.prepare(`INSERT INTO xcap (${columns}) VALUES (?, ?, ?, ?, ?, 0, ?, 0)`);
  row.run(of.user, of.domain, Buffer.from(document), presRules, action, `pres-rules/${of.user}`);
  database.close();
}

async function tellRules(uri: string, port: number): Promise<void> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const own = socket.address().port;
  const answered = once(socket, 'message');
  const head = `INFO ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bK${own}\r\nMax-Forwards: 70\r\n`;
  const people = `From: <${uri}>;tag=x\r\nTo: <${uri}>\r\nCall-ID: rules-${own}\r\nCSeq: 1 INFO\r\n`;
  socket.send(`${head}${people}Content-Length: 0\r\n\r\n`, port, '127.0.0.1');
  await answered;
  socket.close();
}

function tlsConfiguration({ cert, key, ca }: NonNullable<KamailioOptions['tls']>): string {
  return `[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
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
