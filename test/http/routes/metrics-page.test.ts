import test from 'ava';
import type { ExtensionSample } from '../../../src/actors/ports/metrics.js';
import { DURATION_BOUNDS_SECONDS, DurationBuckets } from '../../../src/domain/health/duration-buckets.js';
import { HttpProblem } from '../../../src/http/app/problem.js';
import { createMetricsPage, type MetricsPage } from '../../../src/http/routes/metrics-page.js';
import { ChunkPool } from '../../../src/http/routes/page-chunks.js';
import { EXTENSION_METRICS } from '../../../src/telemetry/extension-metrics.js';
import { DAEMON_METRICS, type Metric } from '../../../src/telemetry/metrics.js';
import { type Family, parseMetrics } from '../../telemetry/parse-metrics.js';
import { daemonNumbers, extensionSample, listen } from '../helpers.js';

const durations = new DurationBuckets();
for (const ms of [0.4, 3, 3, 900, 100_000]) durations.record(ms);
const timeouts = new DurationBuckets();
for (const ms of [900, 900]) timeouts.record(ms);

const busy = extensionSample('normalize_text', {
  state: 1,
  failures_total: 7,
  recoveries_total: 2,
  trips_total: 3,
  success_rate: 0.25,
  avg_latency_ms: 12.5,
  auto_disabled: true,
  in_flight: 4,
  last_failure_timestamp_seconds: 1_700_000_000.5,
  invocations: new Map([
    ['ok', durations],
    ['extension_timeout', timeouts],
  ]),
  override: 'isolated',
  last_trip: { reason: 'failure_count', failures: 5 },
  probes: 2,
  outcomes: 20,
  latency_seconds: [
    ['0.5', 0.01],
    ['0.95', 0.02],
    ['0.99', 0.03],
  ],
  attempts: [{ version: 'v1', outcome: 'failure', durations: timeouts }],
  calls: { permits_refused: 9, retries: 10, retries_denied: 11, retry_budget: 12 },
  instances: { ejections: 13, ejected: 1 },
  health_checks: new Map([
    ['success', 8],
    ['neutral', 1],
  ]),
  fallbacks: new Map([['normalize_lite', 6]]),
  routed: [
    { version: 'v2', by: 'rules', calls: 3 },
    { version: 'v2', by: 'stand_in', calls: 1 },
  ],
  version_counts: [
    { version: 'v1', successes: 9, failures: 4, trips: 1, recoveries: 1 },
    { version: 'v2', successes: 0, failures: 3, trips: 2, recoveries: 1 },
  ],
  versions: [
    { version: 'v2', state: 2 },
    { version: 'we"ird\\\nname', state: 0 },
  ],
});

async function scrape(samples: Iterable<ExtensionSample>): Promise<Map<string, Family>> {
  const page = createMetricsPage({ extensions: () => samples, autoDisabledTotal: () => 3 }, () => daemonNumbers);
  let text = '';
  for await (const piece of page()) text += piece;
  return parseMetrics(text);
}

const value = (families: Map<string, Family>, name: string, labels: Record<string, string> = {}, suffix = '') =>
  families
    .get(name)
    ?.samples.find((one) => one.name === name + suffix && JSON.stringify(one.labels) === JSON.stringify(labels))?.value;

test('metrics: the page holds every metric of the table, with its type, help and labels, and no other of ours', async (t) => {
  const families = await scrape([busy]);
  const table: Record<string, Metric> = { ...DAEMON_METRICS, ...EXTENSION_METRICS };
  t.deepEqual([...families.keys()].filter((name) => name.startsWith('extension_')).sort(), Object.keys(table).sort());
  for (const [name, { type, help, labels }] of Object.entries(table)) {
    const family = families.get(name);
    t.is(family?.type, type);
    t.is(family?.help, help);
    t.true((family?.samples.length ?? 0) > 0, name);
    for (const sample of family?.samples ?? [])
      t.deepEqual(
        Object.keys(sample.labels).filter((label) => label !== 'le' && label !== 'quantile'),
        [...labels],
      );
  }
});

