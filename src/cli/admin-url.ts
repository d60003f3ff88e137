// Where the admin API of the daemon is, for the commands that ask it.
import type { ExplainedConfig } from '../config.js';
import { findDaemon, noDaemon } from './daemon-file.js';

/** An address that was given wins; else the running daemon's own word. Without a slash at the end. */
export function adminUrl({ config, origins }: ExplainedConfig): string {
  const isGiven = origins.http_port !== 'default' && config.http_port !== 0;
  if (isGiven) {
    const host = config.http_host.includes(':') ? `[${config.http_host.replace(/[[\]]/g, '')}]` : config.http_host;
    return `http://${host}:${config.http_port}`;
  }
  const daemon = findDaemon(config.data_dir);
  if (daemon === null) throw noDaemon(config.data_dir);
  return daemon.http;
}
