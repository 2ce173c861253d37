// Kamailio as a presence server on loopback: PUBLISH and SUBSCRIBE of its domains, lists of resources (RLS), on a database of its own.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { requestText, startSipPeer } from '../peers/sip-peer.ts';
import { freePorts, type ServerProcess, startServer, temporaryFolder } from './process.ts';

export interface KamailioPresence {
  /** UDP and TCP. */
  readonly port: number;
  readonly process: ServerProcess;
  /** Lets a watcher see a user (`allow`), or takes that back (`block`), as the user's XCAP client would (RFC 5025). */
  setRule(of: { user: string; domain: string }, watcher: string, action: 'allow' | 'block'): Promise<void>;
  /** Forgets every publication, as a server does that lost its database. */
  forgetPublications(): void;
  stop(): Promise<void>;
}

export interface PresenceServerOptions {
  /** Domains whose presence it keeps. */
  domains: readonly string[];
  /** Watchers must know it, whoever they are. Default: nobody is challenged. */
  password?: string;
  /** Whom to tell is a matter of each user's rules: nobody, while there are none. Default: everybody is told. */
  hasRules?: boolean;
  /** Where people of another domain are watched, UDP on loopback: SUBSCRIBE for them goes there. */
  gateway?: { domain: string; port: number };
  /** It takes rules over XCAP, in `/xcap-root` on its port, from the user `xcap` with this password (realm `xcap`). */
  xcapPassword?: string;
  /** Lists that it serves: the list's URI, whose it is, and its members. */
  lists?: ReadonlyArray<{ uri: string; owner: { user: string; domain: string }; members: readonly string[] }>;
}

const schemas = '/usr/share/kamailio/db_sqlite';
const tables = '/usr/share/kamailio/dbtext/kamailio';

export async function startKamailioPresence(options: PresenceServerOptions): Promise<KamailioPresence> {
  const { lists = [] } = options;
  const [port = 0] = await freePorts(1);
  const folder = temporaryFolder('kamailio-presence');
  const database = join(folder.path, 'presence.sqlite');
  const db = new DatabaseSync(database);
  // Its processes write at the same time.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 2000');
  for (const name of ['standard', 'presence', 'rls'])
    db.exec(readFileSync(join(schemas, `${name}-create.sql`), 'utf8'));
  for (const { uri, owner, members } of lists) {
    const insert =
      'INSERT INTO xcap (username, domain, doc, doc_type, etag, source, doc_uri, port) VALUES (?, ?, ?, 8, ?, 0, ?, 0)';
    db.prepare(insert).run(owner.user, owner.domain, Buffer.from(rlsServices(uri, members)), 'e1', 'index');
  }
  // RLS replaces rows, which its driver for SQLite cannot: there Kamailio 5.6 calls a null pointer.
  for (const name of ['version', 'rls_presentity', 'rls_watchers'])
    copyFileSync(join(tables, name), join(folder.path, name));
  const file = join(folder.path, 'kamailio.cfg');
  writeFileSync(file, configuration(options, port, folder.path));
  const args = ['-f', file, '-DD', '-E', '-m', '64', '-M', '16', '-Y', folder.path, '-P', join(folder.path, 'pid')];
  const process = await startServer('/usr/sbin/kamailio', { args, ports: [port] });
  return {
    port,
    process,
    async setRule({ user, domain }, watcher, action) {
      const columns = 'username, domain, doc, doc_type, etag, source, doc_uri, port';
      const row = db.prepare(`INSERT OR REPLACE INTO xcap (${columns}) VALUES (?, ?, ?, 2, ?, 0, ?, 0)`);
      row.run(user, domain, Buffer.from(presRules(watcher, action)), action, `pres-rules/${user}`);
      await tellRules(`sip:${user}@${domain}`, port);
    },
    forgetPublications: () => db.exec('DELETE FROM presentity'),
    async stop() {
      await process.stop();
      db.close();
      folder.remove();
    },
  };
}

function rlsServices(uri: string, members: readonly string[]): string {
  const entries = members.map((member) => `<entry uri="${member}"/>`).join('');
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<rls-services xmlns="urn:ietf:params:xml:ns:rls-services" xmlns:rl="urn:ietf:params:xml:ns:resource-lists">' +
    `<service uri="${uri}"><list name="all">${entries}</list><packages><package>presence</package></packages></service></rls-services>`
  );
}

