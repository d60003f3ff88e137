// The admin verbs that read rows, lists and the audit trail: `show`, `list`, `audit`. They answer what the admin API answers over HTTP.
import type { RowDesk } from '../../actors/ports/api.js';
import type { ListAudit } from '../../actors/ports/audit.js';
import type { BoardSource } from '../../actors/ports/board.js';
import { allows, type Role } from '../../domain/access/principal.js';
import { type JsonMap, stringifyExactJson } from '../../domain/exact-json.js';
import { auditPageParts } from '../../domain/registry/audit-answer.js';
import { auditQuery, cursorOf } from '../../domain/registry/audit-query.js';
import { listQueryOf } from '../../domain/registry/list-query.js';
import { FIELDS, type Requests, readRequest } from '../../domain/registry/reading-requests.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import { withoutConfig } from '../../domain/registry-file/row-schema.js';
import { type AdminAnswer, type AdminVerb, invalid } from './admin.js';

export interface RegistrySources {
  readonly rows: Pick<RowDesk, 'read'>;
  readonly board: Pick<BoardSource, 'list'>;
  readonly audit: ListAudit;
}

const LIMIT = 100;

export function registryVerbs({ rows, board, audit }: RegistrySources): ReadonlyMap<string, AdminVerb> {
  return new Map<string, AdminVerb>([
    verb('show', ({ extension_id: id }, role) => shown(rows, id, role)),
    verb('list', (asked) => listed(board, asked)),
    verb('audit', (asked, role) => trail(audit, asked, role)),
  ]);
}

function verb<Name extends keyof Requests>(
  name: Name,
  answer: (asked: Requests[Name], role: Role) => Promise<AdminAnswer>,
): [Name, AdminVerb] {
  return [
    name,
    {
      fields: FIELDS[name],
      answer(request: JsonMap, role: Role) {
        const read = readRequest(name, request);
        return 'problem' in read ? invalid(read.problem) : answer(read.asked, role);
      },
    },
  ];
}

async function shown(rows: RegistrySources['rows'], id: string, role: Role): Promise<AdminAnswer> {
  if (!isExtensionId(id)) return invalid(NO_ID);
  const answer = await rows.read({ kind: 'extension', extensionId: id, name: '' });
  if (answer.kind === 'row') {
    const row = allows(role, 'operator') ? answer.row : withoutConfig(answer.row);
    return { kind: 'parts', parts: [stringifyExactJson(row)] };
  }
  if (answer.kind === 'extension_not_found' || answer.kind === 'database_unavailable')
    return { kind: 'refused', error: { code: answer.kind, message: answer.message }, extensionId: id };
  throw new Error(`reading a row was answered with ${answer.kind}`);
}

async function listed(board: RegistrySources['board'], asked: Requests['list']): Promise<AdminAnswer> {
  const page = await board.list(listQueryOf(asked, LIMIT));
  if (page.kind === 'invalid') return invalid(page.message);
  const { items, next, total, revision } = page;
  return { kind: 'list', name: 'items', items, rest: { next, total, revision } };
}

async function trail(audit: ListAudit, asked: Requests['audit'], role: Role): Promise<AdminAnswer> {
  const query = auditQuery(asked);
  if ('problem' in query) return invalid(query.problem);
  const page = await audit(query);
  if (page.kind !== 'page')
    return { kind: 'refused', error: { code: page.kind, message: page.message }, extensionId: '' };
  const next = page.next === null ? null : cursorOf(page.next);
  return { kind: 'parts', parts: auditPageParts(page.rows, next, !allows(role, 'operator')) };
}
