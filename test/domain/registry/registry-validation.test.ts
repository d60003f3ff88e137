import test from 'ava';
import type { Extension, Instance, Version } from '../../../src/domain/registry/extension.js';
import { instancesOf } from '../../../src/domain/registry/extension-index.js';
import type {
  ExtensionRow,
  InstanceRow,
  RegistryEntry,
  VersionRow,
} from '../../../src/domain/registry/registry-rows.js';
import { parseEntry } from '../../../src/domain/registry/registry-validation.js';
import type { SubjectRules } from '../../../src/domain/registry/subject-rules.js';
import { extensionRow, instanceRow, registryEntry, versionRow } from '../../helpers/registry-rows.js';

const RULES: SubjectRules = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };

const parse = (entry: RegistryEntry, previous: Extension | null = null) => parseEntry(entry, RULES, previous);

/** The valid form of an entry; throws where it has none. */
function valid(entry: RegistryEntry): Extension {
  const { extension, refused } = parse(entry);
  if (extension === null || refused.length > 0) throw new Error(JSON.stringify(refused));
  return extension;
}

test('REGISTRY-VALIDATION-2: null in every nullable column means its default', (t) => {
  const entry = registryEntry(
    extensionRow('a', { timeout_ms: null, retry: null, enabled: null, version: null, config: null, policy: null }),
    {
      versions: [
        versionRow('a', 'v2', { timeout_ms: null, retry: null, config: null, routing_rules: null, enabled: null }),
      ],
      instances: [instanceRow('a', 'i', { weight: null, enabled: null, health_status: null })],
    },
  );
  t.deepEqual(parse(entry), {
    extension: {
      id: 'a',
      type: 'pre',
      subject: 'ext.a',
      timeoutMs: 5000,
      retry: 0,
      enabled: true,
      autoDisabled: false,
      breakerOverride: null,
      breakerResets: 0,
      putBackId: null,
      switchedBy: null,
      version: 'v1',
      config: {},
      policy: {},
      revision: 1,
      versions: [
        {
          version: 'v2',
          subject: 'ext.a.v2',
          timeoutMs: 5000,
          retry: 0,
          config: {},
          routingRules: {},
          rolloutPercent: null,
          rolloutKey: null,
          enabled: true,
          breakerOverride: null,
          breakerResets: 0,
          putBackId: null,
          revision: 1,
        },
      ],
      rolloutSlots: new Map(),
      instances: [
        {
          id: 'i',
          subject: 'ext.a.i',
          weight: 100,
          enabled: true,
          healthStatus: 'unknown',
          revision: 1,
          version: null,
        },
      ],
    },
    thresholds: null,
    refused: [],
  });
});

test('REGISTRY-VALIDATION-2: what a row says is taken over in every column', (t) => {
  const extension = valid(
    registryEntry(
      extensionRow('a', {
        type: 'provider',
        timeout_ms: 1,
        retry: 100,
        enabled: false,
        auto_disabled: true,
        breaker_override: 'forced_closed',
        breaker_resets: 4,
        switched_by: 'ann',
        version: 'v7',
        config: { key: 'x' },
        policy: { max_in_flight: 3 },
        revision: 12,
      }),
      {
        versions: [
          versionRow('a', 'v8', {
            config: { model: 'm' },
            routing_rules: { tenant_id: ['t1', 't2'], beta: true, tier: 3 },
            rollout_percent: null,
            rollout_key: 'tenant_id',
            enabled: false,
            breaker_override: 'isolated',
            breaker_resets: 5,
            revision: 6,
          }),
        ],
        instances: [instanceRow('a', 'i', { weight: 0, enabled: false, health_status: 'unhealthy', version: 'v8' })],
      },
    ),
  );
  t.like(extension, {
    type: 'provider',
    timeoutMs: 1,
    retry: 100,
    enabled: false,
    autoDisabled: true,
    breakerOverride: 'forced_closed',
    breakerResets: 4,
    switchedBy: 'ann',
    version: 'v7',
    config: { key: 'x' },
    policy: { max_in_flight: 3 },
    revision: 12,
  });
  t.like(extension.versions[0], {
    config: { model: 'm' },
    routingRules: { tenant_id: ['t1', 't2'], beta: true, tier: 3 },
    rolloutPercent: null,
    rolloutKey: 'tenant_id',
    enabled: false,
    breakerOverride: 'isolated',
    breakerResets: 5,
    revision: 6,
  });
  t.like(extension.instances[0], { weight: 0, enabled: false, healthStatus: 'unhealthy', version: 'v8' });
});

