// The admin API of one daemon: where it is, by which token, and what its refusals mean for an operator.
//
// DAEMON-CLIENT-1. A token of daemon.json is sent to the address in daemon.json alone.
// DAEMON-CLIENT-2. An error of the daemon is one sentence, and what to do next.
// DAEMON-CLIENT-3. A daemon that is found through its file is known by the certificate in that file, whatever name it is for, and whatever signed it.
// DAEMON-CLIENT-4. What the daemon limits by itself is waited for longer than that, so that its own reason is shown: the audit trail,
//     and changes, which are several steps in the database.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type JsonMap, parseExactJson } from '../../domain/exact-json.js';
import { commandConfig } from '../options/command-config.js';
import type { DaemonOptions } from '../options/common-options.js';
import { CommandError, EXIT } from '../process/command-error.js';
import type { CommandIo } from '../process/command-io.js';
import { findDaemon, noDaemon } from './daemon-file.js';
import { noConnection, type Refusal, refusalOf } from './refusals.js';

const REQUEST_TIMEOUT_MS = 10_000;
const DATABASE_TIMEOUT_MS = 30_000;
const MAX_DEPTH = 100;
const TOKEN = /^[\x21-\x7e]+$/;

interface Order {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON. */
  readonly text?: string;
  readonly timeoutMs?: number;
  /** What does not suit an operator's next step is decided by the command. */
  readonly signal?: AbortSignal;
}

interface TlsTrust {
  readonly ca?: string;
  readonly allowPartialTrustChain?: boolean;
  readonly checkServerIdentity?: () => undefined;
}

interface Answer {
  readonly status: number;
  readonly etag: string | null;
  readonly text: string;
}

export class DaemonClient {
  constructor(
    /** Without a slash at the end. */
    readonly url: string,
    readonly token: string | null,
    private readonly known: {
      /** DAEMON-CLIENT-3. null: certificates are checked as usual. */
      readonly certificate?: string | null;
      /** The token is that of daemon.json, whose actor is the user already. */
      readonly isLocal?: boolean;
    } = {},
  ) {}

  /** Who asks, for the audit trail; nothing where the token says it. */
  by({ userName }: Pick<CommandIo, 'userName'>): { readonly by?: string } {
    return this.known.isLocal ? {} : { by: userName() };
  }

  /** An address that was given wins; else the running daemon's own. Rejects with a CommandError or a ConfigError. */
  static async of(io: CommandIo, options: DaemonOptions): Promise<DaemonClient> {
    const { config, origins } = await commandConfig(io, options);
    const isGiven = origins.http_port !== 'default' && config.http_port !== 0;
    const host = config.http_host.includes(':') ? `[${config.http_host.replace(/[[\]]/g, '')}]` : config.http_host;
    const address =
      options.url === undefined
        ? isGiven
          ? `${config.http_tls_cert_file === null ? 'http' : 'https'}://${host}:${config.http_port}`
          : null
        : urlOf(options.url);
    const given = tokenOf(io, options);
    if (address !== null) {
      // What cannot be read there does not matter, where the address is known.
      const daemon = await findDaemon(config.data_dir).catch(() => null);
      const isThat = daemon !== null && new URL(daemon.http).origin === new URL(address).origin;
      const known = isThat ? daemon : { httpToken: null, httpCertificate: null };
      const isLocal = given === null && known.httpToken !== null;
      return new DaemonClient(address, given ?? known.httpToken, { certificate: known.httpCertificate, isLocal });
    }
    const daemon = await findDaemon(config.data_dir);
    if (daemon === null) throw noDaemon(config.data_dir, '--url');
    const { httpToken, httpCertificate: certificate } = daemon;
    const isLocal = given === null && httpToken !== null;
    return new DaemonClient(daemon.http.replace(/\/+$/, ''), given ?? httpToken, { certificate, isLocal });
  }

  /** DAEMON-CLIENT-3. Options of a connection with TLS. */
  get trust(): TlsTrust {
    const { certificate = null } = this.known;
    return certificate === null
      ? {}
      : { ca: certificate, allowPartialTrustChain: true, checkServerIdentity: () => undefined };
  }

  /** GET, or POST of `body`. */
  async json<T>(path: string, body?: object, signal?: AbortSignal): Promise<T> {
    const order = body === undefined ? {} : { method: 'POST', text: JSON.stringify(body) };
    const { text: answer } = await this.request(path, { ...order, ...(signal === undefined ? {} : { signal }) });
    return this.#parsed(path, () => JSON.parse(answer) as T);
  }

