// sendsms requests as fast as they are answered, or paced: keep-alive connections with one request under way on each (Kannel
// forgets what is pipelined until more comes). On bare sockets: Node's own client costs more than what is measured.
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

const connections = 64;

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
    let answer = '';
    const next = () => {
      const n = take();
      if (n !== undefined) return send(socket, load, n, startedAt);
      socket.end();
      resolve();
    };
    socket.on('connect', next).on('error', reject);
    socket.on('close', () => reject(new Error('sendsms: the connection was closed')));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      const head = answer.indexOf('\r\n\r\n') + 4;
      const length = Number(/^content-length: *(\d+)/im.exec(answer)?.[1] ?? 0);
      if (head < 4 || answer.length < head + length) return;
      if (!answer.startsWith('HTTP/1.1 202')) reject(new Error(`sendsms: ${answer.slice(0, 300)}`));
      answer = '';
      next();
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
