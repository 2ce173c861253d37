// The JSON log: one line a happening, secrets blotted out wherever they stand.
import { type DestinationStream, type Logger, pino } from 'pino';
import type { Log } from './contract/index.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface RootLog extends Log {
  child(fields: Record<string, unknown>): Log;
  setLevel(level: LogLevel): void;
}

const blot = '[secret]';

/** `secrets` are never written, in whatever field or message they turn up. */
export function openLog(level: LogLevel, secrets: readonly string[], out?: DestinationStream): RootLog {
  // Two letters would blot out half the log; what short secrets protect, config/document.ts never prints.
  const long = secrets.filter((secret) => secret.length >= 4);
  const escaped = long.map((secret) => JSON.stringify(secret).slice(1, -1));
  const stream = out ?? pino.destination({ sync: false });
  const cleaned: DestinationStream = {
    write(line) {
      stream.write(escaped.reduce((text, secret) => text.replaceAll(secret, blot), line));
    },
  };
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const logger = pino(options, long.length > 0 ? cleaned : stream);
  return {
    ...asLog(logger),
    child: (fields) => asLog(logger.child(fields)),
    setLevel: (wanted) => {
      logger.level = wanted;
    },
  };
}

function asLog(logger: Logger): Log {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}
