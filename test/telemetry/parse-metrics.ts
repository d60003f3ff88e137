// A strict reader of the Prometheus text format: whatever it does not know, it throws on.

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]Inf|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;

/** Families by name. Each stands together, with HELP and TYPE before its samples, and no series stands twice. */
export function parseMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: { name: string; family: Family } | null = null;
  let help: { name: string; text: string } | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment) {
      const [, kind, name = '', rest = ''] = comment;
      if (!NAME.test(name) || families.has(name)) throw new Error(`a bad or repeated family: ${line}`);
      if (kind === 'HELP') help = { name, text: unescaped(rest) };
      else {
        if (help?.name !== name || !['gauge', 'counter', 'histogram', 'summary'].includes(rest))
          throw new Error(`TYPE without HELP, or unknown: ${line}`);
        current = { name, family: { help: help.text, type: rest, samples: [] } };
        families.set(name, current.family);
      }
      continue;
    }
    if (line === '') continue;
    const sample = SAMPLE.exec(line);
    if (!sample || !current) throw new Error(`no sample: ${JSON.stringify(line)}`);
    const [, name = '', labelText = '', number = ''] = sample;
    const suffix = name.startsWith(current.name) ? name.slice(current.name.length) : null;
    const allowed = current.family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    if (suffix === null || !allowed.includes(suffix)) throw new Error(`${line} stands in the family ${current.name}`);
    const labels = parseLabels(labelText);
    const series = name + JSON.stringify(labels);
    if (seen.has(series)) throw new Error(`a series stands twice: ${line}`);
    seen.add(series);
    current.family.samples.push({ name, labels, value: Number(number.replace('Inf', 'Infinity')) });
  }
  return families;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const found = LABEL.exec(text);
    if (!found) throw new Error(`malformed labels: ${text.slice(at)}`);
    labels[found[1] ?? ''] = unescaped(found[2] ?? '');
  }
  return labels;
}

const unescaped = (text: string): string =>
  text.replace(/\\(["\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));
