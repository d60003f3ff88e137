// What `extreg health` prints as text.
import type {
  ExtensionHealth,
  ExtensionRowHealth,
  HealthReport,
  TargetHealth,
} from '../../domain/health/health-schema.js';
import { textTable } from './output.js';
import { refusedRowsText } from './refused-text.js';
import { tripText } from './state-text.js';
import type { Style } from './style.js';

type Enabled = Pick<ExtensionRowHealth, 'enabled' | 'override'> & { readonly auto_disabled?: boolean };

const HEADER = ['STATE', 'SUCCESS', 'AVG ms', 'P95 ms', 'SUCCESSES', 'FAILURES', 'TRIPS', 'LAST FAILURE'];

const targetCells = (health: TargetHealth): string[] => [
  stateText(health),
  percent(health.success_rate),
  number(health.avg_latency_ms),
  number(health.p95_latency_ms),
  String(health.success_count),
  String(health.failure_count),
  String(health.circuit_breaker_trips),
  health.last_failure ?? '-',
];

function stateText({
  circuit_breaker_state: state,
  circuit_breaker_open_until: until,
  recovering,
}: TargetHealth): string {
  if (recovering) return 'closed, recovering';
  return until === null ? state : `${state} until ${until}`;
}

export function reportText(report: HealthReport, style: Style): string {
  const { extensions, summary, refused_rows = [], refused_rows_total } = report;
  const table = textTable(
    ['ID', 'TYPE', 'VERSION', 'ENABLED', ...HEADER],
    extensions.map((one) => [one.id, one.type, one.version, enabledText(one), ...targetCells(one.health)]),
    style,
  );
  if (style.quiet) return table;
  const count = `${summary.total} ${summary.total === 1 ? 'extension' : 'extensions'}: ${summary.enabled} enabled, ${summary.healthy} healthy, ${summary.unhealthy} unhealthy`;
  return `${table}\n${count}\n${refusedRowsText(refused_rows, refused_rows_total)}`;
}

export function oneText(one: ExtensionHealth, style: Style): string {
  const { versions, instances, refused_rows = [] } = one;
  const versionTable = textTable(
    ['VERSION', 'DEFAULT', 'ENABLED', ...HEADER],
    versions.map((v) => [v.version, yesNo(v.default), enabledText(v), ...targetCells(v)]),
    style,
  );
  const instanceTable = textTable(
    ['INSTANCE', 'VERSION', 'WEIGHT', 'ENABLED', 'HEALTH', 'SUCCESS', 'AVG ms', 'P95 ms', 'OUT UNTIL'],
    instances.map((i) => [
      ...[i.id, i.version ?? '-', String(i.weight), yesNo(i.enabled), i.health_status],
      ...[percent(i.success_rate), number(i.avg_latency_ms), number(i.p95_latency_ms), i.ejected_until ?? '-'],
    ]),
    style,
  );
  const parts = [
    `${one.id}  ${one.type}  ${enabledText(one)}${openedText(one.health)}\n`,
    versionTable,
    ...(instances.length === 0 ? [] : [instanceTable]),
    ...(one.breaker_settings === undefined ? [] : [settingsTable(one.breaker_settings, style)]),
    refusedRowsText(refused_rows),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

const settingsTable = (settings: NonNullable<ExtensionHealth['breaker_settings']>, style: Style): string =>
  textTable(
    ['BREAKER SETTING', 'VALUE', 'FROM'],
    Object.entries(settings).map(([name, { value, from }]) => [name, value === null ? 'off' : String(value), from]),
    style,
  );

/** Why it opened last, and on what. */
function openedText(health: TargetHealth): string {
  const why = tripText(health);
  return why === '' ? '' : `  opened last for: ${why}`;
}

function enabledText({ enabled, auto_disabled = false, override }: Enabled): string {
  const text = auto_disabled ? 'auto-disabled' : yesNo(enabled);
  return override === null ? text : `${text}, ${override}`;
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
const percent = (rate: number | null): string => (rate === null ? '-' : `${(rate * 100).toFixed(1)} %`);
const number = (value: number | null): string => (value === null ? '-' : value.toFixed(1));
