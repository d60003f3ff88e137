// `/ui/status`: the daemon itself: is it ready, what waits to be written, how it does; and its settings.
import type { ComponentChildren } from 'preact';
import type { DaemonStatus, SettingsAnswer } from '../../src/domain/status-schema.js';
import { useReading } from '../live/reading.js';
import { may } from '../live/session.js';
import { Age, Moment } from '../live/times.js';
import { Fault, Unread } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { queryValue, setQuery } from '../url/address.js';
import { count, mebibytes, ms, NONE, percent, withUnit } from '../words/numbers.js';
import { valueText } from '../words/why.js';

export default function StatusPage() {
  const { value, problem, again } = useReading<DaemonStatus>('/admin/status', { every: 3000 });
  return (
    <div class="page">
      <h1>The daemon</h1>
      {value === null ? (
        <Unread what="The status" problem={problem} again={again} lines={10} />
      ) : (
        <Status status={value} />
      )}
      {may('admin') ? <Settings /> : null}
    </div>
  );
}

const PENDING_WORDS: Readonly<Record<string, string>> = {
  replies: 'replies to callers',
  auto_changes: 'automatic changes',
  verbs: "operators' verbs",
  audit_facts: 'rows of the audit trail',
  webhooks: 'webhooks',
};

function Status({ status }: { readonly status: DaemonStatus }) {
  const { readiness, memory, loop_delay: delay } = status;
  const away = readiness.degraded.length === 0 ? 'nothing' : readiness.degraded.join(', ');
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    [
      'Ready',
      readiness.ready ? (
        'yes'
      ) : (
        <strong class="bad">no: {[...readiness.waiting_for, ...readiness.reasons].join(', ')}</strong>
      ),
    ],
    ['Away', readiness.degraded.length === 0 ? away : <strong class="bad">{away}</strong>],
    ['Mass failure', status.mass_failure ? <strong class="bad">yes: nothing is disabled automatically</strong> : 'no'],
    [
      'Overload',
      status.admission.overloaded ? (
        <strong class="bad">yes: {percent(status.admission.refused_share)} of the calls are refused</strong>
      ) : (
        'no'
      ),
    ],
    ['Calls wait for', withUnit(ms(status.admission.queue_delay_ms), 'ms')],
    ['Version', status.version],
    ['Started', <Started key="started" at={status.started_at} />],
    ['Process', status.boot],
    ['Registry revision', count(status.registry_revision)],
    ['Last confirmed', status.registry_lag_ms === null ? NONE : `${withUnit(ms(status.registry_lag_ms), 'ms')} ago`],
    ['Extensions', `${count(status.extensions.total)}, ${count(status.extensions.unhealthy)} not healthy`],
    ['In flight', count(status.in_flight)],
    ['Event streams', count(status.streams ?? 0)],
    ['Viewers of statecharts', count(status.viewers)],
    [
      'Memory',
      `${mebibytes(memory.rss_bytes)}, of it heap ${mebibytes(memory.heap_used_bytes)} of ${mebibytes(memory.heap_total_bytes)}`,
    ],
    [
      'Event loop late by',
      `p50 ${withUnit(ms(delay.p50_ms), 'ms')}, p99 ${withUnit(ms(delay.p99_ms), 'ms')}, at most ${withUnit(ms(delay.max_ms), 'ms')}`,
    ],
    [
      'History begins',
      status.history_begins === undefined ? 'there is none' : <Moment key="begins" at={status.history_begins} />,
    ],
    ...Object.entries(status.owed).map(
      ([name, pending]) => [`Pending ${PENDING_WORDS[name] ?? name}`, count(pending)] as const,
    ),
  ];
  return (
    <Table label="Status" class="facts">
      {facts.map(([name, value]) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          <td class="wraps measured">{value}</td>
        </tr>
      ))}
    </Table>
  );
}

function Started({ at }: { readonly at: string }) {
  return (
    <>
      <Moment at={at} />, <Age at={at} /> ago
    </>
  );
}

function Settings() {
  const { value, problem, again } = useReading<SettingsAnswer>('/admin/settings');
  const isAll = queryValue('settings') === 'all';
  const shown = value?.settings.filter(({ origin }) => isAll || origin !== 'default') ?? [];
  return (
    <section aria-labelledby="settings-title">
      <h2 id="settings-title">Settings in force</h2>
      <label>
        <input
          type="checkbox"
          checked={isAll}
          onChange={({ currentTarget }) => setQuery({ settings: currentTarget.checked ? 'all' : null })}
        />{' '}
        Defaults, too
      </label>
      {problem !== null && value === null ? (
        <Fault what="The settings cannot be read" detail={problem.detail} code={problem.code} onRetry={again} />
      ) : null}
      {shown.length === 0 ? (
        <p class="dim">{value === null ? '' : 'Every setting has its default.'}</p>
      ) : (
        <Table label="Settings" columns={['Setting', 'In force', 'From']}>
          {shown.map(({ key, value: set, origin }) => (
            <tr key={key}>
              <th scope="row">
                <code>{key}</code>
              </th>
              <td class="wraps">{valueText(set)}</td>
              <td class="wraps">{origin}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
