// s.4.8: asks the SMSC how a message stands. One question at a time, so that a thousand do not fill the window; an SMSC
// that never answers is left in peace for a while.
import { statuses } from '../codec/index.ts';
import { outcomeOf, stateName } from '../errors.ts';
import type { Ask } from '../receipts/records.ts';
import type { Pacer } from './pacer.ts';

const mostSilences = 3;
const peaceMs = 10 * 60_000;

export function askOver(pacer: Pacer, now: () => number): Ask {
  let turn: Promise<unknown> = Promise.resolve();
  let silences = 0;
  let askAgainAt = 0;
  const query: Ask = async (message_id, { h: host, o = [0, 0, ''] }) => {
    // To another SMS centre the id may be another message's.
    const session = pacer.sessionTo(host);
    if (!session || now() < askAgainAt) return undefined;
    const [source_addr_ton, source_addr_npi, source_addr] = o;
    try {
      const fields = { message_id, source_addr_ton, source_addr_npi, source_addr };
      const { response } = await session.request('query_sm', fields);
      silences = 0;
      if (response.command !== 'query_sm_resp' || response.command_status !== statuses.ESME_ROK) return undefined;
      const { message_state, error_code } = response.body;
      const code = error_code === 0 ? undefined : String(error_code);
      return outcomeOf(stateName(message_state), { code }) ?? 'on its way';
    } catch {
      if (++silences >= mostSilences) askAgainAt = now() + peaceMs;
      return undefined;
    }
  };
  return (messageId, record) => {
    const answer = turn.then(() => query(messageId, record));
    turn = answer;
    return answer;
  };
}
