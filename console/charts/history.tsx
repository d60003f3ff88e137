// What a version did over the last ten minutes or four hours, with what was changed meanwhile marked on it.
import { nowMs } from '../live/clock.js';
import { useReading } from '../live/reading.js';
import { Fault, Loading } from '../parts/states.js';
import { Moment } from '../parts/times.js';
import { queryValue, setQuery } from '../url/address.js';
import { moment } from '../words/times.js';
import { chartMarks, type HistoryMark, markLine } from './history-marks.js';
import { LineChart } from './line-chart.js';

interface Answer {
  readonly step: number;
  readonly start: number;
  readonly calls: readonly (number | null)[];
  readonly failed: readonly (number | null)[];
  readonly refused: readonly (number | null)[];
  readonly p50: readonly (number | null)[];
  readonly p95: readonly (number | null)[];
  readonly p99: readonly (number | null)[];
  readonly marks: readonly HistoryMark[];
  readonly begins: number;
}

const MARKS_SHOWN = 8;

export default function History({ id, version }: { readonly id: string; readonly version: string }) {
  const isLong = queryValue('range') === '4h';
  const path = `/admin/extensions/${encodeURIComponent(id)}/history?step=${isLong ? 60 : 10}&version=${encodeURIComponent(version)}`;
  const { value, problem, again } = useReading<Answer>(path, { every: 5000 });
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
      {problem !== null && value === null ? (
        <Fault what="The history cannot be read" detail={problem.detail} code={problem.code} onRetry={again} />
      ) : value === null ? (
        <Loading lines={6} />
      ) : (
        <Charts answer={value} id={id} />
      )}
    </>
  );
}

function Charts({ answer, id }: { readonly answer: Answer; readonly id: string }) {
  const { step, start, calls, begins } = answer;
  const times = calls.map((_, i) => start + i * step);
  const marks = chartMarks(answer.marks, begins);
  const perSecond = (values: readonly (number | null)[]) =>
    values.map((value) => (value === null ? null : value / step));
  return (
    <>
      <div class="charts">
        <LineChart
          title="Attempts and refused calls"
          unit="/s"
          together={id}
          times={times}
          marks={marks}
          series={[
            { label: 'attempts', colour: 'link', values: perSecond(calls) },
            { label: 'failed', colour: 'open', values: perSecond(answer.failed) },
            { label: 'refused', colour: 'half', values: perSecond(answer.refused) },
          ]}
        />
        <LineChart
          title="Latency"
          unit="ms"
          together={id}
          times={times}
          marks={marks}
          series={[
            { label: 'p50', colour: 'closed', values: answer.p50 },
            { label: 'p95', colour: 'link', values: answer.p95 },
            { label: 'p99', colour: 'override', values: answer.p99 },
          ]}
        />
      </div>
      {begins > start ? (
        <p class="dim">
          The daemon started at {moment(new Date(begins * 1000), new Date(nowMs.value))}: it has no numbers of before.
        </p>
      ) : null}
      <ul class="marks" aria-label="What happened">
        {answer.marks
          .slice(-MARKS_SHOWN)
          .reverse()
          .map((mark) => (
            <li key={`${mark.at} ${mark.kind} ${mark.instance_id}`}>
              <Moment at={mark.at} nowMs={nowMs.value} /> {markLine(mark)}
            </li>
          ))}
      </ul>
    </>
  );
}
