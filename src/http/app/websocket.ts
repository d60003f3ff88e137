// WebSockets on the admin API's server: which requests may open one, and how it ends. Its messages are its handler's.
//
// WEBSOCKET-1. An upgrade that is no WebSocket for this path, or that SAME-SITE-1 or SAME-SITE-2 refuse, is ignored, as RFC 9110 (7.8) allows: the
//     request is answered like any other, body and all, so every refusal has the one form of APP-1.
// WEBSOCKET-2. A socket only sends. What it receives is ignored; a frame beyond MAX_FRAME_BYTES ends it with 1009.
// WEBSOCKET-3. A peer that does not answer a ping before the next one is cut off.
// WEBSOCKET-4. One that may not open it is accepted and closed with 4401, since a browser shows a page nothing else of a refusal; so is one whose
//     token was revoked or has expired, within two seconds.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from '#ws';
import type { Principal } from '../../domain/access/principal.js';
import { refuseForeign, type Site } from './same-site.js';

/** An open socket, as its writer sees it. */
interface FrameSocket {
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  send(frame: string): void;
  /** `reason`: at most 123 bytes. */
  close(code: number, reason: string): void;
}

/** Takes a socket that was opened with this query; returns what to call once it is closed. */
export type OpenSocket = (query: URLSearchParams, socket: FrameSocket) => () => void;

interface WebSocketOptions {
  readonly path: string;
  readonly site: Site;
  readonly open: OpenSocket;
  /** null: it may not, and is closed with UNAUTHENTICATED. */
  readonly admit: (request: IncomingMessage, query: URLSearchParams) => Principal | null;
  /** Of one that was admitted. */
  readonly isValid: (principal: Principal) => boolean;
  readonly pingMs?: number;
}

interface WebSockets {
  /** Closes every peer with 1001 and accepts none any more; resolves when all are closed. */
  close(): Promise<void>;
  /** Cuts off those that are not gone. */
  terminate(): void;
}

const MAX_FRAME_BYTES = 1024;
const PING_MS = 30_000;
const CHECK_MS = 1000;
/** The code of a close: sign in again. */
const UNAUTHENTICATED = 4401;

export function acceptWebSockets(
  server: Server,
  { path, site, open, admit, isValid, pingMs = PING_MS }: WebSocketOptions,
): WebSockets {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
  const unanswered = new WeakSet<WebSocket>();
  const principals = new WeakMap<WebSocket, Principal>();
  let isClosing = false;

  server.on('upgrade', (request, stream, head) => {
    const { upgrade } = request.headers;
    const [wanted, query] = splitOnce(request.url ?? '', '?');
    const isOurs = request.method === 'GET' && upgrade?.toLowerCase() === 'websocket' && wanted === path;
    if (isClosing || !isOurs || refuseForeign(request.headers, site) !== null)
      return ignoreUpgrade(server, request, stream, head);
    sockets.handleUpgrade(request, stream, head, (socket) => {
      // 'close' follows, and says all that is of use.
      socket.on('error', () => undefined);
      socket.on('pong', () => unanswered.delete(socket));
      const parameters = new URLSearchParams(query);
      const principal = admit(request, parameters);
      // WEBSOCKET-4.
      if (principal === null) return socket.close(UNAUTHENTICATED, 'a valid ticket or token is needed');
      principals.set(socket, principal);
      socket.on('close', open(parameters, frameSocket(socket)));
    });
  });
  sockets.on('wsClientError', (_, stream, request) => ignoreUpgrade(server, request, stream, Buffer.alloc(0)));

  // WEBSOCKET-3.
  const pings = setInterval(() => {
    for (const socket of sockets.clients) {
      if (unanswered.has(socket)) socket.terminate();
      unanswered.add(socket);
      socket.ping();
    }
  }, pingMs).unref();
  // WEBSOCKET-4.
  const checks = setInterval(() => {
    for (const socket of sockets.clients) {
      const principal = principals.get(socket);
      if (principal !== undefined && !isValid(principal)) socket.close(UNAUTHENTICATED, 'the token was revoked');
    }
  }, CHECK_MS).unref();

  return {
    close() {
      isClosing = true;
      clearInterval(pings);
      clearInterval(checks);
      for (const socket of sockets.clients) socket.close(1001, 'the daemon is stopping');
      return new Promise((resolve) => sockets.close(() => resolve()));
    },
    terminate() {
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

const frameSocket = (socket: WebSocket): FrameSocket => ({
  get bufferedBytes() {
    return socket.bufferedAmount;
  },
  send: (frame) => socket.send(frame),
  close: (code, reason) => socket.close(code, reason),
});

/** WEBSOCKET-1. The request goes through the server once more, without what asked for the upgrade. */
function ignoreUpgrade(server: Server, request: IncomingMessage, stream: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (!/^(upgrade|http2-settings)$/i.test(rawHeaders[i] ?? '')) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
  stream.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('encrypted' in stream ? 'secureConnection' : 'connection', stream);
}

function splitOnce(text: string, separator: string): [before: string, after: string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
