// Where the admin API of the daemon is, for the commands that ask it.
import { commandConfig } from '../options/command-config.js';
import type { CommandIo } from '../process/command-io.js';

/** An address that was given wins; else the running daemon's own word. Without a slash at the end. */
export async function adminUrl(io: CommandIo, options: object): Promise<string> {
  const { config, origins } = await commandConfig(io, options);
  const isGiven = origins.http_port !== 'default' && config.http_port !== 0;
  if (isGiven) {
    const host = config.http_host.includes(':') ? `[${config.http_host.replace(/[[\]]/g, '')}]` : config.http_host;
    return `http://${host}:${config.http_port}`;
  }
  const { findDaemon, noDaemon } = await import('./daemon-file.js');
  const daemon = await findDaemon(config.data_dir);
  if (daemon === null) throw noDaemon(config.data_dir, '--http-port');
  return daemon.http;
}
