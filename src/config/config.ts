// Reads the configuration file once, validates all of it, and says everything that is wrong with it, with key and line.
import { z } from 'zod';
import type { AdapterModule } from '../contract/index.ts';
import { ConfigDocument } from './document.ts';
import { configSchema, type Settings } from './schema.ts';

export { ConfigError } from './document.ts';

export interface InstanceConfig {
  readonly name: string;
  readonly protocol: string;
  readonly module: AdapterModule;
  /** What the module's own schema made of it. */
  readonly options: unknown;
}

export interface Config extends Omit<Settings, 'instances'> {
  readonly file: string;
  readonly instances: readonly InstanceConfig[];
  /** Never to be printed. */
  readonly secrets: readonly string[];
}

export type LoadModule = (protocol: string) => Promise<AdapterModule>;

/** Throws ConfigError with every fault found. */
export async function loadConfig(
  file: string,
  loadModule: LoadModule,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Config> {
  const document = new ConfigDocument(file, env);
  document.throwFaults();
  const settings = validate(document, configSchema, document.value, []);
  const listed = settings?.instances ?? {};
  const instances: InstanceConfig[] = [];
  for (const [name, { protocol, ...options }] of Object.entries(listed)) {
    const module = await loadModule(protocol).catch((error: Error) => {
      document.fault(['instances', name, 'protocol'], error.message);
    });
    if (!module) continue;
    const valid = validate(document, module.options, options, ['instances', name]);
    if (valid !== undefined) instances.push({ name, protocol, module, options: valid });
  }
  if (settings) checkNames(document, settings, instances);
  document.throwFaults();
  return { ...(settings as Settings), file, instances, secrets: document.secrets };
}

/** JSON Schema of the whole file, for editors. */
export function jsonSchema(modules: readonly AdapterModule[]): object {
  const options = { io: 'input', unrepresentable: 'any' } as const;
  const schema = z.toJSONSchema(configSchema, options) as { properties: Record<string, object> };
  const instance = modules.map((module) => {
    const own = z.toJSONSchema(module.options, options) as { properties?: object; required?: string[] };
    const properties = { protocol: { const: module.protocol }, ...own.properties };
    return { type: 'object', properties, required: ['protocol', ...(own.required ?? [])], additionalProperties: false };
  });
  schema.properties.instances = { type: 'object', additionalProperties: { anyOf: instance } };
  return schema;
}

function validate<T>(
  document: ConfigDocument,
  schema: z.ZodType<T>,
  value: unknown,
  at: readonly string[],
): T | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) report(document, schema, issue, at);
  return undefined;
}

function report(document: ConfigDocument, schema: z.ZodType, issue: z.core.$ZodIssue, at: readonly string[]): void {
  const path = [...at, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path);
    for (const key of issue.keys) {
      const near = nearest(key, known);
      document.fault(
        [...path, key],
        `unknown key${near ? `; did you mean "${near}"?` : `; known are ${known.join(', ')}`}`,
      );
    }
    return;
  }
  document.fault(path, issue.message.replace(/^Invalid input: /, ''));
}

// The keys an object of the schema may have, found through zod's own JSON Schema so that wrappers do not matter.
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  type Shape = { properties?: Record<string, Shape>; items?: Shape; additionalProperties?: Shape; anyOf?: Shape[] };
  let shape = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;
  for (const key of path) {
    const next =
      typeof key === 'number' ? shape.items : (shape.properties?.[String(key)] ?? shape.additionalProperties);
    shape = next ?? {};
    shape = shape.anyOf?.find((one) => one.properties) ?? shape;
  }
  return Object.keys(shape.properties ?? {});
}

function checkNames(document: ConfigDocument, settings: Settings, instances: readonly InstanceConfig[]): void {
  const names = Object.keys(settings.instances);
  settings.routes.forEach((route, i) => {
    const networks = new Set<string>();
    for (const name of route.via) {
      const near = nearest(name, names);
      if (!names.includes(name)) {
        document.fault(
          ['routes', i, 'via'],
          `no instance is called "${name}"${near ? `; did you mean "${near}"?` : ''}`,
        );
      }
      const network = instances.find((instance) => instance.name === name)?.module.network;
      if (network) networks.add(network);
    }
    if (networks.size > 1)
      document.fault(
        ['routes', i, 'via'],
        `a route's instances are of one network, not ${[...networks].join(' and ')}`,
      );
  });
  const seen = new Set<string>();
  settings.numbers.pool.forEach((number, i) => {
    if (seen.has(number)) document.fault(['numbers', 'pool', i], `${number} is there twice`);
    seen.add(number);
  });
}

/** The known word that differs in at most two letters or so, if any. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known.map((other) => ({ other, steps: distance(word.toLowerCase(), other.toLowerCase()) }));
  const [best] = ranked.sort((a, b) => a.steps - b.steps);
  return best && best.steps <= Math.max(2, Math.floor(word.length / 3)) ? best.other : undefined;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
