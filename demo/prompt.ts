// After the demonstration: everybody's messages as they come, and a line to say something as any of the three.
import { createInterface } from 'node:readline';
import { addressBook, type Name, type People } from './conversation.ts';
import { bad, bold, faint, good, say } from './screen.ts';

const usage = 'write it like:  alice bob hello   or   carol +447700900001 hello   (alice, bob and carol are here)';

export interface Line {
  who: Name;
  to: string;
  text: string;
}

/** `alice bob hello`, `alice> +447700900123@sms.xmpp.example hello`. Undefined when it is not that. */
export function parseLine(line: string): Line | undefined {
  const [, name = '', target = '', text = ''] = /^\s*(\w+)\s*>?\s+(\S+)\s+(.*\S)\s*$/.exec(line) ?? [];
  const who = name.toLowerCase();
  if (!isPerson(who)) return undefined;
  const known = isPerson(target) ? addressBook[who][target]?.to : target;
  return known === undefined ? undefined : { who, to: known, text };
}

/** Resolves when the person at the keyboard has had enough: Ctrl-C, Ctrl-D or `quit`. */
export function play(people: People): Promise<void> {
  const keyboard = createInterface({ input: process.stdin, output: process.stdout, prompt: 'demo> ' });
  const print = (text: string) => {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    say(text);
    keyboard.prompt(true);
  };
  for (const person of Object.values(people)) {
    person.onMessage(({ from, text }) => print(`${bold(person.name)} reads ${text} ${faint(`from ${from}`)}`));
    person.onReceipt(({ state, why }) => {
      const told = state === 'failed' ? bad(`✘ failed: ${why ?? ''}`) : good(`✓ ${state}`);
      print(`${bold(person.name)} is told ${told}`);
    });
  }
  keyboard.on('line', (line) => {
    const said = parseLine(line);
    if (/^\s*(quit|exit)\s*$/.test(line)) keyboard.close();
    else if (said) people[said.who].send(said.to, said.text).catch((error: Error) => print(bad(`✘ ${error.message}`)));
    else if (line.trim() !== '') print(usage);
    keyboard.prompt(true);
  });
  keyboard.on('SIGINT', () => keyboard.close());
  say(faint(usage));
  keyboard.prompt();
  return new Promise((resolve) => keyboard.once('close', resolve));
}

function isPerson(name: string): name is Name {
  return Object.hasOwn(addressBook, name);
}
