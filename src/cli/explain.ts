// `extreg explain <id>`: who would take a call, and why. Ends with 0 where somebody takes it, with 1 where it would be refused.
import { Command } from 'commander';
import { explainConfig } from '../config.js';
import type { Explanation } from '../domain/explanation.js';
import { adminJson } from './admin-request.js';
import { adminUrl } from './admin-url.js';
import { EXIT } from './command-error.js';
import { addConfigOptions, configFlags, HTTP_SETTINGS } from './config-options.js';
import { addContextOptions, type ContextOptions, givenContext } from './context-options.js';
import { explanationText } from './explanation-text.js';
import { json } from './output.js';

type ExplainOptions = ContextOptions & { readonly json?: true };

export function explainCommand(): Command {
  const command = new Command('explain')
    .description('show who would take a call, and why; ends with 1 where it would be refused')
    .argument('<id>', 'extension');
  addContextOptions(command).option('--json', 'print JSON');
  return addConfigOptions(command, HTTP_SETTINGS).action(
    async (id: string, options: ExplainOptions & Record<string, unknown>) => {
      // As a header arrives: without the blanks around it.
      const query = new URLSearchParams(
        givenContext(options).map(({ key, value }): [string, string] => [key, value.trim()]),
      );
      // Its `--environment` is the caller's word, not the daemon's setting.
      const flags = configFlags({ ...options, environment: undefined });
      const base = adminUrl(explainConfig({ flags, env: process.env, cwd: process.cwd() }));
      const url = `${base}/admin/extensions/${encodeURIComponent(id)}/explain`;
      const explanation = (await adminJson(query.size === 0 ? url : `${url}?${query}`)) as Explanation;
      process.stdout.write(options.json ? json(explanation) : explanationText(explanation));
      if (explanation.answer.kind === 'refused') process.exitCode = EXIT.answeredWithError;
    },
  );
}
