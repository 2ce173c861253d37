// Kamailio as a provider that tells its customers what becomes of their registrations (RFC 3680): its registrar publishes them
// (pua_reginfo) to its own presence server (presence_reginfo), on a database of its own.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { requestText, startSipPeer } from '../peers/sip-peer.ts';
import { freePorts, type ServerProcess, startServer, temporaryFolder } from './process.ts';

export interface KamailioReg {
  /** UDP and TCP. */
  readonly port: number;
  readonly process: ServerProcess;
  /** Forgets all contacts of an account, as its operator does with `ul.rm`. */
  unregister(aor: string): Promise<void>;
  /** How many contacts an account has. */
  contacts(aor: string): Promise<number>;
  stop(): Promise<void>;
}

const schemas = '/usr/share/kamailio/db_sqlite';

export async function startKamailioReg(domain: string, password: string): Promise<KamailioReg> {
  const [port = 0] = await freePorts(1);
  const folder = temporaryFolder('kamailio-reg');
  const database = join(folder.path, 'reg.sqlite');
  const db = new DatabaseSync(database);
  db.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 2000');
  for (const name of ['standard', 'presence']) db.exec(readFileSync(join(schemas, `${name}-create.sql`), 'utf8'));
  const file = join(folder.path, 'kamailio.cfg');
  writeFileSync(file, configuration({ domain, password, port, database }));
  const args = ['-f', file, '-DD', '-E', '-m', '64', '-M', '16', '-Y', folder.path, '-P', join(folder.path, 'pid')];
  const process = await startServer('/usr/sbin/kamailio', { args, ports: [port] });
  return {
    port,
    process,
    async unregister(aor) {
      await ask(aor, 'unregister', port);
    },
    async contacts(aor) {
      return Number(await ask(aor, 'count', port));
    },
    async stop() {
      await process.stop();
      db.close();
      folder.remove();
    },
  };
}

/** Stands for kamctl: the answer is its reason phrase. */
async function ask(aor: string, what: string, port: number): Promise<string> {
  const client = await startSipPeer();
  const parts = { port: client.port, method: 'INFO', uri: aor, from: `<${aor}>;tag=x`, to: `<${aor}>`, body: '' };
  client.sendUdp(requestText({ ...parts, more: [`X-Ask: ${what}`] }), port);
  const { first } = await client.until((answer) => answer.first.startsWith('SIP/2.0 200'), 15_000);
  await client.stop();
  return first.slice('SIP/2.0 200 '.length);
}

interface Configured {
  domain: string;
  password: string;
  port: number;
  database: string;
}

function configuration({ domain, password, port, database }: Configured): string {
  const modules =
    'tm sl pv rr maxfwd textops siputils auth db_sqlite usrloc registrar presence presence_reginfo pua pua_reginfo';
  const own = `sip:127.0.0.1:${port}`;
  return `#!KAMAILIO
log_stderror=yes
debug=1
children=2
tcp_children=2
auto_aliases=no
alias="${domain}"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${modules
  .split(' ')
  .map((name) => `loadmodule "${name}.so"`)
  .join('\n')}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 60)
modparam("presence|pua", "db_url", "sqlite://${database}")
modparam("presence", "server_address", "${own}")
modparam("presence", "subs_db_mode", 0)
modparam("pua_reginfo", "server_address", "${own}")
modparam("pua_reginfo", "default_domain", "${domain}")
modparam("pua_reginfo", "outbound_proxy", "${own}")
modparam("pua", "outbound_proxy", "${own}")

request_route {
  if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
  force_rport();
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("INFO") && $hdr(X-Ask) == "unregister") { unregister("location", "$ru"); sl_send_reply("200", "OK"); exit; }
  if (is_method("INFO")) {
    $var(count) = 0;
    if (reg_fetch_contacts("location", "$ru", "callee")) $var(count) = $(ulc(callee=>count));
    sl_send_reply("200", "$var(count)");
    exit;
  }
  if (is_method("PUBLISH") && src_ip == 127.0.0.1) { if (t_newtran()) handle_publish(); exit; }
  if (is_method("REGISTER|SUBSCRIBE")) {
    if (!pv_www_authenticate("$fd", "${password}", "0")) { www_challenge("$fd", "0"); exit; }
    consume_credentials();
    if (is_method("SUBSCRIBE")) { if (t_newtran()) handle_subscribe(); exit; }
    if (!save("location")) sl_reply_error();
    exit;
  }
  if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
  t_relay();
}
`;
}
