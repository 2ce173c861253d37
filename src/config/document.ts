// A YAML file that remembers where each key stands, and puts secrets in where it names them.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isMap, isNode, isPair, isScalar, LineCounter, type Node, type Pair, parseDocument, visit } from 'yaml';

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

export class ConfigDocument {
  readonly file: string;
  readonly value: unknown;
  readonly faults: Fault[] = [];
  /** What `${env:}` and `${file:}` stood for: never to be printed. */
  readonly secrets: readonly string[];
  readonly #lines = new LineCounter();
  readonly #contents: Node | null;

  constructor(file: string, env: NodeJS.ProcessEnv) {
    this.file = file;
    let text = '';
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      throw new ConfigError(file, [
        { line: 1, column: 1, path: '', text: `cannot be read: ${(error as Error).message}` },
      ]);
    }
    const document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true, prettyErrors: false });
    this.#contents = document.contents;
    for (const error of document.errors) this.#add(error.pos[0], '', error.message);
    const secrets: string[] = [];
    visit(document, {
      Scalar: (_, node) => {
        if (typeof node.value !== 'string' || !node.value.includes('${')) return;
        node.value = node.value.replace(/\$\{(env|file):([^}]+)\}/g, (_all, kind: string, name: string) => {
          const secret = kind === 'env' ? env[name] : this.#readSecret(name);
          if (secret === undefined) {
            const what = kind === 'env' ? `the environment has no ${name}` : `the file ${name} cannot be read`;
            this.#add(node.range?.[0] ?? 0, '', what);
            return '';
          }
          secrets.push(secret);
          return secret;
        });
      },
    });
    this.secrets = secrets;
    this.value = document.errors.length > 0 ? {} : (document.toJS() ?? {});
  }

  /** Adds a fault at a key; one that is not there is reported at its nearest parent. */
  fault(path: readonly PropertyKey[], text: string): void {
    this.#add(this.#offset(path), path.map(String).join('.'), text);
  }

  throwFaults(): void {
    if (this.faults.length > 0)
      throw new ConfigError(
        this.file,
        this.faults.sort((a, b) => a.line - b.line),
      );
  }

  #offset(path: readonly PropertyKey[]): number {
    let node: unknown = this.#contents;
    let offset = 0;
    for (const key of path) {
      const pair: Pair | undefined = isMap(node)
        ? node.items.find((item) => isScalar(item.key) && item.key.value === key)
        : undefined;
      const next: unknown = isPair(pair) ? pair.key : this.#child(node, key);
      if (!isNode(next)) break;
      offset = next.range?.[0] ?? offset;
      node = isPair(pair) ? pair.value : next;
    }
    return offset;
  }

  #child(node: unknown, key: PropertyKey): unknown {
    return typeof key === 'number' && isNode(node) && 'items' in node ? (node.items as unknown[])[key] : undefined;
  }

  #readSecret(name: string): string | undefined {
    try {
      return readFileSync(resolve(dirname(this.file), name), 'utf8').replace(/\r?\n$/, '');
    } catch {
      return undefined;
    }
  }

  #add(offset: number, path: string, text: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.faults.push({ line: Math.max(1, line), column: Math.max(1, col), path, text });
  }
}
