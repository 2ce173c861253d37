// `npm run conformance`: docs/conformance/*.md from the titles of the tests, which quote the rule they show. With --check it
// only says whether the files are as they would be written.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const folder = 'docs/conformance';

/** `RFC 3428 s.8: ...`, `XEP-0106 s.3: ...`, `SMPP 3.4 s.4.4.1: ...`, `TS 23.038 s.6.2: ...` */
const rule =
  /^((?:RFC \d+|XEP-\d{4}|SMPP (?:3\.4|5\.0|3\.3)|(?:3GPP )?TS 23\.0\d\d|DESIGN|reference|Kannel)(?:[^:]{0,40})?): (.+)$/s;
const title = /\b(?:test|it)\(\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g;

/** Just before a title with holes: `for (const [what, status] of table) {`. */
const loop = /for \(const \[([\w, ]+)\] of (\w+)\) \{\s*$/;
/** A cell that says what it is: a text or a number. */
const plainCell = /\s*(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|(\d\w*))\s*[,\]]/y;

interface Shown {
  rule: string;
  claim: string;
  file: string;
}

interface Page {
  heading: string;
  files: string[];
  /** Rules that are listed here wherever their test is. */
  rules?: RegExp;
}

const pages: Readonly<Record<string, Page>> = {
  addresses: { heading: 'Addresses and the hub', files: ['test/hub/*.test.ts', 'test/contract/*.ts'] },
  formats: { heading: 'Formats that networks share', files: ['test/formats/*.test.ts'] },
  xmpp: { heading: 'XMPP', files: ['test/adapters/xmpp/*.ts', 'test/interop/xmpp-*.ts'] },
  sip: {
    heading: 'SIP',
    files: [
      'test/adapters/sip/**/*.ts',
      'test/interop/sip-*.ts',
      'test/formats/{pidf,cpim,mime,rlmi}*.test.ts',
      'test/hub/address.test.ts',
      'test/scenarios/presence-*.test.ts',
    ],
  },
  smpp: {
    heading: 'SMS over SMPP',
    files: ['test/adapters/smpp/**/*.ts', 'test/interop/smpp-*.ts'],
    rules: /^(SMPP|(3GPP )?TS 23|reference smpp)/,
  },
  http: { heading: 'HTTP', files: ['test/adapters/http/*.ts', 'test/interop/http-*.ts'] },
};

const stale: string[] = [];
for (const [name, { heading, files, rules }] of Object.entries(pages)) {
  const own = collect(files);
  const page = format(heading, [...own, ...(rules ? elsewhere(rules, own) : [])]);
  const path = join(root, folder, `${name}.md`);
  if (process.argv.includes('--check')) {
    if (readOr(path) !== page) stale.push(`${folder}/${name}.md`);
  } else writeFileSync(path, page);
}
if (stale.length > 0) {
  process.stderr.write(`not as the test titles say, run npm run conformance: ${stale.join(', ')}\n`);
  process.exitCode = 1;
}

function collect(files: string[]): Shown[] {
  return globSync(files, { cwd: root })
    .sort()
    .flatMap((file) => {
      const source = readFileSync(join(root, file), 'utf8');
      return [...source.matchAll(title)]
        .flatMap((match) => {
          const text = (match[1] ?? match[2] ?? match[3] ?? '').replace(/\\(.)/g, '$1');
          return match[3] === undefined ? [text] : filled(text, source.slice(0, match.index));
        })
        .flatMap((text) => {
          const [, named, claim] = rule.exec(text) ?? [];
          return named && claim ? [{ rule: named, claim, file }] : [];
        });
    });
}

/** A title with holes once for each row of the table that it is in; as it stands where a hole is no plain cell of it. */
function filled(text: string, before: string): string[] {
  const [, names = '', table = ''] = loop.exec(before) ?? [];
  const start =
    table === '' ? -1 : Math.max(before.lastIndexOf(`const ${table} `), before.lastIndexOf(`const ${table}:`));
  const [, indent = '', rows = ''] = /^( *)const [^\n]*\[\n(.*?)\n\1\];/s.exec(lineAt(before, start)) ?? [];
  const columns = names.split(', ');
  const titles = rows
    .split(new RegExp(`^${indent}  \\[`, 'm'))
    .slice(1)
    .map((row) => {
      const cells = literals(row);
      return text.replace(/\$\{(\w+)\}/g, (hole, name: string) => cells[columns.indexOf(name)] ?? hole);
    });
  return titles.length === 0 || titles.some((one) => one.includes('${')) ? [text] : titles;
}

/** The first cells of a row, as far as they are plain. */
function literals(row: string): string[] {
  const cells: string[] = [];
  plainCell.lastIndex = 0;
  for (let match = plainCell.exec(row); match; match = plainCell.exec(row)) {
    cells.push((match[1] ?? match[2] ?? match[3] ?? '').replace(/\\(.)/g, '$1'));
  }
  return cells;
}

function lineAt(text: string, place: number): string {
  return place < 0 ? '' : text.slice(text.lastIndexOf('\n', place) + 1);
}

function elsewhere(rules: RegExp, own: readonly Shown[]): Shown[] {
  const files = new Set(own.map(({ file }) => file));
  return collect(['test/**/*.test.ts']).filter((shown) => rules.test(shown.rule) && !files.has(shown.file));
}

function format(heading: string, shown: readonly Shown[]): string {
  const rows = [...shown]
    .sort((a, b) => a.rule.localeCompare(b.rule, 'en', { numeric: true }) || a.claim.localeCompare(b.claim))
    .map(({ rule: named, claim, file }) => `| ${cell(named)} | ${cell(claim)} | ${file} |`);
  const rules = new Set(shown.map(({ rule: named }) => named)).size;
  return `# ${heading}: rules and their tests

Written by \`npm run conformance\` from the titles of the tests; ${shown.length} tests quote ${rules} rules. A rule that is not here has no test that names it.

| rule | what is shown | test |
|---|---|---|
${rows.join('\n')}
`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
