// `extreg history <id>`: calls and latency of the last hours as sparks, and what happened, line by line.

import { Command, Option } from '#commander';
import { DaemonClient } from '../daemon/daemon-client.js';
import { extensionPath, pathWith } from '../daemon/paths.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { durationOf } from '../options/durations.js';
import { addExamples } from '../options/examples.js';
import { type History, historyText } from '../output/history-text.js';
import { json, jsonLine } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { printed } from '../process/repeat.js';

interface HistoryOptions extends OutputOptions, WatchOptions, DaemonOptions {
  readonly version?: string;
  readonly step?: string;
  readonly since?: string;
}

export const historyCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(
      new Command('history')
        .argument('<id>', 'extension')
        .option('--version <version>', 'of this version (default: the one that gets the calls)')
        .addOption(
          new Option('--step <seconds>', '10: the last 10 minutes; 60: the last 4 hours (default: 60)').choices([
            '10',
            '60',
          ]),
        )
        .option('--since <duration>', 'only so long ago and later, such as 30m')
        .option('--json', 'print JSON'),
    ),
    'extreg history pii_guard',
    'extreg history pii_guard --step 10 --watch',
  ),
  settings: 'http',
  action: async (id: string, options: HistoryOptions) => {
    const { version, step = '60', since } = options;
    const sinceMs = since === undefined ? null : durationOf('--since', since);
    const daemon = await DaemonClient.of(io, options);
    return printed(io, options.watch, async () => {
      const from = sinceMs === null ? undefined : String(Math.floor((Date.now() - sinceMs) / 1000));
      const history = await daemon.json<History>(pathWith(extensionPath(id, 'history'), { version, step, from }));
      const asJson = options.watch === undefined ? json : jsonLine;
      return { text: options.json ? asJson(history) : historyText(id, history, styleOf(io, options)) };
    });
  },
});
