// Rows of the audit trail in pages, newest first: when, who, what, from → to, why.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { AuditItem, AuditPageAnswer } from '../../src/domain/registry/audit-answer.js';
import { problemOf, read } from '../live/api.js';
import { useReading } from '../live/reading.js';
import { Moment } from '../live/times.js';
import { Empty, Fault, Unread } from '../parts/states.js';
import { Table } from '../parts/table.js';
import { extensionPath } from '../url/paths.js';
import { NONE } from '../words/numbers.js';
import { actionWords, evidenceText, pathText, subjectText, valueText } from '../words/why.js';

const PAGE = 50;
const SHOWN_CHANGES = 4;

interface Older {
  readonly rows: readonly AuditItem[];
  /** What the page behind them is asked for with; null: there is none. */
  readonly next: string | null;
}

const NOTHING_OLDER: Older = { rows: [], next: null };

interface AuditListProps {
  /** As GET /admin/audit takes them. */
  readonly query: Readonly<Record<string, string>>;
  /** Whether rows name their extension. */
  readonly isOfAll: boolean;
}

export function AuditList({ query, isOfAll }: AuditListProps) {
  const given = Object.entries(query).filter(([, value]) => value !== '');
  const path = `/admin/audit?${new URLSearchParams([...given, ['limit', String(PAGE)]])}`;
  const { value, problem, again } = useReading<AuditPageAnswer>(path, { every: 5000 });
  const older = useSignal<Older>(NOTHING_OLDER);
  const fault = useSignal<string | null>(null);
  const isBusy = useSignal(false);
  // What was read for filters that have been changed since is dropped.
  const wanted = useRef(path);
  wanted.current = path;
  useEffect(() => {
    older.value = NOTHING_OLDER;
    fault.value = null;
  }, [path]);
  if (value === null) return <Unread what="The audit trail" problem={problem} again={again} lines={12} />;
  const first = new Set(value.items.map(({ id }) => id));
  const rows = [...value.items, ...older.value.rows.filter(({ id }) => !first.has(id))];
  const after = older.value.rows.length === 0 ? value.next : older.value.next;
  const more = async () => {
    if (after === null || isBusy.value) return;
    isBusy.value = true;
    fault.value = null;
    try {
      const page = await read<AuditPageAnswer>(`${path}&after=${encodeURIComponent(after)}`);
      // With what is shown: of the first page, rows move behind its end as others come.
      if (wanted.current === path) older.value = { rows: [...rows, ...page.items], next: page.next };
    } catch (error) {
      if (wanted.current === path) fault.value = problemOf(error).detail;
    } finally {
      isBusy.value = false;
    }
  };
  if (rows.length === 0)
    return (
      <Empty>
        <p>Nothing in the trail fits.</p>
      </Empty>
    );
  return (
    <>
      <AuditTable rows={rows} isOfAll={isOfAll} />
      {fault.value === null ? null : <Fault what="The next page cannot be read" detail={fault.value} onRetry={more} />}
      {after === null ? null : (
        <p>
          <button type="button" onClick={more}>
            Older
          </button>
        </p>
      )}
    </>
  );
}

function AuditTable({ rows, isOfAll }: { readonly rows: readonly AuditItem[]; readonly isOfAll: boolean }) {
  return (
    <Table
      label="Audit trail"
      class="trail"
      columns={['When', 'Who', 'What', ...(isOfAll ? ['Extension'] : []), 'Change', 'Why']}
    >
      {rows.map((row) => (
        <tr key={row.id}>
          <td>
            <Moment at={row.changed_at} />
          </td>
          <td class="long">{row.changed_by ?? NONE}</td>
          <td>{actionWords(row.action)}</td>
          {isOfAll ? (
            <td class="long">
              {row.extension_id === '_' ? 'registry' : <a href={extensionPath(row.extension_id)}>{subjectText(row)}</a>}
            </td>
          ) : null}
          <td class="wraps">
            <Changes row={row} isOfAll={isOfAll} />
          </td>
          <td class="wraps">{row.reason ?? NONE}</td>
        </tr>
      ))}
    </Table>
  );
}

function Changes({ row, isOfAll }: { readonly row: AuditItem; readonly isOfAll: boolean }) {
  const evidence = evidenceText(row);
  if (evidence !== null) return <>{evidence}</>;
  const of = isOfAll
    ? ''
    : subjectText({ ...row, extension_id: '' })
        .replace(/^@/, '')
        .trim();
  const more = row.changes.length - SHOWN_CHANGES;
  return (
    <>
      {of === '' ? '' : `${of}: `}
      {row.changes.length === 0 && of === '' ? NONE : ''}
      {row.changes.slice(0, SHOWN_CHANGES).map(({ path, from, to, hidden }) => (
        <span key={path} class="change-line">
          <code>{pathText(path)}</code> {hidden === true ? 'changed' : `${valueText(from)} → ${valueText(to)}`}
        </span>
      ))}
      {more > 0 ? `and ${more} more` : ''}
      {row.cut ? ' (not all is shown)' : ''}
    </>
  );
}
