// `extreg inspect [id]`: where the statechart of an extension can be watched (a page of the console, a WebSocket, the page that connects a hosted
// inspector), or with --follow what it does, line by line.

import type { Writable } from 'node:stream';
import { Command } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import { requireExtension } from '../daemon/known-extension.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { DaemonOptions, OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { InspectionText } from '../output/inspection-text.js';
import { json } from '../output/output.js';
import { printableJson } from '../output/terminal-text.js';
import { CommandError, EXIT } from '../process/command-error.js';

interface InspectOptions extends OutputOptions, DaemonOptions {
  readonly follow?: true;
}

/** Of a daemon that gives none, because it asks for none. */
const NO_TICKETS = ['route_not_found', 'method_not_allowed'];
const INVALID_TICKET = 4401;

export const inspectCommand: CommandFactory = (io) => ({
  command: addExamples(
    new Command('inspect')
      .argument('[id]', 'extension, or one version of it as <id>@<version>; without: all')
      .option('--follow', 'connect to it and print what happens, a line each, until the daemon stops')
      .option('--json', 'print the addresses as JSON; with --follow: the frames themselves, a line of JSON each'),
    'extreg inspect pii_guard --follow',
    'extreg inspect pii_guard@v2',
  ),
  settings: 'http',
  action: async (id: string | undefined, options: InspectOptions) => {
    const daemon = await DaemonClient.of(io, options);
    // With --follow the socket says so.
    const [extension, ...given] = id?.split('@') ?? [];
    const named = given.length > 0 ? given.join('@') : undefined;
    const found = extension === undefined || options.follow ? null : await requireExtension(daemon, extension, named);
    const version = named ?? found;
    const { ticket, hosted_inspector: isHosted } = await ticketOf(daemon);
    const websocket = `${daemon.url.replace(/^http/, 'ws')}/inspect?${selection(id)}${ticket === null ? '' : `&ticket=${encodeURIComponent(ticket)}`}`;
    if (options.follow)
      return follow(`${websocket}&control=true`, io.stdout, options.json ? asItIs : asText(), daemon.trust);
    const pages = pagesOf(daemon.url, extension, version, isHosted);
    if (options.json) io.stdout.write(json({ ...pages, url: websocket }));
    else if (options.quiet) io.stdout.write(`${websocket}\n`);
    else {
      io.stdout.write(`console    ${pages.console}\nwebsocket  ${websocket}\n`);
      if (pages.bridge !== null) io.stdout.write(`bridge     ${pages.bridge}\n`);
    }
    if (ticket !== null && io.stdout.isTTY && !options.json && !options.quiet)
      io.stderr.write('extreg: the WebSocket opens once, within 30 s; --follow prints what happens here\n');
  },
});

interface Pages {
  readonly console: string;
  /** null: no hosted inspector is configured. */
  readonly bridge: string | null;
}

/** Pages of the console: of this version, or of what there is. No extension id has an '@'. */
function pagesOf(url: string, id: string | undefined, version: string | null, isHosted: boolean): Pages {
  const console = `${url}/ui/inspect`;
  const bridge = `${url}/ui/bridge`;
  const pages = (page: string, hosted: string): Pages => ({ console: page, bridge: isHosted ? hosted : null });
  if (id === undefined) return pages(console, bridge);
  const part = encodeURIComponent(id);
  if (version === null) return pages(`${console}?q=${part}`, bridge);
  const name = `${part}@${encodeURIComponent(version)}`;
  return pages(`${console}/${name}`, `${bridge}?actor=${name}`);
}

interface Ticket {
  /** null: the daemon asks for none. It is used once, so it may be in an address. */
  readonly ticket: string | null;
  readonly hosted_inspector: boolean;
}

async function ticketOf(daemon: DaemonClient): Promise<Ticket> {
  try {
    return await daemon.json<Ticket>('/inspect/tickets', {});
  } catch (error) {
    if (error instanceof CommandError && error.code !== null && NO_TICKETS.includes(error.code))
      return { ticket: null, hosted_inspector: false };
    throw error;
  }
}

function selection(id: string | undefined): string {
  if (id === undefined) return 'extension=*';
  // No extension id has an '@'.
  const [extension = '', ...version] = id.split('@');
  const chosen = `extension=${encodeURIComponent(extension)}`;
  return version.length === 0 ? chosen : `${chosen}&version=${encodeURIComponent(version.join('@'))}`;
}

type Line = (frame: string) => string;
const asItIs: Line = (frame) => `${printableJson(frame)}\n`;
const asText = (): Line => {
  const text = new InspectionText();
  return (frame) => text.line(frame);
};

/** Resolves when the daemon stops, or the reader has gone. */
async function follow(url: string, stdout: Writable, lineOf: Line, trust: object): Promise<void> {
  const { WebSocket } = await import('#ws');
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, trust);
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
      else if (code === INVALID_TICKET)
        reject(new CommandError(EXIT.answeredWithError, `unauthenticated: ${reason}`, { next: NEXT }));
      else if (code >= 4000) reject(new CommandError(EXIT.answeredWithError, String(reason), { next: NEXT_ID }));
      else
        reject(
          new CommandError(EXIT.unreachable, `${url.replace(/&ticket=[^&]*/, '')}: ${String(reason) || problem}`, {
            next: NEXT_DAEMON,
          }),
        );
    });
  });
}

const NEXT = 'repeat it: each connection needs a ticket of its own';
const NEXT_ID = 'extreg ls lists the extensions, extreg show <id> the versions of one';
const NEXT_DAEMON = 'check that the daemon runs there (extreg status), or name another one with --url or --data-dir';
