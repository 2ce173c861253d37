// A list of presentities that somebody here watches as one contact (RFC 4662): each member is a device of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatListNotice, type Rlmi } from '../../../../src/formats/rlmi.ts';
import { type Bench, bench, pidf, rest, told } from './subscriber-fixtures.ts';

type Members = Record<string, string | undefined>;

/** A NOTIFY of a list: a document for each member that has one. */
function notifyList(
  made: Bench,
  version: number,
  fullState: boolean,
  members: Members,
  state = 'active',
): Promise<number> {
  const contents = new Map<string, { type: string; content: string }>();
  const resources = Object.entries(members).map(([name, content]): Rlmi['resources'][number] => {
    if (content === undefined) return { uri: `sip:${name}@h`, instances: [] };
    if (content === 'terminated') return { uri: `sip:${name}@h`, instances: [{ id: '1', state: 'terminated' }] };
    contents.set(`${name}@cid`, { type: 'application/pidf+xml', content });
    return { uri: `sip:${name}@h`, instances: [{ id: '1', state: 'active', cid: `${name}@cid` }] };
  });
  const { type, content } = formatListNotice({ uri: 'sip:list@h', version, fullState, resources }, contents, {
    boundary: 'b1',
  });
  return made.notify(`${state};expires=3600`, { type, body: content, more: ['Require: eventlist'] });
}

test('RFC 4662 s.4.1: a SUBSCRIBE says that lists are understood', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  assert.match(made.last().headers.get('Supported') ?? '', /eventlist/);
  assert.match(made.last().headers.get('Accept') ?? '', /multipart\/related, application\/rlmi\+xml/);
});

test('RFC 4662 s.5: the members of a list are told as its devices, by their addresses', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  assert.equal(
    await notifyList(made, 0, true, {
      bob: pidf({ a: 'open' }),
      dave: pidf({ x: 'away', y: 'closed' }),
      ed: undefined,
    }),
    200,
  );
  assert.deepEqual(told(made.hub).slice(1), ['bob/bob%40h available', 'bob/dave%40h away', 'bob/ed%40h unknown']);
});

test('RFC 4662 s.5.6.2: partial news change the members they name, and no others', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  await notifyList(made, 0, true, { bob: pidf({ a: 'open' }), dave: pidf({ a: 'open' }) });
  const { length } = made.hub.drafts;
  assert.equal(await notifyList(made, 1, false, { dave: pidf({ a: 'away' }) }), 200);
  assert.equal(await notifyList(made, 2, false, { bob: 'terminated' }), 200);
  assert.deepEqual(told(made.hub, length), ['bob/dave%40h away', 'bob/bob%40h unavailable']);
});

test('RFC 4662 s.5.6.1: full news without a member mean that it is gone', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  await notifyList(made, 0, true, { bob: pidf({ a: 'open' }), dave: pidf({ a: 'open' }) });
  const { length } = made.hub.drafts;
  await notifyList(made, 1, true, { dave: pidf({ a: 'open' }) });
  assert.deepEqual(told(made.hub, length), ['bob/bob%40h unavailable']);
});

test('RFC 4662 s.5.6.2: after a gap nothing is believed until the answer to a refresh, which is whole', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  await notifyList(made, 0, true, { bob: pidf({ a: 'open' }) });
  const { length } = made.hub.drafts;
  assert.equal(await notifyList(made, 3, false, { bob: pidf({ a: 'away' }) }), 200);
  // The watcher's network is asked first, as before any refresh (RFC 8048 s.8.1).
  assert.deepEqual(told(made.hub, length), ['fetch']);
  made.heard('available');
  await rest();
  assert.equal(made.sent.length, 2);
  await notifyList(made, 4, true, { bob: pidf({ a: 'away' }) });
  assert.deepEqual(told(made.hub, length).slice(1), ['bob/bob%40h away']);
});

test('RFC 4662 s.5.6.2: news that do not begin with the whole are not believed', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  await notifyList(made, 1, false, { bob: pidf({ a: 'away' }) });
  assert.ok(!told(made.hub).some((line) => line.includes('away')));
});

test('RFC 4662 s.5: a list of sixty keeps what each of them says', async (t) => {
  const made = await bench(t);
  await made.ask('request');
  const note = `<note>${'busy with the harvest '.repeat(8)}</note>`;
  const members = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`m${at}`, pidf({ a: 'open' }, note)]));
  assert.equal(await notifyList(made, 0, true, members), 200);
  const said = made.hub.draftsOf('presence').filter(({ notes }) => notes?.['']?.startsWith('busy with'));
  assert.equal(said.length, 60);
});