test('metrics: the numbers of an extension are those of its sample', async (t) => {
  const families = await scrape([extensionSample('other'), busy]);
  const of = (name: string, labels: Record<string, string> = {}) =>
    value(families, name, { extension_id: 'normalize_text', ...labels });
  t.is(of('extension_circuit_breaker_state'), 1);
  t.is(of('extension_circuit_breaker_failures_total'), 7);
  t.is(of('extension_circuit_breaker_recoveries_total'), 2);
  t.is(of('extension_circuit_breaker_trips_total'), 3);
  const ofV2 = { extension_id: 'normalize_text', version: 'v2' };
  t.is(value(families, 'extension_version_circuit_breaker_failures_total', ofV2), 3);
  t.is(value(families, 'extension_version_circuit_breaker_trips_total', ofV2), 2);
  t.is(value(families, 'extension_version_circuit_breaker_recoveries_total', ofV2), 1);
  t.is(of('extension_health_success_rate'), 0.25);
  t.is(of('extension_health_avg_latency_ms'), 12.5);
  t.is(of('extension_auto_disabled'), 1);
  t.is(of('extension_in_flight'), 4);
  t.is(of('extension_last_failure_timestamp_seconds'), 1_700_000_000.5);
  t.is(of('extension_invocations_total', { result: 'ok' }), 5);
  t.is(of('extension_invocations_total', { result: 'extension_timeout' }), 2);
  t.is(of('extension_version_circuit_breaker_state', { version: 'v2' }), 2);
  t.is(of('extension_version_calls_total', { version: 'v2', by: 'rules' }), 3);
  t.is(of('extension_version_calls_total', { version: 'v2', by: 'stand_in' }), 1);
  t.is(of('extension_fallbacks_total', { fallback: 'normalize_lite' }), 6);
  t.is(of('extension_attempt_duration_seconds', {}), undefined, 'a histogram has no line of its name');
  const attempt = { extension_id: 'normalize_text', version: 'v1', outcome: 'failure' };
  t.is(value(families, 'extension_attempt_duration_seconds', attempt, '_count'), 2);
  t.is(of('extension_circuit_breaker_last_trip_failures', { reason: 'failure_count' }), 5);
  t.is(of('extension_breaker_override', { override: 'isolated' }), 1);
  t.is(of('extension_breaker_override', { override: 'forced_closed' }), 0);
  t.is(of('extension_half_open_permits_in_use'), 2);
  t.is(of('extension_permits_refused_total'), 9);
  t.is(of('extension_health_outcomes'), 20);
  t.is(of('extension_health_latency_seconds', { quantile: '0.95' }), 0.02);
  t.is(of('extension_retries_total'), 10);
  t.is(of('extension_retries_denied_total'), 11);
  t.is(of('extension_retry_budget_available'), 12);
  t.is(of('extension_ejections_total'), 13);
  t.is(of('extension_ejected_instances'), 1);
  t.is(value(families, 'extension_health_auto_disabled_total'), 3);
  t.is(value(families, 'extension_registry_revision'), 42);
  t.is(value(families, 'extension_registry_extensions', { state: 'healthy' }), 1);
  t.is(value(families, 'extension_registry_errors_total', { code: 'extension_not_found' }), 6);
});

test('metrics: what is not known is NaN', async (t) => {
  const families = await scrape([extensionSample('a')]);
  t.is(value(families, 'extension_health_avg_latency_ms', { extension_id: 'a' }), Number.NaN);
  t.is(value(families, 'extension_health_success_rate', { extension_id: 'a' }), Number.NaN);
  t.is(value(families, 'extension_last_failure_timestamp_seconds', { extension_id: 'a' }), Number.NaN);
});

