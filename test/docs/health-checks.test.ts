// docs/health-checks.md: its examples are taken, and do what they say.

import test from 'ava';
import { headers } from '#@nats-io/nats-core';
import { parse } from '#yaml';
import { parsePolicy } from '../../src/domain/registry/policy.js';
import { parseRegistryFile } from '../../src/domain/registry-file/registry-file.js';
import { TestServer } from '../helpers/nats-server.js';
import { readDocument } from './tables.js';

const page = readDocument('health-checks.md');
const block = (language: string): string => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? '';

test('docs/health-checks.md: the policies of its examples are valid', (t) => {
  const [, json = ''] = /\|\| '(.*?)'/.exec(block('sql')) ?? [];
  const read = parsePolicy(JSON.parse(json));
  t.like(read, { policy: { health_check: { interval_seconds: 5 } } });
  const file = parseRegistryFile(parse(block('yaml')), { ownPrefix: 'extreg.v1', allowedPrefixes: [] });
  t.false('problems' in file);
});

test('docs/health-checks.md: its extension answers checks with what it says of itself, and calls as ever', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const connection = await server.connect();
  let isWell = true;
  const handle = (request: { respond: (body: string) => void }) => request.respond('handled');
  new Function('connection', 'headers', 'isWell', 'handle', block('js'))(connection, headers, () => isWell, handle);
  await connection.flush();
  const ask = async (isCheck: boolean) => {
    const h = headers();
    if (isCheck) h.set('Extreg-Probe', '1');
    const reply = await connection.request('beamline.ext.pre.mine.v1', '', { headers: h, timeout: 5000 });
    return [reply.string(), reply.headers?.get('Nats-Service-Error-Code') ?? ''];
  };
  t.deepEqual(await ask(true), ['', '']);
  isWell = false;
  t.deepEqual(await ask(true), ['', '503']);
  t.deepEqual(await ask(false), ['handled', '']);
});