  /** With every digit of its numbers. */
  async exactJson(path: string): Promise<JsonMap> {
    const { text: answer } = await this.request(path);
    return this.#parsed(path, () => parseExactJson(answer, MAX_DEPTH) as JsonMap);
  }

  /** null instead of a refusal with one of these codes. */
  async jsonUnless<T>(codes: readonly string[], path: string): Promise<T | null> {
    try {
      return await this.json<T>(path);
    } catch (error) {
      if (error instanceof CommandError && error.code !== null && codes.includes(error.code)) return null;
      throw error;
    }
  }

  /** Rejects with a CommandError if the answer is an error. Not by fetch(), which refuses some ports that a daemon may well have. */
  async request(path: string, order: Order = {}): Promise<Answer> {
    const overdue = new AbortController();
    const timer = setTimeout(() => overdue.abort(), order.timeoutMs ?? timeoutOf(path, order));
    const signal = order.signal === undefined ? overdue.signal : AbortSignal.any([overdue.signal, order.signal]);
    let answer: Answer;
    try {
      const response = await this.#send(path, order, signal);
      answer = { status: response.statusCode ?? 0, etag: response.headers.etag ?? null, text: await text(response) };
    } catch (error) {
      throw noConnection(`${this.url}${path}`, overdue.signal.aborted ? 'no answer in time' : (error as Error).message);
    } finally {
      clearTimeout(timer);
    }
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw this.#refusal(path, answer);
  }

  /** A stream that stays open until it is read to its end or `signal` ends it. */
  async stream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<IncomingMessage> {
    let response: IncomingMessage;
    try {
      response = await this.#send(path, { headers }, signal);
    } catch (error) {
      throw noConnection(`${this.url}${path}`, (error as Error).message);
    }
    if (response.statusCode === 200) return response;
    throw this.#refusal(path, { status: response.statusCode ?? 0, etag: null, text: await text(response) });
  }

  async #send(
    path: string,
    { method = 'GET', headers = {}, text: body }: Order,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const url = `${this.url}${path}`;
    const send = url.startsWith('https:') ? (await import('node:https')).request : httpRequest;
    const own = {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(this.token === null ? {} : { authorization: `Bearer ${this.token}` }),
    };
    const sent: ClientRequest = send(url, {
      agent: false,
      signal,
      method,
      headers: { ...own, ...headers },
      ...this.trust,
    });
    // Also after the answer: a stream that is ended by `signal` reports it.
    sent.on('error', () => undefined);
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    return response;
  }

  #refusal(path: string, { status, text: body }: Answer): CommandError {
    const [, id] = /^\/admin\/extensions\/([^/?]+)/.exec(path) ?? [];
    const refusal = this.#parsed(path, () => JSON.parse(body) as Refusal);
    return refusalOf(status, refusal, id === undefined ? null : decodeURIComponent(id));
  }

  #parsed<T>(path: string, parse: () => T): T {
    try {
      return parse();
    } catch {
      throw noConnection(`${this.url}${path}`, 'the server at that address is not an extension registry');
    }
  }
}

/** DAEMON-CLIENT-4. ms. */
export const timeoutOf = (path: string, { method = 'GET' }: Pick<Order, 'method'>): number =>
  method !== 'GET' || /^\/admin\/audit(\?|$)/.test(path) ? DATABASE_TIMEOUT_MS : REQUEST_TIMEOUT_MS;

function urlOf(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '')
    throw new CommandError(EXIT.usage, `--url: expected an address such as http://127.0.0.1:8420, got '${given}'`);
  return url.href.replace(/\/+$/, '');
}

/** Never from an argument: those are in the list of processes. */
function tokenOf({ env, cwd }: CommandIo, { tokenFile }: DaemonOptions): string | null {
  const { EXTENSION_REGISTRY_TOKEN: inEnvironment = '' } = env;
  if (tokenFile === undefined) {
    const token = inEnvironment.trim();
    if (token === '') return null;
    if (TOKEN.test(token)) return token;
    throw new CommandError(
      EXIT.usage,
      'EXTENSION_REGISTRY_TOKEN: expected one token, such as extreg token create prints',
    );
  }
  let content: string;
  try {
    content = readFileSync(resolve(cwd, tokenFile), 'utf8').trim();
  } catch (error) {
    throw new CommandError(EXIT.file, `--token-file: ${tokenFile} cannot be read: ${(error as Error).message}`);
  }
  if (!TOKEN.test(content))
    throw new CommandError(EXIT.file, `--token-file: expected one token and nothing else in ${tokenFile}`);
  return content;
}
