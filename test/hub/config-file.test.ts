// config/dragoman.yaml against the schemas: every option stands there with its default and one line, and nothing else does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { jsonSchema, loadConfig } from '../../src/config/config.ts';
import type { AdapterModule } from '../../src/contract/index.ts';
import { builtInProtocols, loadAdapter } from '../../src/loader.ts';

const root = join(import.meta.dirname, '../..');
const file = join(root, 'config/dragoman.yaml');
const text = readFileSync(file, 'utf8');
// A comment that begins like an option is one: prose begins with a capital letter or a quotation mark.
const isOption = /^(\s*)# (\s*(?:- )?(?:[a-z]\w*:|\{).*)$/;
const whole = text.replace(new RegExp(isOption.source, 'gm'), '$1$2');
// What may stand in two forms is shown in both: the second, fuller one counts.
const shown: unknown = parse(whole, { uniqueKeys: false });

interface Shape {
  properties?: Record<string, Shape>;
  additionalProperties?: Shape | boolean;
  items?: Shape;
  anyOf?: Shape[];
  const?: unknown;
  default?: unknown;
}

const modules: AdapterModule[] = await Promise.all(builtInProtocols().map(loadAdapter));
const schema = JSON.parse(JSON.stringify(jsonSchema(modules))) as Shape;

test('it is right as it stands, with nothing in the environment', async () => {
  const { instances } = await loadConfig(file, loadAdapter, {});
  assert.ok(instances.length > 0);
});

test('every option of the gateway and of each built-in adapter is there, and nothing else', () => {
  const faults: string[] = [];
  compare(schema, shown, '', faults);
  assert.deepEqual(faults, []);
  const shownProtocols = Object.values((shown as { instances: Record<string, { protocol: string }> }).instances);
  assert.deepEqual(
    shownProtocols.map(({ protocol }) => protocol).sort(),
    modules.map(({ protocol }) => protocol).sort(),
  );
});

test('every option says in one line what it is', () => {
  const silent = whole.split('\n').filter((line) => /^\s*(- )?[a-z]\w*:/.test(line) && !/ # ./.test(line));
  assert.deepEqual(silent, []);
});

test('what is commented out is right too', () => {
  const { instances } = shown as { instances: Record<string, { protocol: string }> };
  for (const { protocol, ...options } of Object.values(instances)) {
    const module = modules.find((one) => one.protocol === protocol);
    assert.ok(module, protocol);
    const issues = module.options.safeParse(options).error?.issues ?? [];
    // Of the files that it names none is here.
    assert.deepEqual(
      issues.filter(({ message }) => !message.startsWith('no file /etc/dragoman/')),
      [],
      protocol,
    );
  }
});

// A plain default must be the value shown; a list may show an example, whose own options are compared.
function compare(shape: Shape, value: unknown, path: string, faults: string[]): void {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      // The first of a list shows every option, those after it what differs.
      if (i === 0 && shape.items) compare(shape.items, item, `${path}.0`, faults);
    }
    return;
  }
  const object = objectShape(shape, value);
  if (object && isRecord(value)) compareObject(object, value, path, faults);
  else if (shape.default !== undefined && typeof shape.default !== 'object' && shape.default !== value)
    faults.push(`${path}: shows ${String(value)}, the default is ${String(shape.default)}`);
}

function compareObject(shape: Shape, value: Record<string, unknown>, path: string, faults: string[]): void {
  const known = shape.properties ?? {};
  for (const key of Object.keys(known)) if (!(key in value)) faults.push(`${path}.${key} is missing`);
  for (const [key, inner] of Object.entries(value)) {
    const next = known[key] ?? shape.additionalProperties;
    if (typeof next === 'object') compare(next, inner, `${path}.${key}`, faults);
    else faults.push(`${path}.${key} is unknown`);
  }
}

function objectShape(shape: Shape, value: unknown): Shape | undefined {
  if (!shape.anyOf) return shape.properties || shape.additionalProperties ? shape : undefined;
  const protocol = isRecord(value) ? value.protocol : undefined;
  return shape.anyOf.find(
    ({ properties }) => properties && (properties.protocol === undefined || properties.protocol.const === protocol),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
