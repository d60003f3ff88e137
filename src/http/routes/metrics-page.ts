// `/metrics`: every series of the tables in telemetry/, in chunks.
//
// METRICS-PAGE-1. However many extensions there are, or versions of one, the event loop is never held for longer than one chunk.
// METRICS-PAGE-2. The series of one family stand together, as the format demands; a scrape is one reading of every extension.
// METRICS-PAGE-3. What is read is written at once, as bytes outside the heap that the next page uses again (page-chunks.ts): a page of
//     100 000 extensions leaves nothing that a collection has to walk through, and makes none begin.
// METRICS-PAGE-4. An extension whose series would exceed the cap has none on the page, so that no family lacks what another has. They are
//     counted, and those that are read first stay: the same ones with each scrape.
// METRICS-PAGE-5. Clients that take their time hold the memory of MAX_READINGS readings at most: while they do, another scrape is refused.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MetricsSource } from '../../actors/ports/metrics.js';
import { DURATION_BOUNDS_SECONDS } from '../../domain/health/duration-buckets.js';
import { EXTENSION_METRICS } from '../../telemetry/extension-metrics.js';
import { DAEMON_METRICS, type DaemonNumbers, type HistogramNumbers, type Metric } from '../../telemetry/metrics.js';
import { familyHeader, histogramLines, labelSet, sampleLine } from '../../telemetry/metrics-text.js';
import { observeProcess } from '../../telemetry/process-metrics.js';
import { SingleFlight } from '../../telemetry/single-flight.js';
import { HttpProblem } from '../app/problem.js';
import { FAMILY_NAMES, partsOf } from './extension-families.js';
import { ChunkPool, PagePart } from './page-chunks.js';

/** One scrape: the page, piece by piece. */
export type MetricsPage = () => AsyncIterable<string | Buffer>;

/** Parts of extensions that are read in one turn, fewer if their text reaches TURN_CHARACTERS. */
const READ_AT_A_TIME = 20;
/** Usually there is one: it is sent within a second or two. */
const MAX_READINGS = 8;
/** Written within some 2 ms. */
const TURN_CHARACTERS = 64 * 1024;

/** `seriesMax`: of extensions; 0: no cap. */
export function createMetricsPage(
  source: MetricsSource,
  daemon: () => DaemonNumbers,
  seriesMax = 0,
  pool = new ChunkPool(),
): MetricsPage {
  const processMetrics = observeProcess();
  let dropped = 0;
  let held = 0;
  // Scrapes that come while the extensions are read share what is read, and its memory.
  const reading = new SingleFlight(async () => {
    if (held >= MAX_READINGS)
      throw new HttpProblem(
        'too_many_requests',
        `${held} scrapes are being sent to clients that do not take them: try again later`,
      );
    const one = await readFamilies(source, seriesMax === 0 ? Number.POSITIVE_INFINITY : seriesMax, pool);
    held++;
    dropped += one.dropped;
    return one;
  });
  return async function* page() {
    const one = await reading.run();
    one.readers++;
    try {
      yield daemonText({
        ...daemon(),
        extension_health_auto_disabled_total: source.autoDisabledTotal(),
        extension_registry_metrics_series: one.series,
        extension_registry_metrics_series_dropped_total: dropped,
      });
      for (const [i, name] of FAMILY_NAMES.entries()) {
        yield familyHeader(name, EXTENSION_METRICS[name]);
        for (const chunk of one.families[i]?.copies() ?? []) {
          yield chunk;
          await nextTurn();
        }
      }
      yield await processMetrics();
    } finally {
      // Also where the reader has gone away.
      one.readers--;
      if (one.readers === 0) {
        held--;
        for (const family of one.families) family.release();
      }
    }
  };
}

interface Reading {
  /** METRICS-PAGE-3. The text of each family, in the order of FAMILY_NAMES. */
  readonly families: readonly PagePart[];
  /** Scrapes that still read it. */
  readers: number;
  series: number;
  dropped: number;
}

async function readFamilies(source: MetricsSource, seriesMax: number, pool: ChunkPool): Promise<Reading> {
  const families = FAMILY_NAMES.map(() => new PagePart(pool));
  const reading: Reading = { families, readers: 0, series: 0, dropped: 0 };
  let read = 0;
  let turn = 0;
  for (const sample of source.extensions()) {
    const parts: string[][] = [];
    let series = 0;
    for (const part of partsOf(sample)) {
      for (const text of part) {
        series += linesOf(text);
        turn += text.length;
      }
      parts.push(part);
      // METRICS-PAGE-1.
      if (++read >= READ_AT_A_TIME || turn >= TURN_CHARACTERS) {
        await nextTurn();
        read = 0;
        turn = 0;
      }
    }
    // METRICS-PAGE-4.
    if (reading.series + series > seriesMax) {
      reading.dropped += series;
      continue;
    }
    reading.series += series;
    for (const part of parts) {
      if (part !== parts[0]) await nextTurn();
      for (const [i, text] of part.entries()) if (text !== '') families[i]?.write(text);
    }
  }
  return reading;
}

/** Label values have no line end that is not escaped. */
function linesOf(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

type DaemonNumber = number | Readonly<Record<string, number>> | HistogramNumbers;

function daemonText(numbers: Readonly<Record<keyof typeof DAEMON_METRICS, DaemonNumber>>) {
  let text = '';
  for (const [name, metric] of Object.entries(DAEMON_METRICS) as [keyof typeof DAEMON_METRICS, Metric][]) {
    const value = numbers[name];
    text += familyHeader(name, metric);
    if (typeof value === 'number') text += sampleLine(name, '', value);
    else if (isHistogram(value))
      text += histogramLines(name, '', DURATION_BOUNDS_SECONDS, value.cumulative, value.sumSeconds);
    else
      for (const [label, one] of Object.entries(value)) text += sampleLine(name, labelSet(metric.labels, [label]), one);
  }
  return text;
}

const isHistogram = (value: DaemonNumber): value is HistogramNumbers =>
  typeof value === 'object' && Array.isArray(value.cumulative);
