// Who is looking: signing in by a code and by a token, what a viewer sees, and how a session ends. The last suite: from its first token on, all need one.
import type { Rig, Suite } from './rig.js';

type Json = Readonly<Record<string, string>>;

async function post(rig: Rig, path: string, body: object, token: string | null): Promise<Json> {
  const response = await fetch(`${rig.daemon.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Json;
}

export const accessSuite: Suite = (test, rig) => {
  let admin = '';
  let viewer: Json = {};

  test('tokens: one that is made in the page is shown once, and the page asks for one from then on', async (t) => {
    const own = await rig();
    const { page } = await own.open(t, '/ui/tokens');
    const other = await own.open(t, '/ui/status');
    await other.page.locator('[data-live=live]').waitFor();
    await page.getByText('No token exists yet.').waitFor();
    await page.getByLabel('Name').fill('root');
    await page.getByLabel('Role').selectOption('admin');
    await page.getByRole('button', { name: 'Make it' }).click();
    admin = (await page.locator('.secret').textContent()) ?? '';
    t.regex(admin, /^extreg_[\w-]{43}$/);
    viewer = await post(own, '/admin/tokens', { name: 'eve', role: 'viewer' }, admin);
    await page.getByRole('row', { name: /^root/ }).waitFor();
    await page.getByText('root, admin').waitFor();
    await other.page.getByText('This registry asks for a token.').waitFor();
    await other.page.getByLabel(/^Token, or the address/).fill(admin);
    await other.page.keyboard.press('Enter');
    await other.page.getByText('root, admin').waitFor();
    t.is(new URL(other.page.url()).pathname, '/ui/status', 'it leads back');
  });

  test('access: a page of a viewer has no action, and no config', async (t) => {
    const { open, sql } = await rig();
    await sql`insert into extension_instances (extension_id, instance_id, subject) values ('tax_rules', 'eu-1', 'world.tax_a')`;
    const { page } = await open(t, '/', { token: viewer.token ?? '' });
    await page.locator('.rows .row').first().waitFor();
    await page.getByText('You may look. To act, sign in as operator.').waitFor();
    t.is(await page.locator('.menu').count(), 0);
    t.is(await page.locator('.impact-line button').count(), 0);
    await page.goto(`${new URL(page.url()).origin}/ui/extensions/tax_rules`);
    await page.locator('tr', { hasText: 'world.tax_a' }).waitFor();
    for (const name of ['Isolate', 'Disable', 'Delete', 'Drain', 'Rollout'])
      t.is(await page.getByRole('button', { name }).count(), 0, name);
    t.is(await page.getByText('Recent failures').count(), 0);
    t.is(await page.getByRole('link', { name: 'Tokens' }).count(), 0);
    // SESSION-1: a token of this computer counts, though this tab had one of its own.
    await page.getByRole('link', { name: 'sign in as operator' }).click();
    await page.getByLabel(/^Token, or the address/).fill(admin);
    await page.getByRole('checkbox', { name: 'Keep it on this computer' }).check();
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('root, admin').waitFor();
    t.is(await page.evaluate("sessionStorage.getItem('extreg-token')"), null);
    t.is(await page.evaluate("localStorage.getItem('extreg-token')"), admin);
  });

  test('access: an address of one use signs in, leaves the address at once, and opens the page that it names', async (t) => {
    const own = await rig();
    const { url = '' } = await post(own, '/admin/login-codes', { role: 'operator' }, admin);
    const { page } = await own.open(t, `/ui/status${new URL(url).hash}`, { token: null });
    await page.getByText(/root, operator/).waitFor();
    t.true(page.url().endsWith('/ui/status'));
    t.is(await page.evaluate('sessionStorage.length'), 1);
    t.is(await page.evaluate('localStorage.length'), 0);
    const again = await own.open(t, `/ui/status${new URL(url).hash}`, { token: null });
    await again.page.locator('.fault', { hasText: /code/ }).waitFor();
    t.true(again.page.url().includes('/ui/sign-in'));
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You signed out.').waitFor();
    await page.getByText('not signed in', { exact: true }).waitFor();
    t.is(await page.evaluate('sessionStorage.length'), 0);
  });

  test('SESSION-2: a token that is revoked or has expired is forgotten, and the page says which, with no dialog over it', async (t) => {
    const own = await rig();
    const short = await post(
      own,
      '/admin/tokens',
      { name: 'short', role: 'viewer', expires_in_days: 9 / 86_400 },
      admin,
    );
    const other = await own.open(t, '/ui/status', { token: short.token ?? '' });
    await other.page.locator('[data-live=live]').waitFor();
    const eve = await own.open(t, '/?q=pii', { token: viewer.token ?? '' });
    await eve.page.locator('[data-live=live]').waitFor();
    await eve.page.keyboard.press('?');
    await eve.page.getByRole('dialog').waitFor();
    const revoked = await fetch(`${own.daemon.url}/admin/tokens/${viewer.id}?reason=left`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${admin}` },
    });
    t.is(revoked.status, 204);
    await eve.page.getByText('Your token was revoked').waitFor();
    t.is(await eve.page.getByRole('dialog').count(), 0, 'nothing lies over the sign-in');
    t.is(await eve.page.evaluate("sessionStorage.getItem('extreg-token')"), null);
    await other.page.getByText('Your sign-in has expired').waitFor();
    await eve.page.getByLabel(/^Token, or the address/).fill(admin);
    await eve.page.getByRole('button', { name: 'Sign in' }).click();
    await eve.page.locator('.rows .row').first().waitFor();
    t.true(eve.page.url().endsWith('/?q=pii'), 'it leads back to the address with its filter');
  });
};
