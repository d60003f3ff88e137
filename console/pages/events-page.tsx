// `/ui/events`: the events of the registry as they happen, by kind and extension. What is asked for is in the address.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { AuditPageAnswer } from '../../src/domain/registry/audit-answer.js';
import { EVENT_KINDS } from '../../src/domain/registry/events.js';
import { read } from '../live/api.js';
import { isPaused } from '../live/board.js';
import { events, type News, newerThan } from '../live/news.js';
import { Moment } from '../live/times.js';
import { Empty } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { address, setQuery } from '../url/address.js';
import { extensionPath } from '../url/paths.js';
import { NONE, some } from '../words/numbers.js';
import { failures } from '../words/reasons.js';
import { actionWords, evidenceText, subjectText } from '../words/why.js';

/** Of what the trail records, that the daemon saw itself: what was before this page was opened. */
const SEEN: readonly string[] = EVENT_KINDS;

interface Line {
  readonly key: string;
  readonly at: string;
  readonly event: string;
  readonly extension_id: string;
  readonly version?: string | null;
  readonly instance_id?: string | null;
  readonly why: string;
  readonly actor: string;
}

const lineOf = (news: News): Line => ({
  key: news.n,
  at: news.at,
  event: news.event,
  extension_id: news.extension_id,
  version: news.version ?? null,
  instance_id: news.instance_id ?? null,
  why: [news.reason ?? '', news.evidence === undefined ? '' : failures(news.evidence)]
    .filter((one) => one !== '')
    .join(', '),
  actor: news.actor,
});

export default function EventsPage() {
  const { query } = address.value;
  const kinds = (query.get('kinds') ?? '').split(',').filter((one) => one !== '');
  const id = query.get('extension_id') ?? '';
  const before = useBefore();
  const held = useSignal<readonly News[] | null>(null);
  useEffect(() => {
    held.value = isPaused.value ? events.peek() : null;
  }, [isPaused.value]);
  const live = (held.value ?? events.value).map(lineOf);
  const waiting = held.value === null ? 0 : newerThan(held.value[0]?.n, events.value);
  const seen = new Set(live.map((line) => `${line.event} ${line.extension_id} ${line.at.slice(0, 19)}`));
  const older = before.filter((line) => !seen.has(`${line.event} ${line.extension_id} ${line.at.slice(0, 19)}`));
  const lines = [...live, ...older].filter(
    (line) =>
      (kinds.length === 0 || kinds.includes(line.event)) &&
      (id === '' || line.extension_id.toLowerCase().includes(id.toLowerCase())),
  );
  return (
    <div class="page">
      <h1>Events</h1>
      <search class="tools">
        <input
          type="search"
          aria-label="Extension"
          placeholder="extension"
          value={id}
          onInput={({ currentTarget }) => setQuery({ extension_id: currentTarget.value })}
        />
        <label>
          Kind{' '}
          <select value={kinds[0] ?? ''} onChange={({ currentTarget }) => setQuery({ kinds: currentTarget.value })}>
            <option value="">all</option>
            {EVENT_KINDS.map((kind) => (
              <option key={kind} value={kind}>
                {actionWords(kind)}
              </option>
            ))}
          </select>
        </label>
        <span class="tools-end dim">
          {some(lines.length, 'event')}
          {waiting > 0 ? `, ${waiting} more while paused` : ''}
        </span>
      </search>
      {lines.length === 0 ? (
        <Empty>
          <p>
            {kinds.length > 0 || id !== '' ? 'No event fits.' : 'Nothing has happened yet. What happens appears here.'}
          </p>
        </Empty>
      ) : (
        <EventTable lines={lines} />
      )}
    </div>
  );
}

/** What the trail has of before; without a database, nothing. */
function useBefore(): readonly Line[] {
  const before = useSignal<readonly Line[]>([]);
  useEffect(() => {
    read<AuditPageAnswer>('/admin/audit?limit=200').then(
      ({ items }) => {
        before.value = items
          .filter(({ action }) => SEEN.includes(action))
          .map((row) => ({
            key: row.id,
            at: row.changed_at,
            event: row.action,
            extension_id: row.extension_id,
            version: row.version,
            instance_id: row.instance_id,
            why: [row.reason ?? '', evidenceText(row) ?? ''].filter((one) => one !== '').join(', '),
            actor: row.changed_by ?? '',
          }));
      },
      () => undefined,
    );
  }, []);
  return before.value;
}

function EventTable({ lines }: { readonly lines: readonly Line[] }) {
  return (
    <Table label="Events, the newest first" columns={['When', 'What', 'Extension', 'Why', 'Who']}>
      {lines.map((line) => (
        <tr key={line.key}>
          <td>
            <Moment at={line.at} />
          </td>
          <td>{actionWords(line.event)}</td>
          <td class="long">
            {line.extension_id === '_' ? (
              'registry'
            ) : (
              <a href={extensionPath(line.extension_id)}>{subjectText(line)}</a>
            )}
          </td>
          <td class="wraps">{line.why === '' ? NONE : line.why}</td>
          <td class="long">{line.actor}</td>
        </tr>
      ))}
    </Table>
  );
}
