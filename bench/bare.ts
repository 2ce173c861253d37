// The bare limit: the same codecs with no hub between them. An XMPP stream in, submit_sm out, nothing kept anywhere.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { decode, encode, Framer, isFault } from '../adapters/smpp/codec/index.ts';
import { childOf, textOf, type XmlElement } from '../src/formats/xml.ts';
import { XmlStream } from '../src/formats/xml-stream.ts';

const [xmppPort = 0, smscPort = 0] = process.argv.slice(2).map(Number);
const domain = 'bare.bench.example';
let sequence = 1;
let joined: Buffer[] = [];

const smsc = connect(smscPort, '127.0.0.1', () => {
  smsc.setNoDelay(true);
  smsc.write(
    encode({
      command: 'bind_transceiver',
      sequence_number: sequence++,
      body: { system_id: 'bare', interface_version: 0x34 },
    }),
  );
});
const framer = new Framer();
smsc.on('data', (chunk) => {
  for (const frame of framer.push(chunk)) {
    const pdu = decode(frame);
    if (!isFault(pdu) && pdu.command === 'bind_transceiver_resp') attach();
  }
});

function attach(): void {
  const server = connect(xmppPort, '127.0.0.1', () => {
    server.setNoDelay(true);
    server.write(
      `<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}'>`,
    );
  });
  const stream = new XmlStream({
    onOpen: ({ attributes }) => {
      const secret = createHash('sha1').update(`${attributes.id}bench`).digest('hex');
      server.write(`<handshake>${secret}</handshake>`);
    },
    onStanza: (stanza) => (stanza.name === 'message' ? relay(stanza) : process.send?.({ answer: 'ready', port: 0 })),
    onSkipped: () => {},
    onEnd: () => {},
  });
  server.on('data', (chunk) => stream.write(chunk));
}

function relay(stanza: XmlElement): void {
  if (joined.length === 0) setImmediate(flush);
  const body = {
    source_addr: '447700900001',
    destination_addr: stanza.attributes.to?.split('@')[0]?.slice(1) ?? '',
    short_message: Buffer.from(textOf(childOf(stanza, 'body')).replaceAll('@', '\0'), 'latin1'),
  };
  joined.push(encode({ command: 'submit_sm', sequence_number: sequence++, body }));
}

function flush(): void {
  smsc.write(Buffer.concat(joined));
  joined = [];
}

process.on('disconnect', () => process.exit());
