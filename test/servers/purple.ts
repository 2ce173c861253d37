// libpurple's SIMPLE client (Debian bitlbee-libpurple), the one in Pidgin, told over IRC what to do.
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePorts, startServer, temporaryFolder, until } from './process.ts';

export interface Purple {
  /** What it said over IRC. */
  output(): string;
  /** A command of BitlBee: `add simple alice@gw.example`. */
  command(text: string): void;
  /** Writes to a contact by the name that it was given. */
  write(nick: string, text: string): void;
  /** Resolves when it has said something that matches; a command is repeated meanwhile. */
  says(matches: RegExp, what: string, ask?: string): Promise<string>;
  stop(): Promise<void>;
}

/** Logs in over UDP at that port of loopback. */
export async function startPurple(aor: string, password: string, server: number): Promise<Purple> {
  const [port = 0] = await freePorts(1);
  const { path, remove } = temporaryFolder('purple');
  const file = join(path, 'bitlbee.conf');
  writeFileSync(file, '[settings]\nAuthMode = Open\n');
  const args = [
    '-F',
    '-n',
    '-i',
    '127.0.0.1',
    '-p',
    String(port),
    '-c',
    file,
    '-d',
    `${path}/`,
    '-P',
    join(path, 'pid'),
  ];
  const daemon = await startServer('/usr/sbin/bitlbee', { args, ports: [port], env: { HOME: path } });
  const socket = connect(port, '127.0.0.1');
  let output = '';
  socket.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-65_536);
  });
  socket.on('error', () => {});
  const tell = (line: string) => void socket.write(`${line}\r\n`);
  const command = (text: string) => tell(`PRIVMSG &bitlbee :${text}`);
  const says: Purple['says'] = async (matches, what, ask) => {
    const isSaid = () => {
      if (ask !== undefined) command(ask);
      return matches.test(output);
    };
    await until(isSaid, what, 20_000).catch((error: Error) => {
      throw new Error(`${error.message}\n${output.slice(-1000)}`);
    });
    return matches.exec(output)?.[0] ?? '';
  };
  tell('NICK tester');
  tell('USER tester * * :tester');
  await says(/Welcome to the BitlBee gateway/, 'BitlBee is there');
  command(`account add simple ${aor.slice('sip:'.length)} ${password}`);
  for (const setting of [`port ${server}`, 'udp true']) command(`account simple set ${setting}`);
  command('account simple on');
  await says(/Logged in/, 'libpurple is logged in');
  return {
    output: () => output,
    command,
    write: (nick, text) => tell(`PRIVMSG ${nick} :${text}`),
    says,
    async stop() {
      tell('QUIT');
      await new Promise((resolve) => socket.once('close', resolve).setTimeout(3000, () => socket.destroy()));
      await daemon.stop();
      remove();
    },
  };
}
