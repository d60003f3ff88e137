// `extreg health [id]`: what GET /admin/extensions/health says, as a table.
import { Command } from '#commander';
import type { ExtensionHealth, HealthReport, TargetHealth } from '../domain/health-report.js';
import { adminJson } from './admin-request.js';
import { adminUrl } from './admin-url.js';
import type { CommandFactory } from './command-definition.js';
import { json, textTable } from './output.js';

export const healthCommand: CommandFactory = (io) => ({
  command: new Command('health')
    .description('show the health of all extensions, or of one with its versions and instances')
    .argument('[id]', 'extension')
    .option('--json', 'print JSON'),
  settings: 'http',
  action: async (id: string | undefined, options: { readonly json?: true }) => {
    const base = await adminUrl(io, options);
    const path = id === undefined ? 'health' : `${encodeURIComponent(id)}/health`;
    const body = await adminJson(`${base}/admin/extensions/${path}`);
    if (options.json) io.stdout.write(json(body));
    else io.stdout.write(id === undefined ? reportText(body as HealthReport) : oneText(body as ExtensionHealth));
  },
});

type Enabled = Pick<ExtensionHealth, 'enabled' | 'override'> & { readonly auto_disabled?: boolean };

const HEADER = ['STATE', 'SUCCESS', 'AVG ms', 'P95 ms', 'SUCCESSES', 'FAILURES', 'TRIPS', 'LAST FAILURE'];

const targetCells = (health: TargetHealth): string[] => [
  health.recovering ? 'closed, recovering' : health.circuit_breaker_state,
  percent(health.success_rate),
  number(health.avg_latency_ms),
  number(health.p95_latency_ms),
  String(health.success_count),
  String(health.failure_count),
  String(health.circuit_breaker_trips),
  health.last_failure ?? '-',
];

function reportText({ extensions, summary }: HealthReport): string {
  const table = textTable(
    ['ID', 'TYPE', 'VERSION', 'ENABLED', ...HEADER],
    extensions.map((one) => [one.id, one.type, one.version, enabledText(one), ...targetCells(one.health)]),
  );
  return `${table}\n${summary.total} ${summary.total === 1 ? 'extension' : 'extensions'}: ${summary.enabled} enabled, ${summary.healthy} healthy, ${summary.unhealthy} unhealthy\n`;
}

function oneText(one: ExtensionHealth): string {
  const { versions = [], instances = [] } = one;
  const head = `${one.id}  ${one.type}  ${enabledText(one)}${tripText(one.health)}\n`;
  const versionTable = textTable(
    ['VERSION', 'DEFAULT', 'ENABLED', ...HEADER],
    versions.map((v) => [v.version, yesNo(v.default), enabledText(v), ...targetCells(v)]),
  );
  if (instances.length === 0) return `${head}\n${versionTable}`;
  const instanceTable = textTable(
    ['INSTANCE', 'VERSION', 'WEIGHT', 'ENABLED', 'HEALTH', 'SUCCESS', 'AVG ms', 'P95 ms', 'OUT UNTIL'],
    instances.map((i) => [
      ...[i.id, i.version ?? '-', String(i.weight), yesNo(i.enabled), i.health_status],
      ...[percent(i.success_rate), number(i.avg_latency_ms), number(i.p95_latency_ms), i.ejected_until ?? '-'],
    ]),
  );
  return `${head}\n${versionTable}\n${instanceTable}`;
}

/** Why it opened last, and on what. */
function tripText({ trip_reason, trip_evidence }: TargetHealth): string {
  if (trip_reason === null) return '';
  if (trip_evidence === null) return `  opened last for: ${trip_reason}`;
  const { failures, overdue, outcomes, window_seconds } = trip_evidence;
  const hung = overdue === 0 ? '' : ` and ${overdue} overdue`;
  const failed = `${failures} ${failures === 1 ? 'failure' : 'failures'}${hung}`;
  return `  opened last for: ${trip_reason} (${failed} of ${outcomes + overdue} in ${window_seconds} s)`;
}

function enabledText({ enabled, auto_disabled = false, override }: Enabled): string {
  const text = auto_disabled ? 'auto-disabled' : yesNo(enabled);
  return override === null ? text : `${text}, ${override}`;
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
const percent = (rate: number | null): string => (rate === null ? '-' : `${(rate * 100).toFixed(1)} %`);
const number = (value: number | null): string => (value === null ? '-' : value.toFixed(1));
