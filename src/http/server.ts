// The admin API's server: puts the routes together, listens, ends.

import type { IncomingMessage, Server } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { AccessDesk } from '../actors/ports/access.js';
import type { ExecuteVerb, Explain, HealthSource, Readiness, RolloutDesk, RowDesk } from '../actors/ports/api.js';
import type { BoardSource } from '../actors/ports/board.js';
import type { ManagementDesk } from '../actors/ports/management.js';
import type { Principal } from '../domain/access/principal.js';
import { within } from '../telemetry/deadline.js';
import type { Logger } from '../telemetry/log.js';
import { type App, type Certificate, createApp } from './app/app.js';
import { documentRoutes } from './app/openapi.js';
import { siteOf } from './app/same-site.js';
import { acceptWebSockets } from './app/websocket.js';
import { type ConsoleFiles, consoleFiles } from './console/assets.js';
import { consoleRoutes } from './console/console-routes.js';
import { HttpStartError } from './http-start-error.js';
import { accessRoutes } from './routes/access-routes.js';
import { boardRoutes } from './routes/board-routes.js';
import { explainRoutes } from './routes/explain-routes.js';
import { healthRoutes } from './routes/health-routes.js';
import { INSPECT_PATH, type Inspection, inspectRoutes } from './routes/inspect-routes.js';
import { liveRoutes } from './routes/live-routes.js';
import { managementRoutes } from './routes/management-routes.js';
import type { MetricsPage } from './routes/metrics-page.js';
import { metricsRoute } from './routes/metrics-route.js';
import { probeRoutes } from './routes/probe-routes.js';
import { rolloutRoutes } from './routes/rollout-routes.js';
import { rowRoutes } from './routes/row-routes.js';
import { verbRoutes } from './routes/verb-routes.js';

export interface HttpOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly access: AccessDesk;
  /** Of the package. */
  readonly version: string;
  readonly health: HealthSource;
  readonly board: BoardSource;
  readonly explain: Explain;
  readonly executeVerb: ExecuteVerb;
  readonly rollout: RolloutDesk;
  readonly rows: RowDesk;
  readonly management: ManagementDesk;
  readonly readiness: () => Readiness;
  readonly metrics: MetricsPage;
  readonly inspection: Inspection;
  readonly log: Logger;
  /** Further names by which this server is asked. */
  readonly hosts?: readonly string[];
  /** Where a proxy before this server is asked, without a slash at the end; null: there is none. */
  readonly publicUrl?: string | null;
  /** Page of a hosted inspector, for the bridge; null: none. */
  readonly inspectorUrl?: string | null;
  /** Whether /metrics is read without a token. */
  readonly metricsOpen?: boolean;
  /** Absent: without TLS. */
  readonly tls?: Certificate | undefined;
  /** Called with each route of the server. */
  readonly onRoute?: (method: string, path: string) => void;
  /** How long a client may take to send a request or to read an answer, ms; 30 s unless given. */
  readonly slowMs?: number;
}

export interface HttpServer {
  /** `http://127.0.0.1:8420`. */
  readonly url: string;
  /** For connections from now on. Throws if certificate and key do not fit. */
  renewCertificate(tls: Certificate): void;
  /** Accepts no further request, ends idle connections immediately and those with an answer in progress within a second. */
  close(): Promise<void>;
}

const CLOSE_GRACE_MS = 1000;

export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const { host, port, log, inspection } = options;
  const urlHost = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const { access, tls, publicUrl = null } = options;
  const scheme = tls === undefined ? 'http' : 'https';
  const site = siteOf(urlHost, scheme, options.hosts, publicUrl);
  const app = createApp({ site, admit: access.admit, log, slowMs: options.slowMs, tls });
  let url = '';
  await addRoutes(app, options, () => publicUrl ?? withinHost(url));
  await app.ready();
  try {
    await app.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port });
  } catch (error) {
    await app.close();
    throw new HttpStartError(startProblem(error as NodeJS.ErrnoException, `${scheme}://${urlHost}:${port}`), {
      cause: error,
    });
  }
  const sockets = acceptWebSockets(app.server, {
    path: INSPECT_PATH,
    site,
    open: inspection.open,
    admit: (request, query) => viewerOf(access, request, query),
    isValid: (principal) => access.isValid(principal),
  });
  const underWay = watchRequests(app.server);
  url = `${scheme}://${urlHost}:${(app.server.address() as AddressInfo).port}`;
  log.info({ event: 'http_listening', url });
  return {
    url,
    renewCertificate: (renewed) => (app.server as unknown as SecureServer).setSecureContext(renewed),
    async close() {
      // A stream is a request that does not end on its own: the server would wait for it.
      options.board.live.stop();
      const closed = app.close();
      await within(CLOSE_GRACE_MS, Promise.all([underWay.none(), sockets.close()]), null);
      sockets.terminate();
      app.server.closeAllConnections();
      await closed;
      log.info({ event: 'http_closed' });
    },
  };
}

/** `address`: where a page is opened. */
async function addRoutes(app: App, options: HttpOptions, address: () => string): Promise<void> {
  const { access, board, management, rows, onRoute } = options;
  if (onRoute !== undefined)
    app.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) onRoute(one, url);
    });
  const addDocument = await documentRoutes(app, options.version);
  consoleRoutes(app, filesOfConsole(), options.inspectorUrl ?? null);
  healthRoutes(app, options.health);
  boardRoutes(app, board);
  liveRoutes(app, board.live, access);
  explainRoutes(app, options.explain);
  verbRoutes(app, options.executeVerb);
  rolloutRoutes(app, options.rollout);
  rowRoutes(app, rows, management);
  managementRoutes(app, management, rows);
  probeRoutes(app, options.readiness);
  metricsRoute(app, options.metrics, options.metricsOpen ?? true);
  accessRoutes(app, access, address, options.inspectorUrl != null);
  inspectRoutes(app, options.inspection);
  addDocument();
}

function filesOfConsole(): ConsoleFiles {
  try {
    return consoleFiles();
  } catch (error) {
    throw new HttpStartError((error as Error).message, { cause: error });
  }
}

/** An address that stands for all of this host is none to open: as it is reached from here. */
const withinHost = (url: string): string => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');

/** By a ticket, since a browser sends no header; by a token, as anything else does. null: by neither. */
function viewerOf(access: AccessDesk, { headers, socket }: IncomingMessage, query: URLSearchParams): Principal | null {
  const address = socket.remoteAddress ?? '';
  const ticket = query.get('ticket');
  query.delete('ticket');
  if (ticket !== null) return access.signIn.takeTicket(ticket, address);
  const admission = access.admit(headers.authorization, address);
  return admission.kind === 'admitted' ? admission.principal : null;
}

/** Node counts a connection that never sent anything as busy, so we count requests. */
function watchRequests(server: Server): { none(): Promise<void> } {
  let count = 0;
  let reached: (() => void) | null = null;
  server.on('request', (_request, response) => {
    count++;
    response.once('close', () => {
      count--;
      if (count === 0) reached?.();
    });
  });
  return {
    none: () =>
      new Promise((resolve) => {
        if (count === 0) resolve();
        else reached = resolve;
      }),
  };
}

function startProblem(error: NodeJS.ErrnoException, address: string): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `${address} is in use by another process; choose another port with http_port (--http-port 0: one that is free)`;
    case 'EACCES':
      return `${address} may not be listened on by this user; choose a port above 1023 with http_port`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${address} is no address of this host; choose another with http_host`;
    default:
      return `${address} cannot be listened on: ${error.message}`;
  }
}
