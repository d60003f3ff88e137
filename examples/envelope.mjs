// What goes over the wire: the envelope {trace_id, tenant_id, payload, metadata}, and the error told instead of a reply.
// An error says what was wrong, never what was sent: a payload may hold what nobody else should read.

const MAX_DEPTH = 64;

/** What the caller is told instead of a reply. 400..499: the request is at fault; from 500 on: the extension is. */
export class ServiceError extends Error {
  /**
   * @param {number} code
   * @param {string} message one line, without anything from the request
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * @typedef {object} Envelope
 * @property {string} [trace_id]
 * @property {string} [tenant_id]
 * @property {unknown} payload a text, or JSON with texts in it
 * @property {Record<string, unknown>} metadata
 */

/**
 * Throws a ServiceError 400 where the text is no envelope. Without metadata: an empty object.
 * @param {string} text
 * @returns {Envelope}
 */
export function readEnvelope(text) {
  let envelope;
  try {
    envelope = JSON.parse(text);
  } catch {
    throw new ServiceError(400, 'the body is not JSON');
  }
  if (!isObject(envelope)) throw new ServiceError(400, 'the body is not a JSON object');
  if (envelope.payload === undefined) throw new ServiceError(400, 'payload is missing');
  const metadata = envelope.metadata ?? {};
  if (!isObject(metadata)) throw new ServiceError(400, 'metadata is not an object');
  return { ...envelope, metadata };
}

/**
 * A copy of the payload with `text` applied to every text in it, however deep.
 * @param {unknown} value
 * @param {object} change
 * @param {(text: string) => string} change.text
 * @param {(leaf: unknown) => unknown} [change.leaf] for numbers, booleans and null; as they are without it
 * @param {(name: string) => string} [change.name] for the names of fields; as they are without it
 * @returns {unknown}
 */
export function mapPayload(value, change, depth = 0) {
  if (depth > MAX_DEPTH) throw new ServiceError(400, `payload is nested more than ${MAX_DEPTH} deep`);
  if (typeof value === 'string') return change.text(value);
  if (Array.isArray(value)) return value.map((item) => mapPayload(item, change, depth + 1));
  if (!isObject(value)) return change.leaf ? change.leaf(value) : value;
  const fields = new Map();
  for (const [key, item] of Object.entries(value)) {
    let name = change.name ? change.name(key) : key;
    // Two names may become the same one; neither field may be lost.
    while (fields.has(name)) name += '_';
    fields.set(name, mapPayload(item, change, depth + 1));
  }
  return Object.fromEntries(fields);
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
