// What a daemon refuses, as a sentence for the operator and the next step.
import { CommandError, EXIT } from '../process/command-error.js';

/** A problem document (RFC 9457), or the form of the first version of the API. */
export interface Refusal {
  readonly code?: string;
  readonly detail?: string;
  readonly error?: { readonly code?: string; readonly message?: string };
  /** Each of them, if there are several; `detail` has the first. */
  readonly problems?: readonly { readonly message: string }[];
  /** The role that may do it. */
  readonly needs?: string;
  readonly changed_by?: string;
  readonly changed_at?: string;
}

const NEXT: Readonly<Record<string, string>> = {
  unauthenticated:
    'give a token that is valid, as EXTENSION_REGISTRY_TOKEN or in a file by --token-file; extreg token create makes one',
  too_many_requests: 'repeat it in a minute; if a token was wrong, check it first: each wrong one counts',
  extension_not_found: 'extreg ls lists the extensions',
  version_not_found: 'extreg show <id> lists the versions',
  instance_not_found: 'extreg show <id> lists the instances',
  route_not_found: 'this daemon does not know that yet: check its version with extreg status, and --url',
  already_exists: 'extreg show <id> shows it, extreg set <id> changes it',
  revision_conflict: 'extreg show <id> shows what it is now; repeat what is still right',
  invalid_request: 'correct it and repeat; extreg <command> --help has examples',
  row_invalid: 'correct the fields and repeat; nothing was written',
  rollout_over_100: 'extreg rollout <id> shows the shares; lower another version first',
  database_unavailable: 'extreg status shows what the daemon waits for; repeat it when the database is back',
  shutting_down: 'repeat it when the daemon has started again',
  too_many_streams: 'end other extreg watch, events -f or wait commands, or pages of the console',
  host_not_allowed: 'use the address that the daemon listens on, or add the name to http_hosts',
  internal_error: "the daemon's log has the cause",
};

const CREATE = (needs: string): string =>
  `use a token of the role ${needs}: extreg token create <name> --role ${needs} makes one`;

/** `id`: of the extension that it was about. */
export function refusalOf(status: number, refusal: Refusal, id: string | null): CommandError {
  const { error, problems = [], needs, changed_by: by, changed_at: at } = refusal;
  const code = refusal.code ?? error?.code ?? String(status);
  const message = refusal.detail ?? error?.message ?? 'no reason given';
  const who =
    code === 'revision_conflict' && by !== undefined && !message.includes(by) ? `; changed by ${by} at ${at}` : '';
  const sentence =
    problems.length > 1
      ? `${code}:${problems.map((one) => `\n  ${one.message}`).join('')}`
      : `${code}: ${message}${who}`;
  const known = Object.hasOwn(NEXT, code) ? NEXT[code] : undefined;
  const step = code === 'forbidden' && needs !== undefined ? CREATE(needs) : known;
  const next = step === undefined || id === null ? step : step.replaceAll('<id>', id);
  return new CommandError(EXIT.answeredWithError, sentence, { code, ...(next === undefined ? {} : { next }) });
}

/** Refusals that end without the operator: a command that follows tries again. */
const PASSING = ['database_unavailable', 'shutting_down', 'too_many_requests', 'too_many_streams'];

/** No answer, or a refusal that ends without the operator. */
export const isPassing = (error: unknown): error is CommandError =>
  error instanceof CommandError &&
  (error.exitCode === EXIT.unreachable || (error.code !== null && PASSING.includes(error.code)));

export const noConnection = (url: string, reason: string): CommandError =>
  new CommandError(EXIT.unreachable, `${url} gave no answer: ${reason}`, {
    next: 'check that the daemon runs there (extreg status), or name another one with --url or --data-dir',
  });
