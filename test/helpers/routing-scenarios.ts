// Registries that people route by, with who must get which version: the two of the specification and six of a service that did
// this before.
import type { VersionRow } from '../../src/domain/registry/registry-rows.js';

export interface RoutingScenario {
  readonly title: string;
  /** In an order that is not that of their rank. */
  readonly versions: Readonly<Record<string, Partial<VersionRow>>>;
  /** Context of a call, and the version that takes it. */
  readonly calls: readonly (readonly [context: Readonly<Record<string, string>>, version: string])[];
}

export const ROUTING_SCENARIOS: readonly RoutingScenario[] = [
  {
    title: 'the specification: tenant1 and tenant2 get v2, others v1',
    versions: { v1: {}, v2: { routing_rules: { tenant_id: ['tenant1', 'tenant2'] } } },
    calls: [
      [{ tenant_id: 'tenant1' }, 'v2'],
      [{ tenant_id: 'tenant2' }, 'v2'],
      [{ tenant_id: 'tenant3' }, 'v1'],
      [{ tenant_id: 'tenant' }, 'v1'],
      [{}, 'v1'],
    ],
  },
  {
    title: 'the specification: a list and a scalar must both match',
    versions: { v1: {}, v2: { routing_rules: { tenant_id: ['tenant1', 'tenant2'], policy_id: 'policy-123' } } },
    calls: [
      [{ tenant_id: 'tenant1', policy_id: 'policy-123' }, 'v2'],
      [{ tenant_id: 'tenant1', policy_id: 'policy-124' }, 'v1'],
      [{ tenant_id: 'tenant1' }, 'v1'],
      [{ policy_id: 'policy-123' }, 'v1'],
    ],
  },
  {
    title: 'by tenant',
    versions: { v2: { routing_rules: { tenant_id: 'acme' } }, v1: {} },
    calls: [
      [{ tenant_id: 'acme' }, 'v2'],
      [{ tenant_id: 'Acme' }, 'v1'],
      [{ tenant_id: 'globex' }, 'v1'],
    ],
  },
  {
    title: 'by environment: dev, stage, prod',
    versions: {
      v3: { routing_rules: { environment: 'dev' } },
      v1: { routing_rules: { environment: 'prod' } },
      v2: { routing_rules: { environment: 'stage' } },
    },
    calls: [
      [{ environment: 'dev' }, 'v3'],
      [{ environment: 'stage' }, 'v2'],
      [{ environment: 'prod' }, 'v1'],
    ],
  },
  {
    title: 'by tenant and environment: both must match, and more conditions come before a higher version',
    versions: {
      v1: {},
      v2: { routing_rules: { tenant_id: 'acme', environment: 'stage' } },
      v3: { routing_rules: { tenant_id: 'acme' } },
    },
    calls: [
      [{ tenant_id: 'acme', environment: 'stage' }, 'v2'],
      [{ tenant_id: 'acme', environment: 'prod' }, 'v3'],
      [{ tenant_id: 'acme' }, 'v3'],
      [{ tenant_id: 'globex', environment: 'stage' }, 'v1'],
    ],
  },
  {
    title: 'canary tenants',
    versions: {
      'v10-canary': { routing_rules: { tenant_id: ['internal', 'friends', 'beta-1'] } },
      v9: {},
      v10: { enabled: false },
    },
    calls: [
      [{ tenant_id: 'internal' }, 'v10-canary'],
      [{ tenant_id: 'beta-1' }, 'v10-canary'],
      [{ tenant_id: 'beta-2' }, 'v9'],
      [{}, 'v9'],
    ],
  },
  {
    title: 'by policy',
    versions: { strict: { routing_rules: { policy_id: ['hipaa', 'pci'] } }, lax: {} },
    calls: [
      [{ policy_id: 'hipaa' }, 'strict'],
      [{ policy_id: 'pci', tenant_id: 'acme' }, 'strict'],
      [{ policy_id: 'none' }, 'lax'],
      [{ tenant_id: 'hipaa' }, 'lax'],
    ],
  },
  {
    title: 'by three conditions, one of them a key of their own',
    versions: {
      v1: {},
      v2: { routing_rules: { tenant_id: ['acme', 'globex'], environment: 'prod', tier: ['gold', 1, true] } },
    },
    calls: [
      [{ tenant_id: 'acme', environment: 'prod', tier: 'gold' }, 'v2'],
      [{ tenant_id: 'globex', environment: 'prod', tier: '1' }, 'v2'],
      [{ tenant_id: 'globex', environment: 'prod', tier: 'true' }, 'v2'],
      [{ tenant_id: 'globex', environment: 'prod', tier: 'silver' }, 'v1'],
      [{ tenant_id: 'globex', environment: 'dev', tier: 'gold' }, 'v1'],
      [{ tenant_id: 'acme', tier: 'gold' }, 'v1'],
    ],
  },
];
