// linphone-daemon (Debian linphone-cli): a real phone without sound or screen, told what to do over its standard input.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, temporaryFolder, until } from './process.ts';

export interface Linphone {
  /** Everything it printed. */
  output(): string;
  /** Registers at a server over UDP; resolves when it says that it is. */
  register(aor: string, server: string, password?: string): Promise<void>;
  /** Resolves with what it prints of the next event that matches. */
  event(matches: RegExp, timeoutMs?: number): Promise<string>;
  stop(): Promise<void>;
}

export async function startLinphone(): Promise<Linphone> {
  const [port = 0] = await freePorts(1);
  const folder = temporaryFolder('linphone');
  mkdirSync(join(folder.path, '.local/share/linphone'), { recursive: true });
  const config = join(folder.path, 'linphonerc');
  writeFileSync(
    config,
    `[sip]\nsip_port=${port}\nsip_tcp_port=0\nsip_tls_port=0\nguess_hostname=0\nverify_server_certs=0\n`,
  );
  const child = spawn('/usr/bin/linphone-daemon', ['--config', config], {
    env: { ...process.env, HOME: folder.path, XDG_DATA_HOME: join(folder.path, '.local/share') },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-65_536);
  });
  child.stdin.on('error', () => {});
  const tell = (line: string) => void child.stdin.write(`${line}\n`);
  return {
    output: () => output,
    async register(aor, server, password = 'NULL') {
      const [user = 'NULL', realm = 'NULL'] = aor.slice('sip:'.length).split('@');
      tell(`register ${aor} ${server} ${password} ${user} ${realm}`);
      const isRegistered = () => {
        tell('register-status ALL');
        return /LinphoneRegistrationOk/.test(output);
      };
      await until(isRegistered, 'Linphone is registered', 10_000);
    },
    async event(matches, timeoutMs = 15_000) {
      const isThere = () => {
        tell('pop-event');
        return matches.test(output);
      };
      await until(isThere, `Linphone says ${matches}`, timeoutMs);
      return matches.exec(output)?.[0] ?? '';
    },
    async stop() {
      tell('quit');
      const force = setTimeout(() => child.kill('SIGKILL'), 3000);
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      clearTimeout(force);
      folder.remove();
    },
  };
}
