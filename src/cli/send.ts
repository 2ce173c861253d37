// `dragoman send <from> <to> <text>`: a message as if the sender's network had brought it.
import type { Command } from 'commander';
import { asking, asks } from './asks.ts';

export function addSend(program: Command): void {
  asks(
    program.command('send <from> <to> <text>').description("send a message as if the sender's network had brought it"),
  )
    .addHelpText('after', '\n  dragoman send xmpp:alice@example.org xmpp:+447700900123@sms.example.org "hello"')
    .action(async (from: string, to: string, text: string, _options, command: Command) => {
      const { client, print } = asking(command);
      const sent = await client.post<{ id: string }>('/api/send', { from, to, text, wants: ['sent', 'delivered'] });
      print(sent, () => `${sent.id}\nfollow it with: dragoman trace ${sent.id}\n`);
    });
}
