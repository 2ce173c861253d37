// What it costs to choose an alphabet, cut a text into parts and write them, and to read them again, by kind of text.
// CPU time, so that a busy machine does not blur it.
import {
  contentOf,
  type Language,
  planText,
  readDataCoding,
  readSegment,
  type SplitOptions,
  toParts,
} from '../adapters/smpp/text/index.ts';

const base: SplitOptions = { alphabet0: 'gsm', ucs2: true, concat: 'udh8', maxParts: 20 };
const withTables = (...nationalLanguages: Language[]): SplitOptions => ({ ...base, nationalLanguages });
const plain = 'Hello from the gateway, this is message text 42';
const turkish = 'Değerli müşterimiz, siparişiniz yarın öğleden sonra teslim edilecek. İyi günler dileriz. ';
const hindi = 'आपका ऑर्डर कल दोपहर तक पहुँच जाएगा। धन्यवाद और शुभकामनाएँ। ';
const cases: Array<[what: string, text: string, options: SplitOptions]> = [
  ['GSM 7-bit, 1 part', plain, base],
  ['GSM 7-bit, 3 parts', `${plain} `.repeat(8), base],
  ['GSM 7-bit packed, 3 parts', `${plain} `.repeat(8), { ...base, alphabet0: 'gsm-packed' }],
  ['UCS-2, 1 part', 'Привет из шлюза, сообщение 42', base],
  ['UCS-2 with emoji, 4 parts', `${plain} 👩‍👩‍👧 `.repeat(4), base],
  ['Turkish, tables allowed, 1 part', turkish, withTables('turkish')],
  ['Turkish, tables allowed, 3 parts', turkish.repeat(4), withTables('turkish')],
  ['Hindi, tables allowed, 1 part', hindi.repeat(2), withTables('hindi')],
  [
    'Hindi, all 13 languages allowed, 3 parts',
    hindi.repeat(6),
    withTables(
      'turkish',
      'spanish',
      'portuguese',
      'bengali',
      'gujarati',
      'hindi',
      'kannada',
      'malayalam',
      'oriya',
      'punjabi',
      'tamil',
      'telugu',
      'urdu',
    ),
  ],
  ['transliterated, 1 part', `It’s “ready” – ${plain} ${plain}`, { ...base, transliterate: true }],
];

const roundUs = 200_000;
function best(run: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    let calls = 0;
    let spent = 0;
    const before = process.cpuUsage();
    while (spent < roundUs) {
      for (let batch = 0; batch < 50; batch++) run();
      calls += 50;
      const { user, system } = process.cpuUsage(before);
      spent = user + system;
    }
    least = Math.min(least, spent / calls);
  }
  return least;
}

console.log('text                                        write, CPU us   read, CPU us   as');
for (const [what, text, options] of cases) {
  const plan = planText(text, options);
  const parts = toParts(plan, options.concat, 1);
  const coding = readDataCoding(plan.dataCoding, options.alphabet0);
  const write = best(() => toParts(planText(text, options), options.concat, 1));
  const read = best(() => {
    const pieces = parts.map(({ short_message, hasHeader, tlvs }) => {
      const { payload, udh } = readSegment(short_message, hasHeader, tlvs, coding);
      return { payload, dataCoding: plan.dataCoding, ...(udh ? { udh } : {}) };
    });
    return contentOf(pieces, options.alphabet0);
  });
  const how = `${plan.count} ${plan.alphabet}`;
  console.log(`${what.padEnd(44)}${write.toFixed(2).padStart(12)}${read.toFixed(2).padStart(15)}   ${how}`);
}