test('metrics: durations are a histogram with cumulative buckets, and none before the first call', async (t) => {
  const families = await scrape([extensionSample('a'), busy]);
  const name = 'extension_invocation_duration_seconds';
  const family = families.get(name);
  t.is(family?.samples.length, 2 * (DURATION_BOUNDS_SECONDS.length + 3));
  const labels = { extension_id: 'normalize_text', result: 'ok' };
  t.is(value(families, name, { ...labels, le: '0.0005' }, '_bucket'), 1);
  t.is(value(families, name, { ...labels, le: '0.005' }, '_bucket'), 3);
  t.is(value(families, name, { ...labels, le: '1' }, '_bucket'), 4);
  t.is(value(families, name, { ...labels, le: '60' }, '_bucket'), 4);
  t.is(value(families, name, { ...labels, le: '+Inf' }, '_bucket'), 5);
  t.is(value(families, name, labels, '_count'), 5);
  t.is(value(families, name, labels, '_sum'), durations.sumSeconds);
});

test('metrics: the delay of the event loop is a histogram of the daemon', async (t) => {
  const families = await scrape([]);
  const name = 'extension_registry_loop_delay_seconds';
  const buckets = families.get(name)?.samples.filter((one) => one.name === `${name}_bucket`) ?? [];
  t.deepEqual(
    buckets.map((one) => one.labels.le),
    [...DURATION_BOUNDS_SECONDS.map(String), '+Inf'],
  );
  t.deepEqual(
    [value(families, name, { le: '0.01' }, '_bucket'), value(families, name, { le: '+Inf' }, '_bucket')],
    [4, 6],
  );
  t.deepEqual([value(families, name, {}, '_sum'), value(families, name, {}, '_count')], [0.5, 6]);
});

test('metrics: a label value keeps quotes, backslashes and line ends', async (t) => {
  const families = await scrape([busy]);
  const labels = { extension_id: 'normalize_text', version: 'we"ird\\\nname' };
  t.is(value(families, 'extension_version_circuit_breaker_state', labels), 0);
});

test('METRICS-1: names are in base units, but for one that is given; counters are totals, and nothing else is', (t) => {
  const table = Object.entries<Metric>({ ...DAEMON_METRICS, ...EXTENSION_METRICS });
  const otherUnit = /_(ms|milliseconds|us|minutes|hours|percent|kb|mb|kilobytes)(_|$)/;
  t.deepEqual(
    table.map(([name]) => name).filter((name) => otherUnit.test(name)),
    ['extension_health_avg_latency_ms'],
  );
  for (const [name, { type }] of table) t.is(name.endsWith('_total'), type === 'counter', name);
});

test('METRICS-2: no label is a tenant, a request or a subject', (t) => {
  const labels = new Set(Object.values({ ...DAEMON_METRICS, ...EXTENSION_METRICS }).flatMap((metric) => metric.labels));
  t.deepEqual([...labels].sort(), [
    ...['by', 'code', 'extension_id', 'fallback', 'outcome', 'override', 'reason', 'result', 'state', 'version'],
  ]);
});

test('METRICS-PAGE-1: a scrape of many extensions lets other work through', async (t) => {
  const samples = Array.from({ length: 2000 }, (_, i) => ({ ...busy, extension_id: `e${i}` }));
  let turns = 0;
  const count = () => {
    turns += 1;
    turning = setImmediate(count);
  };
  let turning = setImmediate(count);
  const families = await scrape(samples);
  clearImmediate(turning);
  t.is(families.get('extension_circuit_breaker_state')?.samples.length, 2000);
  t.true(turns >= 2000 / 20);
});

test('METRICS-PAGE-1: extensions of many versions have turns of their own', async (t) => {
  const attempts = Array.from({ length: 50 }, (_, i) => ({ version: `v${i}`, outcome: 'success', durations }) as const);
  let turns = 0;
  const count = () => {
    turns += 1;
    turning = setImmediate(count);
  };
  let turning = setImmediate(count);
  const readIn = new Set<number>();
  function* samples() {
    for (let i = 0; i < 20; i++) {
      readIn.add(turns);
      yield { ...busy, extension_id: `e${i}`, attempts };
    }
  }
  const families = await scrape(samples());
  clearImmediate(turning);
  t.is(families.get('extension_in_flight')?.samples.length, 20);
  t.true(readIn.size >= 19, `20 extensions of 100 000 characters each in ${readIn.size} turns`);
});

