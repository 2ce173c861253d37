// A trunk whose provider tells what becomes of its registration: a scripted provider, on the test's clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createResponse,
  decodeMessage,
  type SipRequest,
  type SipResponse,
} from '../../../adapters/sip/codec/message.ts';
import { options } from '../../../adapters/sip/config.ts';
import { Peers } from '../../../adapters/sip/peers.ts';
import { parseRegInfo, regInfoType } from '../../../adapters/sip/presence/reg/reg-info.ts';
import type { Outgoing } from '../../../adapters/sip/requester.ts';
import { Trunk } from '../../../adapters/sip/trunk/trunk.ts';
import { fakeHub } from '../../peers/hub.ts';
import { requestText } from '../../peers/sip-peer.ts';
import { FakeClock, FakeFlow } from './fixtures.ts';
import { settled } from './watcher-fixtures.ts';

const aor = 'sip:gw@provider.example';

interface Told {
  state?: string;
  event?: string;
  more?: string;
  /** Of the registration that it speaks of. */
  cseq?: number;
  version?: number;
  isPartial?: boolean;
  subscription?: string;
  without?: boolean;
}

class Provider {
  readonly hub = fakeHub();
  readonly clock = new FakeClock();
  readonly registers: SipRequest[] = [];
  readonly subscribes: SipRequest[] = [];
  onSubscribe: (request: SipRequest) => SipResponse = (request) => createResponse(request, 200);
  readonly trunk: Trunk;
  #notifies = 0;

  constructor() {
    const send = async ({ request, prepare, onSent }: Outgoing): Promise<SipResponse> => {
      prepare?.(request, new FakeFlow(this.clock));
      onSent?.(request, new Uint8Array());
      if (request.method === 'SUBSCRIBE') {
        this.subscribes.push(request);
        return this.onSubscribe(request);
      }
      this.registers.push(request);
      const response = createResponse(request, 200);
      response.headers.add('Contact', `${request.headers.get('Contact')};expires=3600`);
      return response;
    };
    const { hub, clock } = this;
    const [trunk] = options.parse({ trunks: [{ aor, password: 'x' }] }).trunks;
    this.trunk = new Trunk(trunk!, {
      ...{ requester: { send }, wheel: clock.wheel, log: hub.log, t1Ms: 500, random: () => 1, changed: () => {} },
      peers: new Peers({ state: hub.state, now: () => clock.now, pins: [], rememberMs: 86_400_000 }),
      instanceId: async () => 'urn:uuid:1',
    });
  }

  async start(): Promise<void> {
    this.trunk.start();
    await settled();
    await this.advance(20);
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await settled();
  }

  /** In steps, between which what is not waited for is done. */
  async passHour(): Promise<void> {
    for (let minute = 0; minute < 60; minute++) await this.advance(60_000);
  }

