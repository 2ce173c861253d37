// sendsms requests as fast as they are answered, or paced: keep-alive connections with a few requests under way on each. On
// bare sockets: Node's own client costs more than what is measured.
import { connect, type Socket } from 'node:net';
import { Meter } from './peers/peer.ts';

export interface HttpLoad {
  port: number;
  /** `username=...&password=...` */
  login: string;
  count: number;
  /** 0: as fast as they are answered. */
  perSecond: number;
  /** Further parameters. */
  more?: string;
}

const connections = 16;
const depth = 4;

/** Resolves when every request was answered 202; rejects at any other answer. */
export async function pourHttp(load: HttpLoad): Promise<void> {
  const startedAt = performance.now();
  let next = 0;
  const take = () => (next < load.count ? next++ : undefined);
  await Promise.all(Array.from({ length: connections }, () => pourOne(load, take, startedAt)));
}

function pourOne(load: HttpLoad, take: () => number | undefined, startedAt: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(load.port, '127.0.0.1').setNoDelay(true);
    let underWay = 0;
    let rest = '';
    const fill = () => {
      for (; underWay < depth; underWay++) {
        const n = take();
        if (n === undefined) break;
        send(socket, load, n, startedAt);
      }
      if (underWay > 0) return;
      socket.end();
      resolve();
    };
    socket.on('connect', fill).on('error', reject);
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1');
      const parts = rest.split('HTTP/1.1 ');
      for (const part of parts.slice(1)) {
        if (part.startsWith('202')) underWay--;
        else if (part.length >= 3) reject(new Error(`sendsms: ${part.slice(0, 300)}`));
      }
      const last = parts.at(-1) ?? '';
      rest = last.length < 3 && parts.length > 1 ? `HTTP/1.1 ${last}` : '';
      fill();
    });
  });
}

const meter = new Meter();

function send(socket: Socket, { port, login, perSecond, more = '' }: HttpLoad, n: number, startedAt: number): void {
  const write = () => {
    const text = encodeURIComponent(meter.text(n));
    const to = `%2B4477009${10_000 + (n % 500)}`;
    const path = `/cgi-bin/sendsms?${login}&from=88222&to=${to}&text=${text}${more}`;
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  };
  const due = perSecond === 0 ? 0 : startedAt + (n / perSecond) * 1000 - performance.now();
  if (due > 1) setTimeout(write, due);
  else write();
}