for (const [title, attempted] of [
  ['called in each', 2000],
  ['called in none', 0],
] as const)
  test(`METRICS-PAGE-1: one extension of 2000 versions is written in many turns, ${title}, and in whole`, async (t) => {
    const of = <T>(count: number, entry: (version: string) => T) =>
      Array.from({ length: count }, (_, i) => entry(`v${i}`));
    const sample: ExtensionSample = {
      ...busy,
      attempts: of(attempted, (version) => ({ version, outcome: 'success' as const, durations })),
      routed: of(attempted, (version) => ({ version, by: 'rules' as const, calls: 1 })),
      version_counts: of(1999, (version) => ({ version, successes: 1, failures: 0, trips: 0, recoveries: 0 })),
      versions: of(2000, (version) => ({ version, state: 0 as const })),
    };
    let turns = 0;
    const count = () => {
      turns += 1;
      turning = setImmediate(count);
    };
    let turning = setImmediate(count);
    const families = await scrape([sample]);
    clearImmediate(turning);
    t.true(turns >= 2000 / 20, `${turns} turns`);
    const samplesOf = (name: keyof typeof EXTENSION_METRICS) => families.get(name)?.samples.length;
    t.is(samplesOf('extension_version_circuit_breaker_state'), 2000);
    t.is(samplesOf('extension_version_circuit_breaker_failures_total'), 1999);
    t.is(samplesOf('extension_version_circuit_breaker_trips_total'), 1999);
    t.is(samplesOf('extension_version_circuit_breaker_recoveries_total'), 1999);
    t.is(samplesOf('extension_version_calls_total') ?? 0, attempted);
    t.is(samplesOf('extension_attempt_duration_seconds') ?? 0, attempted * (DURATION_BOUNDS_SECONDS.length + 3));
    // What is not by version is there once.
    t.is(samplesOf('extension_in_flight'), 1);
    t.is(samplesOf('extension_fallbacks_total'), 1);
    t.is(samplesOf('extension_invocations_total'), 2);
  });

test('METRICS-PAGE-2: an extension that vanishes or appears during a scrape stands in all families or in none', async (t) => {
  const running = new Map(Array.from({ length: 2000 }, (_, i) => [`e${i}`, extensionSample(`e${i}`)]));
  const page = createMetricsPage(
    { extensions: () => running.values(), autoDisabledTotal: () => 0 },
    () => daemonNumbers,
  );
  let text = '';
  for await (const piece of page()) {
    text += piece;
    running.delete(running.keys().next().value ?? '');
    running.set(`late${running.size}${text.length}`, extensionSample(`late${running.size}${text.length}`));
  }
  const families = parseMetrics(text);
  const ids = (name: string) => families.get(name)?.samples.map((sample) => sample.labels.extension_id);
  t.deepEqual(ids('extension_in_flight'), ids('extension_circuit_breaker_state'));
  t.deepEqual(ids('extension_auto_disabled'), ids('extension_circuit_breaker_state'));
});

test('METRICS-PAGE-4: extensions beyond the cap have no series in any family, and are counted with each scrape', async (t) => {
  const samples = ['a', 'b', 'c', 'd'].map((id) => extensionSample(id));
  const source = { extensions: () => samples, autoDisabledTotal: () => 0 };
  const text = async (page: MetricsPage) => {
    let whole = '';
    for await (const piece of page()) whole += piece;
    return parseMetrics(whole);
  };
  const all = await text(createMetricsPage(source, () => daemonNumbers, 0));
  const series = value(all, 'extension_registry_metrics_series') ?? 0;
  t.is(value(all, 'extension_registry_metrics_series_dropped_total'), 0);
  const of = (families: Map<string, Family>) => [
    ...new Set(
      Object.keys(EXTENSION_METRICS).flatMap((name) =>
        (families.get(name)?.samples ?? []).map((sample) => sample.labels.extension_id),
      ),
    ),
  ];
  t.deepEqual(of(all), ['a', 'b', 'c', 'd']);
  t.is(series % 4, 0);
  const page = createMetricsPage(source, () => daemonNumbers, series / 2 + 1);
  const capped = await text(page);
  t.deepEqual(of(capped), ['a', 'b']);
  t.is(value(capped, 'extension_registry_metrics_series'), series / 2);
  t.is(value(capped, 'extension_registry_metrics_series_dropped_total'), series / 2);
  samples.shift();
  const next = await text(page);
  t.deepEqual(of(next), ['b', 'c'], 'one that is removed has none, and makes room');
  t.is(value(next, 'extension_registry_metrics_series_dropped_total'), (series * 3) / 4);
});

