// What one start of a program costs: processor time of its process from the beginning to the end, all threads and Node's own
// start included. Measured by bash, because Node does not say what a child took.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface Command {
  readonly name: string;
  /** For Node. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It has to end with another exit code than 0. */
  readonly fails?: boolean;
}

const TIMED = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null 2>&1';

/** Seconds, user and system together. Rejects where the command ends in another way than it has to. */
async function processorSeconds({ name, args, cwd, env = {}, fails = false }: Command): Promise<number> {
  const { PATH = '' } = process.env;
  const child = spawn('bash', ['-c', TIMED, 'bash', process.execPath, ...args], {
    cwd,
    env: { PATH, LC_ALL: 'C', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [[code], times] = await Promise.all([once(child, 'close'), text(child.stderr)]);
  if ((code !== 0) !== fails) throw new Error(`${name} ended with ${code}: run it by hand`);
  const [user = Number.NaN, system = Number.NaN] = times.trim().split(' ').map(Number);
  return user + system;
}

/** All seconds of each, by name, in turns: in each round every command runs once. The first round is not counted. */
export async function measureCommands(commands: readonly Command[], rounds: number): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>(commands.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++)
    for (const command of commands) {
      const seconds = await processorSeconds(command);
      if (round > 0) found.get(command.name)?.push(seconds);
    }
  return found;
}
