// Rows of the audit trail and registry events in a few words.
import type { AuditItem } from '../../src/domain/registry/audit-answer.js';
import { NONE } from './numbers.js';
import { failures } from './reasons.js';

const MAX_VALUE = 60;

/** A value of a change, in one line. */
export function valueText(value: unknown): string {
  if (value === undefined || value === null) return NONE;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return shortened(text, MAX_VALUE);
}

/** By whole characters. */
export function shortened(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length > length ? `${characters.slice(0, length).join('')}…` : text;
}

/** `/policy/breaker/x` as `policy.breaker.x`. */
export const pathText = (path: string): string => path.replace(/^\//, '').replaceAll('/', '.');

/** The numbers of a breaker that opened; null: the row is about something else. */
export function evidenceText({ changes }: Pick<AuditItem, 'changes'>): string | null {
  const evidence = changes.find(({ path }) => path === '/evidence')?.to;
  if (typeof evidence !== 'object' || evidence === null) return null;
  const numbers = evidence as Readonly<Record<string, unknown>>;
  const isWhole = ['failures', 'outcomes', 'overdue', 'window_seconds'].every(
    (name) => typeof numbers[name] === 'number',
  );
  return isWhole ? failures(numbers as unknown as Parameters<typeof failures>[0]) : null;
}

/** What was decided or seen by the daemon itself, not by an operator. */
export const isBySystem = ({ changed_by: by }: Pick<AuditItem, 'changed_by'>): boolean =>
  by?.startsWith('system:') === true;

/** `circuit_opened` as `circuit opened`. */
export const actionWords = (action: string): string => action.replaceAll('_', ' ');

/** The version or instance that a row is about, behind its extension. */
export const subjectText = ({ extension_id: id, version, instance_id: instance }: Subject): string =>
  `${id === '_' ? 'registry' : id}${version ? `@${version}` : ''}${instance ? ` ${instance}` : ''}`;

interface Subject {
  readonly extension_id: string;
  readonly version?: string | null;
  readonly instance_id?: string | null;
}

/** One line of the last changes: `ada: rollout mask_pii@v2 5 → 25`, `ada: token created bob`. */
export function changeLine(row: AuditItem): string {
  const who = isBySystem(row) ? '' : `${whoText(row.changed_by)}: `;
  const [first] = row.changes.filter(({ path, hidden }) => path !== '/evidence' && hidden !== true);
  const name = tokenName(row);
  const values =
    name === null && row.changes.length === 1 && first ? ` ${valueText(first.from)} → ${valueText(first.to)}` : '';
  return `${who}${actionWords(row.action)} ${name ?? subjectText(row)}${values}`;
}

/** null: it is not about a token. */
function tokenName({ extension_id: id, action, changes }: AuditItem): string | null {
  if (id !== '_' || !action.startsWith('token_')) return null;
  const change = changes.find(({ path }) => path === '/name');
  const name = change?.to ?? change?.from;
  return typeof name === 'string' ? name : null;
}

/** `token:ada`, `local:ada` and `admin:ada` are ada. */
export const whoText = (by: string | null): string => by?.replace(/^(?:token|local|admin):/, '') ?? 'unknown';
