// After the demonstration: everybody's messages as they come, and a line to say something as any of the three.
import { createInterface } from 'node:readline';
import { addressBook, type Name, type People } from './conversation.ts';
import { bad, bold, faint, good, say } from './screen.ts';
import { components, sipDomain } from './settings.ts';

const usage = 'write it like:  alice bob hello   or   bob +447700900123 hello   or   trace   or   quit';

/** A telephone number as each of the three dials it. */
const dial: Readonly<Record<Name, (number: string) => string>> = {
  alice: (number) => `${number}@${components.sms}`,
  bob: (number) => `sip:${number}@gw.${sipDomain}`,
  carol: (number) => number,
};

export interface Line {
  who: Name;
  to: string;
  text: string;
}

/** `alice bob hello`, `alice> +447700900123 hello`, `carol +447700900001 hello`. Undefined when it is not that. */
export function parseLine(line: string): Line | undefined {
  const [, name = '', target = '', text = ''] = /^\s*(\w+)\s*>?\s+(\S+)\s+(.*\S)\s*$/.exec(line) ?? [];
  const who = name.toLowerCase();
  if (!isPerson(who)) return undefined;
  const to = isPerson(target) ? addressBook[who][target]?.to : target.replace(/^\+\d+$/, dial[who]);
  return to === undefined ? undefined : { who, to, text };
}

/**
 * Resolves when the person at the keyboard has had enough: Ctrl-C, Ctrl-D or `quit`. Without a keyboard only `quit` ends
 * it. `trace` prints what `latest` tells of the last message.
 */
export function play(people: People, latest: () => Promise<string>): Promise<void> {
  const enough = Promise.withResolvers<void>();
  const keyboard = createInterface({ input: process.stdin, output: process.stdout, prompt: 'demo> ' });
  const print = (text: string) => {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
    say(text);
    keyboard.prompt(true);
  };
  listen(people, print);
  keyboard.on('line', (line) => {
    const said = parseLine(line);
    if (/^\s*(quit|exit)\s*$/.test(line)) enough.resolve();
    else if (said) speak(people, said, print);
    else if (line.trim() === 'trace') latest().then(print, (error: Error) => print(error.message));
    else if (line.trim() !== '') say(faint(usage));
    keyboard.prompt();
  });
  keyboard.on('SIGINT', enough.resolve);
  if (process.stdin.isTTY) keyboard.on('close', enough.resolve);
  say(faint(usage));
  keyboard.prompt();
  return enough.promise.finally(() => keyboard.close());
}

function speak(people: People, { who, to, text }: Line, print: (text: string) => void): void {
  people[who].send(to, text).catch((error: Error) => print(`${bold(who)} is told ${bad(`✘ ${error.message}`)}`));
}

function listen(people: People, print: (text: string) => void): void {
  for (const person of Object.values(people)) {
    person.onMessage(({ from, text }) => print(`${bold(person.name)} reads ${text} ${faint(`from ${from}`)}`));
    person.onReceipt(({ state, why }) => {
      const told = state === 'failed' ? bad(`✘ failed: ${why ?? ''}`) : good(`✓ ${state}`);
      print(`${bold(person.name)} is told ${told}`);
    });
  }
}

function isPerson(name: string): name is Name {
  return Object.hasOwn(addressBook, name);
}
