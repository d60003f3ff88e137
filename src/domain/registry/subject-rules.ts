// Which NATS subjects a registry row may name, and which names are extension ids.

/** The name of a replica: one token of a subject. */
export const REPLICA_ID = '^[A-Za-z0-9_-]{1,64}$';

/** NATS drops the whole connection on a control line that is too long; the column allows 512. */
export const MAX_SUBJECT_BYTES = 256;

/** Printable ASCII without blank, '*' and '>', between dots. */
const PLAIN_TOKENS = /^[\x21-\x29\x2b-\x2d\x2f-\x3d\x3f-\x7e]+(?:\.[\x21-\x29\x2b-\x2d\x2f-\x3d\x3f-\x7e]+)*$/;
const EXTENSION_ID = /^[A-Za-z0-9_:-]{1,255}$/;

export interface SubjectRules {
  /** The daemon's own prefix: an extension there would be a loop. */
  readonly ownPrefix: string;
  /** If not empty, a subject must be one of these or begin with one of them and a dot. */
  readonly allowedPrefixes: readonly string[];
}

const under = (subject: string, prefix: string): boolean => subject === prefix || subject.startsWith(`${prefix}.`);

/** What is wrong with a subject as the address of an extension; null when nothing is. */
export function subjectProblem(subject: unknown, rules: SubjectRules): string | null {
  if (typeof subject !== 'string' || subject === '') return 'subject must be a NATS subject, got nothing';
  const got = (): string => JSON.stringify(subject.length > 80 ? `${subject.slice(0, 80)}…` : subject);
  if (Buffer.byteLength(subject) > MAX_SUBJECT_BYTES)
    return `subject must be at most ${MAX_SUBJECT_BYTES} bytes, got ${Buffer.byteLength(subject)}`;
  if (!PLAIN_TOKENS.test(subject))
    return `subject must be plain tokens joined by dots, without wildcards, got ${got()}`;
  if (subject.startsWith('$') || subject.startsWith('_')) return `subject must not begin with '$' or '_', got ${got()}`;
  if (under(subject, rules.ownPrefix))
    return `subject must not be under this daemon's own prefix ${rules.ownPrefix}, got ${got()}`;
  if (rules.allowedPrefixes.length > 0 && !rules.allowedPrefixes.some((prefix) => under(subject, prefix)))
    return `subject must be under ${rules.allowedPrefixes.join(' or ')}, got ${got()}`;
  return null;
}

export const isExtensionId = (id: string): boolean => EXTENSION_ID.test(id);
export const NO_ID = 'an extension id is 1 to 255 of A-Z, a-z, 0-9, _, : and -';
