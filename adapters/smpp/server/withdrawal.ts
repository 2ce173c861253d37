// Taking back a message that waits for its time: for cancel_sm (s.4.9), and for another that replaces it (s.5.2.18).
import type { Hub } from '../../../src/contract/index.ts';
import type { Agenda } from './agenda.ts';
import type { Ledger } from './ledger.ts';

export interface WithdrawalParts {
  readonly hub: Hub;
  readonly ledger: Ledger;
  readonly agenda: Agenda;
}

/** False when it does not wait any more. All its parts are DELETED then. */
export async function takeBack(name: string, { hub, ledger, agenda }: WithdrawalParts): Promise<boolean> {
  let isBack = false;
  const entry = await ledger.change(name, async ({ event }) => {
    isBack = event !== undefined && (await hub.withdraw(event));
    return false;
  });
  await agenda.remove(name);
  if (!entry || !isBack) return false;
  await Promise.all((entry.parts ?? [name]).map((part) => ledger.settle(part, 'DELETED', hub.now())));
  return true;
}