const refusedRow = test.macro<[what: string, changes: Partial<ExtensionRow>, ...problems: string[]]>({
  exec(t, _, changes, ...problems) {
    const { extension, refused } = parse(registryEntry(extensionRow('a', { revision: 4, ...changes })));
    t.is(extension, null);
    t.deepEqual(refused, [{ extensionId: changes.id ?? 'a', revision: 4, problems }]);
  },
  title: (_, what) => `REGISTRY-VALIDATION-1: an extension with ${what} is refused, and says what was expected and got`,
});
test(refusedRow, 'a dotted id', { id: 'a.b' }, 'id must be 1 to 255 of A-Z a-z 0-9 _ : -, got "a.b"');
test(refusedRow, 'an empty id', { id: '' }, 'id must be 1 to 255 of A-Z a-z 0-9 _ : -, got ""');
test(
  refusedRow,
  'an unknown type',
  { type: 'filter' },
  'type must be one of pre, validator, post, provider, got "filter"',
);
test(
  refusedRow,
  'an unknown override',
  { breaker_override: 'open' },
  'breaker_override must be isolated or forced_closed, got "open"',
);
test(refusedRow, 'an empty version', { version: '' }, 'version must not be empty');
test(
  refusedRow,
  'a wildcard subject',
  { subject: 'ext.*' },
  'subject must be plain tokens joined by dots, without wildcards, got "ext.*"',
);
test(refusedRow, 'no time', { timeout_ms: 0 }, 'timeout_ms must be 1..86400000, got 0');
test(refusedRow, 'too much time', { timeout_ms: 86_400_001 }, 'timeout_ms must be 1..86400000, got 86400001');
test(refusedRow, 'a time that is no number', { timeout_ms: Number.NaN }, 'timeout_ms must be 1..86400000, got NaN');
test(refusedRow, 'negative retries', { retry: -1 }, 'retry must be 0..100, got -1');
test(refusedRow, 'too many retries', { retry: 101 }, 'retry must be 0..100, got 101');
test(refusedRow, 'a list as config', { config: [] }, 'config must be a JSON object, got a list');
test(refusedRow, 'a text as config', { config: 'x' }, 'config must be a JSON object, got a string');
const checking = (subject: string) => ({ policy: { health_check: { subject } } });
test(
  refusedRow,
  'checks under the prefix of the daemon',
  checking('extreg.v1.invoke.a'),
  'policy.health_check.subject must not be under this daemon\'s own prefix extreg.v1, got "extreg.v1.invoke.a"',
);
test(
  refusedRow,
  'checks at a wildcard',
  checking('ext.*'),
  'policy.health_check.subject must be plain tokens joined by dots, without wildcards, got "ext.*"',
);
test(
  refusedRow,
  'checks at a subject of NATS',
  checking('$SYS.REQ'),
  `policy.health_check.subject must not begin with '$' or '_', got "$SYS.REQ"`,
);
test(
  refusedRow,
  'a fallback that is no id',
  { policy: { fallback: ['b c'] } },
  'policy.fallback must hold extension ids, got "b c"',
);
test(refusedRow, 'an unknown setting', { policy: { x: 1 } }, "policy has no setting 'x'");
test(
  refusedRow,
  'an unknown setting of the breaker',
  { policy: { breaker: { treshold: 1 } } },
  "policy.breaker has no setting 'treshold'",
);
test(
  refusedRow,
  'several mistakes',
  { type: 'x', timeout_ms: -1, policy: 3 },
  'type must be one of pre, validator, post, provider, got "x"',
  'timeout_ms must be 1..86400000, got -1',
  'policy must be object',
);

