// An XMPP user, a SIP user and a telephone write to each other in all six directions: any script, emoji, one character to
// two thousand, and every answer finds its way back. On Redis and embedded, with peers that are not our own code.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, type Name } from '../../demo/conversation.ts';
import { Stage } from '../../demo/site.ts';
import { needs } from '../servers/debian.ts';

const scripts: Readonly<Record<string, string>> = {
  latin: 'The quick brown fox jumps over the lazy dog. ',
  'gsm extension': '[{€}] ~ ^ | \\ ',
  accents: 'Příliš žluťoučký kůň úpěl ďábelské ódy. ',
  greek: 'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. ',
  cyrillic: 'Съешь же ещё этих мягких французских булок. ',
  arabic: 'نص حكيم له سر قاطع وذو شأن عظيم. ',
  hindi: 'ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण। ',
  chinese: '天地玄黃宇宙洪荒日月盈昃辰宿列張。',
  emoji: '👩‍👩‍👧‍👦🏳️‍🌈🇨🇿👍🏿🧑🏽‍🚀',
};
const lengths = [1, 70, 71, 160, 161, 500, 2000];
const pairs: ReadonlyArray<readonly [Name, Name]> = [
  ['alice', 'bob'],
  ['alice', 'carol'],
  ['bob', 'alice'],
  ['bob', 'carol'],
  ['carol', 'alice'],
  ['carol', 'bob'],
];

/** So many code points of the script, cut between characters that a person sees, without white space at the end. */
function sample(script: string, length: number): string {
  const segments = [...new Intl.Segmenter('en').segment(script.repeat(Math.ceil(length / 8) + 1))];
  let text = '';
  for (const { segment } of segments) {
    if ([...text, ...segment].length > length) break;
    text += segment;
  }
  const trimmed = text.trimEnd();
  return trimmed === '' ? (segments[0]?.segment ?? 'x') : trimmed;
}

for (const embedded of [false, true]) {
  test(`six directions, ${Object.keys(scripts).length} scripts, 1 to 2,000 characters: ${embedded ? 'embedded' : 'Redis'}`, async (t) => {
    if (!needs(t, 'prosody', ...(embedded ? [] : (['redis-server'] as const)))) return;
    const stage = new Stage();
    t.after(() => stage.stop());
    const { people } = await stage.start({ embedded });
    const faults: string[] = [];
    let count = 0;
    for (const [from, to] of pairs) {
      for (const [name, script] of Object.entries(scripts)) {
        // Every length in one script a pair, two lengths in the others: enough to meet each boundary in each direction.
        const chosen =
          name === 'latin' || name === 'emoji' ? lengths : [lengths[count % lengths.length] as number, 2000];
        for (const length of chosen) {
          count++;
          const { faults: found } = await exchange(people, from, to, sample(script, length));
          faults.push(...found.map((fault) => `${from} to ${to}, ${name} ${length}: ${fault.slice(0, 160)}`));
        }
      }
    }
    t.diagnostic(`${count} messages`);
    assert.deepEqual(faults, []);
  });
}
