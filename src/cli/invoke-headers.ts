// The headers of `extreg invoke`: what the options say of the caller, and what else is to be sent.
import { type MsgHdrs, headers as newHeaders } from '@nats-io/nats-core';
import { CommandError, EXIT } from './command-error.js';

type Pair = readonly [name: string, value: string];

export interface InvokeHeaders {
  readonly policy?: string;
  readonly environment?: string;
  readonly routingKey?: string;
  /** Names without `Extreg-Ctx-`. */
  readonly context: readonly Pair[];
  readonly header: readonly Pair[];
  readonly timeout?: string;
}

const OWN_OPTIONS: Readonly<Record<string, string>> = {
  tenant_id: '--tenant',
  policy_id: '--policy',
  environment: '--environment',
  routing_key: '--routing-key',
};

export const collectHeader = (text: string, before: readonly Pair[]): Pair[] => [
  ...before,
  pairOf('--header', 'name', text),
];

export function collectContext(text: string, before: readonly Pair[]): Pair[] {
  const [key, value] = pairOf('--context', 'key', text);
  const own = Object.hasOwn(OWN_OPTIONS, key) ? OWN_OPTIONS[key] : undefined;
  if (own !== undefined) throw new CommandError(EXIT.usage, `--context ${key}: expected ${own} instead`);
  if (before.some(([name]) => name === key)) throw new CommandError(EXIT.usage, `--context ${key}: given twice`);
  return [...before, [key, value]];
}

function pairOf(option: string, name: string, text: string): Pair {
  const equals = text.indexOf('=');
  if (equals < 1) throw new CommandError(EXIT.usage, `${option}: expected ${name}=value, got '${text}'`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** null: none. */
export function invokeHeaders(options: InvokeHeaders): MsgHdrs | null {
  const { timeout } = options;
  if (timeout !== undefined && !/^[1-9][0-9]{0,8}$/.test(timeout))
    throw new CommandError(EXIT.usage, `--timeout: expected whole milliseconds above 0, got '${timeout}'`);
  const named: readonly (readonly [option: string, name: string, value: string | undefined])[] = [
    ['--policy', 'Extreg-Policy-Id', options.policy],
    ['--environment', 'Extreg-Environment', options.environment],
    ['--routing-key', 'Extreg-Routing-Key', options.routingKey],
    ...options.context.map(([key, value]) => [`--context ${key}`, `Extreg-Ctx-${key}`, value] as const),
    ['--timeout', 'Extreg-Timeout-Ms', timeout],
  ];
  const headers = newHeaders();
  for (const [name, value] of options.header) append(headers, `--header ${name}`, name, value);
  for (const [option, name, value] of named) {
    if (value === undefined) continue;
    if (value.trim() === '') throw new CommandError(EXIT.usage, `${option}: expected a value, got '${value}'`);
    if (headers.has(name))
      throw new CommandError(EXIT.usage, `${option} and --header ${name}: expected one of them, got both`);
    append(headers, option, name, value);
  }
  return headers.keys().length === 0 ? null : headers;
}

function append(headers: MsgHdrs, option: string, name: string, value: string): void {
  // What nats.js would send and the daemon refuse, or it would change.
  if (!/^[!-9;-~]+$/.test(name))
    throw new CommandError(EXIT.usage, `${option}: expected a name of printable ASCII without blanks and colons`);
  if (/[\r\n]/.test(value)) throw new CommandError(EXIT.usage, `${option}: expected a value without line ends`);
  try {
    headers.append(name, value);
  } catch (error) {
    throw new CommandError(EXIT.usage, `${option}: ${(error as Error).message}`);
  }
}
