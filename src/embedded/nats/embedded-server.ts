// The nats-server that the daemon runs itself if no NATS_URL is given.
//
// EMBEDDED-SERVER-1. It listens on loopback only, asks for a token, and ends with the daemon, however the daemon ends.
// EMBEDDED-SERVER-2. Port 4222 if it is free, else a free one; once chosen, port and token stay in later starts, so that an extension that was
//     connected is again. A start that finds its port in use by another process fails and says what to do.
// EMBEDDED-SERVER-3. A server that dies is started again on its port, immediately and then with growing pauses, until stop().
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../telemetry/log.js';
import { keepPort, keptPort, keptToken, portFile } from './embedded-address.js';
import { type ServerProcess, startServerProcess } from './server-process.js';

const BINARY = 'nats-server';
const WELL_KNOWN_DIRECTORIES = ['/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin'];
const DEFAULT_PORT = 4222;
const ANY_FREE_PORT = -1;
const FIRST_RESTART_MS = 50;
const MAX_RESTART_MS = 5000;

/**
 * Path of a nats-server: NATS_SERVER_BIN if it is set (and then nothing else), else one in PATH, the usual directories,
 * or below `<dataDir>/tools`; null if there is none.
 */
export function findNatsServer(dataDir: string, env: NodeJS.ProcessEnv): string | null {
  if (env.NATS_SERVER_BIN) return isExecutable(env.NATS_SERVER_BIN) ? resolve(env.NATS_SERVER_BIN) : null;
  const directories = [...(env.PATH ?? '').split(delimiter).filter((part) => part !== ''), ...WELL_KNOWN_DIRECTORIES];
  const found = directories.map((directory) => resolve(directory, BINARY)).find(isExecutable);
  return found ?? findBelow(resolve(dataDir, 'tools'));
}

function findBelow(directory: string): string | null {
  try {
    const paths = readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((path) => join(directory, path));
    return paths.find((path) => path.endsWith(`/${BINARY}`) && isExecutable(path)) ?? null;
  } catch {
    return null;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

interface EmbeddedServerOptions {
  readonly dataDir: string;
  readonly log: Logger;
  /** From findNatsServer. */
  readonly binary: string;
  /** The port tried first if none was chosen before; 4222 without it. */
  readonly preferredPort?: number;
}

export interface EmbeddedServer {
  readonly url: string;
  readonly token: string;
  readonly port: number;
  /** Ends it; nothing is left running. */
  stop(): Promise<void>;
}

/** EMBEDDED-SERVER-2. Another process listens on the port of earlier starts; `message` says what to do. */
export class NatsPortInUseError extends Error {
  override readonly name = 'NatsPortInUseError';
  constructor(port: number, file: string) {
    super(
      `port ${port} of the embedded nats-server is in use by another process; end that process, or choose another port for good with: rm '${file}'`,
    );
  }
}

/** Resolves when the server listens; rejects with NatsPortInUseError, or with the server's last output if it cannot be started at all. */
// Long: start, restart and stop of one process share its state.
export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const log = options.log.child({ component: 'nats_server' });
  const token = keptToken(options.dataDir);
  const start = (port: number): Promise<ServerProcess> =>
    startServerProcess({
      binary: options.binary,
      directory: join(options.dataDir, 'nats'),
      port,
      config: `authorization { token: ${JSON.stringify(token)} }`,
    });

  const kept = keptPort(options.dataDir);
  let server =
    kept === null
      ? await start(options.preferredPort ?? DEFAULT_PORT).catch(() => start(ANY_FREE_PORT))
      : await start(kept).catch((error: Error) => {
          throw /address already in use/i.test(error.message)
            ? new NatsPortInUseError(kept, portFile(options.dataDir))
            : error;
        });
  const { port } = server;
  if (port !== kept) keepPort(options.dataDir, port);
  log.info({ event: 'nats_server_started', port, pid: server.pid });

  const stopping = new AbortController();
  const supervised = (async () => {
    let pauseMs = FIRST_RESTART_MS;
    while (!stopping.signal.aborted) {
      await server.exited;
      while (!stopping.signal.aborted) {
        log.error({ event: 'nats_server_died', port, restart_in_ms: pauseMs });
        await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
        if (stopping.signal.aborted) return;
        const startedMs = performance.now();
        try {
          server = await start(port);
          log.info({ event: 'nats_server_started', port, pid: server.pid });
          void server.exited.then(() => {
            if (performance.now() - startedMs > MAX_RESTART_MS) pauseMs = FIRST_RESTART_MS;
          });
          break;
        } catch (error) {
          log.error({ event: 'nats_server_start_failed', port, error: (error as Error).message });
        } finally {
          pauseMs = Math.min(MAX_RESTART_MS, pauseMs * 2);
        }
      }
    }
  })();

  return {
    url: `nats://127.0.0.1:${port}`,
    token,
    port,
    stop: async () => {
      stopping.abort();
      await server.stop();
      await supervised;
      // A restart may have been in progress.
      await server.stop();
    },
  };
}
