// Which version, extension and instance answers a call, as a caller on a real nats-server sees it.

import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import type { NatsConnection } from '#@nats-io/nats-core';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { extensionRow, instanceRow, registryEntry, versionRow } from '../helpers/registry-rows.js';
import { ROUTING_SCENARIOS, type RoutingScenario } from '../helpers/routing-scenarios.js';
import { CoreRig } from './core-rig.js';

interface World {
  server: TestServer;
  caller: NatsConnection;
}

const test = anyTest as TestFn<World>;
type Context = ExecutionContext<World>;

test.before(async (t) => {
  const server = await TestServer.start();
  t.context = { server, caller: await server.connect() };
});
test.after.always((t) => t.context.server.stop());

/** Extensions of one rig; each subject named answers with its own name. */
async function rigOf(
  t: Context,
  entriesOf: Parameters<typeof CoreRig.start>[3],
  answering: readonly string[],
): Promise<CoreRig> {
  const { server, caller } = t.context;
  const rig = await CoreRig.start(t, server, caller, entriesOf);
  for (const name of answering) {
    const extension = await startExtension(caller, rig.subjectOf(name), () => ({ body: Buffer.from(name) }));
    t.teardown(extension.stop);
  }
  await caller.flush();
  return rig;
}

const HEADERS: Readonly<Record<string, string>> = {
  tenant_id: 'Extreg-Tenant-Id',
  policy_id: 'Extreg-Policy-Id',
  environment: 'Extreg-Environment',
  routing_key: 'Extreg-Routing-Key',
};

const inHeaders = (context: Readonly<Record<string, string>>): string[] =>
  Object.entries(context).map(([key, value]) => `${HEADERS[key] ?? `Extreg-Ctx-${key}`}: ${value}`);

/** The predecessor's envelope. */
function inBody({ tenant_id, ...metadata }: Readonly<Record<string, string>>): string {
  return JSON.stringify({ trace_id: 't', ...(tenant_id === undefined ? {} : { tenant_id }), payload: {}, metadata });
}

const scenario = test.macro<[RoutingScenario]>({
  async exec(t, { versions, calls }) {
    const names = Object.keys(versions);
    const rig = await rigOf(
      t,
      (subjectOf) => [
        registryEntry(extensionRow('a', { subject: subjectOf('own') }), {
          versions: names.map((name) => versionRow('a', name, { subject: subjectOf(name), ...versions[name] })),
        }),
      ],
      names,
    );
    for (const [context, version] of calls) {
      t.is(
        (await rig.told(rig.call('a', 'x', inHeaders(context)))).body,
        version,
        `headers ${JSON.stringify(context)}`,
      );
      t.is((await rig.told(rig.call('a', inBody(context)))).body, version, `body ${JSON.stringify(context)}`);
      const { tenant_id: tenant, ...others } = context;
      if (tenant === undefined) continue;
      // The subject's tenant stands over what header and body claim.
      const lines = inHeaders({ ...others, tenant_id: 'somebody-else' });
      t.is((await rig.told(rig.call(`a.${tenant}`, inBody({ tenant_id: 'another' }), lines))).body, version);
    }
  },
  title: (_, { title }) => `routing by headers, envelope and subject: ${title}`,
});
for (const one of ROUTING_SCENARIOS) test.serial(scenario, one);

test.serial('a call whose tenant only a large body could name is refused, and its header lets it pass', async (t) => {
  const rig = await rigOf(
    t,
    (subjectOf) => [
      registryEntry(extensionRow('a'), {
        versions: [
          versionRow('a', 'v1', { subject: subjectOf('v1') }),
          versionRow('a', 'v2', { subject: subjectOf('v2'), routing_rules: { tenant_id: 't1' } }),
        ],
      }),
    ],
    ['v1', 'v2'],
  );
  const body = JSON.stringify({ tenant_id: 't1', payload: 'x'.repeat(70_000) });
  const refused = await rig.told(rig.call('a', body));
  t.like(refused, { error: 'invalid_request', status: '400' });
  t.like(refused.details, { reason: 'context_needed', headers: ['Extreg-Tenant-Id'] });
  t.is((await rig.told(rig.call('a', body, ['Extreg-Tenant-Id: t1']))).body, 'v2');
  // Of the text of a person nothing can be asked.
  t.is((await rig.told(rig.call('a', 'x'.repeat(70_000)))).body, 'v1');
});

test.serial(
  'Extreg-Fallback names the extension that answered in the place of another, with its version',
  async (t) => {
    const rig = await rigOf(
      t,
      (subjectOf) => [
        registryEntry(
          extensionRow('a', { subject: subjectOf('a'), breaker_override: 'isolated', policy: { fallback: ['b'] } }),
        ),
        registryEntry(extensionRow('b', { subject: subjectOf('b'), version: 'v7' })),
      ],
      ['a', 'b'],
    );
    const called = rig.call('a');
    t.is((await rig.told(called)).body, 'b');
    const { headers } = called.replies[0] ?? {};
    t.is(headers?.get('Extreg-Fallback'), 'b');
    t.is(headers?.get('Extreg-Version'), 'v7');
    const own = rig.call('b');
    await rig.told(own);
    t.is(own.replies[0]?.headers?.has('Extreg-Fallback'), false);
  },
);

