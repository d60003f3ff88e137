// Child processes of the set-up, and the signals that end it.
//
// R1. Every child leads a process group of its own: a Ctrl-C reaches it once, from here, and its own children with it.
// R2. The first signal asks the running child to end and makes `run` throw; 3 s later the child's group is killed.
// R3. A second signal within 1 s is npm's repeat of the first; a later one ends everything at once.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';

const KILL_AFTER_MS = 3000;
const REPEAT_MS = 1000;
const KEPT_CHARACTERS = 20_000;

/** Set-up cannot go on. `message` is for a person; `exitCode` after sysexits. */
export class SetupError extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Set-up was told to end. */
export class Interrupted extends SetupError {
  constructor(signal) {
    super(`Stopped by ${signal}.`, 128 + constants.signals[signal]);
    this.signal = signal;
  }
}

const running = new Set();
let interruption = null;

function kill(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // Already gone.
  }
}

function interrupt(signal) {
  if (interruption) {
    if (performance.now() - interruption.atMs < REPEAT_MS) return;
    for (const child of running) kill(child, 'SIGKILL');
    process.exit(interruption.error.exitCode);
  }
  interruption = { atMs: performance.now(), error: new Interrupted(signal) };
  for (const child of running) {
    kill(child, signal === 'SIGHUP' ? 'SIGTERM' : signal);
    setTimeout(() => kill(child, 'SIGKILL'), KILL_AFTER_MS).unref();
  }
}

const onSignal = (signal) => interrupt(signal);
// The terminal is gone; what is printed into it has no reader.
const onBrokenPipe = (error) => {
  if (error.code === 'EPIPE') interrupt('SIGHUP');
};

/** From now on signals end the set-up. Returns what gives them back; that throws where one has arrived. */
export function catchSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, onSignal);
  // For good: the first would open a debugger port, the second would end the process halfway.
  for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => undefined);
  process.stdout.on('error', onBrokenPipe);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, onSignal);
    process.stdout.off('error', onBrokenPipe);
    throwIfInterrupted();
  };
}

export function throwIfInterrupted() {
  if (interruption) throw interruption.error;
}

/**
 * Runs a command to its end. Its output is kept (the last 20 000 characters) and, line by line, given to `onLine`.
 * Rejects with Interrupted after a signal, with SetupError where it cannot be started; any exit code is a result.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void, showErrors?: boolean }} [options]
 *   `showErrors`: its standard error goes straight to ours
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function run(command, args, { cwd, env = process.env, onLine, showErrors = false } = {}) {
  throwIfInterrupted();
  const child = spawn(command, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', showErrors ? 'inherit' : 'pipe'],
  });
  if (child.pid !== undefined) running.add(child);
  let output = '';
  const keep = (text) => {
    output = (output + text).slice(-KEPT_CHARACTERS);
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  if (onLine) createInterface({ input: child.stdout }).on('line', onLine);
  child.stderr?.setEncoding('utf8').on('data', keep);
  try {
    const code = await new Promise((resolve, reject) => {
      child.on('error', (error) => reject(new SetupError(`Cannot run ${command}: ${error.message}`, 69)));
      child.on('exit', (exitCode, signal) => {
        // What it left behind in its group would hold our pipes open, and outlive us.
        if (exitCode === null || interruption) kill(child, 'SIGKILL');
        resolveWhenRead(child, () => resolve(exitCode ?? 128 + constants.signals[signal]));
      });
    });
    throwIfInterrupted();
    return { code, output };
  } finally {
    if (child.pid !== undefined) kill(child, 'SIGKILL');
    running.delete(child);
  }
}

/** Output may still be in the pipe when the process is gone, and a stranger may hold the pipe for ever. */
function resolveWhenRead(child, done) {
  const timer = setTimeout(done, 1000);
  child.on('close', () => {
    clearTimeout(timer);
    done();
  });
}
