// Actions: what the dialog asks, what it sends, what comes of it, and what takes it back.
import { type Suite, until } from './rig.js';

export const actionsSuite: Suite = (test, rig) => {
  test('actions: disabled in the console, a call is refused; the undo enables it again', async (t) => {
    const { world, visit, daemon } = await rig();
    const { page } = await visit('/ui/extensions/toxicity');
    await page.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('Nothing enables it automatically.').waitFor();
    t.true(await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).isDisabled(), 'it needs a reason');
    t.is(await page.evaluate("document.activeElement.closest('label')?.textContent"), 'Reason, for the audit trail');
    await page.keyboard.type('returns garbage');
    await page.getByLabel('Your name').fill('ada');
    await page.keyboard.press('Enter');
    t.is(await page.getByRole('dialog').count(), 1, 'Enter sends only from the reason');
    await page.getByLabel('Reason, for the audit trail').press('Enter');
    await page.locator('.outcome', { hasText: /toxicity is disabled\. Revision \d+\./ }).waitFor();
    await until('the call is refused', async () => (await world.call('toxicity'))[0] !== '');
    await page.locator('.head-block').getByText('disabled', { exact: true }).first().waitFor();
    await page.locator('.head-actions').getByRole('button', { name: 'Enable' }).press('Enter');
    await page.getByText('It was disabled by ada: it begins closed, with a slow start.').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Undo: Enable' }).click();
    await page.locator('.outcome', { hasText: 'toxicity is enabled.' }).waitFor();
    await until('the call passes', async () => (await world.call('toxicity'))[0] === '');
    const { items } = (await (await daemon.fetch('/admin/audit?extension_id=toxicity&limit=2')).json()) as {
      items: { action: string; reason: string; changed_by: string }[];
    };
    t.deepEqual(
      items.map(({ action, reason, changed_by: by }) => [action, reason, by]),
      [
        ['enable', 'undo of disable: returns garbage', 'admin:ada'],
        ['disable', 'returns garbage', 'admin:ada'],
      ],
    );
  });

  test('actions: what lets harm through asks for the id', async (t) => {
    const { visit, daemon } = await rig();
    const { page } = await visit('/?q=geo_tag');
    await page.getByRole('button', { name: 'Actions of geo_tag' }).click();
    await page.getByRole('menuitem', { name: 'Force closed …' }).click();
    const button = page.getByRole('dialog').getByRole('button', { name: 'Force closed' });
    await page.getByLabel('Reason, for the audit trail').fill('a drill');
    t.true(await button.isDisabled());
    await page.getByLabel('Type geo_tag to confirm').fill('geo_ta');
    t.true(await button.isDisabled());
    await page.getByLabel('Type geo_tag to confirm').fill('geo_tag');
    await button.click();
    await page.locator('.outcome', { hasText: 'geo_tag is kept closed.' }).waitFor();
    await page.locator('.rows .row').getByText('forced closed').waitFor();
    t.is((await daemon.health('geo_tag')).override, 'forced_closed');
    await page.getByRole('button', { name: 'Undo: Release' }).click();
    await page.locator('.rows .row').getByText('closed', { exact: true }).waitFor();
    await page.locator('.outcome', { hasText: 'geo_tag is released.' }).waitFor();
    t.is(await page.getByRole('button', { name: /^Undo: Isolate/ }).count(), 0, 'it was not isolated before');
    await daemon.tell('geo_tag', 'isolate');
    await page.locator('.rows .row').getByText('isolated').waitFor();
    await page.getByRole('grid').getByRole('button', { name: 'Actions of geo_tag' }).press('Enter');
    await page.getByRole('menuitem', { name: 'Release …' }).click();
    await page.getByText(/It goes to half-open: \d+\sprobes at a time decide\./).waitFor();
    await page.keyboard.press('Escape');
    for (const verb of ['release', 'reset'] as const) await daemon.tell('geo_tag', verb);
    await page.getByRole('grid').getByRole('button', { name: 'Actions of geo_tag' }).click();
    await page.getByRole('menuitem', { name: 'Isolate …' }).click();
    await page.getByRole('dialog').waitFor();
    // As Back does it, to a page that costs nothing.
    await page.evaluate(
      "history.pushState(null, '', '/ui/no-such-page'); dispatchEvent(new PopStateEvent('popstate'))",
    );
    await page.getByRole('heading', { name: 'No such page' }).waitFor();
    t.is(await page.getByRole('dialog').count(), 0, 'it ends with its page');
  });

  test('ACTION-DIALOG-2: a row that was changed meanwhile is not deleted: what changed is shown, and the text stays', async (t) => {
    const { visit, daemon, sql } = await rig();
    await sql`insert into extensions (id, type, subject) values ('doomed', 'pre', 'world.doomed')`;
    const { page } = await visit('/ui/extensions/doomed');
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('heading', { name: /^Delete doomed with 0\sversions and 0\sinstances\?$/ }).waitFor();
    const changed = await fetch(`${daemon.url}/admin/extensions/doomed?reason=slower&by=bob`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', 'if-match': '*' },
      body: JSON.stringify({ timeout_ms: 700 }),
    });
    t.is(changed.status, 200);
    await page.getByLabel('Type doomed to confirm').fill('doomed');
    await page.getByLabel('Reason, for the audit trail').fill('not needed');
    await page.keyboard.press('Enter');
    await page.getByText(/has revision 2 by admin:bob/).waitFor();
    await page.getByText('bob: update doomed 5000 → 700: slower').waitFor();
    t.is(await page.getByLabel('Reason, for the audit trail').inputValue(), 'not needed');
    t.is((await daemon.fetch('/admin/extensions/doomed')).status, 200);
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.locator('.outcome', { hasText: 'doomed is deleted.' }).waitFor();
    t.is((await daemon.fetch('/admin/extensions/doomed')).status, 404);
    t.is(new URL(page.url()).pathname, '/');
  });

  test('actions: a share is what was typed, key by key; a refusal stands in the dialog, with its code', async (t) => {
    const { visit, daemon } = await rig();
    const { page } = await visit('/ui/extensions/classify_topic');
    const row = page.locator('tr', { hasText: 'v3' }).first();
    await row.getByRole('button', { name: 'Rollout' }).press('Enter');
    await page.getByLabel(/^Percent of the callers/).fill('33.333');
    await page.getByLabel('Reason, for the audit trail').fill('more');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByText('invalid_request').waitFor();
    const share = page.getByLabel(/^Percent of the callers/);
    const ask = page.getByRole('dialog').getByRole('heading');
    await share.fill('');
    await share.pressSequentially('2.5');
    t.deepEqual(
      [await share.inputValue(), await ask.textContent()],
      ['2.5', 'Give v3 2.5 % of the callers (now 10 %)?'],
    );
    await share.pressSequentially('x');
    t.is(await share.inputValue(), '2.5x');
    t.true(await page.getByRole('dialog').getByRole('button', { name: 'Give' }).isDisabled(), 'that is no share');
    await share.fill('20');
    await page.getByLabel('Reason, for the audit trail').press('Enter');
    await page.locator('.outcome', { hasText: 'v3 of classify_topic has 20 % (was 10 %)' }).waitFor();
    const shares = (await (await daemon.fetch('/admin/extensions/classify_topic/rollout')).json()) as {
      versions: { version: string; percent: number | null }[];
    };
    t.is(shares.versions.find(({ version }) => version === 'v3')?.percent, 20);
  });

  test('actions: what is answered after its dialog was left is reported, and closes no other dialog', async (t) => {
    const { visit } = await rig();
    let answer = (): Promise<void> | void => undefined;
    const answers = [
      { status: 200, body: '{"revision":7,"owed":false}' },
      { status: 500, contentType: 'application/problem+json', body: '{"status":500,"code":"x","detail":"it failed"}' },
    ];
    const { page } = await visit('/ui/extensions/shorten', {
      before: (tab) =>
        tab.route('**/shorten/isolate', (route) => {
          answer = () => route.fulfill(answers.shift());
        }),
    });
    for (const outcome of ['shorten is isolated. Revision 7.', /^Not done: Isolate shorten\? it failed/]) {
      await page.getByRole('button', { name: 'Isolate' }).press('Enter');
      const reason = page.getByLabel('Reason, for the audit trail');
      await reason.fill('first');
      await reason.press('Enter');
      await page.getByRole('button', { name: 'Isolate …' }).waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('button', { name: 'Disable' }).press('Enter');
      await reason.fill('second');
      await answer();
      await page.locator('.outcome', { hasText: outcome }).waitFor();
      t.is(await reason.inputValue(), 'second');
      await page.keyboard.press('Escape');
    }
  });
};
