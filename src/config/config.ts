// Reads the configuration file once, validates all of it, and says everything that is wrong with it, with key and line.
import { z } from 'zod';
import type { AdapterModule } from '../contract/index.ts';
import { ConfigDocument } from './document.ts';
import { configSchema, type Settings } from './schema.ts';
import { guess } from './spelling.ts';
import { validate } from './validate.ts';

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
  const settings = validate(document, configSchema, document.value, []);
  // Instances and routes are looked at even when the rest is wrong: every fault is told at once.
  const outline = outlineSchema.parse(document.value);
  const instances = await readInstances(document, outline, loadModule);
  checkRoutes(document, outline, instances);
  document.throwFaults();
  return { ...(settings as Settings), file, instances, secrets: document.secrets };
}

/** JSON Schema of the whole file, for editors; `modules` are the built-in adapters. */
export function jsonSchema(modules: readonly AdapterModule[]): object {
  const options = { io: 'input', unrepresentable: 'any' } as const;
  const schema = z.toJSONSchema(configSchema, options) as { properties: Record<string, object> };
  const builtIn = modules.map((module) => {
    const own = z.toJSONSchema(module.options, options) as { properties?: object; required?: string[] };
    const properties = { protocol: { const: module.protocol }, ...own.properties };
    return { type: 'object', properties, required: ['protocol', ...(own.required ?? [])], additionalProperties: false };
  });
  const known = modules.map(({ protocol }) => protocol);
  const fromNpm = { type: 'object', properties: { protocol: { not: { enum: known } } }, required: ['protocol'] };
  schema.properties.instances = {
    ...schema.properties.instances,
    additionalProperties: { anyOf: [...builtIn, fromNpm] },
  };
  return schema;
}

const outlineSchema = z
  .object({
    instances: z.record(z.string(), z.looseObject({ protocol: z.string() }).optional().catch(undefined)).catch({}),
    routes: z
      .array(
        z
          .object({
            via: z.union([z.string().transform((one) => [one]), z.array(z.string())]).default([]),
            costs: z.record(z.string(), z.unknown()).default({}),
          })
          .catch({ via: [], costs: {} }),
      )
      .catch([]),
  })
  .catch({ instances: {}, routes: [] });

type Outline = z.output<typeof outlineSchema>;

async function readInstances(
  document: ConfigDocument,
  outline: Outline,
  loadModule: LoadModule,
): Promise<InstanceConfig[]> {
  const instances: InstanceConfig[] = [];
  for (const [name, entry] of Object.entries(outline.instances)) {
    if (!entry) continue;
    const { protocol, ...raw } = entry;
    try {
      const module = await loadModule(protocol);
      const options = validate(document, module.options, raw, ['instances', name]);
      if (options !== undefined) instances.push({ name, protocol, module, options });
    } catch (error) {
      document.fault(['instances', name, 'protocol'], (error as Error).message);
    }
  }
  return instances;
}

function checkRoutes(document: ConfigDocument, outline: Outline, instances: readonly InstanceConfig[]): void {
  const names = Object.keys(outline.instances);
  const networkOf = new Map(instances.map(({ name, module }) => [name, module.network]));
  outline.routes.forEach(({ via, costs }, i) => {
    const unused = Object.keys(costs).filter((name) => !via.includes(name));
    if (unused.length > 0) document.fault(['routes', i, 'costs'], `"${unused.join('", "')}" is not under via`);
    const at = ['routes', i, 'via'];
    const strangers = via.filter((name) => !names.includes(name));
    const told = strangers.map((name) => `no instance is called "${name}"${guess(name, names)}`);
    if (told.length > 0) document.fault(at, told.join('; '));
    const networks = new Set(via.flatMap((name) => networkOf.get(name) ?? []));
    if (networks.size > 1)
      document.fault(at, `a route's instances are of one network, not ${[...networks].join(' and ')}`);
  });
}
