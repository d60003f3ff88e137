// The first block: what needs a look, why, and what may be done.
import { type Suite, until } from './rig.js';

export const overviewSuite: Suite = (test, rig) => {
  test('overview: while nothing is wrong, one quiet line says so', async (t) => {
    const { page, faults } = await (await rig()).visit('/');
    await page.getByRole('heading', { name: 'All 29 extensions are healthy.' }).waitFor();
    t.is(await page.locator('.impact-line').count(), 0);
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('overview: a breaker that opens by failing calls is there within a second, with since when, why and when it tries again', async (t) => {
    const { world, visit } = await rig();
    const { page, faults } = await visit('/');
    await page.locator('.rows .row').first().waitFor();
    await world.call('pii_guard', 4);
    await world.trip('pii_guard');
    const begun = performance.now();
    const line = page.locator('.impact-line', { hasText: 'pii_guard' });
    await line.getByText('open', { exact: true }).waitFor();
    const took = performance.now() - begun;
    t.true(took < 4000, `${took} ms`);
    await line.getByText('5 failures of 9 in 60 s (failure_count)').waitFor();
    await line.getByText(/probes in \d+\ss/).waitFor();
    t.is(
      await line.getByRole('button', { name: 'Enable' }).count(),
      0,
      'a breaker heals itself: nothing asks to press',
    );
    await page.locator('.rows .row', { hasText: 'pii_guard' }).getByText('open').waitFor();
    await page.getByRole('heading', { name: '1 extension needs a look' }).waitFor();
    await until('the refused calls are counted', async () => {
      await world.call('pii_guard', 3);
      return (await line.locator('.impact-cost').textContent())?.includes('refused/s') ?? false;
    });
    t.regex((await page.locator('.summary').first().textContent()) ?? '', /unhealthy1/);
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('overview: a screen reader hears of a transition in one sentence', async (t) => {
    const { world, visit } = await rig();
    const { page } = await visit('/');
    await page.getByText('live', { exact: true }).waitFor();
    await world.trip('ocr');
    await page
      .locator('[role=status]', { hasText: /^(ocr is open: its calls are refused|ocr was disabled automatically)\.$/ })
      .waitFor({ state: 'attached' });
    t.pass();
  });

  test('overview: a rollout within half an hour before the trip is named, and the one button takes it back', async (t) => {
    const { world, visit, daemon, sql } = await rig();
    await sql`insert into extension_versions (id, version, subject, rollout_percent) values
      ('mask_pii', 'v1', 'world.mask_pii', null), ('mask_pii', 'v2', 'world.mask_new', 5)`;
    await until('both versions run', async () => (await daemon.health('mask_pii')).versions.length === 2);
    const set = await fetch(`${daemon.url}/admin/extensions/mask_pii/rollout`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ version: 'v2', percent: 25, reason: 'more', by: 'ada' }),
    });
    t.is(set.status, 200);
    await world.trip('mask_pii');
    await until('it is open', async () => {
      await world.call('mask_pii', 5);
      return (await daemon.state('mask_pii')) === 'open';
    });
    const { page } = await visit('/');
    const line = page.locator('.impact-line', { hasText: 'mask_pii' });
    await line.getByText(/after ada: version rollout mask_pii@v2 5 → 25/).waitFor();
    await line.getByRole('button', { name: 'Back to 5 %' }).click();
    await page.getByRole('heading', { name: 'Give v2 5 % of the callers (now 25 %)?' }).waitFor();
    await page.getByLabel('Reason, for the audit trail').fill('it broke');
    await page.keyboard.press('Enter');
    await page.locator('.outcome', { hasText: 'v2 of mask_pii has 5 % (was 25 %)' }).waitFor();
  });

  test('audit: older pages are each read once, and no row is lost as others come', async (t) => {
    let newest = 100;
    const answer = (after: string | null): string => {
      const first = after === null ? newest : Number(after);
      const items = Array.from({ length: Math.min(50, first) }, (_, i) => ({
        ...{ id: String(first - i), changed_at: new Date().toISOString(), changed_by: 'ada', action: 'update' },
        ...{ extension_id: `row_${first - i}`, version: null, instance_id: null, reason: null, changes: [] },
      }));
      return JSON.stringify({ items, next: first > 50 ? String(first - 50) : null });
    };
    const { page } = await (await rig()).visit('/ui/audit', {
      before: (tab) =>
        tab.route('**/admin/audit?**', (route) =>
          route.fulfill({
            contentType: 'application/json',
            body: answer(new URL(route.request().url()).searchParams.get('after')),
          }),
        ),
    });
    await page.getByRole('button', { name: 'Older' }).dblclick();
    await page.getByText('row_1', { exact: true }).waitFor();
    const rows = page.locator('tbody tr');
    t.is(await rows.count(), 100);
    newest = 110;
    await page.getByText('row_110', { exact: true }).waitFor();
    t.is(await rows.count(), 110);
    // TIMES-1: each row makes two of these texts when it is drawn.
    const drawn = await page.evaluate(`new Promise((done) => {
      const { toISOString } = Date.prototype;
      let texts = 0;
      Date.prototype.toISOString = function () {
        texts++;
        return toISOString.call(this);
      };
      setTimeout(() => done(texts), 2300);
    })`);
    t.true(Number(drawn) < 300, `${drawn} texts: rows are drawn when they are read, and not each second`);
  });
};
