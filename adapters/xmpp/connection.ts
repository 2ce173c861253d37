// One life of a component stream (XEP-0114 s.3): TCP or TLS, header, handshake, stanzas, end. Writes of one turn are
// joined, and wait for the socket to drain.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Trace } from '../../src/contract/index.ts';
import { serializeXml, type XmlElement, XmlError, type XmlLimits } from '../../src/formats/xml.ts';
import { type StanzaHead, type StreamHeader, XmlStream } from '../../src/formats/xml-stream.ts';
import { readPems } from '../../src/guards/pem.ts';
import type { Clock } from './clock.ts';
import { ns } from './codec/namespaces.ts';
import { encodeHandshake, encodeHeader, encodeStreamError, readStreamError, streamEnd } from './codec/stream.ts';
import { wireUnit } from './trace.ts';

export interface ConnectionOptions {
  host: string;
  port: number;
  tls:
    | boolean
    | { ca?: string | undefined; servername?: string | undefined; cert?: string | undefined; key?: string | undefined };
  domain: string;
  secret: string;
  connectTimeoutMs: number;
  limits: XmlLimits;
}

/** Why a stream ended. */
export interface Ending {
  /** The server's stream error, a socket's code (`ECONNREFUSED`), or ours: timeout closed unreadable no-component-port. */
  condition: string;
  why: string;
}

export interface ConnectionEvents {
  /** The handshake was accepted. */
  onUp(): void;
  onStanza(stanza: XmlElement): void;
  onSkipped(stanza: StanzaHead, why: XmlError): void;
  /** Before each write to the socket: what shall go with it. */
  onFlush(): string;
  /** Where every stanza goes while somebody captures. */
  readonly trace?: Pick<Trace, 'wire'> | undefined;
  /** Once, and nothing after it. */
  onEnd(ending: Ending): void;
}

const goodbyeMs = 2000;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #clock: Clock;
  readonly #socket: Socket;
  readonly #stream: XmlStream;
  #phase: 'opening' | 'handshake' | 'up' | 'closing' | 'ended' = 'opening';
  #cancelTimeout: () => void;
  #out: string[] = [];
  #outLength = 0;
  #isFlushDue = false;

  constructor(options: ConnectionOptions, events: ConnectionEvents, clock: Clock) {
    this.#options = options;
    this.#events = events;
    this.#clock = clock;
    this.#stream = new XmlStream(
      {
        onOpen: (header) => this.#onHeader(header),
        onStanza: (stanza) => this.#onElement(stanza),
        onSkipped: (stanza, why) => this.#phase === 'up' && events.onSkipped(stanza, why),
        onEnd: () => this.#end({ condition: 'closed', why: 'the server ended the stream' }),
      },
      options.limits,
    );
    this.#cancelTimeout = clock.after(options.connectTimeoutMs, () =>
      this.destroy({ condition: 'timeout', why: `no accepted handshake in ${options.connectTimeoutMs} ms` }),
    );
    this.#socket = open(options, () => this.#socket.write(encodeHeader(options.domain)));
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('drain', () => this.#flush());
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#end({ condition: error.code ?? 'error', why: error.message }),
    );
    this.#socket.on('close', () => this.#end({ condition: 'closed', why: 'the connection was closed' }));
  }

  /** UTF-16 units that wait for the socket. */
  get backlog(): number {
    return this.#outLength + this.#socket.writableLength;
  }

  write(stanza: string): void {
    this.#out.push(stanza);
    this.#outLength += stanza.length;
    this.flushSoon();
  }

  /** A write is due at the end of this turn, of what is waiting and what onFlush adds. */
  flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the stream politely: what waits is written, and the server may have its last word. */
  close(): void {
    if (this.#phase === 'closing' || this.#phase === 'ended') return;
    if (this.#phase !== 'up') {
      this.destroy({ condition: 'closed', why: 'stopped' });
      return;
    }
    this.#socket.resume();
    this.#flush();
    this.#phase = 'closing';
    this.#socket.end(this.#out.splice(0).join('') + streamEnd);
    this.#cancelTimeout = this.#clock.after(goodbyeMs, () => this.destroy({ condition: 'closed', why: 'stopped' }));
  }

  destroy(ending: Ending): void {
    this.#end(ending);
  }

  #onData(chunk: Buffer): void {
    if (this.#phase === 'ended') return;
    try {
      this.#stream.write(chunk);
    } catch (error) {
      if (!(error instanceof XmlError)) throw error;
      if (!this.#socket.destroyed) this.#socket.write(encodeStreamError(error.condition));
      this.#end({ condition: 'unreadable', why: error.message });
    }
  }

  #onHeader({ name, ns: namespace, contentNs, attributes }: StreamHeader): void {
    if (name !== 'stream' || namespace !== ns.stream || contentNs !== ns.component) {
      this.#end({ condition: 'no-component-port', why: `this is no component port: its stream is of ${contentNs}` });
      return;
    }
    if (this.#phase !== 'opening') return;
    // Prosody opens its stream without an id when it is going to refuse the host.
    if (!attributes.id) return;
    this.#phase = 'handshake';
    this.#socket.write(encodeHandshake(attributes.id, this.#options.secret));
  }

  #onElement(element: XmlElement): void {
    if (this.#phase === 'ended') return;
    if (element.ns === ns.stream && element.name === 'error') {
      const { condition, text } = readStreamError(element);
      this.#end({ condition, why: text === '' ? condition : `${condition}: ${text}` });
    } else if (this.#phase === 'up' || this.#phase === 'closing') {
      this.#events.trace?.wire?.(wireUnit(this.#socket, 'inbound', serializeXml(element, ns.component)));
      this.#events.onStanza(element);
    } else if (this.#phase === 'handshake' && element.name === 'handshake') {
      this.#cancelTimeout();
      this.#phase = 'up';
      this.#events.onUp();
    }
  }

  #flush(): void {
    if (this.#phase !== 'up' || this.#socket.writableNeedDrain) return;
    const last = this.#events.onFlush();
    if (this.#out.length === 0 && last === '') return;
    const text = this.#out.join('') + last;
    this.#events.trace?.wire?.(wireUnit(this.#socket, 'outbound', text));
    this.#out = [];
    this.#outLength = 0;
    this.#socket.write(text);
  }

  #end(ending: Ending): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#cancelTimeout();
    this.#out = [];
    this.#socket.destroySoon();
    // A peer that reads nothing would keep the socket for ever.
    const cancel = this.#clock.after(goodbyeMs, () => this.#socket.destroy());
    this.#socket.once('close', cancel);
    this.#events.onEnd(ending);
  }
}

function open({ host, port, tls }: ConnectionOptions, onConnected: () => void): Socket {
  if (tls === false) return connectTcp({ host, port }, onConnected);
  const { servername, ...files } = tls === true ? {} : tls;
  return connectTls(
    {
      host,
      port,
      // A certificate may name an address, SNI may not (RFC 6066 s.3).
      servername: servername ?? (isIP(host) === 0 ? host : ''),
      ...readPems(files),
    },
    onConnected,
  );
}
