// The configuration of one command: its flags, its environment and the file in its directory.
import type { ExplainedConfig } from '../../config/config.js';
import type { CommandIo } from '../process/command-io.js';

/** `options`: as commander gives them; those that are no settings are ignored. Rejects with a ConfigError. */
export async function commandConfig(io: CommandIo, options: object): Promise<ExplainedConfig> {
  const [{ explainConfig }, { configFlags }] = await Promise.all([
    import('../../config/config.js'),
    import('./config-options.js'),
  ]);
  return explainConfig({ flags: configFlags({ ...options }), env: io.env, cwd: io.cwd });
}
