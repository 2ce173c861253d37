// The leanest XMPP server that a component can attach to: canned handshake, pings answered, stanzas counted and poured.
// A stand-in for Prosody in the bench only, so that Prosody's own limit (7,000/s) does not hide the gateway's.
import { createServer, type Socket } from 'node:net';
import { delay, type Load, Meter, ready, runLoad } from './peer.ts';

const header =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='bench' from='bench'>";
const meter = new Meter();
const sockets = new Map<string, Socket>();

const server = createServer((socket) => {
  socket.setNoDelay(true);
  let rest = '';
  let domain = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    rest += chunk.toString('latin1');
    if (domain === '') {
      const to = /<stream:stream[^>]*\sto=['"]([^'"]+)['"]/.exec(rest)?.[1];
      if (to === undefined) return;
      domain = to;
      sockets.set(domain, socket);
      rest = rest.slice(rest.indexOf('>', rest.indexOf('<stream:stream')) + 1);
      socket.write(header);
    }
    rest = take(socket, rest);
  });
});

/** Answers and counts every whole stanza; returns what is left of the text. */
function take(socket: Socket, text: string): string {
  let at = 0;
  let answers = '';
  for (;;) {
    const start = text.indexOf('<', at);
    if (start < 0) break;
    const name = /^<(\w+)/.exec(text.slice(start, start + 20))?.[1];
    if (name === undefined) break;
    const selfClosed = /^<[^<>]*\/>/.exec(text.slice(start))?.[0];
    const closing = `</${name}>`;
    const end = selfClosed ? start + selfClosed.length : text.indexOf(closing, start) + closing.length;
    if (!selfClosed && end < start + closing.length) break;
    const stanza = text.slice(start, end);
    at = end;
    if (name === 'handshake') answers += '<handshake/>';
    else if (name === 'message' && stanza.includes('<body')) meter.arrived(stanza);
    else if (name === 'iq') answers += answer(stanza);
  }
  if (answers !== '') socket.write(answers);
  return text.slice(at);
}

function answer(stanza: string): string {
  const attribute = (name: string) => new RegExp(`\\s${name}=['"]([^'"]*)`).exec(stanza)?.[1] ?? '';
  if (!/type=['"]get/.test(stanza)) return '';
  return `<iq type='result' id='${attribute('id')}' from='${attribute('to')}' to='${attribute('from')}'/>`;
}

async function pour({ to, count, perSecond }: Load): Promise<void> {
  await runLoad(count, perSecond, async (first, howMany) => {
    let out = '';
    const domain = to.slice(to.indexOf('@') + 1);
    const socket = sockets.get(domain);
    if (!socket) throw new Error(`no component for ${domain}`);
    for (let n = first; n < first + howMany; n++) {
      const recipient = to.replace('#', String(10_000 + (n % 500)));
      out += `<message from='alice@bench.example/x' to='${recipient}' id='m${n}' type='chat'><body>${meter.text(n)}</body><request xmlns='urn:xmpp:receipts'/></message>`;
    }
    if (!socket.write(out)) await new Promise((resolve) => socket.once('drain', resolve));
    await delay(0);
  });
}

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => ready(server, meter, pour));
