// `dragoman replay <file>`: plays the far end of captured connections again, to us or to any other that shall show the same fault.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import type { Command } from 'commander';
import { CaptureFileError } from '../formats/pcapng.ts';
import { loadAdapter } from '../loader.ts';
import { type Conversation, conversationsIn } from './conversations.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { type Line, type Played, play } from './player.ts';

interface ReplayFlags {
  to?: string;
  listen?: string;
}

export function addReplay(program: Command): void {
  program
    .command('replay <file>')
    .description('play the far end of what `capture` wrote, so that a fault shows again')
    .option('--to <host:port>', 'connect there: the far end was a client (an ESME, a phone)')
    .option('--listen <host:port>', 'wait there for each connection: the far end was a server (an SMS centre)')
    .addHelpText(
      'after',
      '\n  dragoman replay esme.pcapng --to 127.0.0.1:2775\n  dragoman replay carrier.pcapng --listen 127.0.0.1:2776',
    )
    .action(replay);
}

async function replay(file: string, { to, listen }: ReplayFlags): Promise<void> {
  if ((to === undefined) === (listen === undefined))
    throw new CommandError('say either --to or --listen', exitCodes.usage);
  const { protocol, conversations } = read(file);
  const { replay: follow } = await loadAdapter(protocol);
  const run = async (line: Line, conversation: Conversation) => {
    const recorded = conversation.messages.filter(({ direction }) => direction === 'outbound');
    report(conversation, await play(conversation.messages, line, follow?.(recorded.map(({ bytes }) => bytes))));
  };
  if (to !== undefined) await connectEach(to, conversations, run);
  else await awaitEach(listen ?? '', conversations, run);
}

type Run = (line: Line, conversation: Conversation) => Promise<void>;

function read(file: string): { protocol: string; conversations: Conversation[] } {
  try {
    const { protocol, conversations } = conversationsIn(readFileSync(file));
    const spoken = conversations.filter(({ messages }) => messages.some(({ direction }) => direction === 'inbound'));
    if (spoken.length === 0) throw new CaptureFileError('the far end says nothing in it');
    return { protocol, conversations: spoken };
  } catch (error) {
    throw new CommandError(`${file}: ${(error as Error).message}`, exitCodes.usage);
  }
}

async function connectEach(to: string, conversations: readonly Conversation[], run: Run): Promise<void> {
  const { host, port } = endOf(to);
  const each = conversations.map(async (conversation) =>
    run(conversation.transport === 'udp' ? await overUdp(host, port) : await overTcp(host, port), conversation),
  );
  await Promise.all(each);
}

async function awaitEach(listen: string, conversations: readonly Conversation[], run: Run): Promise<void> {
  const { host, port } = endOf(listen);
  if (conversations.some(({ transport }) => transport === 'udp'))
    throw new CommandError('what was said over UDP is replayed with --to', exitCodes.usage);
  const server = createServer();
  server.listen(port, host);
  await once(server, 'listening');
  const running: Promise<void>[] = [];
  for (const conversation of conversations) {
    const [socket] = (await once(server, 'connection')) as [Socket];
    running.push(run(lineOf(socket), conversation));
  }
  server.close();
  await Promise.all(running);
}

function endOf(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === '') throw new CommandError(`${text}: write host:port`, exitCodes.usage);
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

function nobodyAt(host: string, port: number, { message }: Error): CommandError {
  return new CommandError(`${host}:${port}: ${message}`, exitCodes.unreachable);
}

async function overTcp(host: string, port: number): Promise<Line> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, 'connect').catch((error: Error) => {
    throw nobodyAt(host, port, error);
  });
  return lineOf(socket);
}

function lineOf(socket: Socket): Line {
  socket.on('error', () => {});
  return {
    send: (bytes) => void socket.write(bytes),
    onData: (heard) => void socket.on('data', heard),
    onClosed: (closed) => void socket.on('close', closed),
    close: () => void socket.end(),
  };
}

async function overUdp(host: string, port: number): Promise<Line> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => {});
  socket.connect(port, host);
  await once(socket, 'connect').catch((error: Error) => {
    // Else it would stay open, and we with it.
    socket.close();
    throw nobodyAt(host, port, error);
  });
  return {
    send: (bytes) => socket.send(bytes),
    onData: (heard) => void socket.on('message', heard),
    onClosed: () => {},
    close: () => void socket.close(),
  };
}

function report({ transport, remote, messages }: Conversation, played: Played): void {
  const said = messages.filter(({ direction }) => direction === 'inbound').length;
  const end = played.isCut ? '; the connection was closed before the end' : '';
  const missed = played.isShort ? '; less was answered than was recorded' : '';
  process.stdout.write(
    `${transport} ${remote.address}:${remote.port}: said ${played.sent} of ${said}${missed}${end}\n`,
  );
}
