// A YAML file that remembers where each key stands, and puts secrets in where it names them.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
} from 'yaml';
import { redact } from '../secrets.ts';

/** One fault: `config/dragoman.yaml:12:5 instances.carrier.windo: unknown key; did you mean "window"?` */
export interface Fault {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly text: string;
}

export class ConfigError extends Error {
  readonly faults: readonly Fault[];

  constructor(file: string, faults: readonly Fault[]) {
    super(
      faults
        .map(({ line, column, path, text }) => `${file}:${line}:${column} ${path}${path && ': '}${text}`)
        .join('\n'),
    );
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

const reference = /\$\{([^}]*)\}/g;

export class ConfigDocument {
  readonly file: string;
  readonly value: unknown;
  readonly faults: Fault[] = [];
  /** What `${env:}` and `${file:}` stood for: never to be printed. */
  readonly secrets: string[] = [];
  readonly #lines = new LineCounter();
  readonly #contents: Node | null;

  /** Throws ConfigError when the file cannot be read; everything else that is wrong is kept in `faults`. */
  constructor(file: string, env: NodeJS.ProcessEnv) {
    this.file = file;
    const text = readOr(file, (why) => {
      throw new ConfigError(file, [{ line: 1, column: 1, path: '', text: `cannot be read: ${why}` }]);
    });
    const document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true, prettyErrors: false });
    this.#contents = document.contents;
    for (const error of document.errors) this.#add(error.pos[0], '', error.message);
    this.#resolve(document, env);
    this.value = this.faults.some(({ path }) => path === '') ? {} : this.#plain(document);
  }

  /** Adds a fault at a key, the first there only; one that is not there is reported at its nearest parent. */
  fault(path: readonly PropertyKey[], text: string): void {
    const dotted = path.map(String).join('.');
    if (this.faults.some((known) => known.path === dotted && dotted !== '')) return;
    this.#add(this.#offset(path), dotted, text);
  }

  throwFaults(): void {
    if (this.faults.length === 0) return;
    throw new ConfigError(
      this.file,
      this.faults.sort((a, b) => a.line - b.line || a.column - b.column),
    );
  }

  #resolve(document: Document, env: NodeJS.ProcessEnv): void {
    visit(document, {
      Alias: (_, node) => {
        if (!node.resolve(document))
          this.#add(node.range?.[0] ?? 0, '', `nothing above is anchored as &${node.source}`);
      },
      Scalar: (_, node, ancestors) => {
        if (typeof node.value !== 'string') return;
        const fault = (text: string) => {
          this.#add(node.range?.[0] ?? 0, keysOf(ancestors, node), text);
          return '';
        };
        node.value = node.value.replace(reference, (_all, inner: string) => this.#secret(inner, env, fault));
      },
    });
  }

  #secret(inner: string, env: NodeJS.ProcessEnv, fault: (text: string) => string): string {
    const [, kind, name = ''] = /^(env|file):(.+)$/.exec(inner) ?? [];
    if (kind === undefined) return fault(`\${${inner}} means nothing; write \${env:NAME} or \${file:path}`);
    const path = resolve(dirname(this.file), name);
    const secret = kind === 'env' ? env[name] : readOr(path, () => undefined)?.replace(/\r?\n$/, '');
    if (!secret) return fault(kind === 'env' ? `the environment has no ${name}` : `${path} is missing or empty`);
    this.secrets.push(secret);
    return secret;
  }

  #plain(document: Document): unknown {
    try {
      return document.toJS() ?? {};
    } catch (error) {
      // Aliases that unfold without end.
      this.#add(0, '', (error as Error).message);
      return {};
    }
  }

  #offset(path: readonly PropertyKey[]): number {
    let node: unknown = this.#contents;
    let offset = 0;
    for (const key of path) {
      const pair: Pair | undefined = isMap(node)
        ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
        : undefined;
      const next: unknown = pair?.key ?? (isSeq(node) ? node.items[Number(key)] : undefined);
      if (!isNode(next)) break;
      offset = next.range?.[0] ?? offset;
      node = pair ? pair.value : next;
    }
    return offset;
  }

  #add(offset: number, path: string, text: string): void {
    const { line, col } = this.#lines.linePos(offset);
    const clean = redact(text, this.secrets);
    this.faults.push({ line: Math.max(1, line), column: Math.max(1, col), path, text: clean });
  }
}

function readOr<T>(file: string, otherwise: (why: string) => T): string | T {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    return otherwise((error as Error).message);
  }
}

/** The keys that lead to a value: `instances.carrier.password`. */
function keysOf(ancestors: readonly unknown[], node: unknown): string {
  const keys = [...ancestors, node].flatMap((one, i, all) => {
    if (isPair(one) && isScalar(one.key)) return [String(one.key.value)];
    return isSeq(one) ? [String(one.items.indexOf(all[i + 1]))] : [];
  });
  return keys.join('.');
}
