// An XMPP server whose people let everybody watch them: a canned handshake, `subscribed` and a first presence for whoever asks,
// and on demand a change of theirs told to each.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

const header =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='bench' from='bench'>";

export class XmppPeople {
  readonly #server = createServer((socket) => this.#attach(socket));
  /** Who watches whom: full JID of the watched, bare JID of the watcher. */
  readonly #watched: Array<readonly [person: string, watcher: string]> = [];
  #socket: Socket | undefined;

  /** Resolves with the port. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** Each of them says `note` to each who watches; resolves when all of it is on its way. */
  async say(note: string): Promise<void> {
    for (let first = 0; first < this.#watched.length; first += 100) {
      const some = this.#watched.slice(first, first + 100);
      if (!this.#socket?.write(some.map(([person, watcher]) => presence(person, watcher, note)).join('')))
        await once(this.#socket as Socket, 'drain');
    }
  }

  stop(): void {
    this.#socket?.destroy();
    this.#server.close();
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('<stream:stream')) {
        socket.write(header);
        text = text.slice(text.indexOf('>', text.indexOf('<stream:stream')) + 1);
      }
      const end = text.lastIndexOf('>') + 1;
      socket.write(this.#answersTo(text.slice(0, end)));
      text = text.slice(end);
    });
  }

  #answersTo(text: string): string {
    let answers = text.includes('<handshake') ? '<handshake/>' : '';
    for (const [tag, name] of text.matchAll(/<(presence|iq)\s[^>]*>/g)) {
      const [type, id, from, to] = ['type', 'id', 'from', 'to'].map((key) => attribute(tag, key));
      if (name === 'iq' && type === 'get') answers += `<iq type='result' id='${id}' from='${to}' to='${from}'/>`;
      if (name !== 'presence' || type !== 'subscribe') continue;
      const [person, watcher] = [`${to}/desk`, from ?? ''];
      this.#watched.push([person, watcher]);
      answers += `<presence type='subscribed' from='${to}' to='${watcher}'/>${presence(person, watcher, 'here')}`;
    }
    return answers;
  }
}

function attribute(tag: string, name: string): string {
  return new RegExp(`\\s${name}=['"]([^'"]*)`).exec(tag)?.[1] ?? '';
}

function presence(person: string, watcher: string, note: string): string {
  return `<presence from='${person}' to='${watcher}'><show>away</show><status>${note}</status></presence>`;
}
