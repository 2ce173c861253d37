// Phones that watch: SUBSCRIBE and its refreshes, each NOTIFY answered, and what was told to whom.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

interface Watch {
  /** Of the other side, once it has answered. */
  tag: string;
  cseq: number;
  answered: (() => void) | undefined;
  /** The body that came last, and the last note in it. */
  told: string;
  note: string;
}

export class SipWatchers {
  readonly #socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
  readonly #watches = new Map<number, Watch>();
  readonly #seen = new Set<string>();
  /** Each NOTIFY once. */
  notified = 0;
  /** The very same again: nobody had heard our answer in time. */
  copies = 0;
  /** Another NOTIFY with the same document. */
  repeats = 0;

  async listen(): Promise<void> {
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
    this.#socket.on('message', (bytes, { port }) => this.#hear(bytes.toString('latin1'), port));
  }

  /** Begins, or refreshes, the subscription of a watcher; resolves with its 2xx. */
  subscribe(each: number, port: number): Promise<void> {
    const watch = this.#watches.get(each) ?? { tag: '', cseq: 0, answered: undefined, told: '', note: '' };
    this.#watches.set(each, watch);
    watch.cseq++;
    const own = this.#socket.address().port;
    const person = `sip:person${Math.floor(each / 10)}%40xmpp.example@gw.example`;
    const lines = [
      `SUBSCRIBE ${person} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${own};branch=z9hG4bKw${each}.${watch.cseq};rport`,
      'Max-Forwards: 70',
      `From: <sip:w${each}@other.example>;tag=f${each}`,
      `To: <${person}>${watch.tag === '' ? '' : `;tag=${watch.tag}`}`,
      `Call-ID: w${each}@127.0.0.1`,
      `CSeq: ${watch.cseq} SUBSCRIBE`,
      `Contact: <sip:w${each}@127.0.0.1:${own}>`,
      'Event: presence',
      'Accept: application/pidf+xml',
      'Expires: 3600',
    ];
    const text = `${lines.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`;
    return new Promise((resolve) => {
      const send = () => this.#socket.send(text, port, '127.0.0.1');
      const again = setInterval(send, 2000);
      watch.answered = () => {
        clearInterval(again);
        resolve();
      };
      send();
    });
  }

  /** How many know that note. */
  knowing(note: string): number {
    let count = 0;
    for (const watch of this.#watches.values()) if (watch.note === note) count++;
    return count;
  }

  forgetCounts(): void {
    this.notified = this.copies = this.repeats = 0;
    this.#seen.clear();
  }

  stop(): void {
    this.#socket.close();
  }

  #hear(text: string, port: number): void {
    const [head = '', body = ''] = text.split('\r\n\r\n');
    const watch = this.#watches.get(Number(/^Call-ID: w(\d+)@/m.exec(head)?.[1]));
    if (!watch) return;
    if (!head.startsWith('NOTIFY ')) {
      watch.tag = /^To:.*;tag=([^;\r]+)/m.exec(head)?.[1] ?? watch.tag;
      watch.answered?.();
      return;
    }
    const copied = head.match(/^(?:Via|From|To|Call-ID|CSeq):.*$/gm)?.join('\r\n') ?? '';
    this.#socket.send(`SIP/2.0 200 OK\r\n${copied}\r\nContent-Length: 0\r\n\r\n`, port, '127.0.0.1');
    const branch = /branch=([^;\r]+)/.exec(head)?.[1] ?? '';
    if (this.#seen.has(branch)) {
      this.copies++;
      return;
    }
    this.#seen.add(branch);
    this.notified++;
    if (body !== '' && body === watch.told) this.repeats++;
    watch.told = body;
    watch.note = /<(?:\w+:)?note[^>]*>([^<]*)</.exec(body)?.[1] ?? watch.note;
  }
}
