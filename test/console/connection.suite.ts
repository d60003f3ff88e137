// The stream of a page: through a crash of the daemon, beyond the limit of streams, and while the tab is hidden.
import type { Page, Route } from 'playwright-core';
import { type Scroller, type Suite, until } from './rig.js';
import { seedMany } from './world.js';

export const connectionSuite: Suite = (test, rig) => {
  test('connection: a daemon that is killed and started again: a banner, then live rows; filter, scroll and an open dialog stay', async (t) => {
    t.timeout(120_000);
    const own = await rig();
    await seedMany(own.sql);
    const { page, faults } = await own.open(t, '/?q=many_&sort=id');
    await page.locator('.rows .row').first().waitFor();
    const rows = page.locator('.list');
    await rows.evaluate((list: Scroller) => {
      list.scrollTop = 32 * 200;
    });
    await page.getByText('many_00205').waitFor();
    await page.getByRole('button', { name: 'Actions of many_00205' }).click();
    await page.getByRole('menuitem', { name: 'Isolate …' }).click();
    await page.getByLabel('Reason, for the audit trail').fill('a text of an operator');
    // A click brings what is clicked into view.
    const scrolled = await rows.evaluate((list: Scroller) => list.scrollTop);
    t.true(scrolled > 32 * 190);
    await page.evaluate('window.sameDocument = true');
    const killed = performance.now();
    await own.restart(async () => {
      await page.getByText(/^Not connected since/).waitFor({ timeout: 8000 });
      const took = performance.now() - killed;
      t.true(took < 5000, `the banner took ${took} ms`);
      t.is(await page.locator('.shell').getAttribute('data-cut'), 'true');
      await page.getByText('Not connected: nothing can be done now.').waitFor();
      t.true(await page.getByRole('dialog').getByRole('button', { name: 'Isolate' }).isDisabled());
    });
    const back = performance.now();
    await page.locator('[data-live=live]').waitFor({ timeout: 15_000 });
    const took = performance.now() - back;
    t.true(took < 10_000, `live rows took ${took} ms`);
    await page.getByText('The daemon was started again').waitFor();
    t.is(await page.getByLabel('Reason, for the audit trail').inputValue(), 'a text of an operator');
    t.true(await page.getByRole('dialog').getByRole('button', { name: 'Isolate' }).isEnabled());
    await page.keyboard.press('Escape');
    t.is(await rows.evaluate((list: Scroller) => list.scrollTop), scrolled);
    t.true(page.url().endsWith('/?q=many_&sort=id'));
    t.true(await page.evaluate('window.sameDocument'));
    await until('rows are live', async () => {
      await own.daemon.tell('many_00205', 'isolate');
      return (await page.locator('.rows .row', { hasText: 'many_00205' }).getByText('isolated').count()) === 1;
    });
    await own.daemon.tell('many_00205', 'release');
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('CONSOLE-CONNECTION-4: over the limit of streams the numbers are read every ten seconds, and the page says so', async (t) => {
    const before = (tab: Page) =>
      tab.route('**/admin/events', (route) =>
        route.fulfill({
          status: 503,
          contentType: 'application/problem+json',
          body: '{"code":"too_many_streams","detail":"64 event streams are open","status":503}',
        }),
      );
    const { page } = await (await rig()).visit('/', { before });
    await page.getByText('Too many event streams are open: numbers are read every 10 seconds.').waitFor();
    await page.locator('.rows .row').first().waitFor();
    t.is(await page.locator('.live').getAttribute('data-live'), 'polling');
  });

  test('CONSOLE-CONNECTION-3, CONSOLE-CONNECTION-6: a tab that is hidden for 30 s lets its stream go until it is seen; no answer is waited for without end', async (t) => {
    const { open, daemon } = await rig();
    const { page } = await open(t, '/ui/status', { fakeClock: true });
    await page.locator('[data-live=live]').waitFor();
    const streams = async () =>
      ((await (await daemon.fetch('/admin/status')).json()) as { streams?: number }).streams ?? 0;
    const before = await streams();
    t.true(before >= 1);
    const see = (isHidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, value: ${isHidden} });
        document.dispatchEvent(new Event('visibilitychange'));`);
    await see(true);
    await page.clock.fastForward(25_000);
    t.is(await streams(), before);
    await page.clock.fastForward(6000);
    await until('the stream is gone', async () => (await streams()) === before - 1);
    await see(false);
    await until('the stream is back', async () => (await streams()) === before);
    // A tab that was opened behind another one, which never becomes hidden.
    await page.addInitScript("Object.defineProperty(document, 'hidden', { configurable: true, value: true })");
    await page.reload();
    await page.locator('[data-live=live]').waitFor();
    await page.clock.fastForward(31_000);
    await page.locator('[data-live=resting]').waitFor();
    await until('the stream is gone', async () => (await streams()) === before - 1);
    // Nothing is answered: what takes long is not asked for twice, and a silent stream is given up.
    let [opened, statuses] = [0, 0];
    await page.route('**/admin/events', () => void opened++);
    await page.route('**/admin/status', () => void statuses++);
    await page.addInitScript("Object.defineProperty(document, 'hidden', { configurable: true, value: false })");
    await page.reload();
    await until('both are asked for', () => opened === 1 && statuses === 1);
    for (let i = 0; i < 5; i++) await page.clock.fastForward(3100);
    t.deepEqual([opened, statuses], [1, 1]);
    await page.clock.fastForward(30_000);
    await until('the stream is given up and asked for again', () => opened === 2);
    await page.getByText('The daemon is silent').waitFor();
    // After half a minute it is.
    t.is(statuses, 2);
  });

  test('states, LAZY-1: a part that cannot be read, or not be drawn, says so in its place, and the rest stays', async (t) => {
    const type = 'application/problem+json';
    const fault = '{"code":"internal_error","detail":"a fault of the daemon; see its log","status":500}';
    let answer: Parameters<Route['fulfill']>[0] | null = { status: 500, contentType: type, body: fault };
    const before = (tab: Page) =>
      tab.route('**/history?**', (route) => (answer === null ? route.continue() : route.fulfill(answer)));
    const { page } = await (await rig()).visit('/ui/extensions/translate', { before });
    await page.getByText('The history cannot be read').waitFor();
    await page.getByText('internal_error').waitFor();
    await page.getByRole('heading', { name: 'Versions' }).waitFor();
    answer = { status: 200, contentType: 'application/json', body: '{}' };
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText(/^This part of the page failed/).waitFor();
    await page.getByRole('heading', { name: 'Versions' }).waitFor();
    answer = null;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.locator('.chart canvas').first().waitFor();
    t.pass();
  });

  test('READING-1: an answer that comes late is waited for; one that is cut off or of another version is said in the page', async (t) => {
    let asked = 0;
    let isCut = false;
    const held: (() => void)[] = [];
    const hold = (tab: Page) =>
      tab.route('**/admin/status', async (route) => {
        asked++;
        if (isCut) return route.fulfill({ contentType: 'application/json', body: '{"ready": ' });
        await new Promise<void>((resolve) => held.push(resolve));
        return route.fulfill({ contentType: 'application/json', body: '{}' });
      });
    const { page } = await (await rig()).visit('/ui/status', { before: hold });
    await page.locator('[data-live=live]').waitFor();
    await page.waitForTimeout(500);
    const before = asked;
    // It is read again every three seconds.
    await page.waitForTimeout(3500);
    t.is(asked, before);
    t.true(before > 0);
    for (const answer of held) answer();
    await page.getByText(/^This part of the page failed\. .*load the page again/).waitFor();
    isCut = true;
    await page.getByRole('link', { name: 'Events' }).click();
    await page.getByRole('heading', { name: 'Events' }).waitFor();
    await page.getByRole('link', { name: 'Status' }).click();
    await page.getByText('The answer is cut off, or not of the daemon').waitFor();
    await page.getByText('invalid_answer').waitFor();
  });

  test('states: while the overview is read, the page says how much has come', async (t) => {
    const before = (tab: Page) =>
      tab.route('**/admin/overview', async (route) => {
        await tab.getByText(/^Still loading …/).waitFor();
        await route.continue();
      });
    const { page } = await (await rig()).visit('/', { before });
    await page.locator('.rows .row').first().waitFor();
    await page.unrouteAll({ behavior: 'wait' });
    t.pass();
  });

  test('states: what the daemon lacks stands above everything, with what still works; CONSOLE-CONNECTION-5: past messages of no use', async (t) => {
    const news = { ready: true, waiting_for: [], reasons: [], degraded: ['database'], revision: 1, owed: {} };
    const summary = {
      total: 6,
      enabled: 6,
      healthy: 0,
      unhealthy: 6,
      avg_success_rate: null,
      avg_latency_ms: null,
      avg_p95_latency_ms: null,
      in_flight: 0,
      mass_failure: true,
    };
    // By a clock that is an hour ahead of the reader's.
    const now = new Date(Date.now() + 3_600_000).toISOString();
    const body = [
      ['hello', JSON.stringify({ boot: 'BOOT', version: '1', now, role: 'admin' })],
      ['rows', '[7]'],
      ['summary', '{"total":'],
      ['daemon', JSON.stringify(news)],
      ['summary', JSON.stringify(summary)],
    ]
      .map(([event, data]) => `event: ${event}\ndata: ${data}\n\n`)
      .join('');
    let boots = 0;
    const before = async (tab: Page) => {
      await tab.route('**/admin/overview', async (route) => {
        const response = await route.fetch();
        const text = (await response.text()).replace(/"now":"[^"]*"/, `"now":"${now}"`);
        await route.fulfill({ response, body: text });
      });
      await tab.route('**/admin/events', (route) =>
        route.fulfill({ contentType: 'text/event-stream', body: body.replace('BOOT', `boot ${boots++}`) }),
      );
    };
    const { page, faults } = await (await rig()).visit('/', { before });
    await page
      .getByText(/Database away: calls are served from memory\. Isolate, .* enable and disable wait\./)
      .waitFor();
    await page.getByText(/Mass failure: more than half .* Suspect the daemon, NATS or the network first\./).waitFor();
    t.true(faults.errors.length >= 2, 'the browser reports them');
    await page.getByText(/^The daemon was started again: connected to it at /).waitFor();
  });
};
