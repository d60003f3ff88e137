// The Prometheus text format (version 0.0.4), written by hand: prom-client holds the event loop for more than a second
// at 100 000 series.
import type { Metric } from './metrics.js';

export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The two lines that open a family; its series must follow immediately. */
export const familyHeader = (name: string, metric: Metric): string =>
  `# HELP ${name} ${metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${metric.type}\n`;

/** `{extension_id="a",result="ok"}`; '' without labels. */
export function labelSet(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  return `{${names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`).join(',')}}`;
}

export const sampleLine = (name: string, labels: string, value: number): string =>
  `${name}${labels} ${formatNumber(value)}\n`;

/** Histogram of one label set: `cumulative` holds a count per bound and the total last. */
export function histogramLines(
  name: string,
  labels: string,
  bounds: readonly number[],
  cumulative: readonly number[],
  sum: number,
): string {
  const open = labels === '' ? '{' : `${labels.slice(0, -1)},`;
  const total = cumulative[bounds.length] ?? 0;
  let lines = '';
  bounds.forEach((bound, i) => {
    lines += `${name}_bucket${open}le="${bound}"} ${cumulative[i] ?? 0}\n`;
  });
  return `${lines}${name}_bucket${open}le="+Inf"} ${total}\n${sampleLine(`${name}_sum`, labels, sum)}${name}_count${labels} ${total}\n`;
}

function formatNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

const NEEDS_ESCAPE = /[\\"\n]/;

const escapeLabel = (value: string): string =>
  NEEDS_ESCAPE.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;
