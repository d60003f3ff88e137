// The headers of `extreg invoke`: what the options say of the caller, and what else is to be sent.
import { type MsgHdrs, headers as newHeaders } from '#@nats-io/nats-core';
import { CommandError, EXIT } from '../process/command-error.js';
import { type ContextOptions, givenContext, type Pair } from './context-options.js';

export interface InvokeHeaders extends ContextOptions {
  readonly header: readonly Pair[];
  readonly timeout?: string;
}

const NAMED_HEADERS: Readonly<Record<string, string>> = {
  policy_id: 'Extreg-Policy-Id',
  environment: 'Extreg-Environment',
  routing_key: 'Extreg-Routing-Key',
};

/** null: none. */
export function invokeHeaders(options: InvokeHeaders): MsgHdrs | null {
  const { timeout } = options;
  if (timeout !== undefined && !/^[1-9][0-9]{0,8}$/.test(timeout))
    throw new CommandError(EXIT.usage, `--timeout: expected whole milliseconds above 0, got '${timeout}'`);
  const headers = newHeaders();
  for (const [name, value] of options.header) append(headers, `--header ${name}`, name, value);
  for (const { option, key, value } of givenContext(options)) {
    // The subject has it.
    if (key === 'tenant_id') continue;
    const name = Object.hasOwn(NAMED_HEADERS, key) ? (NAMED_HEADERS[key] as string) : `Extreg-Ctx-${key}`;
    appendOnce(headers, option, name, value);
  }
  if (timeout !== undefined) appendOnce(headers, '--timeout', 'Extreg-Timeout-Ms', timeout);
  return headers.keys().length === 0 ? null : headers;
}

function appendOnce(headers: MsgHdrs, option: string, name: string, value: string): void {
  if (headers.has(name))
    throw new CommandError(EXIT.usage, `${option} and --header ${name}: expected one of them, got both`);
  append(headers, option, name, value);
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
