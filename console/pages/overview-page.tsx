// `/`: what needs a look, all of it in numbers, what was changed last, and the list of all extensions.
import type { AuditPageAnswer } from '../../src/domain/registry/audit-answer.js';
import { isLoaded, membership } from '../live/board.js';
import { loadedBytes } from '../live/connection.js';
import { summary } from '../live/news.js';
import { useReading } from '../live/reading.js';
import { Moment } from '../live/times.js';
import { Empty, Loading } from '../parts/states.js';
import { extensionPath } from '../url/paths.js';
import { count, ms, percent, some, withUnit } from '../words/numbers.js';
import { changeLine } from '../words/why.js';
import { Impact } from './impact.js';
import { isEmptyRegistry, List } from './list.js';
import { filter, shown } from './list-order.js';
import { isFiltered } from './list-query.js';
import { clearFilter, ListTools } from './list-tools.js';

export default function OverviewPage() {
  membership.value;
  if (!isLoaded.value)
    return (
      <div class="page overview">
        <h1 class="visually-hidden">Extensions</h1>
        <Loading lines={12} progress={`${some(loadedBytes.value / 1024, 'KiB', 'KiB')} have come.`} />
      </div>
    );
  if (isEmptyRegistry()) return <EmptyRegistry />;
  return (
    <div class="page overview">
      <Impact />
      <Summary />
      <LastChanges />
      <ListTools />
      <List />
      {shown.value.length === 0 && isFiltered(filter.value) ? <NothingFound /> : null}
    </div>
  );
}

function Summary() {
  const now = summary.value;
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['total', count(now?.total)],
    ['enabled', count(now?.enabled)],
    ['healthy', count(now?.healthy)],
    ['unhealthy', count(now?.unhealthy)],
    ['success', percent(now?.avg_success_rate)],
    ['p95', withUnit(ms(now?.avg_p95_latency_ms), 'ms')],
    ['in flight', count(now?.in_flight)],
  ];
  return (
    <dl class="summary">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class="measured">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

const CHANGES = 3;

function LastChanges() {
  const { value, problem } = useReading<AuditPageAnswer>(`/admin/audit?limit=${CHANGES}`, { every: 10_000 });
  return (
    <p class="changes">
      <span class="dim">Last changes: </span>
      {problem !== null && value === null ? <span class="dim">the trail cannot be read ({problem.detail})</span> : null}
      {value?.items.length === 0 ? <span class="dim">none</span> : null}
      {value?.items.map((row) => (
        <span key={row.id} class="change">
          <Moment at={row.changed_at} />{' '}
          {row.extension_id === '_' ? (
            changeLine(row)
          ) : (
            <a class="plain" href={extensionPath(row.extension_id)} title={row.reason ?? ''}>
              {changeLine(row)}
            </a>
          )}
        </span>
      ))}
      <a href="/ui/audit">all</a>
    </p>
  );
}

const CREATE = "extreg create redact type=pre subject=ext.redact --reason 'new'";
const SQL = "insert into extensions (id, type, subject) values ('redact', 'pre', 'ext.redact')";

function EmptyRegistry() {
  return (
    <div class="page">
      <h1>No extension is registered yet</h1>
      <Empty>
        <p>Add one on the command line:</p>
        <pre>{CREATE}</pre>
        <p>or in the database:</p>
        <pre>{SQL}</pre>
        <p>
          or by <a href="/ui/api">the API</a>. It appears here as soon as it is there.
        </p>
      </Empty>
    </div>
  );
}

function NothingFound() {
  const { q } = filter.value;
  return (
    <Empty>
      <p>
        No extension matches{q === '' ? ' this filter' : ` “${q}”`}.{' '}
        <button type="button" onClick={clearFilter}>
          Clear the filter
        </button>
      </p>
    </Empty>
  );
}
