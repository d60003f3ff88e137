// What a version did over the last ten minutes or four hours, with what was changed meanwhile marked on it.
import { useMemo } from 'preact/hooks';
import type { HistoryAnswer } from '../../src/domain/health/history-answer.js';
import { useReading } from '../live/reading.js';
import { Moment } from '../live/times.js';
import { Unread } from '../parts/states.js';
import { queryValue, setQuery } from '../url/address.js';
import { chartMarks, markLine } from './history-marks.js';
import { type ChartSeries, LineChart } from './line-chart.js';
import type { Mark } from './mark.js';

const MARKS_SHOWN = 8;

export default function History({ id, version }: { readonly id: string; readonly version: string }) {
  const isLong = queryValue('range') === '4h';
  const path = `/admin/extensions/${encodeURIComponent(id)}/history?step=${isLong ? 60 : 10}&version=${encodeURIComponent(version)}`;
  const { value, problem, again } = useReading<HistoryAnswer>(path, { every: 5000 });
  return (
    <>
      <p class="ranges">
        {(['10m', '4h'] as const).map((range) => (
          <button
            key={range}
            type="button"
            aria-pressed={isLong === (range === '4h')}
            onClick={() => setQuery({ range: range === '4h' ? range : null })}
          >
            {range === '4h' ? '4 hours' : '10 minutes'}
          </button>
        ))}
        <span class="dim">Percentiles are of the five minutes before each point.</span>
      </p>
      {value === null ? (
        <Unread what="The history" problem={problem} again={again} lines={6} />
      ) : (
        <Charts answer={value} id={id} />
      )}
    </>
  );
}

interface Drawn {
  readonly times: readonly number[];
  readonly marks: readonly Mark[];
  readonly rates: readonly ChartSeries[];
  readonly latencies: readonly ChartSeries[];
}

/** Once for an answer: a chart is drawn again when it gets another list. */
function drawn({ step, start, calls, failed, refused, p50, p95, p99, marks, begins }: HistoryAnswer): Drawn {
  const perSecond = (values: readonly (number | null)[]) =>
    values.map((value) => (value === null ? null : value / step));
  return {
    times: calls.map((_, i) => start + i * step),
    marks: chartMarks(marks, begins),
    rates: [
      { label: 'attempts', colour: 'link', values: perSecond(calls) },
      { label: 'failed', colour: 'open', values: perSecond(failed) },
      { label: 'refused', colour: 'half', values: perSecond(refused) },
    ],
    latencies: [
      { label: 'p50', colour: 'closed', values: p50 },
      { label: 'p95', colour: 'link', values: p95 },
      { label: 'p99', colour: 'override', values: p99 },
    ],
  };
}

function Charts({ answer, id }: { readonly answer: HistoryAnswer; readonly id: string }) {
  const { start, begins } = answer;
  const { times, marks, rates, latencies } = useMemo(() => drawn(answer), [answer]);
  return (
    <>
      <div class="charts">
        <LineChart
          title="Attempts and refused calls"
          unit="/s"
          together={id}
          times={times}
          marks={marks}
          series={rates}
        />
        <LineChart title="Latency" unit="ms" together={id} times={times} marks={marks} series={latencies} />
      </div>
      {begins > start ? (
        <p class="dim">
          The history begins at <Moment at={new Date(begins * 1000).toISOString()} />, with the start of the daemon.
        </p>
      ) : null}
      <ul class="marks" aria-label="What happened">
        {answer.marks
          .slice(-MARKS_SHOWN)
          .reverse()
          .map((mark) => (
            <li key={`${mark.at} ${mark.kind} ${mark.instance_id}`}>
              <Moment at={mark.at} /> {markLine(mark)}
            </li>
          ))}
      </ul>
    </>
  );
}