test('metrics: scrapes that come while the extensions are read share what is read', async (t) => {
  const samples = Array.from({ length: 200 }, (_, i) => extensionSample(`e${i}`));
  let readings = 0;
  const extensions = () => {
    readings++;
    return samples;
  };
  const page = createMetricsPage({ extensions, autoDisabledTotal: () => 0 }, () => daemonNumbers);
  const text = async () => {
    let whole = '';
    for await (const piece of page()) whole += piece;
    return parseMetrics(whole);
  };
  const all = await Promise.all([text(), text(), text()]);
  t.is(readings, 1);
  for (const families of all) t.is(families.get('extension_in_flight')?.samples.length, 200);
  await text();
  t.is(readings, 2);
});

test('METRICS-PAGE-3: a page uses the memory of the one before, also of one whose reader went away', async (t) => {
  const samples = Array.from({ length: 200 }, (_, i) => ({ ...busy, extension_id: `e${i}` }));
  const pool = new ChunkPool(() => undefined);
  const source = { extensions: () => samples, autoDisabledTotal: () => 0 };
  const page = createMetricsPage(source, () => daemonNumbers, 0, pool);
  const read = async (pieces: number): Promise<void> => {
    for await (const _ of page()) if (--pieces === 0) return;
  };
  await read(Number.POSITIVE_INFINITY);
  const { free } = pool;
  t.true(free > Object.keys(EXTENSION_METRICS).length, `${free} chunks`);
  await read(1);
  t.is(pool.free, free, 'a reader that goes before the first extension');
  await Promise.all([read(10), read(Number.POSITIVE_INFINITY), read(3)]);
  t.is(pool.free, free, 'the last of three gives them back, once');
});

test('METRICS-PAGE-5: while clients hold eight readings, another scrape is refused; it is served when one is gone', async (t) => {
  const pool = new ChunkPool(() => undefined);
  const source = { extensions: () => [busy], autoDisabledTotal: () => 0 };
  const page = createMetricsPage(source, () => daemonNumbers, 0, pool);
  const scrape = async () => {
    const reader = page()[Symbol.asyncIterator]();
    await reader.next();
    return reader;
  };
  const held = [];
  for (let i = 0; i < 8; i++) held.push(await scrape());
  await t.throwsAsync(scrape, { instanceOf: HttpProblem, message: /^8 scrapes are being sent/ });
  const { url } = await listen(t, { metrics: page });
  const refused = await fetch(`${url}/metrics`);
  t.is(refused.status, 429);
  t.like(await refused.json(), { code: 'too_many_requests' });
  await held.pop()?.return?.();
  // Those that come together share a reading.
  const shared = await Promise.all([scrape(), scrape()]);
  await t.throwsAsync(scrape, { instanceOf: HttpProblem });
  for (const reader of [...held, ...shared]) await reader.return?.();
  t.is((await fetch(`${url}/metrics`)).status, 200);
});

test('metrics: the endpoint serves the page with the content type of the format', async (t) => {
  const metrics = createMetricsPage({ extensions: () => [busy], autoDisabledTotal: () => 0 }, () => daemonNumbers);
  const { url } = await listen(t, { metrics });
  const response = await fetch(`${url}/metrics`);
  t.is(response.status, 200);
  t.is(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.is(response.headers.get('cache-control'), 'no-store');
  const families = parseMetrics(await response.text());
  t.is(value(families, 'extension_circuit_breaker_state', { extension_id: 'normalize_text' }), 1);
  t.true((value(families, 'process_resident_memory_bytes') ?? 0) > 0);
});
