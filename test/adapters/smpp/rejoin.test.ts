// Rejoining as a property: whatever the order, the repeats, the neighbours and the restarts, each text comes out once and whole.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type IncomingPart, Rejoin, type Whole } from '../../../adapters/smpp/rejoin.ts';
import { textOfPieces } from '../../../adapters/smpp/text/index.ts';
import { MemoryState } from '../../peers/hub.ts';

const person = (addr: string) => ({ ton: 1, npi: 1, addr });
const waitMs = 60_000;

function part(source: string, reference: number, total: number, index: number, text: string): IncomingPart {
  const people = { source: person(source), destination: person('12345') };
  return { ...people, reference: `8:${reference}`, total, index, payload: Buffer.from(text), dataCoding: 1 };
}

function open(state: MemoryState, clock: { now: number }) {
  const wholes: Whole[] = [];
  const rejoin = new Rejoin(
    state,
    () => waitMs,
    async (whole) => void wholes.push(whole),
    () => clock.now,
  );
  const texts = () => wholes.map(({ source, pieces }) => `${source.addr}: ${textOfPieces(pieces, 'gsm')}`);
  return { rejoin, wholes, texts };
}

test('reference smpp 1.1: concat in: any texts of any people, mixed, repeated, with a restart anywhere: each comes out once, whole, and nothing is left', async () => {
  const text = fc.record({ source: fc.integer({ min: 1, max: 3 }), total: fc.integer({ min: 2, max: 6 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { minLength: 1, maxLength: 6 }),
      fc.infiniteStream(fc.nat(1000)),
      fc.nat(40),
      async (all, dice, restartAt) => {
        const state = new MemoryState();
        const clock = { now: 1000 };
        const expected: string[] = [];
        const parts = all.flatMap(({ source, total }, reference) => {
          const pieces = Array.from({ length: total }, (_, at) => `t${reference}p${at} `);
          expected.push(`${source}: ${pieces.join('')}`);
          return pieces.map((piece, at) => part(String(source), reference, total, at + 1, piece));
        });
        const mixed = [...parts, ...parts.slice(0, 3)]
          .map((one) => ({ one, at: dice.next().value }))
          .sort((one, other) => one.at - other.at);
        let current = open(state, clock);
        const out: string[] = [];
        for (const [at, { one }] of mixed.entries()) {
          if (at === restartAt) {
            out.push(...current.texts());
            current = open(state, clock);
            await current.rejoin.open();
          }
          await current.rejoin.add(one);
        }
        out.push(...current.texts());
        assert.deepEqual(out.sort(), expected.sort());
        assert.equal(current.rejoin.size, 0);
        assert.deepEqual(
          [...state.entries.keys()].filter((key) => key.startsWith('mo/')),
          [],
        );
      },
    ),
    { numRuns: 300 },
  );
});

test('parts that arrive at the same moment are one text', async () => {
  const { rejoin, texts } = open(new MemoryState(), { now: 0 });
  await Promise.all([3, 1, 2].map((index) => rejoin.add(part('1', 9, 3, index, `${index}`))));
  assert.deepEqual(texts(), ['1: 123']);
});

test('reference smpp 5: memory growth: a flood of texts that are never finished is bounded: the oldest go out with their gaps', async () => {
  const { rejoin, wholes } = open(new MemoryState(), { now: 0 });
  for (let n = 0; n < 10_050; n++) await rejoin.add(part(String(n), 1, 2, 1, 'x'));
  rejoin.tick();
  while (rejoin.size > 10_000) await new Promise(setImmediate);
  assert.equal(rejoin.size, 10_000);
  assert.deepEqual(
    wholes.slice(0, 2).map(({ source }) => source.addr),
    ['0', '1'],
  );
});
