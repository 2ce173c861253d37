// What zod found wrong, in words that name the key and what would be right.
import { z } from 'zod';
import type { ConfigDocument } from './document.ts';
import { guess } from './spelling.ts';

/** The parsed value, or undefined with the faults noted in the document. */
export function validate<T>(
  document: ConfigDocument,
  schema: z.ZodType<T>,
  value: unknown,
  at: readonly string[],
): T | undefined {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const note = (path: readonly PropertyKey[], text: string) => document.fault([...at, ...path], text);
  for (const issue of parsed.error.issues) report(schema, issue, issue.path, note);
  return undefined;
}

type Note = (path: readonly PropertyKey[], text: string) => void;

function report(schema: z.ZodType, issue: z.core.$ZodIssue, path: readonly PropertyKey[], note: Note): void {
  if (issue.code === 'unrecognized_keys') reportUnknown(schema, issue.keys, path, note);
  else if (issue.code === 'invalid_union') reportUnion(schema, issue, path, note);
  else if (issue.code === 'invalid_key') note(path, issue.issues[0]?.message ?? issue.message);
  else if (issue.code === 'invalid_type' && issue.input === undefined) note(path, `is missing: ${expected(issue)}`);
  else note(path, inWords(issue));
}

function reportUnknown(schema: z.ZodType, keys: readonly string[], path: readonly PropertyKey[], note: Note): void {
  const known = keysAt(schema, path);
  for (const key of keys) note([...path, key], `unknown key${guess(key, known) || `; known are ${known.join(', ')}`}`);
}

// The branch that was meant is the one whose own type fits; where none does, what each would take is said.
function reportUnion(
  schema: z.ZodType,
  issue: z.core.$ZodIssueInvalidUnion,
  path: readonly PropertyKey[],
  note: Note,
): void {
  const isOfOtherType = (issues: readonly z.core.$ZodIssue[]) =>
    issues.some(({ code, path: at }) => code === 'invalid_type' && at.length === 0);
  const meant = issue.errors.find((issues) => !isOfOtherType(issues));
  for (const inner of meant ?? []) report(schema, inner, [...path, ...inner.path], note);
  if (meant) return;
  const own = issue.message.replace(/^Invalid input$/, '');
  const types = issue.errors.flatMap((issues) => issues.map(expected));
  note(path, own || [...new Set(types)].join(', or '));
}

function expected(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && /^Invalid input: /.test(issue.message)) return `expected ${issue.expected}`;
  return inWords(issue);
}

function inWords({ message }: z.core.$ZodIssue): string {
  return message.replace(/^Invalid (input|option): /, '');
}

// The keys an object of the schema may have, found through zod's own JSON Schema so that wrappers do not matter.
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  type Shape = { properties?: Record<string, Shape>; items?: Shape; additionalProperties?: Shape; anyOf?: Shape[] };
  const withKeys = (shape: Shape) => shape.anyOf?.find(({ properties }) => properties) ?? shape;
  let shape = withKeys(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape);
  for (const key of path) {
    const next =
      typeof key === 'number' ? shape.items : (shape.properties?.[String(key)] ?? shape.additionalProperties);
    shape = withKeys(next ?? {});
  }
  return Object.keys(shape.properties ?? {});
}
