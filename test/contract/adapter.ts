// The suite that every adapter passes, built in or not: what the hub may rely on. `connect` brings an adapter up against a
// peer that takes messages, and says how to reach somebody there.
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import {
  type Adapter,
  type Address,
  GatewayError,
  type Message,
  parseAddress,
  type Trace,
  type WireUnit,
} from '../../src/contract/index.ts';
import { type FakeHub, fakeHub } from '../peers/hub.ts';

export interface AdapterUnderTest {
  adapter: Adapter;
  /** A hub that the adapter has not been started with yet. */
  hub: FakeHub;
  /** People of the adapter's network: ours, as strangers are shown there, and theirs, who exist. */
  from: Address;
  to: Address;
  /** Makes the peer go away, for good. */
  dropPeer(): Promise<void>;
}

/** Runs the contract's suite. `open` is called once per test; what it starts it stops with `t.after`. */
export function testAdapter(name: string, open: (t: TestContext, hub: FakeHub) => Promise<AdapterUnderTest>): void {
  describe(`adapter contract: ${name}`, () => {
    const start = async (t: TestContext, wire?: Trace['wire']) => {
      const hub = fakeHub();
      Object.assign(hub.trace, { wire });
      const under = await open(t, hub);
      t.after(() => under.adapter.stop());
      await under.adapter.start(under.hub);
      await under.hub.untilStatus('up');
      return under;
    };

    test('it accepts messages, says when it is up, and takes one', async (t) => {
      const { adapter, from, to } = await start(t);
      assert.ok(adapter.accepts.has('message'));
      const delivery = await adapter.deliver(sample(from, to), new AbortController().signal);
      assert.ok(delivery.state === undefined || delivery.state === 'sent' || delivery.state === 'delivered');
    });

    test('it takes many conversations at once', async (t) => {
      const { adapter, from, to } = await start(t);
      const { signal } = new AbortController();
      await Promise.all(Array.from({ length: 50 }, () => adapter.deliver(sample(from, to), signal)));
    });

    test('what it shows a capture are octets between two IP addresses, with what a person wrote where it can be hidden', async (t) => {
      const units: WireUnit[] = [];
      const wire = (unit: WireUnit) => void units.push({ ...unit, bytes: Buffer.from(unit.bytes) });
      const { adapter, from, to } = await start(t, wire);
      await adapter.deliver(sample(from, to), new AbortController().signal);
      for (const { bytes, local, remote, secrets = [], hidden = [] } of units) {
        assert.ok(isIP(local.address) && isIP(remote.address), `${local.address} ${remote.address}`);
        const shown = Buffer.from(bytes);
        for (const ranges of [secrets, hidden]) {
          let last = 0;
          for (const [start, end] of ranges) {
            assert.ok(last <= start && start <= end && end <= bytes.length, `[${start}, ${end}) of ${bytes.length}`);
            shown.fill('*', start, end);
            last = end;
          }
        }
        assert.doesNotMatch(shown.toString('latin1'), /hello/);
      }
    });

    test('nobody of another network lives with it', async (t) => {
      const { adapter, from } = await start(t);
      assert.equal((await adapter.serves?.(parseAddress(from))) ?? false, false);
    });

    test('it sends nothing once the signal is aborted', async (t) => {
      const { adapter, from, to } = await start(t);
      await assert.rejects(adapter.deliver(sample(from, to), AbortSignal.abort()));
    });

    test('it stops twice, and refuses events with a reason that is worth a retry afterwards', async (t) => {
      const { adapter, from, to } = await start(t);
      await adapter.stop();
      await adapter.stop();
      await assert.rejects(
        adapter.deliver(sample(from, to), new AbortController().signal),
        (error: unknown) => error instanceof GatewayError && !error.isFinal,
      );
    });

    test('it stops before it was started', async (t) => {
      const { adapter } = await open(t, fakeHub());
      await adapter.stop();
    });

    test('a peer that goes away fails what is under way with a reason that is worth a retry', async (t) => {
      const { adapter, from, to, dropPeer } = await start(t);
      await dropPeer();
      const { signal } = new AbortController();
      const outcome = await Promise.race([
        adapter.deliver(sample(from, to), signal).then(
          () => 'taken',
          (error: unknown) => error,
        ),
        new Promise((resolve) => setTimeout(resolve, 8000, 'pending')),
      ]);
      assert.notEqual(outcome, 'taken');
      if (outcome !== 'pending') assert.ok(outcome instanceof GatewayError && !outcome.isFinal, String(outcome));
    });
  });
}

let number = 0;

function sample(from: Address, to: Address): Message {
  number++;
  const id = `e${String(number).padStart(12, '0')}`;
  return {
    v: 1,
    id,
    type: 'message',
    origin: 'elsewhere',
    trace: id,
    at: new Date(0).toISOString(),
    from: parseAddress(from),
    to: parseAddress(to),
    source: { from, to },
    conversation: `${from}|${to}|${number}`,
    hops: 1,
    text: { '': `hello ${number}` },
    wants: [],
  };
}