function presRules(watcher: string, action: string): string {
  return `<?xml version="1.0"?>
<ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules">
<rule id="one"><conditions><identity><one id="${watcher}"/></identity></conditions>
<actions><pr:sub-handling>${action}</pr:sub-handling></actions><transformations/></rule></ruleset>`;
}

async function tellRules(uri: string, port: number): Promise<void> {
  const client = await startSipPeer();
  const parts = { port: client.port, method: 'INFO', uri, from: `<${uri}>;tag=x`, to: `<${uri}>`, body: '' };
  client.sendUdp(requestText(parts), port);
  await client.until(({ first }) => first === 'SIP/2.0 200 OK');
  await client.stop();
}

function configuration(
  { domains, lists = [], password, xcapPassword, gateway, hasRules = false }: PresenceServerOptions,
  port: number,
  folder: string,
): string {
  const hasLists = lists.length > 0;
  const modules = 'tm sl pv rr maxfwd textops siputils auth db_sqlite presence presence_xml'.split(' ');
  if (hasLists) modules.push('db_text', 'pua', 'rls');
  if (xcapPassword !== undefined) modules.push('xhttp', 'xcap_server');
  const url = `sqlite:///${join(folder, 'presence.sqlite')}`;
  return `#!KAMAILIO
log_stderror=yes
debug=1
children=1
tcp_children=1
auto_aliases=no
tcp_accept_no_cl=yes
${domains.map((domain) => `alias="${domain}"`).join('\n')}
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("presence|presence_xml", "db_url", "${url}")
modparam("presence", "server_address", "sip:127.0.0.1:${port}")
modparam("presence", "subs_db_mode", 0)
modparam("presence", "min_expires", 30)
modparam("presence_xml", "force_active", ${hasRules ? 0 : 1})
modparam("presence_xml", "integrated_xcap_server", 1)
${
  hasLists
    ? `modparam("pua", "db_url", "${url}")
modparam("rls", "db_url", "text://${folder}")
modparam("rls", "xcap_db_url", "${url}")
modparam("pua", "outbound_proxy", "sip:127.0.0.1:${port}")
modparam("rls", "rlpres_db_url", "text://${folder}")
modparam("rls", "server_address", "sip:rls@127.0.0.1:${port}")
modparam("rls", "integrated_xcap_server", 1)
modparam("rls", "to_presence_code", 10)
modparam("rls", "waitn_time", 1)
modparam("rls", "notifier_processes", 1)
modparam("rls", "outbound_proxy", "sip:127.0.0.1:${port}")`
    : ''
}
${xcapPassword === undefined ? '' : xcapRoute(url, xcapPassword)}
request_route {
  if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
  force_rport();
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  # Stands for the XCAP client that has stored other rules.
  if (is_method("INFO")) { pres_refresh_watchers("$ru", "presence", 0); sl_send_reply("200", "OK"); exit; }
  ${
    password === undefined
      ? ''
      : `if (is_method("SUBSCRIBE")) {
    if (!pv_www_authenticate("$td", "${password}", "0")) { www_challenge("$td", "0"); exit; }
    consume_credentials();
  }`
  }
  ${gateway === undefined ? '' : `if ($rd == "${gateway.domain}") { $du = "sip:127.0.0.1:${gateway.port}"; t_relay(); exit; }`}
  if (is_method("PUBLISH|SUBSCRIBE|NOTIFY")) {
    if (!t_newtran()) { sl_reply_error(); exit; }
    if (is_method("PUBLISH")) { handle_publish(); exit; }
    ${hasLists ? 'if (is_method("NOTIFY")) { if (!rls_handle_notify()) t_reply("481", "No Subscription"); exit; }' : ''}
    ${hasLists ? 'rls_handle_subscribe(); if ($rc != 10) exit;' : ''}
    handle_subscribe();
    exit;
  }
  sl_send_reply("405", "Method Not Allowed");
}
`;
}

// As its documentation has it: what is stored is told at once.
function xcapRoute(url: string, password: string): string {
  return `
modparam("xcap_server", "db_url", "${url}")
modparam("xcap_server", "xcap_root", "/xcap-root/")

event_route[xhttp:request] {
  if (!pv_www_authenticate("xcap", "${password}", "0")) { www_challenge("xcap", "0"); exit; }
  $xcapuri(u=>data) = $hu;
  xcaps_put("$xcapuri(u=>xuid)", "$hu", "$rb");
  pres_update_watchers("$xcapuri(u=>xuid)", "presence");
  pres_refresh_watchers("$xcapuri(u=>xuid)", "presence", 1);
}
`;
}
