// `dragoman capture <instance>`: what crosses its connections, as a file that Wireshark reads.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
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
  const stream = await client.stream(`/api/capture/${encodeURIComponent(instance)}?${query}`);
  if (flags.out === '-') {
    await pipeline(untilInterrupted(stream), process.stdout);
    return;
  }
  // What is in it is nobody else's business.
  const file = createWriteStream(flags.out, { mode: 0o600 });
  await pipeline(untilInterrupted(stream), file);
  const { bytesWritten: bytes } = file;
  print({ file: flags.out, bytes }, () => `${flags.out}: ${bytes} bytes\n`);
}

/** Ctrl-C ends a capture as its time does: what came so far is written. */
async function* untilInterrupted(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const interrupted = once(process, 'SIGINT').then(() => undefined);
  for (;;) {
    const read = await Promise.race([reader.read(), interrupted]);
    if (read?.value === undefined) break;
    yield read.value;
  }
  await reader.cancel();
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