test.serial('a fallback takes a call to which nobody listens', async (t) => {
  const rig = await rigOf(
    t,
    (subjectOf) => [
      registryEntry(extensionRow('a', { subject: subjectOf('nobody'), policy: { fallback: ['b'] } })),
      registryEntry(extensionRow('b', { subject: subjectOf('b') })),
    ],
    ['b'],
  );
  const called = rig.call('a');
  t.is((await rig.told(called)).body, 'b');
  t.is(called.replies[0]?.headers?.get('Extreg-Attempts'), '2');
});

test.serial('consistent_hash: a routing key of header or body stays with its instance', async (t) => {
  const instances = ['i1', 'i2', 'i3'];
  const rig = await rigOf(
    t,
    (subjectOf) => [
      registryEntry(extensionRow('a', { subject: subjectOf('own'), policy: { balancer: 'consistent_hash' } }), {
        instances: instances.map((name) => instanceRow('a', name, { subject: subjectOf(name), version: 'v1' })),
      }),
    ],
    instances,
  );
  const taken = new Set<string>();
  for (let i = 0; i < 30; i++) {
    const key = `user-${i}`;
    const { body } = await rig.told(rig.call('a', 'x', [`Extreg-Routing-Key: ${key}`]));
    taken.add(body);
    t.is((await rig.told(rig.call('a', inBody({ routing_key: key })))).body, body);
  }
  t.deepEqual([...taken].toSorted(), instances);
  // Without a key they take turns.
  const turns = await Promise.all(instances.map(() => rig.told(rig.call('a'))));
  t.deepEqual(turns.map(({ body }) => body).toSorted(), instances);
});

for (const [asked, policy] of [
  ['a fallback before it', { fallback: ['b', 'c'] }],
  ['the balancer of what was called', { balancer: 'consistent_hash', fallback: ['c'] }],
] as const)
  test.serial(
    `a key that no header gives to ${asked} is no reason to skip a fallback that needs another`,
    async (t) => {
      const ruled = (id: string, routing_rules: Record<string, string>, subject: string) =>
        registryEntry(extensionRow(id, { subject: `${subject}.nobody` }), {
          versions: [versionRow(id, 'v2', { subject, routing_rules })],
        });
      const rig = await rigOf(
        t,
        (subjectOf) => [
          registryEntry(extensionRow('a', { policy }), {
            instances: ['i1', 'i2'].map((id) => instanceRow('a', id, { subject: subjectOf(`absent.${id}`) })),
          }),
          ruled('b', { policy_id: 'p' }, subjectOf('b')),
          ruled('c', { tenant_id: 'acme' }, subjectOf('c')),
        ],
        ['b', 'c'],
      );
      const body = JSON.stringify({ payload: 'x'.repeat(70_000) });
      t.is((await rig.told(rig.call('a', body, ['Extreg-Tenant-Id: acme']))).body, 'c');
    },
  );

test.serial(
  'CALLER-CONTEXT-5: a body too large for the routing key, or with two of them, is no reason to refuse: it only says which instance',
  async (t) => {
    const rig = await rigOf(
      t,
      (subjectOf) => [
        registryEntry(extensionRow('a', { subject: subjectOf('own'), policy: { balancer: 'consistent_hash' } }), {
          instances: [
            instanceRow('a', 'i1', { subject: subjectOf('i1') }),
            instanceRow('a', 'i2', { subject: subjectOf('i2') }),
          ],
        }),
      ],
      ['i1', 'i2'],
    );
    t.is((await rig.told(rig.call('a', JSON.stringify({ x: 'y'.repeat(70_000) })))).error, '');
    t.is((await rig.told(rig.call('a', '{"metadata":{"routing_key":"a","routing_key":"b"}}'))).error, '');
  },
);

test.serial(
  'TARGET-4: callers get slow answers until the breaker opens, and the success rate counts them as successes',
  async (t) => {
    const { server, caller } = t.context;
    const breaker = { slow_call_ms: 5, failure_threshold: 2 };
    const rig = await CoreRig.start(t, server, caller, (subjectOf) => [
      registryEntry(extensionRow('late', { subject: subjectOf('late'), policy: { breaker } })),
    ]);
    // Busy for 8 ms, as an extension that is too slow.
    const extension = await startExtension(caller, rig.subjectOf('late'), () => {
      const endMs = performance.now() + 8;
      while (performance.now() < endMs);
      return { body: Buffer.from('late') };
    });
    t.teardown(extension.stop);
    await caller.flush();
    for (let i = 0; i < 2; i++) t.is((await rig.told(rig.call('late'))).body, 'late');
    t.is((await rig.told(rig.call('late'))).details?.reason, 'circuit_open');
    t.deepEqual(rig.counts('late'), { successes: 2, failures: 0 });
    const opened = rig.events.find(({ event }) => event === 'circuit_opened');
    t.like(opened?.evidence, { failures: 2, slow: 2, outcomes: 2 });
  },
);
