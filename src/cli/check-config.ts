// `extreg check-config`: only checks, and with --print shows what would be in force.
import { Command } from 'commander';
import { ConfigError, explainConfig, printableConfig } from '../config.js';
import { SETTING_KEYS } from '../config-schema.js';
import { EXIT } from './command-error.js';
import { addConfigOptions, configFlags } from './config-options.js';
import { json, textTable } from './output.js';

export function checkConfigCommand(): Command {
  const command = new Command('check-config')
    .description('check the configuration and tell all that is wrong with it (exit code 78)')
    .option('--print', 'show the effective configuration, where each value comes from, and no secrets')
    .option('--json', 'print JSON');
  return addConfigOptions(command, SETTING_KEYS).action((options: Record<string, unknown>) => {
    try {
      const { config, origins } = explainConfig({ flags: configFlags(options), env: process.env, cwd: process.cwd() });
      const settings = printableConfig(config);
      const described = SETTING_KEYS.map((key) => ({ key, value: settings[key], origin: origins[key] }));
      if (options.json) process.stdout.write(json({ valid: true, ...(options.print ? { settings: described } : {}) }));
      else if (options.print)
        process.stdout.write(
          textTable(
            ['SETTING', 'VALUE', 'FROM'],
            described.map(({ key, value, origin }) => [key, valueText(value), origin]),
          ),
        );
      else process.stdout.write('the configuration is valid\n');
    } catch (error) {
      if (!(error instanceof ConfigError) || !options.json) throw error;
      process.stdout.write(json({ valid: false, problems: error.problems }));
      process.exitCode = EXIT.configuration;
    }
  });
}

const valueText = (value: unknown): string =>
  value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
