// An admin API that answers what a test says: for commands and their contract, before and beside the daemon itself.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { directory, type Run, run, runOnTerminal } from './run.js';

export interface Asked {
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** A refusal, as a problem document. */
export class Problem {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail = 'a detail',
    readonly more: object = {},
  ) {}
}

/** An object is the answer; undefined: it was answered by `response`; null: there is no such route. */
export type Answering = (asked: Asked, response: ServerResponse) => unknown;

export interface FakeDaemon {
  readonly url: string;
  readonly asked: Asked[];
  /** `<method> <path>` of what was asked. */
  readonly routes: () => string[];
  readonly extreg: (...argv: string[]) => Promise<Run>;
  /** On a terminal, where these lines are typed. */
  readonly typing: (typed: readonly string[], ...argv: string[]) => Promise<Run>;
}

export async function fakeDaemon(
  t: ExecutionContext,
  answer: Answering,
  env: Readonly<Record<string, string>> = {},
): Promise<FakeDaemon> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://daemon');
    const body = await text(request);
    const one = {
      method: request.method ?? '',
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      headers: request.headers,
      body: body === '' ? null : JSON.parse(body),
    };
    asked.push(one);
    send(response, answer(one, response));
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const options = { cwd: directory(t), env };
  return {
    url,
    asked,
    routes: () => asked.map(({ method, path }) => `${method} ${path}`),
    extreg: (...argv) => run([...argv, '--url', url], options),
    typing: (typed, ...argv) => runOnTerminal([...argv, '--url', url], { ...options, typed }),
  };
}

function send(response: ServerResponse, answer: unknown): void {
  if (answer === undefined) return;
  if (answer === null) return send(response, new Problem(404, 'route_not_found', 'no such path'));
  if (answer instanceof Problem) {
    const { status, code, detail, more } = answer;
    const body = { type: `urn:extreg:error:${code}`, status, detail, code, ...more, error: { code, message: detail } };
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(body));
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json', etag: '"3"' }).end(JSON.stringify(answer));
}

/** Begins an event stream; what it returns sends an event. */
export function stream(response: ServerResponse): (event: string, data: unknown, id?: string) => void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  return (event, data, id) =>
    void response.write(`event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
}

export const HELLO = {
  boot: 'b1',
  version: '0.1.0',
  revision: 7,
  now: '2026-01-01T00:00:00.000Z',
  role: 'admin',
  seq: 3,
};
