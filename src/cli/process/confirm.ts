// What an operator is asked on a terminal before something is done.
//
// CONFIRM-1. What can be taken back is asked for with y/N on a terminal, and done without a question elsewhere.
// CONFIRM-2. What cannot be taken back, or lets harm through, needs its name typed on a terminal, or --yes; elsewhere it is
//     refused without --yes.
// CONFIRM-3. Without an answer (the end of the input, an empty line) nothing is done.
import type { Readable } from 'node:stream';
import { wrongUsage } from './command-error.js';
import type { CommandIo } from './command-io.js';

export interface ConfirmOptions {
  readonly yes?: true;
}

type Terminal = Pick<CommandIo, 'stdin' | 'stderr'>;

const isTerminal = ({ stdin }: Terminal): boolean => stdin.isTTY === true;
const stopped = () => wrongUsage('nothing was changed', '');

/** CONFIRM-1. `question`: a sentence that says what happens. Throws if the answer is not yes. */
export async function confirm(io: Terminal, question: string, { yes }: ConfirmOptions): Promise<void> {
  if (yes || !isTerminal(io)) return;
  const answer = await ask(io, `${question} Go on? [y/N] `);
  if (!/^y(es)?$/i.test(answer)) throw stopped();
}

/** CONFIRM-2. `name`: what has to be typed. */
export async function confirmByName(
  io: Terminal,
  { question, name }: { readonly question: string; readonly name: string },
  { yes }: ConfirmOptions,
): Promise<void> {
  if (yes) return;
  if (!isTerminal(io))
    throw wrongUsage(`--yes: expected, since no terminal can be asked: ${question}`, 'repeat it with --yes');
  if ((await ask(io, `${question} Type ${name} to go on: `)) !== name) throw stopped();
}

/** Why, for the audit trail: what was given, or what is typed on a terminal. Throws if it is needed and there is none. */
export async function requiredReason(io: Terminal, { reason }: { readonly reason?: string }): Promise<string> {
  const given = reason ?? (isTerminal(io) ? await ask(io, 'Why (for the audit trail)? ') : '');
  if (given.trim() !== '') return given;
  throw wrongUsage('--reason: expected why, for the audit trail, got nothing', "repeat it with --reason '…'");
}

/** One line of the terminal, without its end and the blanks around it. CONFIRM-3. */
async function ask({ stdin, stderr }: Terminal, question: string): Promise<string> {
  stderr.write(question);
  return (await readLine(stdin)).trim();
}

/** The terminal gives a line when it is complete, and Ctrl-C ends the process as it always does. */
function readLine(stdin: Readable): Promise<string> {
  return new Promise((resolve) => {
    let read = '';
    const done = (line: string): void => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      stdin.pause();
      resolve(line);
    };
    const onData = (chunk: Buffer | string): void => {
      read += String(chunk);
      const end = read.indexOf('\n');
      if (end < 0) return;
      const line = read.slice(0, end);
      const rest = read.slice(end + 1);
      done(line);
      // What was typed ahead answers the next question.
      if (rest !== '') stdin.unshift(Buffer.from(rest));
    };
    const onEnd = (): void => done('');
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.resume();
    // It has ended before.
    if (stdin.readableEnded) onEnd();
  });
}
