// `dragoman capture <instance>`: what crosses its connections, as a file that Wireshark reads.
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { duration } from '../config/units.ts';
import { asking, asks } from './asks.ts';

interface CaptureFlags {
  out: string;
  for: number;
  max: number;
  bodies?: boolean;
}

const ownerOnly = 0o600;

export function addCapture(program: Command): void {
  asks(program.command('capture <instance>').description('write what crosses the connections of an instance to a file'))
    .requiredOption('--out <file>', 'where to, pcapng for Wireshark and `replay`; - is standard output')
    .option('--for <time>', 'how long, up to 1h', toMs, 60_000)
    .option('--max <megabytes>', 'how much, up to 1000', toBytes, 64_000_000)
    .option('--bodies', 'with what people wrote; else it is blotted out, as passwords always are')
    .addHelpText(
      'after',
      '\n  dragoman capture carrier --for 5m --out carrier.pcapng\n  dragoman capture carrier --out - | wireshark -k -i -',
    )
    .action(capture);
}

async function capture(instance: string, flags: CaptureFlags, command: Command): Promise<void> {
  const { client, print } = asking(command);
  const query = new URLSearchParams({
    seconds: String(flags.for / 1000),
    bytes: String(flags.max),
    bodies: String(flags.bodies === true),
  });
  const reader = (await client.stream(`/api/capture/${encodeURIComponent(instance)}?${query}`)).getReader();
  // Ctrl-C ends a capture as its time does: what came so far is written.
  const end = () => void reader.cancel();
  process.once('SIGINT', end);
  try {
    if (flags.out === '-') {
      await pipeline(chunksOf(reader), process.stdout);
      return;
    }
    // A pipeline waits for what its source is reading; of a full disk nobody would hear before the next packet.
    const file = (await openForOwner(flags.out)).createWriteStream().once('error', end);
    await pipeline(chunksOf(reader), file);
    const { bytesWritten: bytes } = file;
    print({ file: flags.out, bytes }, () => `${flags.out}: ${bytes} bytes\n`);
  } finally {
    await reader.cancel();
  }
}

// What is in it is nobody else's business, even where a file was that others could read.
async function openForOwner(path: string): Promise<FileHandle> {
  const file = await open(path, 'w', ownerOnly);
  if ((await file.stat()).isFile()) await file.chmod(ownerOnly);
  return file;
}

async function* chunksOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
}

function toMs(text: string): number {
  const read = duration('1s', '1h').safeParse(text);
  if (read.success) return read.data;
  throw new InvalidArgumentError(read.error.issues[0]?.message ?? '');
}

function toBytes(text: string): number {
  const megabytes = Number(text);
  if (megabytes > 0 && megabytes <= 1000) return Math.round(megabytes * 1_000_000);
  throw new InvalidArgumentError('write a number up to 1000');
}
