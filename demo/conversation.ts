// Three people, six directions: who says what to whom, and what must come of it.
import type { Heard, Person, Told } from './peer.ts';

export type Name = 'alice' | 'bob' | 'carol';
export type People = Readonly<Record<Name, Person>>;

/** How each of the three is written by the other two: to send to, and as what they see when a message comes. */
export const addressBook: Readonly<Record<Name, Partial<Record<Name, { to: string; seenAs: string }>>>> = {
  alice: {
    bob: { to: 'bob@sip.xmpp.example', seenAs: 'bob\\40sip.example@sip.xmpp.example' },
    carol: { to: '+447700900123@sms.xmpp.example', seenAs: '+447700900123@sms.xmpp.example' },
  },
  bob: {
    // Her XMPP resource is the `gr` of her SIP address (RFC 7247 s.6.4).
    alice: { to: 'sip:alice@gw.sip.example', seenAs: 'sip:alice%40xmpp.example@gw.sip.example;gr=demo' },
    carol: { to: 'sip:+447700900123@gw.sip.example', seenAs: 'sip:+447700900123@gw.sip.example' },
  },
  carol: {
    alice: { to: '+447700900001', seenAs: '+447700900001' },
    bob: { to: '+447700900002', seenAs: '+447700900002' },
  },
};

interface Direction {
  from: Name;
  to: Name;
  text: string;
  reply: string;
}

export const directions: readonly Direction[] = [
  {
    from: 'alice',
    to: 'bob',
    text: 'Καλημέρα, Bob! ☀️ Tea at five?',
    reply: 'Gladly 🫖 — I bring the "biscuits" & <jam>',
  },
  {
    from: 'alice',
    to: 'carol',
    text: 'नमस्ते कैरल 🙏🏽 A long one, so that it takes several short messages and none of them may cut a letter in two: 👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇿',
    reply: 'All there! It cost me {2 × 5 €} ^_^',
  },
  { from: 'bob', to: 'alice', text: 'Здравствуй, Алиса 👩🏽‍🚀', reply: 'Ahoj, Bobe! Žluťoučký kůň 🐎' },
  {
    from: 'bob',
    to: 'carol',
    text: 'The 17:42 from Paddington is late again, so start without me; the key is under the third pot from the left, the cat has been fed (whatever she says), and [please] keep me one of the scones ~ Bob',
    reply: 'Ok',
  },
  { from: 'carol', to: 'alice', text: '你好，Alice 🐉 来自手机', reply: 'お元気ですか 🍵' },
  { from: 'carol', to: 'bob', text: 'مرحبا Bob 🌙', reply: 'Noted, Carol — see you there 👍🏿' },
];

export interface Exchange {
  readonly from: Name;
  readonly to: Name;
  readonly text: string;
  /** What the recipient saw, when it came. */
  heard?: Heard;
  deliveredMs?: number;
  /** What the sender was told, in the order it came. */
  receipts: Array<Told['state']>;
  confirmedMs?: number;
  /** Everything that is not as it must be, in words. */
  faults: string[];
}

const patienceMs = 8000;

/** Says it, waits until it was heard and every receipt is back, and compares. A reply goes to `address`, as it was seen. */
export async function exchange(
  people: People,
  from: Name,
  to: Name,
  text: string,
  address = addressBook[from][to]?.to ?? '',
): Promise<Exchange> {
  const wanted = wantedReceipts(people[from], people[to]);
  const result: Exchange = { from, to, text, receipts: [], faults: [] };
  const told: Told[] = [];
  const startedAt = performance.now();
  const complete = Promise.withResolvers<void>();
  let id: string | undefined;
  const look = () => {
    const mine = told.filter(({ of }) => of === id);
    result.receipts = mine.map(({ state }) => state);
    const failed = mine.find(({ state }) => state === 'failed');
    if (failed) result.faults = [`failed: ${failed.why ?? 'no reason given'}`];
    if (!failed && (!result.heard || result.receipts.length < wanted.length)) return;
    result.confirmedMs ??= performance.now() - startedAt;
    complete.resolve();
  };
  const unlisten = [
    people[to].onMessage((heard) => {
      result.heard ??= heard;
      result.deliveredMs ??= performance.now() - startedAt;
      look();
    }),
    people[from].onReceipt((receipt) => {
      told.push(receipt);
      look();
    }),
  ];
  try {
    id = await people[from].send(address, text);
    look();
    await withinPatience(complete.promise);
  } catch (error) {
    result.faults.push(error instanceof Error ? error.message : String(error));
  }
  for (const stop of unlisten) stop();
  result.faults.push(...compare(result, addressBook[to][from]?.seenAs ?? '', wanted));
  return result;
}

// SMS tells the writer of a message no more than that the carrier got rid of it; XMPP and SIP tell all there is to tell,
// and a mobile phone at the far end confirms that it has the message, not that somebody read it.
function wantedReceipts(sender: Person, recipient: Person): Array<Told['state']> {
  if (sender.network === 'SMS') return ['accepted'];
  return recipient.network === 'SMS' ? ['delivered'] : ['delivered', 'displayed'];
}

function compare({ heard, text, receipts }: Exchange, seenAs: string, wanted: Array<Told['state']>): string[] {
  const faults: string[] = [];
  if (!heard) faults.push('was not heard');
  else {
    if (heard.text !== text) faults.push(`heard as ${JSON.stringify(heard.text)}`);
    if (heard.from !== seenAs) faults.push(`came from ${heard.from}, not ${seenAs}`);
  }
  for (const state of wanted) if (!receipts.includes(state)) faults.push(`no receipt "${state}"`);
  return faults;
}

async function withinPatience(done: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race([done, late]);
  clearTimeout(timer);
}
