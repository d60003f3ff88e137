// A real receiver of notices on a free loopback port, http or https; it ends with the test.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ExecutionContext } from 'ava';
import { CERTIFICATE, KEY } from './certificate.js';

export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface Receiver {
  readonly url: string;
  readonly host: string;
  /** Every request that has come whole, in order. */
  readonly received: Received[];
  /** What it does with a request; may be replaced while it runs. */
  answer: Answer;
}

export type Answer = (response: ServerResponse, request: Received) => void;

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end('thank you');

export const hang: Answer = () => undefined;

export async function startReceiver(
  t: ExecutionContext,
  answer: Answer,
  scheme: 'http' | 'https' = 'http',
): Promise<Receiver> {
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const one = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(pieces) };
    receiver.received.push(one);
    receiver.answer(response, one);
  };
  const server = scheme === 'http' ? createServer(take) : createTlsServer({ cert: CERTIFICATE, key: KEY }, take);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const receiver: Receiver = { url: `${scheme}://${host}/hook`, host, received: [], answer };
  return receiver;
}
