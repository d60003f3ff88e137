// A server for the benchmark of the console: its files, and the answers of a daemon with many extensions, of which some change all the time.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { consoleFiles } from '../src/http/console/assets.js';

const TURN_MS = 250;
const TYPES = ['pre', 'validator', 'post', 'provider'];
/** As high as the list of the console, and nothing in it that changes. */
const EMPTY_PAGE = (rows: number): string =>
  `<!doctype html><title>empty</title><div class="list" style="height:640px;overflow:auto"><div style="height:${rows * 32}px"></div></div>`;

interface ConsoleServer {
  readonly url: string;
  close(): Promise<void>;
}

/** `perSecond`: rows that change in a second. */
export async function startConsoleServer(rows: number, perSecond: number): Promise<ConsoleServer> {
  const files = consoleFiles();
  const boot = 'bench';
  const overview = JSON.stringify({
    boot,
    seq: 1,
    revision: 1,
    now: new Date().toISOString(),
    total: rows,
    stale: 0,
    columns: columnsOf(rows),
  });
  const streams = new Set<ServerResponse>();
  const turns = setInterval(() => {
    const count = Math.round((perSecond * TURN_MS) / 1000);
    const changed = Array.from({ length: count }, () => changedRow(Math.floor(Math.random() * rows)));
    for (const stream of streams) stream.write(`event: rows\ndata: ${JSON.stringify(changed)}\n\n`);
  }, TURN_MS);
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://x');
    const asset = pathname.startsWith('/assets/') ? files.assets.get(pathname.slice(8)) : undefined;
    const json = (body: object | string) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(typeof body === 'string' ? body : JSON.stringify(body));
    if (asset !== undefined) response.writeHead(200, { 'content-type': asset.type }).end(asset.bytes);
    else if (pathname === '/empty') response.writeHead(200, { 'content-type': 'text/html' }).end(EMPTY_PAGE(rows));
    else if (pathname === '/admin/overview') json(overview);
    else if (pathname === '/admin/whoami')
      json({ name: '', role: 'admin', kind: 'open', expires_at: null, auth: 'open' });
    else if (pathname === '/admin/audit') json({ items: [], next: null });
    else if (pathname === '/admin/sparklines') json(sparklines((searchParams.get('k') ?? '').split(',').length));
    else if (pathname === '/admin/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const hello = { boot, version: 'bench', revision: 1, now: new Date().toISOString(), role: 'admin', seq: 1 };
      response.write(`event: hello\ndata: ${JSON.stringify(hello)}\n\n`);
      streams.add(response);
      response.on('close', () => streams.delete(response));
    } else if (pathname === '/')
      response.writeHead(200, { 'content-type': 'text/html' }).end(page(files.manifest.style, files.manifest.main));
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      clearInterval(turns);
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const page = (style: string, main: string): string =>
  `<!doctype html><html lang="en"><title>console</title><link rel="stylesheet" href="/assets/${style}"><div id="console"></div><script type="module" src="/assets/${main}"></script>`;

function columnsOf(rows: number): Readonly<Record<string, readonly unknown[]>> {
  const each = <T>(value: (i: number) => T): T[] => Array.from({ length: rows }, (_, i) => value(i));
  return {
    k: each((i) => i),
    id: each((i) => `extension_${String(i).padStart(6, '0')}`),
    type: each((i) => TYPES[i % TYPES.length]),
    version: each(() => 'v1'),
    state: each(() => 0),
    flags: each(() => 0),
    success_rate: each(() => 0.99),
    p50: each(() => 12),
    p95: each(() => 30),
    p99: each(() => 55),
    calls: each((i) => i % 50),
    failed: each(() => 0),
    refused: each(() => 0),
    since: each(() => null),
  };
}

function changedRow(k: number): (number | null)[] {
  const some = (most: number): number => Math.round(Math.random() * most * 10) / 10;
  return [k, 0, 0, 0.9 + some(10) / 100, some(30), some(80), some(120), some(50), some(2), 0, null];
}

const sparklines = (count: number) => {
  const lines = () =>
    Array.from({ length: count }, () => Array.from({ length: 60 }, () => Math.round(Math.random() * 50)));
  return { step: 10, end: Math.round(Date.now() / 1000), calls: lines(), failed: lines() };
};
