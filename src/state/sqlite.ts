// State and leases in the embedded SQLite file.
import type { StatementSync } from 'node:sqlite';
import { GatewayError, type State } from '../contract/index.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { checkKey, type Lease, type StateStore } from './state.ts';

export { openSqlite, type SqliteFile } from './sqlite-file.ts';

const schema = `
  CREATE TABLE IF NOT EXISTS state (
    namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expires INTEGER,
    PRIMARY KEY (namespace, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS state_by_expiry ON state (expires) WHERE expires IS NOT NULL;
  CREATE TABLE IF NOT EXISTS fences (name TEXT PRIMARY KEY, fence INTEGER NOT NULL) STRICT, WITHOUT ROWID;`;

const sweepEveryMs = 1000;
const sweepAtMost = 5000;
const scanPage = 200;
// No namespace of an instance is empty.
const pingNamespace = '';

/** Shares its file with SqliteQueue; the file is closed when both are. */
export class SqliteState implements StateStore {
  readonly #file: SqliteFile;
  readonly #now: () => number;
  readonly #leave: () => void;
  readonly #rows: Rows;
  readonly #nextFence: StatementSync;
  // A lease needs no row: it ends with the process, and one process has the file.
  readonly #leases = new Map<string, { fence: number; until: number }>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(file: SqliteFile, now: () => number = Date.now) {
    this.#file = file;
    this.#now = now;
    this.#leave = file.join(schema);
    this.#rows = new Rows(file);
    this.#nextFence = file.prepare(
      'INSERT INTO fences VALUES (?, 1) ON CONFLICT DO UPDATE SET fence = fence + 1 RETURNING fence',
    );
    this.#sweeper = setInterval(() => this.#sweep(), sweepEveryMs).unref();
  }

  namespace(name: string): State {
    return new SqliteNamespace(name, this.#file, this.#rows, this.#now);
  }

  async lease(name: string, ttlMs: number): Promise<Lease | undefined> {
    const leases = this.#leases;
    const isHeld = () => (leases.get(name)?.until ?? 0) > this.#now();
    if (isHeld()) return undefined;
    // Held from now on, so that of two who ask in one turn one is refused.
    leases.set(name, { fence: 0, until: Number.POSITIVE_INFINITY });
    const fence = await this.#newFence(name).catch((error: unknown) => {
      leases.delete(name);
      throw error;
    });
    leases.set(name, { fence, until: this.#now() + ttlMs });
    const isMine = () => isHeld() && leases.get(name)?.fence === fence;
    return {
      fence,
      renew: async () => {
        if (!isMine()) return false;
        leases.set(name, { fence, until: this.#now() + ttlMs });
        return true;
      },
      release: async () => {
        if (isMine()) leases.delete(name);
      },
    };
  }

  async #newFence(name: string): Promise<number> {
    const row = await this.#file.write(() => this.#nextFence.get(name));
    return Number(row?.fence);
  }

  async ping(): Promise<void> {
    const value = String(this.#now());
    await this.#file.write(() => this.#rows.set.run(pingNamespace, 'ping', value, null));
    const row = this.#file.read(() => this.#rows.get.get(pingNamespace, 'ping', 0));
    if (row?.value !== value) throw new GatewayError('unavailable', `${this.#file.path}: read back something else`);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#leave();
  }

  #sweep(): void {
    const now = this.#now();
    if (this.#file.read(() => this.#rows.anyExpired.get(now)) === undefined) return;
    // Expired rows are invisible already; a sweep that finds no room to work in is tried again next time.
    this.#file.write(() => this.#rows.sweep.run(now, sweepAtMost)).catch(() => undefined);
  }
}

/** The statements, prepared once for all namespaces. */
class Rows {
  readonly get: StatementSync;
  readonly set: StatementSync;
  readonly setIfAbsent: StatementSync;
  readonly take: StatementSync;
  readonly delete: StatementSync;
  readonly page: StatementSync;
  readonly anyExpired: StatementSync;
  readonly sweep: StatementSync;

  constructor(file: SqliteFile) {
    const isLive = '(expires IS NULL OR expires > ?)';
    this.get = file.prepare(`SELECT value, expires FROM state WHERE namespace = ? AND key = ? AND ${isLive}`);
    const insert = 'INSERT INTO state (namespace, key, value, expires) VALUES (?, ?, ?, ?)';
    const update = 'ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires';
    this.set = file.prepare(`${insert} ${update}`);
    this.setIfAbsent = file.prepare(`${insert} ${update} WHERE expires <= ?`);
    this.take = file.prepare('DELETE FROM state WHERE namespace = ? AND key = ? RETURNING value, expires');
    this.delete = file.prepare('DELETE FROM state WHERE namespace = ? AND key = ?');
    this.page = file.prepare(
      `SELECT key, value FROM state WHERE namespace = ? AND key > ? AND ${isLive} ORDER BY key LIMIT ${scanPage}`,
    );
    this.anyExpired = file.prepare('SELECT 1 FROM state WHERE expires <= ? LIMIT 1');
    this.sweep = file.prepare(
      'DELETE FROM state WHERE (namespace, key) IN (SELECT namespace, key FROM state WHERE expires <= ? LIMIT ?)',
    );
  }
}

class SqliteNamespace implements State {
  readonly #name: string;
  readonly #file: SqliteFile;
  readonly #rows: Rows;
  readonly #now: () => number;

  constructor(name: string, file: SqliteFile, rows: Rows, now: () => number) {
    this.#name = name;
    this.#file = file;
    this.#rows = rows;
    this.#now = now;
  }

  async get(key: string): Promise<string | undefined> {
    return this.#file.read(() => this.#live(key))?.value;
  }

  async set(key: string, value: string, ttlMs?: number): Promise<void> {
    checkKey(key);
    const expires = this.#expiry(ttlMs);
    await this.#file.write(() => this.#rows.set.run(this.#name, key, value, expires));
  }

  async setIfAbsent(key: string, value: string, ttlMs?: number): Promise<boolean> {
    checkKey(key);
    const expires = this.#expiry(ttlMs);
    return this.#file.write(
      () => this.#rows.setIfAbsent.run(this.#name, key, value, expires, this.#now()).changes === 1,
    );
  }

  async take(key: string): Promise<string | undefined> {
    const row = await this.#file.write(() => this.#rows.take.get(this.#name, key) as unknown as Row | undefined);
    return row && (row.expires === null || row.expires > this.#now()) ? row.value : undefined;
  }

  async delete(key: string): Promise<void> {
    await this.#file.write(() => this.#rows.delete.run(this.#name, key));
  }

  async increment(key: string, by = 1, ttlMs?: number): Promise<number> {
    checkKey(key);
    return this.#file.write(() => {
      const row = this.#live(key);
      const sum = Number(row?.value ?? 0) + by;
      const expires = ttlMs === undefined ? (row?.expires ?? null) : this.#expiry(ttlMs);
      this.#rows.set.run(this.#name, key, String(sum), expires);
      return sum;
    });
  }

  async *scan(prefix: string): AsyncIterable<[key: string, value: string]> {
    // Pages begin after a key, so the key that is the prefix itself is in none.
    const exact = await this.get(prefix);
    if (exact !== undefined) yield [prefix, exact];
    let after = prefix;
    for (;;) {
      const page = this.#file.read(
        () => this.#rows.page.all(this.#name, after, this.#now()) as unknown as { key: string; value: string }[],
      );
      for (const { key, value } of page) {
        if (!key.startsWith(prefix)) return;
        yield [key, value];
        after = key;
      }
      if (page.length < scanPage) return;
    }
  }

  #live(key: string): Row | undefined {
    return this.#rows.get.get(this.#name, key, this.#now()) as unknown as Row | undefined;
  }

  #expiry(ttlMs: number | undefined): number | null {
    return ttlMs === undefined ? null : Math.ceil(this.#now() + ttlMs);
  }
}

interface Row {
  value: string;
  expires: number | null;
}