  async notify({ state = 'active', event = 'registered', more = '', ...told }: Told = {}): Promise<number | undefined> {
    const subscribed = this.subscribes.at(-1)!.headers;
    const registered = this.registers.at(-1)!.headers;
    const cseq = told.cseq ?? Number.parseInt(registered.get('CSeq') ?? '', 10);
    const uri = /<([^>]+)>/.exec(registered.get('Contact') ?? '')?.[1];
    const contact = `<contact id="c" state="${state}" event="${event}" callid="${registered.get('Call-ID')}" cseq="${cseq}" ${more}><uri>${uri}</uri></contact>`;
    const document = `<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="${told.version ?? this.#notifies}" state="${told.isPartial ? 'partial' : 'full'}"><registration aor="${aor}" id="r" state="active">${told.without ? '' : contact}</registration></reginfo>`;
    this.#notifies++;
    const text = requestText({
      ...{ port: 5090, method: 'NOTIFY', uri: aor, from: `<${aor}>;tag=server`, cseq: this.#notifies },
      to: subscribed.get('From') ?? '',
      ...{ callId: subscribed.get('Call-ID') ?? '', type: regInfoType, body: document },
      more: [
        'Event: reg',
        `Subscription-State: ${told.subscription ?? 'active;expires=3600'}`,
        'Contact: <sip:p@192.0.2.9>',
      ],
    });
    const request = decodeMessage(Buffer.from(text)) as SipRequest;
    const answer = await this.trunk.handleNotify({ request });
    await this.advance(20);
    return answer?.status;
  }
}

async function watched(): Promise<Provider> {
  const provider = new Provider();
  await provider.start();
  await provider.notify();
  return provider;
}

test('RFC 3680 s.4.3: once it is registered, the account subscribes to itself, from its address and not from a GRUU', async () => {
  const { subscribes, registers } = await watched();
  assert.equal(subscribes.length, 1);
  const { uri, headers } = subscribes[0]!;
  assert.equal(uri, aor);
  assert.deepEqual(
    [headers.get('Event'), headers.get('Accept'), headers.get('Expires'), headers.get('Contact')],
    ['reg', regInfoType, '3761', '<sip:gw@192.0.2.1:5060>'],
  );
  assert.equal(registers.length, 1);
});

for (const event of ['deactivated', 'expired', 'unregistered', 'of-tomorrow']) {
  test(`RFC 3680 s.5.1: ${event}: it is registered anew at once, and with a pause when that happens again within a minute`, async () => {
    const provider = await watched();
    await provider.notify({ state: 'terminated', event });
    assert.equal(provider.registers.length, 2);
    assert.ok(provider.trunk.isRegistered);
    await provider.notify({ state: 'terminated', event });
    assert.equal(provider.registers.length, 2);
    assert.match(provider.trunk.why, /the provider has ended the registration/);
    await provider.advance(5100);
    assert.equal(provider.registers.length, 3);
    assert.ok(provider.trunk.isRegistered);
  });
}

test('RFC 3680 s.5.1: probation: it stays away for as long as retry-after says', async () => {
  const provider = await watched();
  await provider.notify({ state: 'terminated', event: 'probation', more: 'retry-after="300"' });
  assert.equal(provider.trunk.isRegistered, false);
  await provider.advance(299_000);
  assert.equal(provider.registers.length, 1);
  await provider.advance(1100);
  assert.equal(provider.registers.length, 2);
});

test('RFC 3680 s.5.1: rejected: it does not register again, and the operator is told', async () => {
  const provider = await watched();
  await provider.notify({ state: 'terminated', event: 'rejected', subscription: 'terminated;reason=rejected' });
  await provider.passHour();
  assert.equal(provider.registers.length, 1);
  assert.deepEqual([provider.trunk.isOpen, provider.trunk.hasFailed], [false, true]);
  assert.match(provider.trunk.why, /gw@provider\.example: the provider has ended the registration \(rejected\)/);
});

test('RFC 3680 s.5.1: shortened: it is refreshed while half of what is left is over', async () => {
  const provider = await watched();
  await provider.notify({ event: 'shortened', more: 'expires="60"' });
  await provider.advance(29_000);
  assert.equal(provider.registers.length, 1);
  await provider.advance(1100);
  assert.equal(provider.registers.length, 2);
});

test('RFC 3680 s.5.1: what was said of an older REGISTER, and of somebody else, changes nothing', async () => {
  const provider = await watched();
  await provider.notify({ state: 'terminated', event: 'deactivated', cseq: 1 });
  await provider.notify({ event: 'refreshed' });
  assert.equal(provider.registers.length, 1);
});

test('RFC 3680 s.5.1: a full document without a contact that was listed says that it is gone', async () => {
  const provider = new Provider();
  await provider.start();
  await provider.notify({ without: true });
  assert.equal(provider.registers.length, 1, 'it was not listed yet');
  await provider.notify();
  await provider.notify({ without: true });
  assert.equal(provider.registers.length, 2);
});

test('RFC 3680 s.5.2: a partial document that does not follow the last one is not believed: the full state is asked for', async () => {
  const provider = await watched();
  await provider.notify({ state: 'terminated', event: 'deactivated', version: 7, isPartial: true });
  assert.equal(provider.registers.length, 1);
  assert.equal(provider.subscribes.length, 2, 'in the same dialog');
  assert.match(provider.subscribes[1]!.headers.get('To') ?? '', /;tag=server/);
  await provider.notify({ version: 8 });
  await provider.notify({ state: 'terminated', event: 'deactivated', version: 9, isPartial: true });
  assert.equal(provider.registers.length, 2);
});

test('RFC 6665 s.4.1.2.1: a provider that knows no such event is asked once', async () => {
  for (const status of [489, 405, 403, 404, 501]) {
    const provider = new Provider();
    provider.onSubscribe = (request) => createResponse(request, status);
    await provider.start();
    await provider.passHour();
    assert.equal(provider.subscribes.length, 1, String(status));
    assert.ok(provider.registers.length > 1, 'it is registered all the same');
  }
});

test('RFC 6665 s.4.1.2.4: a provider that says yes and never tells is left alone after three attempts', async () => {
  const provider = new Provider();
  await provider.start();
  await provider.passHour();
  assert.equal(provider.subscribes.length, 3);
});

test('RFC 6665 s.4.1.3: a subscription that ends begins again, one of another dialog is none of ours', async () => {
  const provider = await watched();
  await provider.notify({ subscription: 'terminated;reason=deactivated' });
  await provider.advance(60_000);
  assert.equal(provider.subscribes.length, 2);
  const other = decodeMessage(Buffer.from(requestText({ port: 1, method: 'NOTIFY', body: '' }))) as SipRequest;
  assert.equal(await provider.trunk.handleNotify({ request: other }), undefined);
});

test('RFC 3680 s.5.4: what is no reginfo is refused, and unknown elements are passed over', () => {
  assert.throws(() => parseRegInfo('<presence/>'), /no reginfo/);
  const known = parseRegInfo(
    '<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="3" state="full"><x/><registration aor="a" id="1" state="active"><y/><contact id="1" state="active" event="registered"><uri>sip:a@b</uri><z/></contact></registration></reginfo>',
  );
  assert.deepEqual(
    known.contacts.map(({ uri, isActive }) => [uri, isActive]),
    [['sip:a@b', true]],
  );
});