const refusedVersion = test.macro<[what: string, changes: Partial<VersionRow>, problem: string]>({
  exec(t, _, changes, problem) {
    const entry = registryEntry(extensionRow('a'), {
      versions: [versionRow('a', 'v2', { revision: 5, ...changes }), versionRow('a', 'v3')],
    });
    const { extension, refused } = parse(entry);
    t.deepEqual(
      extension?.versions.map((v) => v.version),
      ['v3'],
    );
    t.deepEqual(refused, [{ extensionId: 'a', version: changes.version ?? 'v2', revision: 5, problems: [problem] }]);
  },
  title: (_, what) => `REGISTRY-VALIDATION-2: a version with ${what} is refused alone`,
});
test(refusedVersion, 'an empty name', { version: '' }, 'version must not be empty');
test(
  refusedVersion,
  "the daemon's own subject",
  { subject: 'extreg.v1.invoke.a' },
  'subject must not be under this daemon\'s own prefix extreg.v1, got "extreg.v1.invoke.a"',
);
test(
  refusedVersion,
  'rules with an empty key',
  { routing_rules: { '': 'x' } },
  'routing_rules must not have an empty key',
);
test(
  refusedVersion,
  'a number in rules that has lost digits',
  { routing_rules: { tenant_id: ['a', 123456789012345, 9007199254740991] } },
  'routing_rules.tenant_id must hold numbers of more than 15 digits as strings, got 9007199254740991',
);
test(refusedVersion, 'a list as rules', { routing_rules: [] }, 'routing_rules must be a JSON object, got a list');
test(refusedVersion, 'a text as rules', { routing_rules: 'all' }, 'routing_rules must be a JSON object, got a string');
test(refusedVersion, 'a number as rules', { routing_rules: 1 }, 'routing_rules must be a JSON object, got a number');
for (const rule of [null, {}, [null], [['t1']], [{}]])
  test(
    refusedVersion,
    `${JSON.stringify(rule)} as a rule`,
    { routing_rules: { tenant_id: rule } },
    'routing_rules.tenant_id must be a string, number or boolean, or a list of those',
  );
test(refusedVersion, 'over 100 percent', { rollout_percent: 101 }, 'rollout_percent must be 0..100, got 101');
test(refusedVersion, 'under 0 percent', { rollout_percent: -1 }, 'rollout_percent must be 0..100, got -1');
test(
  refusedVersion,
  'a percentage that is no number',
  { rollout_percent: Number.NaN },
  'rollout_percent must be 0..100, got NaN',
);
test(
  refusedVersion,
  'rules and a percentage',
  { routing_rules: { tenant_id: 't' }, rollout_percent: 0 },
  'rollout_percent must be null: a version has routing rules or a rollout percentage, not both',
);
for (const key of ['', ' \t', 'k'.repeat(256)])
  test(
    refusedVersion,
    `${JSON.stringify(key.slice(0, 5))} of ${key.length} characters as a rollout key`,
    { rollout_key: key },
    `rollout_key must be 1 to 255 characters and not blank, got ${JSON.stringify(key.slice(0, 80))}`,
  );
test(refusedVersion, 'no time', { timeout_ms: 0 }, 'timeout_ms must be 1..86400000, got 0');

const refusedInstance = test.macro<[what: string, changes: Partial<InstanceRow>, problem: string]>({
  exec(t, _, changes, problem) {
    const entry = registryEntry(extensionRow('a'), {
      instances: [instanceRow('a', 'i', { revision: 6, ...changes }), instanceRow('a', 'j')],
    });
    const { extension, refused } = parse(entry);
    t.deepEqual(
      extension?.instances.map((i) => i.id),
      ['j'],
    );
    t.deepEqual(refused, [
      { extensionId: 'a', instanceId: changes.instance_id ?? 'i', revision: 6, problems: [problem] },
    ]);
  },
  title: (_, what) => `REGISTRY-VALIDATION-2: an instance with ${what} is refused alone`,
});
test(refusedInstance, 'a negative weight', { weight: -1 }, 'weight must be 0..100, got -1');
test(refusedInstance, 'a weight over 100', { weight: 101 }, 'weight must be 0..100, got 101');
test(refusedInstance, 'half a weight', { weight: 0.5 }, 'weight must be 0..100, got 0.5');
test(refusedInstance, 'a weight that is no number', { weight: Number.NaN }, 'weight must be 0..100, got NaN');
test(
  refusedInstance,
  'a subject of NATS itself',
  { subject: '$JS.API.x' },
  "subject must not begin with '$' or '_', got \"$JS.API.x\"",
);
for (const id of ['', 'a b', 'i\n', 'ä', 'x'.repeat(256)])
  test(
    refusedInstance,
    `the id ${JSON.stringify(id.slice(0, 5))} of ${id.length} characters`,
    { instance_id: id },
    `instance_id must be 1 to 255 printable ASCII characters, got ${JSON.stringify(id)}`,
  );

