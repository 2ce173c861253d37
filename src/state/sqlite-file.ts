// The embedded store's one file: its lock, its single writer, and the group commit that all writes of a turn share.
import { closeSync, fdatasync, mkdirSync, openSync } from 'node:fs';
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
  /** The write-ahead log, for its syncs. */
  readonly #log: number;
  #pending: PendingWrite[] = [];
  #isWriting = false;
  #isSyncing = false;
  #users = 0;

  constructor(path: string, lock: DatabaseSync, options: SqliteOptions) {
    this.path = path;
    this.#lock = lock;
    this.#db = new DatabaseSync(path);
    // NORMAL syncs the log when it is begun anew and moved into the file; after each COMMIT we do, see #synced.
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;');
    if (options.maxBytes !== undefined) {
      const { page_size: pageBytes } = this.#db.prepare('PRAGMA page_size').get() as { page_size: number };
      this.#db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(options.maxBytes / pageBytes))}`);
    }
    // The first question makes the log; it stays until the file is closed.
    this.#db.exec('SELECT count(*) FROM sqlite_schema');
    this.#log = openSync(`${path}-wal`, 'r+');
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
      if (--this.#users === 0) this.#close();
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
   * Runs `change` in the next transaction, in the order of the calls; resolves with its value once that is on the disk.
   * When anything in the transaction fails nothing of it is kept, and everybody in it is told.
   */
  write<T>(change: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const run = () => {
        const value = change();
        return () => resolve(value);
      };
      this.#pending.push({ run, reject });
      if (this.#isWriting) return;
      this.#isWriting = true;
      setImmediate(() => void this.#writeOut());
    });
  }

  // One transaction after the other: what is asked for while one is on its way to the disk makes up the next. The disk is
  // waited for beside the event loop, which a COMMIT with synchronous=FULL would stop.
  async #writeOut(): Promise<void> {
    const group = this.#pending;
    this.#pending = [];
    const tells = this.#commitAll(group);
    if (tells) {
      const failure = await this.#synced();
      if (failure) refuse(group, failure);
      else for (const tell of tells) tell();
    }
    // What was told may bring writes of its own, which still catch the next transaction.
    if (this.#pending.length > 0) setImmediate(() => void this.#writeOut());
    else this.#isWriting = false;
  }

  #commitAll(group: readonly PendingWrite[]): Array<() => void> | undefined {
    if (group.length === 0) return undefined;
    try {
      this.#begin.run();
      const tells = group.map((write) => write.run());
      this.#commit.run();
      this.commits++;
      return tells;
    } catch (error) {
      this.#undo();
      refuse(group, storeError(error, this.path));
      return undefined;
    }
  }

  /** Resolves when the log is on the disk, with what stood in the way. */
  #synced(): Promise<GatewayError | undefined> {
    return new Promise((resolve) => {
      this.#isSyncing = true;
      fdatasync(this.#log, (error) => {
        this.#isSyncing = false;
        if (this.#users === 0) closeSync(this.#log);
        resolve(error ? storeError(error, this.path) : undefined);
      });
    });
  }

  #close(): void {
    const group = this.#pending;
    this.#pending = [];
    const tells = this.#commitAll(group);
    // Moves the log into the file, and syncs both.
    this.#db.close();
    for (const tell of tells ?? []) tell();
    if (!this.#isSyncing) closeSync(this.#log);
    this.#lock.close();
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

function refuse(group: readonly PendingWrite[], failure: GatewayError): void {
  for (const write of group) write.reject(failure);
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
