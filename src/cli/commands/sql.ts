// `extreg sql <statement>`: one statement against the registry's database.

import { Command } from '#commander';
import { commandConfig } from '../options/command-config.js';
import type { CommandFactory } from '../options/command-definition.js';
import type { OutputOptions } from '../options/common-options.js';
import { addExamples } from '../options/examples.js';
import { json, textTable } from '../output/output.js';
import { styleOf } from '../output/style.js';

export const sqlCommand: CommandFactory = (io) => {
  const command = new Command('sql')
    .argument('<statement>', 'one statement')
    .option('--json', 'print JSON')
    // A statement may begin with a comment, which looks like an option.
    .allowUnknownOption()
    .allowExcessArguments();
  addExamples(
    command,
    'extreg sql "select id, enabled, auto_disabled from extensions order by id"',
    'extreg sql "update extensions set enabled = true where id = \'pii_guard\'"',
  );
  return {
    command,
    settings: 'database',
    action: async (statement: string, options: OutputOptions) => {
      const unknown = command.args.find((word) => /^-\S*$/.test(word));
      if (unknown !== undefined) command.error(`error: unknown option '${unknown}'`);
      if (command.args.length > 1)
        command.error('error: too many arguments for sql: it takes one statement, in quotes');
      const { config } = await commandConfig(io, options);
      const { runStatement } = await import('../registry/sql-statement.js');
      const { verb, count, columns, rows } = await runStatement(config, statement);
      if (options.json) {
        const objects = rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])));
        io.stdout.write(json({ command: verb, count, rows: objects }));
        return;
      }
      if (columns.length > 0)
        io.stdout.write(
          textTable(
            columns,
            rows.map((row) => row.map(cellText)),
            styleOf(io, options),
          ),
        );
      if (!options.quiet)
        io.stdout.write(columns.length > 0 ? `(${count} ${count === 1 ? 'row' : 'rows'})\n` : `${verb} ${count}\n`);
    },
  };
};

function cellText(value: unknown): string {
  if (value === null) return 'null';
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
