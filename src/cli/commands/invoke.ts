// `extreg invoke <id> [body]`: one call through the daemon, as any caller would make it.

import { buffer } from 'node:stream/consumers';
import type { Msg } from '#@nats-io/nats-core';
import { Command } from '#commander';
import type { Config } from '../../config/config.js';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { OutputOptions } from '../options/common-options.js';
import { addContextOptions, type Pair, pairOf } from '../options/context-options.js';
import { addExamples } from '../options/examples.js';
import type { InvokeHeaders } from '../options/invoke-headers.js';
import { json } from '../output/output.js';
import { printable, singleLine } from '../output/terminal-text.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';

/** The daemon answers within the budget; so much longer we wait for that answer. */
const GRACE_MS = 1000;

interface InvokeOptions extends InvokeHeaders, OutputOptions {
  readonly inboxPrefix?: string;
  readonly verbose?: true;
}

export const invokeCommand: CommandFactory = (io) => ({
  command: addExamples(
    addContextOptions(
      new Command('invoke')
        .argument('<id>', 'extension')
        .argument('[body]', "body of the request; '-' reads it from standard input", ''),
    )
      .option('--header <name=value>', 'header of the request; may be given again', collectHeader, [])
      .option('--timeout <ms>', 'budget of the call')
      .option('--inbox-prefix <subject>', 'where the reply is received: an inbox that NATS permits (default: _INBOX)')
      .option(
        '-v, --verbose',
        'print the headers of the reply on standard error, and of an error whether and when to repeat the call',
      )
      .option('--json', 'print status, headers and body as JSON'),
    "extreg invoke normalize_text 'some text' --tenant acme",
    'extreg invoke normalize_text - < document.json',
  ),
  settings: 'nats',
  action: async (id: string, body: string, options: InvokeOptions) => {
    // Its `--environment` is the caller's word, not the daemon's setting.
    const { config } = await commandConfig(io, { ...options, environment: undefined });
    const payload = body === '-' ? await buffer(io.stdin) : Buffer.from(body);
    const reply = await request(config, subjectOf(config, id, options.tenant), payload, options);
    const problem = problemOf(reply);
    print(id, reply, problem, options, io);
    return problem === null ? 0 : EXIT.answeredWithError;
  },
});

const collectHeader = (text: string, before: readonly Pair[]): Pair[] => [...before, pairOf('--header', 'name', text)];

const INBOX = /^[^\s.*>]+(\.[^\s.*>]+)*$/;
const PLAIN_TOKEN = /^[^\s.*>]+$/;

function subjectOf(config: Config, id: string, tenant: string | undefined): string {
  for (const [what, token] of [['id', id] as const, ...(tenant === undefined ? [] : [['tenant', tenant] as const])])
    if (!PLAIN_TOKEN.test(token))
      throw new CommandError(
        EXIT.usage,
        `${what}: expected one subject token without blanks, dots, * and >, got '${token}'${what === 'tenant' ? '; --header Extreg-Tenant-Id=… takes any' : ''}`,
      );
  return [config.subject_prefix, 'invoke', id, ...(tenant === undefined ? [] : [tenant])].join('.');
}

async function request(config: Config, subject: string, payload: Buffer, options: InvokeOptions): Promise<Msg> {
  // Only here: no other command waits for the client of NATS.
  const [{ RequestError, TimeoutError }, { invokeHeaders }, { connectOnce }, { findDaemon, noDaemon }] =
    await Promise.all([
      import('#@nats-io/nats-core'),
      import('../options/invoke-headers.js'),
      import('../daemon/nats-client.js'),
      import('../daemon/daemon-file.js'),
    ]);
  const headers = invokeHeaders(options);
  const { inboxPrefix } = options;
  if (inboxPrefix !== undefined && !INBOX.test(inboxPrefix))
    throw new CommandError(
      EXIT.usage,
      `--inbox-prefix: expected subject tokens without wildcards, such as _INBOX.acme, got '${inboxPrefix}'`,
    );
  const waitMs = (options.timeout === undefined ? config.max_budget_ms : Number(options.timeout)) + GRACE_MS;
  const daemon = config.nats_url === null ? await findDaemon(config.data_dir) : null;
  if (config.nats_url === null && daemon === null) throw noDaemon(config.data_dir, '--nats-url');
  const nc = await connectOnce(config, daemon, { name: 'extreg invoke', inboxPrefix });
  try {
    return await nc.request(subject, payload, { timeout: waitMs, ...(headers ? { headers } : {}) });
  } catch (error) {
    if (error instanceof RequestError && error.isNoResponders())
      throw new CommandError(
        EXIT.unreachable,
        `no responders on ${subject}: no daemon is connected to ${nc.getServer()}`,
      );
    if (error instanceof TimeoutError)
      throw new CommandError(EXIT.unreachable, `no answer on ${subject} within ${waitMs} ms`);
    const { message } = error as Error;
    const hint = message.includes('Subscription to')
      ? '; --inbox-prefix names one that this login may subscribe to'
      : '';
    throw new CommandError(EXIT.unreachable, `the call failed: ${message}${hint}`);
  } finally {
    await nc.close();
  }
}

