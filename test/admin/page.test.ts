// The console page in a real browser: signing in, a trace, dead letters, and that peers' words never become markup.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { chromium } from 'playwright-core';
import { serveAdmin } from '../../src/admin/server.ts';
import { MetricsRegistry } from '../../src/metrics.ts';
import { needs } from '../servers/debian.ts';
import { until } from '../servers/process.ts';
import { keptLog, ScriptedGateway } from './scripted-gateway.ts';

async function open(t: TestContext, token?: string) {
  const gateway = new ScriptedGateway();
  const admin = await serveAdmin(gateway, new MetricsRegistry(), { host: '127.0.0.1', port: 0, token }, keptLog());
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  t.after(async () => {
    await browser.close();
    await admin.close();
  });
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => /Content Security Policy/.test(message.text()) && faults.push(message.text()));
  await page.goto(admin.url);
  return { gateway, page, faults };
}

test('the page asks for the token, and shows networks, a trace and dead letters once it is right', async (t) => {
  if (!needs(t, 'chromium')) return;
  const token = 'correct-horse-battery';
  const { gateway, page, faults } = await open(t, token);
  await page.fill('#token', 'wrong');
  await page.click('#signin button');
  await page.getByText('sign in with the token').waitFor();
  assert.equal(await page.locator('#instances tr').count(), 0);
  await page.fill('#token', token);
  await page.click('#signin button');
  await page.getByRole('cell', { name: 'connection refused; resting: example.org' }).waitFor();
  assert.ok(await page.locator('#signin').isHidden());
  await page.click('#latest button');
  await page.getByText('[5 hidden]').waitFor();
  assert.ok(!gateway.asked.some(([question]) => question === 'view'), 'a table is asked for when it is opened');
  await page.getByText('peers', { exact: true }).click();
  await page.getByRole('cell', { name: '192.0.2.1:2775' }).waitFor();
  assert.deepEqual(await page.locator('[data-topic=peers] th').allTextContents(), [
    'instance',
    'peer',
    'is up',
    'instance',
    'peer',
    'window',
  ]);
  await page.getByText('subscriptions', { exact: true }).click();
  await page.getByText('nothing to show').waitFor();
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('button', { name: 'Discard e1' }).click();
  await until(() => gateway.letters.length === 1, 'the letter is discarded');
  await page.getByRole('button', { name: 'Replay e2' }).click();
  await page.getByText('none', { exact: true }).waitFor();
  assert.deepEqual(faults, []);
});

test('what peers wrote is text on the page, whatever it looks like', async (t) => {
  if (!needs(t, 'chromium')) return;
  const { gateway, page, faults } = await open(t);
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  gateway.letters = [{ id: evil, instance: evil, at: evil, reason: 'internal', text: evil, event: evil }];
  gateway.tables = { [evil]: [{ instance: evil, [evil]: evil }] };
  gateway.hops = gateway.hops.map((hop) => ({ ...hop, what: evil, wire: evil }));
  await page.getByRole('cell', { name: `internal: ${evil}` }).waitFor();
  await page.click('#latest button');
  await page.locator('#trace').getByText('onerror').waitFor();
  await page.getByText(evil, { exact: true }).and(page.locator('summary')).click();
  await page.locator('details td').getByText('onerror').last().waitFor();
  assert.equal(await page.locator('img').count(), 0);
  assert.equal(await page.title(), 'Dragoman');
  assert.deepEqual(faults, []);
});
