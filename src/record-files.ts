// Call detail records on disk, as CSV (RFC 4180) and JSON lines: one file a period, a further one when it is large, the old
// ones removed. Records of one turn are one write.
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError, type Log } from './contract/index.ts';
import type { CallRecord } from './hub/call-records.ts';

export interface RecordFileOptions {
  readonly folder: string;
  readonly formats: ReadonlyArray<'csv' | 'jsonl'>;
  readonly rotateMs: number;
  readonly maxBytes: number;
  readonly keepMs: number;
}

export const columns = [
  'id',
  'origin',
  'leg',
  'from',
  'to',
  'legFrom',
  'legTo',
  'acceptedAt',
  'sentAt',
  'endedAt',
  'state',
  'reason',
  'text',
  'parts',
  'alphabet',
  'messageId',
  'price',
  'currency',
  'facts',
] as const satisfies ReadonlyArray<keyof CallRecord>;

interface OpenFile {
  period: number;
  bytes: number;
  handle: FileHandle;
}

const pattern = /^cdr-(\d{4}-\d\d-\d\dT\d\d)(\d\d)(?:-\d+)?\.(?:csv|jsonl)$/;

export class RecordFiles {
  readonly #options: RecordFileOptions;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #files = new Map<'csv' | 'jsonl', OpenFile>();
  #waiting: CallRecord[] = [];
  #writing: Promise<void> | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: RecordFileOptions, log: Log, now: () => number) {
    this.#options = options;
    this.#log = log;
    this.#now = now;
  }

  /** Resolves when it is written. Throws GatewayError `unavailable` when the disk refuses. */
  write(record: CallRecord): Promise<void> {
    this.#waiting.push(record);
    // Everything that comes while one write is under way is the next write.
    this.#writing ??= this.#writeNext();
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.#writing?.catch(() => {});
    await this.#turn;
    for (const { handle } of this.#files.values()) await handle.close();
    this.#files.clear();
  }

  async #writeNext(): Promise<void> {
    await new Promise(setImmediate);
    const records = this.#waiting;
    this.#waiting = [];
    this.#writing = undefined;
    const turn = this.#turn.then(() => this.#append(records));
    this.#turn = turn.catch(() => {});
    await turn;
  }

  async #append(records: readonly CallRecord[]): Promise<void> {
    try {
      for (const format of this.#options.formats) {
        const lines = records.map((record) => Buffer.from(line(format, record)));
        while (lines.length > 0) {
          const file = await this.#file(format);
          let end = file.bytes;
          const most = lines.findIndex((one) => {
            end += one.length;
            return end >= this.#options.maxBytes;
          });
          const bytes = Buffer.concat(lines.splice(0, most < 0 ? lines.length : most + 1));
          await file.handle.appendFile(bytes);
          file.bytes += bytes.length;
        }
      }
    } catch (error) {
      const why = (error as Error).message;
      this.#log.error({ folder: this.#options.folder, why }, 'call records cannot be written');
      throw new GatewayError('unavailable', `call records: ${why}`, { cause: error });
    }
  }

  async #file(format: 'csv' | 'jsonl'): Promise<OpenFile> {
    const { rotateMs, maxBytes } = this.#options;
    const period = Math.floor(this.#now() / rotateMs) * rotateMs;
    const current = this.#files.get(format);
    if (current?.period === period && current.bytes < maxBytes) return current;
    await current?.handle.close();
    this.#files.delete(format);
    const file = await this.#open(format, period);
    this.#files.set(format, file);
    await this.#removeOld();
    return file;
  }

  async #open(format: 'csv' | 'jsonl', period: number): Promise<OpenFile> {
    const { folder, maxBytes } = this.#options;
    await mkdir(folder, { recursive: true });
    const stamp = new Date(period).toISOString().slice(0, 16).replace(/:/g, '');
    for (let number = 1; ; number++) {
      const path = join(folder, `cdr-${stamp}${number === 1 ? '' : `-${number}`}.${format}`);
      const bytes = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
      if (bytes >= maxBytes) continue;
      const handle = await open(path, 'a', 0o640);
      if (bytes > 0 || format !== 'csv') return { period, bytes, handle };
      const heading = `${columns.join(',')}\r\n`;
      await handle.appendFile(heading);
      return { period, bytes: heading.length, handle };
    }
  }

  async #removeOld(): Promise<void> {
    const { folder, keepMs, rotateMs } = this.#options;
    for (const name of await readdir(folder)) {
      const [, hour, minute] = pattern.exec(name) ?? [];
      if (hour === undefined) continue;
      if (Date.parse(`${hour}:${minute}:00Z`) + rotateMs + keepMs < this.#now()) await rm(join(folder, name));
    }
  }
}

function line(format: 'csv' | 'jsonl', record: CallRecord): string {
  if (format === 'jsonl') return `${JSON.stringify(record)}\n`;
  return `${columns.map((name) => cell(record[name])).join(',')}\r\n`;
}

// RFC 4180 s.2: quotes round what holds a comma, a quote or a line break.
function cell(value: CallRecord[keyof CallRecord]): string {
  const isEmpty = value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
  const text = isEmpty ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
