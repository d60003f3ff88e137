// Runs in every test worker before its test file (`require` of ava.config.js): says which file the worker runs, marks
// what the worker starts, and ends it all when AVA itself is gone.
//
// WORKER-1. Every process that a test starts has the mark in its environment, whatever environment the test gives it.
// WORKER-2. A worker whose AVA has ended kills what it has started and ends: nothing of a killed run goes on.
import { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { MARK } from './processor-time.mjs';
import { reportEnd, reportStart, sourceOf } from './test-workers.mjs';

// AVA has Node read a source map for each module that a worker loads, a tenth of what a short test file costs. A run of all files does
// without: its failures name the compiled line. A run of the file alone names the line of the source.
if (process.env.EXTREG_TEST_WHOLE === '1') process.setSourceMapsEnabled(false);

const file = sourceOf(fileURLToPath(test.meta.file));
const run = reportStart(file);
if (run !== null) {
  process.env[MARK] = `${run} ${file}`;
  process.once('exit', reportEnd);
}

const children = new Set();
const { spawn } = ChildProcess.prototype;
ChildProcess.prototype.spawn = function spawnMarked(options) {
  const mark = process.env[MARK];
  // WORKER-1.
  if (mark && options.envPairs && !options.envPairs.some((pair) => pair.startsWith(`${MARK}=`)))
    options.envPairs.push(`${MARK}=${mark}`);
  children.add(this);
  this.once('exit', () => children.delete(this));
  return spawn.call(this, options);
};

function end() {
  // A detached one leads a group of its own.
  for (const { pid } of children) if (pid !== undefined) for (const target of [-pid, pid]) kill(target);
  kill(process.pid);
}

function kill(target) {
  try {
    process.kill(target, 'SIGKILL');
  } catch {
    // No such group, or already gone.
  }
}

// AVA was killed, or ends its workers. First, because a listener of AVA's libraries ends the process by itself.
process.prependListener('disconnect', end);
process.prependListener('SIGTERM', end);
