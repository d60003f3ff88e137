// `extreg explain <id>`: which version would get a call, and why. Exits with 0 if one gets it, with 1 if it would be refused.
import { Command } from '#commander';
import type { Explanation } from '../../domain/routing/explanation-schema.js';
import { adminJson } from '../daemon/admin-request.js';
import { adminUrl } from '../daemon/admin-url.js';
import type { CommandFactory } from '../options/command-definition.js';
import { addContextOptions, type ContextOptions, givenContext } from '../options/context-options.js';
import { explanationText } from '../output/explanation-text.js';
import { json } from '../output/output.js';
import { EXIT } from '../process/command-error.js';

type ExplainOptions = ContextOptions & { readonly json?: true };

export const explainCommand: CommandFactory = (io) => ({
  command: addContextOptions(
    new Command('explain')
      .description('show how a call would be routed, and why; ends with 1 if it would be refused')
      .argument('<id>', 'extension'),
  ).option('--json', 'print JSON'),
  settings: 'http',
  action: async (id: string, options: ExplainOptions) => {
    // As a header arrives: without the blanks around it.
    const query = new URLSearchParams(
      givenContext(options).map(({ key, value }): [string, string] => [key, value.trim()]),
    );
    // Its `--environment` is the caller's word, not the daemon's setting.
    const base = await adminUrl(io, { ...options, environment: undefined });
    const url = `${base}/admin/extensions/${encodeURIComponent(id)}/explain`;
    const explanation = (await adminJson(query.size === 0 ? url : `${url}?${query}`)) as Explanation;
    io.stdout.write(options.json ? json(explanation) : explanationText(explanation));
    return explanation.answer.kind === 'refused' ? EXIT.answeredWithError : 0;
  },
});