test('a health status that nobody knows is read as unknown', (t) => {
  const { instances } = valid(
    registryEntry(extensionRow('a'), { instances: [instanceRow('a', 'i', { health_status: 'great' })] }),
  );
  t.is(instances[0]?.healthStatus, 'unknown');
});

test('REGISTRY-VALIDATION-1: a change that makes a running row invalid leaves its last valid form in force', (t) => {
  const before = valid(registryEntry(extensionRow('a', { timeout_ms: 250 })));
  const { extension, refused } = parse(
    registryEntry(extensionRow('a', { subject: 'ext.>', timeout_ms: 9, revision: 2 })),
    before,
  );
  t.deepEqual(extension, { ...before, revision: 2 });
  t.is(refused.length, 1);
  t.is(refused[0]?.revision, 2);
});

test('REGISTRY-VALIDATION-1: a version and an instance that become invalid stay as they were', (t) => {
  const good = registryEntry(extensionRow('a'), {
    versions: [versionRow('a', 'v2')],
    instances: [instanceRow('a', 'i')],
  });
  const before = valid(good);
  const { extension, refused } = parse(
    registryEntry(extensionRow('a'), {
      versions: [versionRow('a', 'v2', { subject: '*', timeout_ms: 7 })],
      instances: [instanceRow('a', 'i', { weight: 1000 })],
    }),
    before,
  );
  t.deepEqual(extension, before);
  t.is(refused.length, 2);
});

test('REGISTRY-VALIDATION-1: a version and an instance that are gone are gone, also where the row of their extension is refused', (t) => {
  const before = valid(
    registryEntry(extensionRow('a'), { versions: [versionRow('a', 'v2')], instances: [instanceRow('a', 'i')] }),
  );
  const { extension } = parse(registryEntry(extensionRow('a', { type: 'x' })), before);
  t.deepEqual(extension, { ...before, versions: [], instances: [] });
});

test('REGISTRY-VALIDATION-1: valid rows of versions and instances take effect where the row of their extension is refused', (t) => {
  const before = valid(registryEntry(extensionRow('a')));
  const { extension } = parse(
    registryEntry(extensionRow('a', { type: 'x' }), {
      versions: [versionRow('a', 'v2')],
      instances: [instanceRow('a', 'i')],
    }),
    before,
  );
  t.is(extension?.versions.length, 1);
  t.is(extension?.instances.length, 1);
});

const switched = test.macro<
  [changes: Partial<ExtensionRow>, expected: Pick<Extension, 'enabled' | 'autoDisabled' | 'breakerOverride'>]
>({
  exec(t, changes, expected) {
    const before = valid(registryEntry(extensionRow('a', { breaker_override: 'isolated' })));
    const row = extensionRow('a', { subject: 'ext.>', breaker_override: 'isolated', revision: 9, ...changes });
    const { extension } = parse(registryEntry(row), before);
    t.deepEqual(extension, { ...before, revision: 9, ...expected });
  },
  title: (_, changes) => `ROW-VALIDATION-1: ${JSON.stringify(changes)} counts on a row that is refused for its subject`,
});
test(switched, {}, { enabled: true, autoDisabled: false, breakerOverride: 'isolated' });
test(switched, { enabled: false }, { enabled: false, autoDisabled: false, breakerOverride: 'isolated' });
test(switched, { enabled: null }, { enabled: true, autoDisabled: false, breakerOverride: 'isolated' });
test(
  switched,
  { enabled: false, auto_disabled: true },
  { enabled: false, autoDisabled: true, breakerOverride: 'isolated' },
);
test(
  switched,
  { breaker_override: 'forced_closed' },
  { enabled: true, autoDisabled: false, breakerOverride: 'forced_closed' },
);
test(switched, { breaker_override: null }, { enabled: true, autoDisabled: false, breakerOverride: null });

const switchedVersion = test.macro<
  [changes: Partial<VersionRow>, expected: Pick<Version, 'enabled' | 'breakerOverride' | 'breakerResets'>]
