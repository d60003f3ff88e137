// Rows of the benchmark: one call through the router, from the intake's hand to the answer, without any message.
import type { ActorSystem } from '../src/actors/actor-system.js';
import type { Invocation, Reply } from '../src/actors/ports/transport.js';
import type { RegistryEntry } from '../src/domain/registry/registry-rows.js';
import { entry, startCore, versionRow } from './core.js';
import type { Row } from './turns.js';

const OK: Reply = {
  body: new Uint8Array(),
  forwardedHeaders: '',
  serviceErrorCode: 0,
  serviceError: '',
  retryAfterMs: null,
};

const REGISTRIES: Readonly<Record<string, readonly RegistryEntry[]>> = {
  'one version': [entry('a', 0)],
  'one version of 3 instances': [entry('a', 3)],
  'a version beside the default': [entry('a', 0, [versionRow('a', 'v1'), versionRow('a', 'v2')])],
  'rules for a tenant, who calls': [
    entry('a', 0, [versionRow('a', 'v1'), versionRow('a', 'v2', { routing_rules: { tenant_id: 'tenant-1' } })]),
  ],
  'a rollout': [entry('a', 0, [versionRow('a', 'v1'), versionRow('a', 'v2', { rollout_percent: 10 })])],
  'a fallback that is not needed': [entry('a', 0, [], { policy: { fallback: ['b'] } }), entry('b', 0)],
  'a fallback for what is isolated': [
    entry('a', 0, [], { policy: { fallback: ['b'] }, breaker_override: 'isolated' }),
    entry('b', 0),
  ],
};
export const ROUTED_CALLS = Object.keys(REGISTRIES);

/** Shared by all calls: making them is the intake's work. */
const HEADERS = { forwarded: '', traceBefore: '', traceParentId: '', traceAfter: '' };
const BODY = new Uint8Array();

class BenchCall implements Invocation {
  readonly extensionId = 'a';
  readonly budgetMs = null;
  readonly headers = HEADERS;
  readonly tenantHeader = '';
  readonly hops = 1;
  readonly body = BODY;
  answered = false;
  readonly context = {
    get: (key: string): string | undefined => (key === 'tenant_id' ? 'tenant-1' : undefined),
  };

  constructor(readonly arrivedMs: number) {}

  succeed(): null {
    this.answered = true;
    return null;
  }

  refuse(): void {}
}

/** Each call is answered before `handle` returns. */
export function routedCalls(): { readonly rows: readonly Row[]; readonly stop: () => Promise<void> } {
  const cores: ActorSystem[] = [];
  const rows = Object.entries(REGISTRIES).map(([name, entries]): Row => {
    const core = startCore(entries, (_, __, ___, ____, _____, listener) => listener.attemptEnded('reply', OK));
    cores.push(core);
    return {
      name,
      run(times) {
        for (let i = 0; i < times; i++) {
          const call = new BenchCall(performance.now());
          core.router.handle(call);
          if (!call.answered) throw new Error(`${name}: a call was not answered`);
        }
      },
    };
  });
  return { rows, stop: async () => void (await Promise.all(cores.map((core) => core.stop()))) };
}
