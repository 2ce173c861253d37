// A session on one end of a connection in memory, a scripted peer on the other, and a clock that the test moves.
import type { RequestPdu, ResponsePdu } from '../../../adapters/smpp/codec/index.ts';
import type { Answer } from '../../../adapters/smpp/exchange.ts';
import { Session } from '../../../adapters/smpp/session.ts';
import { type WirePeer, wirePair } from '../../peers/smpp-wire.ts';

export const turn = async () => {
  for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate);
};

export interface Bench {
  session: Session;
  peer: WirePeer;
  clock: { now: number };
  closed: string[];
  oddities: string[];
  requests: RequestPdu[];
  late: Array<[ResponsePdu, unknown]>;
  answerWith(answer: (pdu: RequestPdu) => Promise<Answer> | Answer): void;
}

export function bench(limits: Partial<ConstructorParameters<typeof Session>[1]> = {}): Bench {
  const [stream, peer] = wirePair();
  const clock = { now: 1000 };
  const closed: string[] = [];
  const oddities: string[] = [];
  const requests: RequestPdu[] = [];
  const late: Array<[ResponsePdu, unknown]> = [];
  let answer: (pdu: RequestPdu) => Promise<Answer> | Answer = () => ({ status: 'ESME_ROK' });
  const session = new Session(
    stream,
    { responseTimeoutMs: 10_000, enquireLinkMs: 30_000, ...limits },
    {
      request(pdu) {
        requests.push(pdu);
        return answer(pdu);
      },
      closed: (why) => void closed.push(why),
      oddity: (what) => void oddities.push(what),
      late: (response, context) => void late.push([response, context]),
    },
    () => clock.now,
  );
  const answerWith = (how: typeof answer) => {
    answer = how;
  };
  return { session, peer, clock, closed, oddities, requests, late, answerWith };
}

export async function bound(limits: Partial<ConstructorParameters<typeof Session>[1]> = {}): Promise<Bench> {
  const all = bench(limits);
  const asked = all.session.request('bind_transceiver', { system_id: 'me' });
  all.peer.answer(await all.peer.next('bind_transceiver'));
  await asked;
  return all;
}

export const submit = (n: number) => ({
  command: 'submit_sm' as const,
  body: { short_message: Buffer.from(`${n}`) },
  tlvs: [],
  context: n,
});
