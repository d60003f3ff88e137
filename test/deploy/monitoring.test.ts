import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { headers } from '#@nats-io/nats-core';
import { parse } from '#yaml';
import { EXTENSION_METRICS } from '../../src/telemetry/extension-metrics.js';
import { DAEMON_METRICS } from '../../src/telemetry/metrics.js';
import { readDocument } from '../docs/tables.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { monitoringMissing, runTool, startAlertmanager, startPrometheus } from '../helpers/monitoring.js';
import { startExtension } from '../helpers/nats-server.js';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';
import { startReceiver, status } from '../helpers/webhook-receiver.js';

const root = fileURLToPath(new URL('../../../deploy/', import.meta.url));
const text = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook_url', string>>;
}

const RULE_FILES = ['extensions.yml', 'extension-registry.yml'];
const rules: readonly Rule[] = RULE_FILES.flatMap((file) =>
  (parse(text(`prometheus/${file}`)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
);

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { query: string } }[];
  };
}
const dashboards = readdirSync(`${root}grafana`)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(text(`grafana/${name}`)) as Dashboard);
const expressions = dashboards
  .flatMap(({ panels }) => panels)
  .flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
const variables = dashboards.flatMap(({ templating }) => templating.list);
const queryOf = (name: string): string => {
  const query = variables.find((one) => one.name === name)?.query ?? '';
  return typeof query === 'string' ? query : query.query;
};
/** As Grafana writes it with these values, `.+` for all. */
const filledIn = (expr: string, instance: string, extension = '.+'): string =>
  expr.replaceAll('$instance', instance).replaceAll('$extension', extension);

const KNOWN = new Set([...Object.keys(DAEMON_METRICS), ...Object.keys(EXTENSION_METRICS)]);
/** Names of ours in an expression or annotation that no table has. */
const unknownIn = (written: string): string[] =>
  [...written.matchAll(/\bextension_[a-z0-9_]+/g)]
    .map(([name]) => name.replace(/_(bucket|count|sum)$/, ''))
    .filter((name) => name !== 'extension_id' && !KNOWN.has(name));

test('deploy/prometheus: every alert has a severity, its section of the runbook, and names of the tables only', (t) => {
  const sections = [...readDocument('runbook.md').matchAll(/^## (\S+)$([\s\S]*?)(?=^## |$(?![\s\S]))/gm)];
  t.deepEqual(sections.map(([, name]) => name).sort(), rules.map(({ alert }) => alert).sort());
  t.true(rules.length >= 15, 'the rules were looked at');
  for (const [, name = '', body = ''] of sections)
    for (const part of ['**Meaning.**', '**First look.**', '**What to do.**', '**No trouble when**'])
      t.true(body.includes(part), `${name}: ${part}`);
  for (const { alert, expr, labels, annotations } of rules) {
    t.true(['critical', 'warning'].includes(labels.severity ?? ''), alert);
    t.is(annotations.runbook_url, `docs/runbook.md#${alert.toLowerCase()}`);
    t.deepEqual(unknownIn(expr + annotations.description), [], alert);
  }
});

test('deploy/alertmanager: what stands before the path of a runbook is said once', (t) => {
  const places = [
    ...text('alertmanager/alertmanager.yml').matchAll(/https:\/\/\S+\/\{\{ \.Annotations\.runbook_url \}\}/g),
  ];
  t.is(places.length, 1);
});

test('deploy/prometheus: each alert is tested to fire', (t) => {
  const files = RULE_FILES.map((file) => text(`prometheus/${file.replace('.yml', '.test.yml')}`));
  interface Case {
    readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
  }
  const cases = files.flatMap((file) => (parse(file) as { tests: Case[] }).tests).flatMap((one) => one.alert_rule_test);
  const fired = new Set(cases.filter((one) => one.exp_alerts.length > 0).map((one) => one.alertname));
  t.deepEqual([...fired].sort(), rules.map(({ alert }) => alert).sort());
});

test('deploy/grafana: every expression has names of the tables only', (t) => {
  t.true(expressions.length > 30, 'the dashboard was looked at');
  for (const { title, expr } of expressions) t.deepEqual(unknownIn(expr), [], title);
  for (const { name } of variables) t.deepEqual(unknownIn(queryOf(name)), [], name);
});

test('docs/runbook.md: the panels and metrics that it names are there', (t) => {
  const runbook = readDocument('runbook.md');
  const titles = new Set(dashboards.flatMap(({ panels }) => panels.map(({ title }) => title)));
  const named = [...runbook.matchAll(/"([A-Z][^"]*)"/g)].map(([, title = '']) => title);
  t.true(named.length >= 3);
  t.deepEqual(
    named.filter((title) => !titles.has(title)),
    [],
  );
  t.deepEqual(unknownIn(runbook.replaceAll('extension_unavailable', '')), []);
});

test('deploy/grafana: whatever is read is read of the chosen daemons', (t) => {
  t.is(queryOf('instance'), 'label_values(extension_registry_ready, instance)');
  t.is(queryOf('extension'), 'label_values(extension_circuit_breaker_state{instance=~"$instance"}, extension_id)');
  for (const { title, expr } of expressions) {
    // What is left are names of metrics, each with what stood in its braces.
    const bare = expr
      .replaceAll(/\bby \([^)]*\)/g, '')
      .replaceAll(/\{[^}]*\}/g, (braces) => (braces.startsWith('{instance=~"$instance"') ? '{chosen}' : '{}'));
    const metrics = bare.match(/\b(extension|process)_\w+(\{\w*\})?/g) ?? [];
    t.true(metrics.length > 0, expr);
    for (const metric of metrics) t.true(metric.endsWith('{chosen}'), `${title}: ${expr}`);
  }
});

