// What a command's file gives to main.ts. It is loaded for `extreg --help` too, so it imports nothing heavy at the top: the
// action imports what it needs when it runs.
import { type Command, Option } from '#commander';
import type { CommandIo } from '../process/command-io.js';

/** Settings that a command takes as flags. */
export type SettingsGroup = 'all' | 'nats' | 'database' | 'registry' | 'http' | 'none';

/** A new one per call: commander keeps the values of the options in it. */
export type CommandFactory = (io: CommandIo) => CommandDefinition;

export interface CommandDefinition {
  /** Arguments and options; main.ts adds the flags of the settings. */
  readonly command: Command;
  readonly settings: SettingsGroup;
  /** Takes the arguments and then the options. Resolves with the exit code; nothing: 0. Rejects with a CommandError. */
  // biome-ignore lint/suspicious/noConfusingVoidType: an action without a return statement returns void
  readonly action: (...args: never[]) => Promise<number | void>;
}

export const configFileOption = (): Option =>
  new Option('--config <file>', 'configuration file (default: extreg.config.yaml or .json here)');