>({
  exec(t, changes, expected) {
    const good = versionRow('a', 'v2', { breaker_override: 'isolated' });
    const before = valid(registryEntry(extensionRow('a'), { versions: [good] }));
    const bad = { ...good, subject: 'ext.>', timeout_ms: 7, revision: 9, ...changes };
    const { extension } = parse(registryEntry(extensionRow('a'), { versions: [bad] }), before);
    t.deepEqual(extension?.versions, [{ ...(before.versions[0] as Version), revision: 9, ...expected }]);
  },
  title: (_, changes) =>
    `ROW-VALIDATION-1: ${JSON.stringify(changes)} counts on a version that is refused for its subject`,
});
test(switchedVersion, { enabled: false }, { enabled: false, breakerOverride: 'isolated', breakerResets: 0 });
test(switchedVersion, { breaker_override: null }, { enabled: true, breakerOverride: null, breakerResets: 0 });
test(switchedVersion, { breaker_resets: 3 }, { enabled: true, breakerOverride: 'isolated', breakerResets: 3 });
test(switchedVersion, { breaker_override: 'ajar' }, { enabled: true, breakerOverride: 'isolated', breakerResets: 0 });

test('a version whose override is none of the two is refused', (t) => {
  const entry = registryEntry(extensionRow('a'), { versions: [versionRow('a', 'v2', { breaker_override: 'ajar' })] });
  t.deepEqual(parse(entry).refused, [
    {
      extensionId: 'a',
      version: 'v2',
      revision: 1,
      problems: ['breaker_override must be isolated or forced_closed, got "ajar"'],
    },
  ]);
});

test('rows of a snapshot that an older daemon wrote have neither overrides of versions nor resets', (t) => {
  const { breaker_resets: _, ...extension } = extensionRow('a');
  const { breaker_override: __, breaker_resets: ___, ...version } = versionRow('a', 'v2');
  const old = valid(registryEntry(extension as ExtensionRow, { versions: [version as VersionRow] }));
  t.is(old.breakerResets, 0);
  t.like(old.versions[0], { breakerOverride: null, breakerResets: 0 });
});

test('REGISTRY-VALIDATION-1: an override that is none does not release the isolation in force', (t) => {
  const before = valid(registryEntry(extensionRow('a', { breaker_override: 'isolated' })));
  const { extension } = parse(registryEntry(extensionRow('a', { breaker_override: 'isolatd' })), before);
  t.is(extension?.breakerOverride, 'isolated');
});

const NO_COLUMNS = {
  failure_threshold: null,
  error_rate_threshold: null,
  window_seconds: null,
  half_open_max_requests: null,
};

test('thresholds: columns in range are taken over', (t) => {
  const thresholds = { failure_threshold: 1, error_rate_threshold: 0, window_seconds: 3600, half_open_max_requests: 1 };
  const { thresholds: got, refused } = parse(registryEntry(extensionRow('a'), { thresholds }));
  t.deepEqual(got, thresholds);
  t.deepEqual(refused, []);
});

test('thresholds: a column out of range counts as not set and is told; the others hold', (t) => {
  const thresholds = {
    failure_threshold: 0,
    error_rate_threshold: 50,
    window_seconds: 30,
    half_open_max_requests: 2.5,
  };
  const { extension, thresholds: got, refused } = parse(registryEntry(extensionRow('a'), { thresholds }));
  t.deepEqual(got, { ...NO_COLUMNS, window_seconds: 30 });
  t.deepEqual(refused, [
    {
      extensionId: 'a',
      revision: 1,
      problems: [
        'extension_health: failure_threshold must be 1..1000000, got 0',
        'extension_health: error_rate_threshold must be 0..1, got 50',
        'extension_health: half_open_max_requests must be 1..1000, got 2.5',
      ],
    },
  ]);
  t.not(extension, null);
});

test('thresholds: bad columns and a bad row of one extension are one problem, so that it is told once', (t) => {
  const thresholds = { ...NO_COLUMNS, failure_threshold: 0 };
  const { refused } = parse(registryEntry(extensionRow('a', { subject: 'ext.*' }), { thresholds }));
  t.deepEqual(
    refused.map((row) => row.problems.map((problem) => problem.split(' must')[0])),
    [['extension_health: failure_threshold', 'subject']],
  );
});

const serving = test.macro<
  [
    when: string,
    given: { versions?: readonly [name: string, subject: string][]; own?: string; instance: Partial<InstanceRow> },
    expected: readonly string[],
  ]
