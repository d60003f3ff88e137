import test from 'ava';
import { CONTEXT_SOURCES, ContextReader, contextHeader } from '../../src/nats/intake/caller-context.js';
import { BodyContext } from '../../src/nats/intake/context-body.js';
import { readDocument } from './tables.js';

const page = readDocument('routing.md');

test('docs/routing.md: its example is the error that a large body without the header meets', (t) => {
  const { error } = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '') as { error: Record<string, unknown> };
  const reader = new ContextReader({ from: CONTEXT_SOURCES, bodyMaxBytes: 65_536, environment: null });
  const body = Buffer.from(`{${' '.repeat(69_998)}}`);
  const told = reader.read('tenant_id', {
    tenantId: null,
    claimed: () => null,
    body,
    bodyContext: new BodyContext(body),
  });
  const { code, message, details } = error;
  t.deepEqual({ code, message, details } as unknown, told);
});

test('docs/routing.md: its table has the header of every key', (t) => {
  const rows = [...page.matchAll(/^\| .*?`([a-z_]+)` \| `(Extreg-[A-Za-z-]+)`/gm)].map(([, key, header]) => [
    key,
    header,
  ]);
  const keys = ['tenant_id', 'policy_id', 'environment', 'routing_key', 'region'];
  t.deepEqual(
    rows,
    keys.map((key) => [key, contextHeader(key)?.name]),
  );
});
