// Everything wrong with a configuration. Apart from config.ts, so that a command can name it without loading the schema.

/** What a start with this configuration would trip over. The command line answers it with exit code 78. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[]) {
    super(
      `${problems.length} configuration ${problems.length === 1 ? 'problem' : 'problems'}:\n${problems
        .map((problem) => `  ${problem}`)
        .join('\n')}`,
    );
  }
}
