// Rows of the benchmark: which version a call asks for, from a table that is made once per change, and from the rows at each call.
import type { Extension, Version } from '../src/domain/registry/extension.js';
import { NO_SLOTS } from '../src/domain/registry/rollout-slots.js';
import { compareVersions, defaultVersion } from '../src/domain/registry/version-choice.js';
import { type Context, compileRules, NO_CONTEXT, unmetCondition } from '../src/domain/routing/routing-rules.js';
import { RoutingTable } from '../src/domain/routing/routing-table.js';
import type { Row } from './turns.js';

export const CHOICES = [
  'no rules',
  'a rule for each of 5 tenants',
  '20 versions of 3 conditions',
  'a rollout of 2',
] as const;
type Shape = (typeof CHOICES)[number];

export const fromTable = (shape: Shape): string => `${shape}, from the table`;
export const fromRows = (shape: Shape): string => `${shape}, from the rows`;

const TENANTS = Array.from({ length: 64 }, (_, i) => `tenant-${i}`);

function versionOf(name: string, rules: Record<string, unknown>, percent: number | null = null): Version {
  return {
    version: name,
    subject: `ext.bench.${name}`,
    timeoutMs: 1000,
    retry: 0,
    config: {},
    routingRules: rules,
    rolloutPercent: percent,
    rolloutKey: null,
    enabled: true,
    breakerOverride: null,
    breakerResets: 0,
    putBackId: null,
    revision: 1,
  };
}

const VERSIONS: Readonly<Record<Shape, readonly Version[]>> = {
  'no rules': [],
  'a rule for each of 5 tenants': [0, 1, 2, 3, 4].map((i) => versionOf(`v${i}`, { tenant_id: `tenant-${i}` })),
  '20 versions of 3 conditions': Array.from({ length: 20 }, (_, i) =>
    versionOf(`v${i}`, { environment: 'prod', tenant_id: [`tenant-${i}`, `tenant-${i + 20}`], plan: 'gold' }),
  ),
  'a rollout of 2': [versionOf('v1', {}), versionOf('v2', {}, 5), versionOf('v3', {}, 10)],
};

const extensionOf = (shape: Shape): Extension => ({
  id: 'bench',
  type: 'pre',
  subject: 'ext.bench',
  timeoutMs: 1000,
  retry: 0,
  enabled: true,
  autoDisabled: false,
  breakerOverride: null,
  breakerResets: 0,
  putBackId: null,
  switchedBy: null,
  version: 'v0-own',
  config: {},
  policy: {},
  revision: 1,
  versions: VERSIONS[shape],
  rolloutSlots: NO_SLOTS,
  instances: [],
});

const CONTEXTS: readonly Context[] = TENANTS.map(
  (tenant) =>
    new Map([
      ['tenant_id', tenant],
      ['environment', 'prod'],
      ['plan', 'gold'],
    ]),
);

function row(name: string, choose: (context: Context) => unknown): Row {
  return {
    name,
    run(times) {
      let none = 0;
      for (let i = 0; i < times; i++) if (choose(CONTEXTS[i & (CONTEXTS.length - 1)] ?? NO_CONTEXT) === null) none++;
      // What is chosen is looked at, so that the compiler leaves nothing out.
      if (none > 0) throw new Error(`${name} chose nothing ${none} times`);
    },
  };
}

/** The rules alone, read and put in order for each call. */
function chooseFromRows(extension: Extension, context: Context): string | null {
  const met = extension.versions
    .filter((version) => version.enabled && Object.keys(version.routingRules).length > 0)
    .filter((version) => unmetCondition(compileRules(version.routingRules), context) === null)
    .toSorted(
      (a, b) =>
        Object.keys(b.routingRules).length - Object.keys(a.routingRules).length ||
        compareVersions(b.version, a.version),
    );
  return met[0]?.version ?? defaultVersion(extension)?.version ?? null;
}

export function choiceRows(): Row[] {
  return CHOICES.flatMap((shape) => {
    const extension = extensionOf(shape);
    const table = new RoutingTable(extension);
    return [
      row(fromTable(shape), (context) => table.choose(context, Math.random)),
      ...(shape === 'a rollout of 2' ? [] : [row(fromRows(shape), (context) => chooseFromRows(extension, context))]),
    ];
  });
}
