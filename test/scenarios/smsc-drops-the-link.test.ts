// The SMSC takes a hundred messages, answers none and drops the link. What nobody can know is said or sent again, as the
// operator chose; what was never sent goes out; every message ends once.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { npmSmsc } from '../peers/smpp-npm.ts';
import { until } from '../servers/process.ts';
import { GatewayProcess } from './gateway-process.ts';
import { atEnd, host, openSite, phoneNumber } from './site.ts';

const messages = 150;
const inFlight = 100;
const warm = 400;

async function dropMidFlight(t: TestContext, unknownOutcome: 'report' | 'resend') {
  const site = await openSite(t, 'embedded');
  if (!site) return undefined;
  const smsc = await npmSmsc();
  atEnd(t, () => smsc.close());
  const { jabber, carrier } = site.settings.instances as { jabber: object; carrier: object };
  const instances = { jabber, carrier: { ...carrier, port: smsc.port, window: inFlight, unknownOutcome } };
  const gateway = await GatewayProcess.prepare(site.folder, { ...site.settings, instances }, 'dropping');
  atEnd(t, () => gateway.stop());
  await gateway.start();
  // The window opens with the answers: a bind begins modestly.
  for (let i = 0; i < warm; i++) await site.alice.send(`${phoneNumber(i)}@sms.${host}`, `warm ${i}`);
  await until(() => smsc.submits.length === warm, 'the window is open', 20_000);
  smsc.submits.length = 0;
  const answer = smsc.onSubmit;
  smsc.onSubmit = () => undefined;
  for (let i = 0; i < messages; i++) await site.alice.send(`${phoneNumber(i)}@sms.${host}`, `message ${i}`);
  await until(() => smsc.submits.length >= inFlight, `${inFlight} are in flight`, 20_000);
  smsc.onSubmit = answer;
  smsc.drop();
  return { smsc, gateway };
}

const texts = (submits: readonly { short_message: Buffer }[]) =>
  submits.map(({ short_message }) => short_message.toString('latin1'));

test('reference smpp 7.5: policy "report": what was in flight is told as unknown and never sent twice, the rest goes out', async (t) => {
  const dropped = await dropMidFlight(t, 'report');
  if (!dropped) return;
  const { smsc, gateway } = dropped;
  await until(() => new Set(texts(smsc.submits)).size === messages, 'every message was submitted once', 30_000);
  await until(
    async () => (await gateway.counter('outcomes_total')) >= inFlight,
    'every unknown outcome is told',
    20_000,
  );
  assert.equal(smsc.submits.length, messages, 'nothing was sent twice');
});

test('reference smpp 7.5: policy "resend": what was in flight goes out again, and at most once more', async (t) => {
  const dropped = await dropMidFlight(t, 'resend');
  if (!dropped) return;
  const { smsc } = dropped;
  await until(() => smsc.submits.length >= messages + inFlight, 'all of it was submitted', 30_000);
  assert.equal(new Set(texts(smsc.submits)).size, messages);
  assert.equal(smsc.submits.length, messages + inFlight);
});
