// The options that say of a call what its caller would: `extreg invoke` sends it, `extreg explain` asks about it.
import type { Command } from '#commander';
import { CommandError, EXIT } from '../process/command-error.js';

export type Pair = readonly [name: string, value: string];

export interface ContextOptions {
  readonly tenant?: string;
  readonly policy?: string;
  readonly environment?: string;
  readonly routingKey?: string;
  /** Names without `Extreg-Ctx-`; none is that of another option. */
  readonly context: readonly Pair[];
}

/** A value of the context, and the option that gave it. */
interface GivenValue {
  readonly option: string;
  readonly key: string;
  readonly value: string;
}

const OWN_OPTIONS: Readonly<Record<string, string>> = {
  tenant_id: '--tenant',
  policy_id: '--policy',
  environment: '--environment',
  routing_key: '--routing-key',
};

export const addContextOptions = (command: Command): Command =>
  command
    .option('--tenant <tenant>', 'tenant, as the last token of the subject')
    .option('--policy <policy>', 'policy, as Extreg-Policy-Id')
    .option('--environment <environment>', 'environment, as Extreg-Environment; a daemon that has its own keeps it')
    .option('--routing-key <key>', 'routing key, as Extreg-Routing-Key')
    .option(
      '--context <key=value>',
      'whatever else routing asks for, as Extreg-Ctx-<key>; may be given again',
      collectContext,
      [],
    );

function collectContext(text: string, before: readonly Pair[]): Pair[] {
  const [key, value] = pairOf('--context', 'key', text);
  const own = Object.hasOwn(OWN_OPTIONS, key) ? OWN_OPTIONS[key] : undefined;
  if (own !== undefined) throw new CommandError(EXIT.usage, `--context ${key}: expected ${own} instead`);
  if (before.some(([name]) => name === key)) throw new CommandError(EXIT.usage, `--context ${key}: given twice`);
  return [...before, [key, value]];
}

export function pairOf(option: string, name: string, text: string): Pair {
  const equals = text.indexOf('=');
  if (equals < 1) throw new CommandError(EXIT.usage, `${option}: expected ${name}=value, got '${text}'`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** All that was given, in a fixed order. */
export function givenContext({ tenant, policy, environment, routingKey, context }: ContextOptions): GivenValue[] {
  const named = { tenant_id: tenant, policy_id: policy, environment, routing_key: routingKey };
  const given = [
    ...Object.entries(named).map(([key, value]) => ({ option: OWN_OPTIONS[key] ?? '', key, value })),
    ...context.map(([key, value]) => ({ option: `--context ${key}`, key, value })),
  ];
  return given.flatMap(({ option, key, value }) => {
    if (value === undefined) return [];
    if (value.trim() === '') throw new CommandError(EXIT.usage, `${option}: expected a value, got '${value}'`);
    return [{ option, key, value }];
  });
}
