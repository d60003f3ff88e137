// The list of all extensions: what is in the document, what is in the address, what keys do, and what does not move.
import { meanwhile, type Scroller, type Suite, until } from './rig.js';
import { seedMany } from './world.js';

export const listSuite: Suite = (test, rig) => {
  test('LIST-1: of many rows the document has those that fit the screen', async (t) => {
    const { sql, visit } = await rig();
    await seedMany(sql);
    const [{ all } = { all: 0 }] = await sql<{ all: number }[]>`select count(*)::int as all from extensions`;
    const { page } = await visit('/?sort=id');
    await page.getByText(new RegExp(`^${all}\\srows$`)).waitFor();
    const rows = page.locator('.rows .row');
    const height = await page.locator('.list').evaluate((list: Scroller) => list.clientHeight);
    const fit = Math.ceil(height / 32);
    const count = await rows.count();
    t.true(count >= fit && count <= fit + 8, `${count} rows for ${fit}`);
    t.is(await page.getByRole('grid').getAttribute('aria-rowcount'), String(all + 1));
    await page.locator('.list').evaluate((list: Scroller) => {
      list.scrollTop = 32 * 300;
    });
    await page.getByText('many_00290').waitFor();
    t.is(await rows.count(), count);
    t.is(await rows.locator('canvas').count(), count, 'one canvas a row');
  });

  test('LIST-2, CONSOLE-BOARD-1: while calls come, no row is built again, and the page paints at most four times a second', async (t) => {
    const { world, visit } = await rig();
    const { page } = await visit('/?q=translate');
    await page.locator('.rows .row', { hasText: 'translate' }).waitFor();
    await page.evaluate(`
      const rows = document.querySelector('.rows-in-view');
      window.kept = rows.children[0];
      window.batches = new Set();
      window.built = 0;
      new MutationObserver((records) => {
        window.batches.add(Math.round(performance.now() / 40));
        window.built += records.filter(({ target }) => target === rows).length;
      }).observe(rows, { subtree: true, childList: true, characterData: true });
      window.begun = performance.now();
    `);
    await meanwhile(2500, () => world.call('translate', 3));
    const seen = (await page.evaluate(`({
      built: window.built,
      isKept: window.kept.isConnected,
      perSecond: window.batches.size / ((performance.now() - window.begun) / 1000),
      batches: window.batches.size,
    })`)) as { built: number; isKept: boolean; perSecond: number; batches: number };
    t.true(seen.isKept);
    t.is(seen.built, 0);
    t.true(seen.batches >= 2, 'the numbers did change');
    t.true(seen.perSecond <= 4.5, `${seen.perSecond} paints a second`);
  });

  test('list: search, filters and order are in the address, and an address opens them', async (t) => {
    const { open, visit } = await rig();
    const { page } = await visit('/');
    await page.locator('.rows .row').first().waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('PII');
    await until('the address has the search', () => page.url().endsWith('?q=PII'));
    t.deepEqual((await page.locator('.rows .cell-id').allTextContents()).sort(), ['mask_pii', 'pii_guard']);
    await page.locator('summary', { hasText: 'state' }).click();
    await page.getByLabel('open', { exact: true }).check();
    await until('the address has the filter', () => page.url().includes('state=open'));
    await page.getByRole('columnheader', { name: 'P95 ms' }).getByRole('button').click();
    await until('the address has the order', () => page.url().includes('sort=-p95'));
    t.is(await page.getByRole('columnheader', { name: 'P95 ms' }).getAttribute('aria-sort'), 'descending');
    const other = await open(t, new URL(page.url()).pathname + new URL(page.url()).search);
    await other.page.locator('.rows .row').first().waitFor();
    t.is(await other.page.getByLabel('Search by id').inputValue(), 'PII');
    t.is(await other.page.getByRole('columnheader', { name: 'P95 ms' }).getAttribute('aria-sort'), 'descending');
    await other.page.getByLabel('Search by id').fill('nothing has this id');
    await other.page.getByText('No extension matches “nothing has this id”.').waitFor();
    await other.page.getByRole('button', { name: 'Clear the filter' }).click();
    await other.page.getByText(/429\srows/).waitFor();
    t.notRegex(other.page.url(), /q=|state=/);
  });

  test('list: keys move the focus from row to row, open a row and its actions, and are dead in fields', async (t) => {
    const { visit } = await rig();
    const { page } = await visit('/?sort=id&q=many_');
    await page.locator('.rows .row').first().waitFor();
    const focused = () => page.evaluate("document.activeElement.querySelector('.cell-id')?.textContent ?? ''");
    await page.keyboard.press('j');
    await until('a row has the focus', async () => (await focused()) === 'many_00002');
    await page.keyboard.press('ArrowDown');
    await until('the next row', async () => (await focused()) === 'many_00003');
    await page.keyboard.press('k');
    await until('the row before', async () => (await focused()) === 'many_00002');
    await page.keyboard.press('End');
    await until('the last row', async () => (await focused()) === 'many_00400');
    await page.keyboard.press('PageUp');
    await until('a page up', async () => /many_003\d\d/.test(String(await focused())));
    await page.keyboard.press('.');
    await page.getByRole('menuitem', { name: 'Isolate …' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    t.is(await page.locator('.rows .row[tabindex="0"]').count(), 1, 'one row is in the order of Tab');
    await page.keyboard.press('/');
    await page.keyboard.type('jks?');
    t.is(await page.getByLabel('Search by id').inputValue(), 'many_jks?');
    t.is(await page.getByRole('dialog').count(), 0);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.getByLabel('Single keys act').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('e');
    t.is(new URL(page.url()).pathname, '/', 'turned off');
  });

  test('LIST-ORDER-1: the order is frozen while the pointer is in the list, and a button sorts', async (t) => {
    const { world, visit } = await rig();
    const { page } = await visit('/?sort=-calls&type=provider&q=_');
    await page.locator('.rows .row').first().waitFor();
    await page.locator('.rows .row').nth(5).hover();
    await page.getByText('order frozen').waitFor();
    const order = () => page.locator('.rows .cell-id').allTextContents();
    const before = await order();
    const last = 'sign_payload';
    t.not(before[0], last);
    await meanwhile(2300, () => world.call(last, 4));
    t.deepEqual(await order(), before);
    await page.keyboard.press('s');
    await until('it is first', async () => (await order())[0] === last);
    await page.mouse.move(5, 5);
    await page.getByText('order frozen').waitFor({ state: 'detached' });
  });

  test('list: rows that come into view while sparklines are read are asked for at once', async (t) => {
    const { visit } = await rig();
    const asked: string[] = [];
    const { page } = await visit('/?q=many_&sort=id', {
      before: (tab) =>
        tab.route('**/admin/sparklines?**', async (route) => {
          if (asked.push(route.request().url()) === 1)
            await tab.evaluate(
              "(document.querySelector('.list').scrollTop = 32 * 200, new Promise((done) => setTimeout(done, 50)))",
            );
          await route.fulfill({ contentType: 'application/json', body: '{"calls":[],"failed":[]}' });
        }),
    });
    await page.getByText('many_00205').waitFor();
    await until('they are asked for', () => asked.length > 1, 5000);
    t.not(asked[0], asked[1]);
  });
};
