// `extreg inspect [id]`: where the statechart of an extension can be watched, or with --follow what it does, line by line.
import type { Writable } from 'node:stream';
import { Command } from '#commander';
import { adminUrl } from '../daemon/admin-url.js';
import type { CommandFactory } from '../options/command-definition.js';
import { InspectionText } from '../output/inspection-text.js';
import { json } from '../output/output.js';
import { CommandError, EXIT } from '../process/command-error.js';

export const inspectCommand: CommandFactory = (io) => ({
  command: new Command('inspect')
    .description('print the WebSocket that shows what an extension does, in the format of @statelyai/inspect')
    .argument('[id]', 'extension, or one version of it as <id>@<version>; without: all')
    .option('--follow', 'connect to it and print what happens, a line each, until the daemon stops')
    .option('--json', 'with --follow: print the frames themselves, a line of JSON each'),
  settings: 'http',
  action: async (id: string | undefined, options: { readonly follow?: true; readonly json?: true }) => {
    const base = await adminUrl(io, options);
    const url = `${base.replace(/^http/, 'ws')}/inspect?${selection(id)}`;
    if (!options.follow) io.stdout.write(options.json ? json({ url }) : `${url}\n`);
    else await follow(`${url}&control=true`, io.stdout, options.json ? asItIs : asText());
  },
});

function selection(id: string | undefined): string {
  if (id === undefined) return 'extension=*';
  // No extension id has an '@'.
  const [extension = '', ...version] = id.split('@');
  const chosen = `extension=${encodeURIComponent(extension)}`;
  return version.length === 0 ? chosen : `${chosen}&version=${encodeURIComponent(version.join('@'))}`;
}

type Line = (frame: string) => string;
const asItIs: Line = (frame) => `${frame}\n`;
const asText = (): Line => {
  const text = new InspectionText();
  return (frame) => text.line(frame);
};

/** Resolves when the daemon stops, or the reader has gone. */
async function follow(url: string, stdout: Writable, lineOf: Line): Promise<void> {
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
    socket.on('message', (frame) => stdout.write(lineOf(String(frame))));
    socket.on('close', (code, reason) => {
      for (const event of ['error', 'close']) stdout.off(event, onReaderGone);
      if (code === 1001) resolve();
      else if (code >= 4000) reject(new CommandError(EXIT.answeredWithError, String(reason)));
      else reject(new CommandError(EXIT.unreachable, `${url}: ${String(reason) || problem}`));
    });
  });
}
