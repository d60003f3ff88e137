// `extreg explain <id>`: which version would get a call, and why. Exits with 0 if one gets it, with 1 if it would be refused.

import { Command } from '#commander';
import type { Explanation } from '../../domain/routing/explanation-schema.js';
import { DaemonClient } from '../daemon/daemon-client.js';
import type { CommandFactory } from '../options/command-definition.js';
import {
  addWatchOption,
  type DaemonOptions,
  type OutputOptions,
  type WatchOptions,
} from '../options/common-options.js';
import { addContextOptions, type ContextOptions, givenContext } from '../options/context-options.js';
import { addExamples } from '../options/examples.js';
import { explanationText } from '../output/explanation-text.js';
import { json, jsonLine } from '../output/output.js';
import { styleOf } from '../output/style.js';
import { EXIT } from '../process/command-error.js';
import { printed } from '../process/repeat.js';

type ExplainOptions = ContextOptions & OutputOptions & WatchOptions & DaemonOptions;

export const explainCommand: CommandFactory = (io) => ({
  command: addExamples(
    addWatchOption(
      addContextOptions(new Command('explain').argument('<id>', 'extension')).option('--json', 'print JSON'),
    ),
    'extreg explain pii_guard',
    'extreg explain pii_guard --tenant acme --context plan=pro',
  ),
  settings: 'http',
  action: async (id: string, options: ExplainOptions) => {
    // As a header arrives: without the blanks around it.
    const query = new URLSearchParams(
      givenContext(options).map(({ key, value }): [string, string] => [key, value.trim()]),
    );
    // Its `--environment` is the caller's word, not the daemon's setting.
    const daemon = await DaemonClient.of(io, { ...options, environment: undefined } as DaemonOptions);
    const path = `/admin/extensions/${encodeURIComponent(id)}/explain${query.size === 0 ? '' : `?${query}`}`;
    return printed(io, options.watch, async () => {
      const explanation = await daemon.json<Explanation>(path);
      const asJson = options.watch === undefined ? json : jsonLine;
      return {
        text: options.json ? asJson(explanation) : explanationText(explanation, styleOf(io, options)),
        code: explanation.answer.kind === 'refused' ? EXIT.answeredWithError : 0,
      };
    });
  },
});
