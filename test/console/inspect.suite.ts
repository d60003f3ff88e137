// The inspector in a browser: its chart, its log, the way back through it, and the bridge to a hosted one.
import type { Page } from 'playwright-core';
import { RESELECT_MS } from '../../src/inspector/hub.js';
import { extensionRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';
import { until } from '../helpers/until.js';
import { hostedInspector, InspectedSite } from './inspect-world.js';
import type { Suite } from './rig.js';

/** What elements of the page have as this member of their data. */
const dataOf = (page: Page, selector: string, name: string): Promise<string[]> =>
  page.evaluate(
    `[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.dataset[${JSON.stringify(name)}])`,
  ) as Promise<string[]>;

/** Names of the active states, outermost first. */
const active = (page: Page): Promise<string[]> => dataOf(page, '.chart-state[aria-current="true"]', 'state');

const isActive = (page: Page, state: string): Promise<void> =>
  page.locator(`.chart-state[data-state="${state}"][aria-current="true"]`).waitFor();

/** The marked row or chip, and the marked line. */
const taken = async (page: Page): Promise<string[]> => [
  ...(await page.locator('.chart-row[data-taken="true"] > title, .chip[data-taken="true"]').allTextContents()),
  ...(await dataOf(page, '.chart-line[data-taken="true"]', 'line')),
];

/** Keys one after another, all before the next frame. */
const pressAtOnce = (page: Page, keys: readonly string[]) =>
  page.evaluate(`(async () => {
    for (const key of ${JSON.stringify(keys)}) {
      document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
      for (let i = 0; i < 10; i++) await null;
    }
  })()`);

export const inspectSuite: Suite = (test, rig) => {
  test('inspector: a breaker that opens by failing calls: chart, line, words and log follow, and the way back', async (t) => {
    const { world, open } = await rig();
    await world.call('watermark', 2);
    const { page, faults } = await open(t, '/ui/inspect/watermark@v1');
    await isActive(page, 'closed');
    t.deepEqual(await active(page), ['closed', 'closed.steady']);
    t.is(await page.getByRole('link', { name: 'In the hosted inspector' }).count(), 0, 'none is configured');
    t.is(await page.getByRole('list', { name: 'Statechart of watermark@v1' }).count(), 1);
    await world.trip('watermark');
    await isActive(page, 'open');
    t.deepEqual(await active(page), ['open']);
    t.deepEqual(await taken(page), ['attempt.failed [shouldTrip] → open / trip, countTransition', 'closed open']);
    await page.locator('.log-change', { hasText: 'closed.steady → open' }).waitFor();
    await page.locator('.chart-countdown').first().waitFor();
    const words = (await page.locator('.in-words').textContent()) ?? '';
    t.regex(words, /open since \d\d:\d\d:\d\d \(.*leaves: .*after openTime in .* if isOpenTimeOver → halfOpen/);
    await page.keyboard.press('Home');
    await isActive(page, 'closed.steady');
    const chosen = page.locator('.log-line[aria-selected="true"]');
    t.regex((await chosen.textContent()) ?? '', /joined/);
    t.regex((await page.locator('.moments-tools').textContent()) ?? '', /held/);
    // Both keys come before the next frame is painted; each goes on from where the other has led.
    const ids = (await page.evaluate("[...document.querySelectorAll('.log-line')].map(({ id }) => id)")) as string[];
    await pressAtOnce(page, [']', ']']);
    await until('the third line is chosen', async () => (await chosen.getAttribute('id')) === ids[2]);
    await page.keyboard.press('[');
    await until('the second line is chosen', async () => (await chosen.getAttribute('id')) === ids[1]);
    await page.keyboard.press('End');
    await isActive(page, 'open');
    t.regex((await page.locator('.moments-tools').textContent()) ?? '', /live/);
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('inspector: the cause is right for trip, isolate, force-closed and release, whatever else came within one flush; bursts, drops, a held page and a lost connection are shown', async (t) => {
    const site = await InspectedSite.start(t, (await rig()).browser);
    const { page, faults } = await site.open(t, '/ui/inspect/a@v1');
    await isActive(page, 'closed.steady');
    let probes = 1;
    const step = async (act: () => void, state: string): Promise<string[]> => {
      act();
      site.change(++probes);
      site.flush();
      await isActive(page, state);
      return taken(page);
    };
    const { target } = site;
    t.deepEqual(await step(() => site.world.calls('a', 5, 500), 'open'), [
      'attempt.failed [shouldTrip] → open / trip, countTransition',
      'closed open',
    ]);
    t.deepEqual(await step(() => target.setOverride('isolated', 0), 'isolated'), ['breaker.isolate → isolated']);
    const release = () => {
      target.setOverride(null, 0);
      target.send({ type: 'breaker.renew', nowMs: 0 });
    };
    t.deepEqual(await step(release, 'halfOpen.waiting'), [
      'breaker.release → halfOpen / countTransition, tellHalfOpened',
      'isolated halfOpen',
    ]);
    // What came after it is in the log, and is not the cause.
    await page.locator('.log-line', { hasText: 'breaker.renew' }).waitFor();
    t.is(await page.locator('.chip[data-last="true"]', { hasText: 'settings.changed' }).count(), 1);
    t.deepEqual(await step(() => target.setOverride('forced_closed', 0), 'forcedClosed'), [
      'breaker.force_close → forcedClosed',
    ]);
    t.deepEqual(await step(() => target.setOverride(null, 0), 'closed.steady'), [
      'breaker.release → closed / countTransition, forgetTrips',
      'forcedClosed closed',
    ]);
    await page.goto(`${site.url}/ui/inspect/b@v1`);
    await isActive(page, 'closed.steady');
    for (let i = 0; i < 4; i++) {
      site.world.calls('b', 1, 500);
      site.flush();
    }
    await page.locator('.log-line', { hasText: 'attempt.failed ×4' }).waitFor();
    await page.locator('body').press(' ');
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    site.world.calls('b', 300, 500);
    site.flush(RESELECT_MS);
    await page.getByText(/\d+ newer/).waitFor();
    t.regex((await page.locator('.entry-context').textContent()) ?? '', /window\.failures4/, 'as it was');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.locator('.log-line[data-kind="dropped"]', { hasText: /\d+ snapshots, \d+ events left out/ }).waitFor();
    await page.getByText(/snapshots and \d+ events left out since this page is open/).waitFor();
    t.regex((await page.locator('.entry-context').textContent()) ?? '', /window\.failures304/);
    await page.getByPlaceholder('event, state or path').fill('nothing.like.it');
    await page.getByText('No entry matches.').waitFor();
    t.regex(page.url(), /filter=nothing\.like\.it/);
    const gap = await page.evaluate(
      "document.querySelector('.moments-log .empty').getBoundingClientRect().top - document.querySelector('.moments-log').getBoundingClientRect().top",
    );
    t.true((gap as number) < 40, 'where the lines would stand');
    await page.getByRole('button', { name: 'Clear the filter' }).click();
    await page.locator('.log-line[data-kind="dropped"]').waitFor();
    t.deepEqual(faults, { errors: [], foreign: [] });
    site.world.hub.close();
    await page.getByText(/Not connected since .* the daemon is stopping/).waitFor();
    t.deepEqual(await active(page), ['closed', 'closed.steady'], 'what was seen stays');
  });

  test('inspector: hundreds of actors are listed with their states, found by a part of the id, and the supervisor is one; an unknown target is said, and followed once it is there', async (t) => {
    const site = await InspectedSite.start(t, (await rig()).browser);
    const ids = ['a', 'b', ...Array.from({ length: 250 }, (_, i) => `e${i}`)];
    site.world.feed$.next(snapshotOf(2, ...ids.map((id) => registryEntry(extensionRow(id)))));
    site.world.calls('e42', 5, 500);
    const { page, faults } = await site.open(t, '/ui/inspect');
    await page.getByText('200 of more actors').waitFor();
    await page.getByRole('button', { name: 'Show more' }).click();
    await page.getByText('252 actors').waitFor();
    await page.getByLabel('Search').fill('e42');
    await page.locator('.targets tbody tr', { hasText: 'e42@v1' }).getByText('open').waitFor();
    t.is(await page.locator('.targets tbody tr').count(), 1);
    await page.getByRole('link', { name: 'The supervisor' }).click();
    await isActive(page, 'running');
    site.flush();
    t.regex((await page.locator('.entry-context').textContent()) ?? '', /children252/);
    await page.goto(`${site.url}/ui/inspect/late@v1`);
    await page.getByText("no extension 'late'").waitFor();
    site.world.feed$.next(snapshotOf(3, ...[...ids, 'late'].map((id) => registryEntry(extensionRow(id)))));
    await page.getByRole('button', { name: 'Try again' }).click();
    await isActive(page, 'closed.steady');
    t.deepEqual(faults, { errors: [], foreign: [] });
  });

  test('bridge: says what to set; asks first where it is set, then the real receiver in a frame of exactly that origin gets actor, events and snapshots', async (t) => {
    const plain = await (await rig()).open(t, '/ui/bridge');
    await plain.page.getByText('No hosted inspector is configured.').waitFor();
    t.deepEqual(plain.faults, { errors: [], foreign: [] });
    const hosted = await hostedInspector(t);
    const site = await InspectedSite.start(t, (await rig()).browser, hosted.url);
    const { page, faults } = await site.open(t, '/ui/inspect/a@v1');
    await page.getByRole('link', { name: 'In the hosted inspector' }).click();
    await page.getByRole('heading', { name: 'Hosted inspector' }).waitFor();
    t.regex((await page.locator('.page').textContent()) ?? '', /No payload and no header of a call is among them/);
    t.deepEqual(hosted.asked, [], 'nothing is loaded before the reader agrees');
    await page.getByRole('button', { name: 'Load it and send' }).click();
    await page.getByText(`Connected to ${new URL(hosted.url).origin}.`).waitFor();
    const frame = page.frame({ url: hosted.url });
    const received = async () =>
      (await frame?.evaluate(
        'window.received.map(({ type, name, event }) => [type, name ?? event?.type].join(" "))',
      )) as string[] | undefined;
    await until('it is introduced', async () => (await received())?.length === 2);
    site.world.calls('a', 1, 500);
    site.flush();
    await until('it follows', async () => (await received())?.length === 4);
    t.deepEqual(await received(), [
      '@xstate.actor a@v1',
      '@xstate.snapshot xstate.init',
      '@xstate.event attempt.failed',
      '@xstate.snapshot attempt.failed',
    ]);
    t.deepEqual(faults.errors, []);
    t.true(faults.foreign.every((url) => url.startsWith(new URL(hosted.url).origin)));
  });
};
