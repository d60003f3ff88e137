// What `npm run screenshots` shows: an evening of the reference world, with a breaker that has opened and a rollout behind it.
import { join } from 'node:path';
import { until } from '../helpers/until.js';
import { Rig } from './rig.js';
import { EXTENSIONS } from './world.js';

const SHOTS = [
  { name: 'overview', path: '/', shows: '.impact-line', scheme: 'dark', height: 760 },
  { name: 'extension', path: '/ui/extensions/mask_pii', shows: '.marks li', scheme: 'dark', height: 900 },
  { name: 'inspect', path: '/ui/inspect/mask_pii@v1', shows: 'main', scheme: 'dark', height: 800 },
] as const;
const TRAFFIC_MS = 45_000;

/** Paths of the files. `directory`: where they are written. */
export async function takeScreenshots(directory: string): Promise<string[]> {
  const ends: (() => void | PromiseLike<void>)[] = [];
  const owner = { teardown: (end: () => void | PromiseLike<void>) => void ends.unshift(end), log: () => undefined };
  try {
    const rig = await Rig.start(owner);
    await stage(rig);
    const paths: string[] = [];
    for (const { name, path, shows, scheme, height } of SHOTS) {
      const { page, context } = await rig.open(owner, path, { scheme, height });
      await page.locator(shows).first().waitFor();
      await page.waitForTimeout(2500);
      paths.push(join(directory, `${name}.png`));
      await page.screenshot({ path: paths.at(-1) as string });
      await context.close();
    }
    return paths;
  } finally {
    for (const end of ends) await end();
  }
}

async function stage({ world, sql, daemon }: Rig): Promise<void> {
  await sql`insert into extension_versions (id, version, subject, rollout_percent) values
    ('mask_pii', 'v1', 'world.mask_pii', null), ('mask_pii', 'v2', 'world.mask_new', 5)`;
  await sql`insert into extension_instances (extension_id, instance_id, subject, weight) values
    ('mask_pii', 'eu-1', 'world.mask_pii_a', 100), ('mask_pii', 'eu-2', 'world.mask_pii_b', 50)`;
  await until('both versions run', async () => (await daemon.health('mask_pii')).versions.length === 2);
  const busy = EXTENSIONS.slice(0, 22);
  const end = performance.now() + TRAFFIC_MS;
  let isFailing = false;
  while (performance.now() < end) {
    await Promise.all(busy.map((id, i) => world.call(id, 1 + (i % 4))));
    await new Promise((resolve) => setTimeout(resolve, 120));
    if (isFailing || performance.now() < end - 18_000) continue;
    isFailing = true;
    await fetch(`${daemon.url}/admin/extensions/mask_pii/rollout`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ version: 'v2', percent: 25, reason: 'looks good so far', by: 'ada' }),
    });
    for (const id of ['mask_pii', 'mask_new', 'mask_pii_a', 'mask_pii_b', 'fraud_score']) world.failing.add(id);
    await daemon.tell('shorten', 'isolate');
  }
}
