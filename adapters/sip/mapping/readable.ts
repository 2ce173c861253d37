// What a MESSAGE cannot say, in words that a person understands: corrections, reactions, files.
import type { Message } from '../../../src/contract/index.ts';
import { enclosedInWords } from '../../../src/formats/data-url.ts';

/** One text in one language: the unnamed one, else the first. */
export function readable(event: Message): { language: string; text: string } {
  const languages = Object.keys(event.text);
  const language = languages.includes('') ? '' : (languages[0] ?? '');
  const said = event.text[language] ?? '';
  const lines = [framed(event, said)];
  for (const attachment of event.attachments ?? []) {
    const { url, name } = attachment;
    const link = name === undefined ? url : `${name}: ${url}`;
    if (!said.includes(url)) lines.push(enclosedInWords(attachment) ?? link);
  }
  return {
    language,
    text: lines
      .filter((line) => line !== '')
      .join('\n')
      .toWellFormed(),
  };
}

function framed({ reaction, retracts, replaces }: Message, said: string): string {
  if (reaction) {
    return reaction.emoji.length > 0 ? `reacted with ${reaction.emoji.join(' ')}` : 'took a reaction back';
  }
  if (retracts !== undefined) return 'took a message back';
  return replaces === undefined ? said : `edited: ${said}`;
}
