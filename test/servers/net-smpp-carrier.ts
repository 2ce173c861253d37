// A carrier with telephones on Net::SMPP (Debian's libnet-smpp-perl): what was submitted to it, field by field as Perl read it.
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts, startServer } from './process.ts';

/** The fields of a submit_sm as Net::SMPP names them; short_message in hexadecimal, `id` as it was answered. */
export interface PerlSubmit {
  readonly [field: string]: string | number;
  readonly id: string;
  readonly source_addr: string;
  readonly source_addr_ton: number;
  readonly destination_addr: string;
  readonly esm_class: number;
  readonly data_coding: number;
  readonly short_message: string;
  readonly validity_period: string;
}

export interface PerlCarrier {
  readonly port: number;
  readonly submits: PerlSubmit[];
  /** The command_status of each deliver_sm_resp. */
  readonly answers: number[];
  /** A telephone (a short code, a name with `_` for a space) writes in characters that ASCII and GSM share, or UCS-2 if others are in it. */
  say(from: string, to: string, text: string): void;
  stop(): Promise<void>;
  /** Again on the same port, after a stop. */
  restart(): Promise<void>;
}

const script = join(import.meta.dirname, 'net-smpp-carrier.pl');

/** Needs libnet-smpp-perl (see debian.ts). `before`: its ids count on from there; default: from the time of day. */
export async function startPerlCarrier(before?: number): Promise<PerlCarrier> {
  const [port = 0] = await freePorts(1);
  const submits: PerlSubmit[] = [];
  const answers: number[] = [];
  const start = async () => {
    const server = await startServer('/usr/bin/perl', {
      args: [script, String(port), ...(before === undefined ? [] : [String(before)])],
      readyLine: /listening/,
      hasInput: true,
    });
    if (!server.child.stdout) throw new Error('a server has an output');
    createInterface({ input: server.child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) submits.push(JSON.parse(line) as PerlSubmit);
      if (line.startsWith('answer ')) answers.push(Number.parseInt(line.slice(7), 16));
    });
    return server;
  };
  let server = await start();
  return {
    port,
    submits,
    answers,
    say(from, to, text) {
      const isPlain = /^[ -#%-?A-Za-z\n]*$/.test(text);
      const octets = isPlain ? Buffer.from(text, 'latin1') : Buffer.from(text, 'utf16le').swap16();
      server.child.stdin?.write(`${from} ${to} ${octets.toString('hex')} ${isPlain ? 0 : 8}\n`);
    },
    stop: () => server.stop(),
    async restart() {
      server = await start();
    },
  };
}

/** What a phone shows of one part, header taken off; the default alphabet as far as it is ASCII, and UCS-2. */
export function textOf({ esm_class, data_coding, short_message }: PerlSubmit): string {
  const octets = Buffer.from(short_message, 'hex');
  const body = (esm_class & 0x40) === 0 ? octets : octets.subarray(1 + (octets[0] ?? 0));
  const isWide = data_coding === 8 || (data_coding & 0xfc) === 0x18;
  return isWide ? Buffer.from(body).swap16().toString('utf16le') : body.toString('latin1');
}