>({
  exec(t, _, { versions = [], own = 'v1', instance }, expected) {
    const extension = valid(
      registryEntry(extensionRow('a', { version: own }), {
        versions: versions.map(([name, subject]) => versionRow('a', name, { subject })),
        instances: [instanceRow('a', 'i', instance)],
      }),
    );
    const asVersion = (version: string, subject: string): Version => ({
      ...(extension.versions[0] as Version),
      version,
      subject,
    });
    const all = [
      ...extension.versions,
      ...(extension.versions.some((v) => v.version === own) ? [] : [asVersion(own, extension.subject)]),
    ];
    t.deepEqual(
      all.filter((v) => instancesOf(extension, v).some((i: Instance) => i.id === 'i')).map((v) => v.version),
      expected,
    );
  },
  title: (_, when, __, expected) =>
    `instancesOf: an instance serves ${expected.length === 0 ? 'nobody' : expected.join(' and ')}, ${when}`,
});
test(serving, 'without versions', { instance: {} }, ['v1']);
test(serving, 'with the subject of the extension', { instance: { subject: 'ext.a' } }, ['v1']);
test(
  serving,
  'where its row names a version, whatever its subject',
  { versions: [['v2', 'ext.a.v2']], instance: { version: 'v2', subject: 'ext.a' } },
  ['v2'],
);
test(
  serving,
  'where its row names a version that is not there',
  { versions: [['v2', 'ext.a.v2']], instance: { version: 'v9', subject: 'ext.a' } },
  [],
);
test(
  serving,
  'where versions have its subject',
  {
    versions: [
      ['v2', 'ext.x'],
      ['v3', 'ext.x'],
      ['v4', 'ext.y'],
    ],
    instance: { subject: 'ext.x' },
  },
  ['v2', 'v3'],
);
test(
  serving,
  'where a version and the own row have its subject',
  { versions: [['v2', 'ext.a']], instance: { subject: 'ext.a' } },
  ['v2', 'v1'],
);
test(
  serving,
  'where no version has its subject',
  { versions: [['v2', 'ext.a.v2']], instance: { subject: 'ext.elsewhere' } },
  ['v1'],
);
test(
  serving,
  'where no version has its subject and a row has the name of the own one',
  { versions: [['v1', 'ext.a.v1']], instance: { subject: 'ext.elsewhere' } },
  ['v1'],
);
test(
  serving,
  'where only the own row has its subject and a version row replaces that',
  { versions: [['v1', 'ext.a.v1']], instance: { subject: 'ext.a' } },
  ['v1'],
);

const keptInstance = test.macro<
  [
    what: string,
    row: Partial<InstanceRow>,
    expected: Partial<Pick<Instance, 'enabled' | 'weight' | 'subject' | 'healthStatus'>>,
  ]
>({
  exec(t, _, row, expected) {
    const before = valid(registryEntry(extensionRow('a'), { instances: [instanceRow('a', 'i', { weight: 40 })] }));
    const { extension, refused } = parse(
      registryEntry(extensionRow('a'), { instances: [instanceRow('a', 'i', { weight: 40, revision: 2, ...row })] }),
      before,
    );
    t.like(extension?.instances[0], { subject: 'ext.a.i', enabled: true, weight: 40, revision: 2, ...expected });
    t.is(refused.length, 1);
  },
  title: (_, what) => `ROW-VALIDATION-1: an instance whose row is refused ${what}`,
});
test(keptInstance, 'is disabled', { subject: 'ext.*', enabled: false }, { enabled: false });
test(keptInstance, 'is drained', { subject: 'ext.*', weight: 0 }, { weight: 0 });
test(keptInstance, 'takes another share', { subject: '', weight: 70 }, { weight: 70 });
test(keptInstance, 'keeps its weight where that is what is wrong', { weight: 250, enabled: false }, { enabled: false });
test(
  keptInstance,
  'is reported unhealthy',
  { subject: '>', health_status: 'unhealthy' },
  { healthStatus: 'unhealthy' },
);

test('ROW-VALIDATION-1: a version whose row is refused is taken out of the rollout by 0 percent', (t) => {
  const versions = (changes: Partial<VersionRow>) => [versionRow('a', 'v1'), versionRow('a', 'v2', changes)];
  const before = valid(registryEntry(extensionRow('a'), { versions: versions({ rollout_percent: 30 }) }));
  const after = (rollout_percent: number | null) =>
    parse(registryEntry(extensionRow('a'), { versions: versions({ rollout_percent, subject: 'ext.*' }) }), before)
      .extension?.versions[1]?.rolloutPercent;
  t.is(after(0), 0);
  t.is(after(50), 30);
  t.is(after(null), 30);
});