function print(
  id: string,
  reply: Msg,
  problem: Problem | null,
  options: InvokeOptions,
  { stdout, stderr }: CommandIo,
): void {
  const { verbose, json: asJson } = options;
  const headers =
    reply.headers === undefined
      ? []
      : [...reply.headers].flatMap(([name, values]) => values.map((value) => [name, value] as const));
  if (asJson) {
    const text = utf8(reply.data);
    stdout.write(
      json({
        ok: problem === null,
        headers: Object.fromEntries(headers),
        ...(text === null ? { body_base64: Buffer.from(reply.data).toString('base64') } : { body: text }),
      }),
    );
    return;
  }
  if (verbose) for (const [name, value] of headers) stderr.write(`${singleLine(`${name}: ${value}`)}\n`);
  if (verbose) stderr.write(printable(repetition(reply.data, problem)));
  // The body of our own errors says no more than the message.
  if (problem?.ours !== true) stdout.write(stdout.isTTY ? shownOnTerminal(reply.data) : reply.data);
  if (stdout.isTTY) stdout.write('\n');
  if (problem !== null) stderr.write(printable(`extreg: ${problem.text}\n${nextText(problem, id)}`));
}

/** What an operator may do about an error of ours. */
const NEXT: Readonly<Record<string, (id: string) => string>> = {
  extension_not_found: () => 'extreg ls lists the extensions',
  extension_unavailable: (id) => `extreg explain ${id} says why, extreg show ${id} what may be done`,
  extension_timeout: (id) => `extreg history ${id} shows whether it does so more often`,
  extension_error: (id) => `extreg history ${id} shows whether it does so more often`,
  overloaded: (id) =>
    `extreg show ${id} shows how many calls are in flight, extreg status whether the daemon is overloaded`,
};

function nextText({ code }: Problem, id: string): string {
  const next = code !== null && Object.hasOwn(NEXT, code) ? NEXT[code] : undefined;
  return next === undefined ? '' : `next: ${next(id)}\n`;
}

interface Problem {
  /** An error of the daemon, not of the extension. */
  readonly ours: boolean;
  /** Of an error of ours. */
  readonly code: string | null;
  readonly text: string;
}

/** null: the extension did what it was asked. */
function problemOf(reply: Msg): Problem | null {
  const ours = reply.headers?.get('Extreg-Error') ?? '';
  const status = reply.headers?.get('Nats-Service-Error-Code') ?? '';
  if (ours === '' && status === '') return null;
  const message = reply.headers?.get('Nats-Service-Error') ?? '';
  if (ours === '') return { ours: false, code: null, text: `the extension answered ${status}: ${message}` };
  const reason = reasonOf(reply.data);
  const detail = reason === '' || message.includes(reason) ? '' : ` (${reason})`;
  const hint = reason === 'row_invalid' ? "; 'extreg migrate --dry-run' says why" : '';
  return { ours: true, code: ours, text: `${ours}: ${message}${detail}${hint}` };
}

/** Whether and when the call that met an error of ours may be made again, in lines like headers; '' if it is not known. */
function repetition(body: Uint8Array, problem: Problem | null): string {
  if (problem?.ours !== true) return '';
  const error = errorIn(body);
  return (['retryable', 'retry_after_ms'] as const)
    .flatMap((name) => (error[name] === undefined ? [] : [`${name}: ${error[name]}\n`]))
    .join('');
}

/** `details.reason` of an error of ours; '' without. */
function reasonOf(body: Uint8Array): string {
  const reason = errorIn(body).details?.reason;
  return typeof reason === 'string' ? reason : '';
}

interface WireError {
  readonly retryable?: unknown;
  readonly retry_after_ms?: unknown;
  readonly details?: { readonly reason?: unknown };
}

function errorIn(body: Uint8Array): WireError {
  try {
    return (JSON.parse(Buffer.from(body).toString()) as { error?: WireError }).error ?? {};
  } catch {
    return {};
  }
}

/** A body that is text, without what a terminal would obey; a pipe gets the bytes as they are. */
function shownOnTerminal(bytes: Uint8Array): string {
  const text = utf8(bytes);
  return text === null ? `(${bytes.length} bytes that are no text: --json, or a pipe, has them)` : printable(text);
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
