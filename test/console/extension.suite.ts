// The page of one extension: its state, its history with marks, versions, instances, policy, explanation and a real call.
import type { Page } from 'playwright-core';
import { type Suite, until } from './rig.js';

/** Pixels of the first chart in the colour of open. */
const redPixels = (page: Page) =>
  page.evaluate(`(() => {
    const canvas = document.querySelector('.chart canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] > 200 && Math.abs(data[i] - 0xa4) < 12 && Math.abs(data[i + 1] - 0x0e) < 12 && Math.abs(data[i + 2] - 0x26) < 12) count++;
    return count;
  })()`) as Promise<number>;

export const extensionSuite: Suite = (test, rig) => {
  test('extension: a trip changes head, history and failures, and is marked on the chart', async (t) => {
    const { world, visit } = await rig();
    await world.call('rank_results', 12);
    const { page, faults } = await visit('/ui/extensions/rank_results');
    await page.locator('.chart canvas').first().waitFor();
    await page.getByText('Calls pass.').waitFor();
    await page.getByText(/The history begins at .*, with the start of the daemon\./).waitFor();
    const before = await redPixels(page);
    await world.trip('rank_results');
    await page.locator('.head-block', { hasText: 'It opened after 5 failures of' }).waitFor();
    await page.locator('.marks li', { hasText: /circuit opened: 5\sfailures of \d+ in 60 s/ }).waitFor();
    await until('the mark is drawn', async () => (await redPixels(page)) > before + 50);
    await page.locator('tr', { hasText: 'the model is not loaded' }).first().waitFor();
    t.regex((await page.title()) ?? '', /^rank_results – /);
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('MARKS-1: a mark leaves nothing of its canvas state for what is drawn after it', async (t) => {
    const { world, visit } = await rig();
    await world.trip('rank_results');
    const { page } = await visit('/ui/extensions/rank_results');
    await page.locator('.chart canvas').first().waitFor();
    await page.locator('.marks li').first().waitFor();
    const state = await page.evaluate(`(() => {
      const context = document.querySelector('.chart canvas').getContext('2d');
      return { dash: context.getLineDash().length, font: context.font.includes('10px'), clip: context.textBaseline };
    })()`);
    t.deepEqual(state, { dash: 0, font: false, clip: (state as { clip: string }).clip });
  });

  test('extension: charts are drawn when they are read, and in the colours of the scheme', async (t) => {
    const { world, visit } = await rig();
    await world.trip('rank_results');
    const { page } = await visit('/ui/extensions/rank_results');
    await page.locator('.chart canvas').first().waitFor();
    await page.locator('.marks li').first().waitFor();
    await until('drawn in light', async () => (await redPixels(page)) > 50);
    const drawn = await page.evaluate(`new Promise((done) => {
      const { clearRect } = CanvasRenderingContext2D.prototype;
      let times = 0;
      CanvasRenderingContext2D.prototype.clearRect = function (...at) {
        times++;
        clearRect.apply(this, at);
      };
      setTimeout(() => done(times), 3300);
    })`);
    t.true(Number(drawn) <= 4, `two charts were drawn ${drawn} times: not each second, but when they are read`);
    await page.emulateMedia({ colorScheme: 'dark' });
    await until('drawn again in dark', async () => (await redPixels(page)) < 10);
    t.pass();
  });

  test('extension: versions with rules and shares, and instances that are drained and undrained', async (t) => {
    const { visit, daemon } = await rig();
    await until('they run', async () => (await daemon.health('classify_topic')).instances?.length === 2);
    let release = (): void => undefined;
    const held = new Promise<void>((done) => {
      release = done;
    });
    const before = async (tab: Page) => {
      for (const part of ['**/history?**', '**/inspect/tickets'])
        await tab.route(part, async (route) => {
          await held;
          await route.continue();
        });
    };
    const { page } = await visit('/ui/extensions/classify_topic', { before });
    await page.getByText('Calls pass.').waitFor();
    const drain = page.getByRole('button', { name: 'Drain' }).first();
    await drain.waitFor();
    const top = async () => (await drain.boundingBox())?.y;
    const first = await top();
    release();
    await page.locator('.marks').waitFor();
    await page.locator('.chart-drawing').waitFor();
    t.is(await top(), first, 'charts that come do not move the buttons below them');
    await page.locator('tr', { hasText: 'where tenant_id = acme' }).waitFor();
    await page.locator('tr', { hasText: '10 % of what no rules take' }).waitFor();
    const row = page.locator('tr', { hasText: 'world.classify_a' });
    await row.getByRole('button', { name: 'Drain' }).click();
    await page.getByText('eu-2 takes its share.').waitFor();
    await page.getByLabel('Reason, for the audit trail').fill('new machine');
    await page.keyboard.press('Enter');
    await page.locator('.outcome', { hasText: 'eu-1 of classify_topic has the weight 0 (was 60)' }).waitFor();
    await row.getByText('0, drained').waitFor();
    await page.getByRole('button', { name: 'Undo: Undrain' }).click();
    await page.locator('.outcome', { hasText: 'has the weight 60 (was 0)' }).waitFor();
  });

  test('extension: its tabs show policy with sources, the trail, an explanation by address, and a real call', async (t) => {
    const { visit } = await rig();
    const { page, faults } = await visit('/ui/extensions/classify_topic/policy');
    await page
      .locator('tr', { hasText: 'breaker.failure_threshold' })
      .getByText(/^(default|configuration of the daemon)$/)
      .waitFor();
    await page.getByRole('link', { name: 'Audit', exact: true }).last().click();
    await page.locator('tr', { hasText: 'instance drain' }).getByText('60 → 0').waitFor();
    await page.goto(`${new URL(page.url()).origin}/ui/extensions/classify_topic/explain?tenant_id=acme`);
    await page.getByRole('heading', { name: /^Served by classify_topic@v2/ }).waitFor();
    await page.getByLabel('Context of the call: value 1').fill('other');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('tenant_id must be acme, got other').waitFor();
    t.true(page.url().endsWith('?tenant_id=other'));
    await page.goto(`${new URL(page.url()).origin}/ui/extensions/summarize/try`);
    await page.getByLabel('Payload, any JSON').fill('{"text": ');
    await page.getByText('This is no JSON').waitFor();
    t.true(await page.getByRole('button', { name: 'Call' }).isDisabled());
    await page.getByLabel('Payload, any JSON').fill('{"text": 12345678901234567890}');
    await page.getByRole('button', { name: 'Call' }).click();
    await page.getByText('It counts for its health and may change things.').first().waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Call' }).click();
    await page.getByRole('heading', { name: 'It answered' }).waitFor();
    await page.getByText('{"answer":"of summarize"}').waitFor();
    await page.evaluate(
      "history.pushState(null, '', '/ui/extensions/translate/try'); dispatchEvent(new PopStateEvent('popstate'));",
    );
    await page.getByRole('heading', { name: 'translate' }).waitFor();
    t.is(await page.getByLabel('Payload, any JSON').inputValue(), '{}', 'nothing of the other extension');
    t.is(await page.getByRole('heading', { name: 'It answered' }).count(), 0);
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('extension: one that is not there says so, and where its trail is', async (t) => {
    const { page } = await (await rig()).visit('/ui/extensions/no.such');
    await page.getByRole('heading', { name: 'no.such' }).waitFor();
    await page.getByText('There is no extension of this name').waitFor();
    t.is(
      await page.getByRole('link', { name: 'Its audit trail' }).getAttribute('href'),
      '/ui/audit?extension_id=no.such',
    );
  });
};
