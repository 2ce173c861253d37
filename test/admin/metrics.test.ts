// The Prometheus exposition: names, labels, histograms, and that no peer can make it grow without end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry } from '../../src/metrics.ts';

const linesOf = async (metrics: MetricsRegistry, name: string) =>
  (await metrics.text()).split('\n').filter((line) => new RegExp(`^${name}\\b`).test(line));

test('every series begins with dragoman_ and says its instance', async () => {
  const metrics = new MetricsRegistry();
  const carrier = metrics.of('carrier');
  carrier.count('inbound_total', { type: 'message' });
  carrier.count('inbound_total', { type: 'message' }, 2);
  carrier.gauge('queue_depth', 7);
  metrics.of('jabber').gauge('queue_depth', 1);
  assert.deepEqual(await linesOf(metrics, 'dragoman_inbound_total'), [
    'dragoman_inbound_total{instance="carrier",type="message"} 3',
  ]);
  assert.deepEqual(await linesOf(metrics, 'dragoman_queue_depth'), [
    'dragoman_queue_depth{instance="carrier"} 7',
    'dragoman_queue_depth{instance="jabber"} 1',
  ]);
  const names = (await metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  assert.ok(names.every((line) => line.startsWith('dragoman_')));
});

test('latencies are histograms in milliseconds', async () => {
  const metrics = new MetricsRegistry();
  for (const ms of [0.4, 3, 40_000]) metrics.of('carrier').observe('delivery_ms', ms);
  const buckets = await linesOf(metrics, 'dragoman_delivery_ms_bucket');
  assert.equal(buckets.at(0), 'dragoman_delivery_ms_bucket{le="1",instance="carrier"} 1');
  assert.ok(buckets.includes('dragoman_delivery_ms_bucket{le="30000",instance="carrier"} 2'));
  assert.equal(buckets.at(-2), 'dragoman_delivery_ms_bucket{le="3600000",instance="carrier"} 3', 'receipts take hours');
  assert.equal(buckets.at(-1), 'dragoman_delivery_ms_bucket{le="+Inf",instance="carrier"} 3');
});

test('reference smpp 7.7: histograms have labels, and those of other things than milliseconds buckets of their own', async () => {
  const metrics = new MetricsRegistry();
  metrics.of('carrier').observe('window_use', 7, { bind: 'bind_transceiver 1' });
  for (let i = 0; i < 500; i++) metrics.of('carrier').observe('response_ms', 5, { bind: `made up ${i}` });
  const uses = await linesOf(metrics, 'dragoman_window_use_bucket');
  assert.ok(uses.includes('dragoman_window_use_bucket{le="5",instance="carrier",bind="bind_transceiver 1"} 0'));
  assert.ok(uses.includes('dragoman_window_use_bucket{le="10",instance="carrier",bind="bind_transceiver 1"} 1'));
  const sums = await linesOf(metrics, 'dragoman_response_ms_count');
  assert.equal(sums.length, 101);
  assert.ok(sums.includes('dragoman_response_ms_count{instance="carrier",bind="other"} 400'));
});

test('the 101st set of labels of an instance is counted as "other", and the known ones go on', async () => {
  const metrics = new MetricsRegistry();
  const carrier = metrics.of('carrier');
  for (let i = 0; i < 5000; i++) carrier.count('answers_total', { status: `status-${i}` });
  carrier.count('answers_total', { status: 'status-0' });
  metrics.of('jabber').count('answers_total', { status: 'status-4999' });
  const lines = await linesOf(metrics, 'dragoman_answers_total');
  assert.equal(lines.length, 102);
  assert.ok(lines.includes('dragoman_answers_total{instance="carrier",status="status-0"} 2'));
  assert.ok(lines.includes('dragoman_answers_total{instance="carrier",status="other"} 4900'));
  assert.ok(lines.includes('dragoman_answers_total{instance="jabber",status="status-4999"} 1'));
});

test('a label that its first use did not have is left out, never an exception', async () => {
  const metrics = new MetricsRegistry();
  metrics.of('a').count('held_total');
  metrics.of('a').count('held_total', { type: 'message' });
  assert.deepEqual(await linesOf(metrics, 'dragoman_held_total'), ['dragoman_held_total{instance="a"} 2']);
});

test("a peer's words in a label are escaped", async () => {
  const metrics = new MetricsRegistry();
  metrics.of('a').count('odd_total', { what: 'quote " backslash \\ line\nend' });
  assert.deepEqual(await linesOf(metrics, 'dragoman_odd_total'), [
    'dragoman_odd_total{instance="a",what="quote \\" backslash \\\\ line\\nend"} 1',
  ]);
});
