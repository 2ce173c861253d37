// The embedded store's one file: its lock, its single writer, and the group commit that all writes of a turn share.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { asGatewayError, GatewayError } from '../contract/index.ts';

export interface SqliteOptions {
  /** The file never grows beyond this; what does not fit is refused as `throttled`. Default: as far as the disk goes. */
  maxBytes?: number;
}

/** Opens `dragoman.sqlite` in that folder, making both. Throws GatewayError `unavailable` while another process has it. */
export function openSqlite(folder: string, options: SqliteOptions = {}): SqliteFile {
  const path = join(folder, 'dragoman.sqlite');
  let lock: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true });
    lock = lockFile(join(folder, 'dragoman.lock'), path);
    return new SqliteFile(path, lock, options);
  } catch (error) {
    lock?.close();
    throw storeError(error, path);
  }
}

interface PendingWrite {
  /** Makes the change; what it returns tells the caller, once that is durable. */
  run(): () => void;
  reject(error: GatewayError): void;
}

export class SqliteFile {
  readonly path: string;
  /** Transactions committed so far. */
  commits = 0;
  readonly #db: DatabaseSync;
  readonly #lock: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  #pending: PendingWrite[] = [];
  #users = 0;

  constructor(path: string, lock: DatabaseSync, options: SqliteOptions) {
    this.path = path;
    this.#lock = lock;
    this.#db = new DatabaseSync(path);
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000;');
    if (options.maxBytes !== undefined) {
      const { page_size: pageBytes } = this.#db.prepare('PRAGMA page_size').get() as { page_size: number };
      this.#db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(options.maxBytes / pageBytes))}`);
    }
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#db.prepare('COMMIT');
    this.#rollback = this.#db.prepare('ROLLBACK');
  }

  /** Makes tables where they are missing, for one more user. Returns its way out: the last to leave closes the file. */
  join(schema: string): () => void {
    this.#db.exec(schema);
    this.#users++;
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#flush();
      if (--this.#users > 0) return;
      this.#db.close();
      this.#lock.close();
    };
  }

  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql);
  }

  /** Reads what is committed. Throws GatewayError. */
  read<T>(question: () => T): T {
    try {
      return question();
    } catch (error) {
      throw storeError(error, this.path);
    }
  }

  /**
   * Runs `change` in the transaction of this turn, in the order of the calls; resolves with its value after COMMIT.
   * When anything in the transaction fails nothing of it is kept, and everybody in it is told.
   */
  write<T>(change: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#pending.length === 0) setImmediate(() => this.#flush());
      const run = () => {
        const value = change();
        return () => resolve(value);
      };
      this.#pending.push({ run, reject });
    });
  }

  #flush(): void {
    const group = this.#pending;
    if (group.length === 0) return;
    this.#pending = [];
    try {
      this.#begin.run();
      const tells = group.map((write) => write.run());
      this.#commit.run();
      this.commits++;
      for (const tell of tells) tell();
    } catch (error) {
      this.#undo();
      const failure = storeError(error, this.path);
      for (const write of group) write.reject(failure);
    }
  }

  #undo(): void {
    // SQLite has undone it by itself after some errors (a full disk, an I/O error).
    if (!this.#db.isOpen || !this.#db.isTransaction) return;
    try {
      this.#rollback.run();
    } catch {
      // The caller hears of the first error, which brought us here.
    }
  }
}

// The operating system drops this lock when the process dies, however it dies.
function lockFile(lockPath: string, path: string): DatabaseSync {
  const lock = new DatabaseSync(lockPath);
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE;');
    return lock;
  } catch (error) {
    lock.close();
    if (resultCode(error) !== busy) throw error;
    throw new GatewayError('unavailable', `${path} is in use by another process (it holds ${lockPath})`);
  }
}

// https://www.sqlite.org/rescode.html
const busy = 5;
const full = 13;

function resultCode(error: unknown): number | undefined {
  const extended = error instanceof Error && 'errcode' in error ? error.errcode : undefined;
  return typeof extended === 'number' ? extended & 0xff : undefined;
}

function storeError(error: unknown, path: string): GatewayError {
  if (error instanceof GatewayError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (resultCode(error) === full || code === 'ENOSPC') {
    return new GatewayError('throttled', `${path}: ${message}`, { retryAfterMs: 5000, cause: error });
  }
  if (code === undefined) return asGatewayError(error);
  return new GatewayError('unavailable', `${path}: ${message}`, { native: String(code), cause: error });
}
