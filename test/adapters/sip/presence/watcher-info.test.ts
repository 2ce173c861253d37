// application/watcherinfo+xml: the examples of its RFC, versions, what is broken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatWatcherInfo,
  parseWatcherInfo,
  type WatcherInfo,
  WatcherTable,
} from '../../../../adapters/sip/presence/winfo/watcher-info.ts';
import { XmlError } from '../../../../src/formats/xml.ts';

const example = `<?xml version="1.0"?>
<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">
  <watcher-list resource="sip:professor@example.net" package="presence">
    <watcher status="active" id="8ajksjda7s" duration-subscribed="509" event="approved">sip:userA@example.net</watcher>
    <watcher status="pending" id="hh8juja87s997-ass7" display-name="Mr. Subscriber" event="subscribe">sip:userB@example.org</watcher>
  </watcher-list>
</watcherinfo>`;

const partial = (version: number, ...watchers: WatcherInfo['lists'][number]['watchers']): WatcherInfo => ({
  version,
  state: 'partial',
  lists: [{ resource: 'sip:a@h', package: 'presence', watchers }],
});

test('RFC 3858 s.5: the example reads as it says, and comes back the same', () => {
  const info = parseWatcherInfo(example);
  assert.deepEqual(info, {
    version: 0,
    state: 'full',
    lists: [
      {
        resource: 'sip:professor@example.net',
        package: 'presence',
        watchers: [
          {
            id: '8ajksjda7s',
            uri: 'sip:userA@example.net',
            status: 'active',
            event: 'approved',
            durationSubscribed: 509,
          },
          {
            id: 'hh8juja87s997-ass7',
            uri: 'sip:userB@example.org',
            status: 'pending',
            event: 'subscribe',
            displayName: 'Mr. Subscriber',
          },
        ],
      },
    ],
  });
  assert.deepEqual(parseWatcherInfo(formatWatcherInfo(info)), info);
});

test('RFC 3858 s.4: partial documents add up to the whole; copies and old ones are passed over, a gap asks for the whole', () => {
  const table = new WatcherTable();
  const watcher = (id: string, status: 'active' | 'pending' | 'terminated') => ({ id, uri: id, status, event: '' });
  assert.equal(table.apply(partial(1)), false);
  assert.equal(table.apply(parseWatcherInfo(example)), true);
  assert.equal(table.apply(partial(1, watcher('new', 'pending'), watcher('8ajksjda7s', 'terminated'))), true);
  assert.deepEqual([...table.watchers.keys()], ['hh8juja87s997-ass7', 'new']);
  assert.equal(table.apply(partial(1, watcher('other', 'active'))), true);
  assert.equal(table.apply(partial(3, watcher('other', 'active'))), false);
  assert.deepEqual([...table.watchers.keys()], ['hh8juja87s997-ass7', 'new']);
  assert.equal(table.apply({ ...partial(9, watcher('only', 'active')), state: 'full' }), true);
  assert.deepEqual([...table.watchers.keys()], ['only']);
});

test('RFC 3858 s.3: watchers without an id or with a status nobody knows are left out, and no other document is one', () => {
  const read = parseWatcherInfo(
    '<watcherinfo version="7" state="partial"><watcher-list resource="a"><watcher status="active">x</watcher><watcher id="1" status="odd">x</watcher></watcher-list><new/></watcherinfo>',
  );
  assert.deepEqual(read, { version: 7, state: 'partial', lists: [{ resource: 'a', package: '', watchers: [] }] });
  for (const text of ['', '<presence/>', '<watcherinfo/>', '<watcherinfo version="-1"/>']) {
    assert.throws(() => parseWatcherInfo(text), XmlError, text);
  }
});