const monitored = unless(monitoringMissing, test.serial);

monitored('deploy/prometheus: promtool runs the tests of the rules, and takes the configuration', async (t) => {
  const cwd = `${root}prometheus`;
  const tests = RULE_FILES.map((file) => file.replace('.yml', '.test.yml'));
  const tested = await runTool('promtool', ['test', 'rules', ...tests], { cwd });
  t.is(tested.code, 0, tested.output);
  t.is(tested.output.match(/SUCCESS/g)?.length, RULE_FILES.length);
  const checked = await runTool('promtool', ['check', 'config', 'prometheus.yml'], { cwd });
  t.is(checked.code, 0, checked.output);
});

monitored('deploy/alertmanager: amtool takes the configuration', async (t) => {
  const { code, output } = await runTool('amtool', ['check-config', `${root}alertmanager/alertmanager.yml`]);
  t.is(code, 0, output);
  t.regex(output, /2 receivers/);
});

const broken = () => {
  const h = headers();
  h.set('Nats-Service-Error-Code', '500');
  return { headers: h };
};

/** A daemon with an extension that works and one whose breaker has just opened. */
async function failingDaemon(t: ExecutionContext): Promise<DaemonProcess> {
  const daemon = await DaemonProcess.startReady(t, { EXTENSION_REGISTRY_AUTO_DISABLE_ON_CIRCUIT_OPEN: 'false' });
  const nc = await daemon.connect();
  await startExtension(nc, 'ext.fine', () => ({ body: 'ok' }));
  await startExtension(nc, 'ext.broken', broken);
  const sql = daemon.sql();
  await sql`insert into extensions (id, type, subject) values ('fine', 'pre', 'ext.fine'), ('broken', 'pre', 'ext.broken')`;
  await until(
    'both are known',
    async () => (await daemon.state('fine')) === 'closed' && (await daemon.state('broken')) === 'closed',
  );
  t.is((await invoke(nc, 'fine')).error, '');
  for (let i = 0; i < 5; i++) t.is((await invoke(nc, 'broken')).error, 'extension_error');
  await until('it opened', async () => (await daemon.state('broken')) === 'open');
  return daemon;
}

monitored('an opened breaker reaches a receiver through Prometheus and Alertmanager; no panel is empty', async (t) => {
  const daemon = await failingDaemon(t);
  const page = await (await daemon.fetch('/metrics')).text();
  const linted = await runTool('promtool', ['check', 'metrics'], { input: page });
  t.deepEqual(
    linted.output.split('\n').filter((line) => line !== ''),
    ['extension_health_avg_latency_ms metric names should not contain abbreviated units'],
    'a name that is fixed',
  );

  const receiver = await startReceiver(t, status(200));
  const alertmanager = await startAlertmanager(t, {
    route: { receiver: 'local', group_by: ['alertname'], group_wait: '0s', group_interval: '1s' },
    receivers: [{ name: 'local', webhook_configs: [{ url: receiver.url }] }],
  });
  const prometheus = await startPrometheus(t, {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: RULE_FILES.map((file) => `${root}prometheus/${file}`),
    alerting: { alertmanagers: [{ static_configs: [{ targets: [new URL(alertmanager).host] }] }] },
    scrape_configs: [{ job_name: 'extension-registry', static_configs: [{ targets: [new URL(daemon.url).host] }] }],
  });

  interface Notice {
    readonly alerts: readonly (Pick<Rule, 'labels' | 'annotations'> & { readonly status: string })[];
  }
  const opened = () =>
    receiver.received
      .flatMap(({ body }) => (JSON.parse(body.toString()) as Notice).alerts)
      .find((alert) => alert.labels.alertname === 'ExtensionCircuitOpened');
  await until('the alert arrived', () => opened() !== undefined, 30_000);
  t.like(opened(), { status: 'firing', labels: { extension_id: 'broken', severity: 'critical' } });
  t.regex(
    opened()?.annotations.description ?? '',
    /^broken: 5 failures \(failure_count\), last failure \d{4}-\d\d-\d\d [\d:.]+ \+0000 UTC$/,
  );

  const isEmpty = async (expr: string): Promise<boolean> => {
    const response = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query: expr })}`);
    const answer = (await response.json()) as { status: string; error?: string; data: { result: unknown[] } };
    if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`);
    return answer.data.result.length === 0;
  };
  // A rate needs two scrapes.
  await until('a rate is there', async () => !(await isEmpty('rate(extension_invocations_total[5m])')), 30_000);
  const empty: string[] = [];
  const instance = new URL(daemon.url).host.replaceAll('.', '\\\\.');
  for (const { title, expr } of expressions)
    if (await isEmpty(filledIn(expr, instance))) empty.push(`${title}: ${expr}`);
  t.deepEqual(empty, []);
  const ofOther = expressions.filter(({ expr }) => !expr.endsWith(' or vector(0)'));
  const seen: string[] = [];
  for (const { title, expr } of ofOther)
    if (!(await isEmpty(filledIn(expr, 'another:8420')))) seen.push(`${title}: ${expr}`);
  t.deepEqual(seen, [], 'of a daemon that is not chosen');
});
