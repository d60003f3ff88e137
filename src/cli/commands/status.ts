// `extreg status`: the daemon itself, as GET /admin/status says.

import { Command } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { factsText } from '../output/facts-text.js';
import { json, jsonLine } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { printed } from '../process/repeat.js';

type StatusOptions = OutputOptions & WatchOptions & DaemonOptions;

export const statusCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(new Command('status').option('--json', 'print JSON')),
    'extreg status',
    'extreg status --watch',
  ),
  settings: 'http',
  action: async (options: StatusOptions) => {
    const daemon = await DaemonClient.of(io, options);
    return printed(io, options.watch, async () => {
      const status = await daemon.json<object>('/admin/status');
      const asJson = options.watch === undefined ? json : jsonLine;
      return { text: options.json ? asJson(status) : factsText(withPending(status), styleOf(io, options)) };
    });
  },
});

/** What is still to be sent or written is called pending; `owed` is its name in the API. */
const withPending = (status: object): object =>
  Object.fromEntries(Object.entries(status).map(([name, value]) => [name === 'owed' ? 'pending' : name, value]));
