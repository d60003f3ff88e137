// Every page, light and dark: no violation that axe finds, 320 px without scrolling sideways, nothing of another host, and no violation of the policy.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { type Suite, until } from './rig.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** With something on each page that is only there when it has been read. */
const PAGES: readonly (readonly [path: string, shows: string])[] = [
  ['/?q=mask', '.rows .row'],
  ['/?q=nothing+has+this', '.empty'],
  ['/ui/extensions/rank_results', '.marks li'],
  ['/ui/extensions/classify_topic', '.table-box tr'],
  ['/ui/extensions/classify_topic/policy', '.table-box tr'],
  ['/ui/extensions/classify_topic/audit', '.table-box tr'],
  ['/ui/extensions/classify_topic/explain?tenant_id=acme', '.explanation'],
  ['/ui/extensions/summarize/try', 'textarea'],
  ['/ui/extensions/no_such_one', '.empty'],
  ['/ui/events', '.table-box tr'],
  ['/ui/audit?extension_id=classify_topic', '.table-box tr'],
  ['/ui/status', '.facts tr'],
  ['/ui/fleet', '.table-box tbody tr'],
  ['/ui/tokens', '.empty'],
  ['/ui/api?q=extensions&operation=listExtensions', '.operation-details'],
  ['/ui/inspect', '.targets tr'],
  ['/ui/inspect/summarize@v1', '.chart-state'],
  ['/ui/inspect/supervisor', '.chart-state'],
  ['/ui/inspect/no_such_one@v1', '.fault'],
  ['/ui/sign-in', '.sign-in'],
  ['/ui/no-such-page', 'h1'],
];

/** Of all rules, or of those that depend on the colours of a scheme. */
async function violations(page: Page, only: readonly string[] = []): Promise<string[]> {
  const options = { resultTypes: ['violations'], ...(only.length === 0 ? {} : { runOnly: [...only] }) };
  return (await page.evaluate(`axe.run(${JSON.stringify(options)}).then(({ violations }) => violations.map(({ id, nodes }) =>
    id + ': ' + nodes.map(({ html, failureSummary }) => html.slice(0, 120) + ' ' + failureSummary).slice(0, 2).join(' | ')))`)) as string[];
}

const go = (page: Page, path: string) =>
  page.evaluate(`(() => {
    const link = document.createElement('a');
    link.href = ${JSON.stringify(path)};
    document.body.append(link);
    link.click();
    link.remove();
  })()`);

export const accessibilitySuite: Suite = (test, rig) => {
  test('pages: axe finds nothing in any of them, light and dark; none asks another host, none breaks its policy', async (t) => {
    const { open, world } = await rig();
    await world.trip('rank_results');
    // The policy keeps a page from evaluating what a test brings; the pages themselves are opened under it in every other test.
    const { page, faults } = await open(t, '/', { bypassPolicy: true, height: 480 });
    await page.evaluate(AXE);
    for (const [path, shows] of PAGES) {
      await go(page, path);
      await page.locator(shows).first().waitFor({ timeout: 10_000 });
      await page.emulateMedia({ colorScheme: 'light' });
      t.deepEqual(await violations(page), [], `${path} light`);
      await page.emulateMedia({ colorScheme: 'dark' });
      t.deepEqual(await violations(page, ['color-contrast', 'link-in-text-block']), [], `${path} dark`);
    }
    t.deepEqual(faults.foreign, []);
    // A menu and a question over a page, too.
    await page.emulateMedia({ colorScheme: 'light' });
    await go(page, '/?q=geo_tag');
    await page.getByRole('grid').getByRole('button', { name: 'Actions of geo_tag' }).click();
    t.deepEqual(await violations(page), []);
    await page.getByRole('menuitem', { name: 'Isolate …' }).click();
    await page.getByRole('dialog').waitFor();
    t.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    t.is(await page.getByRole('dialog').count(), 0);
  });

  test('pages: at 320 px none scrolls sideways, and the list says the state of each row', async (t) => {
    const { world, visit } = await rig();
    await world.trip('rank_results');
    const { page, faults } = await visit('/', { width: 320 });
    for (const [path, shows] of PAGES) {
      await go(page, path);
      await page.locator(shows).first().waitFor();
      const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
      t.true(width <= 320, `${path} is ${width} px wide`);
      if (path === '/ui/status')
        t.true(
          ((await page.evaluate("document.querySelector('.facts').offsetWidth")) as number) <= 300,
          'name and value are both in view',
        );
    }
    await go(page, '/');
    await page.locator('.rows .row').first().waitFor();
    const cut = await page.evaluate(`[...document.querySelectorAll('.rows .cell-state')]
      .map((cell) => {
        const [, word] = cell.querySelector('.state').children;
        return [cell.textContent, cell.getBoundingClientRect().right - word.getBoundingClientRect().right];
      })
      .filter(([, room]) => room < 0)`);
    t.deepEqual(cut, []);
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('pages: markup, directions of writing and words without end are text, which makes no page wider', async (t) => {
    const { sql, visit, daemon } = await rig();
    const id = 'W'.repeat(200);
    await sql`insert into extensions (id, type, subject) values (${id}, 'pre', ${`world.${'w'.repeat(150)}`})`;
    await sql`insert into extension_versions (id, version, subject, rollout_percent) values (${id}, 'v2', 'world.long', 5)`;
    await until('both run', async () => (await daemon.health(id)).versions?.length === 2);
    const isolated = await fetch(`${daemon.url}/admin/extensions/${id}/isolate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        reason: `<img src=x onerror="window.ran=1">\u202e\u0007${'W'.repeat(900)}`,
        by: '<b>\u202e',
      }),
    });
    t.is(isolated.status, 200);
    const { page, faults } = await visit('/');
    for (const [path, shows] of [
      ['/', '.impact-why bdi + bdi'],
      // The default version is a row of the table, though it has none of its own in the registry.
      [`/ui/extensions/${id}`, 'tr:has-text("95 % of what no rules take")'],
      [`/ui/inspect/${id}@v1`, '.chart-state'],
    ] as const) {
      await go(page, path);
      await page.locator(shows).first().waitFor();
      for (const width of [320, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        t.true(((await page.evaluate('document.documentElement.scrollWidth')) as number) <= width, `${path} ${width}`);
      }
      t.is(await page.evaluate("window.ran ?? document.querySelectorAll('img').length"), 0);
    }
    await sql`delete from extensions where id = ${id}`;
    t.deepEqual(faults, { errors: [], foreign: [] });
  });
};
