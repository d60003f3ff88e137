// `extreg inspect [id]`: where the statechart of an extension can be watched, or with --follow what it does, a frame a line.
import type { Writable } from 'node:stream';
import { Command } from '#commander';
import { adminUrl } from './admin-url.js';
import type { CommandFactory } from './command-definition.js';
import { CommandError, EXIT } from './command-error.js';

export const inspectCommand: CommandFactory = (io) => ({
  command: new Command('inspect')
    .description('print the WebSocket that shows what an extension does, in the format of @statelyai/inspect')
    .argument('[id]', 'extension, or one version of it as <id>@<version>; without: all')
    .option('--follow', 'connect to it and print each frame as a line of JSON, until the daemon stops'),
  settings: 'http',
  action: async (id: string | undefined, options: { readonly follow?: true }) => {
    const base = await adminUrl(io, options);
    const url = `${base.replace(/^http/, 'ws')}/inspect?${selection(id)}`;
    if (options.follow) await follow(url, io.stdout);
    else io.stdout.write(`${url}\n`);
  },
});

function selection(id: string | undefined): string {
  if (id === undefined) return 'extension=*';
  // No extension id has an '@'.
  const [extension = '', ...version] = id.split('@');
  const chosen = `extension=${encodeURIComponent(extension)}`;
  return version.length === 0 ? chosen : `${chosen}&version=${encodeURIComponent(version.join('@'))}`;
}

/** Resolves when the daemon stops, or nobody reads any more. */
async function follow(url: string, stdout: Writable): Promise<void> {
  const { WebSocket } = await import('#ws');
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let problem = 'the connection was lost';
    const onReaderGone = () => {
      socket.terminate();
      resolve();
    };
    for (const event of ['error', 'close']) stdout.once(event, onReaderGone);
    socket.on('error', (error) => {
      problem = error.message;
    });
    socket.on('message', (frame) => stdout.write(`${frame}\n`));
    socket.on('close', (code, reason) => {
      for (const event of ['error', 'close']) stdout.off(event, onReaderGone);
      if (code === 1001) resolve();
      else if (code >= 4000) reject(new CommandError(EXIT.answeredWithError, String(reason)));
      else reject(new CommandError(EXIT.unreachable, `${url}: ${String(reason) || problem}`));
    });
  });
}
