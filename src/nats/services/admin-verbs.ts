// The verbs of `<prefix>.admin.<verb>`: what each takes and says. All of them only read.
import type { Explain, HealthSource } from '../../actors/ports/api.js';
import { ExactNumber, isJsonMap, type Json, type JsonMap, numberText } from '../../domain/exact-json.js';
import type { FleetAnswer } from '../../domain/fleet/fleet-answer.js';
import { isExtensionId, NO_ID } from '../../domain/registry/subject-rules.js';
import { askedContext } from '../../domain/routing/explain-context.js';
import { type AdminAnswer, type AdminVerb, invalid, kindOf } from './admin.js';

interface AdminSources {
  readonly fleet: () => FleetAnswer;
  readonly health: HealthSource;
  readonly explain: Explain;
}

export function adminVerbs({ health, explain, fleet }: AdminSources): ReadonlyMap<string, AdminVerb> {
  return new Map<string, AdminVerb>([
    ['explain', { fields: ['extension_id', 'context'], answer: (request) => explained(explain, request) }],
    ['fleet', { fields: [], answer: () => ({ kind: 'answer', value: fleet() }) }],
    ['health', { fields: ['extension_id'], answer: (request) => healthOf(health, request) }],
  ]);
}

function explained(explain: Explain, { extension_id: id, context = {} }: JsonMap): AdminAnswer {
  if (!isId(id)) return invalid(idProblem(id));
  if (!isJsonMap(context)) return invalid(`context must be an object, got ${kindOf(context)}`, id);
  const values: [string, string][] = [];
  for (const [key, given] of Object.entries(context)) {
    const value = scalarText(given);
    if (value === null)
      return invalid(
        `context key ${JSON.stringify(key.slice(0, 80))} must be a text, a number, true or false, got ${kindOf(given)}`,
        id,
      );
    values.push([key, value]);
  }
  const asked = askedContext(values);
  if ('problem' in asked) return invalid(asked.problem, id);
  return found(explain(id, asked.context), id);
}

function healthOf(health: HealthSource, { extension_id: id }: JsonMap): AdminAnswer | Promise<AdminAnswer> {
  if (id === undefined)
    return health
      .list({})
      .then(({ extensions: items, ...rest }) => ({ kind: 'list', name: 'extensions', items, rest }));
  if (!isId(id)) return invalid(idProblem(id));
  const parts = health.one(id);
  return parts === null ? notFound(id, health.absence(id)) : { kind: 'parts', parts };
}

const found = (value: object | null, id: string): AdminAnswer =>
  value === null ? notFound(id) : { kind: 'answer', value };

const notFound = (id: string, message = `no extension '${id}'`): AdminAnswer => ({
  kind: 'refused',
  error: { code: 'extension_not_found', message },
  extensionId: id,
});

const isId = (json: Json | undefined): json is string => typeof json === 'string' && isExtensionId(json);

const idProblem = (json: Json | undefined): string =>
  typeof json === 'string' ? NO_ID : `extension_id must be a text, got ${kindOf(json)}`;

/** As routing compares it; null: no scalar, or null. */
function scalarText(json: Json): string | null {
  if (typeof json === 'string') return json;
  if (typeof json === 'boolean') return String(json);
  if (typeof json === 'number') return numberText(String(json));
  return json instanceof ExactNumber ? numberText(json.text) : null;
}
