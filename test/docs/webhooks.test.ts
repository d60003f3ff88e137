// docs/webhooks.md as somebody who writes a receiver follows it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parse } from '#yaml';
import { loadConfig } from '../../src/config/config.js';
import type { RegistryEvent } from '../../src/domain/registry/events.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { MAX_WAITING, RETRY_CEILINGS_MS } from '../../src/webhooks/webhook-receiver.js';
import { formerSignatureOf, keyOf, signatureOf } from '../../src/webhooks/webhook-request.js';
import { createWebhooks } from '../../src/webhooks/webhooks.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';
import { until } from '../helpers/until.js';
import { readDocument } from './tables.js';

const PAGE = readDocument('webhooks.md');

/** The only block of code in that language. */
function block(language: string): string {
  const found = [...PAGE.matchAll(/^```(\w+)\n([\s\S]*?)^```/gm)].filter(([, name]) => name === language);
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${language}`);
  return found[0]?.[2] ?? '';
}

const { extension_registry: settings } = parse(block('yaml')) as {
  extension_registry: { webhook_urls: string[]; webhook_secret: string };
};

test('docs/webhooks.md: its configuration is accepted', (t) => {
  const config = loadConfig({ flags: settings, env: {}, cwd: '/nonexistent' });
  t.is(config.webhook_urls.length, 2);
});

test('docs/webhooks.md: the request has the signature that its secret gives, and an event as body', (t) => {
  const [head = '', body = ''] = block('http')
    .split('\n\n')
    .map((part) => part.trimEnd());
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(head)?.[1] ?? '';
  const key = keyOf(settings.webhook_secret);
  const timestamp = header('webhook-timestamp');
  t.is(header('webhook-signature'), signatureOf(key, header('webhook-id'), timestamp, Buffer.from(body)));
  t.is(header('extreg-signature'), formerSignatureOf(key, timestamp, Buffer.from(body)));
  const event = JSON.parse(body) as RegistryEvent;
  t.is(header('extreg-event'), event.event);
  for (const field of Object.keys(event)) t.true(PAGE.includes(`\`${field}\``), field);
});

test('docs/webhooks.md: its receiver takes what is genuine, and refuses what was changed or recorded long ago', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-receiver-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'receiver.mjs'), block('js'));
  const child = spawn(process.execPath, ['receiver.mjs'], {
    cwd: directory,
    env: { ...process.env, PORT: '0', WEBHOOK_SECRET: settings.webhook_secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  await until('it listens', () => /^port \d+$/m.test(output), 60_000);
  const url = `http://127.0.0.1:${/^port (\d+)$/m.exec(output)?.[1]}/`;

  const post = async (secret: string, ageSeconds: number): Promise<'delivered' | 'failed'> => {
    const webhooks = createWebhooks({
      urls: [url],
      secret,
      kinds: ['auto_disabled'],
      timeoutMs: 5000,
      clock: new SimulatedClock(),
      wall: () => Date.now() - ageSeconds * 1000,
      random: () => 0,
      log: silentLogger,
    });
    const at = new Date().toISOString();
    webhooks.publish({
      event: 'auto_disabled',
      extension_id: 'flaky',
      at,
      reason: 'für Ä',
      actor: 'system:auto-manager',
    });
    await until('it is settled', () => webhooks.counts().delivered + webhooks.counts().failed === 1);
    return webhooks.counts().delivered === 1 ? 'delivered' : 'failed';
  };
  t.is(await post(settings.webhook_secret, 0), 'delivered');
  await until('it says so', () => output.includes('auto_disabled flaky für Ä\n'));
  t.is(await post('whsec_YW5vdGhlciBzZWNyZXQ=', 0), 'failed');
  t.is(await post(settings.webhook_secret, 600), 'failed');
  t.is(await post(settings.webhook_secret, -600), 'failed');
  const unsigned = await fetch(url, { method: 'POST', body: '{}' });
  t.is(unsigned.status, 401);
});

test('docs/webhooks.md: its limits are those of the code', (t) => {
  t.true(PAGE.includes(`At most ${MAX_WAITING} notices wait`));
  const [first, second, third] = RETRY_CEILINGS_MS.map((ms) => ms / 1000);
  t.true(PAGE.includes(`after up to ${first}, ${second} and ${third} seconds`));
});
