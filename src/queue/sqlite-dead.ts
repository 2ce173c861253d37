// The dead letters in the embedded SQLite file.
import type { StatementSync } from 'node:sqlite';
import type { FailureReason } from '../contract/index.ts';
import type { SqliteFile } from '../state/sqlite.ts';
import type { DeadLetter, DeadLetters } from './queue.ts';

export const deadSchema = `
  CREATE TABLE IF NOT EXISTS dead (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, instance TEXT NOT NULL, at INTEGER NOT NULL,
    reason TEXT NOT NULL, text TEXT NOT NULL, event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS dead_by_time ON dead (at, seq);`;

export class SqliteDeadLetters implements DeadLetters {
  readonly #file: SqliteFile;
  readonly #insert: StatementSync;
  readonly #newest: StatementSync;
  readonly #newestOf: StatementSync;
  readonly #get: StatementSync;
  readonly #delete: StatementSync;
  readonly #count: StatementSync;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#insert = file.prepare(
      'INSERT OR REPLACE INTO dead (id, instance, at, reason, text, event) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#newest = file.prepare('SELECT * FROM dead ORDER BY at DESC, seq DESC LIMIT ?');
    this.#newestOf = file.prepare('SELECT * FROM dead WHERE instance = ? ORDER BY at DESC, seq DESC LIMIT ?');
    this.#get = file.prepare('SELECT * FROM dead WHERE id = ?');
    this.#delete = file.prepare('DELETE FROM dead WHERE id = ?');
    this.#count = file.prepare('SELECT count(*) AS n FROM dead');
  }

  bury(letter: DeadLetter): Promise<void> {
    return this.#file.write(() => this.insert(letter));
  }

  /** For a transaction that does more than this. */
  insert(letter: DeadLetter): void {
    const { id, instance, at, reason, text, event } = letter;
    this.#insert.run(id, instance, Date.parse(at), reason, text, JSON.stringify(event ?? null));
  }

  async list(limit: number, instance?: string): Promise<DeadLetter[]> {
    const rows = this.#file.read(() =>
      instance === undefined ? this.#newest.all(limit) : this.#newestOf.all(instance, limit),
    );
    return rows.map((row) => toLetter(row as unknown as Row));
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    const row = this.#file.read(() => this.#get.get(id));
    return row && toLetter(row as unknown as Row);
  }

  async remove(id: string): Promise<boolean> {
    return this.#file.write(() => this.#delete.run(id).changes === 1);
  }

  async count(): Promise<number> {
    return Number(this.#file.read(() => this.#count.get())?.n);
  }
}

interface Row {
  id: string;
  instance: string;
  at: number;
  reason: FailureReason;
  text: string;
  event: string;
}

function toLetter(row: Row): DeadLetter {
  const { id, instance, reason, text } = row;
  return { id, instance, at: new Date(row.at).toISOString(), reason, text, event: JSON.parse(row.event) };
}
