// The command line: one file a command, this one only puts them together.
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config.ts';
import { version } from '../version.ts';
import { addCapture } from './capture.ts';
import { addCheck } from './check.ts';
import { addDead } from './dead.ts';
import { addDoctor } from './doctor.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { addReplay } from './replay.ts';
import { addRoute } from './route.ts';
import { addSchema } from './schema.ts';
import { addSend } from './send.ts';
import { addStart } from './start.ts';
import { addStatus } from './status.ts';
import { addTrace } from './trace.ts';
import { addViews } from './view.ts';

const program = new Command('dragoman')
  .description('An instant-messaging gateway between XMPP, SIP/SIMPLE and SMS.')
  .version(version)
  .showHelpAfterError()
  .exitOverride()
  .configureHelp({ showGlobalOptions: true })
  .option('-c, --config <file>', 'the configuration', 'config/dragoman.yaml')
  .addHelpText(
    'after',
    `
Exit codes: 0 done, 1 the answer is no, 2 wrong use or configuration, 3 no gateway answers.
Begin with:  dragoman check && dragoman doctor && dragoman start`,
  );

const inOrder = [
  addStart,
  addCheck,
  addDoctor,
  addStatus,
  addViews,
  addRoute,
  addSend,
  addTrace,
  addCapture,
  addReplay,
  addDead,
  addSchema,
];
for (const add of inOrder) add(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  // Commander has written its own words already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof ConfigError) return exitCodes.usage;
  return error instanceof CommandError ? error.code : exitCodes.failed;
}
