// The JSON log: one line a happening, secrets blotted out wherever they stand.
import { type DestinationStream, type Logger, pino } from 'pino';
import type { Log, LogFields } from './contract/index.ts';
import { redact } from './secrets.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface RootLog extends Log {
  child(fields: LogFields): Log;
  setLevel(level: LogLevel): void;
  /** From now on these are blotted out as well: a reload may bring new ones. */
  hide(secrets: readonly string[]): void;
}

/** `secrets` are never written, in whatever field or message they turn up. */
export function openLog(level: LogLevel, secrets: readonly string[], out?: DestinationStream): RootLog {
  const hidden = new Set(secrets);
  const stream = out ?? pino.destination({ sync: false });
  const cleaned: DestinationStream = {
    write: (line) => stream.write(hidden.size === 0 ? line : redact(line, [...hidden], insideJson)),
  };
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(options, cleaned);
  return {
    ...asLog(logger),
    child: (fields) => asLog(logger, fields),
    setLevel: (wanted) => {
      logger.level = wanted;
    },
    hide: (more) => {
      for (const secret of more) hidden.add(secret);
    },
  };
}

function insideJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

// Fields are merged here and not by pino: its children print a field twice that both they and a line name.
function asLog(logger: Logger, always: LogFields = {}): Log {
  return {
    debug: (fields, message) => logger.debug({ ...always, ...fields }, message),
    info: (fields, message) => logger.info({ ...always, ...fields }, message),
    warn: (fields, message) => logger.warn({ ...always, ...fields }, message),
    error: (fields, message) => logger.error({ ...always, ...fields }, message),
  };
}
